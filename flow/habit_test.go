package flow

import (
	"encoding/binary"
	"maps"
	"slices"
	"testing"
	"time"

	"gatehouse/capture"
	"gatehouse/wire"
)

// said is a message with a habit.
type said uint64

func (said) Protocol() string      { return "said" }
func (m said) Habit(uint64) uint64 { return uint64(m) }

// plainMessage is a message without one.
type plainMessage struct{}

func (plainMessage) Protocol() string { return "plain" }

func TestHabits(t *testing.T) {
	const every = int64(30 * time.Second)
	h := habits{every: every}
	for i, c := range []struct {
		what string
		who  uint64
		m    wire.Message
		at   int64
		want bool
	}{
		{"said first", 1, said(7), 0, false},
		{"said again", 1, said(7), 1, true},
		{"something else", 1, said(8), 2, false},
		{"by somebody else", 2, said(7), 3, false},
		{"again within the time", 1, said(7), every - 1, true},
		{"again after it", 1, said(7), every, false},
		{"and again", 1, said(7), every + 1, true},
		{"what is never a habit", 1, said(0), 4, false},
		{"nor then", 1, said(0), 5, false},
		{"a message without habits", 1, plainMessage{}, 6, false},
		{"nor then", 1, plainMessage{}, 7, false},
	} {
		if got := h.repeats(c.who, c.m, c.at); got != c.want {
			t.Errorf("%d, %s: %v, want %v", i, c.what, got, c.want)
		}
	}
	var none habits
	none.repeats(1, said(7), 0)
	if none.repeats(1, said(7), 0) {
		t.Error("without an interval everything is to be reported")
	}
}

// TestHabitsAreBounded: a hostile conversation never says the same twice.
func TestHabitsAreBounded(t *testing.T) {
	h := habits{every: int64(time.Minute)}
	for i := range 3 * maxHabits {
		if h.repeats(1, said(i+1), int64(i)) {
			t.Fatalf("message %d was never said", i)
		}
		if h.count > maxHabits || len(h.said) > 2*maxHabits {
			t.Fatalf("%d habits in a table of %d", h.count, len(h.said))
		}
	}
	// Those that are over go first.
	h = habits{every: 1000}
	for i := range maxHabits {
		h.repeats(1, said(i+1), int64(i))
	}
	if h.count < 1000 || h.count > maxHabits/2 {
		t.Errorf("%d habits, want those of the last 1,000 ns and few others", h.count)
	}
	// They are remembered although the table was made anew.
	if !h.repeats(1, said(maxHabits), maxHabits) || h.repeats(1, said(1), maxHabits) {
		t.Error("what was said last is not a habit, or what was said first still is")
	}
}

// BenchmarkHabits is the question about a message of one of a hundred
// conversations that say ten things each.
func BenchmarkHabits(b *testing.B) {
	h := habits{every: int64(time.Hour)}
	var messages [10]wire.Message
	for i := range messages {
		messages[i] = said(i + 1)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		if h.repeats(uint64(i%100+1), messages[i/100%10], 1) != (i > 1000) {
			b.Fatal(i)
		}
	}
}

// TestPollsAreReportedNowAndThen: of a controller polled ten times a second,
// the events hold what it is asked for every half minute, and every write of
// another register.
func TestPollsAreReportedNowAndThen(t *testing.T) {
	run := func(every time.Duration) (messages int, st Stats) {
		cfg := DefaultConfig()
		cfg.Habits = every
		s := NewShard(cfg, wire.Table())
		client, server := hostAt("192.168.1.5", 40000), hostAt("192.168.1.6", 502)
		now, seq := int64(1e18), uint64(0)
		push := func(from, to host, flags uint8, at, ack uint32, payload string) {
			seq++
			now += int64(50 * time.Millisecond)
			s.Packet(tcpFrame(t, from, to, flags, at, ack, payload), now, seq)
		}
		push(client, server, TCPSyn, 0, 0, "")
		push(server, client, TCPSyn|TCPAck, 0, 1, "")
		up, down := uint32(1), uint32(1)
		for i := range 600 { // one minute
			request := "\x00" + string(rune(i%100)) + "\x00\x00\x00\x06\x01\x03\x00\x10\x00\x02"
			answer := "\x00" + string(rune(i%100)) + "\x00\x00\x00\x07\x01\x03\x04\x00\x01\x00\x02"
			push(client, server, TCPAck|TCPPsh, up, down, request)
			up += uint32(len(request))
			push(server, client, TCPAck|TCPPsh, down, up, answer)
			down += uint32(len(answer))
		}
		s.Close(now)
		for _, e := range s.Events() {
			messages += len(e.Messages)
		}
		return messages, s.Stats()
	}
	all, _ := run(0)
	if all != 1200 {
		t.Fatalf("%d messages, want 1,200", all)
	}
	some, st := run(30 * time.Second)
	if some != 4 || st.Repeats != uint64(1200-some) || st.Messages.Of("modbus") != 1200 {
		t.Errorf("%d messages reported, %d repeats, %d in all; want two each half minute", some, st.Repeats, st.Messages.Of("modbus"))
	}
}

