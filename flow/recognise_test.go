package flow

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/wire"
)

// TestUnexpectedProtocol: the port says one thing and the bytes another.
func TestUnexpectedProtocol(t *testing.T) {
	const ssh, get, garbage = "SSH-2.0-x\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\xaa\xbb\xcc\xdd\xee\xff\x00\x11"
	for _, c := range []struct {
		name          string
		port          uint16
		midstream     bool
		said          []string // "<" from the server
		app, expected string
	}{
		{"as the port says", 443, false, []string{lateHello, "<" + lateServerHello}, "tls", ""},
		{"on no one's port", 4433, false, []string{lateHello, "<" + lateServerHello}, "tls", ""},
		{"unknown on no one's port", 4433, false, []string{garbage, "<" + garbage}, "", ""},
		{"HTTP on the port of TLS", 443, false, []string{get}, "http", "tls"},
		{"TLS on the port of HTTP", 80, false, []string{lateHello}, "tls", "http"},
		{"unknown on the port of TLS", 443, false, []string{garbage}, "", "tls"},
		{"the server answers a hello in clear", 443, false, []string{lateHello, "<HTTP/1.1 400 Bad Request\r\n\r\n"}, "tls", ""},
		{"only the server is as expected", 443, false, []string{garbage, "<" + lateServerHello}, "tls", ""},
		{"joined within a connection", 443, true, []string{garbage, "<" + garbage}, "", ""},
		{"HTTP, joined within a connection", 443, true, []string{get}, "http", ""},
		{"too short to tell", 443, false, []string{"\x16\x03"}, "", ""},
		{"nothing", 443, false, nil, "", ""},
		{"recognised and not read", 1790, false, []string{strings.Repeat("\xff", 16) + "\x00\x13\x04"}, "bgp", ""},
		{"what follows an upgrade", 80, false, []string{
			"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", "<HTTP/1.1 200 OK\r\n\r\n",
			lateHello, "<" + lateServerHello,
		}, "http", ""},
		{"HTTP/2 after an upgrade", 80, false, []string{
			"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", "<HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
			"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
				"\x00\x00\x00\x04\x00\x00\x00\x00\x00", // SETTINGS
			"<\x00\x00\x00\x04\x00\x00\x00\x00\x00" +
				"\x00\x00\x01\x01\x05\x00\x00\x00\x01" + // HEADERS of stream 1, the end of it
				"\x88", // :status 200
		}, "http", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTestShard(t, nil)
			client, server := hostAt("10.0.0.9", 50000), hostAt("10.0.0.8", c.port)
			seq := [2]uint32{100, 900}
			var frames []at
			if !c.midstream {
				frames = append(frames, at{1, tcpFrame(t, client, server, TCPSyn, 99, 0, "")},
					at{1, tcpFrame(t, server, client, TCPSyn|TCPAck, 899, 100, "")})
			}
			for _, text := range c.said {
				if text[0] == '<' {
					frames = append(frames, at{1, tcpFrame(t, server, client, TCPAck, seq[1], seq[0], text[1:])})
					seq[1] += uint32(len(text) - 1)
				} else {
					frames = append(frames, at{1, tcpFrame(t, client, server, TCPAck, seq[0], seq[1], text)})
					seq[0] += uint32(len(text))
				}
			}
			events := play(s, frames...)
			upgrade := map[string]string{"what follows an upgrade": "tls", "HTTP/2 after an upgrade": "http2"}[c.name]
			last := Record{}
			for _, e := range events {
				last = e.Record
			}
			if last.App != c.app || last.Expected != c.expected || last.Upgrade != upgrade {
				t.Errorf("app %q, expected %q, upgrade %q; want %q, %q, %q", last.App, last.Expected, last.Upgrade, c.app, c.expected, upgrade)
			}
		})
	}
}

