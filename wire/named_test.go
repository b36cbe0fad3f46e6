package wire

import (
	"errors"
	"strings"
	"testing"
)

// TestNamedStreams: what begins a connection of a protocol that is recognised
// and not read, and what only looks like it.
func TestNamedStreams(t *testing.T) {
	marker := strings.Repeat("\xff", 16)
	for _, c := range []struct {
		name  string
		sniff func(Dir, []byte) Match
		cases []opening
	}{
		{"bgp", sniffBGP, []opening{
			{marker + "\x00\x1d\x01\x04\xfd\xe9\x00\xb4\x0a\x01\x00\x01\x00", Yes}, // OPEN
			{marker + "\x00\x13\x04", Yes},                                         // KEEPALIVE
			{marker + "\x00\x12\x04", No},                                          // shorter than its header
			{marker + "\x00\x13\x09", No},
		}},
		{"cassandra", sniffCassandra, []opening{
			{"\x04\x00\x00\x00\x05\x00\x00\x00\x00", Yes}, // OPTIONS
			{"\x04\x00\x00\x01\x01\x00\x00\x00\x16\x00\x01\x00\x0bCQL_VERSION\x00\x053.4.0", Yes},
			{"\x84\x00\x00\x00\x06\x00\x00\x00\x24\x00\x01\x00\x0bCQL_VERSION\x00\x01\x00\x053.4.0", Yes},
			{"\x84\x00\x00\x01\x02\x00\x00\x00\x00", Yes}, // READY
			{"\x84\x00\x00\x01\x03\x00\x00\x00\x31\x00\x2forg.apache.cassandra.auth.PasswordAuthenticator", Yes},
			{"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00", No}, // a connection request of COTP
			{"\x05\x64", No}, // DNP3
			{"\x04\x00\x00\x01\x01\x00\x00\x00\x16\x00\x01\x00\x0bcql_version", No},
		}},
		{"clickhouse", sniffClickHouse, []opening{
			{"\x00\x11ClickHouse client\x17\x08", Yes},
			{"\x00\x16clickhouse-go/2.15.0 (lv:go", Yes},
			{"\x00\x0aClickHouse\x17", Yes},
			{"\x00\x1dcaaaaaaaaaaaaaa", No},
			{"\x00\x05Click", No},
		}},
		{"diameter", sniffDiameter, []opening{
			{"\x01\x00\x00\x2c\x80\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02", Yes},
			{"\x01\x00\x00\x2c\x00\x00\x01\x18\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02", Yes},
			{"\x01\x00\x00\x2d\x80\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02", No}, // no multiple of 4
			{"\x01\x00\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01", No},                                 // Modbus
		}},
		{"memcached", sniffMemcached, []opening{
			{"set key 0 60 3\r\nabc\r\n", Yes},
			{"cas key 0 -1 3 7 noreply\r\n", Yes},
			{"STORED\r\n", Yes},
			{"VERSION 1.6.1\r\n", Yes},
			{"STAT pid 7\r\n", Yes},
			{"\x80\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", Yes}, // version
			{"\x80\x2e\x01\x03\x01", No}, // a hello of SSL 2.0
			{"\x80\x00\x00\x28\x07\x06\x05\x04\x00\x00\x00\x00\x00\x00\x00\x02", No}, // a call of ONC RPC
			{"set the table for two people\r\n", No},
			{"set a b c d\r\n", No},
			{"stat\r\n", No},
		}},
		{"stratum", sniffStratum, []opening{
			{`{"id":1,"method":"mining.subscribe","params":["cpuminer/2.5.1"]}` + "\n", Yes},
			{`{"params": ["pool.worker", "x"], "id": 2, "method": "mining.authorize"}` + "\n", Yes},
			{`{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"4A","pass":"x","agent":"XMRig/6.20.0"}}` + "\n", Yes},
			{`{"id":1,"jsonrpc":"2.0","method":"login","params":{"user":"eve"}}` + "\n", No},
			{`{"text":"mining"}` + "\n", No},
		}},
		{"pptp", sniffPPTP, []opening{{"\x00\x9c\x00\x01\x1a\x2b\x3c\x4d\x00\x01", Yes}, {"\x00\x9c\x00\x02\x1a\x2b\x3c\x4d", No}}},
		{"rsync", sniffRsync, []opening{{"@RSYNCD: 31.0\n", Yes}, {"@RSYNC: 31.0\n", No}}},
		{"tacacs", sniffTACACS, []opening{
			{"\xc0\x01\x01\x00\x12\x34\x56\x78\x00\x00\x00\x18", Yes},
			{"\xc1\x01\x02\x04\x12\x34\x56\x78\x00\x00\x00\x10", Yes},
			{"\xc0\x01\x01\x00\x12\x34\x56\x78\x00\x01\x00\x10", No},
			{"\xc0\x04", No},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkSniffs(t, c.sniff, FromClient, c.cases)
			for _, o := range c.cases {
				for n := range len(o.bytes) + 1 {
					checkSniff(t, []byte(o.bytes)[:n])
				}
			}
		})
	}
	if n, msgs, err := newNamedStream().Feed(FromClient, []byte("x"), nil); n != 0 || msgs != nil || !errors.Is(err, ErrDone) {
		t.Errorf("got %d, %v, %v", n, msgs, err)
	}
	if msgs, err := newNamedFlow().Datagram(FromClient, []byte("x"), nil); msgs != nil || !errors.Is(err, ErrDone) {
		t.Errorf("got %v, %v", msgs, err)
	}
}

