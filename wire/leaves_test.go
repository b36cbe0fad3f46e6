package wire

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// certificateBody is the body of a Certificate message with one certificate.
func certificateBody(der []byte) []byte {
	size := []byte{byte(len(der) >> 16), byte(len(der) >> 8), byte(len(der))}
	return append(append([]byte{0, 0, 0}, size...), der...) // the list length is not looked at
}

// TestLeavesRemember: what was read once is told again, of the same leaf only,
// whoever sent it and however the message ended.
func TestLeavesRemember(t *testing.T) {
	one, _ := issue(t, leafTemplate(), nil, nil)
	other := leafTemplate()
	other.Subject.CommonName = "other.example"
	two, _ := issue(t, other, nil, nil)
	broken := certificateBody(one[:len(one)-1])
	first, second := certificateBody(one), certificateBody(two)
	var l leaves
	for i, tt := range []struct {
		body            []byte
		fromClient, cut bool
	}{
		{first, false, false},
		{second, false, false},
		{broken, false, false},
		{first, true, true},
		{second, true, false},
		{broken, true, false},
	} {
		want := (*leaves)(nil).parseCertificate(tt.body, tt.fromClient, tt.cut)
		got := l.parseCertificate(tt.body, tt.fromClient, tt.cut)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("message %d (-read anew +remembered):\n%s", i, diff)
		}
	}
	if len(l.known) != 3 {
		t.Errorf("%d leaves remembered, want 3", len(l.known))
	}
}

func TestLeavesBounded(t *testing.T) {
	var l leaves
	for i := range 3 * maxLeaves {
		l.parseCertificate(certificateBody(fmt.Appendf(nil, "no certificate %d", i)), false, false)
		if len(l.known) > maxLeaves {
			t.Fatalf("%d leaves remembered, at most %d are allowed", len(l.known), maxLeaves)
		}
	}
	before := len(l.known)
	l.parseCertificate(certificateBody(make([]byte, maxLeafBytes+1)), false, false)
	if len(l.known) != before {
		t.Error("an oversized leaf was remembered")
	}
}
