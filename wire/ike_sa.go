package wire

import "encoding/hex"

// IKEAlgorithms are the transforms of one proposal by their numbers in the
// IANA registry of their version, -1 where it has none.
type IKEAlgorithms struct {
	Encryption int
	KeyBits    int // of the encryption, where it has several lengths
	Hash       int // IKEv1: hash; IKEv2: integrity
	PRF        int // IKEv2
	Group      int // of Diffie-Hellman
	Auth       int // IKEv1: how the ends authenticate
	ESN        int // IKEv2: 1 with extended sequence numbers
}

const (
	maxIKEOffers     = 8
	maxIKETransforms = 32 // of a proposal
	maxIKENotify     = 16
	maxIKEVendors    = 8
	maxIKEVendor     = 32 // bytes

	ikePhase1 = 1 // protocol of a proposal: the key exchange itself
)

// payload reads the payloads whose content is kept.
func (m *IKE) payload(kind uint8, b []byte) {
	const saV1, vendorV1, saV2, notifyV2, vendorV2 = 1, 13, 33, 41, 43
	switch kind {
	case saV1:
		c := cursor{b: b}
		c.skip(8) // domain of interpretation, situation
		m.proposals(c.b, (*IKEAlgorithms).attributes1)
	case saV2:
		m.proposals(b, (*IKEAlgorithms).transform2)
	case notifyV2:
		c := cursor{b: b}
		c.skip(2)
		if code := c.u16(); !c.short && len(m.Notify) < maxIKENotify {
			m.Notify = append(m.Notify, code)
		}
	case vendorV1, vendorV2:
		if len(m.Vendors) < maxIKEVendors && len(b) > 0 {
			m.Vendors = append(m.Vendors, hex.EncodeToString(b[:min(len(b), maxIKEVendor)]))
		}
	}
}

// proposals reads those of the key exchange itself: of IKEv1 each transform is
// a complete choice (RFC 2408 section 3.6), of IKEv2 one part of it (RFC 7296
// section 3.3.2), so that only an answer, with one of each kind, is one.
func (m *IKE) proposals(b []byte, read func(*IKEAlgorithms, []byte)) {
	for c := (cursor{b: b}); len(c.b) >= 8 && len(m.Proposals) < maxIKEOffers; {
		body := ikePart(&c)
		if body == nil {
			return
		}
		p := cursor{b: body}
		p.skip(1)
		protocol, spi, n := p.u8(), int(p.u8()), int(p.u8())
		p.skip(spi)
		if p.short || protocol != ikePhase1 {
			continue
		}
		whole := noIKEAlgorithms()
		for range min(n, maxIKETransforms) {
			t := ikePart(&p)
			if t == nil || len(m.Proposals) == maxIKEOffers {
				return
			}
			if m.Major == 1 {
				one := noIKEAlgorithms()
				read(&one, t)
				m.Proposals = append(m.Proposals, one)
			} else {
				read(&whole, t)
			}
		}
		if m.Major == 2 && m.Response {
			m.Proposals = append(m.Proposals, whole)
		}
	}
}

func noIKEAlgorithms() IKEAlgorithms { return IKEAlgorithms{-1, -1, -1, -1, -1, -1, -1} }

// ikePart takes a proposal or a transform off c, without what they share: the
// kind of the next, a reserved byte and the length. It is nil if the part is
// cut off.
func ikePart(c *cursor) []byte {
	c.skip(2)
	body := c.take(int(c.u16()) - 4)
	if c.short {
		return nil
	}
	return body
}

// attributes1 reads a transform of IKEv1 (RFC 2409 appendix A).
func (a *IKEAlgorithms) attributes1(t []byte) {
	c := cursor{b: t}
	c.skip(4)
	for !c.short {
		kind, value := c.u16(), int(c.u16())
		if kind&0x8000 == 0 { // variable: value is the length
			c.skip(value)
			continue
		}
		if c.short {
			return
		}
		switch kind &^ 0x8000 {
		case 1:
			a.Encryption = value
		case 2:
			a.Hash = value
		case 3:
			a.Auth = value
		case 4:
			a.Group = value
		case 14:
			a.KeyBits = value
		}
	}
}

// transform2 reads a transform of IKEv2.
func (a *IKEAlgorithms) transform2(t []byte) {
	c := cursor{b: t}
	kind := c.u8()
	c.skip(1)
	id := int(c.u16())
	if c.short {
		return
	}
	switch kind {
	case 1:
		a.Encryption = id
		if attribute, bits := c.u16(), int(c.u16()); attribute == 0x800e && !c.short {
			a.KeyBits = bits
		}
	case 2:
		a.PRF = id
	case 3:
		a.Hash = id
	case 4:
		a.Group = id
	case 5:
		a.ESN = id
	}
}
