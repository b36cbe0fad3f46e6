package wire

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// x224 is a connection TPDU of kind over TPKT with a variable part.
func x224(kind int, variable ...any) []byte {
	rest := join(variable...)
	return join(3, 0, 0, rdpFixed+len(rest), 6+len(rest), kind, 0, 0, 0, 0, 0, rest)
}

func TestRDP(t *testing.T) {
	offer := join(1, 0, 8, 0, 11, 0, 0, 0)
	for _, tt := range []struct {
		name string
		in   []byte
		want *RDP // nil if it is not recognised
		err  error
	}{
		{"user and offer", x224(0xe0, "Cookie: mstshash=eve\r\n", offer), &RDP{Cookie: "eve", Protocols: 11}, nil},
		{"user alone", x224(0xe0, "Cookie: mstshash=eve\r\n"), &RDP{Cookie: "eve"}, nil},
		{"routing token", x224(0xe0, "Cookie: msts=3640205228.15629.0000\r\n", offer), &RDP{Cookie: "msts=3640205228.15629.0000", Protocols: 11}, nil},
		{"offer alone", x224(0xe0, offer), &RDP{Protocols: 11}, nil},
		{"offer with flags", x224(0xe0, 1, 9, 8, 0, 3, 0, 0, 0), &RDP{Protocols: 3, Flags: 9}, nil},
		{"answer: CredSSP", x224(0xd0, 2, 0x1f, 8, 0, 2, 0, 0, 0), &RDP{Response: true, Protocols: 2, Flags: 0x1f}, ErrUpgrade},
		{"answer: RDP's own", x224(0xd0, 2, 0, 8, 0, 0, 0, 0, 0), &RDP{Response: true}, nil},
		{"refusal", x224(0xd0, 3, 0, 8, 0, 5, 0, 0, 0), &RDP{Response: true, Failure: 5}, ErrDone},
		{"nothing but the header", x224(0xe0), nil, ErrNotMine},
		{"COTP of S7", x224(0xe0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2), nil, ErrNotMine},
		{"cookie in an answer", x224(0xd0, "Cookie: mstshash=eve\r\n"), nil, ErrNotMine},
		{"cookie without an end", x224(0xe0, "Cookie: mstshash=eve"), nil, ErrNotMine},
		{"offer of another length", x224(0xe0, 1, 0, 9, 0, 1, 0, 0, 0), nil, ErrNotMine},
		{"cut short by its own length", x224(0xe0, "Cookie: a\r\n", 1, 0, 8), nil, ErrNotMine},
		{"data", join(3, 0, 0, 7, 2, 0xf0, 0x80), nil, ErrNotMine},
		{"TPKT of 4 bytes", join(3, 0, 0, 4, 0, 0xe0), nil, ErrNotMine},
	} {
		for _, step := range []int{0, 1} {
			msgs, err := play(t, newRDPStream(), []chunk{{FromClient, tt.in}}, step)
			if !errors.Is(err, tt.err) {
				t.Errorf("%s, step %d: got error %v, want %v", tt.name, step, err, tt.err)
			}
			var want []Message
			if tt.want != nil {
				want = []Message{tt.want}
			}
			if diff := cmp.Diff(want, msgs); diff != "" {
				t.Errorf("%s, step %d: messages differ (-want +got):\n%s", tt.name, step, diff)
			}
		}
		for n := range tt.in {
			checkSniff(t, tt.in[:n+1])
		}
	}
}

func TestRDPProtocols(t *testing.T) {
	for mask, want := range map[uint32][]string{0: {"rdp"}, 3: {"ssl", "hybrid"}, 8: {"hybrid_ex"}, 1 << 20: nil} {
		if diff := cmp.Diff(want, RDPProtocols(mask)); diff != "" {
			t.Errorf("%#x (-want +got):\n%s", mask, diff)
		}
	}
}

// TestRDPNames: bits without a name have none.
func TestRDPNames(t *testing.T) {
	for _, c := range []struct {
		got, want []string
	}{
		{RDPRequestFlags(0xff), []string{"restricted_admin_mode_required", "redirected_authentication_mode_required", "correlation_info_present"}},
		{RDPRequestFlags(4), nil},
		{RDPSupport(0x06), []string{"dynvc_gfx"}},
		{RDPProtocols(0), []string{"rdp"}},
		{RDPProtocols(3), []string{"ssl", "hybrid"}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func FuzzRDP(f *testing.F) {
	f.Add(append([]byte{255}, x224(0xe0, "Cookie: mstshash=eve\r\n", 1, 0, 8, 0, 11, 0, 0, 0)...))
	f.Add(append([]byte{0}, join(0, x224(0xd0, 2, 0x1f, 8, 0, 2, 0, 0, 0))...))
	opening := join(x224(0xe0, "Cookie: mstshash=eve\r\n"), rdpInitial(rdpCore(0), rdpChannels))
	f.Add(join(len(opening)/8, opening, x224(0xd0), join(3, 0, 0, 11, 2, 0xf0, 0x80, 0x7f, 0x66, 0, 0)))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, newRDPStream, b) })
}
