package wire

import (
	"slices"
	"testing"
)

func TestTable(t *testing.T) {
	var names []string
	ports := map[uint16]string{}
	for _, row := range Table() {
		names = append(names, row.Name)
		if (row.Sniff == nil) != (row.NewStream == nil) {
			t.Errorf("%s: Sniff and NewStream go together", row.Name)
		}
		datagrams := row.Datagram != nil || row.NewDatagrams != nil
		if !datagrams && row.NewStream == nil && row.Frame == nil && row.Packet == nil {
			t.Errorf("%s: parses nothing", row.Name)
		}
		if (row.Frame == nil) != (row.EtherTypes == nil) || (row.Packet == nil) != (row.IPProtos == nil) {
			t.Errorf("%s: EtherTypes and Frame go together, and IPProtos and Packet", row.Name)
		}
		if row.LeadByte != nil && row.SniffDatagram == nil {
			t.Errorf("%s: LeadByte narrows down what SniffDatagram is asked", row.Name)
		}
		if row.LongLived && row.NewStream == nil {
			t.Errorf("%s: lives long without streams", row.Name)
		}
		if row.Datagram != nil && row.NewDatagrams != nil {
			t.Errorf("%s: Datagram and NewDatagrams exclude each other", row.Name)
		}
		if !datagrams && (row.SniffDatagram != nil || row.UDPPorts != nil) {
			t.Errorf("%s: recognises datagrams that it cannot parse", row.Name)
		}
		for _, port := range row.UDPPorts {
			if other := ports[port]; other != "" {
				t.Errorf("UDP port %d belongs to %s and %s", port, other, row.Name)
			}
			ports[port] = row.Name
		}
	}
	if slices.Sort(names); len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("a name stands twice: %v", names)
	}

	Table()[0].Name = "changed"
	if got := Table()[0].Name; got != "dns" {
		t.Errorf("a caller changed the table: got %q", got)
	}
}

// TestSniffIsExclusive: at most one row says Yes, and a row that has said No
// to a prefix does not say Yes to more.
func TestSniffIsExclusive(t *testing.T) {
	for _, in := range tcpSeeds() {
		for n := range len(in) + 1 {
			checkSniff(t, in[:n])
		}
	}
}

// checkSniff holds the promises of Sniff for one prefix.
func checkSniff(t *testing.T, b []byte) {
	t.Helper()
	var yes []string
	for _, row := range Table() {
		if row.Sniff == nil {
			continue
		}
		switch row.Sniff(FromClient, b) {
		case Yes:
			yes = append(yes, row.Name)
			if len(b) > 0 && row.Sniff(FromClient, b[:len(b)-1]) == No {
				t.Errorf("%s says No to %x and Yes with one byte more", row.Name, b[:len(b)-1])
			}
		case Maybe, No:
		}
	}
	if len(yes) > 1 {
		t.Errorf("%v all say Yes to %x", yes, b)
	}
}
