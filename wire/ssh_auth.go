package wire

// sshAuth infers the outcome of logins from the sizes of encrypted packets.
//
// The server's first answer accepts the service ssh-userauth and has a payload
// of 17 bytes (RFC 4253 section 10). Success has one of a single byte (RFC 4252
// section 5.1). Whatever the cipher and the MAC, padding makes the packet of
// the latter 16 bytes shorter than that of the former: 8 or 16 bytes against 24
// or 32, and the rest is the same. Refusals (section 5.1) of one connection are
// all alike, as they list what may be tried; the first one answers the request
// "none", with which clients ask for this list, and is not a failed login.
//
// A public key that a client offers and the server does not know counts as a
// failed login, as it does for the limit that servers set.
type sshAuth struct {
	useless bool // compressed before the login
	done    bool
	last    Dir  // of the last encrypted bytes
	asked   bool // the client has sent encrypted bytes
	accept  int  // bytes of the packet that accepts the service, 0: not seen yet
	refusal int  // bytes of the first refusal
	turns   int  // answers of the server
}

const (
	// The shortest and the longest packet that accepts the service: 24 to 36
	// bytes and no, or a 64-byte, MAC. What is longer is an SSH_MSG_EXT_INFO
	// (RFC 8308), which may come first.
	minSSHAccept = 24
	maxSSHAccept = 36 + 64
	// sshSuccessLess is how much shorter the packet of success is.
	sshSuccessLess = 16
	// maxSSHTurns bounds the answers that are judged. OpenSSH allows 6 attempts.
	maxSSHTurns = 64
)

// encrypted takes note of n encrypted bytes, which one end sent at once.
func (s *sshStream) encrypted(dir Dir, n int, msgs []Message) []Message {
	msgs = s.tell(msgs)
	if outcome := s.auth.judge(dir, n); outcome != OutcomeUnknown {
		msgs = append(msgs, &Login{Service: "ssh", Outcome: outcome, Inferred: true})
	}
	return msgs
}

// over is ErrDone when nothing more can be inferred.
func (a *sshAuth) over() error {
	if a.done || a.useless || a.turns > maxSSHTurns {
		return ErrDone
	}
	return nil
}

// judge returns the outcome that the bytes at hand mean, if any.
func (a *sshAuth) judge(dir Dir, n int) Outcome {
	again := a.last == dir
	a.last = dir
	if dir == FromClient {
		a.asked = true
		return OutcomeUnknown
	}
	if !a.asked || again && a.accept > 0 {
		return OutcomeUnknown // not an answer, or the rest of one
	}
	a.turns++
	switch {
	case a.accept == 0:
		if n >= minSSHAccept && n <= maxSSHAccept {
			a.accept = n
		}
	case n == a.accept-sshSuccessLess:
		a.done = true
		return Succeeded
	case a.refusal == 0:
		a.refusal = n
	case n == a.refusal:
		return Failed
	}
	return OutcomeUnknown
}
