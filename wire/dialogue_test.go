package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dialogue plays chunks into a fresh stream of a protocol.
type dialogue struct {
	name string
	in   []chunk
	want []Message
	err  error // that ends the stream, nil if none does
}

// playAll plays the cases at once and byte by byte. What Flush makes of the
// rest, server first as nothing can answer any more, belongs to the messages.
func playAll(t *testing.T, newStream func() Stream, cases []dialogue) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, step := range []int{0, 1} {
				got, err := playFlushed(t, newStream(), c.in, step)
				if !errors.Is(err, c.err) {
					t.Errorf("step %d: error %v, want %v", step, err, c.err)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("step %d: messages differ (-want +got):\n%s", step, diff)
				}
			}
		})
	}
}

// playFlushed is play with a Flush of both directions in the end.
func playFlushed(tb testing.TB, s Stream, chunks []chunk, step int) ([]Message, error) {
	tb.Helper()
	rest := &keepRest{Stream: s}
	msgs, err := play(tb, rest, chunks, step)
	if fl, ok := s.(Flusher); ok && err == nil {
		for _, dir := range []Dir{FromClient, FromServer} {
			msgs = fl.Flush(dir, rest.rest[dir], msgs)
		}
	}
	return msgs, err
}

// keepRest remembers what a stream has not consumed.
type keepRest struct {
	Stream
	rest [2][]byte
}

func (k *keepRest) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	n, msgs, err := k.Stream.Feed(dir, b, msgs)
	k.rest[dir] = append([]byte(nil), b[n:]...)
	return n, msgs, err
}

// opening is what a recogniser says to bytes.
type opening struct {
	bytes string
	want  Match
}

func checkSniffs(t *testing.T, sniff func(Dir, []byte) Match, dir Dir, cases []opening) {
	t.Helper()
	for _, c := range cases {
		if got := sniff(dir, []byte(c.bytes)); got != c.want {
			t.Errorf("%q: got %d, want %d", c.bytes, got, c.want)
		}
		for n := range len(c.bytes) {
			if got := sniff(dir, []byte(c.bytes[:n])); got == No && c.want == Yes {
				t.Errorf("%q: No to its first %d bytes", c.bytes, n)
			}
		}
	}
}
