package wire

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// OpenVPN is a packet that opens a session, from either end
// (https://openvpn.net/community-docs/openvpn-protocol.html).
type OpenVPN struct {
	From    Dir
	Version uint8  // of the key method: 1, 2, or 3 with a key of the client's own
	Session string // id that the sender has chosen, hex
	// Wrapping is how control packets are protected besides TLS: "none",
	// "tls-auth", "tls-crypt" or "tls-crypt-v2".
	Wrapping string
}

// Protocol implements Message.
func (*OpenVPN) Protocol() string { return "openvpn" }

// Opcodes, in the upper five bits of the first byte; the others are the number
// of the key.
const (
	ovpnClientV1 = 1 // P_CONTROL_HARD_RESET_CLIENT_V1
	ovpnServerV1 = 2
	ovpnClientV2 = 7
	ovpnServerV2 = 8
	ovpnClientV3 = 10
	ovpnWKC      = 11 // P_CONTROL_WKC_V1
)

var errOpenVPNKind = fmt.Errorf("read openvpn packet: %w", ErrNotMine)

// openVPNFlow follows one flow until both ends have opened their session.
type openVPNFlow struct {
	seen  [2]string
	owned bool // the client has a key of its own, which the server answers with
}

func newOpenVPNFlow() Datagrams { return &openVPNFlow{} }

// Datagram implements Datagrams.
func (f *openVPNFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	if len(b) == 0 || b[0]>>3 == 0 || b[0]>>3 > ovpnWKC {
		return msgs, errOpenVPNKind
	}
	m := parseOpenVPN(dir, b)
	if m == nil || f.seen[dir] == m.Session {
		return msgs, nil
	}
	f.seen[dir] = m.Session
	if f.owned = f.owned || m.Version == 3; f.owned {
		m.Wrapping = ovpnCryptV2
	}
	msgs = append(msgs, m)
	if f.seen[dir.Other()] != "" {
		return msgs, ErrDone
	}
	return msgs, nil
}

// parseOpenVPN reads a reset, nil if b is another packet or not OpenVPN.
func parseOpenVPN(dir Dir, b []byte) *OpenVPN {
	const idLen = 8
	if len(b) < 1+idLen || b[0]&7 != 0 { // a session begins with key 0
		return nil
	}
	m := &OpenVPN{From: dir, Version: 2, Session: hex.EncodeToString(b[1 : 1+idLen])}
	rest := b[1+idLen:]
	switch b[0] >> 3 {
	case ovpnClientV1, ovpnServerV1:
		m.Version = 1
	case ovpnClientV2, ovpnServerV2:
	case ovpnClientV3:
		m.Version, m.Wrapping = 3, ovpnCryptV2
		// The client's own key, wrapped for the server, makes the packet long.
		// Its packet id counts up from 1 in the lower half; the upper half is for
		// the negotiation of a stateless start.
		if len(rest) < ovpnCryptLen || binary.BigEndian.Uint16(rest[2:]) != 1 || !plausibleTime(rest) {
			return nil
		}
		return m
	default:
		return nil
	}
	server := b[0]>>3 == ovpnServerV1 || b[0]>>3 == ovpnServerV2
	switch {
	case resetBody(rest, server):
		m.Wrapping = "none"
	case replayHead(rest) && (len(rest) == ovpnCryptLen || server && len(rest) >= ovpnCryptLen):
		m.Wrapping = "tls-crypt"
	case server && earlyHead(rest) && len(rest) >= ovpnCryptLen:
		m.Wrapping = ovpnCryptV2
	case authenticated(rest, server):
		m.Wrapping = "tls-auth"
	default:
		return nil
	}
	return m
}

const (
	ovpnCryptV2 = "tls-crypt-v2"
	// ovpnEarly is in the upper half of the first packet id of both ends where
	// they agree on more than what the resets hold: the client's own key may
	// then come with a later packet.
	ovpnEarly = 0x0f00
)

