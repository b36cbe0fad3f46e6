package sim

import (
	"crypto"
	_ "crypto/sha1" // what TLS 1.0 signs with (RFC 4492 section 5.4)
	_ "crypto/sha256"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// serverSide is what a server makes of a ClientHello.
type serverSide struct {
	version uint16
	cipher  uint16
	alpn    string
	resumed bool
	id      *identity
}

// flights are the records of a handshake, grouped by who sends when. The
// server's first answer to a resumed or TLS 1.3 session ends its part.
type flights struct {
	server []byte // ServerHello and what follows it
	client []byte // up to the client's Finished
	finish []byte // the server's last word; empty where it has none
}

// preferred are cipher suites in the order in which servers choose. All
// certificates here hold ECDSA keys, so those below TLS 1.3 authenticate so.
var preferred = []uint16{
	0x1301, 0x1303, 0x1302, // TLS 1.3
	0xc02b, 0xcca9, 0xc02c, // ECDHE-ECDSA with AEAD
	0xc023, 0xc00a, 0xc009, // with CBC
}

// weak is ECDHE-ECDSA with 3DES (Sweet32, CVE-2016-2183).
const weak = 0xc008

// choose picks the cipher suite for a version out of what the client offers.
func choose(style *helloStyle, version uint16) (uint16, bool) {
	for _, p := range preferred {
		if (p>>8 == 0x13) != (version == tls13) {
			continue
		}
		for _, c := range style.ciphers {
			if c == p {
				return c, true
			}
		}
	}
	return 0, false
}

// answer builds the rest of the handshake.
func (ch *clientHello) answer(r *stream, s serverSide) (flights, error) {
	if s.version == tls13 {
		return ch.answer13(r, s)
	}
	return ch.answer12(r, s)
}

// record wraps a fragment into one TLS record.
func record(kind uint8, version uint16, fragment []byte) []byte {
	b := make([]byte, 0, 5+len(fragment))
	b = append(b, kind, byte(version>>8), byte(version), byte(len(fragment)>>8), byte(len(fragment)))
	return append(b, fragment...)
}

// sealed is a record whose content only the two ends could read.
func sealed(r *stream, kind uint8, version uint16, n int) []byte {
	return record(kind, version, r.bytes(n))
}

// message builds one handshake message.
func message(kind uint8, body func(b *cryptobyte.Builder)) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddUint8(kind)
	b.AddUint24LengthPrefixed(body)
	out, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("build handshake message %d: %w", kind, err)
	}
	return out, nil
}

// answer13 builds a TLS 1.3 handshake (RFC 8446 appendix D.4 for the
// change_cipher_spec records of its compatibility mode).
func (ch *clientHello) answer13(r *stream, s serverSide) (flights, error) {
	group := ch.style.shares[0]
	hello, err := message(2, func(b *cryptobyte.Builder) {
		b.AddUint16(tls12)
		b.AddBytes(r.bytes(32))
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(ch.sessionID) })
		b.AddUint16(s.cipher)
		b.AddUint8(0)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint16(extVersions)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint16(tls13) })
			b.AddUint16(extKeyShare)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				b.AddUint16(group)
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(serverShare(r, group)) })
			})
			if s.resumed {
				b.AddUint16(extPSK)
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint16(0) })
			}
		})
	})
	if err != nil {
		return flights{}, err
	}
	change := record(recordChangeCipher, tls12, []byte{1})
	var f flights
	f.server = append(record(recordHandshake, tls12, hello), change...)
	rest := 36 + 53 // EncryptedExtensions and Finished with their tags
	if !s.resumed {
		rest += 2100 + r.n(700) // two certificates and CertificateVerify
	}
	f.server = append(f.server, sealed(r, recordData, tls12, rest)...)
	f.client = append(change, sealed(r, recordData, tls12, 53)...)
	f.finish = sealed(r, recordData, tls12, 234+r.n(40)) // NewSessionTicket
	return f, nil
}

func serverShare(r *stream, group uint16) []byte {
	if group == groupMLKEM {
		return r.bytes(1088 + 32)
	}
	return r.bytes(32)
}

