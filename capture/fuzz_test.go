package capture

import (
	"os"
	"testing"

	"gatehouse/internal/testkit"
)

func FuzzPcap(f *testing.F) {
	frame := []byte{0xde, 0xad, 0xbe, 0xef, 1}
	f.Add(microPcap().packets(60, 1, 2).buf)
	f.Add(newPcap(be, magicNanos, 2, 4, 96, 1).record(1, 2, 5, 60, frame).buf)
	f.Add(newPcap(be, magicModified, 2, 4, 96, 1).record(1, 2, 0, 60, make([]byte, 8)).buf)
	f.Add(newPcap(le, magicMicros, 2, 3, 96, 1).record(1, 2, 60, 5, frame).buf)
	f.Add(append(microPcap().buf, newPcap(be, magicMicros, 2, 4, 96, 1).packets(4, 1).buf...))
	f.Add(gzipped(f, microPcap().packets(60, 1).buf))
	addCorpus(f, "hostile/*.pcap")
	f.Fuzz(fuzzReader)
}

func FuzzPcapng(f *testing.F) {
	frame := []byte{0xde, 0xad, 0xbe, 0xef, 1}
	ng := newPcapng(le)
	f.Add(ng.iface(1, 0, ng.option(optName, []byte("eth0")), ng.option(optTSResol, []byte{0x8a})).
		enhanced(0, 1, 5, 5, frame).block(5, nil).simple(5, frame).obsolete(0, 1, 5, 5, frame).buf)
	f.Add(newPcapng(be).iface(1, 4).section(le, 1, 2).iface(101, 0).enhanced(0, 1<<40, 5, 5, frame).buf)
	addCorpus(f, "protocols/*/*.pcapng")
	f.Fuzz(fuzzReader)
}

// addCorpus seeds f with the small captures of the corpus, if it is there.
func addCorpus(f *testing.F, pattern string) {
	f.Helper()
	for _, path := range testkit.CorpusSeeds(f, pattern) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(data) < 2<<10 {
			f.Add(data)
		}
	}
}

// fuzzReader reads data in two ways that must agree: in small blocks and in
// one. readAll checks every packet.
func fuzzReader(t *testing.T, data []byte) {
	small, smallErr := readAll(t, openBytes(t, data))
	path := writeFile(t, "fuzz", data)
	src, err := Open([]string{path})
	if err != nil {
		if len(small) > 0 || smallErr == nil {
			t.Fatalf("file: %v; pipe: %d packets, %v", err, len(small), smallErr)
		}
		return
	}
	defer src.Close()
	large, largeErr := readAll(t, src)
	if len(small) != len(large) || (smallErr == nil) != (largeErr == nil) {
		t.Fatalf("file: %d packets, %v; pipe: %d packets, %v", len(large), largeErr, len(small), smallErr)
	}
	captured := 0
	for i := range small {
		captured += len(small[i].Data)
		if small[i].Time != large[i].Time || string(small[i].Data) != string(large[i].Data) {
			t.Fatalf("packet %d differs: %+v, %+v", i, small[i], large[i])
		}
	}
	if !isGzip(data) && captured > len(data) {
		t.Fatalf("%d bytes of packets out of %d", captured, len(data))
	}
}
