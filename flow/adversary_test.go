package flow

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gatehouse/wire"
)

// sent is one segment of an adversary's schedule: bytes at an offset of a
// direction. Offsets count from the first byte behind the SYN.
type sent struct {
	dir    wire.Dir
	flags  uint8
	offset int
	text   string
}

// adversary plays a schedule behind a handshake and returns the lines found.
func adversary(t *testing.T, base uint32, schedule []sent) ([]string, Stats) {
	t.Helper()
	s := newScript(t, base)
	s.handshake()
	for _, g := range schedule {
		s.send(g.dir, g.flags|TCPAck, g.offset, g.text)
	}
	got := s.lines()
	return got, s.shard.Stats()
}

// TestOverlaps holds the policy on segments that overlap with other content:
// of every byte the first copy to arrive counts. The cases are those in which
// operating systems differ (Ptacek and Newsham, "Insertion, Evasion, and Denial
// of Service", 1998; Novak and Sturges, "Target-Based TCP Stream Reassembly",
// 2007): some favour the later copy in one case and the earlier in another.
func TestOverlaps(t *testing.T) {
	const up, line = wire.FromClient, "E:" // offset 2 is the first byte of the line
	hole := sent{up, 0, 0, line}           // fills what all others wait for
	tail := func(offset int) sent { return sent{up, 0, offset, "\n"} }
	for _, c := range []struct {
		name      string
		schedule  []sent
		want      string
		conflicts uint64
	}{
		// Early segments, which wait for a hole to be filled. The old segment is
		// "oooo" at 6, the new one n's.
		{"new overlaps the head of the old", []sent{{up, 0, 6, "oooo"}, {up, 0, 4, "nnnn"}, {up, 0, 2, "aa"}, tail(10), hole}, "aannoooo", 2},
		{"new overlaps the tail of the old", []sent{{up, 0, 6, "oooo"}, {up, 0, 8, "nnnn"}, {up, 0, 2, "aaaa"}, tail(12), hole}, "aaaaoooonn", 2},
		{"new within the old", []sent{{up, 0, 6, "oooo"}, {up, 0, 7, "nn"}, {up, 0, 2, "aaaa"}, tail(10), hole}, "aaaaoooo", 2},
		{"new as long as the old", []sent{{up, 0, 6, "oooo"}, {up, 0, 6, "nnnn"}, {up, 0, 2, "aaaa"}, tail(10), hole}, "aaaaoooo", 4},
		{"new covers the old", []sent{{up, 0, 6, "oooo"}, {up, 0, 4, "nnnnnnnn"}, {up, 0, 2, "aa"}, tail(12), hole}, "aannoooonn", 4},
		{"new begins with the old and is longer", []sent{{up, 0, 6, "oooo"}, {up, 0, 6, "nnnnnn"}, {up, 0, 2, "aaaa"}, tail(12), hole}, "aaaaoooonn", 4},
		{"new ends with the old and is longer", []sent{{up, 0, 6, "oooo"}, {up, 0, 4, "nnnnnn"}, {up, 0, 2, "aa"}, tail(10), hole}, "aannoooo", 4},
		{"new bridges two old ones", []sent{{up, 0, 4, "oo"}, {up, 0, 8, "pp"}, {up, 0, 2, "nnnnnnnn"}, tail(10), hole}, "nnoonnpp", 4},
		{"three copies", []sent{{up, 0, 2, "oooo"}, {up, 0, 2, "nnnn"}, {up, 0, 2, "mmmm"}, tail(6), hole}, "oooo", 8},
		// What fills the hole overlaps what has waited longer.
		{"the hole's filler overlaps what waits", []sent{{up, 0, 4, "oooo"}, {up, 0, 0, "E:nnnnn"}, tail(8)}, "nnoooo", 3},
		{"the hole's filler covers what waits", []sent{{up, 0, 4, "oooo"}, {up, 0, 0, "E:nnnnnnnnnn"}, tail(12)}, "nnoooonnnn", 4},
		{"the hole's filler covers two that wait", []sent{{up, 0, 3, "o"}, {up, 0, 6, "p"}, {up, 0, 0, "E:nnnnnnn\n"}}, "nonnpnn", 2},
		// In order: the old bytes have been fed already.
		{"retransmitted with other content", []sent{{up, 0, 0, "E:oooo"}, {up, 0, 2, "nnnn"}, tail(6)}, "oooo", 4},
		{"retransmitted with other content and more", []sent{{up, 0, 0, "E:oooo"}, {up, 0, 2, "nnnnnn"}, tail(8)}, "oooonn", 4},
		{"retransmitted from before the beginning", []sent{{up, 0, 0, "E:oo"}, {up, 0, -4, "nnnnE:nnp"}, tail(5)}, "oop", 2},
		{"retransmitted behind the line's end", []sent{{up, 0, 0, "E:oo\n"}, {up, 0, 2, "nn\n"}, {up, 0, 5, ""}}, "oo", 0}, // consumed: nothing is left to compare with
	} {
		for _, base := range []uint32{1, 0xffffffff, 0xfffffff8, 0x7ffffffc} { // the last ones wrap on the way
			got, st := adversary(t, base, c.schedule)
			if want := []string{"0 " + c.want}; !slices.Equal(got, want) || st.StreamConflicts != c.conflicts || st.StreamGaps != 0 {
				t.Errorf("%s, from %#x: %q with %d conflicts, %d gaps; want %q with %d", c.name, base,
					got, st.StreamConflicts, st.StreamGaps, want, c.conflicts)
			}
		}
	}
}

