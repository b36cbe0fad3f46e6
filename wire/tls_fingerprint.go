package wire

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
)

// Bounds of what is remembered: of hellos as they are, with some 200 bytes each,
// 128 KiB. Most programs send the same hello always; browsers since 2023 shuffle
// its extensions.
const (
	maxFingerprints = 512
	maxHelloTraits  = 1024 // bytes
)

// fingerprints remembers those of hellos by all that they are made of: making
// them takes two sorts, an MD5 and two SHA-256. It belongs to one goroutine. A
// nil *fingerprints remembers nothing.
type fingerprints struct {
	known map[string]fingerprint
}

type fingerprint struct{ ja3, ja4 string }

// of returns JA3 and JA4 of a hello.
func (f *fingerprints) of(m *ClientHello) (ja3, ja4 string) {
	if f == nil {
		return m.ja3(), m.ja4()
	}
	var scratch [maxHelloTraits]byte
	traits := m.appendTraits(scratch[:0])
	if len(traits) > maxHelloTraits {
		return m.ja3(), m.ja4()
	}
	if p, ok := f.known[string(traits)]; ok {
		return p.ja3, p.ja4
	}
	p := fingerprint{m.ja3(), m.ja4()}
	if f.known == nil || len(f.known) >= maxFingerprints {
		f.known = make(map[string]fingerprint)
	}
	f.known[string(traits)] = p
	return p.ja3, p.ja4
}

// appendTraits appends all that the fingerprints depend on, so that different
// hellos differ: each list stands behind its length.
func (m *ClientHello) appendTraits(b []byte) []byte {
	b = append(append(b, byte(len(m.Proto))), m.Proto...)
	b = binary.LittleEndian.AppendUint16(b, m.Version)
	b = binary.LittleEndian.AppendUint16(b, m.MaxVersion())
	for _, list := range [...][]uint16{m.Ciphers, m.Extensions, m.Curves, m.SignatureSchemes} {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(list)))
		for _, v := range list {
			b = binary.LittleEndian.AppendUint16(b, v)
		}
	}
	b = append(append(b, byte(len(m.PointFormats))), m.PointFormats...)
	if len(m.ALPN) > 0 {
		b = append(b, m.ALPN[0]...)
	}
	return b
}

// ja3 is the JA3 fingerprint (Salesforce, 2017): the MD5 of its text, as hex.
func (m *ClientHello) ja3() string {
	var scratch [1024]byte
	sum := md5.Sum(m.appendJA3(scratch[:0]))
	return hex.EncodeToString(sum[:])
}

// JA3Text is what JA3 is the hash of:
// version,ciphers,extensions,groups,point-formats in decimal.
func (m *ClientHello) JA3Text() string {
	var scratch [1024]byte
	return string(m.appendJA3(scratch[:0]))
}

func (m *ClientHello) appendJA3(b []byte) []byte {
	b = strconv.AppendUint(b, uint64(m.Version), 10)
	b = appendDecimals(append(b, ','), m.Ciphers)
	b = appendDecimals(append(b, ','), m.Extensions)
	b = appendDecimals(append(b, ','), m.Curves)
	return appendDecimals(append(b, ','), m.PointFormats)
}

// ja3s is the text of the JA3S fingerprint: version,cipher,extensions in
// decimal, in the order in which the server sent them.
func ja3s(version, cipher uint16, extensions []uint16) string {
	var scratch [256]byte
	b := strconv.AppendUint(scratch[:0], uint64(version), 10)
	b = strconv.AppendUint(append(b, ','), uint64(cipher), 10)
	return string(appendDecimals(append(b, ','), extensions))
}

func appendDecimals[T uint8 | uint16](b []byte, list []T) []byte {
	for i, v := range list {
		if i > 0 {
			b = append(b, '-')
		}
		b = strconv.AppendUint(b, uint64(v), 10)
	}
	return b
}

// ja4 is the JA4 TLS client fingerprint as FoxIO specifies it
// (https://github.com/FoxIO-LLC/ja4, technical_details/JA4.md, BSD 3-clause):
// three parts that describe the hello, its ciphers, and its extensions with
// its signature algorithms. GREASE is already absent from the lists.
func (m *ClientHello) ja4() string {
	var scratch [64]byte
	transport := byte('t')
	if m.Proto != "" { // 'q' for quic, 'd' for dtls
		transport = m.Proto[0]
	}
	b := append(scratch[:0], transport)
	b = append(b, ja4Version(m.MaxVersion())...)
	if slices.Contains(m.Extensions, extServerName) {
		b = append(b, 'd')
	} else {
		b = append(b, 'i')
	}
	b = appendTwoDigits(b, len(m.Ciphers))
	b = appendTwoDigits(b, len(m.Extensions))
	b = append(b, ja4ALPN(m.ALPN)...)

	var hexes [1024]byte
	var sorted [128]uint16
	ciphers := append(sorted[:0], m.Ciphers...)
	slices.Sort(ciphers)
	b = append(b, '_')
	b = appendHash12(b, appendHexes(hexes[:0], ciphers))

	extensions := sorted[:0]
	for _, id := range m.Extensions {
		if id != extServerName && id != extALPN {
			extensions = append(extensions, id)
		}
	}
	slices.Sort(extensions)
	text := appendHexes(hexes[:0], extensions)
	if len(m.SignatureSchemes) > 0 {
		text = appendHexes(append(text, '_'), m.SignatureSchemes)
	}
	b = append(b, '_')
	b = appendHash12(b, text)
	return string(b)
}

func ja4Version(v uint16) string {
	switch v {
	case versionTLS13:
		return "13"
	case versionTLS12:
		return "12"
	case versionTLS11:
		return "11"
	case versionTLS10:
		return "10"
	case versionSSL3:
		return "s3"
	case versionSSL2:
		return "s2"
	case versionDTLS10:
		return "d1"
	case versionDTLS12:
		return "d2"
	case versionDTLS13:
		return "d3"
	}
	return "00"
}

// ja4ALPN is the first and last character of the first ALPN value; where one
// of them is not alphanumeric, the first and last digit of its hex form; "00"
// without a value.
func ja4ALPN(alpn []string) string {
	if len(alpn) == 0 || alpn[0] == "" {
		return "00"
	}
	first, last := alpn[0][0], alpn[0][len(alpn[0])-1]
	if !isAlnum(first) || !isAlnum(last) {
		const digits = "0123456789abcdef"
		first, last = digits[first>>4], digits[last&15]
	}
	return string([]byte{first, last})
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

func appendTwoDigits(b []byte, n int) []byte {
	n = min(n, 99)
	return append(b, '0'+byte(n/10), '0'+byte(n%10))
}

// appendHexes appends the values as four hex digits each, with commas.
func appendHexes(b []byte, list []uint16) []byte {
	const digits = "0123456789abcdef"
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, digits[v>>12], digits[v>>8&15], digits[v>>4&15], digits[v&15])
	}
	return b
}

// appendHash12 appends the first twelve hex digits of the SHA-256 of text,
// zeros for an empty text.
func appendHash12(b, text []byte) []byte {
	if len(text) == 0 {
		return append(b, "000000000000"...)
	}
	sum := sha256.Sum256(text)
	return hex.AppendEncode(b, sum[:6])
}
