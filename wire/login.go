package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

//go:generate go run ./internal/factorygen -in factory.txt -out factory_hashes.go

// Login is one attempt to log in, as far as it could be read. It is reported
// when its outcome is known, or when it is clear that no outcome will follow
// (the connection ended or became unreadable).
//
// The secret itself is never kept: parsers look at it while it is in the
// packet, and remember of it only Clear and Default.
type Login struct {
	Service   string // EVE name of the protocol: "mqtt", "telnet", "ssh" ...
	User      string // as sent, at most 256 bytes; "" if it was not shown
	Mechanism string // "password", "NTLM", a SASL name such as "PLAIN"; "" if unknown
	Outcome   Outcome
	Inferred  bool // the outcome was inferred (from sizes, from prompts), not read
	Clear     bool // the secret itself crossed in clear
	Default   bool // user and secret are a well-known factory default
}

// Protocol implements Message.
func (m *Login) Protocol() string { return m.Service }

// Outcome is how a login ended.
type Outcome uint8

// Outcomes of a login.
const (
	OutcomeUnknown Outcome = iota // no answer was seen, or none that could be read
	Succeeded
	Failed
)

var outcomeNames = [...]string{OutcomeUnknown: "unknown", Succeeded: "succeeded", Failed: "failed"}

// String names the outcome in lower case.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}

// maxUser bounds the name of an account: twice what LDAP, Windows and POSIX
// systems allow for one name leaves room for an address or a domain before it.
const maxUser = 256

// userText makes a copy of an account's name, cut at maxUser bytes.
func userText(b []byte) string { return string(b[:min(len(b), maxUser)]) }

// The hash of a factory credential. The salt only keeps the values apart from
// hashes of the same list made elsewhere; both stand in the program.
const (
	factorySalt = "gatehouse factory credential v1"
	// maxFactory is longer than every name and secret of the list.
	maxFactory = 48
)

// factoryDefault reports whether user and secret are one of the factory
// credentials of factory.txt. An empty user stands for protocols that have
// none (an SNMP community, the password of a VNC or Redis server).
//
// The list is public, so hashing does not keep it secret; it keeps secrets
// from standing in the binary and in memory as text, where scanners take them
// for malware. One round of SHA-256 cut to 64 bits is therefore enough, and
// costs an attacker's flood of logins no more than the parsing itself. With
// some 200 entries a secret is mistaken for a default once in 2^56.
func factoryDefault(user, secret []byte) bool {
	if len(user) > maxFactory || len(secret) > maxFactory {
		return false
	}
	_, found := slices.BinarySearch(factoryHashes[:], factoryHash(user, secret))
	return found
}

// factoryHash hashes a credential: salt, length of the user's name, name,
// secret.
func factoryHash(user, secret []byte) uint64 {
	var room [len(factorySalt) + 1 + 2*maxFactory]byte
	b := append(room[:0], factorySalt...)
	b = append(b, byte(len(user)))
	b = append(b, user...)
	b = append(b, secret...)
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:])
}

// attempt is the login under way on a connection, if there is one. It belongs
// to a parser, which reports it once: with its outcome, or without when none
// can follow.
type attempt struct {
	login *Login
	from  Dir // who tries to log in
}

// begin notes a login that dir tries. One that was not answered before is
// reported as it is.
func (a *attempt) begin(dir Dir, m *Login, msgs []Message) []Message {
	msgs = a.end(OutcomeUnknown, msgs)
	a.login, a.from = m, dir
	return msgs
}

// end reports the login under way with its outcome.
func (a *attempt) end(o Outcome, msgs []Message) []Message {
	if a.login == nil {
		return msgs
	}
	m := a.login
	a.login = nil
	m.Outcome = o
	return append(msgs, m)
}

// flush reports the login under way if dir, of which nothing more will be
// seen, is who would have answered it.
func (a *attempt) flush(dir Dir, msgs []Message) []Message {
	if a.from == dir {
		return msgs
	}
	return a.end(OutcomeUnknown, msgs)
}
