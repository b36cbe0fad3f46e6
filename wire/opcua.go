package wire

import "fmt"

// OPCUA is one message of OPC UA over TCP (OPC 10000-6 "Mappings") as far as it
// crosses in clear. With a security policy that encrypts, which services are
// called is not seen.
type OPCUA struct {
	Kind     string // message type: "HEL" "ACK" "ERR" "RHE" "OPN" "CLO" "MSG"
	Response bool
	Channel  uint32 // secure channel; 0 for HEL, ACK and ERR
	Request  uint32 // number that a response has in common with its request
	Endpoint string // URL of a hello, at most 256 bytes
	// Policy is the last part of the URI of the security policy ("None",
	// "Basic256Sha256") and Mode the security mode of an OPN: 1 none, 2 sign,
	// 3 sign and encrypt; 0 if it cannot be read.
	Policy string
	Mode   uint32
	// Service is the identifier of the binary encoding of a request or
	// response (OPC 10000-6 annex A); 0 if it cannot be read.
	Service uint32
	// Status is the status code of an error or of the header of a response.
	Status    uint32
	Truncated bool // some of what is looked at was never seen
}

// Protocol implements Message.
func (*OPCUA) Protocol() string { return "opcua" }

const (
	opcuaHeader   = 8
	opcuaHead     = 4 << 10
	maxOPCUASize  = 1 << 24
	maxEndpoint   = 256
	maxPolicy     = 64
	opcuaInFlight = 16 // logins that wait for their answer

	opcuaActivate        = 467
	opcuaActivateAnswer  = 470
	opcuaFault           = 397
	opcuaOpen            = 446
	opcuaTokenAnonymous  = 321
	opcuaTokenUser       = 324
	opcuaTokenCert       = 327
	opcuaTokenIssued     = 940
	opcuaPolicyPrefix    = "http://opcfoundation.org/UA/SecurityPolicy#"
	opcuaStatusBad       = 0x80000000
	opcuaAllSecureChunks = 'F'
)

var errOPCUA = fmt.Errorf("read opc ua header: %w", ErrNotMine)

// sniffOPCUA recognises the header of a hello, its acknowledgement, an error
// or a message on a channel.
func sniffOPCUA(_ Dir, b []byte) Match {
	if len(b) < opcuaHeader {
		for i := range min(len(b), 4) {
			if !opcuaLetter(b, i) {
				return No
			}
		}
		return Maybe
	}
	kind, size := opcuaKind(b), opcuaSize(b)
	switch kind {
	case "HEL":
		return matchIf(size >= 32 && size <= 32+4096)
	case "ACK":
		return matchIf(size == 28)
	case "ERR":
		return matchIf(size >= 16 && size <= 16+4096)
	case "RHE":
		return matchIf(size >= 16 && size <= 16+2*4096)
	case "OPN", "CLO", "MSG":
		return matchIf(size >= 24 && size <= maxOPCUASize)
	}
	return No
}

// opcuaLetter reports whether b[i] may stand in a header.
func opcuaLetter(b []byte, i int) bool {
	if i == 3 {
		return b[3] == 'F' || b[3] == 'C' || b[3] == 'A'
	}
	for _, kind := range [...]string{"HEL", "ACK", "ERR", "RHE", "OPN", "CLO", "MSG"} {
		if string(b[:i+1]) == kind[:i+1] {
			return true
		}
	}
	return false
}

// opcuaKind is the message type; "" if it is unknown.
func opcuaKind(b []byte) string {
	if b[3] != 'F' && (b[3] != 'C' && b[3] != 'A' || b[0] != 'M') {
		return ""
	}
	for _, kind := range [...]string{"HEL", "ACK", "ERR", "RHE", "OPN", "CLO", "MSG"} {
		if string(b[:3]) == kind {
			return kind
		}
	}
	return ""
}

func opcuaSize(b []byte) int {
	return int(b[4]) | int(b[5])<<8 | int(b[6])<<16 | int(b[7])<<24
}

// opcuaFraming is the state of one connection.
type opcuaFraming struct {
	secured bool // the policy of the channel is not None
	logins  []opcuaLogin
}

