package wire

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/testkit"
)

// dtlsRecordOf wraps a body in a record of epoch 0.
func dtlsRecordOf(kind int, body []byte) []byte {
	return join(kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, len(body)>>8, len(body), body)
}

// dtlsPart is the record of one fragment of a handshake message.
func dtlsPart(kind, seq int, message []byte, from, to int) []byte {
	return dtlsRecordOf(recordHandshake, join(
		kind, 0, len(message)>>8, len(message), 0, seq, // type, length, message_seq
		0, from>>8, from, 0, (to-from)>>8, to-from, message[from:to]))
}

func dtlsWhole(kind, seq int, message []byte) []byte {
	return dtlsPart(kind, seq, message, 0, len(message))
}

// dtlsHelloBody is a ClientHello of DTLS 1.2 for "a", or of 1.3 if it offers
// that too.
func dtlsHelloBody(cookie string, offer13 bool) []byte {
	extensions := join(0, 0, 0, 6, 0, 4, 0, 0, 1, "a") // server_name
	if offer13 {
		extensions = join(extensions, 0, 43, 0, 5, 4, 0xfe, 0xfc, 0xfe, 0xfd) // supported_versions
	}
	return join(
		0xfe, 0xfd, make([]byte, 32), // DTLS 1.2, random
		0, len(cookie), cookie, // no session id
		0, 2, 0xc0, 0x2b, // one cipher suite
		1, 0, 0, len(extensions), extensions)
}

func dtlsServerBody(extensions []byte) []byte {
	return join(0xfe, 0xfd, make([]byte, 32), 0, 0xc0, 0x2b, 0, 0, len(extensions), extensions)
}

func TestDTLS(t *testing.T) {
	first, second := dtlsHelloBody("", false), dtlsHelloBody("cookie", false)
	verify := dtlsWhole(handshakeVerifyRequest, 0, join(0xfe, 0xff, 6, "cookie"))
	server := dtlsServerBody(nil)
	der, _ := issue(t, leafTemplate(), nil, nil)
	chain := certificateBody(der)
	encrypted := join(23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 20, make([]byte, 20))
	const hello, answer, cert = "hello a", "server DTLS 1.2", "certificate"
	for _, tt := range []struct {
		name string
		in   []chunk
		want []string
	}{
		{"hello", []chunk{{FromClient, dtlsWhole(1, 0, first)}}, []string{hello}},
		{"hello sent again", []chunk{{FromClient, dtlsWhole(1, 0, first)}, {FromClient, dtlsWhole(1, 0, first)}}, []string{hello}},
		{"with a cookie", []chunk{
			{FromClient, dtlsWhole(1, 0, first)},
			{FromServer, verify},
			{FromClient, dtlsWhole(1, 1, second)},
			{FromServer, dtlsWhole(2, 1, server)},
		}, []string{hello, answer}},
		{"hello in parts, the last first", []chunk{
			{FromClient, dtlsPart(1, 0, first, 30, len(first))},
			{FromClient, dtlsPart(1, 0, first, 10, 40)},
			{FromClient, dtlsPart(1, 0, first, 0, 20)},
		}, []string{hello}},
		{"hello of which a part is lost", []chunk{{FromClient, dtlsPart(1, 0, first, 0, 50)}}, []string{"hello  cut"}},
		{"answer and certificate in one datagram", []chunk{
			{FromServer, join(dtlsWhole(2, 0, server), dtlsWhole(11, 1, chain), dtlsWhole(14, 2, nil))},
		}, []string{answer, cert}},
		{"certificate in parts", []chunk{
			{FromServer, dtlsPart(11, 1, chain, 100, len(chain))},
			{FromServer, dtlsPart(11, 1, chain, 0, 200)},
		}, []string{cert}},
		{"certificate without its end", []chunk{{FromServer, dtlsPart(11, 1, chain, 0, 200)}}, []string{"certificate cut"}},
		{"an alert", []chunk{{FromServer, dtlsRecordOf(recordAlert, join(2, 40))}}, []string{"alert 40"}},
		{"an encrypted alert", []chunk{{FromServer, join(21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 2, 2, 40)}}, nil},
		{"two sessions", []chunk{
			{FromClient, dtlsWhole(1, 0, first)},
			{FromServer, dtlsWhole(2, 0, server)},
			{FromClient, encrypted},
			{FromClient, dtlsWhole(1, 0, first)},
		}, []string{hello, answer, hello}},
		{"DTLS 1.3", []chunk{
			{FromClient, dtlsWhole(1, 0, dtlsHelloBody("", true))},
			// The encrypted records behind the ServerHello have headers of their own.
			{FromServer, join(dtlsWhole(2, 0, dtlsServerBody(join(0, 43, 0, 2, 0xfe, 0xfc))), 0x2e, make([]byte, 40))},
		}, []string{"hello a", "server DTLS 1.3"}},
		{"a part beyond the message", []chunk{{FromClient, dtlsRecordOf(22, join(1, 0, 0, 10, 0, 0, 0, 0, 8, 0, 0, 8, make([]byte, 8)))}}, nil},
		{"a message of 16 MB", []chunk{{FromClient, dtlsRecordOf(22, join(1, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 8, make([]byte, 8)))}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			msgs, err := playDatagrams(t, new(memory).newDTLSFlow(), tt.in)
			if err != nil {
				t.Error(err)
			}
			var got []string
			for _, m := range msgs {
				got = append(got, describeTLS(m))
				if m.Protocol() != "dtls" {
					t.Errorf("%T of protocol %s", m, m.Protocol())
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("messages differ (-want +got):\n%s", diff)
			}
			for i, c := range tt.in[:len(tt.in)-1] {
				if !sniffDTLS(c.b) {
					t.Errorf("datagram %d was not recognised", i)
				}
			}
		})
	}
}

// describeTLS tells a message of a handshake in a few words.
func describeTLS(m Message) string {
	cut := func(truncated bool) string {
		if truncated {
			return " cut"
		}
		return ""
	}
	switch m := m.(type) {
	case *ClientHello:
		return "hello " + m.SNI + cut(m.Truncated)
	case *ServerHello:
		return "server " + VersionName(m.Version)
	case *Certificate:
		return "certificate" + cut(m.Truncated)
	case *TLSAlert:
		return "alert " + string(join(m.Description/10+'0', m.Description%10+'0'))
	}
	return "something else"
}

// TestDTLSFingerprint: the letter of the transport and the version, which
// counts downwards.
func TestDTLSFingerprint(t *testing.T) {
	for offer13, want := range map[bool]string{false: "dd2d010100_", true: "dd3d010200_"} {
		msgs, err := new(memory).newDTLSFlow().Datagram(FromClient, dtlsWhole(1, 0, dtlsHelloBody("", offer13)), nil)
		if err != nil || len(msgs) != 1 {
			t.Fatalf("got %v, %v", msgs, err)
		}
		if got := msgs[0].(*ClientHello).JA4; len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("got JA4 %s, want %s...", got, want)
		}
	}
}

