package eve

import (
	"slices"
	"strconv"
)

// webKinds are those of DNS, TLS and HTTP.
func webKinds() []compared {
	const (
		dns       = "dns.qry.name"
		sni       = "tls.handshake.extensions_server_name"
		host      = "http.host"
		kind      = "tls.handshake.type"
		version   = "tls.handshake.version"
		supported = "tls.handshake.extensions.supported_version"
	)
	return []compared{
		{
			name: "DNS query names", filter: dns, fields: []string{dns},
			theirs: func(row map[string][]string, add func(string)) {
				for _, name := range row[dns] {
					switch name {
					case "<Root>":
						name = ""
					case "<Unknown extended label>":
						continue // a remark, not a name
					}
					add(normal(octal.ReplaceAllString(name, "?")))
				}
			},
			ours: func(l *line, add func(string)) {
				if l.DNS == nil {
					return
				}
				if l.DNS.RRName != nil {
					add(normal(*l.DNS.RRName))
				}
				for _, q := range l.DNS.Queries {
					add(normal(q.RRName))
				}
			},
		},
		{
			// Over TCP: QUIC and DTLS are not what is compared.
			name: "SNI", filter: sni, fields: []string{sni},
			theirs: func(row map[string][]string, add func(string)) {
				for _, name := range row[sni] {
					if over(row, "tcp") {
						add(normal(name))
					}
				}
			},
			ours: func(l *line, add func(string)) {
				if l.EventType == "tls" && l.TLS.SNI != "" {
					add(normal(l.TLS.SNI))
				}
			},
		},
		{
			name: "HTTP hosts", filter: host, fields: []string{host},
			theirs: func(row map[string][]string, add func(string)) {
				for _, name := range row[host] {
					if name, _ := splitHost(name); over(row, "tcp") {
						add(normal(name))
					}
				}
			},
			ours: func(l *line, add func(string)) {
				if l.HTTP != nil && l.HTTP.Hostname != "" {
					add(normal(l.HTTP.Hostname))
				}
			},
		},
		{
			name: "TLS versions", filter: kind + " == 2", fields: []string{kind, version, supported},
			theirs: func(row map[string][]string, add func(string)) {
				if !over(row, "tcp") || !slices.Contains(row[kind], "2") || slices.Contains(row[kind], "1") {
					return
				}
				chosen := row[supported]
				if len(chosen) == 0 {
					chosen = row[version]
				}
				for _, text := range chosen {
					n, err := strconv.ParseUint(text, 0, 16)
					if err != nil {
						continue // not a version: it will be missed
					}
					add(versionName(uint16(n)))
				}
			},
			ours: func(l *line, add func(string)) {
				if l.EventType == "tls" && l.TLS.Version != "" && l.TLS.Version != undetermined {
					add(l.TLS.Version)
				}
			},
		},
	}
}
