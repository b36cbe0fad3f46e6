package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rtpExpected is what a description or an answer announces: a flow of app to
// port of dir.
func rtpExpected(app string, dir Dir, port uint16) *Expectation {
	return &Expectation{App: app, Over: overUDP, Listener: dir, Port: port}
}

func TestSDP(t *testing.T) {
	const c, s = FromClient, FromServer
	for _, tt := range []struct {
		name string
		dir  Dir
		in   []byte
		want []Message
	}{
		{"voice, RTCP on the next port", c, says("v=0", "o=- 1 1 IN IP4 192.168.7.42", "m=audio 40000 RTP/AVP 0 8 101", "a=rtpmap:0 PCMU/8000"), []Message{
			rtpExpected("rtp", c, 40000), rtpExpected("rtcp", c, 40001),
		}},
		{"voice and picture: RTCP on a port of its own, or on the same", s, says("m=audio 5000 RTP/SAVP 0", "a=rtcp:5100 IN IP4 10.0.0.1", "m=video 6000/2 RTP/AVPF 96", "a=rtcp-mux"), []Message{
			rtpExpected("rtp", s, 5000), rtpExpected("rtcp", s, 5100), rtpExpected("rtp", s, 6000),
		}},
		{"WebRTC", c, says("m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=rtcp-mux"), []Message{rtpExpected("rtp", c, 9)}},
		{"refused, a fax, the last port, no port", c, says("m=audio 0 RTP/AVP 0", "m=image 4000 udptl t38", "m=audio 65535 RTP/AVP 0", "m=audio 65536 RTP/AVP 0"), []Message{
			rtpExpected("rtp", c, 65535),
		}},
		{"cut off", c, []byte("m=audio 40000 RTP/AVP 0\nm=vid"), []Message{rtpExpected("rtp", c, 40000), rtpExpected("rtcp", c, 40001)}},
		{"too many", c, says("m=a 2 RTP/AVP 0", "a=rtcp-mux", "m=a 4 RTP/AVP 0", "a=rtcp-mux", "m=a 6 RTP/AVP 0", "a=rtcp-mux", "m=a 8 RTP/AVP 0", "a=rtcp-mux", "m=a 10 RTP/AVP 0"), []Message{
			rtpExpected("rtp", c, 2), rtpExpected("rtp", c, 4), rtpExpected("rtp", c, 6), rtpExpected("rtp", c, 8),
		}},
		{"nothing", c, nil, nil},
	} {
		if diff := cmp.Diff(tt.want, appendSDP(nil, tt.dir, tt.in)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestRTSPTransport(t *testing.T) {
	const c, s = FromClient, FromServer
	for in, want := range map[string][]Message{
		"RTP/AVP;unicast;client_port=5000-5001;server_port=6970-6971;ssrc=1": {
			rtpExpected("rtp", c, 5000), rtpExpected("rtcp", c, 5001), rtpExpected("rtp", s, 6970), rtpExpected("rtcp", s, 6971),
		},
		"RTP/AVP/UDP; unicast; client_port=5000": {rtpExpected("rtp", c, 5000)},
		"RTP/AVP/TCP;unicast;interleaved=0-1":    nil,
		"RAW/RAW/UDP;unicast;client_port=5000":   nil,
		"RTP/AVP;client_port=x-99999":            nil,
		"":                                       nil,
	} {
		if diff := cmp.Diff(want, appendTransport(nil, s, []byte(in))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	}
}

// TestRTPFlow: what was announced is taken for media only if it looks like it.
func TestRTPFlow(t *testing.T) {
	voice := join(0x80, 0x80, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4, "voice")                            // version 2, marked, PCMU
	report := join(0x81, 201, 0, 7, 1, 2, 3, 4, make([]byte, 24))                                 // a receiver's report of 8 words
	encrypted := join(0x80, 200, 0, 1, 1, 2, 3, 4, "\x80\x00\x00\x01 the rest and how it begins") // SRTCP
	for _, tt := range []struct {
		name      string
		in        []byte
		rtp, rtcp bool
	}{
		{"voice", voice, true, false},
		{"a report", report, true, true}, // on one port, it may come first
		{"an encrypted report", encrypted, true, true},
		{"a report cut off", report[:20], false, false},
		{"a header cut off", voice[:11], false, false},
		{"version 1", join(0x40, voice[1:]), false, false},
		{"a binding request of STUN", join(0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, make([]byte, 12)), false, false},
		{"nothing", nil, false, false},
	} {
		_, err := newRTPFlow().Datagram(FromClient, tt.in, nil)
		if got := errors.Is(err, ErrDone); got != tt.rtp || !got && !errors.Is(err, ErrNotMine) {
			t.Errorf("%s: rtp says %v", tt.name, err)
		}
		_, err = newRTCPFlow().Datagram(FromClient, tt.in, nil)
		if got := errors.Is(err, ErrDone); got != tt.rtcp || !got && !errors.Is(err, ErrNotMine) {
			t.Errorf("%s: rtcp says %v", tt.name, err)
		}
	}
}

// FuzzSDP: no port is announced that the description does not name or that does
// not follow one.
func FuzzSDP(f *testing.F) {
	f.Add([]byte("m=audio 40000 RTP/AVP 0\r\na=rtcp:40005\r\n"))
	f.Add([]byte("RTP/AVP;client_port=1-2;server_port=3-4"))
	f.Fuzz(func(t *testing.T, b []byte) {
		msgs := appendTransport(appendSDP(nil, FromClient, b), FromServer, b)
		if len(msgs) > len(b) {
			t.Errorf("%d announcements", len(msgs))
		}
		for _, m := range msgs {
			x := m.(*Expectation)
			if x.Port == 0 || x.Over != overUDP || x.App != "rtp" && x.App != "rtcp" {
				t.Errorf("got %+v", x)
			}
		}
		for _, d := range []Datagrams{newRTPFlow(), newRTCPFlow()} {
			if _, err := d.Datagram(FromClient, b, nil); !errors.Is(err, ErrDone) && !errors.Is(err, ErrNotMine) {
				t.Errorf("got %v", err)
			}
		}
	})
}