// answer12 builds a handshake of TLS 1.0 to 1.2 (RFC 5246), in clear up to the
// Finished messages.
func (ch *clientHello) answer12(r *stream, s serverSide) (flights, error) {
	random := r.bytes(32)
	withTicket := ch.style.offersExtension(extTicket)
	hello, err := message(2, func(b *cryptobyte.Builder) { ch.addHello12(b, r, s, random, withTicket) })
	if err != nil {
		return flights{}, err
	}
	change := record(recordChangeCipher, s.version, []byte{1})
	const finished = 40 // sealed by AES-GCM; as much with 3DES, HMAC-SHA1 and padding
	var f flights
	f.server = record(recordHandshake, s.version, hello)
	if s.resumed {
		f.server = append(f.server, change...)
		f.server = append(f.server, sealed(r, recordHandshake, s.version, finished)...)
		f.client = append(change, sealed(r, recordHandshake, s.version, finished)...)
		return f, nil
	}
	certificate, err := message(11, func(b *cryptobyte.Builder) {
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, der := range s.id.chain {
				b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(der) })
			}
		})
	})
	if err != nil {
		return flights{}, err
	}
	exchange, err := ch.keyExchange(r, s, random)
	if err != nil {
		return flights{}, err
	}
	f.server = append(f.server, record(recordHandshake, s.version, certificate)...)
	f.server = append(f.server, record(recordHandshake, s.version, exchange)...)
	f.server = append(f.server, record(recordHandshake, s.version, []byte{14, 0, 0, 0})...) // ServerHelloDone

	clientKey := append([]byte{16, 0, 0, 33, 32}, r.bytes(32)...)
	f.client = record(recordHandshake, s.version, clientKey)
	f.client = append(f.client, change...)
	f.client = append(f.client, sealed(r, recordHandshake, s.version, finished)...)
	if withTicket {
		ticket, err := message(4, func(b *cryptobyte.Builder) {
			b.AddUint32(7200) // lifetime hint in seconds
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(r.bytes(ticketSize)) })
		})
		if err != nil {
			return flights{}, err
		}
		f.finish = record(recordHandshake, s.version, ticket)
	}
	f.finish = append(f.finish, change...)
	f.finish = append(f.finish, sealed(r, recordHandshake, s.version, finished)...)
	return f, nil
}

// ticketSize is the length of OpenSSL's session tickets for ECDSA sessions.
const ticketSize = 176

func (ch *clientHello) addHello12(b *cryptobyte.Builder, r *stream, s serverSide, random []byte, withTicket bool) {
	b.AddUint16(s.version)
	b.AddBytes(random)
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
		switch {
		case s.resumed:
			b.AddBytes(ch.sessionID)
		case !withTicket:
			b.AddBytes(r.bytes(32))
		}
	})
	b.AddUint16(s.cipher)
	b.AddUint8(0)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16(extRenegotiation)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint8(0) })
		if !s.resumed && ch.style.offersExtension(extPointFormats) {
			b.AddUint16(extPointFormats)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, 0}) })
		}
		if !s.resumed && withTicket {
			b.AddUint16(extTicket)
			b.AddUint16(0)
		}
		if s.alpn != "" {
			b.AddUint16(extALPN)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { addProtocols(b, []string{s.alpn}) })
			})
		}
		if ch.style.offersExtension(extMasterSecret) {
			b.AddUint16(extMasterSecret)
			b.AddUint16(0)
		}
	})
}

// keyExchange builds a ServerKeyExchange with a true signature over both
// randoms and the parameters (RFC 8422 section 5.4).
func (ch *clientHello) keyExchange(r *stream, s serverSide, random []byte) ([]byte, error) {
	params := append([]byte{3, 0, groupX25519, 32}, r.bytes(32)...) // named_curve
	signed := append(append(append([]byte(nil), ch.random...), random...), params...)
	hash := crypto.SHA256
	if s.version < tls12 {
		hash = crypto.SHA1
	}
	signature, err := s.id.sign(signed, hash)
	if err != nil {
		return nil, err
	}
	return message(12, func(b *cryptobyte.Builder) {
		b.AddBytes(params)
		if s.version >= tls12 {
			b.AddUint16(0x0403) // ecdsa_secp256r1_sha256
		}
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(signature) })
	})
}
