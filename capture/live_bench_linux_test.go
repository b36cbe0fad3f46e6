package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"gatehouse/internal/testkit"
)

// BenchmarkLive sends b.N frames of 60 bytes through a pair of virtual
// interfaces, in a steady stream of so many a second, and reads them at the
// other end. Every frame is counted by the sender, by the kernel and by the
// reader. make bench-live runs it with a b.N that bounds its time.
func BenchmarkLive(b *testing.B) {
	for _, rate := range []int{500_000, 0} {
		for _, workers := range []int{1, 2} {
			name := fmt.Sprint("rate=", rate, "/workers=", workers)
			if rate == 0 {
				name = fmt.Sprint("rate=max/workers=", workers)
			}
			b.Run(name, func(b *testing.B) { benchLive(b, rate, workers) })
		}
	}
}

func benchLive(b *testing.B, rate, workers int) {
	pair(b)
	l := openLive(b, func(c *LiveConfig) {
		c.RingBytes = 8 << 20
		c.Workers = workers
	})
	s := testkit.NewSender(b, "va")
	s.Bypass(b) // sending must not be what limits
	frames := make([][]byte, 64)
	for i := range frames {
		frames[i] = testkit.UDPFrame(netip.AddrPortFrom(hostA.Addr(), uint16(i)), hostB, uint32(i)) // 64 flows
	}
	read := make(chan int)
	for _, src := range l.Members() {
		go func() { read <- readUntilClosed(b, src) }()
	}
	b.ReportAllocs()
	b.ResetTimer()
	begin, sent := time.Now(), 0
	for sent < b.N {
		if rate > 0 {
			due := time.Duration(sent) * time.Second / time.Duration(rate)
			for time.Since(begin) < due { // the least sleep is longer than that
			}
		}
		n := min(len(frames), b.N-sent)
		s.Send(b, frames[:n]...)
		sent += n
	}
	took := time.Since(begin)
	b.StopTimer()
	stats := l.Stats()[0]
	for stats.Delivered+stats.RingFull < uint64(sent) && time.Since(begin) < took+time.Second {
		stats = l.Stats()[0] // until the rest is read
	}
	l.Close()
	got := 0
	for range workers {
		got += <-read
	}
	if stats.Seen != uint64(sent) || stats.Delivered != uint64(got) || stats.Seen != stats.Delivered+stats.RingFull {
		b.Errorf("%d sent, %d read, stats %+v: they do not add up", sent, got, stats)
	}
	b.ReportMetric(float64(sent)/took.Seconds(), "packets/s")
	b.ReportMetric(100*float64(stats.Lost())/float64(sent), "%lost")
}

// readUntilClosed counts packets, and looks at each as a decoder would.
func readUntilClosed(tb testing.TB, src Source) int {
	var batch Batch
	defer batch.Release()
	count, sum := 0, byte(0)
	for {
		err := src.Read(&batch)
		for i := range batch.Packets {
			sum += batch.Packets[i].Data[23]
		}
		count += len(batch.Packets)
		if err != nil {
			if !errors.Is(err, fs.ErrClosed) {
				tb.Errorf("read: %v", err)
			}
			runtime.KeepAlive(sum)
			return count
		}
	}
}