// TestInsertionAndEvasion: what a receiver would not take must not change what
// is read, and what it would must not be missed.
func TestInsertionAndEvasion(t *testing.T) {
	const up, down = wire.FromClient, wire.FromServer
	const fin, syn, rst = TCPFin, TCPSyn, TCPRst
	for _, c := range []struct {
		name     string
		schedule []sent
		want     []string
		gaps     uint64
	}{
		{"keep-alive between lines", []sent{{up, 0, 0, "E:a\n"}, {up, 0, 3, "\x00"}, {down, 0, 0, ""}, {up, 0, 4, "b\n"}}, []string{"0 a", "0 b"}, 0},
		{"probe of a zero window, then all of it", []sent{{up, 0, 0, "E:a\n"}, {up, 0, 4, "b"}, {up, 0, 4, "b\n"}}, []string{"0 a", "0 b"}, 0},
		{"forged reset far away", []sent{{up, 0, 0, "E:a\n"}, {up, rst, 9_000_000, ""}, {up, 0, 4, "b\n"}}, []string{"0 a", "0 b"}, 0},
		{"forged reset within the window", []sent{{up, 0, 0, "E:a\n"}, {up, rst, 1000, ""}, {up, 0, 4, "b\n"}}, []string{"0 a", "0 b"}, 0},
		{"forged reset of a server that has not spoken", []sent{{up, 0, 0, "E:a\n"}, {down, rst, 5000, ""}, {up, 0, 4, "b\n"}}, []string{"0 a", "0 b"}, 0},
		{"reset of a server that has not spoken", []sent{{up, 0, 0, "E:a\n"}, {down, rst, 0, ""}, {up, 0, 4, "b\n"}}, []string{"0 a"}, 0},
		{"reset, then data", []sent{{up, 0, 0, "E:a\n"}, {up, rst, 4, ""}, {up, 0, 4, "b\n"}}, []string{"0 a"}, 0},
		{"reset with data", []sent{{up, 0, 0, "E:a\n"}, {up, rst, 4, "b\n"}, {up, 0, 4, "c\n"}}, []string{"0 a"}, 0},
		{"another SYN within the connection", []sent{{up, 0, 0, "E:a\n"}, {up, syn, 90_000, ""}, {up, 0, 4, "b\n"}}, []string{"0 a", "0 b"}, 0},
		{"FIN before the data that it follows", []sent{{up, fin, 6, ""}, {up, 0, 4, "b\n"}, {up, 0, 0, "E:a\n"}}, []string{"0 a", "0 b"}, 0},
		{"both FINs before late data", []sent{{up, 0, 4, "b\n"}, {up, fin, 6, ""}, {down, fin, 0, ""}, {up, 0, 0, "E:a\n"}}, []string{"0 a", "0 b"}, 0},
		{"FIN with data", []sent{{up, 0, 0, "E:a\n"}, {up, fin, 4, "b\n"}, {down, fin, 0, "E:c\n"}}, []string{"0 a", "0 b", "1 c"}, 0},
		{"data behind a FIN", []sent{{up, fin, 0, "E:a\n"}, {down, fin, 0, ""}, {up, 0, 4, "b\n"}}, []string{"0 a"}, 0},
		{"segments of nothing", []sent{{up, 0, 0, ""}, {up, 0, 700, ""}, {up, 0, 0, "E:a\n"}}, []string{"0 a"}, 0},
		{"garbage ahead of the window, then in order", []sent{{up, 0, 1 << 30, "zzzz"}, {up, 0, 0, "E:a\n"}, {up, 0, 4, "b\n"}}, []string{"0 a", "0 b"}, 1},
		{"half the sequence space behind", []sent{{up, 0, 0, "E:a\n"}, {up, 0, -(1 << 31) + 10, "zzzz"}, {up, 0, 4, "b\n"}}, []string{"0 a", "0 b"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, st := adversary(t, 0xfffffffd, c.schedule)
			if !slices.Equal(got, c.want) || st.StreamGaps != c.gaps {
				t.Errorf("%q with %d gaps, want %q with %d", got, st.StreamGaps, c.want, c.gaps)
			}
		})
	}
}

