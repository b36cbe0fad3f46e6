package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNTPFlow(t *testing.T) {
	ask := join(0x23, make([]byte, 47))
	answer := join(0x24, 1, 6, 0xe9, make([]byte, 8), "GPS\x00", make([]byte, 32))
	monlist := []byte{0x17, 0, 3, 42, 0, 0, 0, 0}
	readvar := []byte{0x16, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	list := join(0x97, 0x0e, 3, 42, 0, 5, 0, 72, make([]byte, 5*72))
	playFlows(t, newNTPFlow, []flowCase{
		{"polling is told once", []chunk{{FromClient, ask}, {FromServer, answer}, {FromClient, ask}, {FromServer, answer}}, []Message{
			&NTP{Mode: 3, Version: 4}, &NTP{Mode: 4, Version: 4, Stratum: 1, Reference: "GPS"},
		}, nil},
		{"monlist", []chunk{{FromClient, monlist}}, []Message{&NTP{Mode: 7, Version: 2, Monlist: true, Code: 42}}, nil},
		{"above stratum 1", []chunk{{FromServer, join(0x1c, 2, 6, 0xe9, make([]byte, 8), 192, 0, 2, 1, make([]byte, 32))}}, []Message{
			&NTP{Mode: 4, Version: 3, Stratum: 2, Reference: "192.0.2.1"},
		}, nil},
		{"variables are read", []chunk{{FromClient, readvar}, {FromServer, []byte("\x16\x82\x00\x01\x06\x14\x00\x00\x00\x00\x00\x04v=4\x00")}}, []Message{
			&NTP{Mode: 6, Version: 2, Code: 2}, &NTP{Mode: 6, Version: 2, Code: 2, Response: true},
		}, nil},
		{"refused", []chunk{{FromServer, []byte("\x16\xc8\x00\x01\x07\x00\x00\x00\x00\x00\x00\x00")}, {FromServer, []byte("\xd7\x00\x03\x2a\x30\x00\x00\x00")}}, []Message{
			&NTP{Mode: 6, Version: 2, Code: 8, Response: true, Error: 7}, &NTP{Mode: 7, Version: 2, Code: 42, Monlist: true, Response: true, Error: 3},
		}, nil},
		{"cut", []chunk{{FromClient, ask[:40]}}, nil, ErrTruncated},
		{"version 7", []chunk{{FromClient, join(0x3b, ask[1:])}}, nil, ErrNotMine},
		{"stratum 99", []chunk{{FromClient, join(0x23, 99, ask[2:])}}, nil, ErrNotMine},
	})
	for in, want := range map[string]bool{
		string(ask): true, string(answer): true, string(monlist): true, string(ask) + "x": false,
		string(list): true, string(list) + "x": false, string(list[:80]): false,
		string(readvar): true, string(readvar) + "x": false,
		"\x16\x82\x00\x01\x06\x14\x00\x00\x00\x00\x00\x03v=4\x00":     true,  // padded
		"\x16\x82\x00\x01\x06\x14\x00\x00\x00\x00\x00\x03v=4":         true,  // and not
		"\x16\x82\x00\x01\x06\x14\x00\x00\x00\x00\x00\x00":            false, // an answer without data
		"\x16\x02\x00\x01\x06\x14\x00\x00\x00\x00\x00\x00":            false, // a request with a status
		"\x16\x0d\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00":            false, // no such operation
		"\x17\x00\x03\x04\x00\x00\x00\x00" + string(make([]byte, 40)): true,
		"\x17\x00\x03\x04\x00\x01\x00\x00":                            false, // items without a size
		"\x17\x00\x05\x04\x00\x00\x00\x00":                            false, // another implementation
		"\x17\x00\x03\x40\x00\x00\x00\x00":                            false, // no such request
		"\x17\x00\x03\x2a\x00\x00\x10\x00":                            false,
		string(join(0x24, make([]byte, 47))):                          false, // a server without the time
		string(join(0x23, 0, 99, make([]byte, 45))):                   false, // polls every 2^99 s
	} {
		if got := sniffNTP([]byte(in)); got != want {
			t.Errorf("%x: %v", in, got)
		}
	}
}

// TestNTPAtItsPort: what is told apart from nothing else there.
func TestNTPAtItsPort(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want bool
	}{
		{"a client with an authenticator of SHA-256", join(0x23, make([]byte, 47), 0, 0, 0, 2, make([]byte, 32)), true},
		{"network time security: extensions", join(0x23, 0, 6, 32, make([]byte, 44), 1, 4, 0, 36, make([]byte, 32)), true},
		{"a peer", join(0x21, 5, 6, 0xec, make([]byte, 44)), true},
		{"a broadcast", join(0x25, 5, 3, 0xec, make([]byte, 44)), true},
		{"version 1", join(0x0b, make([]byte, 47)), true},
		{"monlist, padded", join(0x17, 0, 3, 42, make([]byte, 44)), true},
		{"a request of mode 6 with an authenticator", join(0x26, 2, 0, 1, make([]byte, 8), make([]byte, 20)), true},
		{"mode 6, no such operation", join(0x26, 30, 0, 1, make([]byte, 8)), false},
		{"mode 7, another implementation", join(0x17, 0, 9, 42, make([]byte, 4)), false},
		{"mode 0", join(0x20, make([]byte, 47)), false},
		{"cut", join(0x23, make([]byte, 46)), false},
		{"a line of text", []byte("alpha bravo charlie delta echo foxtrot golf hotel india"), false},
	} {
		if got := isNTP(c.in); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if !sniffNTP(join(0x23, 0, 6, 32, make([]byte, 44))) {
		t.Error("a client that says no more than it has to is not recognised")
	}
}

func TestTFTP(t *testing.T) {
	for _, c := range []struct {
		in   string
		want *TFTP
		err  error
	}{
		{"\x00\x01fw.bin\x00OCTET\x00blksize\x001428\x00", &TFTP{Op: "read", File: "fw.bin", Mode: "octet"}, nil},
		{"\x00\x02a\x00netascii\x00", &TFTP{Op: "write", File: "a", Mode: "netascii"}, nil},
		{"\x00\x05\x00\x01File not found\x00", &TFTP{Op: "error", Code: 1, Error: "File not found"}, nil},
		{"\x00\x01fw", nil, ErrTruncated},
		{"\x00\x01fw\x00oct", nil, ErrTruncated},
		{"\x00\x01fw\x00sextet\x00", nil, ErrNotMine},
		{"\x00\x01\x00octet\x00", &TFTP{Op: "read", Mode: "octet"}, nil},
		{"\x00\x03\x00\x01data", nil, ErrNotMine},
		{"\x01\x01a\x00octet\x00", nil, ErrNotMine},
		{"", nil, ErrTruncated},
	} {
		got, err := parseTFTP([]byte(c.in))
		if !errors.Is(err, c.err) {
			t.Errorf("%q: error %v, want %v", c.in, err, c.err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q: (-want +got):\n%s", c.in, diff)
		}
		request := err == nil && c.in[1] != 5
		if sniffTFTP([]byte(c.in)) != request {
			t.Errorf("%q: recognised %v", c.in, !request)
		}
	}
}

func TestTFTPFlow(t *testing.T) {
	ask, other := []byte("\x00\x01/update.sh\x00octet\x00"), []byte("\x00\x02log\x00octet\x00")
	transfer := &Expectation{App: "tftp", Over: overUDP}
	playFlows(t, newTFTPFlow, []flowCase{
		{"repeated", []chunk{{FromClient, ask}, {FromClient, ask}, {FromClient, other}}, []Message{
			transfer, &TFTP{Op: "read", File: "/update.sh", Mode: "octet"}, transfer, transfer, &TFTP{Op: "write", File: "log", Mode: "octet"},
		}, nil},
		{"a transfer", []chunk{
			{FromServer, []byte("\x00\x06blksize\x001024\x00")},
			{FromClient, []byte("\x00\x04\x00\x00")},
			{FromServer, []byte("\x00\x03\x00\x01data")},
			{FromClient, []byte("\x00\x04\x00\x01")},
		}, nil, nil},
		{"an acknowledgement that is too long", []chunk{{FromClient, []byte("\x00\x04\x00\x01x")}}, nil, ErrNotMine},
		{"options without an end", []chunk{{FromClient, []byte("\x00\x06blksize\x001024")}}, nil, ErrNotMine},
	})
}

func TestSyslogFlow(t *testing.T) {
	old := []byte("<34>Oct 11 22:14:15 camera su[12]: 'su root' failed")
	playFlows(t, newSyslogFlow, []flowCase{
		{"each program once", []chunk{{FromClient, old}, {FromClient, old}, {FromClient, []byte("<13>Oct 11 22:14:16 camera cron: x")}}, []Message{
			&Syslog{Facility: 4, Severity: 2, Host: "camera", Program: "su"},
			&Syslog{Facility: 1, Severity: 5, Host: "camera", Program: "cron"},
		}, nil},
		{"RFC 5424", []chunk{{FromClient, []byte("<165>1 2026-03-14T09:26:53Z nas.lan smbd - ID47 - text")}}, []Message{
			&Syslog{Facility: 20, Severity: 5, Host: "nas.lan", Program: "smbd", Version: 1},
		}, nil},
		{"RFC 5424 without host", []chunk{{FromClient, []byte("<165>1 - - - - - -")}}, []Message{&Syslog{Facility: 20, Severity: 5, Version: 1}}, nil},
		{"no host", []chunk{{FromClient, []byte("<0>Oct  1 02:04:05 kernel: text")}}, []Message{&Syslog{}}, nil},
		{"no date", []chunk{{FromClient, []byte("<191>text")}}, []Message{&Syslog{Facility: 23, Severity: 7}}, nil},
		{"a tag", []chunk{{FromClient, []byte("<30>snmpd[6956]: text")}, {FromClient, []byte("<134>ssg: text")}}, []Message{
			&Syslog{Facility: 3, Severity: 6, Program: "snmpd"}, &Syslog{Facility: 16, Severity: 6, Program: "ssg"},
		}, nil},
		{"Cisco IOS", []chunk{{FromClient, []byte("<189>30: *Sep 22 13:34:49.195: %SYS-5-CONFIG_I: text")}}, []Message{&Syslog{Facility: 23, Severity: 5}}, nil},
		{"priority 192", []chunk{{FromClient, []byte("<192>text")}}, nil, ErrNotMine},
		{"XML", []chunk{{FromClient, []byte("<a>text")}}, nil, ErrNotMine},
	})
	for in, want := range map[string]bool{
		string(old): true, "<165>1 2026": true, "<13>text": false,
		"<30>snmpd[6956]: x": true, "<30>ssg: x": true, "<30>ssg:x": false, "<30>ssg[a]: x": false, "<30>ssg[1": false, "<30>9: x": false, "<30>: x": false,
		"<189>30: *Sep 22 13:34:49.195: x": true, "<189>30: *Sep 22": false, "<189>: *Sep 22": false, "<13>Oxt 11 22:14": false, "": false,
		"<189>date=2021-12-09 time=16:29:06 devname=\"gw\"\x00": true, "<134>854 08/20/2013-19:05:23 CONFIG \xe4": true,
		"<134>854 08/20/2013-19:05:23 \x01": false, "<134>854 08/20/2013\xe4": false, "<134>854 08/20/\xe413-19:05": false,
	} {
		if got := sniffSyslog([]byte(in)); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}

func FuzzNTP(f *testing.F) {
	fuzzFlow(f, newNTPFlow, isNTP, 123, join(0x23, make([]byte, 47)), join(0x23, 0, 6, 32, make([]byte, 44), 1, 4, 0, 36, make([]byte, 32)), join(0x21, 5, 6, 0xec, make([]byte, 44)),
		[]byte("\x16\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"), []byte("\x97\x00\x03\x04\x00\x01\x00\x04abcd"))
}

func FuzzSyslog(f *testing.F) {
	fuzzFlow(f, newSyslogFlow, sniffSyslog, 514, []byte("<34>Oct 11 22:14:15 a b: c"), []byte("<34>1 - a b"), []byte("<30>a[1]: b"), []byte("<30>1: *Oct 11 22:14:15: b"))
}

func FuzzTFTP(f *testing.F) {
	fuzzFlow(f, newTFTPFlow, sniffTFTP, 69, []byte("\x00\x01a\x00octet\x00"))
}
