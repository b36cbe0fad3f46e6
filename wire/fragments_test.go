package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestFragments(t *testing.T) {
	type part struct {
		off   int
		text  string
		taken bool
	}
	for _, tt := range []struct {
		name  string
		parts []part
		head  string
	}{
		{"nothing", nil, ""},
		{"in order", []part{{0, "abc", true}, {3, "def", true}}, "abcdef"},
		{"reversed", []part{{3, "def", true}, {0, "abc", true}}, "abcdef"},
		{"a hole", []part{{0, "ab", true}, {3, "d", true}}, "ab"},
		{"no beginning", []part{{1, "b", true}}, ""},
		{"the first copy stays", []part{{2, "cd", true}, {0, "XXXXXX", true}}, "XXcdXX"},
		{"twice", []part{{0, "abc", true}, {0, "xyz", true}}, "abc"},
		{"joins two islands", []part{{0, "a", true}, {2, "c", true}, {1, "b", true}, {4, "e", true}}, "abc"},
		{"beyond the limit", []part{{0, "abcdefghijk", false}, {11, "", false}, {-1, "a", false}}, ""},
		{"up to the limit", []part{{0, "abcdefghij", true}, {10, "", true}}, "abcdefghij"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f fragments
			for _, p := range tt.parts {
				if got := f.add(p.off, []byte(p.text), 10); got != p.taken {
					t.Errorf("add %d %q: got %v, want %v", p.off, p.text, got, p.taken)
				}
			}
			if got := string(f.head()); got != tt.head {
				t.Errorf("got %q, want %q", got, tt.head)
			}
		})
	}
}

// TestFragmentsAnyOrder: whatever the order and the overlaps, the message is
// the same.
func TestFragmentsAnyOrder(t *testing.T) {
	want := make([]byte, 500)
	for i := range want {
		want[i] = byte(i * 7)
	}
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var f fragments
		for len(f.head()) < len(want) {
			from := rnd.IntN(len(want))
			to := min(len(want), from+1+rnd.IntN(60))
			if !f.add(from, want[from:to], len(want)) && len(f.have) < maxSpans {
				t.Fatalf("seed %d: refused %d..%d with %d islands", seed, from, to, len(f.have))
			}
			for i := 1; i < len(f.have); i++ {
				if f.have[i-1].to >= f.have[i].from {
					t.Fatalf("seed %d: islands %v touch", seed, f.have)
				}
			}
		}
		if !bytes.Equal(f.head(), want) {
			t.Fatalf("seed %d: the message differs", seed)
		}
	}
}

// TestFragmentsBounded: the islands of a sender who leaves holes everywhere are
// counted.
func TestFragmentsBounded(t *testing.T) {
	var f fragments
	taken := 0
	for i := range 1000 {
		if f.add(2*i, []byte{1}, 1<<20) {
			taken++
		}
	}
	if taken != maxSpans {
		t.Errorf("%d islands kept, want %d", taken, maxSpans)
	}
	if !f.add(1, []byte{1}, 1<<20) {
		t.Error("a part that joins two islands was refused")
	}
}
