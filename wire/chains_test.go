package wire

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// certificateBody is the body of a Certificate message with one certificate.
func certificateBody(der []byte) []byte {
	size := []byte{byte(len(der) >> 16), byte(len(der) >> 8), byte(len(der))}
	return append(append([]byte{0, 0, 0}, size...), der...) // the list length is not looked at
}

// TestChainsRemember: what was read once is told again, of the same list only,
// whoever sent it and however the message ended.
func TestChainsRemember(t *testing.T) {
	one, _ := issue(t, leafTemplate(), nil, nil)
	other := leafTemplate()
	other.Subject.CommonName = "other.example"
	two, _ := issue(t, other, nil, nil)
	broken := certificateBody(one[:len(one)-1])
	first, second := certificateBody(one), certificateBody(two)
	both := join(first, second[3:])
	var c chains
	for i, tt := range []struct {
		body            []byte
		fromClient, cut bool
	}{
		{first, false, false},
		{second, false, false},
		{broken, false, false},
		{both, false, false},
		{first, true, true},
		{second, true, false},
		{broken, true, false},
		{both[:len(both)-1], true, true}, // the list is the first again
	} {
		want := (*chains)(nil).parseCertificate(tt.body, tt.fromClient, tt.cut)
		got := c.parseCertificate(tt.body, tt.fromClient, tt.cut)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("message %d (-read anew +remembered):\n%s", i, diff)
		}
	}
	if len(c.known) != 4 {
		t.Errorf("%d chains remembered, want 4", len(c.known))
	}
}

// TestChainsOwnTheirMemory: neither the bytes that a message was read from nor
// its fields are what is remembered.
func TestChainsOwnTheirMemory(t *testing.T) {
	der, _ := issue(t, leafTemplate(), nil, nil)
	body := certificateBody(der)
	var c chains
	want := (*chains)(nil).parseCertificate(body, false, false)
	m := c.parseCertificate(bytes.Clone(body), false, false)
	m.Subject, m.Raw = "changed", nil
	again := bytes.Clone(body)
	m = c.parseCertificate(again, false, false)
	clear(again)
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestChainsBounded(t *testing.T) {
	var c chains
	for i := range 2 * maxChainsKept / chainFields {
		c.parseCertificate(certificateBody(fmt.Appendf(nil, "no certificate %d", i)), false, false)
		if c.size > maxChainsKept || len(c.known)*chainFields > maxChainsKept {
			t.Fatalf("%d chains of %d bytes remembered, at most %d are allowed", len(c.known), c.size, maxChainsKept)
		}
	}
	before := len(c.known)
	c.parseCertificate(certificateBody(make([]byte, maxOneChain+1)), false, false)
	if len(c.known) != before {
		t.Error("an oversized chain was remembered")
	}
}
