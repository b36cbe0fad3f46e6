package flow

import "math/bits"

// ref names an entry of the table; 0 is none.
type ref uint32

// class decides how long a flow may be silent.
type class uint8

// Classes of flows.
const (
	classOpening     class = iota // TCP without a completed handshake
	classEstablished              // TCP
	classClosed                   // TCP after RST, or FIN both ways
	classUDP
	classICMP
	classOther
	numClasses
)

// entry is the state of one flow: pointer-free, three cache lines. A packet of
// a known flow reads and writes the first two only: what finds the flow and
// follows its state, and its counters. Pairs are indexed by side.
type entry struct {
	key      key
	vlan     uint16 // 0 until a tagged packet was seen
	flags    [2]uint8
	last     int64 // time of the last packet
	class    class
	client   side
	fin      uint8 // bit per side
	isnKnown uint8 // bit per side
	stopped  uint8 // bit per side: payload was missing before a stream began
	proto    uint8 // recognised UDP protocol without state: index into Shard.protocols + 1
	app      uint8 // index into Shard.apps + 1
	misses   uint8 // UDP payloads in a row that no parser could read

	packets [2]uint64
	bytes   [2]uint64
	payload [2]uint64
	event   int64  // time of the last event, or unannounced
	stream  uint32 // streams index + 1; 0 none yet, noStream never again
	tick    uint32 // wheel slot that holds the entry

	first      int64
	id         uint64
	isn        [2]uint32
	hash       uint32
	prev, next ref // neighbours in the wheel slot
	iface      uint16
	mac        [2][6]byte
	initiator  Initiator
	midstream  bool
	icmpType   uint8
	icmpCode   uint8
	unlike     uint8   // protocol of the port that the payload is certainly not of: index into Shard.protocols + 1
	upgrade    uint8   // protocol that was agreed to follow the first: index into Shard.apps + 1
	_          [2]byte // to a whole line, so that every entry begins one
	missed     uint32  // heads lost since the last event, see ledger
}

// noStream marks an entry whose payload is not looked at any more.
const noStream = ^uint32(0)

const (
	chunkBits   = 10 // entries are allocated 1,024 at a time: growth copies nothing
	chunkSize   = 1 << chunkBits
	evictSample = 16
)

// slot is one place of the open-addressing index: part of the hash, and who.
type slot struct {
	tag uint32
	ref ref
}

// table finds flows by key. It is an open-addressing index with linear probing
// over entries in fixed chunks; neither holds a pointer, so the garbage
// collector never walks a flow. Deletion shifts back and leaves no tombstones.
//
// The index has its full size from the beginning, at least two slots a flow:
// growing one to a million slots stops the shard for 10 ms, and the part that
// is not used costs no memory and, measured at 1,000 flows in an index for a
// million, no time.
type table struct {
	seed     uint64
	capacity int
	pressure int // flows from which the table counts as crowded
	timeout  [numClasses]int64

	slots  []slot
	chunks [][]entry
	count  int
	made   int // entries ever handed out of chunks
	free   ref // list through entry.next
	tagged int // entries with a VLAN
	random uint64
	wheel  wheel

	touched uint32 // keeps the compiler from dropping the loads of touch
}

func newTable(capacity int, seed uint64, timeout [numClasses]int64) *table {
	t := &table{seed: seed, capacity: capacity, timeout: timeout, random: seed | 1}
	t.pressure = capacity - capacity*(8-pressureShare)/8
	t.slots = make([]slot, 1<<bits.Len(uint(2*capacity-1)))
	return t
}

func (t *table) at(r ref) *entry {
	i := uint32(r - 1)
	return &t.chunks[i>>chunkBits][i&(chunkSize-1)]
}

// deadline is the moment from which a flow is over unless a packet came.
func (t *table) deadline(e *entry) int64 { return saturatingAdd(e.last, t.timeout[e.class]) }

func saturatingAdd(a, b int64) int64 {
	if c := a + b; c >= a {
		return c
	}
	return 1<<63 - 1
}

