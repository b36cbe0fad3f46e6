package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
)

// What clients of BitTorrent say over UDP besides the hash table: connections
// over uTP, questions to trackers (BEP 15), and the search for peers in the own
// network (BEP 14).

const (
	utpHeaderLen = 20
	utpSYN       = 0x41 // type 4, version 1

	btTrackerMagic = 0x41727101980
	btConnectLen   = 8 + 4 + 4                                        // magic, action, transaction
	btAnnounceLen  = btConnectLen + 20 + 20 + 3*8 + 4 + 4 + 4 + 4 + 2 // info hash, peer id, bytes, event, address, key, peers wanted, port
	btAnnounce     = 1                                                // action

	btSearch   = "BT-SEARCH * HTTP/1.1\r\n"
	btHashText = 40 // digits
)

// isUTPSYN recognises the opening of a connection over uTP (BEP 29): version 1, a
// window, and nothing acknowledged. Without an extension its sequence number is
// 1; with the bits for extensions, as libutp sends them, it is random.
func isUTPSYN(b []byte) bool {
	if len(b) < utpHeaderLen || b[0] != utpSYN {
		return false
	}
	const extensionBits = 2
	plain := b[1] == 0 && len(b) == utpHeaderLen && binary.BigEndian.Uint16(b[16:]) == 1
	withBits := b[1] == extensionBits && len(b) == utpHeaderLen+2+8 && b[utpHeaderLen] == 0 && b[utpHeaderLen+1] == 8
	return (plain || withBits) && binary.BigEndian.Uint32(b[8:]) == 0 && binary.BigEndian.Uint32(b[12:]) != 0 &&
		binary.BigEndian.Uint16(b[18:]) == 0
}

// isTrackerConnect recognises the first question to a tracker.
func isTrackerConnect(b []byte) bool {
	return len(b) == btConnectLen && binary.BigEndian.Uint64(b) == btTrackerMagic && binary.BigEndian.Uint32(b[8:]) == 0
}

// trackerAnnounce reads what a client asks a tracker for, behind its connect;
// nil if it is another message.
func trackerAnnounce(dir Dir, b []byte) *BitTorrent {
	if len(b) < btAnnounceLen || binary.BigEndian.Uint32(b[8:]) != btAnnounce {
		return nil
	}
	hash, peer := b[btConnectLen:btConnectLen+20], b[btConnectLen+20:]
	return &BitTorrent{From: dir, Kind: "tracker", InfoHash: hex.EncodeToString(hash), PeerID: plainText(peer[:btPeerPrefix])}
}

// localSearch reads the search for peers in the own network, of which one may
// name several hashes: the first is told. It returns nil for anything else.
func localSearch(dir Dir, b []byte) *BitTorrent {
	if !bytes.HasPrefix(b, []byte(btSearch)) {
		return nil
	}
	m := &BitTorrent{From: dir, Kind: "local_search"}
	for rest := b[len(btSearch):]; len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		if _, err := hex.Decode(make([]byte, btHashText/2), value); err == nil && isWord(name, "INFOHASH") && len(value) == btHashText {
			m.InfoHash = string(bytes.ToLower(value))
			break
		}
	}
	return m
}

// sniffBT recognises messages of the hash table and the rest.
func sniffBT(b []byte) bool {
	return sniffDHT(b) || isUTPSYN(b) || isTrackerConnect(b) || bytes.HasPrefix(b, []byte(btSearch))
}
