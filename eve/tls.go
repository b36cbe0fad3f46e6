package eve

import (
	"cmp"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"time"

	"gatehouse/flow"
	"gatehouse/wire"
)

// tlsBody is Suricata's tls object: one handshake.
type tlsBody struct {
	certificate
	SessionResumed bool         `json:"session_resumed,omitempty"`
	SNI            string       `json:"sni,omitempty"`
	Version        string       `json:"version,omitempty"` // negotiated
	Cipher         string       `json:"cipher,omitempty"`
	ClientALPNs    []string     `json:"client_alpns,omitempty"`
	ServerALPNs    []string     `json:"server_alpns,omitempty"`
	JA3            *ja3         `json:"ja3,omitempty"`
	JA3S           *ja3         `json:"ja3s,omitempty"`
	JA4            string       `json:"ja4,omitempty"`
	Client         *certificate `json:"client,omitempty"`
	FromProto      string       `json:"from_proto,omitempty"` // in which TLS was agreed on: smtp, http
	Alert          *tlsAlert    `json:"alert,omitempty"`
	Retry          bool         `json:"hello_retry,omitempty"` // the server asked for a second ClientHello
	ECH            bool         `json:"ech,omitempty"`
	EncryptedDNS   string       `json:"encrypted_dns,omitempty"` // dot, doh, doq
	Truncated      bool         `json:"truncated,omitempty"`     // the end of the ClientHello was not seen

	proto     string // event_type, "" for tls
	quicHello *wire.ClientHello
}

// certificate describes the leaf of a chain.
type certificate struct {
	Subject     string `json:"subject,omitempty"`
	IssuerDN    string `json:"issuerdn,omitempty"`
	Serial      string `json:"serial,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"` // SHA-1
	NotBefore   string `json:"notbefore,omitempty"`
	NotAfter    string `json:"notafter,omitempty"`

	SubjectAltName []string `json:"subjectaltname,omitempty"`
}

// ja3 is a fingerprint and what it is the hash of.
type ja3 struct {
	Hash string `json:"hash"`
	Text string `json:"string"`
}

func ja3Of(text string) *ja3 {
	sum := md5.Sum([]byte(text)) // how JA3 is defined; it protects nothing
	return &ja3{hex.EncodeToString(sum[:]), text}
}

type tlsAlert struct {
	From        string `json:"from"`  // client or server
	Level       string `json:"level"` // warning or fatal
	Description string `json:"description"`
}

const tls13 = 0x0304

// clientHello begins a handshake. The second hello after a HelloRetryRequest
// (RFC 8446 section 4.1.4) belongs to the first and mostly looks like it. One
// that does not, as where it needs no padding any more, has fingerprints of its
// own and gets a line of its own.
func (w *Writer) clientHello(ev *flow.Event, m *wire.ClientHello) error {
	if c := w.held.find(ev.Record.ID); c != nil && c.handshake != nil {
		if t := c.handshake; t.Retry && t.JA4 == m.JA4 && t.SNI == m.SNI {
			return nil
		}
		if err := w.finish(ev); err != nil {
			return err
		}
	}
	return w.handshake(ev, m.Proto, func(t *tlsBody) {
		t.Version = undetermined
		t.ECH, t.Truncated = m.ECH, m.Truncated
		t.EncryptedDNS = m.EncryptedDNS(ev.Record.Server.Port)
		if m.Proto == "quic" {
			t.quicHello = m
		}
		t.SNI, t.ClientALPNs, t.JA4 = m.SNI, m.ALPN, m.JA4
		if m.JA3 != "" {
			t.JA3 = &ja3{m.JA3, m.JA3Text()}
		}
	})
}

