package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRFB(t *testing.T) {
	const v8, v7, v3 = "RFB 003.008\n", "RFB 003.007\n", "RFB 003.003\n"
	challenge := make([]byte, rfbChallengeLen)
	init := join(
		4, 0, 3, 0, // 1024 by 768
		16, 15, 0, 1, 0, 31, 0, 63, 0, 32, 11, 5, 1, 0, 0, 0, // 16 bits, 15 of colour, little endian, true colour; the maxima; the shifts; padding
		0, 0, 0, 4, "desk",
	)
	pixels := RFBPixels{16, 15, false, true, 31, 63, 32, 11, 5, 1}
	c, s := FromClient, FromServer
	login := func(o Outcome) *Login { return &Login{Service: "rfb", Mechanism: "VNC", Outcome: o} }
	for _, tt := range []struct {
		name string
		in   []chunk
		want []Message
	}{
		{
			"a password that is right",
			[]chunk{{s, []byte(v8)}, {c, []byte(v8)}, {s, join(2, 1, 2)}, {c, join(2)}, {s, challenge}, {c, challenge}, {s, join(0, 0, 0, 0)}, {c, join(1)}, {s, init}},
			[]Message{login(Succeeded), &RFB{3, 8, 3, 8, []uint8{1, 2}, 2, Succeeded, "", true, true, 1024, 768, pixels, "desk"}},
		},
		{
			"one that is wrong",
			[]chunk{{s, []byte(v8)}, {c, []byte(v8)}, {s, join(1, 2)}, {c, join(2)}, {s, challenge}, {c, challenge}, {s, join(0, 0, 0, 1, 0, 0, 0, 2, "no")}},
			[]Message{login(Failed), &RFB{3, 8, 3, 8, []uint8{2}, 2, Failed, "no", false, false, 0, 0, RFBPixels{}, ""}},
		},
		{
			"wrong, in version 3.7, which gives no reason",
			[]chunk{{s, []byte(v8)}, {c, []byte(v7)}, {s, join(1, 2)}, {c, join(2)}, {s, challenge}, {c, challenge}, {s, join(0, 0, 0, 1)}},
			[]Message{login(Failed), &RFB{3, 8, 3, 7, []uint8{2}, 2, Failed, "", false, false, 0, 0, RFBPixels{}, ""}},
		},
		{
			"version 3.3, in which the server chooses",
			[]chunk{{s, []byte(v8)}, {c, []byte(v3)}, {s, join(0, 0, 0, 2, challenge)}, {c, challenge}, {s, join(0, 0, 0, 0)}, {c, join(1)}, {s, init}},
			[]Message{login(Succeeded), &RFB{3, 8, 3, 3, []uint8{2}, 2, Succeeded, "", true, true, 1024, 768, pixels, "desk"}},
		},
		{
			"no security",
			[]chunk{{s, []byte(v8)}, {c, []byte(v8)}, {s, join(1, 1)}, {c, join(1)}, {s, join(0, 0, 0, 0)}, {c, join(1)}, {s, init}},
			[]Message{&RFB{3, 8, 3, 8, []uint8{1}, 1, Succeeded, "", true, true, 1024, 768, pixels, "desk"}},
		},
		{
			"no security in version 3.3, which tells no result",
			[]chunk{{s, []byte(v3)}, {c, []byte(v3)}, {s, join(0, 0, 0, 1)}, {c, join(1)}, {s, init}},
			[]Message{&RFB{3, 3, 3, 3, []uint8{1}, 1, OutcomeUnknown, "", true, true, 1024, 768, pixels, "desk"}},
		},
		{
			"no security, and a client that lets no others stay",
			[]chunk{{s, []byte(v8)}, {c, []byte(v8)}, {s, join(1, 1)}, {c, join(1)}, {s, join(0, 0, 0, 0)}, {c, join(0)}, {s, init}},
			[]Message{&RFB{3, 8, 3, 8, []uint8{1}, 1, Succeeded, "", true, false, 1024, 768, pixels, "desk"}},
		},
		{
			"no security and no result for Apple's version, by x11vnc",
			[]chunk{{s, []byte(v8)}, {c, []byte("RFB 003.889\n")}, {s, join(1, 1)}, {c, join(1)}, {c, join(1)}, {s, init}},
			[]Message{&RFB{3, 8, 3, 889, []uint8{1}, 1, OutcomeUnknown, "", true, true, 1024, 768, pixels, "desk"}},
		},
		{
			"refused before the client said anything, by TigerVNC",
			[]chunk{{s, join(v3, 0, 0, 0, 0, 0, 0, 0, 4, "many")}},
			[]Message{&RFB{3, 3, 0, 0, nil, 0, Failed, "many", false, false, 0, 0, RFBPixels{}, ""}},
		},
		{
			"refused in version 3.3, whatever the client speaks",
			[]chunk{{s, []byte(v3)}, {c, []byte(v8)}, {s, join(0, 0, 0, 0, 0, 0, 0, 4, "many")}},
			[]Message{&RFB{3, 3, 3, 8, nil, 0, Failed, "many", false, false, 0, 0, RFBPixels{}, ""}},
		},
		{
			"version 3.3 by a client that was not recorded",
			[]chunk{{s, []byte(v8)}, {s, join(0, 0, 0, 1)}, {s, init}},
			[]Message{&RFB{3, 8, 0, 0, nil, 0, OutcomeUnknown, "", false, false, 0, 0, RFBPixels{}, ""}},
		},
		{
			"VeNCrypt",
			[]chunk{{s, []byte(v8)}, {c, []byte(v8)}, {s, join(1, 19)}, {c, join(19)}, {s, join(0, 2)}},
			[]Message{&RFB{3, 8, 3, 8, []uint8{19}, 19, OutcomeUnknown, "", false, false, 0, 0, RFBPixels{}, ""}},
		},
		{
			"too many tries",
			[]chunk{{s, []byte(v8)}, {c, []byte(v8)}, {s, join(0, 0, 0, 0, 4, "busy")}},
			[]Message{&RFB{3, 8, 3, 8, nil, 0, Failed, "busy", false, false, 0, 0, RFBPixels{}, ""}},
		},
		{
			"broken off at the challenge",
			[]chunk{{s, []byte(v8)}, {c, []byte(v8)}, {s, join(1, 2)}, {c, join(2)}, {s, challenge}, {c, challenge}},
			[]Message{login(OutcomeUnknown), &RFB{3, 8, 3, 8, []uint8{2}, 2, OutcomeUnknown, "", false, false, 0, 0, RFBPixels{}, ""}},
		},
		{"a server alone", []chunk{{s, []byte(v8)}}, []Message{&RFB{3, 8, 0, 0, nil, 0, OutcomeUnknown, "", false, false, 0, 0, RFBPixels{}, ""}}},
		{"nothing", nil, nil},
	} {
		for _, step := range []int{0, 1} {
			stream := newRFBStream()
			msgs, err := play(t, stream, tt.in, step)
			if err != nil && !errors.Is(err, ErrDone) {
				t.Errorf("%s, step %d: %v", tt.name, step, err)
			}
			for dir := range Dir(2) {
				msgs = stream.(Flusher).Flush(dir, nil, msgs)
			}
			if diff := cmp.Diff(tt.want, msgs); diff != "" {
				t.Errorf("%s, step %d: messages differ (-want +got):\n%s", tt.name, step, diff)
			}
		}
	}
	for _, in := range []string{"RFB 003.00x\n", "RFB 003.008\r", "RTSP/1.0"} {
		if _, err := play(t, newRFBStream(), []chunk{{s, []byte(in)}}, 0); !errors.Is(err, ErrNotMine) {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

func FuzzRFB(f *testing.F) {
	f.Add([]byte("\x03RFB 003.008\n\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00RFB 003.008\n\x02\x01\x02"))
	f.Add([]byte("\xffRFB 003.003\nRFB 003.003\n"))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, newRFBStream, b) })
}
