package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxDNSQuery bounds a query as the first message of a TCP connection. Even
// with EDNS padding to 468-byte blocks (RFC 8467) queries stay far below.
const maxDNSQuery = 2048

// maxDNSTrailer: Windows DNS servers put the two bytes "MS" behind a zone
// transfer query to tell their peers what they are.
const maxDNSTrailer = 2

var errDNSFrame = fmt.Errorf("read dns length prefix: too short for a header: %w", ErrMalformed)

// dnsStream parses DNS over TCP: messages behind a 2-byte length (RFC 1035
// section 4.2.2).
type dnsStream struct{ *dnsParser }

func (p *dnsParser) newStream() Stream { return dnsStream{p} }

var _ Flusher = dnsStream{}

func (s dnsStream) Feed(_ Dir, b []byte, msgs []Message) (int, []Message, error) {
	n := 0
	for len(b)-n >= 2 {
		size := int(binary.BigEndian.Uint16(b[n:]))
		if size < dnsHeaderLen {
			return n, msgs, errDNSFrame
		}
		if len(b)-n < 2+size {
			break
		}
		m, err := s.dns(b[n+2 : n+2+size])
		if err != nil {
			return n, msgs, framedError(err)
		}
		msgs = append(msgs, m)
		n += 2 + size
	}
	return n, msgs, nil
}

// framedError turns "truncated" into "malformed" for a message whose length
// was given: nothing can follow that would complete it.
func framedError(err error) error {
	if errors.Is(err, ErrTruncated) {
		return fmt.Errorf("dns message shorter than its contents: %w", ErrMalformed)
	}
	return err
}

// Flush reads the beginning of an unfinished message, typically a zone
// transfer larger than what is kept of a connection.
func (s dnsStream) Flush(_ Dir, b []byte, msgs []Message) []Message {
	if len(b) <= 2 {
		return msgs
	}
	m, err := s.dns(b[2:])
	if err != nil {
		return msgs
	}
	if d, ok := m.(*DNS); ok {
		d.Truncated = true
	}
	return append(msgs, m)
}

// sniffDNSStream recognises DNS over TCP by a length prefix, a plausible
// header and a well-formed first question.
func sniffDNSStream(_ Dir, b []byte) Match {
	if len(b) >= 2 && b[0] == 0x16 && b[1] == 3 {
		return No // a TLS handshake record reads like a length of 5,635
	}
	if len(b) < 2 {
		return Maybe
	}
	size := int(binary.BigEndian.Uint16(b))
	if size < dnsHeaderLen+5 { // the shortest question is the root's
		return No
	}
	msg := b[2:min(len(b), 2+size)]
	if len(msg) < dnsHeaderLen {
		return plausibleDNSPrefix(msg, size)
	}
	if maintenance(msg) {
		return sniffDNSMaintenance(msg, size)
	}
	if !plausibleDNSHeader(msg) || !plausibleDNSSize(msg, size) {
		return No
	}
	end, ok := plainQuestionEnd(msg)
	switch {
	case !ok:
		return No
	case end > size:
		return No
	case end > len(msg):
		return Maybe
	case len(msg) == size && !endsDNSMessage(msg, maxDNSTrailer):
		return No
	}
	return Yes
}

// maintenance tells the header of a NOTIFY (RFC 1996) or an UPDATE (RFC 2136):
// one zone, no assigned flags in a request.
func maintenance(b []byte) bool {
	const notify, update = 4, 5
	flags, h := binary.BigEndian.Uint16(b[2:]), dnsHeaderOf(b)
	opcode := flags >> 11 & 15
	return (opcode == notify || opcode == update) && h.questions == 1 && flags&dnsFlagZ == 0 &&
		(flags&dnsFlagResponse != 0 || flags&15 == 0)
}

// sniffDNSMaintenance recognises them by their question, which asks for the SOA
// of the zone, and by entries that end where the message does, if that is there.
func sniffDNSMaintenance(msg []byte, size int) Match {
	end, ok := plainQuestionEnd(msg)
	switch {
	case !ok || end > size && len(msg) == size:
		return No
	case end > len(msg):
		return Maybe
	case binary.BigEndian.Uint16(msg[end-4:]) != dnsTypeSOA:
		return No
	}
	return matchIf(len(msg) < size || endsDNSMessage(msg, 0))
}

// sniffDNSDatagram recognises a complete DNS message with exactly one
// question, which ends where the datagram does.
func sniffDNSDatagram(b []byte) bool {
	if len(b) < dnsHeaderLen+5 || !plausibleDNSHeader(b) {
		return false
	}
	end, ok := plainQuestionEnd(b)
	return ok && end <= len(b) && endsDNSMessage(b, 0)
}

