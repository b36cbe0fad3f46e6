package wire

import (
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
	Response     bool    // IKEv2: an answer
	Encrypted    bool    // the payloads cannot be read
	Payloads     []uint8 // types in order, as far as they are in clear, at most 32
	// Proposals are what an initiator of IKEv1 offers, or the one that the
	// responder of either version chose; at most 8.
	Proposals []IKEAlgorithms
	Notify    []uint16 // IKEv2: types of notifications in clear, at most 16
	Vendors   []string // vendor identifiers, hex, at most 8 of 32 bytes
}

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
	maxIKECut      = 4 << 10 // length of a message whose end is missing that is believed
	maxIKEKinds    = 16      // messages of a flow that are told

	ikeEncryptedV1 = 0x01 // flag
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
}

// ikeKind is what messages are told once for.
type ikeKind struct {
	spis     [16]byte // the responder's is new behind a cookie
	dir      Dir
	exchange uint8
}

func newIKEFlow() Datagrams { return &ikeFlow{} }

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
	m, err := parseIKE(dir, b)
	if err != nil {
		return msgs, err
	}
	kind := ikeKind{[16]byte(b), dir, m.Exchange}
	if slices.Contains(f.told[:], kind) {
		return msgs, nil
	}
	f.told[f.next] = kind
	f.next = (f.next + 1) % len(f.told)
	return append(msgs, m), nil
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

// parseIKE reads a message from its initiator SPI on.
func parseIKE(dir Dir, b []byte) (*IKE, error) {
	if len(b) < ikeHeaderLen {
		return nil, errIKECut
	}
	if v := b[17] >> 4; v != 1 && v != 2 || binary.BigEndian.Uint32(b[24:]) < ikeHeaderLen {
		return nil, errIKE
	}
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
		m.Response = flags&ikeResponseV2 != 0
	}
	next, c := b[16], cursor{b: b[ikeHeaderLen:]}
	for next != 0 && !m.Encrypted && len(m.Payloads) < maxIKEPayloads {
		m.Payloads = append(m.Payloads, next)
		if m.Major == 2 && (next == ikeEncryptedV2 || next == ikeSKFV2) {
			m.Encrypted = true
			break
		}
		kind := next
		next = c.u8()
		c.skip(1)
		body := c.take(int(c.u16()) - 4)
		if c.short {
			break
		}
		m.payload(kind, body)
	}
	return m, nil
}

// sniffIKE recognises an IKE message, with the non-ESP marker or without.
func sniffIKE(b []byte) bool {
	if len(b) > 4 && binary.BigEndian.Uint32(b) == 0 {
		b = b[4:]
	}
	return plausibleIKE(b)
}

// IKEPayloadName is the name of a payload type in the IANA registries of IKEv1
// and IKEv2, which do not overlap, else the number.
func IKEPayloadName(kind uint8) string {
	v1 := [...]string{
		1: "SecurityAssociation", 2: "Proposal", 3: "Transform", 4: "KeyExchange", 5: "Identification",
		6: "Certificate", 7: "CertificateRequest", 8: "Hash", 9: "Signature", 10: "Nonce",
		11: "Notification", 12: "Delete", 13: "VendorID", 15: "SAKEKPayload", 16: "SATEKPayload",
		17: "KeyDownload", 18: "SequenceNumber", 19: "ProofOfPossession", 20: "NATDiscovery",
		21: "NATOriginalAddress", 22: "GroupAssociatedPolicy",
	}
	v2 := [...]string{
		"SecurityAssociation", "KeyExchange", "IDInitiator", "IDResponder", "Certificate", // from 33 on
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
