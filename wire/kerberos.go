package wire

import (
	"encoding/binary"
	"fmt"
)

// Kerberos is a message of Kerberos 5 (RFC 4120) between a client and the key
// distribution centre.
type Kerberos struct {
	Type       string // "KRB_AS_REQ", "KRB_TGS_REP", "KRB_ERROR" ...
	CName      string // the client, parts joined by "/", at most 256 bytes
	Realm      string // of the client; of an error that does not name it, of the service
	SName      string // the service
	Encryption int    // etype of a reply (RFC 3961), with a key of the client; 0 if none
	Ticket     int    // etype of its ticket, with a key of the service; 0 if none
	ErrorCode  int    // of KRB_ERROR (section 7.5.9), 0 in other messages
	Failed     string // Type of the request that a KRB_ERROR answers, "" if it was not seen
	NoProof    bool   // of KRB_AS_REQ and its reply: sent without pre-authentication (section 5.2.7)
}

// Protocol implements Message.
func (*Kerberos) Protocol() string { return "krb5" }

const (
	krbASReq       = 0x6a
	krbASRep       = 0x6b
	krbTGSReq      = 0x6c
	krbTGSRep      = 0x6d
	krbError       = 0x7e
	minKerberos    = 32       // a version, a type, a realm, a name
	maxKerberosTCP = 16 << 10 // tickets with the groups of Active Directory have up to 12 KiB
)

var (
	errKerberosKind  = fmt.Errorf("read kerberos: %w", ErrNotMine)
	errKerberosCut   = fmt.Errorf("read kerberos: %w", ErrTruncated)
	errKerberosFrame = fmt.Errorf("read kerberos length: %w", ErrMalformed)
)

// kerberosFlow reads datagrams.
type kerberosFlow struct{ asked krbAsked }

func newKerberosFlow() Datagrams { return &kerberosFlow{} }

// krbAsked is what was asked last.
type krbAsked struct {
	kind    string // Type of the request
	noProof bool
}

// note tells an answer what it answers.
func (a *krbAsked) note(m *Kerberos) {
	switch m.Type {
	case "KRB_AS_REQ", "KRB_TGS_REQ":
		*a = krbAsked{m.Type, m.NoProof}
	case "KRB_AS_REP":
		m.NoProof = a.noProof
	case "KRB_ERROR":
		m.Failed = a.kind
	}
}

// sniffKerberos recognises a complete message.
func sniffKerberos(b []byte) bool {
	_, err := parseKerberos(b, false)
	return err == nil
}

// Datagram implements Datagrams.
func (f *kerberosFlow) Datagram(_ Dir, b []byte, msgs []Message) ([]Message, error) {
	m, err := parseKerberos(b, true)
	if err != nil {
		return msgs, err
	}
	f.asked.note(m)
	return m.withLogin(msgs), nil
}

// parseKerberos reads a message; one that is cut only if that is allowed.
func parseKerberos(b []byte, cut bool) (*Kerberos, error) {
	if len(b) < 2 {
		return nil, errKerberosCut
	}
	m := &Kerberos{}
	outer := inner(b)
	tag, body := outer.next()
	r := inner(inner(body).want(berSequence))
	switch tag {
	case krbASReq, krbTGSReq:
		m.Type = "KRB_AS_REQ"
		if tag == krbTGSReq {
			m.Type = "KRB_TGS_REQ"
		}
		m.request(r, int(tag)-0x60)
	case krbASRep, krbTGSRep:
		m.Type = "KRB_AS_REP"
		if tag == krbTGSRep {
			m.Type = "KRB_TGS_REP"
		}
		m.reply(r, int(tag)-0x60)
	case krbError:
		m.Type = "KRB_ERROR"
		m.failure(r)
	default:
		return nil, errKerberosKind
	}
	switch {
	case m.Realm == "" || r.short && !outer.short:
		return nil, errKerberosKind
	case !cut && (outer.short || len(outer.b) > 0):
		return nil, errKerberosCut
	}
	return m, nil
}

// version reads pvno and msg-type, which must be 5 and that of the tag.
func krbVersion(r *berReader, first byte, kind int) {
	if berInt(inner(r.want(first)).want(berInteger)) != 5 || berInt(inner(r.want(first+1)).want(berInteger)) != kind {
		r.b, r.short = nil, true
	}
}

func (m *Kerberos) request(r *berReader, kind int) {
	krbVersion(r, 0xa1, kind)
	padata := r.maybe(0xa3)
	m.NoProof = kind == krbASReq-0x60 && !krbProves(padata)
	body := inner(inner(r.want(0xa4)).want(berSequence))
	body.want(0xa0) // options
	m.CName = principal(body.maybe(0xa1))
	m.Realm = krbString(body.want(0xa2))
	m.SName = principal(body.maybe(0xa3))
}

