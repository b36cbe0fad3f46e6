//go:build !386 && !arm && !mips && !mipsle

package ebpf

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"
)

// wakeupBytes is how much is pending when a sleeping reader is woken before
// its deadline: a wakeup takes 8 µs, which 150 heads can share.
const wakeupBytes = 256 << 10

// Collector owns the tables that programs at any number of interfaces share.
// Sweep has one caller at a time, and so has ReadHead; all other methods may be
// called beside them.
type Collector struct {
	cfg   Config
	spec  *ebpf.CollectionSpec
	maps  map[string]*ebpf.Map
	ring  *ringbuf.Reader
	clock clock

	record ringbuf.Record // of ReadHead
	early  chan struct{}
	sweep  sweeper

	mu    sync.Mutex // guards what follows
	slots [maxInterface]slotState
	total reported
}

// Open makes the tables and has the kernel verify the program. Its errors are
// those of cfg.Validate, ErrKernel, ErrPermission and ErrNoRingbuf, wrapped
// with what was tried.
func Open(cfg Config) (*Collector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	spec, err := loadKernel()
	if err != nil {
		return nil, fmt.Errorf("read the embedded BPF program: %w", err)
	}
	c := &Collector{cfg: cfg, spec: spec, maps: map[string]*ebpf.Map{}, early: make(chan struct{}, 1)}
	if err := c.open(); err != nil {
		c.Close()
		return nil, fmt.Errorf("open flow tables in the kernel: %w", err)
	}
	return c, nil
}

func (c *Collector) open() error {
	c.clock.read()
	c.spec.Maps[kernelMapFlows].MaxEntries = uint32(c.cfg.Flows)
	c.spec.Maps[kernelMapHeads].MaxEntries = uint32(c.cfg.RingBytes)
	if err := c.setOptions(); err != nil {
		return err
	}
	for _, name := range []string{kernelMapFlows, kernelMapHeads, kernelMapCounters, kernelMapBuckets, kernelMapPorts} {
		m, err := ebpf.NewMap(c.spec.Maps[name])
		if err != nil {
			return mapError(name, err)
		}
		c.maps[name] = m
	}
	if err := c.setPorts(); err != nil {
		return err
	}
	var err error
	if c.ring, err = ringbuf.NewReader(c.maps[kernelMapHeads]); err != nil {
		return fmt.Errorf("map the ring of heads: %w", err)
	}
	c.sweep.init(c.maps[kernelMapFlows], c.cfg)
	p, err := c.load(0, false, false)
	if err != nil {
		return err
	}
	return p.Close()
}

// setOptions sets the constants that are the same for all interfaces.
func (c *Collector) setOptions() error {
	var interval, burst [numBuckets]uint64
	for i := range interval {
		interval[i] = math.MaxUint64 // never
	}
	for class, r := range c.cfg.Rates {
		if r.PerSecond == 0 {
			continue
		}
		interval[class] = uint64(time.Second) / uint64(r.PerSecond)
		burst[class] = uint64(r.Burst-1) * interval[class]
	}
	const earlySweeps = 10 // requests a second and CPU
	interval[classSweep] = uint64(time.Second / earlySweeps)
	for name, v := range map[string]any{
		kernelVarHeadSegments:  uint32(c.cfg.HeadSegments),
		kernelVarHeadBytes:     uint32(c.cfg.HeadBytes),
		kernelVarHeadDatagrams: uint32(c.cfg.HeadDatagrams),
		kernelVarWakeupBytes:   uint32(min(wakeupBytes, c.cfg.RingBytes/4)),
		kernelVarRateInterval:  interval,
		kernelVarRateBurst:     burst,
	} {
		if err := c.spec.Variables[name].Set(v); err != nil {
			return fmt.Errorf("set option %s: %w", name, err)
		}
	}
	return nil
}

// setPorts writes the table of ports whose payload always goes up.
func (c *Collector) setPorts() error {
	t := new(kernelPortSet)
	for _, p := range c.cfg.Ports {
		if p.TCP {
			t.Tcp[p.Port] = uint8(p.Class)
		}
		if p.UDP {
			t.Udp[p.Port] = uint8(p.Class)
		}
	}
	if err := c.maps[kernelMapPorts].Put(uint32(0), t); err != nil {
		return fmt.Errorf("set ports: %w", err)
	}
	return nil
}

// load has the kernel verify and compile a program for one direction of an
// interface. It shares the tables.
func (c *Collector) load(slot int, egress, layer3 bool) (*ebpf.Program, error) {
	spec := c.spec.Copy()
	for name, v := range map[string]any{
		kernelVarSlot: uint32(slot), kernelVarEgress: egress, kernelVarLayer3: layer3,
	} {
		if err := spec.Variables[name].Set(v); err != nil {
			return nil, fmt.Errorf("set option %s: %w", name, err)
		}
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: c.maps})
	if err != nil {
		return nil, loadError(err)
	}
	defer coll.Close()
	return coll.DetachProgram(kernelProgFlow), nil
}

// Early receives when a packet has found the table of flows full: it is time
// to sweep. Somebody must call ReadHead for it to work.
func (c *Collector) Early() <-chan struct{} { return c.early }

// Close detaches all programs and ends a ReadHead that waits. What was counted
// since the last Sweep is lost: to have it, close all attachments and sweep
// before.
func (c *Collector) Close() error {
	var errs []error
	for _, a := range c.attachments() {
		errs = append(errs, a.Close())
	}
	if c.ring != nil {
		errs = append(errs, c.ring.Close())
	}
	for _, m := range c.maps {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}

// mapError explains why a table cannot be made.
func mapError(name string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return permissionError(err)
	case name == kernelMapHeads && (errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.EINVAL)):
		return fmt.Errorf("%w (%w)", ErrNoRingbuf, err)
	default:
		return fmt.Errorf("make table %s: %w", name, err)
	}
}

// loadError explains why a program cannot be loaded.
func loadError(err error) error {
	var verifier *ebpf.VerifierError
	switch {
	case errors.Is(err, unix.EPERM):
		return permissionError(err)
	case errors.Is(err, ebpf.ErrNotSupported), errors.As(err, &verifier):
		if !atLeast(5, 15) {
			return fmt.Errorf("%w; this is %s (%w)", ErrKernel, release(), err)
		}
		if missing := missingCapabilities(); len(missing) > 0 {
			return permissionError(err) // without CAP_PERFMON the verifier refuses what it cannot bound
		}
		fallthrough
	default:
		return fmt.Errorf("load the BPF program: %w", err)
	}
}
