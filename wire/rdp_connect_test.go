package wire

import "testing"

// rdpBlock is a block of settings: kind and length, both little-endian.
func rdpBlock(kind int, parts ...any) []byte {
	b := join(parts...)
	return join(le16(kind), le16(4+len(b)), b)
}

// fixed is text of UTF-16 in n bytes.
func fixed(s string, n int) []byte { return append(wide(s), make([]byte, n-2*len(s))...) }

// rdpCore is a client of version 10.7 ([MS-RDPBCGR] 2.2.1.3.2), cut bytes short.
func rdpCore(cut int) []byte {
	b := join(
		12, 0, 8, 0, le16(1280), le16(768), 0x01, 0xca, 0x03, 0xaa, // version, desktop, 8 bits, sequence
		0x07, 4, 0, 0, 0x63, 0x45, 0, 0, fixed("PANEL7", 32), // de-DE, build 17763
		4, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, fixed("", 64), // keyboard, input method
		0x03, 0xca, 1, 0, 0, 0, 0, 0, 24, 0, 7, 0, 0x21, 0, // 16 bits or 24, product, serial, capabilities
		fixed("7", 64), 6, 0, 0, 0, 0, 0, // product, LAN, protocol
		0x2c, 1, 0, 0, 0xc8, 0, 0, 0, 90, 0, 100, 0, 0, 0, 140, 0, 0, 0) // millimetres, degrees, per cent
	return rdpBlock(rdpClientCore, b[:len(b)-cut])
}

var rdpChannels = rdpBlock(rdpClientNet, 2, 0, 0, 0, "rdpdr\x00\x00\x00", 0, 0, 0, 0x80, "cliprdr\x00", 0, 0, 0, 0xc0)

// rdpInitial is a Connect-Initial of T.125 within X.224 and TPKT, whose user data
// is a conference request of T.124.
func rdpInitial(blocks ...any) []byte {
	settings := join(blocks...)
	body := join(0x7f, 0x65, 0x82, 0, 0, 4, 1, 1, 4, 1, 1, 1, 1, 0xff, 4, 0x82, 0, 0, // domains, upward flag, user data
		0, 5, 0, 0x14, 0x7c, 0, 1, 0x80, 0, 0, 8, 0, 0x10, 0, 1, 0xc0, 0, "Duca", 0x80|len(settings)>>8, len(settings), settings)
	n := tpktData + len(body)
	return join(3, 0, n>>8, n, 2, 0xf0, 0x80, body)
}

func TestRDPConnect(t *testing.T) {
	request := x224(0xe0, "Cookie: mstshash=eve\r\n")
	offer := x224(0xe0, 1, 0, 8, 0, 0, 0, 0, 0)
	agreed := x224(0xd0, 2, 0, 8, 0, 0, 0, 0, 0)
	old := x224(0xd0) // an answer without a negotiation
	response := join(3, 0, 0, 13, 2, 0xf0, 0x80, 0x7f, 0x66, 0x82, 1, 0x45, 0x0a)
	client := &RDPClient{
		Version: 0x0008000c, Width: 1280, Height: 768, ColorDepth: 24, KeyboardLayout: 0x407, Build: 17763, Name: "PANEL7",
		KeyboardType: 4, FunctionKeys: 12, ProductID: 1, Capabilities: 0x21, DigProductID: "7", ConnectionType: 6,
		PhysicalWidth: 300, PhysicalHeight: 200, Orientation: 90, ScaleFactor: 100, DeviceScale: 140,
	}
	oldest := &RDPClient{
		Version: 0x0008000c, Width: 1280, Height: 768, ColorDepth: 8, KeyboardLayout: 0x407, Build: 17763, Name: "PANEL7",
		KeyboardType: 4, FunctionKeys: 12, ProductID: -1,
	}
	const optional = 2 + 2 + 4 + 2 + 2 + 2 + 64 + 1 + 1 + 4 + 4 + 4 + 2 + 4 + 4
	asked := &RDP{Cookie: "eve"}
	playAll(t, newRDPStream, []dialogue{
		{
			"agreed on",
			[]chunk{{FromClient, offer}, {FromServer, agreed}, {FromClient, rdpInitial(rdpCore(0), rdpChannels)}, {FromServer, response}},
			[]Message{
				&RDP{}, &RDP{Response: true}, &RDPConnect{Client: client, Channels: []string{"rdpdr", "cliprdr"}}, &RDPConnect{Response: true},
			},
			ErrDone,
		},
		{"a server before negotiations, an old client", []chunk{
			{FromClient, request}, {FromServer, old}, {FromClient, rdpInitial(rdpBlock(0xc004, 1, 2), rdpCore(optional))}, {FromServer, response},
		}, []Message{asked, &RDP{Response: true}, &RDPConnect{Client: oldest}, &RDPConnect{Response: true}}, ErrDone},
		{"a description that is cut, channels that are not there", []chunk{
			{FromClient, offer},
			{FromServer, agreed},
			{FromClient, rdpInitial(rdpCore(optional+1), rdpBlock(rdpClientNet, 31, 0, 0, 0, "one\x00\x00\x00\x00\x00", 0, 0))},
		}, []Message{&RDP{}, &RDP{Response: true}, &RDPConnect{}}, nil},
		{"a block longer than the rest", []chunk{
			{FromClient, offer}, {FromServer, agreed}, {FromClient, rdpInitial([]byte{1, 0xc0, 0xff, 0xff, 1, 2})},
		}, []Message{&RDP{}, &RDP{Response: true}, &RDPConnect{}}, nil},
		{
			"something else",
			[]chunk{{FromClient, offer}, {FromServer, agreed}, {FromClient, []byte("\x16\x03\x01\x00\x10")}},
			[]Message{&RDP{}, &RDP{Response: true}},
			ErrDone,
		},
		{
			"longer than any",
			[]chunk{{FromClient, offer}, {FromServer, agreed}, {FromClient, join(3, 0, 0xff, 0xff, 2, 0xf0, 0x80)}},
			[]Message{&RDP{}, &RDP{Response: true}},
			ErrDone,
		},
	})
}
