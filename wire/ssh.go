package wire

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// SSH is what both ends of an SSH connection say before it is encrypted: their
// identification (RFC 4253 section 4.2) and their algorithms (section 7.1).
type SSH struct {
	Client, Server SSHEnd
	// What both lists lead to (section 7.1), "" unless both were seen and have
	// one in common. The cipher and the MAC are those from client to server;
	// there is no MAC where the cipher is an AEAD.
	KEX, HostKey, Cipher, MAC string
}

// SSHEnd is one end.
type SSHEnd struct {
	Version  string // of the protocol: "2.0", "1.99" is both 1 and 2; "" if unknown
	Software string // "OpenSSH_9.6", at most 255 bytes
	Comments string // what follows it, such as "Ubuntu-3ubuntu13", "" mostly
	// HASSH is the MD5 of the algorithms that the end offers, as hex (Salesforce,
	// 2018: hassh of a client, hasshServer of a server), and HASSHText what it
	// was taken of; "" if they were not seen.
	HASSH, HASSHText string
}

// Protocol implements Message.
func (*SSH) Protocol() string { return "ssh" }

// Bounds of the SSH parser.
const (
	maxSSHBanner = 255   // with its line end (RFC 4253 section 4.2), of which that much is kept
	maxSSHLine   = 1024  // some send longer ones
	maxSSHLines  = 64    // of a server before its identification
	maxSSHPacket = 35000 // that every implementation must be able to take (section 6.1)

	sshBannerStart = "SSH-"

	sshKexInit = 20
	sshNewKeys = 21
)

var (
	errSSHKind   = fmt.Errorf("read ssh identification: %w", ErrNotMine)
	errSSHPacket = fmt.Errorf("read ssh packet: %w", ErrMalformed)
)

// sshStream follows one connection until its user is authenticated.
type sshStream struct {
	half [2]sshHalf
	told bool
	auth sshAuth
}

// sshHalf is one direction.
type sshHalf struct {
	phase sshPhase
	lines uint8 // that were passed over
	ended bool  // nothing more of it will be seen
	end   SSHEnd
	lists sshLists
}

type sshPhase uint8

const (
	sshBanner sshPhase = iota
	sshClear
	sshEncrypted
)

// sshLists are the name-lists of KEXINIT that are looked at, in its order.
type sshLists struct {
	kex, hostKey         string
	cipher, mac, deflate [2]string // client to server, server to client
}

func newSSHStream() Stream { return &sshStream{} }

var _ Flusher = (*sshStream)(nil)

// sniffSSH recognises an identification string of version 1 or 2. A server may
// send lines of text before its own (RFC 4253 section 4.2).
func sniffSSH(dir Dir, b []byte) Match {
	for dir == FromServer && sniffSSHBanner(b) == No {
		if bytes.HasPrefix(b, []byte(sshBannerStart)) {
			return No // a version of nobody
		}
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		for _, c := range line {
			if !isText(c) {
				return No
			}
		}
		if !ok || len(rest) == 0 {
			return Maybe
		}
		b = rest
	}
	return sniffSSHBanner(b)
}

// isText tells the bytes of text in UTF-8.
func isText(c byte) bool { return c >= ' ' && c != 0x7f || c == '\t' || c == '\r' || c == '\n' }

func sniffSSHBanner(b []byte) Match {
	const v1, v2, enough = "SSH-1.", "SSH-2.", 8
	n := min(len(b), len(v1))
	if string(b[:n]) != v1[:n] && string(b[:n]) != v2[:n] || len(b) > n && !isDigit(b[n]) {
		return No
	}
	if len(b) < enough {
		return Maybe
	}
	return Yes
}

// Feed implements Stream.
func (s *sshStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	h, n := &s.half[dir], 0
	for n < len(b) {
		var used int
		var err error
		switch h.phase {
		case sshBanner:
			used, err = h.banner(dir, b[n:])
		case sshClear:
			used, err = h.packet(dir, b[n:])
		case sshEncrypted:
			msgs = s.encrypted(dir, len(b)-n, msgs)
			return len(b), msgs, s.auth.over()
		}
		n += used
		if err != nil { // a probe that is answered by "Protocol mismatch.", for instance
			return n, s.tell(msgs), err
		}
		if used == 0 {
			break
		}
	}
	if other := &s.half[dir.Other()]; h.complete() && other.complete() {
		msgs = s.tell(msgs)
		if h.version1() || other.version1() {
			return len(b), msgs, ErrDone // version 1 has packets of its own
		}
	}
	return n, msgs, nil
}

// Flush implements Flusher: it tells what has been said.
func (s *sshStream) Flush(dir Dir, _ []byte, msgs []Message) []Message {
	s.half[dir].ended = true
	if s.half[dir.Other()].complete() {
		return s.tell(msgs)
	}
	return msgs
}

