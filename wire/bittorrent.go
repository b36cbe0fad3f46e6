package wire

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
)

// BitTorrent is what shows an end of BitTorrent for what it is: the handshake
// with another peer (BEP 3), the opening of a connection over uTP (BEP 29), what
// a tracker is asked for over UDP (BEP 15), or the search for peers in the own
// network (BEP 14).
type BitTorrent struct {
	From     Dir
	Kind     string // "handshake", "utp", "tracker" or "local_search"
	InfoHash string // of what is shared, hex; "" if it was not named
	PeerID   string // how the client names itself, such as "-TR2940-", to peers and trackers
}

// Protocol implements Message.
func (*BitTorrent) Protocol() string { return "bittorrent" }

const (
	btHandshake    = "\x13BitTorrent protocol"
	btHandshakeLen = len(btHandshake) + 8 + 20 + 20 // reserved, info hash, peer id
	btPeerPrefix   = 8                              // of the peer id, by convention (BEP 20)
	maxBTKinds     = 32
	maxBTQuiet     = 256
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
// peers, and the rest of what goes over UDP.
type btFlow struct {
	told    [maxBTKinds]uint64 // hashes of what was told
	count   int
	quiet   int
	tracker bool // one end is a tracker
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
	case isTrackerConnect(b):
		f.tracker = true
	case f.tracker:
		if m := trackerAnnounce(dir, b); m != nil && f.first(h.withText(m.InfoHash)) {
			return append(msgs, m), nil
		}
	case len(b) > 0 && b[0] == btSearch[0]:
		m := localSearch(dir, b)
		if m == nil {
			return msgs, errBTKind
		}
		if f.first(h.withText(m.InfoHash)) {
			return append(msgs, m), nil
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