// TestSYNWithData: TCP Fast Open (RFC 7413), and the same data again behind
// the handshake when the server did not take it.
func TestSYNWithData(t *testing.T) {
	for _, again := range []bool{false, true} {
		s := newScript(t, 0xffffffff)
		s.frame(s.segment(wire.FromClient, TCPSyn, -1, "E:a\n"))
		s.send(wire.FromServer, TCPSyn|TCPAck, -1, "")
		if again {
			s.send(wire.FromClient, TCPAck, 0, "E:a\n")
		}
		s.send(wire.FromClient, TCPAck, 4, "b\n")
		if got, want := s.lines(), []string{"0 a", "0 b"}; !slices.Equal(got, want) {
			t.Errorf("sent again %v: %q, want %q", again, got, want)
		}
	}
}

// conversationsOf is what two ends say in turn, in the real protocols.
func conversationsOf() map[string][]sent {
	const up, down = wire.FromClient, wire.FromServer
	query := "\x00\x1f\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + "\x05cloud\x07example\x00\x00\x01\x00\x01"
	answer := "\x00\x2f\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + query[14:] +
		"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"
	body := strings.Repeat("body of a response, passed over. ", 300)
	return map[string][]sent{
		"tls": {{up, 0, 0, lateHello}, {down, 0, 0, lateServerHello + "\x15\x03\x03\x00\x02\x02\x28"}},
		"dns": {{up, 0, 0, query + strings.ReplaceAll(query, "\x12\x34", "\x12\x35")}, {down, 0, 0, answer + strings.ReplaceAll(answer, "\x12\x34", "\x12\x35")}},
		"http": {
			{up, 0, 0, "GET /a HTTP/1.1\r\nHost: a.example\r\n\r\nHEAD /b HTTP/1.1\r\nHost: b.example\r\n\r\nGET /c HTTP/1.1\r\nHost: c.example\r\n\r\n"},
			{
				down, 0, 0, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body) +
					"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" +
					"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
			},
			{up, 0, 0, "POST /d HTTP/1.1\r\nHost: d.example\r\nContent-Length: 4\r\n\r\nabcdGET /e HTTP/1.0\r\n\r\n"},
			{down, 0, 0, "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\nthe rest"},
		},
	}
}

// cut divides a turn into segments of at most largest bytes.
func cut(turn sent, start, largest int, random *rand.Rand) (out []sent) {
	for text := turn.text; len(text) > 0; {
		n := min(1+random.IntN(largest), len(text))
		out = append(out, sent{turn.dir, TCPAck, start, text[:n]})
		text, start = text[n:], start+n
	}
	return out
}

// shuffle moves each segment by at most reach places, sends some again, and
// some again in other pieces.
func shuffle(list []sent, reach int, random *rand.Rand) []sent {
	type placed struct {
		at int
		sent
	}
	var out []placed
	for i, g := range list {
		at := i + random.IntN(reach+1)
		out = append(out, placed{at, g})
		if random.IntN(4) == 0 {
			out = append(out, placed{i + random.IntN(2*reach+1), g})
		}
		if n := len(g.text); random.IntN(6) == 0 && n > 2 {
			from := random.IntN(n - 1)
			out = append(out, placed{i + random.IntN(2*reach+1), sent{g.dir, g.flags, g.offset + from, g.text[from:]}})
		}
	}
	slices.SortStableFunc(out, func(a, b placed) int { return a.at - b.at })
	flat := make([]sent, len(out))
	for i := range out {
		flat[i] = out[i].sent
	}
	return flat
}

