package wire

import (
	"fmt"
	"slices"
	"strings"
)

// Protocol versions as they stand on the wire.
const (
	versionSSL2  = 0x0002
	versionSSL3  = 0x0300
	versionTLS10 = 0x0301
	versionTLS11 = 0x0302
	versionTLS12 = 0x0303
	versionTLS13 = 0x0304
)

// VersionName is the EVE spelling of a TLS version: "TLS 1.2", "SSLv3",
// "TLS 1.3 draft-28", "DTLS 1.2", else the number as in "0x0305".
func VersionName(v uint16) string {
	switch v {
	case versionSSL2:
		return "SSLv2"
	case versionSSL3:
		return "SSLv3"
	case versionTLS10:
		return "TLS 1.0"
	case versionTLS11:
		return "TLS 1.1"
	case versionTLS12:
		return "TLS 1.2"
	case versionTLS13:
		return "TLS 1.3"
	case versionDTLSBad:
		return "DTLS 0.9"
	case versionDTLS10:
		return "DTLS 1.0"
	case versionDTLS12:
		return "DTLS 1.2"
	case versionDTLS13:
		return "DTLS 1.3"
	}
	if v>>8 == 0x7f { // numbers of the IETF drafts of TLS 1.3
		return fmt.Sprintf("TLS 1.3 draft-%02d", v&0xff)
	}
	return fmt.Sprintf("0x%04x", v)
}

// CipherName is the IANA name of a cipher suite
// ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), else the number as in "0x1234".
func CipherName(id uint16) string {
	if name := cipherName(id); name != "" {
		return "TLS_" + name
	}
	return fmt.Sprintf("0x%04x", id)
}

func cipherName(id uint16) string {
	i, ok := slices.BinarySearchFunc(cipherNames[:], id, func(row struct {
		id   uint16
		name string
	}, id uint16,
	) int {
		return int(row.id) - int(id)
	})
	if !ok {
		return ""
	}
	return cipherNames[i].name
}

// Class orders cipher suites by the protection they give: a lower class on
// the same path is a downgrade.
type Class uint8

// Classes of cipher suites, worst first. ClassUnknown compares with nothing:
// test for it before ordering.
const (
	ClassUnknown    Class = iota // not in the IANA registry
	ClassNone                    // no encryption, no authentication, or export grade
	ClassWeak                    // RC4, RC2, DES, 3DES, IDEA: RFC 7465, RFC 8429, CVE-2016-2183
	ClassStatic                  // sound cipher, key exchange without forward secrecy
	ClassForwardCBC              // forward secrecy, MAC-then-encrypt
	ClassAEAD                    // forward secrecy and AEAD, what RFC 9325 recommends for TLS 1.2
	ClassTLS13                   // any suite of TLS 1.3
)

// String is a short name for messages.
func (c Class) String() string {
	switch c {
	case ClassNone:
		return "none"
	case ClassWeak:
		return "weak"
	case ClassStatic:
		return "static-key"
	case ClassForwardCBC:
		return "forward-secret-cbc"
	case ClassAEAD:
		return "aead"
	case ClassTLS13:
		return "tls13"
	}
	return "unknown"
}

// CipherClass classifies a cipher suite by the parts of its name.
func CipherClass(id uint16) Class {
	name := cipherName(id)
	keyExchange, cipher, two := strings.Cut(name, "_WITH_")
	has := func(s string, parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s, p) })
	}
	switch {
	case name == "" || has(name, "SCSV"): // signalling values are no suites
		return ClassUnknown
	case has(cipher, "NULL") || has(keyExchange, "EXPORT", "anon", "NULL"):
		return ClassNone
	case id == 0xc0b4 || id == 0xc0b5: // integrity only, RFC 9150
		return ClassNone
	case !two || has(cipher, "MGM"): // TLS 1.3 suites name no key exchange; RFC 9367 keeps WITH_
		return ClassTLS13
	case has(cipher, "RC4", "RC2", "DES", "IDEA", "FORTEZZA", "28147"):
		return ClassWeak
	case !has(keyExchange, "DHE", "ECCPWD", "SRP"):
		return ClassStatic
	case has(cipher, "GCM", "CCM", "POLY1305"):
		return ClassAEAD
	}
	return ClassForwardCBC
}
