package flow

import (
	"testing"

	"gatehouse/wire"
)

// appsOf plays frames and returns what each flow that ended was taken for, by
// both ports, and the messages of all.
func appsOf(t *testing.T, frames ...at) (apps map[[2]uint16]string, messages []wire.Message) {
	t.Helper()
	s := NewShard(DefaultConfig(), wire.Table())
	apps = make(map[[2]uint16]string)
	for _, e := range play(s, frames...) {
		messages = append(messages, e.Messages...)
		if e.Kind == End {
			apps[[2]uint16{e.Record.Client.Port, e.Record.Server.Port}] = e.Record.App
		}
	}
	return apps, messages
}

// TestExpectedTransfer: the blocks of a TFTP transfer come from another port
// than 69; what else comes there is no transfer.
func TestExpectedTransfer(t *testing.T) {
	client, server := hostAt("10.0.0.9", 50000), hostAt("10.0.0.1", 69)
	const ask, block, ack = "\x00\x01fw.bin\x00octet\x00", "\x00\x03\x00\x01data", "\x00\x04\x00\x01"
	answering := server
	answering.port = 3445
	stranger := hostAt("10.0.0.7", 3445)
	for _, c := range []struct {
		name  string
		from  host
		after float64 // seconds
		first string
		want  string
	}{
		{"a block", answering, 1, block, "tftp"},
		{"from another host", stranger, 1, block, ""},
		{"too late", answering, 70, block, ""},
		{"no block", answering, 1, "something else", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			apps, _ := appsOf(t,
				at{1, udpFrame(t, client, server, ask)},
				at{1 + c.after, udpFrame(t, c.from, client, c.first)},
				at{2 + c.after, udpFrame(t, client, c.from, ack)},
			)
			if got := apps[[2]uint16{3445, 50000}]; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if got := apps[[2]uint16{50000, 69}]; got != "tftp" {
				t.Errorf("the request is %q", got)
			}
		})
	}
}

// TestExpectedMedia: a call announces where voice will be sent; what else comes
// there first is no voice.
func TestExpectedMedia(t *testing.T) {
	const call = "INVITE sip:b@10.0.0.1 SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nm=audio 40000 RTP/AVP 0\r\n"
	const voice, report = "\x80\x00\x00\x01\x00\x00\x00\xa0\x01\x02\x03\x04voice", "\x80\xc9\x00\x01\x01\x02\x03\x04"
	phone, peer := hostAt("10.0.0.9", 5060), hostAt("10.0.0.1", 5060)
	media, control := phone, phone
	media.port, control.port = 40000, 40001
	theirs, stranger := peer, hostAt("10.0.0.7", 42000)
	theirs.port = 42000
	for _, c := range []struct {
		name     string
		from, to host
		first    string
		want     string
	}{
		{"voice", media, theirs, voice, "rtp"},
		{"voice of the other end", theirs, media, voice, "rtp"},
		{"a report", control, theirs, report, "rtcp"},
		{"something else", media, theirs, "something else", ""},
		{"from another host", stranger, media, voice, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			apps, _ := appsOf(t,
				at{1, udpFrame(t, phone, peer, call)},
				at{2, udpFrame(t, c.from, c.to, c.first)},
				at{3, udpFrame(t, c.to, c.from, voice)},
				at{4, udpFrame(t, c.from, c.to, voice)},
			)
			if got := apps[[2]uint16{c.from.port, c.to.port}]; got != c.want {
				t.Errorf("got %q, want %q; all are %v", got, c.want, apps)
			}
		})
	}
}

// TestExpectedData: a data connection is told by what the control connection
// says, whatever its bytes look like.
func TestExpectedData(t *testing.T) {
	client, server := hostAt("10.0.0.9", 50000), hostAt("10.0.0.1", 21)
	from, data := hostAt("10.0.0.9", 50001), hostAt("10.0.0.1", 49163)
	said := func(from, to host, seq, ack uint32, text string) at {
		return at{1, tcpFrame(t, from, to, TCPAck, seq, ack, text)}
	}
	const pasv, passive, stor = "PASV\r\n", "227 Entering (10,0,0,1,192,11)\r\n", "STOR index.html\r\n"
	apps, messages := appsOf(t,
		said(client, server, 100, 900, pasv),
		said(server, client, 900, 106, passive),
		said(client, server, 106, 932, stor),
		at{1, tcpFrame(t, from, data, TCPSyn, 1, 0, "")},
		at{1, tcpFrame(t, data, from, TCPSyn|TCPAck, 7, 2, "")},
		said(from, data, 2, 8, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
		at{1, tcpFrame(t, hostAt("10.0.0.9", 50002), data, TCPSyn, 1, 0, "")},
		said(hostAt("10.0.0.9", 50002), data, 2, 8, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	)
	want := map[[2]uint16]string{{50000, 21}: "ftp", {50001, 49163}: "ftp-data", {50002, 49163}: "http"}
	for ports, app := range want {
		if apps[ports] != app {
			t.Errorf("%v: got %q, want %q", ports, apps[ports], app)
		}
	}
	var files []string
	for _, m := range messages {
		if d, ok := m.(*wire.FTPData); ok {
			files = append(files, d.Command+" "+d.File)
		}
	}
	if len(files) != 1 || files[0] != "STOR index.html" {
		t.Errorf("got %q", files)
	}
}

// TestExpectationsAreBounded: of too many, the oldest are forgotten, and one
// that was renewed is not.
func TestExpectationsAreBounded(t *testing.T) {
	s := NewShard(DefaultConfig(), wire.Table())
	e := &entry{key: key{proto: protoTCP, addr: [2][16]byte{{1}, {2}}}}
	expect := func(port uint16) {
		s.expect(e, &wire.Expectation{App: "x", Over: protoTCP, Listener: wire.FromServer, Port: port, Message: &wire.FTPData{}})
	}
	expect(1)
	expect(2)
	expect(1)
	for i := range maxExpected - 1 {
		expect(uint16(1000 + i))
	}
	if n := len(s.expected.byKey); n != maxExpected {
		t.Errorf("%d are waited for", n)
	}
	for port, want := range map[uint16]bool{1: true, 2: false, 1000: true} {
		flow := &entry{key: e.key}
		flow.key.port = [2]uint16{40000, port}
		if _, ok := s.announced(flow); ok != want {
			t.Errorf("port %d: %v", port, ok)
		}
		if _, ok := s.announced(flow); ok {
			t.Errorf("port %d twice", port)
		}
	}
}