// ovpnCryptLen is what follows the session id of a client's reset with
// tls-crypt: packet id, time, a tag of 32 bytes, and the encrypted 5 bytes of
// an empty acknowledgement and the first message id.
const ovpnCryptLen = 4 + 4 + 32 + 5

// resetBody tells the body of a reset: acknowledgements, with the session id of
// the peer if there are any, and message id 0.
func resetBody(b []byte, server bool) bool {
	if len(b) == 0 || b[0] > 8 || (b[0] > 0) != server {
		return false
	}
	acks := int(b[0])
	body := 1 + 4*acks
	if acks > 0 {
		body += 8
	}
	return len(b) == body+4 && binary.BigEndian.Uint32(b[body:]) == 0
}

// replayHead tells the protection against replay: the first packet of its
// sender, and a time between 2010 and 2038.
func replayHead(b []byte) bool {
	return len(b) >= 8 && binary.BigEndian.Uint32(b) == 1 && plausibleTime(b)
}

// earlyHead tells the first packet of a server that has such an agreement.
func earlyHead(b []byte) bool {
	return len(b) >= 8 && binary.BigEndian.Uint32(b) == ovpnEarly<<16|1 && plausibleTime(b)
}

// plausibleTime judges the time behind a packet id.
func plausibleTime(b []byte) bool {
	const from, to = 1262304000, 1 << 31
	at := binary.BigEndian.Uint32(b[4:])
	return at >= from && at < to
}

// authenticated tells a reset with tls-auth: an HMAC with MD5, SHA-1 or one of
// SHA-2 before the protection against replay.
func authenticated(b []byte, server bool) bool {
	for _, size := range [...]int{16, 20, 28, 32, 48, 64} {
		if len(b) > size+8 && replayHead(b[size:]) && resetBody(b[size+8:], server) {
			return true
		}
	}
	return false
}

// sniffOpenVPN recognises the reset of either end.
func sniffOpenVPN(b []byte) bool {
	return parseOpenVPN(FromClient, b) != nil
}

// openVPNStream is OpenVPN over TCP, where each packet has its length before
// it.
type openVPNStream struct{ flow openVPNFlow }

const maxOpenVPNHead = 512 // of a packet, which is more than resets take

func newOpenVPNStream() Stream { return &framedStream{framing: &openVPNStream{}, head: maxOpenVPNHead} }

func (*openVPNStream) size(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, nil
	}
	n := int(binary.BigEndian.Uint16(b))
	if n == 0 {
		return 0, errOpenVPNKind
	}
	return 2 + n, nil
}

func (s *openVPNStream) read(dir Dir, b []byte, _ bool, msgs []Message) ([]Message, error) {
	return s.flow.Datagram(dir, b[2:], msgs)
}

// sniffOpenVPNStream recognises a reset with its length before it. Of one that
// holds the client's own key the end is not waited for.
func sniffOpenVPNStream(_ Dir, b []byte) Match {
	const (
		shortest = 14
		longest  = 1 + 8 + 64 + 8 + 1 + 8 + 4*8 + 4
		// The wrapped key: a tag of 32 bytes, 256 of keys, metadata of up to 735,
		// and its length.
		wrapped, longestWrapped = 32 + 256 + 2, 32 + 256 + 735 + 2
		head                    = 1 + 8 + ovpnCryptLen
	)
	switch {
	case len(b) > 0 && b[0] > (head+longestWrapped)>>8:
		return No
	case len(b) < 3:
		return Maybe
	}
	n, need := int(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint16(b))
	ok := n >= shortest && n <= longest
	switch b[2] >> 3 {
	case ovpnClientV1, ovpnServerV1, ovpnClientV2, ovpnServerV2:
	case ovpnClientV3:
		ok, need = n >= head+wrapped && n <= head+longestWrapped, head
	default:
		ok = false
	}
	switch {
	case !ok || b[2]&7 != 0:
		return No
	case len(b) < 2+need:
		return Maybe
	}
	return matchIf(sniffOpenVPN(b[2 : 2+need]))
}
