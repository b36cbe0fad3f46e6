package detect

import (
	"fmt"
	"net/netip"
	"testing"
)

func addr(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

func TestNames(t *testing.T) {
	n := NewNames()
	n.Learn("a", answer("One.example.com.", addr(1), addr(2)))
	n.Learn("b", answer("two.example.com", addr(1)))
	n.Learn("b", answer("bad name\x1b.example.com", addr(3)))
	n.Learn("b", query("three.example.com", 1))
	mdns := answer("printer.local", addr(4))
	mdns.Proto = "mdns"
	n.Learn("b", mdns)
	for _, tt := range []struct {
		device string
		addr   int
		want   string
	}{
		{"a", 1, "one.example.com"}, // each by the name that it asked for
		{"b", 1, "two.example.com"},
		{"c", 1, "two.example.com"}, // else the last to ask
		{"b", 2, "one.example.com"},
		{"b", 3, ""},
		{"b", 4, ""},
		{"b", 5, ""},
	} {
		if got := n.Lookup(tt.device, addr(tt.addr)); got != tt.want {
			t.Errorf("%s knows %v as %q, want %q", tt.device, addr(tt.addr), got, tt.want)
		}
	}
	mapped := netip.AddrFrom16(addr(1).As16())
	if got := n.Lookup("a", mapped); got != "one.example.com" {
		t.Errorf("mapped into IPv6: %q", got)
	}
	n.Forget("b")
	if got := n.Lookup("b", addr(1)); got != "one.example.com" {
		t.Errorf("after b was forgotten its address is %q, want what a calls it", got)
	}
	for _, e := range n.Entries() {
		if e.Device == "b" {
			t.Errorf("b is forgotten, and yet %+v", e)
		}
	}
}

func TestNamesAreBounded(t *testing.T) {
	n := NewNames()
	var many []netip.Addr
	for i := range 1000 {
		many = append(many, addr(i))
	}
	n.Learn("victim", answer("keep.example.com", addr(1<<20)))
	n.Learn("a", answer("flood.example.com", many...))
	if got := len(n.Entries()); got != 1+maxAnswerAddrs {
		t.Fatalf("an answer of 1,000 addresses fills %d places, want %d", got-1, maxAnswerAddrs)
	}
	for i := range 3*maxNames + 1 { // an odd number: one asker of a pair has been forgotten
		n.put(nameKey{fmt.Sprint("d", i%3), addr(i / 2)}, "x.example.com")
	}
	if len(n.order) != maxNames || len(n.byDevice) != maxNames || len(n.latest) > maxNames {
		t.Errorf("%d keys, %d names, %d addresses, want at most %d", len(n.order), len(n.byDevice), len(n.latest), maxNames)
	}
	for a, d := range n.latest {
		if n.byDevice[nameKey{d, a}] == "" {
			t.Fatalf("the last to ask for %v was %s, who does not know it", a, d)
		}
	}
	for k := range n.byDevice {
		if n.latest[k.addr] == "" {
			t.Fatalf("%s knows %v, and nobody else learns of it", k.device, k.addr)
		}
	}

	// What is restored answers as the original does, and forgets in the same order.
	again := NewNames()
	again.Restore(n.Entries())
	for i := range 100 {
		key := nameKey{"new", addr(1<<21 + i)}
		n.put(key, "y.example.com")
		again.put(key, "y.example.com")
	}
	for i := range 3 * maxNames {
		if x, y := n.Lookup("z", addr(i/2)), again.Lookup("z", addr(i/2)); x != y {
			t.Fatalf("%v: %q, after a restart %q", addr(i/2), x, y)
		}
	}
}
