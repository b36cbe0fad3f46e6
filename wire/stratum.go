package wire

import "bytes"

// sniffStratum: a line of JSON by which somebody who mines a currency begins
// with a pool, or the pool's first task: in the words of Bitcoin's Stratum
// (https://braiins.com/stratum-v1/docs), of Ethereum's, or of Monero's, whose
// login has a password and names a program. Machines that nobody meant to mine
// are often told of by this alone.
func sniffStratum(_ Dir, b []byte) Match {
	if len(b) > 0 && b[0] != '{' {
		return No
	}
	line, _, whole := bytes.Cut(b, []byte("\n"))
	for _, method := range [...]string{
		`"mining.subscribe"`, `"mining.authorize"`, `"mining.configure"`, `"mining.notify"`, `"mining.set_difficulty"`, `"eth_submitLogin"`,
	} {
		if bytes.Contains(line, []byte(method)) {
			return Yes
		}
	}
	login := true
	for _, word := range [...]string{`"method"`, `"login"`, `"pass"`, `"agent"`} {
		login = login && bytes.Contains(line, []byte(word))
	}
	if login {
		return Yes
	}
	return maybeIf(!whole)
}
