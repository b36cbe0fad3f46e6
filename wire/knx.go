package wire

import (
	"encoding/binary"
	"fmt"
)

// KNXnet/IP carries the telegrams of buildings: switches, blinds, heating (ISO
// 22510, KNX Standard 03/08). A header of six bytes says the service; tunnels
// and routers carry frames of the bus (cEMI, 03/06/03).

const (
	knxHeader  = 6
	knxVersion = 0x10
	knxHead    = 64

	knxTunnelRequest = 0x0420
	knxRouting       = 0x0530
)

var errKNX = fmt.Errorf("read knxnet/ip header: %w", ErrNotMine)

type knxParser struct{ memory *memory }

func (shared *memory) newKNXStream() Stream {
	return shared.newTelegramStream(knxParser{shared}, knxHead)
}

func (shared *memory) newKNXFlow() Datagrams {
	return &telegramFlow{memory: shared, telegrams: knxParser{shared}, is: isKNX, notMine: errKNX}
}

// sniffKNX recognises the header: its size, the version, a service that is
// assigned and a length.
func sniffKNX(_ Dir, b []byte) Match {
	for i, want := range [...]byte{knxHeader, knxVersion} {
		if len(b) > i && b[i] != want {
			return No
		}
	}
	if len(b) < knxHeader {
		return Maybe
	}
	const longest = 4 << 10
	name, _ := knxService(binary.BigEndian.Uint16(b[2:]))
	size := binary.BigEndian.Uint16(b[4:])
	return matchIf(name != "" && size >= knxHeader && size <= longest)
}

func isKNX(b []byte) bool {
	return len(b) >= knxHeader && sniffKNX(FromClient, b) == Yes && int(binary.BigEndian.Uint16(b[4:])) == len(b)
}

func (knxParser) size(b []byte) (int, error) {
	switch sniffKNX(FromClient, b) {
	case No:
		return 0, errKNX
	case Maybe:
		return 0, nil
	}
	return int(binary.BigEndian.Uint16(b[4:])), nil
}

func (p knxParser) read(_ Dir, b []byte, _ bool, msgs []Message) ([]Message, error) {
	return p.memory.appendTelegram(p, b, msgs), nil
}

func (knxParser) telegram(b []byte, m *Telegram) bool {
	c := cursor{b: b}
	c.skip(2)
	service := c.u16()
	c.skip(2)
	if c.short {
		return false
	}
	m.App, m.Function = "knxnet_ip", uint32(service)
	m.Name, m.Class = knxService(service)
	m.Response = knxAnswers(service)
	switch service {
	case knxTunnelRequest:
		c.skip(4) // size, channel, sequence number, reserved
		m.bus(&c)
	case knxRouting:
		m.bus(&c)
	case 0x0206, 0x0208, 0x020a, 0x0421: // channel, status
		at := 1
		if service == 0x0421 {
			at = 3
		}
		c.skip(at)
		m.Status = uint32(c.u8())
	}
	return true
}

// bus reads the frame of the bus in a tunnel or a routing message: what is
// done to a group of devices takes the place of the service.
func (m *Telegram) bus(c *cursor) {
	const request, confirm, indication, group = 0x11, 0x2e, 0x29, 0x80
	code := c.u8()
	c.skip(int(c.u8())) // additional information
	c.u8()
	control := c.u8()
	c.skip(2) // sender
	destination := c.u16()
	size, head := c.u8(), c.u16()
	if c.short || size == 0 || control&group == 0 || code != request && code != confirm && code != indication {
		return
	}
	m.Unit = uint32(destination)
	switch head & 0x3c0 {
	case 0x000:
		m.Name, m.Class = "GroupValueRead", CommandRead
	case 0x040:
		m.Name, m.Class = "GroupValueResponse", CommandOther
	case 0x080:
		m.Name, m.Class = "GroupValueWrite", CommandWrite
	}
}

// knxAnswers reports whether a service answers another.
func knxAnswers(service uint16) bool {
	switch service {
	case 0x0202, 0x0204, 0x0206, 0x0208, 0x020a, 0x020c, 0x0311, 0x0421, 0x0423, 0x0741, 0x0952, 0x0954:
		return true
	}
	return false
}

// knxService names the services (03/08/01 section 5.5, 03/08/09).
func knxService(service uint16) (string, CommandClass) {
	switch service {
	case 0x0201:
		return "SearchRequest", CommandRead
	case 0x0202:
		return "SearchResponse", CommandRead
	case 0x0203:
		return "DescriptionRequest", CommandRead
	case 0x0204:
		return "DescriptionResponse", CommandRead
	case 0x0205:
		return "ConnectRequest", CommandOther
	case 0x0206:
		return "ConnectResponse", CommandOther
	case 0x0207:
		return "ConnectionstateRequest", CommandOther
	case 0x0208:
		return "ConnectionstateResponse", CommandOther
	case 0x0209:
		return "DisconnectRequest", CommandOther
	case 0x020a:
		return "DisconnectResponse", CommandOther
	case 0x020b:
		return "SearchRequestExtended", CommandRead
	case 0x020c:
		return "SearchResponseExtended", CommandRead
	case 0x0310:
		return "DeviceConfigurationRequest", CommandControl
	case 0x0311:
		return "DeviceConfigurationAck", CommandOther
	case knxTunnelRequest:
		return "TunnellingRequest", CommandOther
	case 0x0421:
		return "TunnellingAck", CommandOther
	case 0x0422:
		return "TunnellingFeatureGet", CommandRead
	case 0x0423:
		return "TunnellingFeatureResponse", CommandRead
	case 0x0424:
		return "TunnellingFeatureSet", CommandWrite
	case 0x0425:
		return "TunnellingFeatureInfo", CommandOther
	case knxRouting:
		return "RoutingIndication", CommandOther
	case 0x0531:
		return "RoutingLostMessage", CommandOther
	case 0x0532:
		return "RoutingBusy", CommandOther
	case 0x0533:
		return "RoutingSystemBroadcast", CommandOther
	case 0x0740:
		return "RemoteDiagnosticRequest", CommandRead
	case 0x0741:
		return "RemoteDiagnosticResponse", CommandRead
	case 0x0742:
		return "RemoteBasicConfigurationRequest", CommandControl
	case 0x0743:
		return "RemoteResetRequest", CommandControl
	case 0x0950:
		return "SecureWrapper", CommandOther
	case 0x0951:
		return "SessionRequest", CommandOther
	case 0x0952:
		return "SessionResponse", CommandOther
	case 0x0953:
		return "SessionAuthenticate", CommandOther
	case 0x0954:
		return "SessionStatus", CommandOther
	case 0x0955:
		return "TimerNotify", CommandOther
	}
	return "", CommandOther
}
