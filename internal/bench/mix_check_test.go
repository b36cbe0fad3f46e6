package bench

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/capture"
	"gatehouse/internal/testkit"
	"gatehouse/pipeline"
)

// TestMix builds a small benchmark capture twice, and has it analysed: it is
// the same both times, plausible, and full of devices.
func TestMix(t *testing.T) {
	const size = 20_000
	takes, _ := sourcesForTest(t)
	var first, second bytes.Buffer
	for _, out := range []io.Writer{&first, &second} {
		n, err := newMix(takes, size).WriteTo(out)
		if err != nil {
			t.Fatal(err)
		}
		if n != int64(first.Len()) {
			t.Fatalf("WriteTo reports %d bytes, there are %d", n, first.Len())
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two captures of the same takes differ")
	}
	path := filepath.Join(t.TempDir(), "mix.pcap")
	if err := os.WriteFile(path, first.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := capture.Open([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	sum, err := pipeline.Run(t.Context(), src, nil, pipeline.DefaultConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	st := &sum.Flow
	if st.Packets != size || sum.Repaired != 0 || sum.ClockSteps != 0 {
		t.Errorf("%d packets, %d of them at implausible times, %d clock steps; want %d, 0, 0", st.Packets, sum.Repaired, sum.ClockSteps, size)
	}
	if span := sum.Last.Sub(sum.First); span > day || span < day/2 {
		t.Errorf("the capture spans %v, want about a day", span.Round(time.Second))
	}
	if st.Flows < 300 || st.Messages.Of("dns") == 0 || st.Messages.Of("tls") == 0 {
		t.Errorf("%d flows with messages %v: not what a home sends", st.Flows, st.Messages)
	}
	if n := len(sum.Devices); n < 10 || n > devices+20 {
		t.Errorf("%d devices, want at most %d and a few that only routed packets mention", n, devices)
	}
}

// sourcesForTest is a sample of what make bench takes.
func sourcesForTest(tb testing.TB) ([]*take, string) {
	tb.Helper()
	if os.Getenv("GATEHOUSE_CORPUS") == "" {
		return simTakes(tb, 1), "sim"
	}
	return corpusTakes(tb), "corpus"
}

// TestPlay gives one exchange to a device: addresses change, checksums stay
// right where they were right.
func TestPlay(t *testing.T) {
	query := []byte{
		0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 9, 0x08, 0x00, // to the router
		0x45, 0, 0, 30, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 9, 8, 8, 8, 8, // 10.0.0.9 to 8.8.8.8
		0x30, 0x39, 0, 53, 0, 10, 0, 0, 0xca, 0xfe, // UDP 12345 to 53
	}
	answer := []byte{
		0x02, 0, 0, 0, 0, 9, 0x02, 0, 0, 0, 0, 1, 0x08, 0x00,
		0x45, 0, 0, 30, 0, 1, 0, 0, 64, 17, 0, 0, 8, 8, 8, 8, 10, 0, 0, 9,
		0, 53, 0x30, 0x39, 0, 10, 0, 0, 0xbe, 0xef,
	}
	for _, b := range [][]byte{query, answer} {
		binary.BigEndian.PutUint16(b[24:], ^sum(b[14:34]))
		binary.BigEndian.PutUint16(b[40:], ^pseudoSum(b))
	}
	tk := newTake("dns", []testkit.Frame{{Time: 5, Data: query}, {Time: 7, Data: answer}})
	if tk.count != 1 || tk.frames[1].Time != 2 {
		t.Fatalf("%d stations, second frame at %d ns; want 1 and 2", tk.count, tk.frames[1].Time)
	}
	for i, f := range tk.frames {
		b := bytes.Clone(f.Data)
		cast{tk, 40}.play(b)
		device, home, hw := b[26:30], b[30:34], b[6:12]
		if i == 1 {
			device, home, hw = home, device, b[0:6]
		}
		if !bytes.Equal(device, []byte{192, 168, 1, 42}) || !bytes.Equal(home, []byte{8, 8, 8, 8}) {
			t.Errorf("frame %d: device %v, server %v; want 192.168.1.42 and 8.8.8.8", i, device, home)
		}
		if mac(hw) != hardware(40) {
			t.Errorf("frame %d: hardware address %x, want %x", i, hw, hardware(40))
		}
		if s, p := sum(b[14:34]), pseudoSum(b); s != 0xffff || p != 0xffff {
			t.Errorf("frame %d: checksums add up to %04x and %04x, want ffff", i, s, p)
		}
	}
}

// sum is the Internet checksum before its complement (RFC 1071).
func sum(b []byte) uint16 {
	var acc uint32
	for i := 0; i+1 < len(b); i += 2 {
		acc += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for acc > 0xffff {
		acc = acc&0xffff + acc>>16
	}
	return uint16(acc)
}

// pseudoSum is that of an untagged UDP datagram over IPv4 with its pseudo
// header (RFC 768).
func pseudoSum(b []byte) uint16 {
	pseudo := append(bytes.Clone(b[26:34]), 0, protoUDP, b[38], b[39])
	return sum(append(pseudo, b[34:]...))
}
