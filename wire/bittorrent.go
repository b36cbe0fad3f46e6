package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
)

// BitTorrent is what shows an end of BitTorrent for what it is: the handshake
// with another peer (BEP 3), or the opening of a connection over uTP (BEP 29).
type BitTorrent struct {
	From     Dir
	Kind     string // "handshake" or "utp"
	InfoHash string // of what is shared, hex; "" if it was not named
	PeerID   string // how the client names itself, such as "-TR2940-", in a handshake
}

// Protocol implements Message.
func (*BitTorrent) Protocol() string { return "bittorrent" }

const (
	btHandshake    = "\x13BitTorrent protocol"
	btHandshakeLen = len(btHandshake) + 8 + 20 + 20 // reserved, info hash, peer id
	btPeerPrefix   = 8                              // of the peer id, by convention (BEP 20)
	maxBTKinds     = 32
	maxBTQuiet     = 256
	utpHeaderLen   = 20
	utpSYN         = 0x41 // type 4, version 1
)

var errBTKind = fmt.Errorf("read bittorrent message: %w", ErrNotMine)

// btStream reads the handshake of both ends. What follows are requests and
// pieces.
type btStream struct{ seen [2]bool }

func newBTStream() Stream { return &btStream{} }

// Feed implements Stream.
func (s *btStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	switch {
	case s.seen[dir]:
		return len(b), msgs, nil
	case sniffBTStream(dir, b) == No:
		return 0, msgs, errBTKind
	case len(b) < btHandshakeLen:
		return 0, msgs, nil
	}
	s.seen[dir] = true
	msgs = append(msgs, btHandshakeOf(dir, b))
	if s.seen[dir.Other()] {
		return len(b), msgs, ErrDone
	}
	return len(b), msgs, nil
}

// btHandshakeOf reads a handshake, which is complete.
func btHandshakeOf(dir Dir, b []byte) *BitTorrent {
	rest := b[len(btHandshake)+8:]
	return &BitTorrent{
		From: dir, Kind: "handshake",
		InfoHash: hex.EncodeToString(rest[:20]), PeerID: plainText(rest[20 : 20+btPeerPrefix]),
	}
}

// sniffBTStream recognises the name of the protocol at the head of a handshake.
func sniffBTStream(_ Dir, b []byte) Match {
	n := min(len(b), len(btHandshake))
	switch {
	case string(b[:n]) != btHandshake[:n]:
		return No
	case n < len(btHandshake):
		return Maybe
	}
	return Yes
}

// btFlow follows the hash table, which one port of a client serves for all
// peers, and uTP.
type btFlow struct {
	told  [maxBTKinds]uint64 // hashes of what was told
	count int
	quiet int
}

func newBTFlow() Datagrams { return &btFlow{} }

// Datagram implements Datagrams.
func (f *btFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	h := habit(0).with(uint64(dir))
	switch {
	case sniffDHT(b):
		if d := readDHT(b); f.first(d.kind(h)) {
			return append(msgs, d.message(dir)), nil
		}
	case isUTPSYN(b):
		if f.first(h.with(uint64(utpSYN))) {
			return append(msgs, &BitTorrent{From: dir, Kind: "utp"}), nil
		}
	case len(b) >= utpHeaderLen && b[0]&15 == 1 && b[0]>>4 <= 4: // uTP that goes on
		i := bytes.Index(b[:min(len(b), 64)], []byte(btHandshake))
		if i >= 0 && len(b)-i >= btHandshakeLen && f.first(h.with(uint64(btHandshakeLen))) {
			return append(msgs, btHandshakeOf(dir, b[i:])), nil
		}
	default:
		return msgs, errBTKind
	}
	if f.quiet++; f.quiet > maxBTQuiet {
		return msgs, ErrDone
	}
	return msgs, nil
}

// first reports whether nothing like this was told before.
func (f *btFlow) first(kind habit) bool {
	if f.count == maxBTKinds || slices.Contains(f.told[:f.count], uint64(kind)) {
		return false
	}
	f.told[f.count] = uint64(kind)
	f.count++
	return true
}

// isUTPSYN recognises the opening of a connection over uTP: version 1, a window,
// sequence number 1 and nothing acknowledged; Transmission and libtorrent add
// no extension but that of the bits for extensions (BEP 29).
func isUTPSYN(b []byte) bool {
	if len(b) < utpHeaderLen || b[0] != utpSYN {
		return false
	}
	const extensionBits = 2
	plain := b[1] == 0 && len(b) == utpHeaderLen
	withBits := b[1] == extensionBits && len(b) == utpHeaderLen+2+8 && b[utpHeaderLen] == 0 && b[utpHeaderLen+1] == 8
	return (plain || withBits) && binary.BigEndian.Uint32(b[8:]) == 0 && binary.BigEndian.Uint32(b[12:]) != 0 &&
		binary.BigEndian.Uint16(b[16:]) == 1 && binary.BigEndian.Uint16(b[18:]) == 0
}

// sniffBT recognises both.
func sniffBT(b []byte) bool { return sniffDHT(b) || isUTPSYN(b) }
