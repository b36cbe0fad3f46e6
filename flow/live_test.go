package flow

import (
	"testing"

	"gatehouse/capture"
)

// given a frame whose outermost VLAN tag the network interface took off
// when it is decoded
// then that tag counts as if it were still in front of the others
func TestTagBesideFrame(t *testing.T) {
	plain, inner := macs+"08 00"+udp4, macs+"81 00 00 05 08 00"+udp4
	for _, c := range []struct {
		name       string
		frame      string
		vlan, tpid uint16
		want       uint16
	}{
		{"none", plain, 0, 0, 0},
		{"id without a tag", plain, 7, 0, 0},
		{"tag with priority", plain, 0xa007, 0x8100, 7},
		{"service tag", plain, 9, 0x88a8, 9},
		{"priority tag", plain, 0xe000, 0x8100, 0},
		{"tag around another", inner, 7, 0x88a8, 7},
		{"priority tag around another", inner, 0xe000, 0x8100, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h Headers
			p := capture.Packet{Data: unhex(t, c.frame), Link: capture.LinkEthernet, VLAN: c.vlan, TPID: c.tpid}
			if r := h.Decode(&p); r != Accepted {
				t.Fatalf("refused: %v", r)
			}
			if h.VLAN != c.want || describe(&h) != inner4 {
				t.Errorf("VLAN %d, %s; want VLAN %d, %s", h.VLAN, describe(&h), c.want, inner4)
			}
		})
	}
}