// TestPollsDoNotAllocate: polls that repeat cost no memory, whole or in two
// segments, in order or not.
func TestPollsDoNotAllocate(t *testing.T) {
	s := newTestShard(t, func(c *Config) { c.Habits = time.Hour })
	client, server := hostAt("192.168.1.5", 40000), hostAt("192.168.1.6", 502)
	const request = "\x00\x01\x00\x00\x00\x06\x01\x03\x00\x10\x00\x02"
	now, seq, up := int64(1e18), uint64(0), uint32(1)
	push := func(p *capture.Packet) {
		seq++
		now += int64(time.Millisecond)
		s.Packet(p, now, seq)
	}
	push(tcpFrame(t, client, server, TCPSyn, 0, 0, ""))
	push(tcpFrame(t, server, client, TCPSyn|TCPAck, 0, 1, ""))
	// Frames are made beforehand, and only their sequence numbers set.
	whole := tcpFrame(t, client, server, TCPAck|TCPPsh, up, 1, request)
	head := tcpFrame(t, client, server, TCPAck|TCPPsh, up, 1, request[:5])
	tail := tcpFrame(t, client, server, TCPAck|TCPPsh, up, 1, request[5:])
	send := func(p *capture.Packet, offset uint32) {
		binary.BigEndian.PutUint32(p.Data[ethernetHeader+ipv4Header+4:], up+offset)
		push(p)
	}
	polls := map[string]func(){
		"whole":           func() { send(whole, 0) },
		"in two segments": func() { send(head, 0); send(tail, 5) },
		"out of order":    func() { send(tail, 5); send(head, 0) },
	}
	for _, name := range slices.Sorted(maps.Keys(polls)) {
		poll := func() {
			polls[name]()
			up += uint32(len(request))
		}
		poll()
		s.Reset()
		before := s.Stats().Repeats
		allowed := 0.0
		if name == "out of order" {
			allowed = 1 // the list of segments that wait
		}
		if n := testing.AllocsPerRun(200, poll); n > allowed {
			t.Errorf("%s: %v allocations a poll", name, n)
		}
		if n := s.Stats().Repeats - before; n != 201 {
			t.Errorf("%s: %d of 201 polls repeat", name, n)
		}
	}
}

// TestBuffersGoRound: what waits on one connection is not what waited on
// another, whose buffer it is in.
func TestBuffersGoRound(t *testing.T) {
	var p streamPool
	var a, b half
	p.keep(&a, []byte("first"))
	p.keep(&b, []byte("second"))
	p.keep(&a, a.buf[len(a.buf):])
	p.keep(&a, []byte("third"))
	if string(a.buf) != "third" || string(b.buf) != "second" {
		t.Errorf("%q and %q wait", a.buf, b.buf)
	}
	p.keep(&a, a.buf[2:])
	if string(a.buf) != "ird" {
		t.Errorf("%q waits, want the end", a.buf)
	}
	for range 3 * maxSpareBuffers {
		p.giveBack(make([]byte, maxSpareBuffer))
		p.giveBack(make([]byte, maxSpareBuffer+1))
	}
	if n := len(p.spareBuffers); n != maxSpareBuffers {
		t.Errorf("%d spare buffers, want %d", n, maxSpareBuffers)
	}
	for _, spare := range p.spareBuffers {
		if cap(spare) > maxSpareBuffer {
			t.Errorf("a spare buffer of %d bytes", cap(spare))
		}
	}
}
