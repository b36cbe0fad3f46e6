package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
)

// TLS extensions that are read (IANA "TLS ExtensionType Values").
const (
	extServerName          = 0
	extSupportedGroups     = 10
	extPointFormats        = 11
	extSignatureAlgorithms = 13
	extALPN                = 16
	extPreSharedKey        = 41
	extSupportedVersions   = 43
	extQUICParameters      = 57
	extECH                 = 0xfe0d
	extQUICParametersDraft = 0xffa5 // before draft 33
)

// maxALPN bounds the protocols kept of one hello.
const maxALPN = 32

// helloRetryRandom marks a ServerHello as a HelloRetryRequest: SHA-256 of
// "HelloRetryRequest" (RFC 8446 section 4.1.3).
var helloRetryRandom = [32]byte{
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
}

var (
	errClientHello = fmt.Errorf("read client hello: %w", ErrMalformed)
	errServerHello = fmt.Errorf("read server hello: %w", ErrMalformed)
)

// isGREASE tells the reserved values of RFC 8701: 0x0a0a, 0x1a1a ... 0xfafa.
func isGREASE(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// parse reads the body of a ClientHello into m, which says over what it was
// sent, and returns the session id, which aliases body. If m is Truncated, or
// if what follows the cipher suites contradicts its lengths, which makes it
// so, m is read as far as it goes: servers differ in what they put up with.
// known are the fingerprints of hellos before it.
func (m *ClientHello) parse(body []byte, known *fingerprints) (session []byte, err error) {
	s := cryptobyte.String(body)
	var sessionID, cookie, ciphers, compression, extensions cryptobyte.String
	if !s.ReadUint16(&m.Version) || !knownMajor(m.Version) || !s.Skip(32) ||
		!s.ReadUint8LengthPrefixed(&sessionID) || len(sessionID) > 32 ||
		m.Proto == "dtls" && !s.ReadUint8LengthPrefixed(&cookie) ||
		!s.ReadUint16LengthPrefixed(&ciphers) || len(ciphers)%2 != 0 {
		return nil, errClientHello
	}
	m.SessionID = len(sessionID) > 0
	m.Ciphers = uint16List(ciphers)
	switch {
	case !s.ReadUint8LengthPrefixed(&compression):
		m.Truncated = true
	case len(s) == 0: // before TLS 1.2 extensions may be absent
	case !s.ReadUint16LengthPrefixed(&extensions):
		m.Truncated = true
		extensions = s // what follows the length, which is not to be believed
	}
	m.Truncated = !m.readExtensions(extensions) || m.Truncated
	if !m.Truncated {
		m.JA3, m.JA4 = known.of(m)
	}
	return sessionID, nil
}

// knownMajor tells the versions that begin a hello: of TLS or of DTLS.
func knownMajor(version uint16) bool { return version>>8 == 3 || isDTLSVersion(version) }

// readExtensions fills m from the extension block and reports whether the
// block ends with an extension. The contents of a single extension that is not
// well formed are passed over: the peer decides about them, and the rest of the
// hello is still of interest.
func (m *ClientHello) readExtensions(block cryptobyte.String) bool {
	count := 0
	for rest := block; ; count++ {
		var data cryptobyte.String
		if !rest.Skip(2) || !rest.ReadUint16LengthPrefixed(&data) {
			break
		}
	}
	if count == 0 {
		return len(block) == 0
	}
	m.Extensions = make([]uint16, 0, count)
	for range count {
		var id uint16
		var data cryptobyte.String
		if !block.ReadUint16(&id) || !block.ReadUint16LengthPrefixed(&data) {
			return false
		}
		if isGREASE(id) {
			continue
		}
		m.Extensions = append(m.Extensions, id)
		m.readExtension(id, data)
	}
	return len(block) == 0
}

func (m *ClientHello) readExtension(id uint16, data cryptobyte.String) {
	var list cryptobyte.String
	switch id {
	case extServerName:
		m.SNI = serverName(data)
	case extALPN:
		m.ALPN = alpnList(data)
	case extSupportedGroups:
		if data.ReadUint16LengthPrefixed(&list) {
			m.Curves = uint16List(list)
		}
	case extPointFormats:
		if data.ReadUint8LengthPrefixed(&list) {
			m.PointFormats = bytes.Clone(list)
		}
	case extSignatureAlgorithms:
		if data.ReadUint16LengthPrefixed(&list) {
			m.SignatureSchemes = uint16List(list)
		}
	case extSupportedVersions:
		if data.ReadUint8LengthPrefixed(&list) {
			m.Versions = uint16List(list)
		}
	case extPreSharedKey:
		m.SessionID = true
	case extECH:
		m.ECH = true
	case extQUICParameters, extQUICParametersDraft:
		if m.Proto == "quic" {
			m.UserAgent = quicUserAgent(m.QUICVersion, data)
		}
	}
}

// uint16List reads big-endian values, without GREASE.
func uint16List(s cryptobyte.String) []uint16 {
	list := make([]uint16, 0, len(s)/2)
	for ; len(s) >= 2; s = s[2:] {
		if v := binary.BigEndian.Uint16(s); !isGREASE(v) {
			list = append(list, v)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list
}

// serverName returns the host_name of a server_name extension (RFC 6066
// section 3) in lower case.
func serverName(data cryptobyte.String) string {
	var list, name cryptobyte.String
	if !data.ReadUint16LengthPrefixed(&list) {
		return ""
	}
	var kind uint8
	for list.ReadUint8(&kind) && list.ReadUint16LengthPrefixed(&name) {
		if kind == 0 && len(name) <= maxDNSName {
			return strings.ToLower(plainText(name))
		}
	}
	return ""
}

// alpnList reads application protocol names (RFC 7301 section 3.1).
func alpnList(data cryptobyte.String) []string {
	var list, name cryptobyte.String
	if !data.ReadUint16LengthPrefixed(&list) {
		return nil
	}
	var names []string
	for len(names) < maxALPN && list.ReadUint8LengthPrefixed(&name) {
		names = append(names, string(name))
	}
	return names
}

// parseServerHello parses the body of a ServerHello, whose end may be missing.
// clientSession is the session id that the client offered, nil if its hello was
// not seen.
func parseServerHello(recordVersion uint16, body, clientSession []byte) (*ServerHello, error) {
	m := &ServerHello{RecordVersion: recordVersion}
	s := cryptobyte.String(body)
	var random []byte
	var sessionID, extensions cryptobyte.String
	if !s.ReadUint16(&m.Version) || !knownMajor(m.Version) || !s.ReadBytes(&random, 32) ||
		!s.ReadUint8LengthPrefixed(&sessionID) || len(sessionID) > 32 ||
		!s.ReadUint16(&m.Cipher) || !s.Skip(1) {
		return nil, errServerHello
	}
	m.Retry = [32]byte(random) == helloRetryRandom
	legacy, psk := m.Version, false
	var scratch [32]uint16
	ids := scratch[:0]
	switch whole := s.Empty() || s.ReadUint16LengthPrefixed(&extensions); {
	case whole:
		psk, ids = m.readExtensions(extensions, ids)
		m.JA3S = ja3s(legacy, m.Cipher, ids)
	case m.Cipher>>8 != 0x13: // else a suite of 1.3 alone (RFC 8446 section B.4): the cut hides the extension that says so
	case m.Version == versionDTLS12:
		m.Version = versionDTLS13
	case m.Version == versionTLS12:
		m.Version = versionTLS13
	}
	echoed := len(sessionID) > 0 && bytes.Equal(sessionID, clientSession)
	m.Resumed = psk || echoed && m.TLSVersion() < versionTLS13
	return m, nil
}

// readExtensions fills m from the extension block, appends the kinds of the
// extensions to ids, and reports whether the server chose a pre-shared key.
func (m *ServerHello) readExtensions(block cryptobyte.String, ids []uint16) (psk bool, kinds []uint16) {
	var id uint16
	var data cryptobyte.String
	for block.ReadUint16(&id) && block.ReadUint16LengthPrefixed(&data) {
		if len(ids) < cap(ids) { // servers send a handful
			ids = append(ids, id)
		}
		switch id {
		case extSupportedVersions:
			data.ReadUint16(&m.Version)
		case extALPN:
			if names := alpnList(data); len(names) > 0 {
				m.ALPN = names[0]
			}
		case extPreSharedKey:
			psk = true
		}
	}
	return psk, ids
}
