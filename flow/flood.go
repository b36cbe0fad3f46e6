package flow

import (
	"cmp"
	"net/netip"
	"slices"
)

// Under a flood of new flows (spoofed SYNs, a scan of everything) the table is
// full of futile ones: see entry.futile. From pressureShare on, a futile flow
// has no events of its own beyond an allowance; it is counted in
// Stats.Unannounced and in Stats.Flood, which says who sent it and to whom.
// Once something comes of it, it is announced like any other. Below, nothing
// differs.
const (
	// pressureShare is the part of the table, in eighths, from which flows are
	// under pressure: late enough that a busy home never gets there, early
	// enough that the allowance, not eviction, decides what is told.
	pressureShare = 7
	// newcomers is how many futile flows a shard announces in a second of
	// packet time under pressure: enough to see what a flood is made of, and
	// nothing to an analyst that judges tens of thousands of events a second.
	newcomers = 256
	// speakers is the same for futile flows in whose packets a message was
	// read. They are told of sooner: a DHCP request has no answer on another
	// port, and an attacker must not be able to blind the sensor to it.
	speakers = 2048
)

// unannounced is the time of the last event of a flow that has had none.
const unannounced = -1 << 63

// allowance hands out a number of permits for each second of packet time.
type allowance struct {
	second int64
	used   int
}

func (a *allowance) take(now int64, limit int) bool {
	if second := now / 1e9; second != a.second {
		a.second, a.used = second, 0
	}
	a.used++
	return a.used <= limit
}

// pressed reports whether the table is under pressure. Flows that are over do
// not count, however long ago Advance was called.
func (s *Shard) pressed() bool {
	t := s.table
	if t.count < t.pressure {
		return false
	}
	t.advance(s.now, s.expire)
	return t.count >= t.pressure
}

// quiet reports whether a flow without events stays so.
func (s *Shard) quiet(e *entry) bool {
	switch {
	case !e.futile() || !s.pressed():
		return false
	case len(s.messages) > 0:
		return !s.speakers.take(s.now, speakers)
	default:
		return !s.newcomers.take(s.now, newcomers)
	}
}

// hush drops the messages of a flow that is not told of, and counts them.
func (s *Shard) hush() {
	s.stats.MessagesUnannounced += uint64(len(s.messages))
	clear(s.messages)
	s.messages = s.messages[:0]
}

// announce tells of a flow with what has been counted so far. Messages of the
// packet at hand wait for the Update that follows.
func (s *Shard) announce(e *entry) {
	found := s.messages
	s.messages = nil
	s.emit(Start, e)
	s.messages = found
}

// giveUp counts a futile flow that ends without having been announced, or
// before its time.
func (s *Shard) giveUp(e *entry) {
	from := e.client & 1
	if e.packets[from] == 0 {
		from ^= 1 // an answer to what was not seen: backscatter
	}
	f := &s.flood
	if f.flows == 0 {
		f.first, f.last = e.first, e.last
	}
	f.flows++
	f.first, f.last = min(f.first, e.first), max(f.last, e.last)
	f.senders.add(floodKey{mac: e.mac[from]})
	v6 := e.key.kind&keyIPv6 != 0
	f.sources.add(floodKey{mac: e.mac[from], addr: e.key.addr[from], v6: v6})
	f.targets.add(floodKey{addr: e.key.addr[from^1], v6: v6, port: e.portOf(from ^ 1), proto: e.key.proto})
}

// flood sums up the flows that were given up. It takes 6 KiB, however many
// there are.
type flood struct {
	flows       uint64
	first, last int64
	senders     hitters
	sources     hitters
	targets     hitters
}

// floodKey is what flows are counted by; fields that do not matter are zero.
type floodKey struct {
	addr  [16]byte
	mac   [6]byte
	port  uint16
	proto uint8
	v6    bool
}

// maxHitters is how many keys are counted at once: whoever has more than one
// in 32 of all flows is among them (Metwally, Agrawal, El Abbadi, "Efficient
// Computation of Frequent and Top-k Elements in Data Streams", 2005).
const maxHitters = 32

