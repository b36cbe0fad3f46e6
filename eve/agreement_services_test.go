package eve

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// serviceKinds are those of services with logins and of those beside them.
func serviceKinds() []compared {
	upper := strings.ToUpper
	return []compared{
		sameValues("FTP commands", "ftp.request.command", "ftp.command", upper),
		sameValues("FTP replies", "ftp.response.code", "ftp.completion_code", nil),
		sameValues("SMTP senders and recipients", "smtp.req.parameter", "smtp.*", smtpParameter),
		filtered(sameValues("POP3 commands", "pop.request.command", "pop3.request.command", nil), pop3Login),
		sameValues("RTSP methods", "rtsp.method", "rtsp.method", nil),
		sameValues("RTSP URLs", "rtsp.url", "rtsp.url", nil),
		sameValues("RTSP status", "rtsp.status", "rtsp.status", nil),
		sameValues("SIP methods", "sip.Method", "sip.method", nil),
		sameValues("SIP codes", "sip.Status-Code", "sip.code", nil),
		sameValues("SIP agents", "sip.User-Agent", "sip.user_agent", nil),
		sameValues("SNMP users", "snmp.msgUserName", "snmp.usm", nil),
		sameValues("Kerberos realms", "kerberos.realm", "krb5.realm", nil),
		eachPart(sameValues("Kerberos clients", "kerberos.CNameString", "krb5.cname", nil)),
		sameValues("MySQL users", "mysql.user", "mysql.user", nil),
		sameValues("MySQL versions", "mysql.version", "mysql.version", nil),
		sameValues("AMQP exchanges", "amqp.method.arguments.exchange", "amqp.publish.exchange", nil),
		sameValues("AMQP routing keys", "amqp.method.arguments.routing_key", "amqp.publish.routing_key", nil),
		redisCommands(),
		postgresParameters(),
		sameValues("IMAP commands", "imap.request.command", "imap.command", upper),
		sameValues("syslog facilities", "syslog.facility", "syslog.facility", syslogFacility),
		sameValues("syslog hosts", "syslog.hostname", "syslog.host", nil),
		sameValues("NTP modes", "ntp.flags.mode", "ntp.mode", nil),
		sameValues("NTP versions", "ntp.flags.vn", "ntp.version", nil),
		sameValues("NTP strata", "ntp.stratum", "ntp.stratum", nil),
		filtered(alsoFrom(sameValues("TFTP files", "tftp.source_file", "tftp.file", nil), "tftp.destination_file"), strings.TrimSpace), // one asks for no file
		within("smb", sameValues("SMB hosts", "ntlmssp.auth.hostname", "smb.ntlmssp.host", notNull)),
		sameValues("SMB shares", "smb.path", "smb.share", nil),
		sameValues("CoAP paths", "coap.opt.uri_path_recon", "coap.path", nil),
	}
}

// serviceExceptions lists what only one side has: tshark's values first.
func serviceExceptions() (theirs, ours []exception) {
	const (
		damaged = "nDPI/fuzz-2006-06-26-2594.pcap"
		why     = "packets with flipped bits, of which tshark reads one by one what is not in order"
		hello   = "nDPI/sip_hello.pcapng"
		silent  = "eight datagrams \"hello\" before the first message: the flow is given up"
		coap    = "nDPI/coap_mqtt.pcap"
	)
	theirs = []exception{
		{damaged, "FTP commands", anyValue, why},
		{damaged, "FTP replies", anyValue, why},
		{damaged, "SIP agents", "Ne%s", "a NUL within, where tshark's strings end"},
		{hello, "SIP methods", "REGISTER", silent},
		{hello, "SIP codes", "200", silent},
		{hello, "SIP codes", "401", silent},
		{"nDPI/smb_frags.pcap", "Kerberos realms", "CIVILPENSION.LOCAL", "an error within SPNEGO, in SMB"},
		{coap, "CoAP paths", ":4294967295", "not a path"},
	}
	ours = []exception{
		{"nDPI/syslog.pcap", "syslog facilities", "mail", "syslog over TCP on port 52173, which tshark does not look for"},
		{"nDPI/syslog.pcap", "syslog hosts", "iPhone7,2", "the same"},
		{damaged, "FTP replies", "220", "a greeting in a damaged packet"},
		{damaged, "SIP agents", "Ne%s\x00SIPPS IP Phone Version 2.0.51.16", "a NUL within, where tshark's strings end"},
		{damaged, "SIP agents", "Cirpack+v4.38e (gw_sip)", "the field Server, which tshark has under another name"},
		{damaged, "SIP agents", "Cirpack/v4.38e (gw_sip)", "the same"},
		{damaged, "SIP agents", "Cirpack/v4.38e *gw_sip)", "the same"},
		{coap, "CoAP paths", "/.well-known/core", "requests in the form of the drafts before RFC 7252, of which tshark gives no path"},
		{coap, "CoAP paths", "/r/Bus17Cmd", "on a port on which tshark gives no path"},
	}
	return theirs, ours
}