// complete reports whether the end has said all that is of interest.
func (h *sshHalf) complete() bool { return h.ended || h.end.HASSH != "" || h.version1() }

// tell reports both ends, once.
func (s *sshStream) tell(msgs []Message) []Message {
	if s.told || s.half[0].end.Version == "" && s.half[1].end.Version == "" {
		return msgs
	}
	s.told = true
	m := &SSH{Client: s.half[FromClient].end, Server: s.half[FromServer].end}
	if c, v := &s.half[FromClient].lists, &s.half[FromServer].lists; m.Client.HASSH != "" && m.Server.HASSH != "" {
		m.KEX, m.HostKey = agreed(c.kex, v.kex), agreed(c.hostKey, v.hostKey)
		m.Cipher = agreed(c.cipher[0], v.cipher[0])
		if !strings.Contains(m.Cipher, "-gcm@") && !strings.HasPrefix(m.Cipher, "chacha20-poly1305") {
			m.MAC = agreed(c.mac[0], v.mac[0])
		}
		s.auth.agree(&s.half[FromClient], &s.half[FromServer])
	}
	return append(msgs, m)
}

// agreed is the first name of the client's list that the server's has too.
func agreed(client, server string) string {
	theirs := strings.Split(server, ",")
	for name := range strings.SplitSeq(client, ",") {
		if slices.Contains(theirs, name) {
			return name
		}
	}
	return ""
}

func (h *sshHalf) version1() bool {
	return strings.HasPrefix(h.end.Version, "1.") && h.end.Version != "1.99"
}

// banner reads the identification string, or a line of text before that of a
// server; 0 bytes if it is incomplete. Some implementations of version 1 end it
// with a line feed alone.
func (h *sshHalf) banner(dir Dir, b []byte) (int, error) {
	if sniffSSH(dir, b) == No {
		return 0, errSSHKind
	}
	end := bytes.IndexByte(b[:min(len(b), maxSSHLine)], '\n')
	if end < 0 {
		if len(b) >= maxSSHLine {
			return 0, errSSHKind
		}
		return 0, nil
	}
	if !bytes.HasPrefix(b[:end], []byte(sshBannerStart)) {
		if h.lines++; h.lines > maxSSHLines {
			return 0, errSSHKind
		}
		return end + 1, nil
	}
	line := bytes.TrimRight(b[len(sshBannerStart):min(end, maxSSHBanner)], "\r")
	version, rest, ok := bytes.Cut(line, []byte("-"))
	if !ok {
		return 0, errSSHKind
	}
	software, comments, _ := bytes.Cut(rest, []byte(" "))
	h.end.Version, h.end.Software, h.end.Comments = plainText(version), plainText(software), plainText(comments)
	h.phase = sshClear
	return end + 1, nil
}

// packet reads one packet in clear (RFC 4253 section 6), 0 bytes if it is
// incomplete.
func (h *sshHalf) packet(dir Dir, b []byte) (int, error) {
	if len(b) < 6 {
		return 0, nil
	}
	c := cursor{b: b}
	size, padding := int(c.u32()), int(c.u8())
	if size < 2 || size > maxSSHPacket || padding > size-2 {
		return 0, errSSHPacket
	}
	end := 4 + size
	if len(b) < end {
		return 0, nil
	}
	switch payload := b[5 : end-padding]; payload[0] {
	case sshKexInit:
		if h.end.HASSH != "" {
			break
		}
		if !h.lists.read(payload[1:]) {
			return 0, errSSHPacket
		}
		h.fingerprint(int(dir))
	case sshNewKeys:
		h.phase = sshEncrypted
	}
	return end, nil
}

// read takes the name-lists of KEXINIT apart (RFC 4253 section 7.1).
func (l *sshLists) read(b []byte) bool {
	c := cursor{b: b}
	c.skip(16) // cookie
	for _, to := range []*string{
		&l.kex, &l.hostKey, &l.cipher[0], &l.cipher[1], &l.mac[0], &l.mac[1], &l.deflate[0], &l.deflate[1],
	} {
		*to = plainText(c.take(int(c.u32())))
	}
	return !c.short
}

// fingerprint fills the HASSH of an end from its lists. way is 0 for what the
// client sends, 1 for what the server does.
func (h *sshHalf) fingerprint(way int) {
	l := &h.lists
	h.end.HASSHText = strings.Join([]string{l.kex, l.cipher[way], l.mac[way], l.deflate[way]}, ";")
	sum := md5.Sum([]byte(h.end.HASSHText))
	h.end.HASSH = hex.EncodeToString(sum[:])
}
