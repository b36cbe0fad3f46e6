package wire

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// CoAP is a message of CoAP over UDP (RFC 7252) or TCP (RFC 8323) unlike those
// before it on its flow: what devices ask for repeats itself.
type CoAP struct {
	Code    uint8  // class in the upper three bits: 0.01 GET ... 0.07 iPATCH, 2.xx, 4.xx, 5.xx
	OverTCP bool   // where there are neither types nor message ids
	Type    uint8  // 0 confirmable, 1 not, 2 acknowledgement, 3 reset
	ID      uint16 // message id
	Host    string // Uri-Host
	Path    string // Uri-Path, with a slash before each part, at most 256 bytes
	Query   string // Uri-Query, joined by "&", at most 256 bytes
	Observe int    // of RFC 7641: in a request 0 registers, 1 ends; -1 if absent
	Format  int    // Content-Format, -1 if absent
}

// Protocol implements Message.
func (*CoAP) Protocol() string { return "coap" }

const (
	maxCoAPText  = 256
	maxCoAPKinds = 32 // messages that are told apart on a flow
)

var (
	errCoAPKind = fmt.Errorf("read coap: %w", ErrNotMine)
	errCoAPCut  = fmt.Errorf("read coap options: %w", ErrTruncated)
)

type coapFlow struct {
	seen map[coapKind]struct{}
}

// coapKind is what makes two messages the same to a reader.
type coapKind struct {
	code       uint8
	dir        Dir
	path, host string
}

func newCoAPFlow() Datagrams { return &coapFlow{} }

// leadsCoAP: version 1, confirmable or not, up to eight bytes of token.
func leadsCoAP(first byte) bool { return first>>5 == 2 && first&15 <= 8 }

// sniffCoAP recognises a request that names a resource, with options in order
// that the IANA lists; responses by the request of their flow.
func sniffCoAP(b []byte) bool {
	m, known, err := parseCoAP(b)
	return err == nil && known && m.Code > 0 && m.Code <= 7 && m.Type <= 1 && (m.Path != "" || m.Host != "") &&
		utf8.ValidString(m.Path) && utf8.ValidString(m.Host) &&
		!strings.ContainsFunc(m.Path+m.Host, func(r rune) bool { return r < ' ' })
}

// isCoAP recognises any message on CoAP's port, also a ping or a response,
// which have no options.
func isCoAP(b []byte) bool {
	m, known, err := parseCoAP(b)
	if err == nil && known {
		switch m.Type {
		case 2:
			return m.Code == 0 || m.Code > 7 && coapAssigned(m.Code) // a request is not an acknowledgement
		case 3:
			return m.Code == 0 // a reset says nothing else
		}
		return coapAssigned(m.Code)
	}
	return parseDraftCoAP(b) != nil
}

// coapAssigned tells the codes of requests and responses that the IANA lists:
// a class of three bits and a detail of five.
func coapAssigned(code uint8) bool {
	detail := code & 31
	switch code >> 5 {
	case 0:
		return detail <= 7
	case 2:
		return detail >= 1 && detail <= 5 || detail == 31
	case 4:
		return detail <= 6 || detail == 8 || detail == 9 || detail == 12 || detail == 13 || detail == 15 || detail == 22 || detail == 29
	case 5:
		return detail <= 5 || detail == 8
	}
	return false
}

// Datagram implements Datagrams.
func (f *coapFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	m, known, err := parseCoAP(b)
	if err != nil || !known {
		if old := parseDraftCoAP(b); old != nil {
			m, err = old, nil
		}
	}
	if err != nil {
		return msgs, err
	}
	return f.tell(dir, m, msgs), nil
}

// tell reports a message unlike those before it.
func (f *coapFlow) tell(dir Dir, m *CoAP, msgs []Message) []Message {
	kind := coapKind{m.Code, dir, m.Path, m.Host}
	if _, old := f.seen[kind]; old || m.Code == 0 || len(f.seen) == maxCoAPKinds {
		return msgs
	}
	if f.seen == nil {
		f.seen = make(map[coapKind]struct{})
	}
	f.seen[kind] = struct{}{}
	return append(msgs, m)
}