// filtered compares only what keep leaves, on both sides.
func filtered(c compared, keep func(string) string) compared {
	theirs, ours := c.theirs, c.ours
	only := func(add func(string)) func(string) {
		return func(v string) {
			if v = keep(v); v != "" {
				add(v)
			}
		}
	}
	c.theirs = func(row map[string][]string, add func(string)) { theirs(row, only(add)) }
	c.ours = func(l *line, add func(string)) { ours(l, only(add)) }
	return c
}

// eachPart compares the parts of a name, which tshark lists one by one.
func eachPart(c compared) compared {
	ours := c.ours
	c.ours = func(l *line, add func(string)) {
		ours(l, func(v string) {
			for part := range strings.SplitSeq(v, "/") {
				if part != "" && part != "<empty>" {
					add(part)
				}
			}
		})
	}
	return c
}

// alsoFrom takes the values of another field of tshark as well.
func alsoFrom(c compared, field string) compared {
	theirs := c.theirs
	c.filter += " || " + field
	c.fields = append(c.fields, field)
	c.theirs = func(row map[string][]string, add func(string)) {
		theirs(row, add)
		for _, v := range row[field] {
			add(v)
		}
	}
	return c
}

// within takes only tshark's rows with a layer.
func within(layer string, c compared) compared {
	theirs := c.theirs
	c.theirs = func(row map[string][]string, add func(string)) {
		if over(row, layer) {
			theirs(row, add)
		}
	}
	return c
}

// pop3Login keeps the commands of a login, up to which POP3 is read.
func pop3Login(v string) string {
	if v = strings.ToUpper(v); slices.Contains([]string{"USER", "PASS", "AUTH", "CAPA", "STLS"}, v) {
		return v
	}
	return ""
}

// smtpParameter is the path of a parameter of MAIL or RCPT, or the argument of
// a greeting.
func smtpParameter(v string) string {
	if _, path, ok := strings.Cut(v, ":"); ok {
		path, _, _ = strings.Cut(strings.TrimSpace(path), " ")
		return path
	}
	return v
}

// redisCommands compares what is asked for: of each array that goes to the
// server, the first string.
func redisCommands() compared {
	const value, port = "resp.bulk_string.value", "tcp.dstport"
	c := sameValues("Redis commands", value, "redis.command", nil)
	c.filter, c.fields = "resp.array && tcp.dstport == 6379", []string{value, port}
	c.theirs = func(row map[string][]string, add func(string)) {
		if len(row[value]) == 0 || row[port][0] != "6379" {
			return
		}
		if name, err := hex.DecodeString(row[value][0]); err == nil {
			add(strings.ToUpper(string(name)))
		}
	}
	return c
}

// postgresParameters compares what startup messages say.
func postgresParameters() compared {
	const kind, value = "pgsql.type", "pgsql.parameter_value"
	c := sameValues("PostgreSQL parameters", value, "", nil)
	c.filter, c.fields = kind, []string{kind, value}
	c.ours = func(l *line, add func(string)) {
		for _, path := range []string{"user", "optional_parameters.*"} {
			for _, v := range l.values("pgsql.request.startup_parameters." + path) {
				add(v)
			}
		}
	}
	c.theirs = func(row map[string][]string, add func(string)) {
		if !slices.Contains(row[kind], "Startup message") {
			return
		}
		for _, v := range row[value] {
			add(v)
		}
	}
	return c
}

// syslogFacility names a facility.
func syslogFacility(v string) string {
	n, err := strconv.ParseUint(v, 10, 8)
	if err != nil {
		return v
	}
	return facilityName(uint8(n))
}

// notNull is a string of NTLM, for which tshark writes NULL if it is empty.
func notNull(v string) string {
	if v == "NULL" {
		return ""
	}
	return v
}
