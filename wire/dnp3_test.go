package wire

import (
	"errors"
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
	if sniffDNP3Datagram(head) || sniffDNP3(FromClient, head) == Yes {
		t.Error("a flipped bit was not noticed")
	}
	if sniffDNP3(FromClient, join(head, dnp3(0xc4))) != Yes {
		t.Error("the frame behind a damaged one not recognised")
	}
	if sniffDNP3(FromClient, join(head, make([]byte, dnp3MaxFrame))) != No {
		t.Error("start bytes alone are recognised, or waited on for ever")
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
		{
			name: "a message of two segments, and a link frame between them",
			in:   []chunk{client(0x40, 0xc1, 5, crob), {FromServer, dnp3(0x0b)}, client(0x81, crob)},
			want: []Message{&DNP3{Source: 3, Destination: 2, LinkControl: 0x0b}, base(master, 5, func(m *DNP3) {
				m.Objects = []DNP3Object{{Group: 12, Variation: 1, Qualifier: 0x28, Count: 1}, {Group: 12, Variation: 1, Qualifier: 0x28, Count: 1}}
				m.Complete = true
			})},
		},
		{
			name: "a segment was lost",
			in:   []chunk{client(0x40, 0xc1, 5, crob), client(0x82, crob), client(0xc0, 0xc2, 13)},
			want: []Message{
				base(master, 5, func(m *DNP3) {
					m.Objects, m.Truncated = []DNP3Object{{Group: 12, Variation: 1, Qualifier: 0x28, Count: 1}}, true
				}),
				base(master, 13, func(m *DNP3) { m.AppControl, m.Complete = 0xc2, true }),
			},
		},
		{
			name: "a message that never ends", in: []chunk{client(0x40, 0xc1, 13)}, flush: join(5),
			want: []Message{base(master, 13, func(m *DNP3) { m.Truncated = true })},
		},
		{
			name: "a file is opened: the object is behind its size",
			in: []chunk{client(0xc0, 0xc1, 25, 70, 3, 0x5b, 1, 30, 0, 26, 0, 4, 0, make([]byte, 6), 0xff, 1,
				make([]byte, 8), 1, 0, 0, 4, 1, 0, "test")},
			want: []Message{base(master, 25, func(m *DNP3) {
				m.Objects, m.Complete = []DNP3Object{{Group: 70, Variation: 3, Qualifier: 0x5b, Count: 1}}, true
			})},
		},
		{
			name: "points are read by their index",
			in:   []chunk{client(0xc0, 0xc1, 1, 1, 2, 0x17, 2, 7, 9, 60, 1, 6)},
			want: []Message{base(master, 1, func(m *DNP3) {
				m.Objects = []DNP3Object{{Group: 1, Variation: 2, Qualifier: 0x17, Count: 2}, {Group: 60, Variation: 1, Qualifier: 6}}
				m.Complete = true
			})},
		},
		{
			name: "bytes of no frame, then a frame",
			in:   []chunk{client(), {FromClient, join(0xde, 0xad, 5, 0x64, 5, 0xc4, 2, 0, 3, 0, 1, 1, dnp3(master))}},
			want: []Message{
				&DNP3{Source: 3, Destination: 2, LinkControl: master}, &DNP3{Source: 3, Destination: 2, LinkControl: master},
			},
		},
		{
			name: "another protocol takes over", in: []chunk{client(), {FromClient, make([]byte, maxResync+1)}},
			want: []Message{&DNP3{Source: 3, Destination: 2, LinkControl: master}}, err: ErrMalformed,
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

// TestDNP3Datagrams: a datagram holds several frames, and a message is spread
// over datagrams.
func TestDNP3Datagrams(t *testing.T) {
	read := dnp3(0xc4, 0xc0, 0xc1, 1, 60, 2, 6)
	flow := newDNP3Flow()
	msgs, err := flow.Datagram(FromClient, join(dnp3(0xc4), read), nil)
	if err != nil || len(msgs) != 2 {
		t.Errorf("got %v and %v, want two messages", msgs, err)
	}
	if msgs, err = flow.Datagram(FromClient, dnp3(0xc4, 0x41, 0xc1, 1, 60, 2, 6), nil); err != nil || len(msgs) != 0 {
		t.Errorf("first segment: %v and %v", msgs, err)
	}
	if msgs, _ = flow.Datagram(FromClient, dnp3(0xc4, 0x82, 60, 3, 6), nil); len(msgs) != 1 || len(msgs[0].(*DNP3).Objects) != 2 {
		t.Errorf("last segment: %v", msgs)
	}
	if _, err := flow.Datagram(FromClient, []byte("M-SEARCH * HTTP/1.1"), nil); !errors.Is(err, ErrNotMine) {
		t.Errorf("text: %v", err)
	}
	if _, err := flow.Datagram(FromClient, read[:7], nil); !errors.Is(err, ErrTruncated) {
		t.Errorf("cut: %v", err)
	}
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
		flow := &dnp3Flow{}
		msgs, err := flow.Datagram(FromClient, b, nil)
		checkError(t, nil, err)
		if got := flow.Flush(FromClient, nil, msgs); len(got) > 1+len(b)/dnp3Header {
			t.Errorf("%d messages in %d bytes", len(got), len(b))
		}
		// The check sums of a header are hard to guess: give the objects a go.
		(&DNP3{}).application(b)
	})
}

func BenchmarkDNP3(b *testing.B) {
	benchStream(b, newDNP3Stream, dnp3(0xc4, 0xc0, 0xc1, 1, 60, 2, 6))
}
