package wire

import (
	"bytes"
	"encoding/base64"
)

// sasl follows a SASL exchange (RFC 4422) as SMTP (RFC 4954), POP3 (RFC 5034)
// and IMAP (RFC 3501) carry it, in lines of base 64.
type sasl struct {
	login *Login // nil if no exchange is under way
	user  []byte // of LOGIN, until the secret has come
	said  bool   // the client has sent something that may be right or wrong
	over  bool   // the client has sent all of LOGIN
}

// maxMechanism bounds the name of a mechanism (RFC 4422 section 3.1).
const maxMechanism = 20

// begin starts an exchange. The mechanism is taken if it looks like one: what
// does not may be a secret at the wrong place.
func (s *sasl) begin(service string, mechanism []byte) {
	*s = sasl{login: &Login{Service: service}}
	if len(mechanism) <= maxMechanism && !bytes.ContainsFunc(mechanism, func(r rune) bool {
		return r > 0x7f || !isAlnum(byte(r)) && r != '-' && r != '_'
	}) {
		s.login.Mechanism = string(bytes.ToUpper(mechanism))
	}
}

// isResponse reports whether a line that the client sends within an exchange is
// part of it. Clients that do not wait for the outcome, and those of which the
// server is not seen, go on with commands: those with an argument are no base
// 64, and the others would stand for bytes that no name begins with.
func (s *sasl) isResponse(line []byte) bool {
	return s.login != nil && !bytes.ContainsAny(line, " :<@") &&
		command(line, "DATA QUIT RSET NOOP STAT LIST UIDL CAPA") == ""
}

// response reads what the client sends, in base 64: "=" for nothing, "*" to
// give up.
func (s *sasl) response(line []byte) {
	if s.login == nil {
		return
	}
	line = bytes.TrimSpace(line)
	if string(line) == "*" {
		s.said = false
		return
	}
	s.said = true
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
	n, err := base64.StdEncoding.Decode(raw, line)
	if err != nil {
		return
	}
	s.read(raw[:n])
	clear(raw)
}

// read reads what the client sends, as AMQP carries it. raw is not kept.
func (s *sasl) read(raw []byte) {
	if s.login == nil {
		return
	}
	s.said = true
	switch s.login.Mechanism {
	case "PLAIN": // RFC 4616: authzid, NUL, authcid, NUL, passwd
		if parts := bytes.SplitN(raw, []byte{0}, 3); len(parts) == 3 {
			s.secret(parts[1], parts[2])
		}
	case "LOGIN": // draft-murchison-sasl-login: a line for each
		if s.over {
			return
		}
		if s.user == nil {
			s.user = bytes.Clone(raw)
			s.login.User = userText(raw)
			return
		}
		s.secret(s.user, raw)
		s.over = true
	case "XOAUTH2", "OAUTHBEARER":
		s.bearer(raw)
	case "CRAM-MD5": // RFC 2195: user, blank, digest
		if i := bytes.LastIndexByte(raw, ' '); i > 0 {
			s.login.User = userText(raw[:i])
		}
	case "NTLM":
		if m, kind := findNTLM(raw); kind == ntlmAuthenticate {
			if who := parseNTLM(m); who != nil {
				s.login.User = who.login("").User
			}
		}
	default:
		s.named(raw)
	}
}

// secret takes note of a secret in clear.
func (s *sasl) secret(user, secret []byte) {
	s.login.User = userText(user)
	s.login.Clear = true
	s.login.Default = factoryDefault(user, secret)
	s.user = nil
}

// bearer reads "user=NAME" or "n,a=NAME,", and a token, in fields (RFC 7628).
func (s *sasl) bearer(raw []byte) {
	for field := range bytes.SplitSeq(raw, []byte{1}) {
		if name, ok := bytes.CutPrefix(field, []byte("user=")); ok {
			s.login.User = userText(name)
		}
		if name, ok := bytes.CutPrefix(field, []byte("n,a=")); ok {
			s.login.User = userText(bytes.TrimSuffix(name, []byte(",")))
		}
		if bytes.HasPrefix(field, []byte("auth=")) {
			s.login.Clear = true
		}
	}
}

// named reads the user of the SCRAM family (RFC 5802) and of DIGEST-MD5 (RFC
// 2831), whose first message names it.
func (s *sasl) named(raw []byte) {
	if s.login.User != "" {
		return
	}
	for field := range bytes.SplitSeq(raw, []byte(",")) {
		if name, ok := bytes.CutPrefix(field, []byte("n=")); ok {
			s.login.User = userText(name)
			return
		}
		if name, ok := bytes.CutPrefix(field, []byte(`username="`)); ok {
			s.login.User = userText(bytes.TrimSuffix(name, []byte(`"`)))
			return
		}
	}
}

// end returns the login with its outcome; nil if none is under way. What the
// client gave up, or the server did not want to begin, has not failed.
func (s *sasl) end(o Outcome) *Login {
	m := s.login
	if o == Failed && !s.said {
		o = OutcomeUnknown
	}
	*s = sasl{}
	if m != nil {
		m.Outcome = o
	}
	return m
}
