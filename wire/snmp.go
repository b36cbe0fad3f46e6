package wire

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"strconv"
)

// SNMP is a message of SNMP 1 (RFC 1157), 2c (RFC 1901) or 3 (RFC 3412) unlike
// those before it on its flow: polling repeats itself. Communities are secrets
// and never kept.
type SNMP struct {
	Version   uint8     // 1, 2, 3
	PDU       string    // "get_request", "response" ...; "" if encrypted
	User      string    // of the user-based security model of 3
	Encrypted bool      // the PDU is
	Error     int       // error-status of a response (RFC 3416 section 3), 0 if none
	Vars      []string  // object identifiers, at most 8
	Trap      *SNMPTrap // of a trap of version 1
	Truncated bool      // cut by the snap length
}

// SNMPTrap is what a trap of version 1 reports (RFC 1157 section 4.1.6).
type SNMPTrap struct {
	Enterprise string     // object identifier of what reports
	Agent      netip.Addr // that it names, the zero Addr if none
	Generic    int        // 0 coldStart ... 6 enterpriseSpecific
}

// Protocol implements Message.
func (*SNMP) Protocol() string { return "snmp" }

// Types of PDUs by their tag, from 0xa0.
var snmpPDUs = [...]string{
	"get_request", "get_next_request", "response", "set_request", "trap_v1",
	"get_bulk_request", "inform_request", "trap_v2", "report",
}

const (
	snmpResponse  = 2
	snmpTrap1     = 4
	snmpTrap2     = 7
	snmpReport    = 8
	maxSNMPVars   = 8
	maxOIDParts   = 64
	maxSNMPKinds  = 16 // kinds of messages that are told apart on a flow
	snmpPrivacy   = 2  // msgFlags
	snmpAuthFlag  = 1
	snmpConfirmed = 4 // reportable, RFC 3412 section 6.4
	usmStatistics = "1.3.6.1.6.3.15.1.1."
)

var (
	errSNMPKind = fmt.Errorf("read snmp: not a message of version 1, 2c or 3: %w", ErrNotMine)
	errSNMPCut  = fmt.Errorf("read snmp: %w", ErrTruncated)
)

// snmpFlow follows the messages between a manager and an agent.
type snmpFlow struct {
	seen   []uint64
	seed   maphash.Seed
	logins snmpLogins
}

func newSNMPFlow() Datagrams { return &snmpFlow{seed: maphash.MakeSeed()} }

var _ Flusher = (*snmpFlow)(nil)

// sniffSNMP recognises a complete message by its structure.
func sniffSNMP(b []byte) bool {
	p, err := parseSNMP(b)
	return err == nil && !p.msg.Truncated && len(p.rest) == 0
}

// snmpPacket is a message with what must not be kept of it.
type snmpPacket struct {
	msg       SNMP
	pdu       int
	community []byte
	auth      bool
	confirmed bool   // of version 3: it is to be answered, as traps and answers are not
	rest      []byte // behind the message
}

func parseSNMP(b []byte) (*snmpPacket, error) {
	if len(b) < 2 || b[0] != berSequence {
		return nil, errSNMPKind
	}
	outer := inner(b)
	r := inner(outer.want(berSequence))
	p := &snmpPacket{rest: outer.b, pdu: -1}
	p.msg.Truncated = outer.short
	version := berInt(r.want(berInteger))
	switch version {
	case 0, 1:
		p.msg.Version = uint8(version) + 1
		p.community = r.want(berOctets)
	case 3:
		p.msg.Version = 3
		r = p.user(r)
	default:
		return nil, errSNMPKind
	}
	if r == nil {
		return p, nil // encrypted
	}
	tag, body := r.next()
	if r.short && !p.msg.Truncated || int(tag) < 0xa0 || int(tag)-0xa0 >= len(snmpPDUs) {
		if p.msg.Truncated {
			return nil, errSNMPCut
		}
		return nil, errSNMPKind
	}
	p.pdu = int(tag) - 0xa0
	p.msg.PDU = snmpPDUs[p.pdu]
	if !p.pduBody(inner(body)) && !p.msg.Truncated {
		return nil, errSNMPKind
	}
	return p, nil
}

