package wire

import "fmt"

// EAPOL is one frame of port-based access control (IEEE 802.1X-2020): a device
// that authenticates itself before it is let into the network, by cable or by
// Wi-Fi.
type EAPOL struct {
	Version uint8
	Type    uint8 // 0 EAP packet, 1 start, 2 logoff, 3 key, 4 ASF alert, 5 key agreement of MACsec, 6 to 8 announcements
	// Of an EAP packet (RFC 3748): code 1 request, 2 response, 3 success, 4
	// failure; and the method of requests and responses: 1 identity, 4 MD5, 13
	// TLS, 21 TTLS, 25 PEAP ...
	Code      uint8
	Method    uint8
	Identity  string // of an identity response, at most 256 bytes
	Truncated bool   // the end of the packet was never seen
}

// Protocol implements Message.
func (*EAPOL) Protocol() string { return "eapol" }

var (
	errEAPOLCut  = fmt.Errorf("read eapol: %w", ErrTruncated)
	errEAPOLKind = fmt.Errorf("read eapol: unknown type or version: %w", ErrNotMine)
)

// parseEAPOL parses the payload of an Ethernet frame of type 0x888e.
func parseEAPOL(b []byte) (Message, error) {
	const packet, lastType, identity, request, response = 0, 8, 1, 1, 2
	c := cursor{b: b}
	m := &EAPOL{Version: c.u8(), Type: c.u8()}
	n := int(c.u16())
	if c.short {
		return nil, errEAPOLCut
	}
	if m.Version == 0 || m.Version > 3 || m.Type > lastType {
		return nil, errEAPOLKind
	}
	body := cursor{b: c.upTo(n)}
	m.Truncated = c.short
	if m.Type != packet {
		return m, nil
	}
	m.Code = body.u8()
	body.u8() // identifier
	size := int(body.u16()) - 5
	if m.Code == request || m.Code == response {
		m.Method = body.u8()
		if m.Code == response && m.Method == identity && size > 0 {
			m.Identity = plainText(userBytes(body.upTo(size)))
		}
	}
	m.Truncated = m.Truncated || body.short
	return m, nil
}

// userBytes cuts an account's name at maxUser.
func userBytes(b []byte) []byte { return b[:min(len(b), maxUser)] }
