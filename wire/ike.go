package wire

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
)

// IKE is the first message of one kind that an end of an IPsec key exchange
// sends (IKEv1: RFC 2408 and RFC 2409, IKEv2: RFC 7296).
type IKE struct {
	From         Dir
	Major, Minor uint8
	InitiatorSPI string // 16 hex digits
	ResponderSPI string // zeros in the very first message
	Exchange     uint8  // see ExchangeName
	MessageID    uint32
	Initiator    bool    // IKEv2: sent by the end that began
	Response     bool    // IKEv2: an answer
	Encrypted    bool    // the payloads cannot be read
	Payloads     []uint8 // types in order, as far as they are in clear, at most 32; see IKEPayloadName
	// Proposals are what an initiator of IKEv1 offers, at most 32.
	Proposals []IKEAlgorithms
	// Chosen is what the responder took, in this message or in an earlier one
	// of the flow between the same two; nil if that was not seen.
	Chosen  *IKEAlgorithms
	Notify  []uint16  // IKEv2: types of notifications in clear, at most 16
	Vendors []string  // vendor identifiers, hex, at most 8 of 32 bytes
	DOI     uint32    // IKEv1: domain of interpretation, 1 is IPsec; 0 if it was not seen
	Ends    [2]IKEEnd // IKEv1: what each Dir has put in for the key up to here
}

// IKEEnd is what one end of an IKEv1 exchange has put in for the key, in clear:
// a public value and a number used once. In hexadecimal, "" if it was not seen
// or is longer than the largest group (8,192 bits) or RFC 2409 section 5 (256
// bytes) allow.
type IKEEnd struct{ KeyExchange, Nonce string }

// Protocol implements Message.
func (*IKE) Protocol() string { return "ike" }

// ExchangeName is the name of an exchange, as the RFCs spell it: "Identity
// Protection", "IKE_SA_INIT"; "" if it has none.
func (m *IKE) ExchangeName() string {
	switch m.Exchange {
	case 1:
		return "Base"
	case 2:
		return "Identity Protection"
	case 3:
		return "Authentication Only"
	case 4:
		return "Aggressive"
	case 5:
		return "Informational"
	case 6:
		return "Transaction"
	case 32:
		return "Quick Mode"
	case 33:
		return "New Group Mode"
	case 34:
		return "IKE_SA_INIT"
	case 35:
		return "IKE_AUTH"
	case 36:
		return "CREATE_CHILD_SA"
	case 37:
		return "INFORMATIONAL"
	case 43:
		return "IKE_INTERMEDIATE"
	}
	return ""
}

const (
	ikeHeaderLen   = 28
	maxIKEPayloads = 32
	maxIKEKey      = 1024 // bytes of a Diffie-Hellman value
	maxIKENonce    = 256
	maxIKECut      = 4 << 10 // length of a message whose end is missing that is believed
	maxIKEKinds    = 16      // messages of a flow that are told

	ikeEncryptedV1 = 0x01 // flag
	ikeInitiatorV2 = 0x08 // flag
	ikeResponseV2  = 0x20 // flag
	ikeEncryptedV2 = 46   // payload type, whose next payload is inside
	ikeSKFV2       = 53   // the same in fragments (RFC 7383)
)

var (
	errIKEKind = fmt.Errorf("read ike message: %w", ErrNotMine)
	errIKECut  = fmt.Errorf("read ike message: %w", ErrTruncated)
	errIKE     = fmt.Errorf("read ike message: %w", ErrMalformed)
)

// ikeFlow follows one flow, which on port 4500 holds ESP too (RFC 3948).
type ikeFlow struct {
	told [maxIKEKinds]ikeKind // the last ones, of which the oldest is replaced
	next int

	// What the last exchange of keys on this flow has come to.
	initiator [8]byte // its SPI
	chosen    *IKEAlgorithms
	doi       uint32
	ends      [2]IKEEnd
}