func TestSniffDTLS(t *testing.T) {
	hello := dtlsWhole(1, 0, dtlsHelloBody("", false))
	encrypted := join(23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 20, make([]byte, 20))
	for _, tt := range []struct {
		name string
		in   []byte
		want bool
	}{
		{"empty", nil, false},
		{"hello", hello, true},
		{"hello of an access point", join(1, 0, 0, 0, hello), true},
		{"hello cut at 60 bytes", hello[:60], true},
		{"hello of another version", slices.Replace(slices.Clone(hello), 25, 27, 3, 3), false},
		{"TLS over TCP", minimalHello, false},
		{"encrypted", encrypted, true},
		{"encrypted, cut", encrypted[:30], false},
		{"encrypted, with a tail", join(encrypted, 1, 2, 3), false},
		{"two encrypted", join(encrypted, encrypted), true},
		{"ChangeCipherSpec and what follows", join(dtlsRecordOf(20, join(1)), encrypted), true},
		{"alert", dtlsRecordOf(21, join(1, 0)), true},
		{"alert of an unknown level", dtlsRecordOf(21, join(3, 0)), false},
		{"STUN", join(0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, make([]byte, 12)), false},
	} {
		if got := sniffDTLS(tt.in); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestDTLSQuiet: encrypted data is passed over in the end, datagrams of another
// protocol on the same ports are refused one by one.
func TestDTLSQuiet(t *testing.T) {
	d := new(memory).newDTLSFlow()
	if _, err := d.Datagram(FromClient, join(0x80, 0, make([]byte, 20)), nil); !errors.Is(err, ErrNotMine) {
		t.Errorf("RTP: got %v", err)
	}
	encrypted := join(23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 20, make([]byte, 20))
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		_, err = d.Datagram(FromClient, encrypted, nil)
	}
	if !errors.Is(err, ErrDone) || n != maxDTLSQuiet {
		t.Errorf("after %d datagrams: %v", n, err)
	}
}

func FuzzDTLS(f *testing.F) {
	hello := dtlsHelloBody("", true)
	f.Add(dtlsWhole(1, 0, hello), dtlsWhole(2, 0, dtlsServerBody(nil)))
	f.Add(dtlsPart(1, 0, hello, 20, len(hello)), dtlsPart(1, 0, hello, 0, 30))
	f.Add(dtlsRecordOf(21, join(2, 40)), dtlsWhole(11, 0, certificateBody(make([]byte, 30))))
	for _, path := range testkit.CorpusSeeds(f, "protocols/*/*dtls*") {
		if info, err := os.Stat(path); err == nil && info.Size() < 64<<10 {
			readCapture(f, path, func(p transport) {
				if p.udp {
					f.Add(p.payload, p.payload[:len(p.payload)/2])
				}
			})
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		d := new(memory).newDTLSFlow().(*dtlsFlow)
		for i, in := range [][]byte{a, b, a} {
			if len(in) == 0 {
				continue
			}
			msgs, err := d.Datagram(Dir(i&1), in, nil)
			if err != nil && !errors.Is(err, ErrDone) {
				if len(msgs) > 0 {
					t.Errorf("got messages with %v", err)
				}
				checkError(t, nil, err)
			}
			if sniffDTLS(in) && err != nil {
				t.Errorf("recognised, but not read: %v", err)
			}
		}
		if d.Retained() > 4*maxHandshakeKept {
			t.Errorf("%d bytes kept", d.Retained())
		}
		d.Flush(FromServer, nil, d.Flush(FromClient, nil, nil))
	})
}