// TestFirstByteTable: no row that would say Yes is left out of the candidates.
func TestFirstByteTable(t *testing.T) {
	s := newTestShard(t, nil)
	rows := uint8(len(s.protocols))
	checked, most := 0, 0
	ask := func(dir wire.Dir, b []byte) {
		candidates := s.streamRows(dir, b[0])
		most = max(most, len(candidates))
		for row := uint8(1); row <= rows; row++ {
			p := &s.protocols[row-1]
			if p.Sniff != nil && p.Sniff(dir, b) == wire.Yes {
				checked++
				if !slices.Contains(candidates, row) {
					t.Errorf("%s says Yes to %q, but not Maybe to its first byte", p.Name, b[:min(len(b), 40)])
				}
			}
		}
	}
	askDatagram := func(b []byte) {
		candidates := s.datagramRows(b[0])
		for row := uint8(1); row <= rows; row++ {
			p := &s.protocols[row-1]
			if p.SniffDatagram != nil && p.SniffDatagram(b) {
				checked++
				if !slices.Contains(candidates, row) {
					t.Errorf("%s recognises %q, but not by its LeadByte", p.Name, b[:min(len(b), 40)])
				}
			}
		}
	}
	ask(wire.FromClient, []byte(lateHello))
	ask(wire.FromServer, []byte(lateServerHello))
	ask(wire.FromClient, []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	ask(wire.FromServer, []byte("HTTP/1.1 200 OK\r\n\r\n"))
	if checked < 4 {
		t.Errorf("only %d recognised", checked)
	}
	t.Run("corpus", func(t *testing.T) {
		eachPayload(t, func(_ string, h *Headers) {
			if h.Proto == protoTCP {
				ask(wire.FromClient, h.Payload)
				ask(wire.FromServer, h.Payload)
			} else if h.Proto == protoUDP {
				askDatagram(h.Payload)
			}
		})
		t.Logf("%d recognised, at most %d rows asked", checked, most)
	})
}

// TestOneRecogniserSaysYes: over all payloads of the corpus, whole and cut,
// whatever their port, at most one row recognises the same bytes.
func TestOneRecogniserSaysYes(t *testing.T) {
	protocols := wire.Table()
	both := map[string]string{} // pairs of names: an example
	var yes []string
	note := func(file string, b []byte) {
		if len(yes) > 1 {
			both[strings.Join(yes, "+")] = fmt.Sprintf("%s: %q", filepath.Base(file), b[:min(len(b), 60)])
		}
		yes = yes[:0]
	}
	recognised := map[string]int{}
	eachPayload(t, func(file string, h *Headers) {
		b := h.Payload
		switch h.Proto {
		case protoUDP:
			for i := range protocols {
				if p := &protocols[i]; p.SniffDatagram != nil && p.SniffDatagram(b) {
					yes = append(yes, p.Name)
					recognised[p.Name]++
				}
			}
			note(file, b)
		case protoTCP:
			for _, part := range [][]byte{b, b[:len(b)/2], b[:min(len(b), 16)]} {
				for dir := range wire.Dir(2) {
					for i := range protocols {
						if p := &protocols[i]; p.Sniff != nil && p.Sniff(dir, part) == wire.Yes {
							yes = append(yes, p.Name)
							recognised[p.Name]++
						}
					}
					note(file, part)
				}
			}
			for i := range protocols {
				if p := &protocols[i]; p.SniffLate != nil && p.SniffLate(b) {
					yes = append(yes, p.Name)
				}
			}
			note(file, b)
		}
	})
	for names, example := range both {
		t.Errorf("%s recognise the same bytes, %s", names, example)
	}
	t.Log(recognised)
}

// eachPayload calls f for every TCP and UDP payload of the corpus.
func eachPayload(t *testing.T, f func(file string, h *Headers)) {
	t.Helper()
	var h Headers
	for _, file := range corpusFiles(t, "protocols", "hostile", "attacks") {
		for _, p := range readAll(t, file) {
			if h.Decode(&p) == Accepted && len(h.Payload) > 0 && len(h.Payload) == h.PayloadLen {
				f(file, &h)
			}
		}
	}
}

// BenchmarkUnrecognised is the first payload of a flow that no protocol wants,
// which is random: what it costs that all of them must be asked.
func BenchmarkUnrecognised(b *testing.B) {
	s := shardOf(b, wire.Table(), nil)
	payload := []byte("\x9d\x51\xa6\x0f\xee\x12\x8b\x77\x31\xd4\x05\x6c\xf8\x29\xb3\x90\x4e\xe7\x1a\x62\xc5\x3d\x88\x0b")
	b.Run("tcp", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			payload[0] = byte(i)
			s.recogniseStream(wire.FromClient, payload, 0)
		}
	})
	b.Run("udp", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			payload[0] = byte(i)
			if s.recogniseDatagram(payload, 0) != 0 {
				b.Fatal("recognised")
			}
		}
	})
}
