package wire

import "encoding/binary"

// classicSTUN recognises a message of STUN before it had a cookie (RFC 3489),
// as old phones and cameras send it: a binding or a shared secret, of the
// length that it says, which holds attributes of that RFC and nothing else.
func classicSTUN(b []byte) bool {
	if len(b) <= stunHeaderLen || len(b) != stunHeaderLen+int(binary.BigEndian.Uint16(b[2:])) {
		return false
	}
	switch binary.BigEndian.Uint16(b) {
	case 0x0001, 0x0101, 0x0111, 0x0002, 0x0102, 0x0112:
	default:
		return false
	}
	c := cursor{b: b[stunHeaderLen:]}
	for len(c.b) > 0 {
		kind, value := c.u16(), c.take(int(c.u16()))
		if c.short || !classicAttribute(kind, value) {
			return false
		}
	}
	return true
}

// classicAttribute judges an attribute (RFC 3489 section 11.2).
func classicAttribute(kind uint16, value []byte) bool {
	const changeIPAndPort = 6
	switch kind {
	case 1, 2, 4, 5, 11, 0x8020, 0x8023: // addresses, IPv4 alone; 0x8020 is Microsoft's, mixed with the id
		return len(value) == 8 && value[1] == 1
	case 3: // CHANGE-REQUEST
		return len(value) == 4 && binary.BigEndian.Uint32(value)&^changeIPAndPort == 0
	case 6, 7, 0x8022: // user, password, software
		return len(value)%4 == 0
	case stunIntegrity:
		return len(value) == 20
	case stunErrorCode:
		return len(value) >= 4 && value[0] == 0 && value[1] == 0 && value[2] >= 3 && value[2] <= 6 && value[3] < 100
	}
	return false
}
