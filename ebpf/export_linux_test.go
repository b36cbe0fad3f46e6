//go:build !386 && !arm && !mips && !mipsle

package ebpf

import (
	"errors"
	"testing"

	"github.com/cilium/ebpf"
)

// Parsed is what the program made of one frame: a flow with one packet, or a
// reason why not.
type Parsed struct {
	Reason         Reason // 0: it was added to a flow
	Key            FlowKey
	Side           int
	Bytes, Payload uint64
	Flags          uint8
	SrcMAC         [6]byte
	InnerVLAN      uint16
}

// Parser shows the program one frame after the other.
type Parser struct {
	r      *runner
	before []kernelCounterSet
}

// NewParser loads the program, which sends nothing up.
func NewParser(tb testing.TB) *Parser {
	tb.Helper()
	cfg := DefaultConfig()
	cfg.Flows = minFlows
	cfg.Rates = nil
	return &Parser{r: newRunner(tb, cfg)}
}

// Parse shows the program a frame of 14 to about 3,500 bytes.
func (p *Parser) Parse(tb testing.TB, frame []byte) Parsed {
	tb.Helper()
	p.r.run(tb, frame, 1)
	flows := p.r.c.maps[kernelMapFlows]
	keys, values := make([]kernelFlowKey, 16), make([]kernelFlowRecord, 16)
	var cursor ebpf.MapBatchCursor
	n, err := flows.BatchLookupAndDelete(&cursor, keys, values, nil)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		tb.Fatal(err)
	}
	var now []kernelCounterSet
	if err := p.r.c.maps[kernelMapCounters].Lookup(uint32(0), &now); err != nil {
		tb.Fatal(err)
	}
	before, after := sum(p.before), sum(now)
	p.before = now
	if after.Seen != before.Seen+1 {
		tb.Fatalf("%x: seen %d times", frame, after.Seen-before.Seen)
	}
	if n == 0 {
		for r := range after.Refused {
			if after.Refused[r] == before.Refused[r]+1 {
				return Parsed{Reason: Reason(r)}
			}
		}
	}
	if n != 1 || after.Counted != before.Counted+1 {
		tb.Fatalf("%x: %d flows, %d counted", frame, n, after.Counted-before.Counted)
	}
	return parsed(tb, frame, &keys[0], &values[0])
}

// parsed describes a flow of one packet.
func parsed(tb testing.TB, frame []byte, k *kernelFlowKey, v *kernelFlowRecord) Parsed {
	tb.Helper()
	var d Delta
	d.describe(k, v)
	out := Parsed{Key: d.Key, InnerVLAN: v.InnerVlan}
	for i := range v.Side {
		s := &v.Side[i]
		if s.Packets == 0 {
			continue
		}
		if s.Packets != 1 || int(v.FirstSide) != i {
			tb.Fatalf("%x: %d packets of side %d, the first from side %d", frame, s.Packets, i, v.FirstSide)
		}
		out.Side, out.Bytes, out.Payload, out.Flags, out.SrcMAC = i, s.Bytes, s.Payload, s.TcpFlags, s.Mac
	}
	return out
}

// sum adds up what the CPUs have counted of frames.
func sum(perCPU []kernelCounterSet) kernelCounterSet {
	var out kernelCounterSet
	for i := range perCPU {
		c := &perCPU[i]
		out.Seen += c.Seen
		out.Counted += c.Counted
		for r := range c.Refused {
			out.Refused[r] += c.Refused[r]
		}
	}
	return out
}
