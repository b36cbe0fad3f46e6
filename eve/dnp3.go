package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// dnp3Body is Suricata's dnp3 object, without the values of points.
type dnp3Body struct {
	Type        string           `json:"type"` // request, response, unsolicited_response or link
	Control     dnp3Link         `json:"control"`
	Source      uint16           `json:"src"`
	Destination uint16           `json:"dst"`
	Application *dnp3Application `json:"application,omitempty"`
	IIN         *dnp3IIN         `json:"iin,omitempty"`
	Truncated   bool             `json:"truncated,omitempty"`
}

type dnp3Link struct {
	Dir      bool  `json:"dir"`
	Primary  bool  `json:"pri"`
	FCB      bool  `json:"fcb"`
	FCV      bool  `json:"fcv"`
	Function uint8 `json:"function_code"`
}

type dnp3Application struct {
	Control  dnp3Control  `json:"control"`
	Function uint8        `json:"function_code"`
	Name     string       `json:"function,omitempty"`
	Class    string       `json:"class"`
	Objects  []dnp3Object `json:"objects,omitempty"`
	Complete bool         `json:"complete"`
}

type dnp3Control struct {
	First       bool  `json:"fir"`
	Final       bool  `json:"fin"`
	Confirm     bool  `json:"con"`
	Unsolicited bool  `json:"uns"`
	Sequence    uint8 `json:"sequence"`
}

type dnp3Object struct {
	Group     uint8  `json:"group"`
	Variation uint8  `json:"variation"`
	Qualifier uint8  `json:"qualifier"`
	Prefix    uint8  `json:"prefix_code"`
	Range     uint8  `json:"range_code"`
	Start     uint32 `json:"start"`
	Stop      uint32 `json:"stop"`
	Count     uint32 `json:"count"`
}

type dnp3IIN struct {
	Indicators []string `json:"indicators"`
}

// dnp3 writes one frame.
func (w *Writer) dnp3(ev *flow.Event, m *wire.DNP3) error {
	c := m.LinkControl
	body := &dnp3Body{
		Type:    "link",
		Control: dnp3Link{Dir: c&0x80 != 0, Primary: c&0x40 != 0, FCB: c&0x20 != 0, FCV: c&0x10 != 0, Function: c & 15},
		Source:  m.Source, Destination: m.Destination, Truncated: m.Truncated,
	}
	if m.Application {
		body.Type = dnp3Type(m.Function)
		body.Application = dnp3ApplicationOf(m)
		if body.Type != "request" {
			body.IIN = &dnp3IIN{Indicators: dnp3Indicators(m.IIN)}
		}
	}
	w.begin("dnp3", "dnp3", &ev.Record, ev.Time)
	w.line.DNP3 = body
	return w.put()
}

func dnp3Type(function uint8) string {
	switch {
	case function == 0x82:
		return "unsolicited_response"
	case function >= 0x80:
		return "response"
	default:
		return "request"
	}
}

func dnp3ApplicationOf(m *wire.DNP3) *dnp3Application {
	c := m.AppControl
	a := &dnp3Application{
		Control: dnp3Control{
			First: c&0x80 != 0, Final: c&0x40 != 0, Confirm: c&0x20 != 0, Unsolicited: c&0x10 != 0, Sequence: c & 15,
		},
		Function: m.Function, Name: m.FunctionName(), Class: m.Class().String(), Complete: m.Complete,
	}
	for _, o := range m.Objects {
		a.Objects = append(a.Objects, dnp3Object{
			Group: o.Group, Variation: o.Variation, Qualifier: o.Qualifier,
			Prefix: o.Qualifier >> 4 & 7, Range: o.Qualifier & 15, Start: o.Start, Stop: o.Stop, Count: o.Count,
		})
	}
	return a
}

// dnp3Indicators names the bits of the internal indications (IEEE 1815 clause
// 4.2.2.6), first octet first, in Suricata's spelling.
func dnp3Indicators(iin uint16) []string {
	names := [...]string{
		"device_restart", "device_trouble", "local_control", "need_time", "class_3_events", "class_2_events",
		"class_1_events", "all_stations", "", "", "config_corrupt", "already_executing", "event_buffer_overflow",
		"parameter_error", "object_unknown", "no_func_code_support",
	}
	out := []string{}
	for i, name := range names {
		if name != "" && iin>>(15-i)&1 != 0 {
			out = append(out, name)
		}
	}
	return out
}