// krbProves reports whether pre-authentication data may prove who asks: any of
// them but those that only say what the client wants or can, PA-PAC-REQUEST,
// PA-SUPPORTED-ENCTYPES and PA-PAC-OPTIONS ([MS-KILE] section 3.1.5.1),
// PA-FX-COOKIE (RFC 6113), PA-REQ-ENC-PA-REP (RFC 6806) and PA-AS-FRESHNESS
// (RFC 8070). What is cut off may.
func krbProves(padata []byte) bool {
	if padata == nil {
		return false
	}
	outer := inner(padata)
	list := inner(outer.want(berSequence))
	for len(list.b) > 0 {
		one := inner(list.want(berSequence))
		switch berInt(inner(one.want(0xa1)).want(berInteger)) {
		case 128, 133, 149, 150, 165, 167:
		default:
			return true
		}
	}
	return outer.short || list.short
}

func (m *Kerberos) reply(r *berReader, kind int) {
	krbVersion(r, 0xa0, kind)
	r.maybe(0xa2) // padata
	m.Realm = krbString(r.want(0xa3))
	m.CName = principal(r.want(0xa4))
	ticket := inner(inner(inner(r.want(0xa5)).want(0x61)).want(berSequence))
	ticket.want(0xa0)
	ticket.want(0xa1)
	m.SName = principal(ticket.want(0xa2))
	m.Ticket = krbEncryption(ticket.maybe(0xa3))
	m.Encryption = krbEncryption(r.maybe(0xa6))
}

// krbEncryption is the etype of EncryptedData (section 5.2.9), 0 if it is not
// there.
func krbEncryption(v []byte) int {
	etype := inner(inner(inner(v).maybe(berSequence)).maybe(0xa0)).maybe(berInteger)
	if etype == nil {
		return 0
	}
	return berInt(etype)
}

func (m *Kerberos) failure(r *berReader) {
	krbVersion(r, 0xa0, 30)
	r.maybe(0xa2) // times
	r.maybe(0xa3)
	r.want(0xa4)
	r.want(0xa5)
	m.ErrorCode = berInt(inner(r.want(0xa6)).want(berInteger))
	client := r.maybe(0xa7)
	m.CName = principal(r.maybe(0xa8))
	m.Realm = krbString(r.want(0xa9))
	if client != nil {
		m.Realm = krbString(client)
	}
	m.SName = principal(r.want(0xaa))
}

// krbString is a KerberosString: a GeneralString (section 5.2.1).
func krbString(v []byte) string { return userText(inner(v).want(0x1b)) }

// principal is a PrincipalName (section 5.2.2) with "/" between its parts.
func principal(v []byte) string {
	if v == nil {
		return ""
	}
	r := inner(inner(v).want(berSequence))
	r.want(0xa0)
	parts := inner(inner(r.want(0xa1)).want(berSequence))
	var out []byte
	for i := 0; len(parts.b) > 0 && len(out) < maxUser; i++ {
		if i > 0 {
			out = append(out, '/')
		}
		out = append(out, parts.want(0x1b)...)
	}
	return userText(out)
}

// withLogin appends the message and what it says of a login: a ticket to get
// tickets is one, and an error that blames the user is its failure. That a
// proof is required (25) is how every login begins. A ticket that is given
// without a proof goes to everybody: whether the client knows the key that
// opens it is not seen.
func (m *Kerberos) withLogin(msgs []Message) []Message {
	msgs = append(msgs, m)
	var outcome Outcome
	switch {
	case m.Type == "KRB_AS_REP" && m.NoProof:
		outcome = OutcomeUnknown
	case m.Type == "KRB_AS_REP":
		outcome = Succeeded
	case m.Type == "KRB_ERROR" && krbBlamesUser(m.ErrorCode):
		outcome = Failed
	default:
		return msgs
	}
	return append(msgs, &Login{Service: "krb5", User: m.CName, Mechanism: "Kerberos", Outcome: outcome})
}

// krbBlamesUser: unknown client, expired, revoked, key expired, wrong proof.
func krbBlamesUser(code int) bool {
	switch code {
	case 1, 6, 18, 23, 24:
		return true
	}
	return false
}

// kerberosFraming is Kerberos over TCP: a length before each message (section
// 7.2.2).
type kerberosFraming struct{ asked krbAsked }

func newKerberosStream() Stream {
	return &framedStream{framing: &kerberosFraming{}, head: maxKerberosTCP}
}

// sniffKerberosTCP recognises the length and the head of a message, which says
// the same.
func sniffKerberosTCP(_ Dir, b []byte) Match {
	if len(b) > 0 && b[0] != 0 || len(b) > 1 && b[1] > 1 {
		return No
	}
	if len(b) < 5 {
		return Maybe
	}
	switch b[4] {
	case krbASReq, krbASRep, krbTGSReq, krbTGSRep, krbError:
	default:
		return No
	}
	header, size, ok := berHeader(b[4:])
	if !ok {
		return No
	}
	if header == 0 {
		return Maybe
	}
	return matchIf(size >= minKerberos && size == int(binary.BigEndian.Uint32(b)))
}

func (*kerberosFraming) size(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, nil
	}
	n := binary.BigEndian.Uint32(b)
	if n > 1<<20 || n == 0 {
		return 0, errKerberosFrame
	}
	return 4 + int(n), nil
}

func (f *kerberosFraming) read(_ Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	m, err := parseKerberos(b[min(4, len(b)):], cut)
	if err != nil {
		return msgs, cutOr(cut, fmt.Errorf("%w: %w", errKerberosFrame, err))
	}
	f.asked.note(m)
	return m.withLogin(msgs), nil
}
