package eve

import (
	"fmt"
	"strconv"

	"gatehouse/wire"
)

// quicBody is Suricata's quic object: one handshake. Suricata has no names for
// what follows extensions; they are those of tls.
type quicBody struct {
	Version    string          `json:"version,omitempty"` // of QUIC
	SNI        string          `json:"sni,omitempty"`
	UserAgent  string          `json:"ua,omitempty"`
	CYU        []ja3           `json:"cyu,omitempty"`
	JA3        *ja3            `json:"ja3,omitempty"`
	JA3S       *ja3            `json:"ja3s,omitempty"`
	JA4        string          `json:"ja4,omitempty"`
	Extensions []quicExtension `json:"extensions,omitempty"`

	Cipher         string    `json:"cipher,omitempty"`
	ClientALPNs    []string  `json:"client_alpns,omitempty"`
	SessionResumed bool      `json:"session_resumed,omitempty"`
	Retry          bool      `json:"hello_retry,omitempty"`
	ECH            bool      `json:"ech,omitempty"`
	EncryptedDNS   string    `json:"encrypted_dns,omitempty"`
	Truncated      bool      `json:"truncated,omitempty"`
	Alert          *tlsAlert `json:"alert,omitempty"`
}

// quicExtension is an extension of the ClientHello, with what Suricata shows of
// its content.
type quicExtension struct {
	Name   string   `json:"name,omitempty"`
	Type   uint16   `json:"type"`
	Values []string `json:"values,omitempty"`
}

// quic is the same handshake as Suricata shows it in QUIC.
func (t *tlsBody) quic() *quicBody {
	q := &quicBody{
		SNI: t.SNI, JA3: t.JA3, JA3S: t.JA3S, JA4: t.JA4,
		Cipher: t.Cipher, ClientALPNs: t.ClientALPNs, SessionResumed: t.SessionResumed,
		Retry: t.Retry, ECH: t.ECH, EncryptedDNS: t.EncryptedDNS, Truncated: t.Truncated, Alert: t.Alert,
	}
	if m := t.quicHello; m != nil {
		q.Version, q.UserAgent = wire.QUICVersionName(m.QUICVersion), m.UserAgent
		q.Extensions = quicExtensions(m)
		if m.CYU != "" {
			q.CYU = []ja3{*ja3Of(m.CYU)}
		}
	}
	return q
}

// quicExtensions lists the extensions in the order in which they were sent.
func quicExtensions(m *wire.ClientHello) []quicExtension {
	var list []quicExtension
	for _, id := range m.Extensions {
		e := quicExtension{Name: tlsExtensionName(id), Type: id}
		switch e.Name {
		case "server_name":
			if m.SNI != "" {
				e.Values = []string{m.SNI}
			}
		case "alpn":
			e.Values = m.ALPN
		case "signature_algorithms":
			for _, v := range m.SignatureSchemes {
				e.Values = append(e.Values, strconv.Itoa(int(v)))
			}
		case "supported_versions":
			for _, v := range m.Versions {
				e.Values = append(e.Values, offeredVersion(v))
			}
		}
		list = append(list, e)
	}
	return list
}

// offeredVersion spells a version as Suricata does among the extensions.
func offeredVersion(v uint16) string {
	const ssl3, tls10, draft, first, last = 0x0300, 0x0301, 0x7f00, 18, 23
	switch {
	case v == ssl3:
		return "Ssl30"
	case v >= tls10 && v <= tls13:
		return "Tls1" + strconv.Itoa(int(v-tls10))
	case v >= draft+first && v <= draft+last:
		return "Tls13Draft" + strconv.Itoa(int(v-draft))
	}
	return fmt.Sprintf("TlsVersion(%d / 0x%x)", v, v)
}
