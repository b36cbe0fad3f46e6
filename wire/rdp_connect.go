package wire

import (
	"bytes"
	"encoding/binary"
)

// RDPConnect is what either end says of itself once RDP's own encryption is
// agreed on, while all is still in clear ([MS-RDPBCGR] sections 2.2.1.3 and
// 2.2.1.4). Of the server's answer nothing is read.
type RDPConnect struct {
	Response bool
	Client   *RDPClient // nil if it was not told
	Channels []string   // virtual channels that the client wants, at most 31 of 8 bytes
}

// Protocol implements Message.
func (*RDPConnect) Protocol() string { return "rdp" }

// RDPClient is a client's description of itself ([MS-RDPBCGR] section
// 2.2.1.3.2). Its later fields are 0 in old clients.
type RDPClient struct {
	Version                  uint32 // 0x00080004: 5.0 to 8.1, 0x00080005: 10.0 ...
	Width, Height            int    // of the desktop, in pixels
	ColorDepth               int    // bits of a pixel, 0 if unknown
	KeyboardLayout           uint32 // locale identifier
	Build                    uint32
	Name                     string // at most 15 letters
	KeyboardType             uint32 // 1 to 7
	KeyboardSubtype          uint32
	FunctionKeys             uint32
	IME                      string // file name of the input method editor
	ProductID                int    // -1 if absent
	Serial                   uint32
	Capabilities             uint16 // see RDPCapabilities
	DigProductID             string
	ConnectionType           uint8  // 1 modem to 6 LAN, 7 is to be detected
	PhysicalWidth            uint32 // of the screen, in millimetres, as the height
	PhysicalHeight           uint32
	Orientation              uint16 // degrees
	ScaleFactor, DeviceScale uint32 // per cent
}

// RDPCapabilities names the early capabilities of a client as Suricata does.
func RDPCapabilities(flags uint16) []string {
	var names []string
	for bit, name := range [...]string{
		0: "support_errinfo_pdf", 1: "want_32bpp_session", 2: "support_statusinfo_pdu", 3: "strong_asymmetric_keys",
		5: "valid_connection_type", 6: "support_monitor_layout_pdu", 7: "support_netchar_autodetect",
		8: "support_dynvc_gfx_protocol", 9: "support_dynamic_time_zone", 10: "support_heartbeat_pdu",
	} {
		if name != "" && flags>>bit&1 != 0 {
			names = append(names, name)
		}
	}
	return names
}

const (
	tpktData = 7 // TPKT header and that of a data TPDU
	// maxRDPConnect is more than a client with 31 channels and 16 monitors says.
	maxRDPConnect  = 4 << 10
	maxRDPChannels = 31
	rdpClientCore  = 0xc001
	rdpClientNet   = 0xc003
)

// connect reads what follows an agreement on RDP's own encryption. done says
// that nothing more is to be read.
func readRDPConnect(b []byte) (m *RDPConnect, done bool) {
	const initial, response = 0x65, 0x66 // of T.125, behind the tag that says that they are longer
	rest := b[tpktData:]
	if b[5] != 0xf0 || len(rest) < 4 || rest[0] != 0x7f {
		return nil, true
	}
	switch rest[1] {
	case response:
		return &RDPConnect{Response: true}, true
	case initial:
		m := &RDPConnect{}
		m.initial(rest)
		return m, false
	}
	return nil, true
}

// initial reads the blocks of settings behind the key of the conference request
// (T.124), the only name in it.
func (m *RDPConnect) initial(b []byte) {
	_, rest, ok := bytes.Cut(b, []byte("Duca"))
	if !ok || len(rest) < 2 {
		return
	}
	if rest[0]&0x80 != 0 { // length in two bytes
		rest = rest[1:]
	}
	for rest = rest[1:]; len(rest) >= 4; {
		kind, size := binary.LittleEndian.Uint16(rest), int(binary.LittleEndian.Uint16(rest[2:]))
		if size < 4 || size > len(rest) {
			return
		}
		switch kind {
		case rdpClientCore:
			m.Client = readRDPClient(rest[4:size])
		case rdpClientNet:
			m.channels(rest[4:size])
		}
		rest = rest[size:]
	}
}

// channels reads the names of virtual channels (section 2.2.1.3.4).
func (m *RDPConnect) channels(b []byte) {
	const channelLen, nameLen = 12, 8
	c := cursor{b: b}
	for n := min(c.le32(), maxRDPChannels); n > 0; n-- {
		channel := c.take(channelLen)
		if channel == nil {
			return
		}
		name, _, _ := bytes.Cut(channel[:nameLen], []byte{0})
		m.Channels = append(m.Channels, plainText(name))
	}
}

// readRDPClient reads a client's description; nil if its fixed part is not all
// there.
func readRDPClient(b []byte) *RDPClient {
	const nameLen, imeLen, digLen = 32, 64, 64
	c := cursor{b: b}
	m := &RDPClient{Version: c.le32(), Width: int(c.le16()), Height: int(c.le16()), ProductID: -1}
	oldDepth := c.le16()
	c.skip(2) // secure access sequence
	m.KeyboardLayout, m.Build = c.le32(), c.le32()
	m.Name = utf16Text(c.take(nameLen))
	m.KeyboardType, m.KeyboardSubtype, m.FunctionKeys = c.le32(), c.le32(), c.le32()
	m.IME = utf16Text(c.take(imeLen))
	if c.short {
		return nil
	}
	m.ColorDepth = rdpDepth(oldDepth)
	if len(c.b) >= 4 {
		if depth := rdpDepth(c.le16()); depth != 0 {
			m.ColorDepth = depth
		}
		m.ProductID = int(c.le16())
	}
	m.Serial = c.le32()
	if depth := c.le16(); depth == 4 || depth == 8 || depth == 15 || depth == 16 || depth == 24 {
		m.ColorDepth = int(depth)
	}
	c.skip(2) // depths that it supports
	m.Capabilities = c.le16()
	m.DigProductID = utf16Text(c.take(digLen))
	m.ConnectionType = c.u8()
	c.skip(1 + 4) // padding, protocol that was chosen
	m.PhysicalWidth, m.PhysicalHeight, m.Orientation = c.le32(), c.le32(), c.le16()
	m.ScaleFactor, m.DeviceScale = c.le32(), c.le32()
	return m
}

// rdpDepth is a colour depth by its name in the protocol, 0 if it has none.
func rdpDepth(name uint16) int {
	depths := [...]int{4, 8, 15, 16, 24} // RNS_UD_COLOR_4BPP and on
	if i := int(name) - 0xca00; i >= 0 && i < len(depths) {
		return depths[i]
	}
	return 0
}
