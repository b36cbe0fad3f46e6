package wire

import (
	"bytes"
	"encoding/hex"
	"net/netip"
)

// DHT is a message of BitTorrent's distributed hash table (BEP 5) unlike those
// before it on its flow. Identifiers are hexadecimal.
type DHT struct {
	From        Dir
	Transaction string // at most 8 bytes
	Client      string // how the sender names its program: four bytes
	Query       string // "ping", "find_node", "get_peers", "announce_peer"; "" in an answer, and if it is none that is known
	ID          string // of the sender
	Target      string // that find_node looks for
	InfoHash    string // that get_peers and announce_peer are about
	Port        uint16 // that announce_peer announces
	Reply       bool
	Nodes       []DHTNode        // of a reply, at most 128
	Nodes6      []DHTNode        // the same with addresses of IPv6 (BEP 32)
	Peers       []netip.AddrPort // who shares what was asked for, at most 128
	Token       string           // that a later announce_peer has to present; at most 20 bytes
	Error       int              // code of an error, 0 if it is none
	ErrorText   string           // at most 64 bytes
}

// DHTNode is a node that a reply names.
type DHTNode struct {
	ID   string
	Addr netip.AddrPort
}

// Protocol implements Message.
func (*DHT) Protocol() string { return "bittorrent-dht" }

const (
	maxDHTNodes       = 128 // a datagram of 1,500 bytes holds 57
	maxDHTText        = 64
	maxDHTTransaction = 8
	maxBencodeDepth   = 8
	dhtID             = 20
	dhtNode           = dhtID + 4 + 2
	dhtNode6          = dhtID + 16 + 2
)

// dht are the parts of a message, within the datagram.
type dht struct {
	transaction, client, query, id, target, infoHash, nodes, nodes6, values, port, token, text []byte
	reply                                                                                      bool
	code                                                                                       int
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

// readDHT finds the parts of a message; of one that is damaged those before
// the damage.
func readDHT(b []byte) (d dht) {
	b = b[1:]
	for {
		key, value, rest := bencodedPair(b)
		if value == nil {
			return d
		}
		switch string(key) {
		case "a":
			d.body(value)
		case "r":
			d.reply = true
			d.body(value)
		case "e":
			d.reply = true
			if n, code := bencodedNumber(value[1:]); value[0] == 'l' {
				d.code = code
				d.text, _ = bencoded(value[1+n:])
			}
		case "q":
			d.query, _ = bencoded(value)
		case "t":
			d.transaction, _ = bencoded(value)
		case "v":
			d.client, _ = bencoded(value)
		}
		b = rest
	}
}

// body reads the arguments of a query or the values of a reply.
func (d *dht) body(b []byte) {
	if b[0] != 'd' {
		return
	}
	b = b[1:]
	for {
		key, value, rest := bencodedPair(b)
		if value == nil {
			return
		}
		switch string(key) {
		case "id":
			d.id, _ = bencoded(value)
		case "target":
			d.target, _ = bencoded(value)
		case "info_hash":
			d.infoHash, _ = bencoded(value)
		case "nodes":
			d.nodes, _ = bencoded(value)
		case "nodes6":
			d.nodes6, _ = bencoded(value)
		case "token":
			d.token, _ = bencoded(value)
		case "port":
			d.port = value
		case "values":
			d.values = value
		}
		b = rest
	}
}

// kind is what messages are told once for.
func (d *dht) kind(h habit) habit {
	h = h.with(uint64(d.code))
	for _, part := range [...][]byte{d.query, d.target, d.infoHash} {
		h = h.withBytes(part)
	}
	if d.reply {
		h = h.withBytes(d.nodes).withBytes(d.nodes6).withBytes(d.values)
	}
	return h
}

// message makes a message of the parts.
func (d *dht) message(from Dir) *DHT {
	m := &DHT{
		From: from, Reply: d.reply, Error: d.code,
		Transaction: hex.EncodeToString(d.transaction[:min(len(d.transaction), maxDHTTransaction)]),
		Token:       hex.EncodeToString(d.token[:min(len(d.token), dhtID)]), ErrorText: plainText(d.text[:min(len(d.text), maxDHTText)]),
		Nodes: dhtNodes(d.nodes, dhtNode), Nodes6: dhtNodes(d.nodes6, dhtNode6),
		ID: dhtHex(d.id, dhtID), Target: dhtHex(d.target, dhtID), InfoHash: dhtHex(d.infoHash, dhtID), Client: dhtHex(d.client, 4),
	}
	switch string(d.query) { // what the sender makes up is not kept
	case "ping", "find_node", "get_peers", "announce_peer", "put", "get", "sample_infohashes":
		m.Query = string(d.query)
	}
	if _, n := bencodedNumber(d.port); n > 0 && n <= 65535 {
		m.Port = uint16(n)
	}
	if len(d.values) > 0 && d.values[0] == 'l' {
		for b := d.values[1:]; len(m.Peers) < maxDHTNodes; {
			peer, rest := bencoded(b)
			if len(peer) == 0 {
				break
			}
			if a := compactPeer(peer); a.IsValid() {
				m.Peers = append(m.Peers, a)
			}
			b = rest
		}
	}
	return m
}

// dhtNodes reads nodes of a size.
func dhtNodes(b []byte, size int) []DHTNode {
	n := min(len(b)/size, maxDHTNodes)
	if n == 0 {
		return nil
	}
	out := make([]DHTNode, 0, n)
	for ; len(out) < n; b = b[size:] {
		out = append(out, DHTNode{hex.EncodeToString(b[:dhtID]), compactPeer(b[dhtID:size])})
	}
	return out
}

// dhtHex writes an identifier that has the length it should have.
func dhtHex(b []byte, size int) string {
	if len(b) != size {
		return ""
	}
	return hex.EncodeToString(b)
}

// compactPeer reads an address and a port.
func compactPeer(b []byte) netip.AddrPort {
	if len(b) < 2 {
		return netip.AddrPort{}
	}
	a, ok := netip.AddrFromSlice(b[:len(b)-2])
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a, uint16(b[len(b)-2])<<8|uint16(b[len(b)-1]))
}

