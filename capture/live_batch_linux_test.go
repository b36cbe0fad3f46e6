package capture

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/internal/testkit"
)

// given batches that hold every block of a ring
// when frames keep coming
// then the frames are dropped and counted, the batches keep their packets, no
// block is delivered twice, and the source closes without them
func TestLiveBatchKeepsPackets(t *testing.T) {
	pair(t)
	l := openLive(t, func(c *LiveConfig) { c.RingBytes = minRing })
	s := testkit.NewSender(t, "va")
	const held = minRing / ringBlock
	var batches [held]Batch
	for n := range uint32(held) {
		s.Send(t, testkit.UDPFrame(hostA, hostB, n))
		for len(batches[n].Packets) == 0 {
			if err := l.Read(&batches[n]); err != nil {
				t.Fatal(err)
			}
		}
	}
	flood := make([][]byte, 100)
	for i := range flood {
		flood[i] = testkit.UDPFrame(hostA, hostB, 1000)
	}
	for range 100 {
		s.Send(t, flood...)
	}
	check := func() {
		t.Helper()
		for n := range batches {
			if b := &batches[n]; len(b.Packets) != 1 || number(&b.Packets[0]) != uint32(n) {
				t.Errorf("batch %d holds %d packets, the first is %d", n, len(b.Packets), number(&b.Packets[0]))
			}
		}
	}
	check()
	arrived(t, l, held+uint64(100*len(flood)))
	quiet(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check()
	for n := range batches {
		if ring := batches[n].owner.(*ring); ring.mem == nil {
			t.Fatal("the ring is gone while a batch points into it")
		} else if batches[n].Release(); (ring.mem == nil) != (n == held-1) {
			t.Errorf("after batch %d of %d was released: ring is gone: %t", n+1, held, ring.mem == nil)
		}
	}
	got, dropped := l.Stats()[0], uint64(100*len(flood))
	if got.Seen != held+dropped || got.Delivered != held || got.RingFull != dropped || got.Freezes == 0 {
		t.Errorf("stats %+v, want %d delivered and %d dropped", got, held, dropped)
	}
}

func TestLiveUnread(t *testing.T) {
	pair(t)
	l := openLive(t, nil)
	s := testkit.NewSender(t, "va")
	const count = 10
	for n := range uint32(count) {
		s.Send(t, testkit.UDPFrame(hostA, hostB, n))
	}
	arrived(t, l, count)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s.Send(t, testkit.UDPFrame(hostA, hostB, count)) // nobody's any more
	got := l.Stats()[0]
	if got.Seen != count || got.Unread != count || got.Lost() != count || got.Delivered != 0 {
		t.Errorf("stats %+v, want %d unread", got, count)
	}
}

// given a Read that waits
// when the source is closed
// then Read ends at once, and nothing is left of the source
func TestLiveClose(t *testing.T) {
	pair(t)
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	l := openLive(t, func(c *LiveConfig) { c.Workers = 3 })
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines with the source open, %d before: it needs none", n, goroutines)
	}
	results := make(chan error)
	for _, src := range l.Members() {
		go func() {
			var b Batch
			for {
				if err := src.Read(&b); err != nil {
					results <- err
					return
				}
			}
		}()
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := <-results; !errors.Is(err, fs.ErrClosed) {
			t.Errorf("read: %v, want fs.ErrClosed", err)
		}
	}
	var b Batch
	if err := l.Read(&b); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if n := openFiles(t); n != files {
		t.Errorf("%d files open, %d before", n, files)
	}
	if err := l.Exclude(nil); err != nil {
		t.Errorf("exclude after close: %v", err)
	}
	if got := l.Stats()[0]; got.Seen != 0 {
		t.Errorf("stats after close: %+v", got)
	}
}

func openFiles(tb testing.TB) int {
	tb.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Fatal(err)
	}
	return len(entries)
}

// given no traffic
// when the source is read
// then it returns now and then, with a time that goes on and was not yet
// overtaken by any packet
func TestLiveIdle(t *testing.T) {
	pair(t)
	l := openLive(t, nil)
	var b Batch
	last := int64(0)
	for range 3 {
		begin := time.Now()
		if err := l.Read(&b); err != nil {
			t.Fatal(err)
		}
		if len(b.Packets) != 0 {
			t.Fatalf("got a packet: %+v", b.Packets[0])
		}
		behind := time.Now().UnixNano() - b.Now
		if b.Now <= last || behind < int64(ringLag) || time.Since(begin) > 5*time.Second {
			t.Errorf("after %v: time %d behind now, %d after the last", time.Since(begin), behind, b.Now-last)
		}
		last = b.Now
	}
	testkit.NewSender(t, "va").Send(t, testkit.UDPFrame(hostA, hostB, 1))
	collect(t, l, 1, func(p *Packet) {
		if p.Time < last {
			t.Errorf("a packet of %d came after all before %d were delivered", p.Time, last)
		}
	})
}

// given a batch that holds the last block the kernel has filled
// when the source is read with another
// then Read waits: it does not take that block for a new one, nor spin
func TestLiveIdleWithBatchHeld(t *testing.T) {
	pair(t)
	l := openLive(t, nil)
	testkit.NewSender(t, "va").Send(t, testkit.UDPFrame(hostA, hostB, 1))
	var held, b Batch
	for len(held.Packets) == 0 {
		if err := l.Read(&held); err != nil {
			t.Fatal(err)
		}
	}
	var before, after unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &before); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Read(&b); err != nil || len(b.Packets) > 0 {
			t.Fatalf("read: %d packets, %v", len(b.Packets), err)
		}
	}
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &after); err != nil {
		t.Fatal(err)
	}
	used := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	if used > maxIdle/5 {
		t.Errorf("waited for %v with %v of processor time", 2*maxIdle, used)
	}
	held.Release()
}

// given a ring with frames
// when it is read with a warm batch
// then nothing is allocated
func TestLiveAllocates(t *testing.T) {
	pair(t)
	l := openLive(t, nil)
	s := testkit.NewSender(t, "va")
	frames := [][]byte{testkit.UDPFrame(hostA, hostB, 1), testkit.UDPFrame(hostA, hostB, 2)}
	var b Batch
	read := func() {
		for {
			if err := l.Read(&b); err != nil {
				t.Fatal(err)
			}
			if len(b.Packets) > 0 {
				return
			}
		}
	}
	s.Send(t, frames...)
	read()
	allocs := testing.AllocsPerRun(5, func() {
		s.Send(t, frames[:1]...)
		read()
	})
	if allocs != 0 {
		t.Errorf("%v allocations a batch", allocs)
	}
}
