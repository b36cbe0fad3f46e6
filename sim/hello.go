package sim

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// TLS numbers used on both sides (RFC 5246, RFC 8446, IANA TLS parameters).
const (
	tls10 = 0x0301
	tls12 = 0x0303
	tls13 = 0x0304

	recordChangeCipher = 20
	recordHandshake    = 22
	recordData         = 23

	extServerName    = 0
	extStatusRequest = 5
	extGroups        = 10
	extPointFormats  = 11
	extSignatures    = 13
	extALPN          = 16
	extSCT           = 18
	extEncryptMAC    = 22
	extMasterSecret  = 23
	extCompressCert  = 27
	extRecordLimit   = 28
	extTicket        = 35
	extPSK           = 41
	extVersions      = 43
	extPSKModes      = 45
	extPostAuth      = 49
	extKeyShare      = 51
	extQUIC          = 57
	extALPS          = 17613 // application_settings, as Chromium sends it since 2025
	extECH           = 65037
	extRenegotiation = 65281

	groupX25519 = 29
	groupP256   = 23
	groupMLKEM  = 4588 // X25519MLKEM768
)

// helloStyle is a TLS client library with its configuration: what makes one
// program's ClientHello look different from another's.
type helloStyle struct {
	record     uint16 // version in the record header
	ciphers    []uint16
	extensions []uint16 // in order; values follow from the fields below
	groups     []uint16
	shares     []uint16
	signatures []uint16
	alpn       []string
	versions   []uint16
	grease     bool // RFC 8701 values here and there, as Chromium does
	permute    bool // extensions in random order, as Chromium does
	sessionID  bool // always a 32-byte session id (RFC 8446 appendix D.4)
	resume     bool // keeps tickets and uses them
}

// offers13 reports whether the client can speak TLS 1.3.
func (h *helloStyle) offers13() bool {
	for _, v := range h.versions {
		if v == tls13 {
			return true
		}
	}
	return false
}

func (h *helloStyle) offersExtension(want uint16) bool {
	for _, e := range h.extensions {
		if e == want {
			return true
		}
	}
	return false
}

// clientHello is a ClientHello and what the server needs of it.
type clientHello struct {
	style     *helloStyle
	record    []byte // the whole TLS record
	random    []byte
	sessionID []byte
	ticket    bool // an old session is offered
}

// grease values are 0x?A?A with equal bytes (RFC 8701).
func greaseValue(r *stream) uint16 { return uint16(r.n(16))<<4*0x101 + 0x0a0a }

// hello builds a ClientHello for a server name, "" for none. ticket is that of
// an earlier session with the server, or nil.
func (h *helloStyle) hello(r *stream, serverName string, ticket []byte) (*clientHello, error) {
	ch := &clientHello{style: h, random: r.bytes(32)}
	if h.sessionID || len(ticket) > 0 {
		ch.sessionID = r.bytes(32)
	}
	ch.ticket = len(ticket) > 0
	order := append([]uint16(nil), h.extensions...)
	if h.permute {
		shuffle(r, order)
	}
	var b cryptobyte.Builder
	b.AddUint8(recordHandshake)
	b.AddUint16(h.record)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8(1) // client_hello
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint16(tls12)
			b.AddBytes(ch.random)
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(ch.sessionID) })
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				if h.grease {
					b.AddUint16(greaseValue(r))
				}
				addUint16s(b, h.ciphers)
			})
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint8(0) }) // no compression
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				h.addExtensions(b, r, order, serverName, ticket)
			})
		})
	})
	var err error
	if ch.record, err = b.Bytes(); err != nil {
		return nil, fmt.Errorf("build client hello: %w", err)
	}
	return ch, nil
}

