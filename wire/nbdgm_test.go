package wire

import (
	"net/netip"
	"testing"
)

// announced is a datagram with a transaction for a mailslot.
func announced(slot string, data []byte) []byte {
	params := make([]byte, 34) // 17 words
	smb := join("\xffSMB\x25", make([]byte, 27), 17, params, 0, 0, slot, 0)
	off := len(smb)
	smb[33+24], smb[33+25] = byte(off), byte(off>>8) // where the data begins
	body := join(encodedNetBIOS("PLC-7", 0), encodedNetBIOS("PLANT", 0x1d), smb, data)
	return join(0x11, 0x0e, 0x12, 0x34, 192, 168, 7, 42, 0, 138, len(body)>>8, len(body), 0, 0, body)
}

func TestNBDGM(t *testing.T) {
	host := announced(`\MAILSLOT\BROWSE`, join(1, 0, 0x80, 0xfc, 0x0a, 0, "PLC-7", make([]byte, 11), 6, 1, 0x03, 0x10, 0, 0, 15, 1, 0x55, 0xaa, "mixer\x00"))
	named := NBDGM{
		Type: 0x11, Source: "PLC-7", Dest: "PLANT", DestSuffix: 0x1d, Addr: netip.MustParseAddr("192.168.7.42"), Mailslot: `\MAILSLOT\BROWSE`,
		Browse: 1, Host: "PLC-7", Major: 6, Minor: 1, Server: 0x1003, Comment: "mixer",
	}
	other := named
	other.Mailslot, other.Browse, other.Host, other.Major, other.Minor, other.Server, other.Comment = `\MAILSLOT\NET\NETLOGON`, 0, "", 0, 0, 0, ""
	query := join(0x14, 2, 0, 1, 192, 168, 7, 42, 0, 138, encodedNetBIOS("SRV", 0x20))
	playFlows(t, newNBDGMFlow, []flowCase{
		{"a host announces itself again and again", []chunk{{FromClient, host}, {FromClient, host}}, []Message{&named}, nil},
		{"another mailslot", []chunk{{FromClient, announced(`\MAILSLOT\NET\NETLOGON`, []byte{1})}}, []Message{&other}, nil},
		{"a query", []chunk{{FromClient, query}}, []Message{&NBDGM{Type: 0x14, Dest: "SRV", DestSuffix: 0x20, Addr: named.Addr}}, nil},
		{"an error", []chunk{{FromServer, []byte("\x13\x02\x00\x01\xc0\xa8\x07\x2a\x00\x8a\x82")}}, []Message{&NBDGM{Type: 0x13, Addr: named.Addr}}, nil},
		{"cut within the names", []chunk{{FromClient, host[:40]}}, nil, ErrTruncated},
		{"cut within the header", []chunk{{FromClient, host[:9]}}, nil, ErrTruncated},
		{"a name that is none", []chunk{{FromClient, join(host[:14], 31, host[15:])}}, nil, ErrNotMine},
		{"another type", []chunk{{FromClient, join(0x17, host[1:])}}, nil, ErrNotMine},
		{"an error of no code", []chunk{{FromServer, []byte("\x13\x02\x00\x01\xc0\xa8\x07\x2a\x00\x8a\x01")}}, nil, ErrNotMine},
	})
	for n := range host { // data that lies outside must not be read
		_, _ = parseNBDGM(join(host[:n], 0xff, host[n+1:]))
	}
}

func FuzzNBDGM(f *testing.F) {
	fuzzFlow(f, newNBDGMFlow, sniffNBDGM, 138, announced(browseSlot, join(15, make([]byte, 40))), announced("x", nil))
}
