package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// telegramBody is ours: Suricata has none of these protocols.
type telegramBody struct {
	Type        string `json:"type"` // request or response
	FunctionRaw uint32 `json:"function_raw"`
	Function    string `json:"function,omitempty"`
	Class       string `json:"class"`
	Unit        uint32 `json:"unit,omitempty"`
	Status      uint32 `json:"status,omitempty"`
}

// telegramBodies are the objects of the protocols of which the header is read.
type telegramBodies struct {
	FINS   *telegramBody `json:"fins,omitempty"`
	ADS    *telegramBody `json:"ads,omitempty"`
	SLMP   *telegramBody `json:"slmp,omitempty"`
	KNX    *telegramBody `json:"knxnet_ip,omitempty"`
	HART   *telegramBody `json:"hart_ip,omitempty"`
	C37118 *telegramBody `json:"c37118,omitempty"`
}

// of returns the object of a protocol, nil if it has none.
func (t *telegramBodies) of(app string) **telegramBody {
	switch app {
	case "fins":
		return &t.FINS
	case "ads":
		return &t.ADS
	case "slmp":
		return &t.SLMP
	case "knxnet_ip":
		return &t.KNX
	case "hart_ip":
		return &t.HART
	case "c37118":
		return &t.C37118
	}
	return nil
}

// telegram writes one message.
func (w *Writer) telegram(ev *flow.Event, m *wire.Telegram) error {
	w.begin(m.App, m.App, &ev.Record, ev.Time)
	object := w.line.telegramBodies.of(m.App)
	if object == nil {
		return nil
	}
	*object = &telegramBody{
		Type: requestOr(m.Response), FunctionRaw: m.Function, Function: m.Name, Class: m.Class.String(), Unit: m.Unit, Status: m.Status,
	}
	return w.put()
}
