package flow

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
)

// CommunityID returns the flow's Community ID, version 1 with seed 0
// (https://github.com/corelight/community-id-spec): the same string in every
// tool that saw the flow, "1:" and 28 characters.
func CommunityID(r *Record) string {
	var src, dst [16]byte
	size := 16
	if r.Client.Addr.Is4() {
		size = 4
		a, b := r.Client.Addr.As4(), r.Server.Addr.As4()
		copy(src[:], a[:])
		copy(dst[:], b[:])
	} else {
		src, dst = r.Client.Addr.As16(), r.Server.Addr.As16()
	}
	sport, dport, hasPorts, oneWay := communityPorts(r)
	if c := compareAddr(&src, &dst); !oneWay && (c > 0 || (c == 0 && sport > dport)) {
		src, dst, sport, dport = dst, src, dport, sport
	}
	var room [2 + 16 + 16 + 2 + 4]byte
	b := append(room[:0], 0, 0) // seed
	b = append(b, src[:size]...)
	b = append(b, dst[:size]...)
	b = append(b, r.Proto, 0)
	if hasPorts {
		b = binary.BigEndian.AppendUint16(b, sport)
		b = binary.BigEndian.AppendUint16(b, dport)
	}
	sum := sha1.Sum(b) // prescribed by the specification; nothing is protected by it
	return "1:" + base64.StdEncoding.EncodeToString(sum[:])
}

// communityPorts returns what takes the place of ports. An ICMP message
// without counterpart is one-way: its ends are not put in order.
func communityPorts(r *Record) (src, dst uint16, hasPorts, oneWay bool) {
	switch r.Proto {
	case protoTCP, protoUDP, protoSCTP:
		return r.Client.Port, r.Server.Port, true, false
	case protoICMP, protoICMPv6:
		if reply, ok := icmpCounterpart(r.Proto, r.ICMPType); ok {
			return uint16(r.ICMPType), uint16(reply), true, false
		}
		return uint16(r.ICMPType), uint16(r.ICMPCode), true, true
	default:
		return 0, 0, false, false
	}
}
