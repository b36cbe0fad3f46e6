package capture

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// benchPackets is how many packets a benchmark file holds: some 60 MB, more
// than any processor cache.
const benchPackets = 250_000

// benchSize returns the length of the i-th packet: acknowledgements, messages
// and full segments, 236 bytes on average as in a home's traffic.
func benchSize(i int) int {
	switch i % 8 {
	case 0:
		return 1290
	case 1:
		return 136
	default:
		return 77
	}
}

type packetWriter interface {
	WritePacket(gopacket.CaptureInfo, []byte) error
}

// writeBench writes a benchmark file and returns its path.
func writeBench(b *testing.B, name string, start time.Time) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), name)
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	var out io.Writer = file
	if filepath.Ext(name) == ".gz" {
		packed := gzip.NewWriter(file)
		defer packed.Close()
		out = packed
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	defer func() {
		if err := buffered.Flush(); err != nil {
			b.Fatal(err)
		}
	}()
	var w packetWriter
	if filepath.Ext(name) == ".pcapng" {
		ng, err := pcapgo.NewNgWriter(buffered, layers.LinkTypeEthernet)
		if err != nil {
			b.Fatal(err)
		}
		defer func() {
			if err := ng.Flush(); err != nil {
				b.Fatal(err)
			}
		}()
		w = ng
	} else {
		plain := pcapgo.NewWriter(buffered)
		if err := plain.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
			b.Fatal(err)
		}
		w = plain
	}
	frame := bytes.Repeat([]byte("gatehouse "), 150)
	for i := range benchPackets {
		size := benchSize(i)
		info := gopacket.CaptureInfo{
			Timestamp:     start.Add(time.Duration(i) * time.Millisecond),
			CaptureLength: size,
			Length:        size,
		}
		if err := w.WritePacket(info, frame[:size]); err != nil {
			b.Fatal(err)
		}
	}
	return path
}

var benchStart = time.Unix(1_614_556_800, 0)

// report turns the figures of one file per iteration into those per packet.
func report(b *testing.B, packets int) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets)/float64(b.N), "ns/packet")
}

// readBench reads the files once and returns the number of packets.
func readBench(b *testing.B, names []string, batch *Batch, opts ...Option) int {
	src, err := Open(names, opts...)
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	packets := 0
	for {
		err := src.Read(batch)
		packets += len(batch.Packets)
		if err == io.EOF {
			return packets
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"a.pcap", "a.pcapng", "a.pcap.gz"} {
		path := writeBench(b, name, benchStart)
		b.Run(filepath.Ext(name)[1:], func(b *testing.B) {
			var batch Batch
			b.ReportAllocs()
			for b.Loop() {
				if n := readBench(b, []string{path}, &batch); n != benchPackets {
					b.Fatalf("%d packets", n)
				}
			}
			report(b, benchPackets)
		})
	}
}

func BenchmarkBlockSize(b *testing.B) {
	path := writeBench(b, "a.pcap", benchStart)
	for _, kib := range []int{64, 128, 256, 512, 1024, 4096} {
		b.Run(fmt.Sprint(kib, "KiB"), func(b *testing.B) {
			var batch Batch
			for b.Loop() {
				readBench(b, []string{path}, &batch, WithBlockSize(kib<<10))
			}
			report(b, benchPackets)
		})
	}
}

func BenchmarkMerge(b *testing.B) {
	for _, n := range []int{2, 8} {
		var names []string
		for i := range n {
			names = append(names, writeBench(b, "a.pcap", benchStart.Add(time.Duration(i)*time.Microsecond)))
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var batch Batch
			b.ReportAllocs()
			for b.Loop() {
				if got := readBench(b, names, &batch); got != n*benchPackets {
					b.Fatalf("%d packets", got)
				}
			}
			report(b, n*benchPackets)
		})
	}
}

// BenchmarkPcapgo is gopacket's fastest way to read the files of BenchmarkRead.
func BenchmarkPcapgo(b *testing.B) {
	type zeroCopy interface {
		ZeroCopyReadPacketData() ([]byte, gopacket.CaptureInfo, error)
	}
	for _, name := range []string{"a.pcap", "a.pcapng", "a.pcap.gz"} {
		path := writeBench(b, name, benchStart)
		b.Run(filepath.Ext(name)[1:], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				file, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				var r zeroCopy
				if filepath.Ext(name) == ".pcapng" {
					r, err = pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
				} else {
					r, err = pcapgo.NewReader(bufio.NewReaderSize(file, 1<<20))
				}
				if err != nil {
					b.Fatal(err)
				}
				packets := 0
				for ; err == nil; packets++ {
					_, _, err = r.ZeroCopyReadPacketData()
				}
				if err != io.EOF || packets-1 != benchPackets {
					b.Fatalf("%d packets, %v", packets-1, err)
				}
				file.Close()
			}
			report(b, benchPackets)
		})
	}
}

// given a warm batch
// when a file is read
// then no memory is allocated, however many packets there are
func TestReadDoesNotAllocate(t *testing.T) {
	for _, tt := range []struct {
		name string
		file []byte
	}{
		{"pcap", microPcap().packets(60, make([]uint32, 50_000)...).buf},
		{"pcapng", func() []byte {
			f := newPcapng(le).iface(1, 0)
			for range 50_000 {
				f.enhanced(0, 1, 5, 5, []byte("hello"))
			}
			return f.buf
		}()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, "a", tt.file)
			src, err := Open([]string{path}, WithBlockSize(16<<10))
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			var batch Batch
			for range 4 { // warm up: the number of packets in a block varies a little
				if err := src.Read(&batch); err != nil {
					t.Fatal(err)
				}
			}
			allocs := testing.AllocsPerRun(50, func() {
				if err := src.Read(&batch); err != nil {
					t.Fatal(err)
				}
			})
			if allocs != 0 {
				t.Errorf("%v allocations per batch", allocs)
			}
		})
	}
}
