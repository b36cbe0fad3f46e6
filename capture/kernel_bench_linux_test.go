package capture

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"gatehouse/internal/testkit"
)

// BenchmarkOverhead sends b.N frames of 60 bytes, of 1,000 flows, through a
// pair of virtual interfaces as fast as one core can, and reads what the other
// end has to tell. The time of a frame is that of the sender, in which the
// kernel also receives it: what a method adds is the difference to "bare".
func BenchmarkOverhead(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		pair(b)
		benchOverhead(b, nil)
	})
	b.Run("empty", func(b *testing.B) {
		pair(b)
		attachEmpty(b, "vb")
		benchOverhead(b, nil)
	})
	for _, choice := range []Choice{OnlyBPF, OnlyRing} {
		b.Run(string(choice), func(b *testing.B) {
			pair(b)
			src, err := OpenSniffer(DefaultLiveConfig("vb"), choice)
			if err != nil {
				b.Fatal(err)
			}
			benchOverhead(b, src)
		})
	}
}

func benchOverhead(b *testing.B, src *Sniffer) {
	s := testkit.NewSender(b, "va")
	s.Bypass(b)
	const flows, burst = 1000, 50
	server := netip.MustParseAddrPort("192.0.2.2:9999")
	var bursts [flows / burst][][]byte
	for f := range flows {
		client := netip.AddrPortFrom(hostA.Addr(), uint16(10_000+f))
		bursts[f/burst] = append(bursts[f/burst], testkit.UDPFrame(client, server, 0))
	}
	read := make(chan uint64, 1)
	if src != nil {
		go func() { read <- readPackets(b, src) }()
	}
	before := processor()
	b.ResetTimer()
	sent := 0
	for i := 0; sent < b.N; i++ {
		s.Send(b, bursts[i%len(bursts)]...)
		sent += burst
	}
	b.StopTimer()
	b.ReportMetric(float64((processor()-before).Nanoseconds())/float64(sent), "cpu-ns/op")
	if src == nil {
		return
	}
	for deadline := time.Now().Add(2 * time.Second); src.Stats()[0].Seen < uint64(sent) && time.Now().Before(deadline); {
	}
	src.Stop()
	got := <-read
	if err := src.Close(); err != nil {
		b.Error(err)
	}
	st := src.Stats()[0]
	if st.Seen != uint64(sent) || got != st.Delivered {
		b.Errorf("%d sent, %d told, stats %+v", sent, got, st)
	}
	b.ReportMetric(100*float64(st.Lost())/float64(sent), "%lost")
}

// readPackets counts the packets that a source tells of until it ends.
func readPackets(tb testing.TB, src Source) (packets uint64) {
	var batch Batch
	defer batch.Release()
	for {
		err := src.Read(&batch)
		if !batch.Heads {
			packets += uint64(len(batch.Packets))
		}
		for i := range batch.Deltas {
			packets += batch.Deltas[i].Packets[0] + batch.Deltas[i].Packets[1]
		}
		if err != nil {
			if src.(*Sniffer).ended.Load() || errors.Is(err, fs.ErrClosed) {
				return packets
			}
			tb.Errorf("read: %v", err)
			return packets
		}
	}
}

// processor is the processor time that this process has used.
func processor() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// attachEmpty attaches a TCX program that does nothing to both directions of an
// interface: the least that any program there costs.
func attachEmpty(tb testing.TB, name string) {
	tb.Helper()
	i, err := net.InterfaceByName(name)
	if err != nil {
		tb.Fatal(err)
	}
	const (
		progLoad, linkCreate = 5, 28 // commands of bpf(2)
		schedCls             = 3     // a kind of program
		ingress, egress      = 46, 47
		next                 = -1 // TCX_NEXT
	)
	var code [16]byte // r0 = TCX_NEXT; exit
	code[0], code[8] = 0xb7, 0x95
	binary.NativeEndian.PutUint32(code[4:], uint32(next&0xffffffff))
	license := [...]byte{'G', 'P', 'L', 0}
	load := struct {
		kind, instructions uint32
		code, license      uint64
		_                  [96]byte
	}{schedCls, 2, uint64(uintptr(unsafe.Pointer(&code))), uint64(uintptr(unsafe.Pointer(&license))), [96]byte{}}
	prog, _, errno := unix.Syscall(unix.SYS_BPF, progLoad, uintptr(unsafe.Pointer(&load)), unsafe.Sizeof(load))
	runtime.KeepAlive(&code)
	runtime.KeepAlive(&license)
	if errno != 0 {
		tb.Fatalf("load an empty program: %v", errno)
	}
	tb.Cleanup(func() { _ = unix.Close(int(prog)) })
	for _, direction := range []uint32{ingress, egress} {
		attr := struct {
			prog, ifindex, kind, flags uint32
			_                          [32]byte
		}{uint32(prog), uint32(i.Index), direction, 0, [32]byte{}}
		link, _, errno := unix.Syscall(unix.SYS_BPF, linkCreate, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
		if errno != 0 {
			tb.Fatalf("attach an empty program: %v", errno)
		}
		tb.Cleanup(func() { _ = unix.Close(int(link)) })
	}
}