// hitters finds the keys that occur most often in a stream too varied to count
// every one (the Space-Saving algorithm): a key without a counter takes the
// smallest one over, and what that had counted is noted as doubt.
type hitters struct {
	n     int
	key   [maxHitters]floodKey
	count [maxHitters]uint64
	doubt [maxHitters]uint64
}

func (h *hitters) add(k floodKey) {
	least := 0
	for i := range h.n {
		if h.key[i] == k {
			h.count[i]++
			return
		}
		if h.count[i] < h.count[least] {
			least = i
		}
	}
	if h.n < maxHitters {
		least = h.n
		h.n++
	}
	h.key[least] = k
	h.doubt[least] = h.count[least]
	h.count[least]++
}

// Flood sums up the flows of which nothing came (no answer, or a TCP handshake
// that was not completed or was refused) and that a table under pressure gave
// up before their time or never announced. It says who floods whom. A flow is
// counted when it ends.
type Flood struct {
	Flows       uint64
	First, Last int64 // their first and last packet, ns since the Unix epoch; 0 without flows

	// The most frequent of each, most flows first, at most TopFlooders: the MAC
	// addresses that sent them (a device, or the router for what comes from
	// outside), the IP addresses they claimed, and what they were sent to. A
	// list is empty if there are too many for one to stand out: random sources,
	// or a scan of everything.
	Senders, Sources, Targets []Flooder
}

// TopFlooders bounds the lists of a Flood.
const TopFlooders = 8

// rareFlooder keeps chance out of the lists: of random keys, each is certain
// of a flow or two.
const rareFlooder = 100

// Flooder is one end of many flows of a Flood. Senders have no address,
// targets no MAC address, and only targets a port and protocol.
type Flooder struct {
	MAC   [6]byte
	Addr  netip.Addr
	Port  uint16
	Proto uint8
	Flows uint64 // at least so many
}

// summary renders the counters.
func (f *flood) summary() Flood {
	return Flood{
		Flows: f.flows, First: f.first, Last: f.last,
		Senders: f.senders.top(f.flows), Sources: f.sources.top(f.flows), Targets: f.targets.top(f.flows),
	}
}

// top lists the keys that certainly have one in rareFlooder of all flows.
func (h *hitters) top(flows uint64) []Flooder {
	var out []Flooder
	for i := range h.n {
		k, n := &h.key[i], h.count[i]-h.doubt[i]
		if n < flows/rareFlooder {
			continue
		}
		r := Flooder{MAC: k.mac, Port: k.port, Proto: k.proto, Flows: n}
		if k.addr != [16]byte{} || k.v6 {
			if r.Addr = netip.AddrFrom16(k.addr); !k.v6 {
				r.Addr = r.Addr.Unmap()
			}
		}
		out = append(out, r)
	}
	return leading(out)
}

// leading sorts flooders and keeps the first.
func leading(list []Flooder) []Flooder {
	slices.SortFunc(list, func(a, b Flooder) int {
		return cmp.Or(cmp.Compare(b.Flows, a.Flows), a.Addr.Compare(b.Addr), slices.Compare(a.MAC[:], b.MAC[:]),
			cmp.Compare(a.Port, b.Port), cmp.Compare(a.Proto, b.Proto))
	})
	return list[:min(len(list), TopFlooders)]
}

// add merges what another shard counted.
func (f *Flood) add(o *Flood) {
	if o.Flows == 0 {
		return
	}
	if f.Flows == 0 {
		f.First, f.Last = o.First, o.Last
	}
	f.Flows += o.Flows
	f.First, f.Last = min(f.First, o.First), max(f.Last, o.Last)
	f.Senders = union(f.Senders, o.Senders)
	f.Sources = union(f.Sources, o.Sources)
	f.Targets = union(f.Targets, o.Targets)
}

// union adds up two lists.
func union(a, b []Flooder) []Flooder {
	out := slices.Clone(a)
	for _, y := range b {
		i := slices.IndexFunc(out, func(x Flooder) bool {
			x.Flows = y.Flows
			return x == y
		})
		if i < 0 {
			out = append(out, y)
		} else {
			out[i].Flows += y.Flows
		}
	}
	return leading(out)
}