func TestNamedPackets(t *testing.T) {
	for _, c := range []struct {
		name string
		is   func([]byte) bool
		yes  []string
		no   []string
	}{
		{
			"hsrp", isHSRP,
			[]string{"\x00\x00\x10\x03\x0a\x78\x01\x00cisco\x00\x00\x00\x0a\x01\x00\xfe", "\x01\x28\x02" + string(make([]byte, 39))},
			[]string{"\x00\x09\x10\x03\x0a\x78\x01\x00cisco\x00\x00\x00\x0a\x01\x00\xfe", "", "a line of text that is long enough"},
		},
		{
			"l2tp", isL2TP,
			[]string{"\xc8\x02\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x02\x00\x01\x00\x01\x00\x21E"},
			[]string{"\xc8\x02\x00\x0d\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x04\x00\x01\x00\x01", "\xc8\x02", "GET / HTTP/1.1\r\n"},
		},
		{
			"nat-pmp", isNATPMP,
			[]string{
				"\x00\x00", "\x00\x02\x00\x00\x1f\x91\x46\xa1\x00\x00\x02\x58", "\x00\x80\x00\x00\x00\x00\x00\x01\xcb\x00\x71\x09",
				"\x00\x82\x00\x03\x00\x00\x8e\xc6\x1f\x91\x46\xa1\x00\x00\x02\x58", "\x02\x01\x00\x00" + string(make([]byte, 56)),
			},
			[]string{"\x00", "\x00\x03", "\x00\x01\x00\x00", "\x02\x09\x00\x00" + string(make([]byte, 56)), "\x02\x01\x00\x00", "\x01\x00"},
		},
		{
			"ptp", isPTP,
			[]string{"\x00\x02\x00\x2c" + string(make([]byte, 40)), "\x00\x01\x00\x01" + string(make([]byte, 120))},
			[]string{"\x00\x02\x00\xff" + string(make([]byte, 40)), "\x00\x03\x00\x2c" + string(make([]byte, 40)), ""},
		},
		{
			"rip", isRIP,
			[]string{"\x02\x02\x00\x00" + string(make([]byte, 20)), "\x01\x01\x00\x00" + string(make([]byte, 40))},
			[]string{"\x02\x02\x00\x00" + string(make([]byte, 21)), "\x03\x02\x00\x00" + string(make([]byte, 20)), "\x02\x02\x00\x00"},
		},
		{"eigrp", isEIGRP, []string{"\x02\x05" + string(make([]byte, 18))}, []string{"\x01\x05" + string(make([]byte, 18)), "\x02"}},
		{"ospf", isOSPF, []string{"\x02\x01\x00\x2c" + string(make([]byte, 40)), "\x03\x01\x00\x24" + string(make([]byte, 32))}, []string{"\x02\x07\x00\x2c" + string(make([]byte, 40)), "\x02\x01"}},
		{"pim", isPIM, []string{"\x20\x00\xdf\xff"}, []string{"\x10\x00\xdf\xff", "\x20"}},
		{"vrrp", isVRRP, []string{"\x21\x01\x64\x01\x00\x01\xba\x52", "\x31\x01\x64\x01\x00\x64\xba\x52"}, []string{"\x22\x01\x64\x01\x00\x01\xba\x52", "\x21"}},
	} {
		for _, in := range c.yes {
			if !c.is([]byte(in)) {
				t.Errorf("%s: %q is not recognised", c.name, in)
			}
		}
		for _, in := range c.no {
			if c.is([]byte(in)) {
				t.Errorf("%s: %q is recognised", c.name, in)
			}
		}
	}
	for _, row := range named() {
		if row.Packet == nil {
			continue
		}
		if m, err := row.Packet(nil); m != nil || !errors.Is(err, ErrNotMine) {
			t.Errorf("%s: got %v, %v of nothing", row.Name, m, err)
		}
	}
}

// FuzzNamed: no bytes make a recogniser panic, or say No first and Yes then.
func FuzzNamed(f *testing.F) {
	for _, seed := range []string{
		strings.Repeat("\xff", 16) + "\x00\x13\x04", "\x04\x00\x00\x00\x05\x00\x00\x00\x00", "\x00\x0aClickHouse", "set k 0 0 1\r\n", "STAT pid 1", `INFO {"`,
		"\xc0\x01\x01\x00\x12\x34\x56\x78\x00\x00\x00\x18", "\x01\x00\x00\x14\x80\x00\x01\x01\x00\x00\x00\x00", "\x80\x0b" + string(make([]byte, 22)),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, row := range named() {
			switch {
			case row.Sniff != nil:
				for dir := range Dir(2) {
					told := Maybe
					for n := range min(len(b), 512) + 1 {
						got := row.Sniff(dir, b[:n])
						if told == No && got != No {
							t.Fatalf("%s says No to %d bytes and %d to more: %q", row.Name, n-1, got, b[:n])
						}
						told = got
					}
				}
			case row.SniffAtPort != nil:
				row.SniffAtPort(b)
			default:
				if _, err := row.Packet(b); err != nil && !errors.Is(err, ErrNotMine) {
					t.Fatal(err)
				}
			}
		}
	})
}
