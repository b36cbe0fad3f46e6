package capture

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/internal/testkit"
)

// given an interface
// when it goes down and up, is deleted, and made again
// then what was captured before is delivered, the gap is accounted for, and
// capture goes on
func TestLiveInterfaceComesAndGoes(t *testing.T) {
	for _, workers := range []int{1, 2} {
		t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
			pair(t)
			l := openLive(t, func(c *LiveConfig) { c.Workers = workers })
			send := func(n uint32) { testkit.NewSender(t, "va").Send(t, testkit.UDPFrame(hostA, hostB, n)) }
			expect := func(want uint32) {
				t.Helper()
				collect(t, l, 1, func(p *Packet) {
					if number(p) != want {
						t.Errorf("got packet %d, want %d", number(p), want)
					}
				})
			}
			send(1)
			expect(1)

			testkit.IP(t, "link set vb down")
			quiet(t, l)
			if got := l.Stats()[0]; got.Present || got.Outages != 1 || got.Outage <= 0 {
				t.Errorf("while down: %+v, want one outage", got)
			}
			testkit.IP(t, "link set vb up")
			quiet(t, l)
			send(2)
			expect(2)
			if got := l.Stats()[0]; !got.Present || got.Outages != 1 {
				t.Errorf("up again: %+v", got)
			}

			send(3)
			testkit.IP(t, "link del vb") // takes va with it
			expect(3)
			quiet(t, l)
			if got := l.Stats()[0]; got.Present || got.Outages != 2 || !errors.Is(got.Err, ErrNoInterface) {
				t.Errorf("while deleted: %+v", got)
			}
			addPair(t)
			quiet(t, l)
			send(4)
			expect(4)
			quiet(t, l)
			got := l.Stats()[0]
			if !got.Present || got.Outages != 2 || got.Err != nil || got.Seen != 4 || got.Delivered != 4 || got.Lost() != 0 {
				t.Errorf("made again: %+v, want 4 packets and 2 outages", got)
			}
			if n := len(l.Interfaces()); n != 1 {
				t.Errorf("%d interfaces listed, want 1", n)
			}
		})
	}
}

func TestLiveAwaitInterface(t *testing.T) {
	testkit.EnterNetns(t)
	l := openLive(t, func(c *LiveConfig) { c.AwaitInterfaces = true })
	quiet(t, l)
	addPair(t)
	quiet(t, l)
	testkit.NewSender(t, "va").Send(t, testkit.UDPFrame(hostA, hostB, 1))
	collect(t, l, 1, func(*Packet) {})
}

// given a reader that does not come
// when more frames arrive than the ring holds
// then every frame is delivered, or counted as dropped, and capture recovers
func TestLiveRingFull(t *testing.T) {
	pair(t)
	l := openLive(t, func(c *LiveConfig) { c.RingBytes = minRing })
	s := testkit.NewSender(t, "va")
	const count = 20_000
	batch := make([][]byte, 100)
	for n := 0; n < count; n += len(batch) {
		for i := range batch {
			batch[i] = testkit.UDPFrame(hostA, hostB, uint32(n+i))
		}
		s.Send(t, batch...)
	}
	full := arrived(t, l, count)
	if full.Seen != count || full.RingFull == 0 || full.Freezes == 0 {
		t.Fatalf("stats %+v, want %d seen and some dropped", full, count)
	}
	kept := int(full.Seen - full.RingFull)
	next := uint32(0)
	collect(t, l, kept, func(p *Packet) {
		if number(p) != next { // the first that came are those that are kept
			t.Fatalf("packet %d came when %d was due", number(p), next)
		}
		next++
	})
	quiet(t, l)
	s.Send(t, testkit.UDPFrame(hostA, hostB, count))
	collect(t, l, 1, func(p *Packet) {
		if number(p) != count {
			t.Errorf("after the flood: packet %d", number(p))
		}
	})
	got := l.Stats()[0]
	if got.Seen != count+1 || got.Delivered+got.RingFull != count+1 || got.Freezes == 0 {
		t.Errorf("stats %+v do not add up", got)
	}
}

