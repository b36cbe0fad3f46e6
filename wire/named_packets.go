package wire

import (
	"bytes"
	"encoding/binary"
)

// sniffMemcached: a command that stores something, in text or binary form, or
// what a server answers first.
func sniffMemcached(_ Dir, b []byte) Match {
	if len(b) == 0 {
		return Maybe
	}
	switch b[0] {
	case 0x80, 0x81:
		return sniffMemcachedBinary(b)
	case 's', 'a', 'r', 'p', 'c':
		return sniffMemcachedStore(b)
	case 'S', 'V':
		return sniffMemcachedAnswer(b)
	}
	return No
}

// sniffMemcachedStore: verb, key, and three numbers.
func sniffMemcachedStore(b []byte) Match {
	const longest = 8 + 250 + 64 // verb, key, numbers
	known := No
	for _, verb := range [...]string{"set ", "add ", "replace ", "append ", "prepend ", "cas "} {
		known = max(known, prefix(b, []byte(verb)))
	}
	if known != Yes {
		return known
	}
	line, _, whole := bytes.Cut(b, []byte("\r\n"))
	if len(line) > longest || !plainASCII(bytes.TrimSuffix(line, []byte{'\r'})) {
		return No
	}
	if !whole {
		return Maybe
	}
	words := bytes.Fields(line)
	if len(words) < 5 || len(words) > 7 {
		return No
	}
	for _, number := range words[2:5] {
		for _, c := range bytes.TrimPrefix(number, []byte{'-'}) {
			if !isDigit(c) {
				return No
			}
		}
	}
	return Yes
}

func sniffMemcachedAnswer(b []byte) Match {
	match := No
	for _, head := range [...]string{"STORED\r\n", "STAT pid ", "VERSION 1."} {
		match = max(match, prefix(b, []byte(head)))
	}
	return match
}

// sniffMemcachedBinary: a header whose lengths agree.
func sniffMemcachedBinary(b []byte) Match {
	const header, lastCommand, longestKey, longestExtras, largest = 24, 0x3f, 250, 20, 1 << 20
	if len(b) > 1 && b[1] > lastCommand || len(b) > 2 && b[2] != 0 || len(b) > 3 && b[3] > longestKey ||
		len(b) > 4 && b[4] > longestExtras || len(b) > 5 && b[5] != 0 {
		return No
	}
	if len(b) < header {
		return Maybe
	}
	size := binary.BigEndian.Uint32(b[8:])
	return matchIf(size <= largest && int(size) >= int(b[3])+int(b[4]) && b[6] == 0)
}

// isHSRP: version 0, whose fields are fixed (RFC 2281 section 5.1), or version
// 2, whose first element is the state of a group.
func isHSRP(b []byte) bool {
	const size0, lastOp, lastState, advertisement = 20, 2, 16, 16
	switch {
	case len(b) >= size0 && b[0] == 0 && b[1] <= lastOp && b[2] <= lastState && b[7] == 0:
		// Each state has a bit; a router says hello more often than it is waited for.
		return b[2]&(b[2]-1) == 0 && b[3] > 0 && b[4] > b[3]
	case len(b) >= advertisement && string(b[:6]) == "\x00\x03\x00\x01\x00\x0a": // of groups, with its length
		return true
	}
	return len(b) >= 42 && b[0] == 1 && b[1] == 40 && b[2] == 2
}

// isL2TP: version 2 of control messages, whose length is given, or of data
// (RFC 2661 section 3.1), or version 3 over UDP (RFC 3931 section 4.1.2).
func isL2TP(b []byte) bool {
	const header, control, hasLength, sequence, offset, reserved = 6, 0x80, 0x40, 0x08, 0x02, 0x34
	if len(b) < header || b[0]&reserved != 0 || b[1]&^0x0f != 0 || b[1] != 2 && b[1] != 3 {
		return false
	}
	if b[0]&control != 0 {
		return b[0] == control|hasLength|sequence && int(binary.BigEndian.Uint16(b[2:])) == len(b)
	}
	if b[1] == 3 { // reserved bits, and a session
		return b[0]|b[2]|b[3] == 0 && len(b) >= 8 && binary.BigEndian.Uint32(b[4:]) != 0
	}
	c := cursor{b: b[2:]}
	if b[0]&hasLength != 0 && int(c.u16()) > len(b) {
		return false
	}
	tunnel, session := c.u16(), c.u16()
	if b[0]&sequence != 0 {
		c.skip(4)
	}
	if b[0]&offset != 0 {
		c.skip(int(c.u16()))
	}
	return tunnel != 0 && session != 0 && !c.short && isPPP(c.b)
}

