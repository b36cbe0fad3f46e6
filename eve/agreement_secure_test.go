package eve

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"gatehouse/wire"
)

// secureKinds are those of protocols that encrypt.
func secureKinds() []compared {
	const (
		sni      = "tls.handshake.extensions_server_name"
		kind     = "tls.handshake.type"
		cipher   = "tls.handshake.ciphersuite"
		dkind    = "dtls.handshake.type"
		dcipher  = "dtls.handshake.ciphersuite"
		dversion = "dtls.handshake.version"
	)
	return []compared{
		allValues("QUIC SNI", "quic.sni", normal, inQUIC, sni, "gquic.tag.sni"),
		allValues("QUIC user agents", "quic.ua", normal, inQUIC, "tls.quic.parameter.google.user_agent", "gquic.tag.uaid"),
		allValues("QUIC JA3", "quic.ja3.hash", nil, inQUIC, "tls.handshake.ja3"),
		serverChoice("QUIC ciphers", "quic.cipher", "quic", kind, cipher, wire.CipherName),
		{
			name: "DTLS versions", filter: dversion, fields: []string{dkind, dversion},
			theirs: func(row map[string][]string, add func(string)) {
				if slices.Contains(row[dkind], "2") && len(row[dversion]) > 0 {
					add(versionName(number(row[dversion][0])))
				}
			},
			ours: func(l *line, add func(string)) {
				if l.EventType == "dtls" && l.TLS.Version != undetermined && l.TLS.Version != "" {
					add(l.TLS.Version)
				}
			},
		},
		sshNames(),
		allValues("RDP cookies", "rdp.cookie", func(v string) string {
			return strings.TrimPrefix(strings.TrimPrefix(normal(v), "cookie: "), "mstshash=")
		}, always, "rdp.rt_cookie"),
		allValues("RFB security", "rfb.authentication.security_type", func(v string) string {
			if v == "0" {
				return "" // tshark takes encrypted messages for a choice
			}
			return v
		}, always, "vnc.client_security_type", "vnc.server_security_type"),
		allValues("SSH hassh", "ssh.client.hassh.hash", nil, always, "ssh.kex.hassh"),
		allValues("SSH hasshServer", "ssh.server.hassh.hash", nil, always, "ssh.kex.hasshserver"),
		allValues("IKE initiators", "ike.init_spi", nil, always, "isakmp.ispi"),
		allValues("STUN users", "stun.user", normal, always, "stun.att.username"),
		allValues("STUN software", "stun.software", normal, always, "stun.att.software"),
		allValues("STUN realms", "stun.realm", normal, always, "stun.att.realm"),
		serverChoice("DTLS ciphers", "tls.cipher", "dtls", dkind, dcipher, wire.CipherName),
	}
}

func always(map[string][]string) bool { return true }

// sshNames compares identification strings, which tshark shows whole.
func sshNames() compared {
	const field = "ssh.protocol"
	return compared{
		name: "SSH identifications", filter: field, fields: []string{field},
		theirs: func(row map[string][]string, add func(string)) {
			for _, v := range row[field] {
				add(normal(v))
			}
		},
		ours: func(l *line, add func(string)) {
			var m struct{ SSH sshBody }
			if l.EventType != "ssh" || json.Unmarshal(l.text, &m) != nil {
				return
			}
			for _, e := range []*sshEnd{m.SSH.Client, m.SSH.Server} {
				if e == nil {
					continue
				}
				text := "SSH-" + e.Version + "-" + e.Software
				if e.Comments != "" {
					text += " " + e.Comments
				}
				add(normal(text))
			}
		},
	}
}

func inQUIC(row map[string][]string) bool { return over(row, "quic") || over(row, "gquic") }

// allValues compares the values of several fields of tshark, in the rows that
// are asked for, with a member of our log.
func allValues(name, path string, change func(string) string, wanted func(row map[string][]string) bool, fields ...string) compared {
	filter := fields[0]
	for _, f := range fields[1:] {
		filter += " || " + f
	}
	return compared{
		name: name, filter: filter, fields: fields,
		theirs: func(row map[string][]string, add func(string)) {
			if !wanted(row) {
				return
			}
			for _, f := range fields {
				for _, v := range row[f] {
					if change != nil {
						v = change(v)
					}
					if v != "" {
						add(v)
					}
				}
			}
		},
		ours: func(l *line, add func(string)) {
			for _, v := range l.values(path) {
				if change != nil {
					v = change(v)
				}
				add(v)
			}
		},
	}
}

// serverChoice compares what a ServerHello chose.
func serverChoice(name, path, event, kind, field string, spell func(uint16) string) compared {
	return compared{
		name: name, filter: kind + " == 2", fields: []string{kind, field},
		theirs: func(row map[string][]string, add func(string)) {
			if over(row, event) && slices.Contains(row[kind], "2") && !slices.Contains(row[kind], "1") && len(row[field]) > 0 {
				add(spell(number(row[field][0])))
			}
		},
		ours: func(l *line, add func(string)) {
			if l.EventType != event {
				return
			}
			for _, v := range l.values(path) {
				add(v)
			}
		},
	}
}

// number reads a number of tshark, 0 if it is none.
func number(v string) uint16 {
	n, err := strconv.ParseUint(v, 0, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}
