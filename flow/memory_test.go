package flow

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// heldNow is what the heap holds after a collection.
func heldNow() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// residentNow is the process's memory as the kernel sees it.
func residentNow(t *testing.T) uint64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.ParseUint(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmRSS in /proc/self/status")
	return 0
}

// TestMemoryOfFlows holds what a gateway and a factory are promised: all
// memory of a shard with so many answered flows that are alive, after as many
// that ended and are remembered, with a payload of some being parsed and the
// events of four batches outstanding.
func TestMemoryOfFlows(t *testing.T) {
	for _, c := range []struct {
		flows int
		limit uint64
	}{
		{100_000, 64 << 20},
		{1_000_000, 400 << 20},
	} {
		t.Run(fmt.Sprint(c.flows), func(t *testing.T) {
			if c.flows > 100_000 && testing.Short() {
				t.Skip("takes 400 MiB")
			}
			debug.FreeOSMemory()
			heap := heldNow()
			resident := residentNow(t)
			defer debug.SetMemoryLimit(debug.SetMemoryLimit(int64(heap + c.limit)))
			s := newTestShard(t, func(cfg *Config) { cfg.MaxFlows = c.flows })
			up := tcpFrame(t, tcpClient, tcpServer, TCPAck, 1, 1, "some bytes that nobody knows")
			down := tcpFrame(t, tcpServer, tcpClient, TCPAck, 1, 1, "")
			var outstanding [4][]Event
			now := second
			for turn := range 2 { // the flows of the first are remembered
				for i := range c.flows {
					n := uint32(turn*c.flows + i)
					binary.BigEndian.PutUint32(up.Data[ethernetHeader+12:], 0x0a000000+n)
					binary.BigEndian.PutUint32(down.Data[ethernetHeader+16:], 0x0a000000+n)
					s.Packet(up, now, uint64(2*n+1))
					s.Packet(down, now, uint64(2*n+2))
					if i%512 == 0 {
						k := i / 512 % len(outstanding)
						outstanding[k] = append(outstanding[k][:0], s.Events()...)
						s.Reset()
					}
				}
				now += second
			}
			held := heldNow() - heap
			if got := s.Stats().Active; got != uint64(c.flows) {
				t.Fatalf("%d flows are alive", got)
			}
			if held > c.limit {
				t.Errorf("%d MiB held, want at most %d", held>>20, c.limit>>20)
			}
			grown := residentNow(t) - min(resident, residentNow(t))
			if grown > c.limit && !testing.Short() {
				t.Errorf("%d MiB resident, want at most %d", grown>>20, c.limit>>20)
			}
			t.Logf("%d MiB held, %d resident", held>>20, grown>>20)
			runtime.KeepAlive(s)
			runtime.KeepAlive(&outstanding)
		})
	}
}