// ikeKind is what messages are told once for.
type ikeKind struct {
	spis     [16]byte // the responder's is new behind a cookie
	dir      Dir
	exchange uint8
	first    uint8  // type of the first payload: main mode has three pairs of messages
	detail   uint16 // what it notifies of: a cookie, another group to use; or the type of the first encrypted one
}

func newIKEFlow() Datagrams { return &ikeFlow{} }

var _ Retainer = (*ikeFlow)(nil)

// Retained implements Retainer.
func (f *ikeFlow) Retained() int {
	n := 0
	for _, e := range f.ends {
		n += len(e.KeyExchange) + len(e.Nonce)
	}
	return n
}

// Datagram implements Datagrams.
func (f *ikeFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	if len(b) == 1 && b[0] == 0xff { // keeps a NAT open
		return msgs, nil
	}
	if len(b) < 4 {
		return msgs, errIKEKind
	}
	if binary.BigEndian.Uint32(b) == 0 { // the non-ESP marker
		b = b[4:]
	} else if !plausibleIKE(b) {
		return msgs, nil // ESP
	}
	if err := checkIKE(b); err != nil {
		return msgs, err
	}
	kind := ikeKindOf(dir, b)
	if slices.Contains(f.told[:], kind) {
		return msgs, nil
	}
	f.told[f.next] = kind
	f.next = (f.next + 1) % len(f.told)
	m := parseIKE(dir, b)
	f.note(m, [8]byte(b))
	return append(msgs, m), nil
}

// ikeKindOf reads the kind of a message whose header is complete.
func ikeKindOf(dir Dir, b []byte) ikeKind {
	k := ikeKind{spis: [16]byte(b), dir: dir, exchange: b[18], first: b[16]}
	c := cursor{b: b[ikeHeaderLen:]}
	switch k.first {
	case ikeEncryptedV2, ikeSKFV2:
		k.detail = uint16(c.u8())
	case ikeNotifyV2:
		c.skip(6) // header, protocol, size of an SPI
		k.detail = c.u16()
	}
	return k
}

// note adds a message to what is known of its exchange of keys, and the other
// way round.
func (f *ikeFlow) note(m *IKE, initiator [8]byte) {
	if initiator != f.initiator {
		f.initiator, f.chosen, f.doi, f.ends = initiator, nil, 0, [2]IKEEnd{}
	}
	if m.Chosen != nil {
		f.chosen = m.Chosen
	}
	f.doi = max(f.doi, m.DOI)
	end := &f.ends[m.From]
	end.KeyExchange = cmp.Or(m.Ends[m.From].KeyExchange, end.KeyExchange)
	end.Nonce = cmp.Or(m.Ends[m.From].Nonce, end.Nonce)
	m.Chosen, m.DOI, m.Ends = f.chosen, f.doi, f.ends
}

// plausibleIKE judges a header without the non-ESP marker: versions, exchange,
// flags and length.
func plausibleIKE(b []byte) bool {
	if len(b) < ikeHeaderLen || binary.BigEndian.Uint64(b) == 0 {
		return false
	}
	flags, size := b[19], binary.BigEndian.Uint32(b[24:])
	m := IKE{Exchange: b[18]}
	if m.ExchangeName() == "" || size < ikeHeaderLen || int64(size) != int64(len(b)) && size > maxIKECut {
		return false
	}
	if int(size) < len(b) {
		return false
	}
	switch b[17] {
	case 0x10:
		return m.Exchange <= 33 && flags&^7 == 0 && (b[16] <= 21 || b[16] >= 128) // or private payloads
	case 0x20:
		return m.Exchange >= 34 && flags&^0x38 == 0 && (b[16] == 0 || b[16] >= 33 && b[16] <= 54)
	}
	return false
}

// checkIKE judges the header of a message, from its initiator SPI on.
func checkIKE(b []byte) error {
	if len(b) < ikeHeaderLen {
		return errIKECut
	}
	if v := b[17] >> 4; v != 1 && v != 2 || binary.BigEndian.Uint32(b[24:]) < ikeHeaderLen {
		return errIKE
	}
	return nil
}

