package detect

import (
	"fmt"
	"testing"

	"gatehouse/baseline"
)

func TestWords(t *testing.T) {
	w := make(words)
	for _, c := range []struct {
		name, lower, host string
		onInternet        bool
	}{
		{"CDN.Example.co.uk", "cdn.example.co.uk", "cdn.example.co.uk", true},
		{"4.3.2.1.in-addr.arpa", "4.3.2.1.in-addr.arpa", "4.3.2.1.in-addr.arpa", false},
		{"Printer.local", "printer.local", "printer.local", false},
		{`odd\032name.example`, `odd\032name.example`, "", true},
		{"", "", "", false},
	} {
		got := w.of(c.name)
		want := word{
			name: c.lower, entity: baseline.EntityOf(c.lower),
			domain: RegisteredDomain(c.lower), domainEntity: baseline.EntityOf(RegisteredDomain(c.lower)),
			host: c.host, onInternet: c.onInternet,
		}
		if *got != want {
			t.Errorf("%q: %+v, want %+v", c.name, *got, want)
		}
		if w.of(c.name) != got {
			t.Errorf("%q is worked out again", c.name)
		}
	}
	if d := w.of("CDN.Example.co.uk").domain; d != "example.co.uk" {
		t.Errorf("registered domain %q", d)
	}
}

// TestWordsAreBounded: however many names are asked for, memory is not.
func TestWordsAreBounded(t *testing.T) {
	w := make(words)
	for i := range 3 * maxWords {
		if got := w.of(fmt.Sprintf("host%d.example", i)); got.domain == "" {
			t.Fatal("empty")
		}
		if len(w) > maxWords {
			t.Fatalf("%d names", len(w))
		}
	}
}
