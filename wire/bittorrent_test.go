package wire

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestBitTorrentDatagrams(t *testing.T) {
	id := strings.Repeat("i", 20)
	hash := strings.Repeat("h", 20)
	hexHash, hexID := strings.Repeat("68", 20), strings.Repeat("69", 20)
	syn := join(0x41, 0, 0x12, 0x34, 1, 2, 3, 4, 0, 0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0)
	for _, tt := range []struct {
		name  string
		in    []byte
		sniff bool
		want  Message
		err   error
	}{
		{"ping", []byte("d1:ad2:id20:" + id + "e1:q4:ping1:t2:aa1:v4:LT\x01\x021:y1:qe"), true, &DHT{Query: "ping", Client: "4c540102", Transaction: "6161", ID: hexID}, nil},
		{"get_peers", []byte("d1:ad2:id20:" + id + "9:info_hash20:" + hash + "e1:q9:get_peers1:t2:aa1:y1:qe"), true, &DHT{Query: "get_peers", InfoHash: hexHash, Transaction: "6161", ID: hexID}, nil},
		{"announce_peer", []byte("d1:ad2:id20:" + id + "12:implied_porti1e9:info_hash20:" + hash + "4:porti6881e5:token2:xxe1:q13:announce_peer1:t1:x1:y1:qe"), true, &DHT{
			Query: "announce_peer", InfoHash: hexHash, Transaction: "78", ID: hexID, Port: 6881, Token: "7878",
		}, nil},
		{"find_node", []byte("d1:ad2:id3:abc6:target20:" + hash + "e1:q9:find_node1:t1:x1:y1:qe"), true, &DHT{Query: "find_node", Target: hexHash, Transaction: "78"}, nil},
		{"a query of one's own", []byte("d1:ade1:q6:secret1:t2:aa1:y1:qe"), true, &DHT{Transaction: "6161"}, nil},
		{"reply", []byte("d1:rd2:id20:" + id + "5:nodes26:" + hash + "\x0a\x00\x00\x01\x1a\xe16:nodes638:" + hash + strings.Repeat("\x00", 16) + "\x00\x075:token2:xx6:valuesl6:\x0a\x00\x00\x02\x1a\xe118:" + strings.Repeat("\x00", 16) + "\x00\x05ee1:t2:aa1:y1:re"), true, &DHT{
			Reply: true, Transaction: "6161", ID: hexID,
			Nodes:  []DHTNode{{hexHash, netip.MustParseAddrPort("10.0.0.1:6881")}},
			Nodes6: []DHTNode{{hexHash, netip.MustParseAddrPort("[::]:7")}}, Token: "7878",
			Peers: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.2:6881"), netip.MustParseAddrPort("[::]:5")},
		}, nil},
		{"error", []byte("d1:eli203e9:a messagee1:t2:aa1:y1:ee"), true, &DHT{Reply: true, Error: 203, ErrorText: "a message", Transaction: "6161"}, nil},
		{"damaged within", []byte("d1:ad2:id99:" + id + "e1:q4:ping1:t2:aa1:y1:qe"), true, &DHT{}, nil},
		{"too deep", []byte("d1:a" + strings.Repeat("l", 40) + strings.Repeat("e", 40) + "1:t2:aa1:y1:qe"), true, &DHT{}, nil},
		{"uTP", syn, true, &BitTorrent{Kind: "utp"}, nil},
		{"uTP with extension bits", join(0x41, 2, syn[2:], 0, 8, make([]byte, 8)), true, &BitTorrent{Kind: "utp"}, nil},
		{"uTP of libutp", join(0x41, 2, syn[2:16], 0x17, 0x3b, 0, 0, 0, 8, make([]byte, 8)), true, &BitTorrent{Kind: "utp"}, nil},
		{"uTP without bits, a random sequence number", join(syn[:16], 0x17, 0x3b, 0, 0), false, nil, nil},
		{"a tracker", btConnect, true, nil, nil},
		{"a tracker, another action", join(btConnect[:11], 1, btConnect[12:]), false, nil, ErrNotMine},
		{"an announcement without a connect", btAsk, false, nil, ErrNotMine},
		{"a search", []byte(btSearch + "Host: 239.192.152.143:6771\r\nPort: 51413\r\nInfohash: " + strings.Repeat("AB", 20) + "\r\n\r\n\r\n"), true, &BitTorrent{
			Kind: "local_search", InfoHash: strings.Repeat("ab", 20),
		}, nil},
		{"a search for nothing", []byte(btSearch + "Infohash: " + strings.Repeat("x", 40) + "\r\n\r\n"), true, &BitTorrent{Kind: "local_search"}, nil},
		{"a search that is cut", []byte(btSearch[:20]), false, nil, ErrNotMine},
		{"uTP that acknowledges", join(syn[:18], 0, 1), false, nil, nil},
		{"handshake within uTP", join(0x01, 0, make([]byte, 18), btHandshake, make([]byte, 8), hash, "-TR2940-", make([]byte, 12)), false, &BitTorrent{Kind: "handshake", InfoHash: hexHash, PeerID: "-TR2940-"}, nil},
		{"a dictionary of something else", []byte("d3:foo3:bar3:baz3:quxxe"), false, nil, ErrNotMine},
		{"not a dictionary", []byte("l1:t1:x1:y1:qe"), false, nil, ErrNotMine},
		{"empty", nil, false, nil, ErrNotMine},
	} {
		msgs, err := newBTFlow().Datagram(FromClient, tt.in, nil)
		if !errors.Is(err, tt.err) || sniffBT(tt.in) != tt.sniff {
			t.Errorf("%s: got %v, recognised: %v", tt.name, err, sniffBT(tt.in))
		}
		var want []Message
		if tt.want != nil {
			want = []Message{tt.want}
		}
		if diff := cmp.Diff(want, msgs, equateAddrs, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
			t.Errorf("%s: messages differ (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestBitTorrentStream(t *testing.T) {
	hello := join(btHandshake, make([]byte, 8), strings.Repeat("h", 20), "-TR2940-", make([]byte, 12))
	for _, step := range []int{0, 1} {
		msgs, err := play(t, newBTStream(), []chunk{{FromClient, join(hello, 0, 0, 0, 1, 2)}, {FromServer, hello}}, step)
		if len(msgs) != 2 || !errors.Is(err, ErrDone) {
			t.Fatalf("got %v, %v", msgs, err)
		}
		want := &BitTorrent{From: FromServer, Kind: "handshake", InfoHash: strings.Repeat("68", 20), PeerID: "-TR2940-"}
		if diff := cmp.Diff(Message(want), msgs[1]); diff != "" {
			t.Errorf("step %d: handshake differs (-want +got):\n%s", step, diff)
		}
	}
	if _, err := play(t, newBTStream(), []chunk{{FromClient, []byte("\x13BitTorrent protocoX")}}, 0); !errors.Is(err, ErrNotMine) {
		t.Errorf("another name: got %v", err)
	}
}

// What a client asks a tracker: to connect, and who shares a file.
var (
	btConnect = join(0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 0x0c, 0xda, 0x67, 0x92)
	btAsk     = join(0xd5, 0x16, 0x64, 0x4d, 0x65, 0x0a, 0xfb, 0x40, 0, 0, 0, 1, 0xd6, 0x4b, 0xfc, 0x80,
		"hhhhhhhhhhhhhhhhhhhh", "-TR3000-0xuxgpd5y5se", make([]byte, 42))
)

func TestBTTracker(t *testing.T) {
	f := newBTFlow()
	want := &BitTorrent{From: FromClient, Kind: "tracker", InfoHash: strings.Repeat("68", 20), PeerID: "-TR3000-"}
	for i, step := range []struct {
		dir  Dir
		in   []byte
		want []Message
	}{
		{FromClient, btConnect, nil},
		{FromServer, join(0, 0, 0, 0, btConnect[12:], btAsk[:8]), nil},
		{FromClient, btAsk, []Message{want}},
		{FromServer, join(0, 0, 0, 1, btAsk[12:16], make([]byte, 12)), nil},
		{FromClient, btAsk, nil}, // again
		{FromClient, btAsk[:60], nil},
	} {
		msgs, err := f.Datagram(step.dir, step.in, nil)
		if diff := cmp.Diff(step.want, msgs); diff != "" || err != nil {
			t.Errorf("step %d: %v, messages differ (-want +got):\n%s", i, err, diff)
		}
	}
}

// TestBTQuiet: a flow of the hash table is told of a few times only.
func TestBTQuiet(t *testing.T) {
	f := newBTFlow()
	var msgs []Message
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		msgs, err = f.Datagram(Dir(i&1), []byte("d1:ade1:q4:ping1:t2:aa1:y1:qe"), msgs)
	}
	if len(msgs) != 2 || !errors.Is(err, ErrDone) {
		t.Errorf("got %d messages, %v", len(msgs), err)
	}
}

// FuzzTunnels feeds the datagram parsers of VPNs, calls and peer-to-peer
// networks: they recognise no more than they read, and do not grow.
func FuzzTunnels(f *testing.F) {
	f.Add(join(1, 0, 0, 0, make([]byte, 144)))
	f.Add(join(0x38, "SESSION1", ovpnReplay, make([]byte, 37)))
	f.Add(ikeMessage(33, 0x20, 34, 0x20, join(41, 0, 0, 4, 0, 0, 0, 4)))
	f.Add(stunMessage(0x0113, stunAttribute(9, join(0, 0, 4, 1)), stunAttribute(0x14, []byte("r"))))
	f.Add([]byte("d1:ade1:q4:ping1:t2:aa1:v4:LT\x01\x021:y1:qe"))
	f.Add(btConnect)
	f.Add([]byte(btSearch + "Infohash: " + strings.Repeat("ab", 20) + "\r\n\r\n"))
	corpusPayloads(f, func(p transport) {
		if p.udp {
			f.Add(p.payload)
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, tt := range []struct {
			name   string
			sniff  func([]byte) bool
			parser Datagrams
		}{
			{"wireguard", sniffWireGuard, newWireGuardFlow()},
			{"openvpn", sniffOpenVPN, newOpenVPNFlow()},
			{"ike", sniffIKE, newIKEFlow()},
			{"stun", sniffSTUN, newSTUNFlow()},
			{"bittorrent", sniffBT, newBTFlow()},
			{"bittorrent, behind a connect", sniffBT, btFlowOfTracker()},
			{"socks", func([]byte) bool { return false }, newSocksRelay()},
		} {
			for i := range 3 {
				msgs, err := tt.parser.Datagram(Dir(i&1), b, nil)
				if err != nil && !errors.Is(err, ErrDone) {
					checkError(t, nil, err)
					if tt.sniff(b) {
						t.Errorf("%s: recognised, but not read: %v", tt.name, err)
					}
				}
				if len(msgs) > 2 {
					t.Errorf("%s: %d messages of one datagram", tt.name, len(msgs))
				}
			}
		}
		if len(b) > 1 {
			fuzzStream(t, newSTUNStream, b)
			fuzzStream(t, newOpenVPNStream, b)
			fuzzStream(t, newBTStream, b)
		}
	})
}

func btFlowOfTracker() Datagrams { return &btFlow{tracker: true} }

func FuzzDHT(f *testing.F) {
	for _, s := range []string{
		"d1:ad2:id2:xxe1:q4:ping1:t2:aa1:y1:qe", "d1:rd5:nodes26:" + strings.Repeat("n", 26) + "e1:t2:aa1:y1:re",
		"d1:rd6:valuesl6:abcdefee1:t2:aa1:y1:re", "d1:eli203e1:ae1:t2:aa1:y1:ee", "d1:ai-5e1:t1:x1:y1:qe",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		msgs, err := newBTFlow().Datagram(FromClient, b, nil)
		checkError(t, nil, err)
		for _, m := range msgs {
			if d, ok := m.(*DHT); ok && (len(d.Nodes) > maxDHTNodes || len(d.Peers) > maxDHTNodes || len(d.ID) > 40) {
				t.Errorf("too much kept: %+v", d)
			}
		}
	})
}