// opcuaLogin is an activation of a session that waits for its answer.
type opcuaLogin struct {
	request uint32
	login   *Login
}

// opcuaStream is a framedStream that gives out unanswered logins in the end.
type opcuaStream struct {
	framedStream
	f opcuaFraming
}

func newOPCUAStream() Stream {
	s := &opcuaStream{}
	s.framing, s.head = &s.f, opcuaHead
	return s
}

// Flush implements Flusher.
func (s *opcuaStream) Flush(dir Dir, b []byte, msgs []Message) []Message {
	msgs = s.framedStream.Flush(dir, b, msgs)
	for _, p := range s.f.logins {
		msgs = append(msgs, p.login)
	}
	s.f.logins = nil
	return msgs
}

var _ Flusher = (*opcuaStream)(nil)

func (*opcuaFraming) size(b []byte) (int, error) {
	if len(b) < opcuaHeader {
		return 0, nil
	}
	if sniffOPCUA(FromClient, b) == No {
		return 0, errOPCUA
	}
	return opcuaSize(b), nil
}

func (f *opcuaFraming) read(dir Dir, b []byte, _ bool, msgs []Message) ([]Message, error) {
	if len(b) < opcuaHeader {
		return msgs, nil
	}
	m := &OPCUA{Kind: opcuaKind(b), Response: dir == FromServer}
	c := cursor{b: b[opcuaHeader:]}
	var login *Login
	switch m.Kind {
	case "HEL":
		m.Response = false
		c.skip(20) // version, buffer sizes, message size, chunks
		m.Endpoint = opcuaText(&c, maxEndpoint)
	case "RHE":
		opcuaBytes(&c) // URI of the server
		m.Endpoint = opcuaText(&c, maxEndpoint)
	case "ACK":
		m.Response = true
	case "ERR":
		m.Response = true
		m.Status = c.le32()
	case "OPN":
		m.open(&c)
		f.secured = m.Policy != "None"
	case "CLO", "MSG":
		m.Channel = c.le32()
		c.skip(4) // token
		login = f.message(m, &c, b[3])
	}
	m.Truncated = c.short
	msgs = append(msgs, m)
	if login != nil {
		msgs = append(msgs, login)
	}
	return msgs, nil
}

// open reads an OpenSecureChannel message, whose header names the policy.
func (m *OPCUA) open(c *cursor) {
	m.Channel = c.le32()
	policy := opcuaText(c, len(opcuaPolicyPrefix)+maxPolicy)
	if len(policy) > len(opcuaPolicyPrefix) && policy[:len(opcuaPolicyPrefix)] == opcuaPolicyPrefix {
		m.Policy = policy[len(opcuaPolicyPrefix):]
	}
	opcuaBytes(c) // certificate of the sender
	opcuaBytes(c) // thumbprint of the receiver's
	if m.Policy != "None" || c.short {
		return
	}
	c.skip(4) // sequence number
	m.Request = c.le32()
	m.Service = opcuaNode(c)
	if m.Service != opcuaOpen {
		m.answer(c)
		return
	}
	opcuaRequestHeader(c)
	c.skip(8) // protocol version, request type
	if mode := c.le32(); !c.short {
		m.Mode = mode
	}
}

// message reads a service call if it can be read. It returns a login that is
// decided.
func (f *opcuaFraming) message(m *OPCUA, c *cursor, chunk byte) *Login {
	c.skip(4) // sequence number
	request := c.le32()
	body := *c
	node := opcuaNode(&body)
	if body.short || opcuaService(node).name == "" {
		c.short = c.short || body.short && !f.secured
		return nil // encrypted, a service that is not known here, or a later chunk
	}
	*c = body
	m.Request, m.Service, m.Response = request, node, opcuaService(node).answer
	if m.Response {
		m.answer(c)
		return f.decide(m)
	}
	if node == opcuaActivate && chunk == opcuaAllSecureChunks {
		if login := opcuaIdentity(c); login != nil && len(f.logins) < opcuaInFlight {
			f.logins = append(f.logins, opcuaLogin{request, login})
		}
	}
	return nil
}

