package device

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"gatehouse/flow"
	"gatehouse/wire"
)

// Bounds of a Meter: at most 6 MiB.
const (
	// maxMetered is how many flows are counted while they are running. Others
	// are counted when they end.
	maxMetered = 16384
	// maxDistinct is how many different peers and names of a minute are told
	// apart, of all devices together.
	maxDistinct = 65536
	// maxMinutes bounds the minutes that nobody has taken.
	maxMinutes = 32768
)

// Meter adds up what each device does in each minute of packet time. It is not
// safe for concurrent use.
type Meter struct {
	minute  int64 // the one that is running, since the Unix epoch
	tallies map[string]*tally
	spare   []*tally
	flows   map[uint64]counted
	left    int // of maxDistinct
	done    []Minute
	dropped uint64
	earlier []Minute // of the minute in which the last run ended
}

// tally is the running minute of one device.
type tally struct {
	Minute
	peers map[netip.Addr]struct{}
	names map[string]bool // true: there is no such name
}

// counted is what of a running flow was counted already.
type counted struct{ packets, bytes [2]uint64 }

// NewMeter returns a Meter that has seen nothing.
func NewMeter() *Meter {
	return &Meter{tallies: make(map[string]*tally), flows: make(map[uint64]counted), left: maxDistinct}
}

// Observe counts an event for the devices at its ends, which may be nil.
// Events must come in packet-time order.
func (m *Meter) Observe(ev *flow.Event, client, server *Device) {
	m.Advance(ev.Time)
	if ev.Kind == flow.Frame || client == nil && server == nil {
		return
	}
	packets, bytes := m.delta(ev)
	r := &ev.Record
	if client != nil {
		t := m.tally(client)
		t.add(packets[wire.FromClient], packets[wire.FromServer], bytes[wire.FromServer], bytes[wire.FromClient])
		m.count(t, ev, r.Server.Addr)
		m.lookups(t, ev.Messages)
	}
	if server != nil {
		t := m.tally(server)
		t.add(packets[wire.FromClient], packets[wire.FromServer], bytes[wire.FromClient], bytes[wire.FromServer])
		m.count(t, ev, r.Client.Addr)
	}
}

// delta is what a flow has moved since its last event.
func (m *Meter) delta(ev *flow.Event) (packets, bytes [2]uint64) {
	r := &ev.Record
	before, known := m.flows[r.ID]
	switch {
	case ev.Kind == flow.End:
		delete(m.flows, r.ID)
	case !known && len(m.flows) >= maxMetered:
		return packets, bytes // it is counted when it ends
	default:
		m.flows[r.ID] = counted{r.Packets, r.Bytes}
	}
	for i := range packets {
		packets[i], bytes[i] = r.Packets[i]-before.packets[i], r.Bytes[i]-before.bytes[i]
	}
	return packets, bytes
}

func (m *Meter) tally(d *Device) *tally {
	t := m.tallies[d.ID]
	if t != nil {
		return t
	}
	if n := len(m.spare); n > 0 {
		t, m.spare = m.spare[n-1], m.spare[:n-1]
	} else {
		t = &tally{peers: make(map[netip.Addr]struct{}), names: make(map[string]bool)}
	}
	t.Minute = Minute{Time: time.Unix(60*m.minute, 0).UTC(), Device: d.ID, Name: d.Name, Group: d.Group}
	m.tallies[d.ID] = t
	return t
}

func (t *tally) add(packetsOut, packetsIn, in, out uint64) {
	t.Packets += packetsOut + packetsIn
	t.BytesIn += in
	t.BytesOut += out
}

// count counts a flow that begins, and its other end.
func (m *Meter) count(t *tally, ev *flow.Event, peer netip.Addr) {
	if ev.Kind == flow.Start {
		t.Flows++
	}
	if _, seen := t.peers[peer]; !seen && m.left > 0 {
		m.left--
		t.peers[peer] = struct{}{}
	}
}

// lookups counts the names of DNS messages.
func (m *Meter) lookups(t *tally, messages []wire.Message) {
	const nxDomain = 3 // RFC 1035, section 4.1.1
	for _, msg := range messages {
		q, ok := msg.(*wire.DNS)
		if !ok || q.Proto != "dns" || len(q.Questions) == 0 {
			continue
		}
		name := q.Questions[0].Name
		absent := q.Response && q.RCode == nxDomain
		was, seen := t.names[name]
		if !seen {
			if m.left == 0 {
				continue
			}
			m.left--
		}
		if !seen || absent && !was {
			t.names[name] = absent
		}
	}
}

// Advance ends the running minute if t (ns since the Unix epoch) is later.
func (m *Meter) Advance(t int64) {
	const minute = int64(time.Minute)
	now := t / minute
	if t < 0 {
		now = (t+1)/minute - 1
	}
	if now <= m.minute && m.minute != 0 {
		return
	}
	m.close()
	m.minute = now
}

// close moves the running minute to those that are done.
func (m *Meter) close() {
	begin := len(m.done)
	for id, t := range m.tallies {
		m.done = append(m.done, t.finish(m.earlier))
		clear(t.peers)
		clear(t.names)
		m.spare = append(m.spare, t)
		delete(m.tallies, id)
	}
	if len(m.done) > begin {
		m.earlier = nil // that minute is over
	}
	m.left = maxDistinct
	slices.SortFunc(m.done[begin:], func(x, y Minute) int { return cmp.Compare(x.Device, y.Device) })
	if over := len(m.done) - maxMinutes; over > 0 {
		m.done = slices.Delete(m.done, 0, over)
		m.dropped += uint64(over)
	}
	if len(m.spare) > 256 {
		m.spare = m.spare[:256]
	}
}

// finish completes a minute with what an earlier run has seen of it.
func (t *tally) finish(earlier []Minute) Minute {
	t.Peers, t.Names, t.NXDomain = uint32(len(t.peers)), uint32(len(t.names)), 0
	for _, absent := range t.names {
		if absent {
			t.NXDomain++
		}
	}
	for _, e := range earlier {
		if e.Device != t.Device || !e.Time.Equal(t.Time) {
			continue
		}
		t.add(e.Packets, 0, e.BytesIn, e.BytesOut)
		t.Flows += e.Flows
		t.Peers, t.Names, t.NXDomain = max(t.Peers, e.Peers), max(t.Names, e.Names), max(t.NXDomain, e.NXDomain)
	}
	return t.Minute
}

// Resume tells the last minute of an earlier run, which this one may go on
// with.
func (m *Meter) Resume(last []Minute) { m.earlier = last }

// Waiting is how many minutes of devices have ended since the last Take.
func (m *Meter) Waiting() int { return len(m.done) }

// Take returns the minutes that have ended since the last call, in order of
// time and device.
func (m *Meter) Take() []Minute {
	done := m.done
	m.done = nil
	return done
}

// Finish ends the running minute at the end of the input. It may be gone on
// with by a later run.
func (m *Meter) Finish() { m.close() }

// Dropped counts the minutes of devices that were lost because nobody took
// them in time.
func (m *Meter) Dropped() uint64 { return m.dropped }
