package flow

import "encoding/binary"

// 802.11 header fields (IEEE 802.11-2020, section 9.2).
const (
	wifiTypeMask    = 0x0c
	wifiData        = 0x08
	wifiSubNoData   = 0x40 // frame control, byte 0
	wifiSubQoS      = 0x80
	wifiToDS        = 0x01 // frame control, byte 1
	wifiFromDS      = 0x02
	wifiProtected   = 0x40
	wifiOrder       = 0x80 // with QoS data: an HT control field is present
	wifiFragMask    = 0x0f
	wifiHeader      = 24
	wifiAMSDU       = 0x80 // QoS control, byte 0
	wifiSubframe    = 14   // DA, SA, length
	radiotapFlagFCS = 0x10
	radiotapFlagPad = 0x20
	radiotapBadFCS  = 0x40
)

// radiotap takes off a radiotap header (https://www.radiotap.org), of which
// only the flags field matters: whether an FCS follows the frame, whether it
// failed, and whether the 802.11 header is padded to 4 bytes.
func (l *link) radiotap(s span) (span, Reason) {
	const hasTSFT, hasFlags, hasMore = 1 << 0, 1 << 1, 1 << 31
	if len(s.b) < 8 {
		return s, TruncatedLink
	}
	if s.b[0] != 0 {
		return s, BadLink
	}
	size := int(binary.LittleEndian.Uint16(s.b[2:]))
	if size < 8 {
		return s, BadLink
	}
	if size > len(s.b) {
		return s, TruncatedLink
	}
	head := s.b[:size]
	present := binary.LittleEndian.Uint32(head[4:])
	fields := 8
	for more := present; more&hasMore != 0; fields += 4 {
		if fields+4 > size {
			return s, BadLink
		}
		more = binary.LittleEndian.Uint32(head[fields:])
	}
	if present&hasTSFT != 0 {
		fields = (fields+7)&^7 + 8
	}
	flags := byte(0)
	if present&hasFlags != 0 {
		if fields >= size {
			return s, BadLink
		}
		flags = head[fields]
	}
	s = s.skip(size)
	if flags&radiotapBadFCS != 0 {
		return s, BadFCS
	}
	if flags&radiotapFlagFCS != 0 {
		s = s.limit(max(s.n-4, 0))
	}
	return l.wifi(s, flags&radiotapFlagPad != 0)
}

// wifi reads an 802.11 data frame that crossed in clear. Of an aggregate
// (A-MSDU) the first subframe is read: all its subframes have the same
// receiver, and a second packet from one frame would break the rule that a
// frame belongs to one flow.
func (l *link) wifi(s span, padded bool) (span, Reason) {
	if len(s.b) < 2 {
		return s, TruncatedLink
	}
	fc0, fc1 := s.b[0], s.b[1]
	if fc0&0x03 != 0 { // protocol version
		return s, BadLink
	}
	if fc0&wifiTypeMask != wifiData || fc0&wifiSubNoData != 0 {
		return s, NonIP
	}
	if fc1&wifiProtected != 0 {
		return s, Encrypted
	}
	size, qos := wifiHeader, 0
	if fc1&(wifiToDS|wifiFromDS) == wifiToDS|wifiFromDS {
		size += 6
	}
	if fc0&wifiSubQoS != 0 {
		qos = size
		size += 2
		if fc1&wifiOrder != 0 {
			size += 4
		}
	}
	if padded {
		size = (size + 3) &^ 3
	}
	if len(s.b) < size {
		return s, TruncatedLink
	}
	if s.b[22]&wifiFragMask != 0 { // a later fragment has no LLC header
		return s, NonIP
	}
	l.wifiAddresses(fc1, s.b)
	aggregate := qos != 0 && s.b[qos]&wifiAMSDU != 0
	s = s.skip(size)
	if !aggregate {
		return l.llc(s, maxTags)
	}
	if len(s.b) < wifiSubframe {
		return s, TruncatedLink
	}
	copy(l.dst[:], s.b[0:6])
	copy(l.src[:], s.b[6:12])
	length := int(binary.BigEndian.Uint16(s.b[12:]))
	return l.llc(s.skip(wifiSubframe).limit(length), maxTags)
}

// wifiAddresses picks source and destination from the address fields, whose
// roles depend on the two DS bits. b holds the whole header.
func (l *link) wifiAddresses(fc1 byte, b []byte) {
	const a1, a2, a3, a4 = 4, 10, 16, 24
	dst, src := a1, a2
	switch fc1 & (wifiToDS | wifiFromDS) {
	case wifiToDS:
		dst, src = a3, a2
	case wifiFromDS:
		dst, src = a1, a3
	case wifiToDS | wifiFromDS:
		dst, src = a3, a4
	}
	copy(l.dst[:], b[dst:dst+6])
	copy(l.src[:], b[src:src+6])
}