// decide ends the login that a response answers.
func (f *opcuaFraming) decide(m *OPCUA) *Login {
	if m.Service != opcuaActivateAnswer && m.Service != opcuaFault {
		return nil
	}
	for i, p := range f.logins {
		if p.request != m.Request {
			continue
		}
		f.logins = append(f.logins[:i], f.logins[i+1:]...)
		p.login.Outcome = Succeeded
		if m.Status&opcuaStatusBad != 0 {
			p.login.Outcome = Failed
		}
		return p.login
	}
	return nil
}

// answer reads the header of a response: time, handle, result.
func (m *OPCUA) answer(c *cursor) {
	c.skip(8 + 4)
	if status := c.le32(); !c.short {
		m.Status = status
	}
}

// opcuaIdentity reads who activates a session (OPC 10000-4 section 5.6.3); nil
// if the bytes are not all there.
func opcuaIdentity(c *cursor) *Login {
	opcuaRequestHeader(c)
	opcuaBytes(c) // algorithm and signature of the client
	opcuaBytes(c)
	for range opcuaCount(c) { // certificates
		opcuaBytes(c)
		opcuaBytes(c)
	}
	for range opcuaCount(c) { // locales
		opcuaBytes(c)
	}
	kind := opcuaNode(c)
	encoding := c.u8()
	body := cursor{b: opcuaBytes(c)}
	if c.short || encoding != 1 {
		return nil
	}
	opcuaBytes(&body) // identifier of the token's policy
	l := &Login{Service: "opcua"}
	switch kind {
	case opcuaTokenAnonymous:
		l.Mechanism = "anonymous"
	case opcuaTokenCert:
		l.Mechanism = "certificate"
	case opcuaTokenIssued:
		l.Mechanism = "issued token"
	case opcuaTokenUser:
		l.Mechanism = "password"
		user, secret, algorithm := opcuaBytes(&body), opcuaBytes(&body), opcuaBytes(&body)
		if body.short {
			return nil
		}
		l.User = userText(user)
		if len(algorithm) == 0 && len(secret) > 0 {
			l.Clear, l.Default = true, factoryDefault(user, secret)
		}
	default:
		return nil
	}
	return l
}

// opcuaRequestHeader passes over the header of a request (OPC 10000-4 section
// 7.33).
func opcuaRequestHeader(c *cursor) {
	opcuaNode(c)      // authentication token
	c.skip(8 + 4 + 4) // time, handle, diagnostics
	opcuaBytes(c)     // audit entry
	c.skip(4)         // timeout
	opcuaNode(c)      // additional header
	if c.u8() != 0 {
		opcuaBytes(c)
	}
}

// opcuaBytes reads a string or byte string: a length, -1 for null.
func opcuaBytes(c *cursor) []byte {
	n := int32(c.le32())
	if n <= 0 {
		return nil
	}
	return c.take(int(n))
}

// opcuaCount reads the length of an array, -1 for null. More than 32 entries
// are none that this parser could pass over.
func opcuaCount(c *cursor) int {
	const most = 32
	n := int32(c.le32())
	if n > most {
		c.take(-1)
	}
	return int(min(max(n, 0), most))
}

func opcuaText(c *cursor, limit int) string {
	b := opcuaBytes(c)
	return plainText(b[:min(len(b), limit)])
}

// opcuaNode reads a node identifier (OPC 10000-6 section 5.2.2.9) and returns
// its number if it is a numeric one of the standard's namespace, else 0.
func opcuaNode(c *cursor) uint32 {
	switch c.u8() & 0x3f {
	case 0:
		return uint32(c.u8())
	case 1:
		if namespace, id := c.u8(), c.le16(); namespace == 0 {
			return uint32(id)
		}
	case 2:
		if namespace, id := c.le16(), c.le32(); namespace == 0 {
			return id
		}
	case 3, 5:
		c.skip(2)
		opcuaBytes(c)
	case 4:
		c.skip(2 + 16)
	default:
		c.take(-1)
	}
	return 0
}
