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
}

type ikeV1 struct {
	Encrypted bool           `json:"encrypted_payloads"`
	Client    *ikeV1Proposed `json:"client,omitempty"`
	Vendors   []string       `json:"vendor_ids,omitempty"`
}

type ikeV1Proposed struct {
	Proposals []ikeAlgorithms `json:"proposals"`
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
	if m.From == wire.FromServer {
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
	body.V1 = &ikeV1{Encrypted: m.Encrypted, Vendors: m.Vendors}
	if len(m.Proposals) == 0 {
		return
	}
	if m.From == wire.FromServer {
		body.ikeAlgorithms = ikeAlgorithms1(m.Proposals[0])
		return
	}
	body.V1.Client = &ikeV1Proposed{}
	for _, p := range m.Proposals {
		body.V1.Client.Proposals = append(body.V1.Client.Proposals, ikeAlgorithms1(p))
	}
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
	if len(m.Proposals) == 0 {
		return
	}
	p := m.Proposals[0]
	body.ikeAlgorithms = ikeAlgorithms{
		Encryption: ifNamed(ikeEncryption, p.Encryption), KeyBits: max(0, p.KeyBits),
		Auth: ifNamed(ikeIntegrity, p.Hash), PRF: ifNamed(ikePRF, p.PRF),
		Group: ifNamed(ikeGroup, p.Group), ESN: ifNamed(ikeESN, p.ESN),
	}
}

func ikeAlgorithms1(p wire.IKEAlgorithms) ikeAlgorithms {
	return ikeAlgorithms{
		Encryption: ifNamed(ike1Encryption, p.Encryption), EncryptionRaw: max(0, p.Encryption), KeyBits: max(0, p.KeyBits),
		Hash: ifNamed(ike1Hash, p.Hash), HashRaw: max(0, p.Hash),
		Auth: ifNamed(ike1Auth, p.Auth), AuthRaw: max(0, p.Auth),
		Group: ifNamed(ike1Group, p.Group), GroupRaw: max(0, p.Group),
	}
}

// ifNamed names a number that is there, -1 standing for one that is not.
func ifNamed(name func(int) string, n int) string {
	if n < 0 {
		return ""
	}
	return name(n)
}
