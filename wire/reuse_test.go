package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// checkReuse plays chunks to two streams at once: of one every message is kept,
// of the other every message is given back as soon as it was compared. What was
// in a message that is used again must not show in the next.
func checkReuse(t *testing.T, newStream func() Stream, in []chunk) {
	t.Helper()
	kept, given := newStream(), newStream()
	reuser, ok := given.(Reuser)
	if !ok {
		return
	}
	for _, c := range in {
		for b := c.b; len(b) > 0; {
			n, want, wantErr := kept.Feed(c.dir, b, nil)
			m, got, err := given.Feed(c.dir, b, nil)
			if diff := cmp.Diff(want, got, equateAddrs, cmpopts.EquateEmpty()); diff != "" || n != m || !errors.Is(err, wantErr) {
				t.Fatalf("%d bytes, %v; after messages were given back %d, %v (-kept +given back):\n%s", n, wantErr, m, err, diff)
			}
			if err != nil || n == 0 {
				break
			}
			for _, m := range got {
				reuser.Reuse(m)
			}
			b = b[n:]
		}
	}
}

// TestFreeListIsBounded: who gives back more than is asked for fills nothing.
func TestFreeListIsBounded(t *testing.T) {
	var l freeList[Modbus]
	first := l.get()
	l.put(first)
	if l.get() != first {
		t.Error("what was given back is not used again")
	}
	for range 3 * maxSpares {
		l.put(new(Modbus))
	}
	if len(l.spare) != maxSpares {
		t.Errorf("%d spares, want %d", len(l.spare), maxSpares)
	}
}
