package wire

import "strings"

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
// failed login, as it does for the limit that servers set. What does not count
// is a signature refused after its key was accepted, as more is asked for, and
// the request for a dialogue (RFC 4256) that a server has no questions for.
type sshAuth struct {
	useless bool // compressed before the login
	done    bool
	last    Dir // of the last encrypted bytes
	asked   int // bytes that the client has sent since the server's last answer
	service int // bytes with which the client asked for the service
	accept  int // bytes of the packet that accepts it, 0: not seen yet
	refusal int // bytes of a refusal, 0: not known yet
	turns   int // answers of the server

	in, out  sshSizes // packets of the client and of the server
	openSSH  bool     // who the client is: it pads what holds a password to 64 bytes
	paramiko bool     // who the client is: it does not ask for the list first
	none     int      // bytes of the request "none", 0 if there was none
	answered bool     // a request of the login
	accepted bool     // the last answer accepts a key, and wants its signature
	other    bool     // the last answer is no refusal: a question, mostly
	dialogue bool     // a refusal was taken for that of a dialogue, or for a question
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

// Lengths of payloads (RFC 4252, RFC 4256).
const (
	sshSuccess = 1
	// A refusal lists methods: "password", or all that OpenSSH can be built
	// with but for one.
	sshMinRefusal = 1 + 4 + len("password") + 1
	sshMaxRefusal = 1 + 4 + len("publickey,gssapi-keyex,gssapi-with-mic,password") + 1
	// A refusal that offers a dialogue is longer than the usual one without.
	sshUsualRefusal = 1 + 4 + len("publickey,password") + 1
	sshBothRefusal  = 1 + 4 + len("publickey,password,keyboard-interactive") + 1
	// "none" has the user's name, of 1 to 64 bytes, and two other names.
	sshNone    = 1 + 4 + 4 + len("ssh-connection") + 4 + len("none")
	sshMaxNone = sshNone + 64
	// The request for a dialogue is that much longer: a longer name, and two
	// strings that clients leave empty.
	sshDialogueMore = len("keyboard-interactive") - len("none") + 4 + 4
	// sshOpenSession is what a client sends after success (RFC 4254 section 5.1).
	sshOpenSession = 1 + 4 + len("session") + 4 + 4 + 4
	// sshMinAccepted is an accepted key's answer, which repeats it: Ed25519.
	sshMinAccepted = 1 + 4 + len("ssh-ed25519") + 4 + 51
)

// encrypted takes note of n encrypted bytes, which one end sent at once.
func (s *sshStream) encrypted(dir Dir, n int, msgs []Message) []Message {
	msgs = s.tell(msgs)
	if outcome := s.auth.judge(dir, n); outcome != OutcomeUnknown {
		msgs = append(msgs, &Login{Service: "ssh", Outcome: outcome, Inferred: true})
	}
	return msgs
}

// agree notes what both ends have agreed on, and who the client is.
func (a *sshAuth) agree(client, server *sshHalf) {
	c, v := &client.lists, &server.lists
	// Sizes tell nothing about what is compressed.
	a.useless = agreed(c.deflate[1], v.deflate[1]) == "zlib"
	a.in = sshSizesOf(agreed(c.cipher[0], v.cipher[0]), agreed(c.mac[0], v.mac[0]))
	a.out = sshSizesOf(agreed(c.cipher[1], v.cipher[1]), agreed(c.mac[1], v.mac[1]))
	a.openSSH = strings.HasPrefix(client.end.Software, "OpenSSH")
	a.paramiko = strings.HasPrefix(client.end.Software, "paramiko")
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
		if !again {
			a.asked = 0
		}
		a.asked += n
		return OutcomeUnknown
	}
	if a.asked == 0 || again && a.accept > 0 {
		return OutcomeUnknown // not an answer, or the rest of one
	}
	a.turns++
	switch {
	case a.accept == 0:
		if n >= minSSHAccept && n <= maxSSHAccept {
			a.accept, a.service = n, a.asked
		}
		return OutcomeUnknown
	case a.isSuccess(n):
		a.done = true
		return Succeeded
	case a.out.block != 0 && n == a.accept && a.asked == a.service:
		return OutcomeUnknown // Paramiko asks for the service each time
	}
	return a.refused(n)
}

// isSuccess tells the packet of success.
func (a *sshAuth) isSuccess(n int) bool {
	if n == a.accept-sshSuccessLess {
		return true
	}
	if a.paramiko && a.other && a.refusal == 0 && a.asked != a.service && a.asked == a.in.of(sshOpenSession) {
		return true // it had come with a banner
	}
	shortest := a.out.of(sshSuccess)
	return shortest > 0 && shortest-a.out.mac < sshMinPacket && n == shortest+a.out.block
}

// refused judges an answer that is not success.
func (a *sshAuth) refused(n int) Outcome {
	first := !a.answered
	a.answered = true
	plausible := a.mayRefuse(n)
	if first && a.isNone() {
		a.none = a.asked
		if plausible {
			a.refusal = n
		}
		return OutcomeUnknown
	}
	dialogue := !a.other && a.isDialogue()
	if a.refusal == 0 && plausible && !dialogue { // the first one came with a banner
		a.refusal = n
	}
	accepted := a.accepted
	shortest, _, known := a.out.payload(n)
	a.other = n != a.refusal
	a.accepted = a.other && a.refusal != 0 && known && shortest+a.out.block > sshMinAccepted
	if a.other || accepted || dialogue && a.offersDialogue() {
		return OutcomeUnknown
	}
	return Failed
}

// mayRefuse reports whether an answer of n bytes can be a refusal alone, without
// a banner before it.
func (a *sshAuth) mayRefuse(n int) bool {
	if a.out.block == 0 {
		return true
	}
	shortest, longest, ok := a.out.payload(n)
	return ok && longest >= sshMinRefusal && shortest <= sshMaxRefusal
}

// isNone reports whether the first request of a login is "none".
func (a *sshAuth) isNone() bool {
	shortest, longest, ok := a.in.payload(a.asked)
	if a.paramiko { // its passwords are not padded; most have 8 bytes and more
		return ok && longest < sshNone+len("administrator")
	}
	return !ok || shortest <= sshMaxNone
}

// isDialogue reports whether OpenSSH has asked for a dialogue. What it sends
// with a short password can be as long.
func (a *sshAuth) isDialogue() bool {
	shortest, longest, ok := a.in.payload(a.none)
	return ok && a.openSSH && (a.asked == a.in.of(shortest+sshDialogueMore) || a.asked == a.in.of(longest+sshDialogueMore))
}

// offersDialogue reports whether the refusals list dialogues, so that the answer
// to a request for one is a question, which can be as long as a refusal, or a
// refusal at once, after which OpenSSH asks for a password.
func (a *sshAuth) offersDialogue() bool {
	shortest, longest, ok := a.out.payload(a.refusal)
	if !ok || shortest <= sshUsualRefusal {
		return false
	}
	before := a.dialogue
	a.dialogue = !before || longest >= sshBothRefusal
	return !before
}
