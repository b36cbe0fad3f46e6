package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// QUIC versions that differ from RFC 9000 in what is read here.
const (
	quicV1    = 0x00000001 // RFC 9000
	quicV2    = 0x6b3343cf // RFC 9369
	quicDraft = 0xff000000 // draft-ietf-quic-transport-NN, NN in the last byte
	// mvfst, the QUIC of Facebook, has numbers of its own for some drafts.
	quicMVFST22 = 0xfaceb001
	quicMVFST27 = 0xfaceb002
	quicMVFST   = 0xfaceb00e
	// Google's versions with the handshake of TLS 1.3 and the packets of
	// draft 27.
	quicT050 = 0x54303530
	quicT051 = 0x54303531

	minQUICDraft = 22 // connection ids have had their lengths since
	maxQUICDraft = 34 // the last before the RFC
)

// quicSalt returns the salt that initial secrets are derived with (RFC 9001
// section 5.2, RFC 9369 section 3.3.1 and the drafts before them), "" for a
// version that is not known.
func quicSalt(version uint32) string {
	const (
		v1    = "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"
		v2    = "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"
		d29   = "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99"
		d23   = "\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02"
		d22   = "\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a"
		t050  = "\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10"
		t051  = "\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d"
		draft = quicDraft
	)
	switch {
	case version == quicV1, version == draft+33, version == draft+34:
		return v1
	case version == quicV2:
		return v2
	case version >= draft+29 && version <= draft+32, isQUICGrease(version):
		return d29
	case version >= draft+23 && version <= draft+28, version == quicMVFST27, version == quicMVFST:
		return d23
	case version == draft+minQUICDraft, version == quicMVFST22:
		return d22
	case version == quicT050:
		return t050
	case version == quicT051:
		return t051
	}
	return ""
}

// quicKeys protect the Initial packets of one end.
type quicKeys struct {
	aead   cipher.AEAD
	block  cipher.Block // the same key, for packets whose end is missing
	header cipher.Block // header protection
	iv     [12]byte
}

// quicSecrets are the keys of both ends of a connection.
type quicSecrets struct{ client, server quicKeys }

// newQUICSecrets derives the keys of Initial packets from what everybody can
// see: the version and the first destination connection id (RFC 9001 section
// 5.2). It returns nil for a version that is not known.
func newQUICSecrets(version uint32, dcid []byte) *quicSecrets {
	salt := quicSalt(version)
	if salt == "" {
		return nil
	}
	initial, err := hkdf.Extract(sha256.New, dcid, []byte(salt))
	if err != nil { // only for keys shorter than FIPS 140 asks for, in that mode
		return nil
	}
	s := &quicSecrets{}
	if s.client.derive(version, initial, "client in") != nil || s.server.derive(version, initial, "server in") != nil {
		return nil
	}
	return s
}

func (k *quicKeys) derive(version uint32, initial []byte, label string) error {
	secret, err := expandLabel(initial, label, sha256.Size)
	if err != nil {
		return err
	}
	prefix := "quic "
	if version == quicV2 {
		prefix = "quicv2 " // RFC 9369 section 3.3.2
	}
	key, err := expandLabel(secret, prefix+"key", 16)
	if err != nil {
		return err
	}
	iv, err := expandLabel(secret, prefix+"iv", len(k.iv))
	if err != nil {
		return err
	}
	hp, err := expandLabel(secret, prefix+"hp", 16)
	if err != nil {
		return err
	}
	copy(k.iv[:], iv)
	if k.header, err = aes.NewCipher(hp); err != nil {
		return fmt.Errorf("make quic header key: %w", err)
	}
	if k.block, err = aes.NewCipher(key); err != nil {
		return fmt.Errorf("make quic packet key: %w", err)
	}
	if k.aead, err = cipher.NewGCM(k.block); err != nil {
		return fmt.Errorf("make quic packet key: %w", err)
	}
	return nil
}

// expandLabel is HKDF-Expand-Label of RFC 8446 section 7.1 without context.
func expandLabel(secret []byte, label string, size int) ([]byte, error) {
	const prefix = "tls13 "
	info := binary.BigEndian.AppendUint16(make([]byte, 0, 32), uint16(size))
	info = append(info, byte(len(prefix)+len(label)))
	info = append(append(append(info, prefix...), label...), 0)
	out, err := hkdf.Expand(sha256.New, secret, string(info), size)
	if err != nil {
		return nil, fmt.Errorf("expand %s: %w", label, err)
	}
	return out, nil
}

// open removes the protection of the Initial packet in b (RFC 9001 sections
// 5.3 and 5.4) and returns its frames in memory of their own. It reports
// false if the packet was not protected with these keys. The frames of a
// packet whose end is missing come unverified.
func (k *quicKeys) open(b []byte, h *quicHeader) (frames []byte, ok bool) {
	const sampleAt, sampleLen = 4, aes.BlockSize // past the longest packet number
	sample := h.number + sampleAt
	if len(b) < sample+sampleLen {
		return nil, false
	}
	var mask [aes.BlockSize]byte
	k.header.Encrypt(mask[:], b[sample:sample+sampleLen])
	first := b[0] ^ mask[0]&0x0f
	numberLen := int(first&3) + 1

	// The header as it was before its protection is what the tag covers too.
	header := append(make([]byte, 0, h.number+4), b[:h.number+numberLen]...)
	header[0] = first
	nonce, number := k.iv, 0
	for i := range numberLen {
		header[h.number+i] ^= mask[1+i]
		number = number<<8 | int(header[h.number+i])
	}
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(number))
	for i, c := range counter {
		nonce[4+i] ^= c
	}
	if h.end <= len(b) {
		frames, err := k.aead.Open(nil, nonce[:], b[h.number+numberLen:h.end], header)
		return frames, err == nil
	}
	// GCM is counter mode, in which 1 is for the tag and 2 for the first block.
	var start [aes.BlockSize]byte
	copy(start[:], nonce[:])
	start[aes.BlockSize-1] = 2
	frames = make([]byte, len(b)-h.number-numberLen)
	cipher.NewCTR(k.block, start[:]).XORKeyStream(frames, b[h.number+numberLen:])
	return frames, true
}

// isQUICGrease tells the versions that force a Version Negotiation (RFC 9000
// section 15). What a client protects such a packet with is its own affair, as
// nobody is to read it; those seen took the salt of draft 29.
func isQUICGrease(version uint32) bool { return version&0x0f0f0f0f == 0x0a0a0a0a }
