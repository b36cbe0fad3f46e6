package notify

// Table lists all types of sinks, by name.
func Table() []Spec {
	return []Spec{
		{"email", "send mail over SMTP", func() Config { return &Email{Security: "starttls"} }},
		{"file", "append each notice to a file, in any format, with rotation", func() Config {
			return &File{Format: "eve", RotateMiB: 64, Keep: 5}
		}},
		{"influxdb", "write points to InfluxDB, VictoriaMetrics or what else takes the v2 write API", func() Config {
			return &Influx{Gzip: true, DeviceTag: "id", Texts: true, MaxSeries: defaultMaxSeries, Precision: "ns"}
		}},
		{"jsonlines", "append each notice as a line of JSON to a file", func() Config { return &JSONLines{} }},
		{"mqtt", "publish to a broker of MQTT 5, with discovery by Home Assistant", func() Config {
			return &MQTT{Topic: "gatehouse", Format: "json", Discovery: "homeassistant", AwayAfter: defaultAwayAfter}
		}},
		{"stdout", "print each notice on the standard output", func() Config { return &Stdout{Format: "text"} }},
		{"syslog", "send messages of RFC 5424 over UDP, TCP or TLS", func() Config {
			return &Syslog{Protocol: "tls", Format: "cef", Facility: "local0", MaxSize: defaultSyslogSize}
		}},
		{"webhook", "POST each notice to an HTTP service, in any format", func() Config { return &Webhook{Format: "json"} }},
	}
}

// Find returns the type of that name.
func Find(name string) (Spec, bool) {
	for _, s := range Table() {
		if s.Type == name {
			return s, true
		}
	}
	return Spec{}, false
}
