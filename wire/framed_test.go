package wire

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// streamCase is a connection and what is to be read of it.
type streamCase struct {
	name  string
	in    []chunk
	flush []byte // unfinished bytes of the client, at the end
	want  []Message
	err   error
}

// testStream plays connections at once and byte by byte.
func testStream(t *testing.T, newStream func() Stream, cases []streamCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			checkReuse(t, newStream, slices.Concat(c.in, c.in))
			for _, step := range []int{0, 1} {
				s := newStream()
				got, err := play(t, s, c.in, step)
				if f, ok := s.(Flusher); ok && c.flush != nil {
					got = f.Flush(FromClient, c.flush, got)
				}
				if !errors.Is(err, c.err) {
					t.Errorf("step %d: got error %v, want %v", step, err, c.err)
				}
				if diff := cmp.Diff(c.want, got, equateAddrs, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("step %d: messages differ (-want +got):\n%s", step, diff)
				}
			}
		})
	}
}

// sniffCase is the beginning of a connection.
type sniffCase struct {
	name string
	in   []byte
	want Match
}

func testSniff(t *testing.T, sniff func(Dir, []byte) Match, cases []sniffCase) {
	t.Helper()
	for _, c := range cases {
		if got := sniff(FromClient, c.in); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

// lengthFraming is a toy: a byte with the length of what follows it.
type lengthFraming struct{}

type lengthMessage struct {
	Body string
	Cut  bool
}

func (lengthMessage) Protocol() string { return "length" }

func (lengthFraming) size(b []byte) (int, error) {
	if b[0] == 0 {
		return 0, ErrMalformed
	}
	return 1 + int(b[0]), nil
}

func (lengthFraming) read(_ Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	if string(b[1:]) == "tls" {
		return msgs, ErrUpgrade
	}
	return append(msgs, lengthMessage{string(b[1:]), cut}), nil
}

func TestFramedStream(t *testing.T) {
	client := func(s string) []chunk { return []chunk{{FromClient, []byte(s)}} }
	testStream(t, func() Stream { return &framedStream{framing: lengthFraming{}, head: 4} }, []streamCase{
		{name: "two messages", in: client("\x01a\x02bc"), want: []Message{lengthMessage{"a", false}, lengthMessage{"bc", false}}},
		{name: "a long one is cut and passed over", in: client("\x06abcdef\x01g"), want: []Message{lengthMessage{"abc", true}, lengthMessage{"g", false}}},
		{name: "malformed", in: client("\x01a\x00"), want: []Message{lengthMessage{"a", false}}, err: ErrMalformed},
		{name: "unfinished", in: client("\x01a"), flush: []byte("\x03bc"), want: []Message{lengthMessage{"a", false}, lengthMessage{"bc", true}}},
		{name: "directions do not mix", in: []chunk{{FromClient, []byte("\x02")}, {FromServer, []byte("\x01x")}}, want: []Message{lengthMessage{"x", false}}},
	})
}

// TestFramedStreamUpgrade: the message that leads to another protocol is not
// given to it.
func TestFramedStreamUpgrade(t *testing.T) {
	s := &framedStream{framing: lengthFraming{}, head: 9}
	n, msgs, err := s.Feed(FromClient, []byte("\x01a\x03tls\x16\x03"), nil)
	if n != 6 || len(msgs) != 1 || !errors.Is(err, ErrUpgrade) {
		t.Errorf("consumed %d with %d messages, %v; want 6, 1 and %v", n, len(msgs), err, ErrUpgrade)
	}
}

func TestFramedStreamSkips(t *testing.T) {
	s := &framedStream{framing: lengthFraming{}, head: 4}
	if n, _, err := s.Feed(FromServer, []byte("\x09abcd"), nil); n != 5 || err != nil {
		t.Fatalf("consumed %d, %v", n, err)
	}
	if n := s.Skip(FromServer); n != 5 {
		t.Errorf("skips %d bytes, want 5", n)
	}
	if n := s.Skip(FromServer); n != 0 {
		t.Errorf("skips %d bytes again", n)
	}
	_, msgs, _ := s.Feed(FromServer, []byte("\x01z"), nil)
	if diff := cmp.Diff([]Message{lengthMessage{"z", false}}, msgs); diff != "" {
		t.Errorf("after the skipped bytes (-want +got):\n%s", diff)
	}
}