// bencodedPair splits the first key and value off the rest of a dictionary;
// value is nil at its end.
func bencodedPair(b []byte) (key, value, rest []byte) {
	key, b = bencoded(b)
	if n := bencodedLen(b, maxBencodeDepth); n > 0 {
		return key, b[:n], b[n:]
	}
	return nil, nil, nil
}

// bencodedLen is the length of the first element of b, 0 if it is none.
func bencodedLen(b []byte, depth int) int {
	switch {
	case len(b) < 2 || depth == 0:
		return 0
	case b[0] == 'i':
		n, _ := bencodedNumber(b)
		return n
	case b[0] == 'l' || b[0] == 'd':
		for n := 1; n < len(b); {
			if b[n] == 'e' {
				return n + 1
			}
			more := bencodedLen(b[n:], depth-1)
			if more == 0 {
				return 0
			}
			n += more
		}
		return 0
	}
	if text, rest := bencoded(b); text != nil {
		return len(b) - len(rest)
	}
	return 0
}

// bencodedNumber reads a number, i42e, and returns its length, 0 if it is none.
func bencodedNumber(b []byte) (size, n int) {
	if len(b) < 3 || b[0] != 'i' {
		return 0, 0
	}
	for i, c := range b[1:min(len(b), 12)] {
		switch {
		case c == 'e' && i > 0:
			return i + 2, n
		case c == '-' && i == 0: // of no interest here
		case !isDigit(c):
			return 0, 0
		default:
			n = 10*n + int(c-'0')
		}
	}
	return 0, 0
}

// bencoded reads a string with its length before it.
func bencoded(b []byte) (text, rest []byte) {
	n := 0
	for i, c := range b[:min(len(b), 5)] {
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
