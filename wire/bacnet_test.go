package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bvlc frames a network layer message.
func bvlc(function int, body ...any) []byte {
	b := join(body...)
	return join(0x81, function, 0, 4+len(b), b)
}

// bacnetRead asks for property 85 (present value) of analog input 3.
var bacnetRead = bvlc(10, 1, 4, 0, 5, 17, 12, 0x0c, 0, 0, 0, 3, 0x19, 85)

func TestParseBACnet(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want *BACnet
		err  error
	}{
		{"read", bacnetRead, &BACnet{BVLC: 10, PDU: BACnetConfirmed, Invoke: 17, Service: 12, Object: 3, HasObject: true, Property: 85, HasProperty: true}, nil},
		{
			"write, routed to network 5 from network 6",
			bvlc(10, 1, 0x2c, 0, 5, 1, 9, 0, 6, 1, 8, 255, 2, 5, 18, 15, 0x0c, 0, 0x40, 0, 1, 0x1a, 2, 1, 0x3e),
			&BACnet{BVLC: 10, Destination: 5, Source: 6, PDU: BACnetConfirmed, Invoke: 18, Service: 15, Object: 1<<22 | 1, HasObject: true, Property: 513, HasProperty: true},
			nil,
		},
		{
			"several properties",
			bvlc(10, 1, 4, 2, 0x45, 1, 14, 0x0c, 2, 0, 0, 7, 0x1e, 9, 77, 0x1f),
			&BACnet{BVLC: 10, PDU: BACnetConfirmed, Invoke: 1, Service: 14, Object: 8<<22 | 7, HasObject: true, Property: 77, HasProperty: true},
			nil,
		},
		{
			"i-Am, forwarded",
			bvlc(4, 192, 0, 2, 7, 0xba, 0xc0, 1, 0x20, 255, 255, 0, 255, 0x10, 0, 0xc4, 2, 0, 0, 99, 0x22, 5, 0xc4, 0x91, 3, 0x22, 1, 4),
			&BACnet{BVLC: 4, Destination: 0xffff, PDU: BACnetUnconfirmed, Object: 8<<22 | 99, HasObject: true, Vendor: 260},
			nil,
		},
		{"who-Is", bvlc(11, 1, 0, 0x10, 8), &BACnet{BVLC: 11, PDU: BACnetUnconfirmed, Service: 8}, nil},
		{"done", bvlc(10, 1, 0, 0x20, 17, 15), &BACnet{BVLC: 10, PDU: BACnetSimpleAck, Invoke: 17, Service: 15}, nil},
		{"refused", bvlc(10, 1, 0, 0x50, 17, 15, 0x91, 2, 0x91, 40), &BACnet{BVLC: 10, PDU: BACnetError, Invoke: 17, Service: 15, ErrorClass: 2, ErrorCode: 40, HasError: true}, nil},
		{
			"refused, wrapped", bvlc(10, 1, 0, 0x50, 9, 10, 0x0e, 0x91, 2, 0x92, 1, 1, 0x0f, 0x19, 0),
			&BACnet{BVLC: 10, PDU: BACnetError, Invoke: 9, Service: 10, ErrorClass: 2, ErrorCode: 257, HasError: true}, nil,
		},
		{"refused, cut", bvlc(10, 1, 0, 0x50, 17, 15, 0x91), &BACnet{BVLC: 10, PDU: BACnetError, Invoke: 17, Service: 15}, nil},
		{
			"value of a property", bvlc(10, 1, 0, 0x30, 17, 12, 0x0c, 0, 0, 0, 3, 0x19, 85, 0x3e, 0x44, 0, 0, 0, 0, 0x3f),
			&BACnet{BVLC: 10, PDU: BACnetComplexAck, Invoke: 17, Service: 12, Object: 3, HasObject: true, Property: 85, HasProperty: true}, nil,
		},
		{
			"values of several", bvlc(10, 1, 0, 0x30, 17, 14, 0x0c, 0, 0, 0, 3, 0x1e, 0x29, 85, 0x4e, 0x44, 0, 0, 0, 0, 0x4f, 0x1f),
			&BACnet{BVLC: 10, PDU: BACnetComplexAck, Invoke: 17, Service: 14, Object: 3, HasObject: true, Property: 85, HasProperty: true}, nil,
		},
		{
			"subscription to changes of a value", bvlc(10, 1, 4, 0, 5, 1, 5, 9, 18, 0x1c, 0, 0x40, 0, 1, 0x29, 1),
			&BACnet{BVLC: 10, PDU: BACnetConfirmed, Invoke: 1, Service: 5, Object: 1<<22 | 1, HasObject: true}, nil,
		},
		{
			"change of a value", bvlc(11, 1, 0, 0x10, 2, 9, 1, 0x1c, 2, 0, 4, 0xd2, 0x2c, 0, 0, 0, 3, 0x39, 0),
			&BACnet{BVLC: 11, PDU: BACnetUnconfirmed, Service: 2, Object: 3, HasObject: true}, nil,
		},
		{
			"i-Have, of which the object counts", bvlc(11, 1, 0, 0x10, 1, 0xc4, 2, 0, 4, 0xd2, 0xc4, 0, 0, 0, 3, 0x75, 2, 0, "a"),
			&BACnet{BVLC: 11, PDU: BACnetUnconfirmed, Service: 1, Object: 3, HasObject: true}, nil,
		},
		{
			"an object is created, its type alone", bvlc(10, 1, 4, 0, 5, 1, 10, 0x0e, 9, 0, 0x0f),
			&BACnet{BVLC: 10, PDU: BACnetConfirmed, Invoke: 1, Service: 10}, nil,
		},
		{
			"an object is deleted", bvlc(10, 1, 4, 0, 5, 1, 11, 0xc4, 2, 0x80, 0, 1),
			&BACnet{BVLC: 10, PDU: BACnetConfirmed, Invoke: 1, Service: 11, Object: 10<<22 | 1, HasObject: true}, nil,
		},
		{
			"restart with a password, which is not kept", bvlc(10, 1, 4, 0, 5, 1, 20, 9, 1, 0x1d, 5, 0, "labs"),
			&BACnet{BVLC: 10, PDU: BACnetConfirmed, Invoke: 1, Service: 20}, nil,
		},
		{"aborted", bvlc(10, 1, 0, 0x71, 17, 4), &BACnet{BVLC: 10, PDU: BACnetAbort, Invoke: 17, Reason: 4}, nil},
		{
			"first segment of an answer", bvlc(10, 1, 0, 0x3c, 17, 0, 4, 14, 1, 2),
			&BACnet{BVLC: 10, PDU: BACnetComplexAck, Invoke: 17, Service: 14, Segmented: true}, nil,
		},
		{"who is router to network", bvlc(11, 1, 0x80, 0), &BACnet{BVLC: 11, Network: 1}, nil},
		{"register as foreign device", bvlc(5, 0, 60), &BACnet{BVLC: 5}, nil},
		{"cut in the object", bacnetRead[:14], &BACnet{BVLC: 10, PDU: BACnetConfirmed, Invoke: 17, Service: 12, Truncated: true}, nil},
		{"cut in the network layer", bacnetRead[:5], &BACnet{BVLC: 10, Truncated: true}, nil},
		{"empty", nil, nil, ErrTruncated},
		{"another type", join(0x82, 10, 0, 4), nil, ErrNotMine},
		{"longer than it says", join(bacnetRead, 0), nil, ErrNotMine},
		{"network layer version 2", bvlc(10, 2, 0, 0x10, 8), nil, ErrNotMine},
		{"forwarded without an address", join(0x81, 4, 0, 9, 1, 2, 3, 4, 5), nil, ErrTruncated},
	} {
		m, err := parseBACnet(c.in)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: got error %v, want %v", c.name, err, c.err)
		}
		got, _ := m.(*BACnet)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if sniffBACnet(c.in) != (c.want != nil && !c.want.Truncated) {
			t.Errorf("%s: recognised: %v", c.name, sniffBACnet(c.in))
		}
	}
}