// user reads the header of version 3 and returns the reader of its PDU, nil if
// that is encrypted.
func (p *snmpPacket) user(r *berReader) *berReader {
	global := inner(r.want(berSequence))
	global.want(berInteger)
	global.want(berInteger)
	flags := global.want(berOctets)
	global.want(berInteger)
	security := inner(inner(r.want(berOctets)).want(berSequence))
	security.want(berOctets) // engine
	security.want(berInteger)
	security.want(berInteger)
	p.msg.User = userText(security.want(berOctets))
	if len(flags) == 1 {
		p.auth, p.confirmed = flags[0]&snmpAuthFlag != 0, flags[0]&snmpConfirmed != 0
		if flags[0]&snmpPrivacy != 0 {
			p.msg.Encrypted = true
			return nil
		}
	}
	scoped := inner(r.want(berSequence))
	scoped.want(berOctets)
	scoped.want(berOctets)
	return scoped
}

// pduBody reads a PDU; it reports whether it is well-formed.
func (p *snmpPacket) pduBody(r *berReader) bool {
	if p.pdu == snmpTrap1 {
		trap := &SNMPTrap{Enterprise: oidText(r.want(berOID))}
		if _, agent := r.next(); len(agent) == 4 {
			trap.Agent = addr4(agent)
		}
		trap.Generic = berInt(r.want(berInteger))
		r.want(berInteger)
		p.msg.Trap = trap
		r.next()
	} else {
		r.want(berInteger)
		status := berInt(r.want(berInteger))
		r.want(berInteger)
		if p.pdu == snmpResponse {
			p.msg.Error = max(status, 0) // cut off: it is not known
		}
	}
	list := inner(r.want(berSequence))
	for len(list.b) > 0 && len(p.msg.Vars) < maxSNMPVars {
		v := inner(list.want(berSequence))
		if oid := oidText(v.want(berOID)); !v.short {
			p.msg.Vars = append(p.msg.Vars, oid)
		}
	}
	return !r.short && !list.short
}

// oidText writes an object identifier in dotted form, its first 64 numbers.
func oidText(v []byte) string {
	if len(v) == 0 {
		return ""
	}
	out, n, parts := make([]byte, 0, 48), uint64(0), 0
	for i, c := range v {
		n = n<<7 | uint64(c&0x7f)
		if c&0x80 != 0 {
			continue
		}
		if parts == 0 { // two numbers in one (X.690 section 8.19.4)
			first := min(n/40, 2)
			out = strconv.AppendUint(out, first, 10)
			n -= 40 * first
		}
		out = strconv.AppendUint(append(out, '.'), n, 10)
		if n, parts = 0, parts+1; parts == maxOIDParts || i == len(v)-1 {
			break
		}
	}
	return string(out)
}

// Datagram implements Datagrams.
func (f *snmpFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	p, err := parseSNMP(b)
	if err != nil {
		return msgs, err
	}
	if f.isNew(dir, p) {
		m := p.msg
		msgs = append(msgs, &m)
	}
	return f.logins.read(dir, p, f.presented(p), msgs), nil
}

// isNew reports whether no message of this kind came before.
func (f *snmpFlow) isNew(dir Dir, p *snmpPacket) bool {
	var h maphash.Hash
	h.SetSeed(f.seed)
	for _, b := range [...]byte{byte(dir), p.msg.Version, byte(p.pdu), byte(p.msg.Error)} {
		_ = h.WriteByte(b) // never fails
	}
	if t := p.msg.Trap; t != nil {
		_ = h.WriteByte(byte(t.Generic))
		_, _ = h.WriteString(t.Enterprise)
	}
	_, _ = h.Write(p.community)
	_, _ = h.WriteString(p.msg.User)
	sum := h.Sum64()
	for _, s := range f.seen {
		if s == sum {
			return false
		}
	}
	if len(f.seen) == maxSNMPKinds {
		return false
	}
	f.seen = append(f.seen, sum)
	return true
}
