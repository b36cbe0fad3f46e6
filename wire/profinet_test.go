package wire

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dcp is a message with blocks.
func dcp(frame, service, kind int, blocks ...any) []byte {
	b := join(blocks...)
	return join(0xfe, frame, service, kind, 0, 0, 0, 9, 0, 1, 0, len(b), b)
}

func TestParseDCP(t *testing.T) {
	addr := netip.MustParseAddr
	setAddress := dcp(0xfd, 4, 0, 1, 2, 0, 14, 0, 1, 192, 0, 2, 7, 255, 255, 255, 0, 192, 0, 2, 1)
	for _, c := range []struct {
		name string
		in   []byte
		want *DCP
		err  error
	}{
		{
			"identify by name", dcp(0xfe, 5, 0, 2, 2, 0, 5, "pn-io", 0), // padded
			&DCP{Service: 5, XID: 9, Station: "pn-io"}, nil,
		},
		{
			"identified", dcp(0xff, 5, 1, 2, 2, 0, 7, 0, 0, "pn-io", 0, 2, 3, 0, 6, 0, 0, 0, 0x2a, 1, 13, 2, 4, 0, 4, 0, 0, 2, 0),
			&DCP{Service: 5, Response: true, OK: true, XID: 9, Station: "pn-io", VendorID: 0x2a, DeviceID: 0x10d, Role: 2}, nil,
		},
		{"an address is set", setAddress, &DCP{
			Service: 4, XID: 9, Addr: addr("192.0.2.7"), Mask: addr("255.255.255.0"), Gateway: addr("192.0.2.1"),
		}, nil},
		{"reset", dcp(0xfd, 4, 0, 5, 6, 0, 2, 0, 4), &DCP{Service: 4, XID: 9, Control: 6}, nil},
		{"done", dcp(0xfd, 4, 1, 5, 4, 0, 3, 5, 6, 0, 0), &DCP{Service: 4, Response: true, OK: true, XID: 9}, nil},
		{"not supported", dcp(0xfd, 4, 5), &DCP{Service: 4, Response: true, XID: 9}, nil},
		{"get", dcp(0xfd, 3, 0, 2, 2, 1, 2), &DCP{Service: 3, XID: 9}, nil},
		{"cut in a name", dcp(0xfe, 5, 0, 2, 2, 0, 5, "pn-io", 0)[:18], &DCP{Service: 5, XID: 9, Station: "pn", Truncated: true}, nil},
		{"cyclic data", join(0xc0, 0, make([]byte, 40)), nil, ErrNotMine},
		{"unknown service", dcp(0xfd, 9, 0), nil, ErrNotMine},
		{"empty", nil, nil, ErrTruncated},
		{"cut in the header", setAddress[:9], nil, ErrTruncated},
	} {
		m, err := parseDCP(c.in)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: got error %v, want %v", c.name, err, c.err)
		}
		got, _ := m.(*DCP)
		if diff := cmp.Diff(c.want, got, equateAddrs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	m, _ := parseDCP(setAddress)
	want := []Command{{"profinet_dcp", 0, 4, "set", CommandControl}}
	if diff := cmp.Diff(want, m.(*DCP).AppendCommands(nil)); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

var gooseMembers = join(
	0x80, 9, "LD0$GO$g1", 0x81, 2, 0x07, 0xd0, 0x82, 6, "LD0$ds", 0x83, 2, "g1",
	0x84, 8, make([]byte, 8), 0x85, 1, 3, 0x86, 1, 0, 0x87, 1, 0, 0x88, 1, 1, 0x8a, 1, 1,
	0xab, 3, 0x83, 1, 1)

var goosePDU = join(0, 1, 0, 10+len(gooseMembers), 0, 0, 0, 0, // application 1, length
	0x61, len(gooseMembers), gooseMembers)

func TestParseGOOSE(t *testing.T) {
	want := GOOSE{AppID: 1, Control: "LD0$GO$g1", TTL: 2000, DataSet: "LD0$ds", ID: "g1", State: 3, Config: 1, Entries: 1}
	simulated := want
	simulated.Simulation = true
	cut := GOOSE{AppID: 1, Control: "LD0$GO$g1", TTL: 2000, Truncated: true}
	marked := append([]byte(nil), goosePDU...)
	marked[4] = 0x80
	for _, c := range []struct {
		name string
		in   []byte
		want *GOOSE
		err  error
	}{
		{"change of state", goosePDU, &want, nil},
		{"padded to the Ethernet minimum", join(goosePDU, 0, 0, 0), &want, nil},
		{"simulated", marked, &simulated, nil},
		{"cut in the data set", goosePDU[:29], &cut, nil},
		{"management", join(0, 1, 0, 12, 0, 0, 0, 0, 0x62, 2, 0x80, 0), nil, ErrNotMine},
		{"empty", nil, nil, ErrTruncated},
		{"length below the header's", join(0, 1, 0, 7, 0, 0, 0, 0, 0x61, 0), nil, ErrMalformed},
	} {
		m, err := new(memory).parseGOOSE(c.in)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: got error %v, want %v", c.name, err, c.err)
		}
		got, _ := m.(*GOOSE)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func FuzzProfinetAndGOOSE(f *testing.F) {
	f.Add(dcp(0xfe, 5, 0, 2, 2, 0, 5, "pn-io", 0))
	f.Add(goosePDU)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseDCP(b)
		checkError(t, m, err)
		m, err = new(memory).parseGOOSE(b)
		checkError(t, m, err)
	})
}

func BenchmarkGOOSE(b *testing.B) { benchDatagram(b, goosePDU, new(memory).parseGOOSE) }