// parseCoAP reads a message (section 3); known is set if all options are.
func parseCoAP(b []byte) (m *CoAP, known bool, err error) {
	if len(b) < 4 {
		return nil, false, errCoAPCut
	}
	tokens, class := int(b[0]&15), b[1]>>5
	if b[0]>>6 != 1 || tokens > 8 || class == 1 || class == 3 || class > 5 || class == 0 && b[1] > 7 {
		return nil, false, errCoAPKind
	}
	if b[1] == 0 && len(b) != 4 { // an empty message is only its header
		return nil, false, errCoAPKind
	}
	m = &CoAP{Type: b[0] >> 4 & 3, Code: b[1], ID: uint16(b[2])<<8 | uint16(b[3]), Observe: -1, Format: -1}
	c := cursor{b: b[4:]}
	if c.skip(tokens); c.short {
		return nil, false, errCoAPCut
	}
	known, err = m.options(&c)
	if err != nil {
		return nil, false, err
	}
	return m, known, nil
}

// options reads options up to the payload; known is set if all are listed.
func (m *CoAP) options(c *cursor) (known bool, err error) {
	known = true
	for number := 0; len(c.b) > 0; {
		first := c.u8()
		if first == 0xff {
			if len(c.b) == 0 {
				return false, errCoAPKind // a marker without payload
			}
			break
		}
		number += coapExtended(c, int(first>>4))
		value := c.take(coapExtended(c, int(first&15)))
		if c.short {
			return false, errCoAPCut
		}
		known = m.option(number, value) && known
	}
	return known, nil
}

// parseDraftCoAP reads a request for a path as it was before RFC 7252
// (draft-ietf-core-coap-03 to 12), which devices in the field still send: the
// header counts the options, whose numbers are others. It returns nil for
// anything else.
func parseDraftCoAP(b []byte) *CoAP {
	const host, path, query, last = 5, 9, 15, 21
	if len(b) < 5 || b[0]>>6 != 1 || b[1] == 0 || b[1] > 4 || b[0]>>4&3 > 1 {
		return nil
	}
	m := &CoAP{Type: b[0] >> 4 & 3, Code: b[1], ID: uint16(b[2])<<8 | uint16(b[3]), Observe: -1, Format: -1}
	c := cursor{b: b[4:]}
	number := 0
	for range int(b[0] & 15) {
		first := c.u8()
		size := int(first & 15)
		if size == 15 {
			size += int(c.u8())
		}
		number += int(first >> 4)
		value := c.take(size)
		if c.short || number == 0 || number > last {
			return nil
		}
		switch number {
		case host, path, query:
			if !plainASCII(value) {
				return nil
			}
		}
		switch number {
		case host:
			m.Host = text(value, maxCoAPText)
		case path:
			m.Path = addPart(m.Path, "/", "/", value)
		case query:
			m.Query = addPart(m.Query, "", "&", value)
		}
	}
	if len(m.Path) < 2 || len(c.b) > 0 && b[1] == 1 { // a GET has no payload
		return nil
	}
	return m
}

// coapExtended reads the rest of an option delta or length (section 3.1).
func coapExtended(c *cursor, n int) int {
	switch n {
	case 13:
		return 13 + int(c.u8())
	case 14:
		return 269 + int(c.u16())
	case 15:
		c.b, c.short = nil, true
	}
	return n
}

// option reads one option; it reports whether the IANA lists its number.
func (m *CoAP) option(number int, value []byte) bool {
	switch number {
	case 3:
		m.Host = text(value, maxCoAPText)
	case 6:
		m.Observe = coapUint(value)
	case 11:
		m.Path = addPart(m.Path, "/", "/", value)
	case 12:
		m.Format = coapUint(value)
	case 15:
		m.Query = addPart(m.Query, "", "&", value)
	case 1, 4, 5, 7, 8, 9, 13, 14, 16, 17, 19, 20, 21, 23, 27, 28, 31, 35, 39, 60, 252, 258, 292:
	default:
		return false
	}
	return true
}

func addPart(s, first, between string, part []byte) string {
	if s == "" {
		between = first
	}
	return s + text([]byte(between+text(part, maxCoAPText)), maxCoAPText-min(len(s), maxCoAPText))
}

func coapUint(v []byte) int {
	if len(v) > 3 {
		return -1
	}
	n := 0
	for _, c := range v {
		n = n<<8 | int(c)
	}
	return n
}
