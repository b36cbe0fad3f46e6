package flow

import (
	"math"
	"slices"

	"gatehouse/wire"
)

// Shard turns the frames of some host pairs into flow events. It owns one flow
// table and its scratch memory, and belongs to one goroutine. ShardOf says
// which frames go to which shard.
type Shard struct {
	cfg        Config
	protocols  []wire.Protocol
	recogniser recogniser
	frameRows  []frameRow
	ipRow      [256]uint8 // by IP protocol: a row number plus one, 0 for none

	table  *table
	memory *memory
	frags  reassembler

	newcomers, speakers allowance // of futile flows under pressure

	heads  bool    // the frame at hand is a head
	ledger *ledger // of flows that a kernel counts; nil before the first

	streams  streamPool
	expected expectations
	habits   habits
	expire   func(ref) // s.timeout, bound once

	now     int64
	started bool
	ahead   [lookahead]glance
	iface   uint16 // of the frame at hand
	seq     uint64

	events   []Event
	messages []wire.Message // found in the frame at hand
	places   []wire.Message // for those of the next events
	stats    Stats
	flood    flood
	apps     []string // names of protocols seen; entry.app is an index + 1
	parsed   []uint64 // messages, by index into apps

	parsedNow []wire.Message // scratch of one call into a parser
}

// NewShard returns a shard that reads payloads with the given protocols. The
// configuration must be valid.
func NewShard(cfg Config, protocols []wire.Protocol) *Shard {
	s := &Shard{
		cfg: cfg,
		// A row number has to fit an entry's byte.
		protocols: protocols[:min(len(protocols), 255)],
		table: newTable(cfg.MaxFlows, cfg.Seed, [numClasses]int64{
			classOpening:     int64(cfg.HalfOpen),
			classEstablished: int64(cfg.Established),
			classClosed:      int64(cfg.Closed),
			classUDP:         int64(cfg.UDP),
			classICMP:        int64(cfg.ICMP),
			classOther:       int64(cfg.Other),
		}),
		memory:  newMemory(cfg.MaxFlows),
		frags:   reassembler{maxDatagrams: cfg.MaxDatagrams, maxBytes: cfg.MaxFragments},
		streams: streamPool{maxStreams: cfg.MaxStreams, maxBytes: cfg.MaxStreamBytes},
	}
	s.expire = s.timeout
	s.habits.every, s.habits.seed = int64(cfg.Habits), cfg.Seed
	for i := range s.protocols {
		p := &s.protocols[i]
		for _, t := range p.EtherTypes {
			s.frameRows = append(s.frameRows, frameRow{t, i})
		}
		for _, proto := range p.IPProtos {
			s.ipRow[proto] = uint8(i + 1)
		}
	}
	s.learn()
	return s
}

func (s *Shard) setNow(now int64) {
	if !s.started {
		s.started, s.now = true, min(now, math.MaxInt64-1)
		s.table.wheel.start(s.now)
	}
	// Below the latest deadline there can be, so that the flow of the packet at
	// hand is never due itself.
	s.now = min(max(s.now, now), math.MaxInt64-1)
}

// Advance ends all flows whose timeout is due at or before now. The events of
// later frames will not be earlier than now.
func (s *Shard) Advance(now int64) {
	s.setNow(now)
	s.table.advance(s.now, s.expire)
	s.frags.expire(s.now)
}

// Close ends every flow, first those that have timed out.
func (s *Shard) Close(now int64) {
	s.Advance(now)
	s.seq = SeqClose
	s.events = slices.Grow(s.events, s.table.count)
	s.table.each(func(r ref) { s.end(r, EndInput, s.now, SeqClose) })
}

// Events returns what happened since the last Reset, in no particular order;
// see Compare. The slice is valid until Reset.
func (s *Shard) Events() []Event { return s.events }

// Take returns what Events does and gives it away: the shard goes on in the
// memory of spare, whose content is lost.
func (s *Shard) Take(spare []Event) []Event {
	taken := s.events
	s.events = spare[:0]
	return taken
}

// Reset forgets the events and keeps their memory.
func (s *Shard) Reset() {
	clear(s.events) // drops the messages
	s.events = s.events[:0]
}

// Stats returns the counters so far.
func (s *Shard) Stats() Stats {
	st := s.stats
	st.Active = uint64(s.table.count)
	st.FragmentsHeld += s.frags.orphans
	for _, d := range s.frags.live {
		st.FragmentsHeld += d.held.packets
	}
	st.FragmentConflicts = s.frags.conflicts
	st.DatagramsDropped = s.frags.dropped
	st.StreamsDropped = s.streams.dropped
	st.Flood = s.flood.summary()
	st.Messages = make(MessageCounts, 0, len(s.apps))
	for i, name := range s.apps {
		if s.parsed[i] > 0 { // else recognised, with nothing to tell
			st.Messages = append(st.Messages, MessageCount{name, s.parsed[i]})
		}
	}
	return st
}