// TestAnyOrderWithinTheWindow: segments of every size, down to single bytes,
// reordered and repeated within what a direction may hold, give the messages
// that they give in order.
func TestAnyOrderWithinTheWindow(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	for name, turns := range conversationsOf() {
		t.Run(name, func(t *testing.T) {
			run := func(largest, reach int, random *rand.Rand) ([]string, Stats) {
				client, server := hostAt("192.168.1.20", 40000), hostAt("198.51.100.9", 4433)
				s := newTestShard(t, nil)
				frames := []at{
					{1, tcpFrame(t, client, server, TCPSyn, 0xffffff00, 0, "")},
					{1, tcpFrame(t, server, client, TCPSyn|TCPAck, 0xfffffff0, 0, "")},
				}
				offset := [2]int{}
				for _, turn := range turns {
					for _, g := range shuffle(cut(turn, offset[turn.dir], largest, random), reach, random) {
						if turn.dir == wire.FromClient {
							frames = append(frames, at{1, tcpFrame(t, client, server, g.flags, 0xffffff01+uint32(g.offset), 1, g.text)})
						} else {
							frames = append(frames, at{1, tcpFrame(t, server, client, g.flags, 0xfffffff1+uint32(g.offset), 1, g.text)})
						}
					}
					offset[turn.dir] += len(turn.text)
				}
				var out []string
				for _, e := range play(s, frames...) {
					for _, m := range e.Messages {
						out = append(out, fmt.Sprintf("%T%+v", m, m))
					}
				}
				return out, s.Stats()
			}
			want, _ := run(1<<16, 0, rand.New(rand.NewPCG(0, 0)))
			if len(want) < 3 {
				t.Fatalf("only %d messages in order: %q", len(want), want)
			}
			for i := range rounds {
				random := rand.New(rand.NewPCG(7, uint64(i)))
				largest := []int{1, 3, 40, 500, 1460}[i%5]
				got, st := run(largest, 1+i%(maxHeld-4), random)
				if !slices.Equal(got, want) || st.StreamConflicts != 0 || st.StreamGaps != 0 || st.ParseErrors != 0 {
					t.Fatalf("round %d, segments up to %d bytes: %d messages, want %d; %v\n%q\n%q",
						i, largest, len(got), len(want), st, got, want)
				}
			}
		})
	}
}

// oracle is the plainest reassembly there can be: of each byte the first copy.
type oracle struct {
	byte  [256]byte
	known [256]bool
	twice uint64 // bytes that came again with another value
}

func (o *oracle) take(offset int, text string) {
	for i := range len(text) {
		switch at := offset + i; {
		case !o.known[at]:
			o.byte[at], o.known[at] = text[i], true
		case o.byte[at] != text[i]:
			o.twice++
		}
	}
}

// lines returns those that are complete, as far as no byte is missing, and how
// many bytes follow them.
func (o *oracle) lines() (list []string, rest int) {
	end := 0
	for end < len(o.known) && o.known[end] {
		end++
	}
	text := string(o.byte[:end])
	for {
		line, more, ok := strings.Cut(text, "\n")
		if !ok {
			return list, len(text)
		}
		list, text = append(list, "0 "+strings.TrimPrefix(line, "E:")), more
	}
}

// FuzzReassembly sends segments of the fuzzer's choice, out of order,
// overlapping and contradicting each other, and compares with the oracle. Each
// takes three bytes: offset, length, and what to write over the text. Where
// more had to wait than a direction may hold, a beginning must have arrived.
func FuzzReassembly(f *testing.F) {
	f.Add(uint32(0), []byte{0, 5, 0, 5, 5, 0})
	f.Add(uint32(0xfffffffe), []byte{3, 9, 0, 0, 4, 0, 12, 8, 0, 1, 200, 0})
	f.Add(uint32(77), []byte{10, 10, 1, 5, 10, 2, 0, 10, 0, 8, 4, 3, 0, 60, 9})
	f.Add(uint32(0x7ffffff0), []byte{30, 9, 7, 20, 30, 0, 2, 40, 5, 0, 2, 0, 0, 255, 0})
	const text = "E:one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\neleven\ntwelve\n"
	f.Fuzz(func(t *testing.T, base uint32, schedule []byte) {
		s := newScript(t, base)
		s.handshake()
		var o oracle
		for i := 0; i+2 < min(len(schedule), 3*60); i += 3 {
			start := int(schedule[i]) % len(text)
			b := []byte(text[start:min(start+int(schedule[i+1]), len(text))])
			for k := range b { // what is written over keeps the lines' ends and the first two bytes
				if v := schedule[i+2]; v != 0 && start+k >= 2 && b[k] != '\n' && k%3 == int(v)%3 {
					b[k] = 'A' + v%26
				}
			}
			o.take(start, string(b))
			s.send(wire.FromClient, TCPAck, start, string(b))
		}
		want, rest := o.lines()
		if rest > 0 {
			want = append(want, fmt.Sprintf("0 flushed %d", rest))
		}
		if len(want) > 0 && !o.known[1] {
			want = nil // not enough to recognise the protocol
		}
		got := s.lines()
		st := s.shard.Stats()
		if st.StreamGaps > 0 {
			for i, line := range got {
				if i >= len(want) || (line != want[i] && !strings.HasPrefix(line, "0 flushed")) {
					t.Fatalf("with a gap: %q, want a beginning of %q", got, want)
				}
			}
		} else if !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
		if st.StreamConflicts > o.twice {
			t.Fatalf("%d conflicts, want at most %d", st.StreamConflicts, o.twice)
		}
	})
}