// parseIKE reads a message that checkIKE has passed.
func parseIKE(dir Dir, b []byte) *IKE {
	m := &IKE{
		From:  dir,
		Major: b[17] >> 4, Minor: b[17] & 15,
		InitiatorSPI: hex.EncodeToString(b[:8]),
		ResponderSPI: hex.EncodeToString(b[8:16]),
		Exchange:     b[18],
		MessageID:    binary.BigEndian.Uint32(b[20:]),
	}
	flags := b[19]
	if m.Major == 1 {
		m.Encrypted = flags&ikeEncryptedV1 != 0
	} else {
		m.Initiator, m.Response = flags&ikeInitiatorV2 != 0, flags&ikeResponseV2 != 0
	}
	m.readPayloads(b[16], cursor{b: b[ikeHeaderLen:]})
	return m
}

// readPayloads reads the chain of payloads that begins with one of type next.
// Of encrypted ones the type of the first can be seen.
func (m *IKE) readPayloads(next uint8, c cursor) {
	for len(m.Payloads) < maxIKEPayloads {
		if next == 0 {
			if m.Major == 2 { // in IKEv1, Suricata does not name the end
				m.Payloads = append(m.Payloads, IKENoNextPayload)
			}
			return
		}
		kind := next
		m.Payloads = append(m.Payloads, kind)
		if m.Encrypted {
			return
		}
		next = c.u8()
		c.skip(1)
		size := int(c.u16())
		if m.Major == 2 && !c.short && (kind == ikeEncryptedV2 || kind == ikeSKFV2) {
			m.Encrypted = true
			continue
		}
		body := c.take(size - 4)
		if c.short {
			return
		}
		m.payload(kind, body)
	}
}

// sniffIKE recognises an IKE message, with the non-ESP marker or without.
func sniffIKE(b []byte) bool {
	if len(b) > 4 && binary.BigEndian.Uint32(b) == 0 {
		b = b[4:]
	}
	return plausibleIKE(b)
}

// IKENoNextPayload in IKE.Payloads says that the chain of IKEv2 ended there.
const IKENoNextPayload = 0

// IKEPayloadName is the name of a payload type of IKEv1 or IKEv2, whose numbers
// do not overlap, as Suricata spells it, else the number.
func IKEPayloadName(kind uint8) string {
	v1 := [...]string{
		IKENoNextPayload: "NoNextPayload",
		1:                "SecurityAssociation", 2: "Proposal", 3: "Transform", 4: "KeyExchange", 5: "Identification",
		6: "Certificate", 7: "CertificateRequest", 8: "Hash", 9: "Signature", 10: "Nonce",
		11: "Notification", 12: "Delete", 13: "VendorID", 15: "SaKekPayload", 16: "SaTekPayload",
		17: "KeyDownload", 18: "SequenceNumber", 19: "ProofOfPossession", 20: "NatDiscovery",
		21: "NatOriginalAddress", 22: "GroupAssociatedPolicy",
	}
	v2 := [...]string{
		"SecurityAssociation", "KeyExchange", "IdentInitiator", "IdentResponder", "Certificate", // from 33 on
		"CertificateRequest", "Authentication", "Nonce", "Notify", "Delete", "VendorID",
		"TrafficSelectorInitiator", "TrafficSelectorResponder", "EncryptedAndAuthenticated",
		"Configuration", "ExtensibleAuthentication", "GenericSecurePasswordMethod",
		"GroupIdentification", "GroupSecurityAssociation", "KeyDownload", "EncryptedAndAuthenticatedFragment",
	}
	switch {
	case int(kind) < len(v1) && v1[kind] != "":
		return v1[kind]
	case kind >= 33 && int(kind)-33 < len(v2):
		return v2[kind-33]
	}
	return strconv.Itoa(int(kind))
}
