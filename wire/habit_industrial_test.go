package wire

import "testing"

// TestIndustrialHabits: what differs in numbers and measured values alone is
// the same, what is asked for tells messages apart, and what must not go
// unnoticed is never a habit.
func TestIndustrialHabits(t *testing.T) {
	for _, c := range []struct {
		name           string
		a, same, other Habitual
		never          Habitual
	}{
		{
			"S7", &S7{Kind: S7Job, Ref: 1, Function: 4, Items: []S7Item{{DB: 1}}}, &S7{Kind: S7Job, Ref: 2, Function: 4, Items: []S7Item{{DB: 1}}},
			&S7{Kind: S7Job, Function: 4, Items: []S7Item{{DB: 2}}}, &S7{Kind: S7Job, Function: 0x29},
		},
		{"MMS", &MMS{Invoke: 1, Service: 4, Item: "a"}, &MMS{Invoke: 2, Service: 4, Item: "a"}, &MMS{Service: 4, Item: "b"}, &MMS{Service: 41}},
		{
			"EtherNet/IP", &ENIP{CIP: []CIP{{Service: 0x4c, Symbol: "a"}}}, &ENIP{CIP: []CIP{{Service: 0x4c, Symbol: "a"}}},
			&ENIP{CIP: []CIP{{Service: 0x4c, Symbol: "b"}}}, &ENIP{CIP: []CIP{{Service: 7}}},
		},
		{
			"DNP3", &DNP3{Application: true, Function: 1, LinkControl: 0xc4}, &DNP3{Application: true, Function: 1, LinkControl: 0xe4},
			&DNP3{Application: true, Function: 1, LinkControl: 0xc4, Destination: 9}, &DNP3{Application: true, Function: 5},
		},
		{"IEC 104", &IEC104{Type: 1, Cause: 3}, &IEC104{Type: 1, Cause: 3}, &IEC104{Type: 1, Cause: 3, Address: 1}, &IEC104{Type: 45, Cause: 6}},
		{
			"BACnet", &BACnet{PDU: BACnetConfirmed, Service: 12, Invoke: 1}, &BACnet{PDU: BACnetConfirmed, Service: 12, Invoke: 2},
			&BACnet{PDU: BACnetConfirmed, Service: 12, Property: 85}, &BACnet{PDU: BACnetConfirmed, Service: 20},
		},
		{"OPC UA", &OPCUA{Kind: "MSG", Service: 631, Request: 1}, &OPCUA{Kind: "MSG", Service: 631, Request: 2}, &OPCUA{Kind: "MSG", Service: 673}, &OPCUA{Kind: "MSG", Service: 712}},
		{"GOOSE", &GOOSE{Control: "a", Sequence: 1}, &GOOSE{Control: "a", Sequence: 2}, &GOOSE{Control: "b", Sequence: 1}, &GOOSE{Control: "a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.a.Habit(1) == 0 || c.a.Habit(1) != c.same.Habit(1) {
				t.Errorf("%+v and %+v are not the same", c.a, c.same)
			}
			if c.a.Habit(1) == c.other.Habit(1) {
				t.Errorf("%+v and %+v are the same", c.a, c.other)
			}
			if c.never.Habit(1) != 0 {
				t.Errorf("%+v is a habit", c.never)
			}
		})
	}
}
