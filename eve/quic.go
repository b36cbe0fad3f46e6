package eve

import "gatehouse/wire"

// quicBody is Suricata's quic object: one handshake. Suricata has no names for
// what follows ja4; they are those of tls.
type quicBody struct {
	Version   string `json:"version,omitempty"` // of QUIC
	SNI       string `json:"sni,omitempty"`
	UserAgent string `json:"ua,omitempty"`
	JA3       *ja3   `json:"ja3,omitempty"`
	JA3S      *ja3   `json:"ja3s,omitempty"`
	JA4       string `json:"ja4,omitempty"`

	Cipher         string    `json:"cipher,omitempty"`
	ClientALPNs    []string  `json:"client_alpns,omitempty"`
	SessionResumed bool      `json:"session_resumed,omitempty"`
	Retry          bool      `json:"hello_retry,omitempty"`
	ECH            bool      `json:"ech,omitempty"`
	EncryptedDNS   string    `json:"encrypted_dns,omitempty"`
	Truncated      bool      `json:"truncated,omitempty"`
	Alert          *tlsAlert `json:"alert,omitempty"`
}

// quic is the same handshake as Suricata shows it in QUIC.
func (t *tlsBody) quic() *quicBody {
	q := &quicBody{
		SNI: t.SNI, UserAgent: t.userAgent, JA3: t.JA3, JA3S: t.JA3S, JA4: t.JA4,
		Cipher: t.Cipher, ClientALPNs: t.ClientALPNs, SessionResumed: t.SessionResumed,
		Retry: t.Retry, ECH: t.ECH, EncryptedDNS: t.EncryptedDNS, Truncated: t.Truncated, Alert: t.Alert,
	}
	if t.quicVersion != 0 {
		q.Version = wire.QUICVersionName(t.quicVersion)
	}
	return q
}
