package sim

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// quicSalt is the salt of version 1 (RFC 9001 section 5.2).
var quicSalt = []byte{
	0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
	0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a,
}

// quicStyle is the ClientHello inside QUIC: TLS 1.3 only, one key share so that
// it fits one datagram.
func quicStyle(base *helloStyle) *helloStyle {
	h := *base
	h.ciphers = []uint16{0x1301, 0x1302, 0x1303}
	h.extensions = []uint16{
		extServerName, extGroups, extALPN, extSignatures, extKeyShare, extPSKModes, extVersions, extCompressCert, extQUIC,
	}
	h.groups, h.shares = []uint16{groupX25519, groupP256, 24}, []uint16{groupX25519}
	h.alpn, h.versions = []string{"h3"}, []uint16{tls13}
	h.sessionID = false
	return &h
}

// cryptoFrame carries the first bytes of the handshake (RFC 9000 section 19.6).
func cryptoFrame(message []byte) []byte {
	return append([]byte{0x06, 0x00, 0x40 | byte(len(message)>>8), byte(len(message))}, message...)
}

// initial builds an Initial packet of 1,200 bytes (RFC 9000 section 14.1), its
// content readable for anybody on the path (RFC 9001 section 5.2).
func (q *quicPath) initial(from int, dcid []byte, number uint32, frames []byte) ([]byte, error) {
	header := q.longHeader(0xc3, dcid, q.ids[from]) // 0xc3: Initial with a 4-byte packet number
	header = append(header, 0)                      // no token
	const size, tag = 1200, 16
	header = binary.BigEndian.AppendUint16(header, 0x4000|uint16(size-len(header)-2))
	header = binary.BigEndian.AppendUint32(header, number)
	room := size - len(header) - tag
	if len(frames) > room {
		return nil, fmt.Errorf("build QUIC initial: %d bytes of frames in %d", len(frames), room)
	}
	padded := make([]byte, room)
	copy(padded, frames)
	return protect(q.original, [2]string{"client in", "server in"}[from], number, header, padded)
}

// protect seals an Initial packet and masks its header (RFC 9001 sections 5.3
// and 5.4). The last four bytes of the header are the packet number.
func protect(original []byte, label string, number uint32, header, frames []byte) ([]byte, error) {
	secret, err := hkdf.Extract(sha256.New, original, quicSalt)
	if err != nil {
		return nil, fmt.Errorf("derive QUIC secret: %w", err)
	}
	if secret, err = expandLabel(secret, label, 32); err != nil {
		return nil, err
	}
	key, err := expandLabel(secret, "quic key", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := expandLabel(secret, "quic iv", 12)
	if err != nil {
		return nil, err
	}
	mask, err := expandLabel(secret, "quic hp", 16)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("prepare QUIC cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("prepare QUIC cipher: %w", err)
	}
	nonce[11] ^= byte(number) // numbers here are below 256
	out := aead.Seal(append([]byte(nil), header...), nonce, frames, header)
	hp, err := aes.NewCipher(mask)
	if err != nil {
		return nil, fmt.Errorf("prepare QUIC header protection: %w", err)
	}
	var bits [16]byte
	hp.Encrypt(bits[:], out[len(header):len(header)+16]) // the sample follows the packet number
	out[0] ^= bits[0] & 0x0f
	for i := range 4 {
		out[len(header)-4+i] ^= bits[1+i]
	}
	return out, nil
}

// expandLabel is HKDF-Expand-Label of TLS 1.3 (RFC 8446 section 7.1).
func expandLabel(secret []byte, label string, n int) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddUint16(uint16(n))
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte("tls13 " + label)) })
	b.AddUint8(0)
	info, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("expand %q: %w", label, err)
	}
	out, err := hkdf.Expand(sha256.New, secret, string(info), n)
	if err != nil {
		return nil, fmt.Errorf("expand %q: %w", label, err)
	}
	return out, nil
}
