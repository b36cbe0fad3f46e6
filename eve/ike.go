package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// ikeBody is Suricata's ike object.
type ikeBody struct {
	Major        uint8  `json:"version_major"`
	Minor        uint8  `json:"version_minor"`
	InitiatorSPI string `json:"init_spi"`
	ResponderSPI string `json:"resp_spi"`
	MessageID    uint32 `json:"message_id"`
	Exchange     uint8  `json:"exchange_type"`
	Verbose      string `json:"exchange_type_verbose,omitempty"`
	Role         string `json:"role"`
	ikeAlgorithms
	Payloads []string `json:"payload,omitempty"`
	V1       *ikeV1   `json:"ikev1,omitempty"`
	V2       *ikeV2   `json:"ikev2,omitempty"`

	Encrypted bool `json:"encrypted,omitempty"`
}

// ikeAlgorithms are those that the responder chose, or one of the proposals of
// an initiator of IKEv1.
type ikeAlgorithms struct {
	Encryption    string `json:"alg_enc,omitempty"`
	EncryptionRaw int    `json:"alg_enc_raw,omitempty"`
	KeyBits       int    `json:"sa_key_length_raw,omitempty"`
	Hash          string `json:"alg_hash,omitempty"` // IKEv1
	HashRaw       int    `json:"alg_hash_raw,omitempty"`
	Auth          string `json:"alg_auth,omitempty"` // IKEv1: authentication; IKEv2: integrity
	AuthRaw       int    `json:"alg_auth_raw,omitempty"`
	PRF           string `json:"alg_prf,omitempty"`
	Group         string `json:"alg_dh,omitempty"`
	GroupRaw      int    `json:"alg_dh_raw,omitempty"`
	ESN           string `json:"alg_esn,omitempty"`
	LifeType      string `json:"sa_life_type,omitempty"` // IKEv1
	LifeTypeRaw   int    `json:"sa_life_type_raw,omitempty"`
	Life          int    `json:"sa_life_duration_raw,omitempty"`
}

type ikeV1 struct {
	DOI       uint32    `json:"doi,omitempty"`
	Encrypted bool      `json:"encrypted_payloads"`
	Client    *ikeV1End `json:"client,omitempty"`
	Server    *ikeV1End `json:"server,omitempty"`
	Vendors   []string  `json:"vendor_ids,omitempty"`
}

// ikeV1End is what an end has put in for the key up to here.
type ikeV1End struct {
	KeyExchange string          `json:"key_exchange_payload,omitempty"`
	KeyLength   int             `json:"key_exchange_payload_length,omitempty"`
	Nonce       string          `json:"nonce_payload,omitempty"`
	NonceLength int             `json:"nonce_payload_length,omitempty"`
	Proposals   []ikeAlgorithms `json:"proposals,omitempty"`
}

type ikeV2 struct {
	Errors int      `json:"errors"`
	Notify []string `json:"notify,omitempty"`
}

func (w *Writer) ike(ev *flow.Event, m *wire.IKE) error {
	body := &ikeBody{
		Major: m.Major, Minor: m.Minor, InitiatorSPI: m.InitiatorSPI, ResponderSPI: m.ResponderSPI,
		MessageID: m.MessageID, Exchange: m.Exchange, Verbose: m.ExchangeName(), Role: "initiator",
		Encrypted: m.Encrypted,
	}
	if m.Major == 1 && m.From == wire.FromServer || m.Major == 2 && !m.Initiator {
		body.Role = "responder"
	}
	for _, p := range m.Payloads {
		body.Payloads = append(body.Payloads, wire.IKEPayloadName(p))
	}
	if m.Major == 1 {
		body.version1(m)
	} else {
		body.version2(m)
	}
	w.begin("ike", "ike", &ev.Record, ev.Time)
	w.line.IKE = body
	return w.put()
}

func (body *ikeBody) version1(m *wire.IKE) {
	body.V1 = &ikeV1{DOI: m.DOI, Encrypted: m.Encrypted, Vendors: m.Vendors}
	if m.Chosen != nil {
		body.ikeAlgorithms = ikeAlgorithms1(*m.Chosen)
	}
	if m.Encrypted { // what went before has been told
		return
	}
	body.V1.Client, body.V1.Server = ikeEnd(m.Ends[wire.FromClient], m.Proposals), ikeEnd(m.Ends[wire.FromServer], nil)
}

// ikeEnd returns nil for an end that has put in nothing yet.
func ikeEnd(m wire.IKEEnd, proposals []wire.IKEAlgorithms) *ikeV1End {
	if m == (wire.IKEEnd{}) && len(proposals) == 0 {
		return nil
	}
	e := &ikeV1End{KeyExchange: m.KeyExchange, KeyLength: len(m.KeyExchange) / 2, Nonce: m.Nonce, NonceLength: len(m.Nonce) / 2}
	for _, p := range proposals {
		e.Proposals = append(e.Proposals, ikeAlgorithms1(p))
	}
	return e
}

func (body *ikeBody) version2(m *wire.IKE) {
	const firstStatus = 16384
	body.V2 = &ikeV2{}
	for _, code := range m.Notify {
		body.V2.Notify = append(body.V2.Notify, ikeNotify(code))
		if code < firstStatus {
			body.V2.Errors++
		}
	}
	if m.Chosen == nil || body.Role != "responder" {
		return
	}
	// What a choice leaves out is not used: the integrity of an AEAD cipher,
	// extended sequence numbers, which are for ESP (RFC 7296 section 3.3.3).
	p := m.Chosen
	body.ikeAlgorithms = ikeAlgorithms{
		Encryption: ifNamed(ikeEncryption, p.Encryption), KeyBits: max(0, p.KeyBits),
		Auth: ikeIntegrity(max(0, p.Hash)), PRF: ifNamed(ikePRF, p.PRF),
		Group: ikeGroup(max(0, p.Group)), ESN: ikeESN(max(0, p.ESN)),
	}
}

func ikeAlgorithms1(p wire.IKEAlgorithms) ikeAlgorithms {
	return ikeAlgorithms{
		Encryption: ifNamed(ike1Encryption, p.Encryption), EncryptionRaw: max(0, p.Encryption), KeyBits: max(0, p.KeyBits),
		Hash: ifNamed(ike1Hash, p.Hash), HashRaw: max(0, p.Hash),
		Auth: ifNamed(ike1Auth, p.Auth), AuthRaw: max(0, p.Auth),
		Group: ifNamed(ike1Group, p.Group), GroupRaw: max(0, p.Group),
		LifeType: ifNamed(ike1Life, p.LifeType), LifeTypeRaw: max(0, p.LifeType), Life: max(0, p.Life),
	}
}

// ifNamed names a number that is there, -1 standing for one that is not.
func ifNamed(name func(int) string, n int) string {
	if n < 0 {
		return ""
	}
	return name(n)
}