// isPPP tells a frame by its address and control field, or by the protocol, of
// which the last bit is set and those of all bytes before it are not (RFC 1661
// section 2): that of IP, or one of those that set a link up.
func isPPP(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	switch protocol := binary.BigEndian.Uint16(b); protocol {
	case 0xff03, 0x0021, 0x0057, 0x00fd, 0x8021, 0x8057, 0x80fd, 0xc021, 0xc023, 0xc025, 0xc223, 0xc227:
		return true
	}
	return b[0] == 0x21 || b[0] == 0x57 // compressed to one byte
}

// isNATPMP: a request for a mapping of a port by NAT-PMP, an answer or an
// announcement, by their lengths (RFC 6886 section 3), or one of PCP, which took
// its place (RFC 6887 section 7).
func isNATPMP(b []byte) bool {
	const address, mapTCP, answer, pcpHeader, pcpLargest, pcpLast = 0, 2, 0x80, 24, 1100, 2
	switch {
	case len(b) < 2:
		return false
	case b[0] == 2:
		return len(b) >= pcpHeader && len(b) <= pcpLargest && len(b)%4 == 0 && b[1]&^answer <= pcpLast && b[2] == 0
	case b[0] != 0 || b[1]&^answer > mapTCP:
		return false
	}
	want := 2
	switch {
	case b[1] == answer|address:
		want = 12
	case b[1]&answer != 0:
		want = 16
	case b[1] != address:
		want = 12
	}
	return len(b) == want
}

// isPTP: a message of IEEE 1588 version 2, whose length is given, or of version
// 1, whose second half of a word is the network.
func isPTP(b []byte) bool {
	const header2, header1 = 34, 40
	if len(b) >= header2 && b[1]&0x0f == 2 {
		size := int(binary.BigEndian.Uint16(b[2:]))
		return size >= header2 && size <= len(b)
	}
	return len(b) >= header1 && binary.BigEndian.Uint16(b) == 1 && binary.BigEndian.Uint16(b[2:]) == 1
}

// isRIP: a request or a response, and whole entries (RFC 2453 section 4, RFC
// 2080 section 2).
func isRIP(b []byte) bool {
	const header, entry, request, response = 4, 20, 1, 2
	return len(b) >= header+entry && (b[0] == request || b[0] == response) && (b[1] == 1 || b[1] == 2) &&
		b[2] == 0 && b[3] == 0 && (len(b)-header)%entry == 0
}

// isEIGRP: version 2 and an operation (RFC 7868 section 6.2).
func isEIGRP(b []byte) bool {
	const header, lastOp = 20, 11
	return len(b) >= header && b[0] == 2 && b[1] >= 1 && b[1] <= lastOp
}

// isOSPF: version 2 or 3, a type, and a length (RFC 2328 section A.3.1, RFC
// 5340 section A.3.1).
func isOSPF(b []byte) bool {
	const header, lastType = 16, 5
	return len(b) >= header && (b[0] == 2 || b[0] == 3) && b[1] >= 1 && b[1] <= lastType &&
		binary.BigEndian.Uint16(b[2:]) >= header
}

// isPIM: version 2 and a type (RFC 7761 section 4.9).
func isPIM(b []byte) bool { return len(b) >= 4 && b[0]>>4 == 2 && b[0]&0x0f <= 13 }

// isVRRP: version 2 or 3 and an advertisement (RFC 3768, RFC 9568 section 5).
func isVRRP(b []byte) bool { return len(b) >= 8 && (b[0] == 0x21 || b[0] == 0x31) }