func TestLiveErrors(t *testing.T) {
	pair(t)
	cfg := DefaultLiveConfig("vb", "none")
	if _, err := OpenLive(cfg); !errors.Is(err, ErrNoInterface) || !strings.Contains(err.Error(), "none") {
		t.Errorf("unknown interface: %v", err)
	}
	cfg = DefaultLiveConfig("vb")
	cfg.Filter = Filter{root: anyNode{}}
	for range 2000 {
		cfg.Filter.root = anyNode{append(cfg.Filter.root.(anyNode).of, portNode{1})}
	}
	if _, err := OpenLive(cfg); !errors.Is(err, ErrFilter) {
		t.Errorf("filter that is too long: %v", err)
	}
	l := openLive(t, func(c *LiveConfig) { c.HardwareTime = true })
	testkit.NewSender(t, "va").Send(t, testkit.UDPFrame(hostA, hostB, 1))
	collect(t, l, 1, func(p *Packet) {
		if d := time.Since(time.Unix(0, p.Time)); d < 0 || d > 10*time.Second {
			t.Errorf("without hardware stamps a packet is %v old", d)
		}
	})
	if l.Stats()[0].HardwareTime {
		t.Error("a virtual interface claims to have stamps of hardware")
	}
}

// given fan-out groups that other programs made
// when a group is joined by its number
// then 0, the first number that a kernel gives away, is one like the others
func TestJoinFanoutZero(t *testing.T) {
	pair(t)
	cfg := DefaultLiveConfig("vb")
	cfg.RingBytes = minRing
	var rings []*ring
	for range 2 {
		fd, err := watchLinks()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Close(fd) }()
		l, err := lookUp(fd, "vb")
		if err != nil {
			t.Fatal(err)
		}
		r, err := openRing(l, &cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		rings = append(rings, r)
	}
	for _, r := range rings {
		if id, err := joinFanout(r.fd, 0); err != nil || id != 0 {
			t.Fatalf("join group 0: %d, %v", id, err)
		}
	}
	id, err := joinFanout(rings[0].fd, newFanout)
	if !errors.Is(err, unix.EALREADY) {
		t.Errorf("a second group for one socket: %d, %v, want EALREADY", id, err)
	}
}

// given a thread without CAP_NET_RAW
// when it opens a source
// then the error says what is missing, even for an interface that is not there
func TestLivePermission(t *testing.T) {
	cfg := DefaultLiveConfig("none")
	cfg.AwaitInterfaces = true
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(header, &none[0]); err != nil {
			result <- fmt.Errorf("drop capabilities: %w", err)
			return
		}
		_, err := OpenLive(cfg)
		result <- err
	}()
	err := <-result
	if !errors.Is(err, ErrPermission) || !strings.Contains(err.Error(), "setcap cap_net_raw+ep gatehouse") {
		t.Errorf("got %v, want ErrPermission and what to do about it", err)
	}
}

// given an interface that always has a frame ready
// when another one comes
// then it is captured from nevertheless
func TestLiveBusyNoticesInterface(t *testing.T) {
	pair(t)
	l := openLive(t, func(c *LiveConfig) {
		c.Interfaces = []string{"vb", "late"}
		c.AwaitInterfaces = true
	})
	s := testkit.NewSender(t, "va")
	burst := make([][]byte, 100)
	for i := range burst {
		burst[i] = testkit.UDPFrame(hostA, hostB, 0)
	}
	for range 100 { // some five blocks
		s.Send(t, burst...)
	}
	clock := time.Now()
	l.now = func() time.Time {
		clock = clock.Add(maxIdle / 2)
		return clock
	}
	testkit.IP(t, "link add late type veth peer name other")
	testkit.IP(t, "link set late up")
	var b Batch
	defer b.Release()
	for n := range 4 {
		if err := l.Read(&b); err != nil || len(b.Packets) == 0 {
			t.Fatalf("read %d: %d packets, %v", n, len(b.Packets), err)
		}
	}
	if got := l.Stats()[1]; !got.Present || got.Outages != 1 || got.Err != nil {
		t.Errorf("the interface that came late: %+v", got)
	}
}
