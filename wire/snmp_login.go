package wire

import (
	"hash/maphash"
	"slices"
)

const (
	maxSNMPWaiting = 16 // logins of a flow that wait for an answer
	maxSNMPLogins  = 64 // that are told of a flow
)

// snmpLogins judges what requests present, a community or a user, by what comes
// back: agents answer who has access and stay silent, or report statistics of
// the user-based security model (RFC 3414 section 3.2), to others. An answer
// carries what its request presented, so that who guesses communities is told
// the right one. Polling is told once.
type snmpLogins struct {
	waiting []snmpLogin // oldest first
	told    []snmpTold
}

// snmpLogin is a login that waits for its answer, by a hash of what it
// presented.
type snmpLogin struct {
	key   uint64
	from  Dir
	login *Login
}

type snmpTold struct {
	key     uint64
	outcome Outcome
}

// presented hashes the community or the user, 0 if there is none.
func (f *snmpFlow) presented(p *snmpPacket) uint64 {
	if p.msg.Version < 3 {
		return maphash.Bytes(f.seed, p.community) | 1
	}
	if p.msg.User == "" {
		return 0 // discovery of an engine
	}
	return maphash.String(f.seed, p.msg.User) &^ 1
}

func (s *snmpLogins) read(dir Dir, p *snmpPacket, key uint64, msgs []Message) []Message {
	switch p.pdu {
	case snmpTrap1, snmpTrap2:
		return msgs
	case snmpResponse:
		return s.succeeded(dir, key, msgs)
	case snmpReport:
		if usmOutcome(p.msg.Vars) == Failed {
			return s.failed(dir, key, msgs)
		}
		return msgs
	}
	if p.msg.Encrypted && !p.confirmed {
		return s.succeeded(dir, key, msgs) // or a trap, which waits for nothing
	}
	if key == 0 || s.find(dir, key) >= 0 || slices.Contains(s.told, snmpTold{key, Succeeded}) || len(s.told) == maxSNMPLogins {
		return msgs
	}
	if len(s.waiting) == maxSNMPWaiting {
		msgs = s.end(0, OutcomeUnknown, msgs)
	}
	s.waiting = append(s.waiting, snmpLogin{key, dir, p.login()})
	return msgs
}

// login is what a message presents.
func (p *snmpPacket) login() *Login {
	l := &Login{Service: "snmp", User: p.msg.User, Mechanism: "community"}
	switch {
	case p.msg.Version < 3:
		l.Clear, l.Default = true, factoryDefault(nil, p.community)
	case p.auth:
		l.Mechanism = "USM"
	default:
		l.Mechanism = "none"
	}
	return l
}

// succeeded ends the login that is answered.
func (s *snmpLogins) succeeded(dir Dir, key uint64, msgs []Message) []Message {
	i := s.find(dir.Other(), key)
	if i < 0 {
		return msgs
	}
	s.waiting[i].login.Inferred = true
	return s.end(i, Succeeded, msgs)
}

// failed ends the login that is refused: a report names its user, or nobody.
func (s *snmpLogins) failed(dir Dir, key uint64, msgs []Message) []Message {
	i := s.find(dir.Other(), key)
	if i < 0 && key == 0 && len(s.waiting) == 1 && s.waiting[0].from != dir {
		i = 0
	}
	if i < 0 {
		return msgs
	}
	return s.end(i, Failed, msgs)
}

// find returns which login of dir waits, -1 if none with this key does.
func (s *snmpLogins) find(dir Dir, key uint64) int {
	return slices.IndexFunc(s.waiting, func(w snmpLogin) bool { return w.from == dir && w.key == key })
}

// end takes a login off the waiting ones and tells it, each outcome once.
func (s *snmpLogins) end(i int, o Outcome, msgs []Message) []Message {
	w := s.waiting[i]
	s.waiting = slices.Delete(s.waiting, i, i+1)
	t := snmpTold{w.key, o}
	if len(s.told) == maxSNMPLogins || slices.Contains(s.told, t) {
		return msgs
	}
	s.told = append(s.told, t)
	w.login.Outcome = o
	return append(msgs, w.login)
}

// flush tells what dir will not answer any more.
func (s *snmpLogins) flush(dir Dir, msgs []Message) []Message {
	for i := 0; i < len(s.waiting); {
		if s.waiting[i].from == dir {
			i++
			continue
		}
		msgs = s.end(i, OutcomeUnknown, msgs)
	}
	return msgs
}

// usmOutcome: unknown user names (3), wrong digests (5) and decryption errors
// (6) refuse; the other reports are part of discovery.
func usmOutcome(vars []string) Outcome {
	for _, v := range vars {
		if len(v) > len(usmStatistics) && v[:len(usmStatistics)] == usmStatistics {
			switch v[len(usmStatistics)] {
			case '3', '5', '6':
				return Failed
			}
		}
	}
	return OutcomeUnknown
}

// Flush implements Flusher.
func (f *snmpFlow) Flush(dir Dir, _ []byte, msgs []Message) []Message {
	return f.logins.flush(dir, msgs)
}
