package wire

import (
	"bytes"
	"encoding/binary"
)

// named are the protocols that are recognised and not read: their flows have a
// name, so that a new one is noticed, and no events of their own. None is
// registered for a TCP port, since nothing is gained by being told that another
// protocol runs there.
func named() []Protocol {
	stream := func(name string, sniff func(Dir, []byte) Match) Protocol {
		return Protocol{Name: name, Sniff: sniff, NewStream: newNamedStream}
	}
	datagrams := func(name string, is func([]byte) bool, ports ...uint16) Protocol {
		return Protocol{Name: name, UDPPorts: ports, SniffAtPort: is, NewDatagrams: newNamedFlow}
	}
	packets := func(name string, number uint8, is func([]byte) bool) Protocol {
		return Protocol{Name: name, IPProtos: []uint8{number}, Packet: func(b []byte) (Message, error) {
			if !is(b) {
				return nil, ErrNotMine
			}
			return nil, nil
		}}
	}
	return []Protocol{
		stream("bgp", sniffBGP),
		stream("cassandra", sniffCassandra),
		stream("clickhouse", sniffClickHouse),
		stream("diameter", sniffDiameter),
		stream("memcached", sniffMemcached),
		stream("pptp", sniffPPTP),
		stream("rsync", sniffRsync),
		stream("stratum", sniffStratum),
		stream("tacacs", sniffTACACS),
		datagrams("hsrp", isHSRP, 1985, 2029),
		datagrams("l2tp", isL2TP, 1701),
		datagrams("nat-pmp", isNATPMP, 5350, 5351),
		datagrams("ptp", isPTP, 319, 320),
		datagrams("rip", isRIP, 520, 521),
		packets("eigrp", 88, isEIGRP),
		packets("ospf", 89, isOSPF),
		packets("pim", 103, isPIM),
		packets("vrrp", 112, isVRRP),
	}
}

// namedStream and namedFlow are parsers of what is not read.
type (
	namedStream struct{}
	namedFlow   struct{}
)

func newNamedStream() Stream  { return namedStream{} }
func newNamedFlow() Datagrams { return namedFlow{} }

// Feed implements Stream.
func (namedStream) Feed(_ Dir, _ []byte, msgs []Message) (int, []Message, error) {
	return 0, msgs, ErrDone
}

// Datagram implements Datagrams.
func (namedFlow) Datagram(_ Dir, _ []byte, msgs []Message) ([]Message, error) {
	return msgs, ErrDone
}

// sniffBGP: a marker of ones, a length and a type (RFC 4271 section 4.1).
func sniffBGP(_ Dir, b []byte) Match {
	const marker, header, largest, lastType = 16, 19, 4096, 5
	for _, c := range b[:min(len(b), marker)] {
		if c != 0xff {
			return No
		}
	}
	if len(b) < header {
		return Maybe
	}
	size := binary.BigEndian.Uint16(b[marker:])
	return matchIf(size >= header && size <= largest && b[marker+2] >= 1 && b[marker+2] <= lastType)
}

// sniffCassandra: what either end of Cassandra's native protocol says first, of
// versions 3 to 5 (its specification, native_protocol_v4.spec section 2).
func sniffCassandra(_ Dir, b []byte) Match {
	const header, answer = 9, 0x80
	const startup, ready, authenticate, options, supported = 1, 2, 3, 5, 6
	if len(b) > 0 && (b[0]&^answer < 3 || b[0]&^answer > 5) || len(b) > 1 && b[1]&^0x1f != 0 {
		return No
	}
	if len(b) < header {
		return Maybe
	}
	size, body := binary.BigEndian.Uint32(b[5:]), b[header:]
	switch op := b[4]; {
	case b[0]&answer == 0 && op == options, b[0]&answer != 0 && op == ready:
		return matchIf(size == 0)
	case b[0]&answer == 0 && op == startup, b[0]&answer != 0 && op == supported:
		if len(body) < 4 {
			return maybeIf(size >= 8)
		}
		return matchIf(size >= 8 && size < 4<<10 && body[0] == 0 && body[1] >= 1 && body[1] < 32 && cassandraOption(body[2:]))
	case b[0]&answer != 0 && op == authenticate:
		if len(body) < 2+4 {
			return maybeIf(size >= 6)
		}
		return matchIf(size < 4<<10 && int(binary.BigEndian.Uint16(body)) == int(size)-2 && plainASCII(body[2:2+4]))
	}
	return No
}

// cassandraOption: the name of an option, as far as it is there.
func cassandraOption(b []byte) bool {
	n := int(binary.BigEndian.Uint16(b))
	for _, c := range b[2:min(len(b), 2+n)] {
		if (c < 'A' || c > 'Z') && c != '_' {
			return false
		}
	}
	return n >= 4 && n < 64
}

// sniffClickHouse: packet 0, the hello of either end, with the name of a client
// or server of ClickHouse.
func sniffClickHouse(_ Dir, b []byte) Match {
	const name = "lickhouse"
	if len(b) > 0 && b[0] != 0 || len(b) > 1 && (b[1] <= byte(len(name)) || b[1] > 64) || len(b) > 2 && b[2]|0x20 != 'c' {
		return No
	}
	if len(b) < 3+len(name) {
		return maybeIf(len(b) < 3 || bytes.EqualFold(b[3:], []byte(name[:len(b)-3])))
	}
	return matchIf(bytes.EqualFold(b[3:3+len(name)], []byte(name)))
}

// sniffDiameter: the messages that a connection begins with, capabilities
// exchange, or is kept alive by, watchdog (RFC 6733 sections 3 and 5).
func sniffDiameter(_ Dir, b []byte) Match {
	const header, capabilities, watchdog, reserved = 20, 257, 280, 0x0f
	if len(b) > 0 && b[0] != 1 || len(b) > 1 && b[1] != 0 || len(b) > 4 && b[4]&reserved != 0 || len(b) > 5 && b[5] != 0 || len(b) > 6 && b[6] != 1 {
		return No
	}
	if len(b) < header {
		return Maybe
	}
	size, command := binary.BigEndian.Uint32(b)&0xffffff, binary.BigEndian.Uint16(b[6:])
	return matchIf(size >= header && size%4 == 0 && (command == capabilities || command == watchdog) &&
		binary.BigEndian.Uint32(b[8:]) == 0) // the application of both is the base protocol
}

// sniffPPTP: a control message with its cookie (RFC 2637 section 2).
func sniffPPTP(_ Dir, b []byte) Match {
	if len(b) > 0 && b[0] != 0 {
		return No
	}
	return prefix(b[min(len(b), 2):], []byte{0, 1, 0x1a, 0x2b, 0x3c, 0x4d})
}

func sniffRsync(_ Dir, b []byte) Match { return prefix(b, []byte("@RSYNCD: ")) }

// sniffTACACS: the header of the first packet of a session (RFC 8907 section
// 4.1): version 12, a type, its number, flags, and a length.
func sniffTACACS(_ Dir, b []byte) Match {
	const header, flags = 12, 0x05
	if len(b) > 0 && b[0]&^1 != 0xc0 || len(b) > 1 && (b[1] < 1 || b[1] > 3) || len(b) > 2 && (b[2] < 1 || b[2] > 2) || len(b) > 3 && b[3]&^flags != 0 {
		return No
	}
	if len(b) < header {
		return Maybe
	}
	size := binary.BigEndian.Uint32(b[8:])
	return matchIf(size > 0 && size < 4<<10 && header+int(size) >= len(b))
}
