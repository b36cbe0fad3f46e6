package eve

import (
	"fmt"

	"gatehouse/flow"
	"gatehouse/wire"
)

// rfbBody is Suricata's rfb object; offered and reason are additions.
type rfbBody struct {
	Server         *rfbVersion     `json:"server_protocol_version,omitempty"`
	Client         *rfbVersion     `json:"client_protocol_version,omitempty"`
	Authentication *rfbSecurity    `json:"authentication,omitempty"`
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
	Reason  string   `json:"reason,omitempty"`
}

type rfbFramebuffer struct {
	Width  uint16 `json:"width"`
	Height uint16 `json:"height"`
	Name   string `json:"name"`
}

func (w *Writer) rfb(ev *flow.Event, m *wire.RFB) error {
	body := &rfbBody{
		Server: rfbVersionOf(m.ServerMajor, m.ServerMinor),
		Client: rfbVersionOf(m.ClientMajor, m.ClientMinor),
	}
	security := rfbSecurity{Type: m.Security, Reason: m.Reason}
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
	if m.Width > 0 || m.Name != "" {
		body.Framebuffer = &rfbFramebuffer{m.Width, m.Height, m.Name}
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
