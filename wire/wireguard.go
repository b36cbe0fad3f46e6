package wire

import (
	"encoding/binary"
	"fmt"
)

// WireGuard is one message of a handshake, which takes place every two minutes
// while there is traffic (https://www.wireguard.com/protocol/).
type WireGuard struct {
	From     Dir
	Kind     string // "initiation", "response" or "cookie"
	Sender   uint32 // index that the sender has chosen, 0 with a cookie
	Receiver uint32 // index of the peer, 0 with an initiation
}

// Protocol implements Message.
func (*WireGuard) Protocol() string { return "wireguard" }

// Types and sizes of messages, in bytes.
const (
	wgInitiation = 1
	wgResponse   = 2
	wgCookie     = 3
	wgData       = 4

	wgInitiationLen = 148
	wgResponseLen   = 92
	wgCookieLen     = 64
	wgDataMin       = 32 // header and tag, what a keep-alive consists of
)

var (
	errWGKind = fmt.Errorf("read wireguard message: %w", ErrNotMine)
	errWGCut  = fmt.Errorf("read wireguard message: %w", ErrTruncated)
)

// wireGuardFlow follows the handshakes of one flow.
type wireGuardFlow struct{}

func newWireGuardFlow() Datagrams { return wireGuardFlow{} }

// Datagram implements Datagrams.
func (wireGuardFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	const header = 12 // type, reserved, two indices
	if len(b) < header {
		if len(b) >= 4 && b[0] >= wgInitiation && b[0] <= wgData && b[1]|b[2]|b[3] == 0 {
			return msgs, errWGCut
		}
		return msgs, errWGKind
	}
	m := &WireGuard{From: dir}
	first, second := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	switch binary.LittleEndian.Uint32(b) { // the type, and reserved zeros
	case wgInitiation:
		m.Kind, m.Sender = "initiation", first
	case wgResponse:
		m.Kind, m.Sender, m.Receiver = "response", first, second
	case wgCookie:
		m.Kind, m.Receiver = "cookie", first
	case wgData:
		return msgs, nil
	default:
		return msgs, errWGKind
	}
	return append(msgs, m), nil
}

// isWireGuard recognises a message by its type, its reserved zeros and its
// length; data by its padding to 16 bytes and a counter below 2^40 too.
func isWireGuard(b []byte) bool {
	if len(b) < wgDataMin {
		return false
	}
	switch binary.LittleEndian.Uint32(b) {
	case wgInitiation:
		return len(b) == wgInitiationLen
	case wgResponse:
		return len(b) == wgResponseLen
	case wgCookie:
		return len(b) == wgCookieLen
	case wgData:
		return len(b)%16 == 0 && binary.LittleEndian.Uint32(b[4:]) != 0 && binary.LittleEndian.Uint64(b[8:]) < 1<<40
	}
	return false
}

// sniffWireGuard recognises one by what is random in it as well: an index, and
// 16 bytes of a key, of a nonce, or of what is encrypted.
func sniffWireGuard(b []byte) bool {
	if !isWireGuard(b) || binary.LittleEndian.Uint32(b[4:]) < wgRandom {
		return false
	}
	at := [...]int{wgInitiation: 8, wgResponse: 12, wgCookie: 8, wgData: 16}[b[0]]
	return looksRandom([16]byte(b[at:]))
}

// wgRandom is an index below which one in 65,536 is.
const wgRandom = 1 << 16

// looksRandom reports whether no byte stands in b five times or more, as one does
// in one of a million random blocks: 4,368 ways for each of 256 bytes, each with
// a chance of 2^-40.
func looksRandom(b [16]byte) bool {
	for i, c := range b[:12] {
		same := 1
		for _, other := range b[i+1:] {
			if other == c {
				same++
			}
		}
		if same >= 5 {
			return false
		}
	}
	return true
}