func (h *helloStyle) addExtensions(b *cryptobyte.Builder, r *stream, order []uint16, serverName string, ticket []byte) {
	share, first := greaseValue(r), greaseValue(r)
	if h.grease {
		b.AddUint16(first)
		b.AddUint16(0)
	}
	for _, e := range order {
		if e == extServerName && serverName == "" {
			continue
		}
		b.AddUint16(e)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			h.addExtension(b, r, e, serverName, ticket, share)
		})
	}
	if h.grease {
		b.AddUint16(first ^ 0x1010) // another one
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint8(0) })
	}
	if h.offers13() && len(ticket) > 0 {
		b.AddUint16(extPSK) // must be the last one (RFC 8446 section 4.2.11)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { addPSK(b, r, ticket) })
	}
}

// addExtension writes the value of one extension.
func (h *helloStyle) addExtension(b *cryptobyte.Builder, r *stream, e uint16, serverName string, ticket []byte, grease uint16) {
	switch e {
	case extServerName:
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint8(0) // host_name
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(serverName)) })
		})
	case extStatusRequest:
		b.AddBytes([]byte{1, 0, 0, 0, 0}) // OCSP, no responders, no extensions
	case extGroups:
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			if h.grease {
				b.AddUint16(grease)
			}
			addUint16s(b, h.groups)
		})
	case extPointFormats:
		b.AddBytes([]byte{1, 0})
	case extSignatures:
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { addUint16s(b, h.signatures) })
	case extALPN:
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { addProtocols(b, h.alpn) })
	case extALPS:
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { addProtocols(b, []string{"h2"}) })
	case extCompressCert:
		b.AddBytes([]byte{2, 0, 2}) // brotli
	case extRecordLimit:
		b.AddUint16(0x4001)
	case extTicket:
		if !h.offers13() {
			b.AddBytes(ticket)
		}
	case extVersions:
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
			if h.grease {
				b.AddUint16(greaseValue(r))
			}
			addUint16s(b, h.versions)
		})
	case extPSKModes:
		b.AddBytes([]byte{1, 1}) // psk_dhe_ke
	case extKeyShare:
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { h.addShares(b, r, grease) })
	case extECH:
		addGreaseECH(b, r)
	case extRenegotiation:
		b.AddUint8(0)
	case extQUIC:
		// max_idle_timeout 30 s, initial_max_data 15 MiB (RFC 9000 section 18.2).
		b.AddBytes([]byte{0x01, 0x04, 0x80, 0x00, 0x75, 0x30, 0x04, 0x04, 0x80, 0xf0, 0x00, 0x00})
	}
	// extSCT, extEncryptMAC, extMasterSecret and extPostAuth have no value.
}

func (h *helloStyle) addShares(b *cryptobyte.Builder, r *stream, grease uint16) {
	if h.grease {
		b.AddUint16(grease)
		b.AddBytes([]byte{0, 1, 0})
	}
	for _, g := range h.shares {
		b.AddUint16(g)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(clientShare(r, g)) })
	}
}

// clientShare returns a public key. For X25519 any 32 bytes are one; the
// ML-KEM half is a vector of coefficients that only its owner could tell from
// random ones. A P-256 point is not that simple, so nobody offers one.
func clientShare(r *stream, group uint16) []byte {
	if group == groupMLKEM {
		return r.bytes(1184 + 32)
	}
	return r.bytes(32)
}

// addGreaseECH writes an encrypted_client_hello extension as clients send it
// when they have no configuration of the server (RFC 9849 section 6.2).
func addGreaseECH(b *cryptobyte.Builder, r *stream) {
	b.AddUint8(0)  // outer
	b.AddUint16(1) // HKDF-SHA256
	b.AddUint16(1) // AES-128-GCM
	b.AddUint8(uint8(r.n(256)))
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(r.bytes(32)) })
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(r.bytes(144 + 32*r.n(4))) })
}

func addPSK(b *cryptobyte.Builder, r *stream, ticket []byte) {
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(ticket) })
		b.AddUint32(uint32(r.src.Uint64())) // obfuscated age
	})
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(r.bytes(32)) }) // binder
	})
}

func addUint16s(b *cryptobyte.Builder, values []uint16) {
	for _, v := range values {
		b.AddUint16(v)
	}
}

func addProtocols(b *cryptobyte.Builder, names []string) {
	for _, n := range names {
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(n)) })
	}
}