func TestBACnetCommands(t *testing.T) {
	for _, c := range []struct {
		in   BACnet
		want []Command
	}{
		{BACnet{BVLC: 10, PDU: BACnetConfirmed, Service: 20, Destination: 5}, []Command{{"bacnet", 5, 20, "reinitializeDevice", CommandControl}}},
		{BACnet{BVLC: 11, PDU: BACnetUnconfirmed, Service: 8}, []Command{{"bacnet", 0, 0x108, "who-Is", CommandRead}}},
		{BACnet{BVLC: 5}, []Command{{"bacnet", 0, 0xff05, "Register-Foreign-Device", CommandControl}}},
		{BACnet{BVLC: 10, PDU: BACnetSimpleAck, Service: 15}, nil},
	} {
		if diff := cmp.Diff(c.want, c.in.AppendCommands(nil)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.in, diff)
		}
	}
}

func FuzzBACnet(f *testing.F) {
	f.Add(bacnetRead)
	f.Add(bvlc(4, 192, 0, 2, 7, 0xba, 0xc0, 1, 0x20, 255, 255, 0, 255, 0x10, 0, 0xc4, 2, 0, 0, 99, 0x22, 5, 0xc4, 0x91, 3, 0x22, 1, 4))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseBACnet(b)
		checkError(t, m, err)
		if sniffBACnet(b) && err != nil {
			t.Errorf("recognised, but not parsed: %v", err)
		}
	})
}

func BenchmarkBACnet(b *testing.B) { benchDatagram(b, bacnetRead, parseBACnet) }
