package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dnp3 frames user data from the master 3 to the outstation 2, with check sums.
func dnp3(control int, data ...any) []byte {
	user := join(data...)
	b := join(5, 0x64, 5+len(user), control, 2, 0, 3, 0)
	crc := dnp3CRC(b)
	b = join(b, int(crc&0xff), int(crc>>8))
	for len(user) > 0 {
		block := user[:min(len(user), 16)]
		user = user[len(block):]
		crc := dnp3CRC(block)
		b = join(b, block, int(crc&0xff), int(crc>>8))
	}
	return b
}

// TestDNP3CheckSum: the check value of CRC-16/DNP in Cook's catalogue.
func TestDNP3CheckSum(t *testing.T) {
	if got := dnp3CRC([]byte("123456789")); got != 0xea82 {
		t.Errorf("got %#04x, want 0xea82", got)
	}
	head := dnp3(0xc4)
	if sniffDNP3(FromClient, head) != Yes {
		t.Error("own frame not recognised")
	}
	head[4] ^= 1
	if sniffDNP3(FromClient, head) != No {
		t.Error("a flipped bit was not noticed")
	}
}

func TestDNP3Stream(t *testing.T) {
	const master, outstation = 0xc4, 0x44
	base := func(link uint8, function uint8, edit func(*DNP3)) *DNP3 {
		m := &DNP3{Source: 3, Destination: 2, LinkControl: link, Application: true, AppControl: 0xc1, Function: function}
		edit(m)
		return m
	}
	client := func(data ...any) chunk { return chunk{FromClient, dnp3(master, data...)} }
	crob := join(12, 1, 0x28, 1, 0, 5, 0, 3, 1, 100, 0, 0, 0, 100, 0, 0, 0, 0) // one relay, index 5: latch on
	damaged := dnp3(master, 0xc0, 0xc1, 1, 60, 2, 6)
	damaged[len(damaged)-1] ^= 1
	testStream(t, newDNP3Stream, []streamCase{
		{
			name: "classes are read",
			in:   []chunk{client(0xc0, 0xc1, 1, 60, 2, 6, 60, 1, 6)},
			want: []Message{base(master, 1, func(m *DNP3) {
				m.Objects, m.Complete = []DNP3Object{{Group: 60, Variation: 2, Qualifier: 6}, {Group: 60, Variation: 1, Qualifier: 6}}, true
			})},
		},
		{
			name: "a relay is operated at once; the frame has two blocks",
			in:   []chunk{client(0xc0, 0xc1, 5, crob)},
			want: []Message{base(master, 5, func(m *DNP3) {
				m.Objects, m.Complete = []DNP3Object{{Group: 12, Variation: 1, Qualifier: 0x28, Count: 1}}, true
			})},
		},
		{
			name: "response with indications and packed inputs",
			in:   []chunk{{FromServer, dnp3(outstation, 0xc0, 0xc1, 0x81, 0x80, 0, 1, 1, 0, 0, 9, 0xff, 3, 30, 2, 0, 0, 0, 1, 7, 0)}},
			want: []Message{base(outstation, 0x81, func(m *DNP3) {
				m.IIN, m.Complete = 0x8000, true
				m.Objects = []DNP3Object{{Group: 1, Variation: 1, Stop: 9, Count: 10}, {Group: 30, Variation: 2, Count: 1}}
			})},
		},
		{
			name: "an object of unknown size ends what can be read",
			in:   []chunk{{FromServer, dnp3(outstation, 0xc0, 0xc1, 0x81, 0, 0, 110, 5, 0, 0, 0, 1, 2, 3, 4, 5)}},
			want: []Message{base(outstation, 0x81, func(m *DNP3) {
				m.Objects = []DNP3Object{{Group: 110, Variation: 5, Count: 1}}
			})},
		},
		{
			name: "link layer alone",
			in:   []chunk{client()},
			want: []Message{&DNP3{Source: 3, Destination: 2, LinkControl: master}},
		},
		{name: "a later segment", in: []chunk{client(0x81, 1, 2, 3)}},
		{
			name: "damaged block", in: []chunk{{FromClient, damaged}},
			want: []Message{&DNP3{Source: 3, Destination: 2, LinkControl: master, Truncated: true}},
		},
		{
			name: "cut in the objects", flush: dnp3(master, 0xc0, 0xc1, 5, crob)[:28],
			want: []Message{base(master, 5, func(m *DNP3) {
				m.Objects, m.Truncated = []DNP3Object{{Group: 12, Variation: 1, Qualifier: 0x28, Count: 1}}, true
			})},
		},
		{name: "no start bytes", in: []chunk{{FromClient, []byte("GET / HTTP/1.1\r\n")}}, err: ErrNotMine},
		{name: "bad check sum", in: []chunk{{FromClient, join(5, 0x64, 5, 0xc0, 1, 0, 2, 0, 0, 0)}}, err: ErrNotMine},
	})
}

func TestDNP3Commands(t *testing.T) {
	in := DNP3{Source: 3, Destination: 2, Application: true, Function: 13}
	want := []Command{{"dnp3", 2, 13, "COLD_RESTART", CommandControl}}
	if diff := cmp.Diff(want, in.AppendCommands(nil)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	in.Function = 0x81
	if got := in.AppendCommands(nil); got != nil {
		t.Errorf("a response is %v", got)
	}
}

func FuzzDNP3(f *testing.F) {
	fuzzSeeds(f, 20000)
	f.Add(join(255, dnp3(0xc4, 0xc0, 0xc1, 1, 60, 2, 6)))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzStream(t, newDNP3Stream, b)
		m, err := parseDNP3Datagram(b)
		checkError(t, m, err)
		// The check sums of a header are hard to guess: give the objects a go.
		(&DNP3{}).application(append([]byte{0xc0}, b...))
	})
}

func BenchmarkDNP3(b *testing.B) {
	benchStream(b, newDNP3Stream, dnp3(0xc4, 0xc0, 0xc1, 1, 60, 2, 6))
}
