package capture

import (
	"runtime"
	"testing"
	"time"

	"gatehouse/internal/testkit"
)

// pair makes two connected interfaces in a namespace of the test's own.
func pair(tb testing.TB) {
	tb.Helper()
	testkit.EnterNetns(tb)
	addPair(tb)
}

func addPair(tb testing.TB) {
	tb.Helper()
	testkit.IP(tb, "link add va type veth peer name vb")
	testkit.IP(tb, "link set va up")
	testkit.IP(tb, "link set vb up")
}

// openLive opens a source that is closed when the test ends.
func openLive(tb testing.TB, change func(*LiveConfig)) *Live {
	tb.Helper()
	cfg := DefaultLiveConfig("vb")
	cfg.RingBytes = 4 << 20
	if change != nil {
		change(&cfg)
	}
	l, err := OpenLive(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	return l
}

// collect reads until visit has seen want packets, or for five seconds.
func collect(tb testing.TB, src Source, want int, visit func(*Packet)) {
	tb.Helper()
	var b Batch
	defer b.Release()
	deadline := time.Now().Add(5 * time.Second)
	for got := 0; got < want; {
		if err := src.Read(&b); err != nil {
			tb.Fatalf("read: %v", err)
		}
		for i := range b.Packets {
			visit(&b.Packets[i])
		}
		if got += len(b.Packets); got < want && time.Now().After(deadline) {
			tb.Fatalf("got %d of %d packets in time", got, want)
		}
	}
}

// quiet reads until an idle batch shows that nothing is left, and fails if a
// packet comes.
func quiet(tb testing.TB, src Source) {
	tb.Helper()
	var b Batch
	if err := src.Read(&b); err != nil {
		tb.Fatalf("read: %v", err)
	}
	if len(b.Packets) > 0 {
		tb.Fatalf("got a packet too much: %+v", b.Packets[0])
	}
}

func mustParse(tb testing.TB, text string) Filter {
	tb.Helper()
	f, err := ParseFilter(text)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// arrived waits until the kernel has passed on what was sent: under load it
// does so a little after the sender has returned.
func arrived(tb testing.TB, l *Live, frames uint64) LiveStats {
	tb.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		switch got := l.Stats()[0]; {
		case got.Seen >= frames:
			return got
		case time.Now().After(deadline):
			tb.Fatalf("%d of %d frames arrived in time", got.Seen, frames)
		}
		runtime.Gosched()
	}
}