// plausibleDNSPrefix judges a message of which not even the header is there.
func plausibleDNSPrefix(msg []byte, size int) Match {
	if len(msg) >= 4 {
		if opcode := msg[2] >> 3 & 15; opcode != 4 && opcode != 5 && !plausibleDNSFlags(binary.BigEndian.Uint16(msg[2:])) {
			return No
		}
	}
	if len(msg) >= 3 && !plausibleDNSSize(msg, size) {
		return No
	}
	return Maybe
}

func plausibleDNSSize(msg []byte, size int) bool {
	return msg[2]&0x80 != 0 || size <= maxDNSQuery
}

// plausibleDNSFlags accepts standard queries and their responses: opcode 0,
// the reserved bit clear, and an assigned response code below the extended
// ones, which a query does not have.
func plausibleDNSFlags(flags uint16) bool {
	rcode := flags & 15
	if flags>>11&15 != 0 || flags&dnsFlagZ != 0 {
		return false
	}
	if flags&dnsFlagResponse == 0 {
		return rcode == 0
	}
	return rcode <= 10
}

func plausibleDNSHeader(b []byte) bool {
	flags, h := binary.BigEndian.Uint16(b[2:]), dnsHeaderOf(b)
	if !plausibleDNSFlags(flags) || h.questions != 1 {
		return false
	}
	if flags&dnsFlagResponse == 0 {
		// An incremental zone transfer carries one SOA, signatures go last.
		return h.answers == 0 && h.authority <= 1 && h.additional <= 2
	}
	room := 1 + 65535/minDNSRecord
	return h.answers+h.authority+h.additional <= room
}

// plainQuestionEnd walks the labels of the first question, which has nothing
// to be compressed against, and returns where its class ends. Where the bytes
// run out first, the end returned lies beyond them. It reports false for what
// cannot be a question.
func plainQuestionEnd(b []byte) (end int, ok bool) {
	off := dnsHeaderLen
	for off < len(b) && b[off] != 0 {
		if b[off] > 63 || off-dnsHeaderLen > maxDNSName {
			return 0, false
		}
		off += 1 + int(b[off])
	}
	if end = off + 5; end > len(b) {
		return len(b) + 1, true
	}
	qtype, class := binary.BigEndian.Uint16(b[off+1:]), binary.BigEndian.Uint16(b[off+3:])
	// Types above 258 are unassigned but for the meta types from 32768
	// ("TA", "DLV") and private use; classes: IN, CH, HS, NONE, ANY.
	knownType := qtype > 0 && qtype <= 262 || qtype == 32768 || qtype == 32769 || qtype >= 65280
	knownClass := class == 1 || class == 3 || class == 4 || class == 254 || class == 255
	return end, knownType && knownClass && !isNetBIOSName(b[dnsHeaderLen:], qtype)
}

// isNetBIOSName tells a NetBIOS name query (RFC 1002 section 4.2), whose
// format is that of DNS: a first label of 32 bytes, each half a byte of the
// name as a letter from A to P; types 32 and 33. Taken for DNS it would yield
// names that nobody asked the DNS for.
func isNetBIOSName(question []byte, qtype uint16) bool {
	const encoded = 32
	if len(question) <= encoded || question[0] != encoded {
		return false
	}
	if qtype == 32 || qtype == 33 {
		return true
	}
	for _, c := range question[1 : 1+encoded] {
		if c < 'A' || c > 'P' {
			return false
		}
	}
	return true
}

// endsDNSMessage reports whether all entries fit into b and leave no more than
// slack bytes.
func endsDNSMessage(b []byte, slack int) bool {
	end := dnsMessageEnd(b)
	return end >= 0 && len(b)-end <= slack
}

// dnsMessageEnd walks over all entries by their lengths alone and returns
// where the last one ends, -1 where they do not fit.
func dnsMessageEnd(b []byte) int {
	h, off := dnsHeaderOf(b), dnsHeaderLen
	for i := range h.questions + h.answers + h.authority + h.additional {
		if off = skipDNSName(b, off); off < 0 {
			return -1
		}
		if i < h.questions {
			off += 4
			continue
		}
		if off+10 > len(b) {
			return -1
		}
		off += 10 + int(binary.BigEndian.Uint16(b[off+8:]))
	}
	if off > len(b) {
		return -1
	}
	return off
}

func skipDNSName(b []byte, off int) int {
	for off < len(b) {
		switch c := int(b[off]); {
		case c == 0:
			return off + 1
		case c >= 0xc0:
			return off + 2
		case c > 63:
			return -1
		default:
			off += 1 + c
		}
	}
	return -1
}
