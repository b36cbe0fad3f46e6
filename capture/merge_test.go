package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seconds lists the times of packets in seconds.
func seconds(packets []Packet) []int64 {
	var out []int64
	for _, p := range packets {
		out = append(out, p.Time/1e9)
	}
	return out
}

func TestMerge(t *testing.T) {
	tests := []struct {
		name  string
		files [][]uint32 // times of the packets of each file
		want  string     // time/file of each packet
	}{
		{"one inside the other", [][]uint32{{1, 4, 9}, {2, 3}}, "1/0 2/1 3/1 4/0 9/0"},
		{"one after the other, named in reverse", [][]uint32{{5, 6}, {3, 4}, {1, 2}}, "1/2 2/2 3/1 4/1 5/0 6/0"},
		{"equal times in the order of the files", [][]uint32{{1, 2, 2, 3}, {1, 2, 3}, {2}}, "1/0 1/1 2/0 2/0 2/1 2/2 3/0 3/1"},
		{"times that go back come when their head is due", [][]uint32{{5, 1, 2, 9}, {3, 6, 8}}, "3/1 5/0 1/0 2/0 6/1 8/1 9/0"},
		{"a file without packets", [][]uint32{{}, {1, 2}, {}}, "1/1 2/1"},
		{"no packets at all", [][]uint32{{}, {}}, ""},
		{"the same file twice", [][]uint32{{0, 1}, {0, 1}}, "0/0 0/1 1/0 1/1"},
	}
	for _, tt := range tests {
		for _, packetSize := range []int{4, 3000} { // the larger need several batches
			t.Run(fmt.Sprint(tt.name, " ", packetSize), func(t *testing.T) {
				var names []string
				for i, times := range tt.files {
					// The link type tells the files apart.
					file := newPcap(le, magicMicros, 2, 4, 65535, 200+uint32(i)).packets(packetSize, times...)
					names = append(names, writeFile(t, "a.pcap", file.buf))
				}
				src, err := Open(names, WithBlockSize(4096))
				if err != nil {
					t.Fatal(err)
				}
				defer src.Close()
				packets, err := readAll(t, src)
				if err != nil {
					t.Fatal(err)
				}
				got := ""
				for _, p := range packets {
					got += fmt.Sprintf(" %d/%d", p.Time/1e9, p.Link-200)
					if iface := src.Interfaces()[p.Iface]; iface.Link != p.Link {
						t.Errorf("packet with link type %d on an interface with %d", p.Link, iface.Link)
					}
					if sec := int64(be.Uint32(p.Data)); sec != p.Time/1e9 || len(p.Data) != packetSize {
						t.Errorf("packet of second %d has the %d bytes of second %d", p.Time/1e9, len(p.Data), sec)
					}
				}
				if want := tt.want; want != "" && got != " "+want || want == "" && got != "" {
					t.Errorf("order%s, want %s", got, tt.want)
				}
				if done, total := src.Progress(); done != total || total == 0 {
					t.Errorf("progress at the end: %d of %d", done, total)
				}
			})
		}
	}
}

func TestMergeInterfaces(t *testing.T) {
	a, b := newPcapng(le), newPcapng(be)
	name := func(f *ngBuilder, name string) []byte { return f.option(optName, []byte(name)) }
	a.iface(1, 0, name(a, "a0")).enhanced(0, 1, 1, 1, []byte{1}).
		iface(113, 0, name(a, "a1")).enhanced(1, 4, 1, 1, []byte{4})
	b.iface(101, 0, name(b, "b0")).iface(1, 0, name(b, "b1")).
		enhanced(1, 2, 1, 1, []byte{2}).enhanced(0, 3, 1, 1, []byte{3})
	src, err := Open([]string{writeFile(t, "a", a.buf), writeFile(t, "b", b.buf)})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	packets, err := readAll(t, src)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range packets {
		got = append(got, fmt.Sprintf("%d %s %s", p.Data[0], src.Interfaces()[p.Iface].Name, p.Link))
	}
	want := []string{"1 a0 Ethernet", "2 b1 Ethernet", "3 b0 raw IP", "4 a1 Linux cooked v1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packet, interface, link (-want +got):\n%s", diff)
	}
	seen := map[Interface]bool{}
	for _, i := range src.Interfaces() {
		if seen[i] {
			t.Errorf("interface %+v is listed twice", i)
		}
		seen[i] = true
	}
}

// given files of which two are damaged
// when they are merged
// then the others are read to their end, and both errors come after that
func TestMergeDamage(t *testing.T) {
	good := writeFile(t, "good", microPcap().packets(60, 1, 3, 5, 7).buf)
	cutOff := writeFile(t, "cut", microPcap().packets(60, 2, 4).buf[:24+76+20])
	first := writeFile(t, "first", microPcap().record(0, 0, 1<<31, 60, nil).buf) // damaged before any packet

	src, err := Open([]string{good, cutOff, first})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	packets, err := readAll(t, src)
	if diff := cmp.Diff([]int64{1, 2, 3, 5, 7}, seconds(packets)); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
	if !errors.Is(err, ErrTruncated) || !errors.Is(err, ErrDamaged) || errors.Is(err, io.EOF) {
		t.Errorf("error %v, want the reasons of both files and no io.EOF", err)
	}

	// One error is not wrapped in a list.
	src, err = Open([]string{good, cutOff})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	_, err = readAll(t, src)
	var format *FormatError
	if ok := errors.As(err, &format); !ok || err != error(format) || format.File != cutOff || format.Offset != 100 {
		t.Errorf("error %v, want the FormatError of %s at 100", err, cutOff)
	}
}

func TestMergeStdin(t *testing.T) {
	file := writeFile(t, "file", microPcap().packets(60, 1, 3, 5).buf)
	stdin := microPcap().packets(60, 2, 3, 4).buf
	src, err := Open([]string{file, "-"}, WithStdin(bytes.NewReader(stdin)))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	packets, err := readAll(t, src)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{1, 2, 3, 3, 4, 5}, seconds(packets)); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
	if _, total := src.Progress(); total != 0 {
		t.Errorf("total %d with a pipe, want 0 for unknown", total)
	}
}

// given many files of which each ends before the next begins
// when they are merged
// then no more than two are in memory at a time
func TestMergeOpensFilesWhenDue(t *testing.T) {
	var names []string
	for i := range uint32(50) {
		names = append(names, writeFile(t, "a", microPcap().packets(60, 10*i, 10*i+9).buf))
	}
	src, err := Open(names)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	m := src.(*merged)
	var b Batch
	packets := 0
	for {
		err := src.Read(&b)
		packets += len(b.Packets)
		active := 0
		for _, s := range m.streams {
			if s.batch.buf != nil {
				active++
			}
		}
		if active+len(m.spare) > 2 {
			t.Fatalf("%d streams and %d spare batches in memory", active, len(m.spare))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if packets != 100 {
		t.Errorf("%d packets, want 100", packets)
	}
}
