package eve

import (
	"fmt"

	"gatehouse/flow"
	"gatehouse/wire"
)

// rfbBody is Suricata's rfb object; offered is an addition.
type rfbBody struct {
	Server         *rfbVersion     `json:"server_protocol_version,omitempty"`
	Client         *rfbVersion     `json:"client_protocol_version,omitempty"`
	Authentication *rfbSecurity    `json:"authentication,omitempty"`
	Reason         string          `json:"server_security_failure_reason,omitempty"`
	Shared         *bool           `json:"screen_shared,omitempty"`
	Framebuffer    *rfbFramebuffer `json:"framebuffer,omitempty"`
}

type rfbVersion struct {
	Major string `json:"major"`
	Minor string `json:"minor"`
}

type rfbSecurity struct {
	Offered []uint16 `json:"offered,omitempty"`
	Type    uint8    `json:"security_type,omitempty"`
	Result  string   `json:"security_result,omitempty"` // OK or FAIL
}

type rfbFramebuffer struct {
	Width  uint16    `json:"width"`
	Height uint16    `json:"height"`
	Name   string    `json:"name"`
	Pixels rfbPixels `json:"pixel_format"`
}

type rfbPixels struct {
	Bits       uint8  `json:"bits_per_pixel"`
	Depth      uint8  `json:"depth"`
	BigEndian  bool   `json:"big_endian"`
	TrueColor  bool   `json:"true_color"`
	RedMax     uint16 `json:"red_max"`
	GreenMax   uint16 `json:"green_max"`
	BlueMax    uint16 `json:"blue_max"`
	RedShift   uint8  `json:"red_shift"`
	GreenShift uint8  `json:"green_shift"`
	BlueShift  uint8  `json:"blue_shift"`
}

func (w *Writer) rfb(ev *flow.Event, m *wire.RFB) error {
	body := &rfbBody{
		Server: rfbVersionOf(m.ServerMajor, m.ServerMinor),
		Client: rfbVersionOf(m.ClientMajor, m.ClientMinor),
		Reason: m.Reason,
	}
	security := rfbSecurity{Type: m.Security}
	for _, t := range m.Offered {
		security.Offered = append(security.Offered, uint16(t)) // a list of bytes would become base64
	}
	switch m.Result {
	case wire.Succeeded:
		security.Result = "OK"
	case wire.Failed:
		security.Result = "FAIL"
	}
	if len(m.Offered) > 0 || security.Result != "" {
		body.Authentication = &security
	}
	if m.Entered {
		body.Shared = &m.Shared
	}
	if m.Width > 0 || m.Name != "" {
		body.Framebuffer = &rfbFramebuffer{m.Width, m.Height, m.Name, rfbPixels(m.Pixels)}
	}
	w.begin("rfb", "rfb", &ev.Record, ev.Time)
	w.line.RFB = body
	return w.put()
}

func rfbVersionOf(major, minor int) *rfbVersion {
	if major == 0 {
		return nil
	}
	return &rfbVersion{fmt.Sprintf("%03d", major), fmt.Sprintf("%03d", minor)}
}
