package wire

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
)

// NTLM ([MS-NLMP]) messages are found in SMB, HTTP, LDAP, SMTP and RDP, bare
// or inside SPNEGO (RFC 4178), whose wrapping is passed over: the signature is
// unmistakable.

// NTLM is who an NTLM AUTHENTICATE message ([MS-NLMP] 2.2.1.3) says to be.
// Hashes of secrets are never looked at.
type NTLM struct {
	User, Domain, Host string // at most 256 bytes each
	Anonymous          bool   // no user and no response: a null session
	Version            NTLMVersion
}

// NTLMVersion is what the client runs ([MS-NLMP] 2.2.2.10), zeros if it does not
// say.
type NTLMVersion struct {
	Major, Minor uint8 // of Windows
	Build        uint16
	Revision     uint8 // of NTLM
}

var ntlmSignature = []byte("NTLMSSP\x00")

// Types of NTLM messages.
const (
	ntlmNegotiate    = 1
	ntlmChallenge    = 2
	ntlmAuthenticate = 3
)

// findNTLM returns the NTLM message within a security blob and its type, 0 if
// there is none.
func findNTLM(blob []byte) (message []byte, kind uint32) {
	i := bytes.Index(blob, ntlmSignature)
	if i < 0 || len(blob)-i < 12 {
		return nil, 0
	}
	message = blob[i:]
	kind = binary.LittleEndian.Uint32(message[8:])
	if kind < ntlmNegotiate || kind > ntlmAuthenticate {
		return nil, 0
	}
	return message, kind
}

// parseNTLM reads an AUTHENTICATE message, nil if its fields are not there.
func parseNTLM(b []byte) *NTLM {
	const (
		responseAt, domainAt, userAt, hostAt, flagsAt = 20, 28, 36, 44, 60
		versionAt, versionEnd                         = 64, 72
		unicodeFlag, anonymousFlag, versionFlag       = 1, 0x800, 0x02000000
	)
	if len(b) < flagsAt+4 {
		return nil
	}
	flags := binary.LittleEndian.Uint32(b[flagsAt:])
	text := func(at int) (string, bool) {
		length, off := int(binary.LittleEndian.Uint16(b[at:])), int64(binary.LittleEndian.Uint32(b[at+4:]))
		if off+int64(length) > int64(len(b)) {
			return "", false
		}
		raw := b[off : off+int64(length)]
		if flags&unicodeFlag == 0 {
			return userText(raw), true
		}
		return utf16Text(raw), true
	}
	var m NTLM
	var ok [3]bool
	m.Domain, ok[0] = text(domainAt)
	m.User, ok[1] = text(userAt)
	m.Host, ok[2] = text(hostAt)
	if !ok[0] || !ok[1] || !ok[2] {
		return nil
	}
	m.Anonymous = m.User == "" && (flags&anonymousFlag != 0 || binary.LittleEndian.Uint16(b[responseAt:]) == 0)
	if flags&versionFlag != 0 && len(b) >= versionEnd {
		v := b[versionAt:]
		m.Version = NTLMVersion{v[0], v[1], binary.LittleEndian.Uint16(v[2:]), v[7]}
	}
	return &m
}

// utf16Text turns UTF-16LE into UTF-8, at most maxUser bytes of it.
func utf16Text(b []byte) string {
	var out []byte
	units := make([]uint16, 0, 64)
	for i := 0; i+1 < len(b) && len(units) < maxUser; i += 2 {
		units = append(units, binary.LittleEndian.Uint16(b[i:]))
	}
	for _, r := range utf16.Decode(units) {
		if r == 0 {
			break
		}
		if len(out)+4 > maxUser {
			break
		}
		out = append(out, string(r)...)
	}
	return string(out)
}

// login is a login by NTLM.
func (m *NTLM) login(service string) *Login {
	l := &Login{Service: service, User: m.User, Mechanism: "NTLM"}
	if m.Domain != "" && m.User != "" {
		l.User = userText([]byte(m.Domain + "\\" + m.User))
	}
	if m.Anonymous {
		l.Mechanism = "anonymous"
	}
	return l
}