// find returns the flow that a packet with this key and VLAN tag belongs to.
// Tags match if they are equal or one is missing: a gateway port may show one
// direction tagged and the other not. So the same addresses in two VLANs stay
// apart as soon as both are seen tagged; an untagged packet that fits several
// goes to the oldest. over reports that the flow is past its deadline: the
// caller removes it and asks again.
func (t *table) find(k *key, hash uint64, vlan uint16, now int64) (found ref, over bool) {
	mask := uint32(len(t.slots) - 1)
	tag := uint32(hash >> 32)
	for i := tag & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s.ref == 0 {
			return found, false
		}
		if s.tag != tag {
			continue
		}
		e := t.at(s.ref)
		if !e.key.is(k) || (e.vlan != vlan && e.vlan != 0 && vlan != 0) {
			continue
		}
		if now >= t.deadline(e) {
			return s.ref, true
		}
		if vlan != 0 || t.tagged == 0 {
			return s.ref, false
		}
		if found == 0 || older(e, t.at(found)) {
			found = s.ref
		}
	}
}

func older(a, b *entry) bool {
	return a.first < b.first || (a.first == b.first && a.vlan < b.vlan)
}

// insert adds a flow that find did not find. The caller has made room.
func (t *table) insert(k *key, hash uint64, vlan uint16) ref {
	r := t.free
	if r != 0 {
		t.free = t.at(r).next
	} else {
		if t.made>>chunkBits == len(t.chunks) {
			t.chunks = append(t.chunks, make([]entry, chunkSize))
		}
		t.made++
		r = ref(t.made)
	}
	e := t.at(r)
	*e = entry{key: *k, vlan: vlan, hash: uint32(hash >> 32)}
	if vlan != 0 {
		t.tagged++
	}
	t.count++
	t.place(slot{e.hash, r})
	return r
}

func (t *table) place(s slot) {
	mask := uint32(len(t.slots) - 1)
	i := s.tag & mask
	for t.slots[i].ref != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

// tagWith notes the VLAN of an entry that had none.
func (t *table) tagWith(e *entry, vlan uint16) {
	e.vlan = vlan
	t.tagged++
}

// remove takes an entry out of the index and its wheel slot.
func (t *table) remove(r ref) {
	e := t.at(r)
	t.unlink(r, e)
	mask := uint32(len(t.slots) - 1)
	i := e.hash & mask
	for t.slots[i].ref != r {
		i = (i + 1) & mask
	}
	// Shift back every follower that may move closer to its home.
	for j := (i + 1) & mask; t.slots[j].ref != 0; j = (j + 1) & mask {
		if home := t.slots[j].tag & mask; (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = slot{}
	if e.vlan != 0 {
		t.tagged--
	}
	t.count--
	*e = entry{next: t.free}
	t.free = r
}

func (t *table) full() bool { return t.count >= t.capacity }

// victim chooses a flow to give up when the table is full: of a few random
// entries, one of which nothing came (a scan, a flood) rather than a
// conversation, and then the one that has been silent longest. All entries
// are in use then, so any index is one.
func (t *table) victim() ref {
	var sample [evictSample]ref
	for i := range sample {
		t.random = mix(t.random+seedAddr, seedTunnel) | 1
		sample[i] = ref(t.random>>1%uint64(t.made)) + 1
		t.touched += t.at(sample[i]).touch() // all of them are waited for together
	}
	var best ref
	for _, r := range sample {
		if best == 0 || lessValuable(t.at(r), t.at(best)) {
			best = r
		}
	}
	return best
}

func lessValuable(a, b *entry) bool {
	if av, bv := a.value(), b.value(); av != bv {
		return av < bv
	}
	return a.last < b.last
}

// value ranks flows: single packets, others of which nothing came, closed ones,
// conversations.
func (e *entry) value() int {
	switch {
	case e.futile() && e.packets[0]+e.packets[1] == 1:
		return 0
	case e.futile():
		return 1
	case e.class == classClosed:
		return 2
	default:
		return 3
	}
}

func (e *entry) answered() bool { return e.packets[0] > 0 && e.packets[1] > 0 }

// futile reports whether nothing has come of a flow: no answer, or only a TCP
// handshake that was not completed or was refused.
func (e *entry) futile() bool {
	switch {
	case !e.answered():
		return true
	case e.key.proto != protoTCP:
		return false
	case e.class == classOpening:
		return true
	default: // refused: SYN, RST, and perhaps each again
		return e.class == classClosed && e.packets[0]+e.packets[1] <= 4 && e.payload[0]+e.payload[1] == 0
	}
}

// each calls f for every entry. f may remove the entry it is given.
func (t *table) each(f func(ref)) {
	for i := range t.made {
		if r := ref(i + 1); t.at(r).id != 0 {
			f(r)
		}
	}
}
