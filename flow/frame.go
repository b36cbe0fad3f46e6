package flow

import (
	"errors"

	"gatehouse/wire"
)

// frameRow says which row of the protocols reads frames of an EtherType. There
// are so few, and so few frames without IP, that a list is searched.
type frameRow struct {
	etherType uint16
	row       int
}

// arp hands out an ARP message.
func (s *Shard) arp(h *Headers) {
	m, err := wire.ParseARP(h.Payload)
	if err != nil {
		s.stats.ParseErrors++
		return
	}
	s.link(h, m)
}

// frame hands out what the protocol of a frame without IP says, if it is one
// that can be read.
func (s *Shard) frame(h *Headers) {
	for _, f := range s.frameRows {
		if f.etherType != h.EtherType {
			continue
		}
		m, err := s.callBytes(s.protocols[f.row].Frame, h.Payload)
		if err == nil && m != nil {
			s.stats.Frames++
			s.link(h, m)
			return
		}
		if !errors.Is(err, wire.ErrNotMine) {
			s.stats.ParseErrors++
		}
	}
	s.stats.Refused[NonIP]++
}

// link emits a message that belongs to no flow.
func (s *Shard) link(h *Headers, m wire.Message) {
	s.count(m)
	if s.habits.repeats(h.conversation(), m, s.now) {
		s.stats.Repeats++
		return
	}
	s.events = append(s.events, Event{
		Kind: Frame, Time: s.now, Seq: s.seq,
		Record: Record{
			Client: Endpoint{MAC: h.SrcMAC}, Server: Endpoint{MAC: h.DstMAC},
			VLAN: h.VLAN, Iface: s.iface, Tunnel: h.Depth > 0, First: s.now, Last: s.now,
		},
		Messages: []wire.Message{m},
	})
}

// ipMessage parses a message directly above IP: ICMP, IGMP.
func (s *Shard) ipMessage(e *entry, h *Headers) {
	row := s.ipRow[h.Proto]
	if row == 0 {
		return
	}
	b := h.Payload
	if h.isICMP() {
		b = h.ICMP
	}
	m, err := s.callBytes(s.protocols[row-1].Packet, b)
	switch {
	case err == nil && m != nil:
		s.found(e, m)
	case err == nil:
		s.name(e, row)
	case !errors.Is(err, wire.ErrNotMine):
		s.stats.ParseErrors++
	}
}
