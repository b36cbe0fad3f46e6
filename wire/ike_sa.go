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
	LifeType   int // IKEv1: what Life is counted in: 1 seconds, 2 kilobytes
	Life       int // IKEv1: how long the association lasts
}

const (
	maxIKEOffers     = 32
	maxIKETransforms = 32 // of a proposal
	maxIKENotify     = 16
	maxIKEVendors    = 8
	maxIKEVendor     = 32 // bytes

	ikePhase1 = 1 // protocol of a proposal: the key exchange itself

	ikeNotifyV2 = 41 // payload type
)

// payload reads the payloads whose content is kept.
func (m *IKE) payload(kind uint8, b []byte) {
	const saV1, keyV1, nonceV1, vendorV1, saV2, vendorV2 = 1, 4, 10, 13, 33, 43
	switch kind {
	case saV1:
		c := cursor{b: b}
		m.DOI = c.u32()
		c.skip(4) // situation
		m.proposals1(c.b)
	case saV2:
		if m.Response {
			m.proposal2(b)
		}
	case keyV1:
		if len(b) <= maxIKEKey {
			m.Ends[m.From].KeyExchange = hex.EncodeToString(b)
		}
	case nonceV1:
		if len(b) <= maxIKENonce {
			m.Ends[m.From].Nonce = hex.EncodeToString(b)
		}
	case ikeNotifyV2:
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

// proposals1 reads those of IKEv1, of which each transform is a complete choice
// (RFC 2408 section 3.6): an initiator offers some, the responder returns one.
// That there are proposals and transforms within is told once, as Suricata
// does.
func (m *IKE) proposals1(b []byte) {
	const proposal, transform = 2, 3
	offers := m.Proposals
	eachIKETransform(b, func(t []byte) bool {
		one := noIKEAlgorithms()
		one.attributes1(t)
		offers = append(offers, one)
		return len(offers) < maxIKEOffers
	}, nil)
	if len(offers) == 0 {
		return
	}
	if len(m.Proposals) == 0 && len(m.Payloads)+2 <= maxIKEPayloads {
		m.Payloads = append(m.Payloads, proposal, transform)
	}
	if m.From == FromServer {
		m.Chosen = &offers[0]
		return
	}
	m.Proposals = offers
}

// proposal2 reads what a responder of IKEv2 chose. There, each transform is one
// part of a proposal (RFC 7296 section 3.3.2), so that only an answer, with one
// of each kind, is a choice.
func (m *IKE) proposal2(b []byte) {
	whole := noIKEAlgorithms()
	eachIKETransform(b, func(t []byte) bool {
		whole.transform2(t)
		return true
	}, func() bool {
		m.Chosen = &whole
		return false
	})
}

// eachIKETransform calls f for the transforms of every proposal for the key
// exchange itself, and then, unless it is nil, end; both say whether to go on.
func eachIKETransform(b []byte, f func(t []byte) bool, end func() bool) {
	for c, count := (cursor{b: b}), 0; len(c.b) >= 8 && count < maxIKEOffers; count++ {
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
		for range min(n, maxIKETransforms) {
			if t := ikePart(&p); t == nil || !f(t) {
				return
			}
		}
		if end != nil && !end() {
			return
		}
	}
}

func noIKEAlgorithms() IKEAlgorithms {
	return IKEAlgorithms{Encryption: -1, KeyBits: -1, Hash: -1, PRF: -1, Group: -1, Auth: -1, ESN: -1, LifeType: -1, Life: -1}
}

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
	const ikeLife = 12 // mostly in the long form: a day in seconds has 17 bits
	c := cursor{b: t}
	c.skip(4)
	for !c.short {
		kind, value := c.u16(), int(c.u16())
		if kind&0x8000 == 0 { // variable: value is the length
			long := c.take(value)
			if c.short || kind != ikeLife || len(long) > 4 {
				continue
			}
			value = 0
			for _, d := range long {
				value = value<<8 | int(d)
			}
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
		case 11:
			a.LifeType = value
		case ikeLife:
			a.Life = value
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
