package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// BitTorrent is what shows an end of BitTorrent for what it is: the handshake
// with another peer (BEP 3), the first message of a kind of the distributed
// hash table (BEP 5), or the opening of a connection over uTP (BEP 29).
type BitTorrent struct {
	From     Dir
	Kind     string // "handshake", "dht" or "utp"
	InfoHash string // of what is shared, hex; "" if it was not named
	PeerID   string // how the client names itself, such as "-TR2940-", in a handshake
	Client   string // the same in a message of the hash table, four bytes as hex
	Query    string // of the hash table: "ping", "find_node", "get_peers", "announce_peer"
	Reply    bool   // of the hash table: an answer
}

// Protocol implements Message.
func (*BitTorrent) Protocol() string { return "bittorrent" }

const (
	btHandshake    = "\x13BitTorrent protocol"
	btHandshakeLen = len(btHandshake) + 8 + 20 + 20 // reserved, info hash, peer id
	btPeerPrefix   = 8                              // of the peer id, by convention (BEP 20)
	maxBTKinds     = 8
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
	told  [maxBTKinds]btKind
	count int
	quiet int
}

// btKind is what messages are told once for.
type btKind struct {
	dir   Dir
	kind  string
	query string
}

func newBTFlow() Datagrams { return &btFlow{} }

// Datagram implements Datagrams.
func (f *btFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	m := parseDHT(dir, b)
	switch {
	case m != nil:
	case isUTPSYN(b):
		m = &BitTorrent{From: dir, Kind: "utp"}
	case len(b) >= utpHeaderLen && b[0]&15 == 1 && b[0]>>4 <= 4: // uTP that goes on
		if i := bytes.Index(b[:min(len(b), 64)], []byte(btHandshake)); i >= 0 && len(b)-i >= btHandshakeLen {
			m = btHandshakeOf(dir, b[i:])
		}
	default:
		return msgs, errBTKind
	}
	if m == nil || !f.first(btKind{dir, m.Kind, m.Query}) {
		if f.quiet++; f.quiet > maxBTQuiet {
			return msgs, ErrDone
		}
		return msgs, nil
	}
	return append(msgs, m), nil
}

// first reports whether nothing like this was told before.
func (f *btFlow) first(kind btKind) bool {
	for _, t := range f.told[:f.count] {
		if t == kind {
			return false
		}
	}
	if f.count == maxBTKinds {
		return false
	}
	f.told[f.count] = kind
	f.count++
	return true
}

// parseDHT reads a message of the hash table: a bencoded dictionary with a
// transaction "t" and a type "y". It returns nil for anything else.
func parseDHT(dir Dir, b []byte) *BitTorrent {
	if !sniffDHT(b) {
		return nil
	}
	m := &BitTorrent{From: dir, Kind: "dht"}
	m.Reply = !bytes.HasSuffix(b, []byte("1:y1:qe"))
	if !m.Reply {
		if i := bytes.LastIndex(b[:len(b)-len("1:y1:qe")], []byte("1:q")); i >= 0 {
			switch name, _ := bencoded(b[i+3:]); string(name) { // what the sender makes up is not kept
			case "ping", "find_node", "get_peers", "announce_peer", "put", "get", "sample_infohashes":
				m.Query = string(name)
			}
		}
	}
	if i := bytes.Index(b, []byte("9:info_hash20:")); i >= 0 && len(b) >= i+14+20 {
		m.InfoHash = hex.EncodeToString(b[i+14 : i+34])
	}
	if i := bytes.LastIndex(b, []byte("1:v4:")); i >= 0 && len(b) >= i+9 {
		m.Client = hex.EncodeToString(b[i+5 : i+9])
	}
	return m
}

// bencoded reads a string with its length before it.
func bencoded(b []byte) (text, rest []byte) {
	n := 0
	for i, c := range b[:min(len(b), 4)] {
		if c == ':' && i > 0 && len(b) > i+n {
			return b[i+1 : i+1+n], b[i+1+n:]
		}
		if !isDigit(c) {
			break
		}
		n = 10*n + int(c-'0')
	}
	return nil, nil
}

// sniffDHT recognises a bencoded dictionary whose last entry is the type of a
// message of the hash table.
func sniffDHT(b []byte) bool {
	const shortest = len("d1:t1:x1:y1:qe")
	if len(b) < shortest || b[0] != 'd' || !isDigit(b[1]) || b[len(b)-1] != 'e' {
		return false
	}
	tail := b[len(b)-7:]
	return string(tail[:5]) == "1:y1:" && (tail[5] == 'q' || tail[5] == 'r' || tail[5] == 'e') && bytes.Contains(b, []byte("1:t"))
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
