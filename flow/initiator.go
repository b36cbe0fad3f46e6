package flow

import "time"

// TCP flags (RFC 9293, section 3.1).
const (
	TCPFin = 1 << iota
	TCPSyn
	TCPRst
	TCPPsh
	TCPAck
	TCPUrg
	TCPEce
	TCPCwr
)

// servicePort reports whether a port belongs to a service by registration and
// by what home and factory devices do. The table is short on purpose: taking
// any lower port for the server invents services, since devices use fixed low
// source ports and servers answer from high ones.
func servicePort(proto uint8, port uint16) bool {
	switch port {
	case 22, 25, 53, 80, 110, 139, 143, 443, 445, 465, 587, 631, 853, 993, 995, // shells, mail, web, files
		21, 23, 88, 389, 636, 1433, 3306, 3389, 5432, 5900, 6379, 8000, 8080, 8443, 9100, // logins, databases, web, printing
		554, 3478, 5060, 5061, 5222, 5223, 5228, 1883, 8883, 5671, 5672, // media, push channels, MQTT, AMQP
		102, 502, 1911, 2404, 4840, 18245, 20000, 34964, 44818, 47808: // S7, Modbus, Fox, IEC 104, OPC UA, SRTP, DNP3, PROFINET, EtherNet/IP, BACnet
		return proto == protoTCP || proto == protoUDP
	case 67, 69, 123, 137, 138, 161, 162, 500, 514, 1194, 1812, 1900, 3702, 4500, 5353, 5355, 5683, 5684, 51820:
		return proto == protoUDP
	}
	return false
}

// memoryWindow is for how long the orientation of an ended flow is kept: a
// device that sends one keep-alive an hour outlives every idle timeout, and
// only the handshake said who had opened the connection.
const memoryWindow = 2 * time.Hour

// remembered is the orientation of a flow that has ended.
type remembered struct {
	last      int64
	client    side
	initiator Initiator
}

// memory remembers who was the client of flows that ended lately. It keeps two
// generations, so that forgetting is one clear of a map; both are pointer-free.
type memory struct {
	capacity   int // per generation
	since      int64
	young, old map[uint64]remembered
}

func newMemory(capacity int) *memory {
	return &memory{capacity: capacity, young: make(map[uint64]remembered), old: make(map[uint64]remembered)}
}

// keep notes a flow that ended. The choice between two incarnations that ended
// at once does not depend on who is noted first.
func (m *memory) keep(id uint64, now int64, r remembered) {
	if now-m.since >= int64(memoryWindow) || len(m.young) >= m.capacity {
		m.old, m.young = m.young, m.old
		clear(m.young)
		m.since = now
	}
	if have, ok := m.young[id]; ok && (have.last > r.last || (have.last == r.last && have.client <= r.client)) {
		return
	}
	m.young[id] = r
}

// recall returns the orientation of the latest incarnation of a flow, if it
// was active within the memory window.
func (m *memory) recall(id uint64, now int64) (remembered, bool) {
	r, ok := m.young[id]
	if !ok {
		r, ok = m.old[id]
	}
	return r, ok && now-r.last <= int64(memoryWindow)
}

// orient decides at the first packet which end is the client. The decision is
// never revised, so that all events of a flow agree.
func (s *Shard) orient(e *entry, h *Headers, from side) {
	switch {
	case h.Proto == protoTCP && h.Flags&(TCPSyn|TCPRst) == TCPSyn:
		e.client, e.initiator = from, BySYN
		if h.Flags&TCPAck != 0 {
			e.client = from ^ 1
		}
		return
	case h.isICMP():
		e.client, e.initiator = from, ByFirstSeen
		if isReply(h) {
			e.client, e.initiator = from^1, ByPort
		}
		return
	}
	if r, ok := s.memory.recall(e.key.hash(0), s.now); ok {
		e.client, e.initiator = r.client, r.initiator
		return
	}
	src, dst := servicePort(h.Proto, h.SrcPort), servicePort(h.Proto, h.DstPort)
	switch {
	case dst && !src:
		e.client, e.initiator = from, ByPort
	case src && !dst:
		e.client, e.initiator = from^1, ByPort
	default:
		e.client, e.initiator = from, ByFirstSeen
	}
}

// isReply reports whether an ICMP message answers another.
func isReply(h *Headers) bool {
	if h.Proto == protoICMP {
		switch h.ICMPType {
		case 0, 14, 16, 18: // 9, a router advertisement, is mostly unsolicited
			return true
		}
		return false
	}
	return h.ICMPType == 129 || h.ICMPType == 140 || h.ICMPType == 145
}

// remember keeps the orientation of a flow that may come back: one that was
// seen both ways or whose handshake was seen answered.
func (s *Shard) remember(e *entry) {
	if e.packets[0] == 0 || e.packets[1] == 0 || e.class == classClosed || e.class == classICMP {
		return
	}
	s.memory.keep(e.key.hash(0), s.now, remembered{last: e.last, client: e.client, initiator: e.initiator})
}