// serverHello ends the handshake of TLS 1.3, whose certificates are encrypted,
// and of a resumed session, which has none.
func (w *Writer) serverHello(ev *flow.Event, m *wire.ServerHello) error {
	if err := w.handshake(ev, m.Proto, func(t *tlsBody) {
		t.Retry = m.Retry
		t.Version = versionName(m.Version)
		t.Cipher = wire.CipherName(m.Cipher)
		t.SessionResumed = m.Resumed
		if m.JA3S != "" {
			t.JA3S = ja3Of(m.JA3S)
		}
		if m.ALPN != "" {
			t.ServerALPNs = []string{m.ALPN}
		}
	}); err != nil {
		return err
	}
	if !m.Retry && (m.Resumed || m.TLSVersion() >= tls13) {
		return w.finish(ev)
	}
	return nil
}

// certificate ends the handshake up to TLS 1.2. The certificate of a client
// comes after it, and gets a line of its own.
func (w *Writer) certificate(ev *flow.Event, m *wire.Certificate) error {
	leaf := describe(m)
	if err := w.handshake(ev, m.Proto, func(t *tlsBody) {
		if m.FromClient {
			t.Client = &leaf
		} else {
			t.certificate = leaf
		}
	}); err != nil {
		return err
	}
	if err := w.finish(ev); err != nil || m.FromClient || ev.Record.App != "rdp" {
		return err
	}
	return w.rdpCertificate(ev, m)
}

// alert ends a handshake that failed. A warning is a note on one that goes on.
// After the handshake an alert gets a line of its own: a client that refuses
// the certificate says so there.
func (w *Writer) alert(ev *flow.Event, m *wire.TLSAlert) error {
	a := &tlsAlert{From: "client", Level: "warning", Description: alertName(m.Description)}
	if m.From == wire.FromServer {
		a.From = "server"
	}
	if m.Fatal {
		a.Level = "fatal"
	}
	c := w.held.find(ev.Record.ID)
	goesOn := !m.Fatal && c != nil && c.handshake != nil
	if err := w.handshake(ev, m.Proto, func(t *tlsBody) { t.Alert = a }); err != nil || goesOn {
		return err
	}
	return w.finish(ev)
}

// handshake lets change add to the handshake of a flow.
func (w *Writer) handshake(ev *flow.Event, proto string, change func(*tlsBody)) error {
	return w.hold(ev, func(c *conversation) {
		if c.handshake == nil {
			c.handshake = &tlsBody{proto: proto}
		}
		change(c.handshake)
		c.handshakeAt = ev.Time
	})
}

// finish writes the handshake of a flow, if one is held.
func (w *Writer) finish(ev *flow.Event) error {
	c := w.held.find(ev.Record.ID)
	if c == nil || c.handshake == nil {
		return nil // the table was full, and this was the oldest
	}
	body, before := c.handshake, c.size()
	c.handshake = nil
	w.held.settle(c, before)
	return w.tls(&ev.Record, body, ev.Time)
}

func (w *Writer) tls(r *flow.Record, body *tlsBody, at int64) error {
	proto := cmp.Or(body.proto, "tls")
	w.begin(proto, proto, r, at)
	if proto == "quic" {
		w.line.QUIC = body.quic()
	} else {
		body.FromProto = upgradedFrom(r)
		w.line.TLS = body
	}
	return w.put()
}

func describe(m *wire.Certificate) certificate {
	c := certificate{
		Subject:   certificateName(m.Subject),
		IssuerDN:  certificateName(m.Issuer),
		Serial:    serial(m.Serial),
		NotBefore: validity(m.NotBefore),
		NotAfter:  validity(m.NotAfter),

		SubjectAltName: m.Names,
	}
	if len(m.Raw) > 0 {
		sum := sha1.Sum(m.Raw[0]) // what Suricata's rules and lists use as a name; it protects nothing
		c.Fingerprint = colonHex(sum[:])
	}
	return c
}

// serial turns "0c0099" into "0C:00:99".
func serial(hexes string) string {
	var b strings.Builder
	for i := 0; i+2 <= len(hexes); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(strings.ToUpper(hexes[i : i+2]))
	}
	return b.String()
}

// validity renders an end of a certificate's life, in UTC without a zone.
func validity(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05")
}
