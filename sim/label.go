package sim

import "time"

// Label is the truth about one event in the traffic.
type Label struct {
	ID       string    `json:"id"`             // "L01" and on, in order of Start
	Kind     string    `json:"kind"`           // alert kind to be raised, "" for a look-alike
	Also     []string  `json:"also,omitempty"` // kinds that the same packets justify as well
	Expect   bool      `json:"expect"`         // true: must be found; false: must stay silent
	Scenario string    `json:"scenario"`       // name of the scenario
	Title    string    `json:"title"`          // what happens, one plain sentence
	Device   string    `json:"device"`         // name of the device, "" for the whole home
	MAC      string    `json:"mac,omitempty"`
	IP       string    `json:"ip,omitempty"`
	Peer     string    `json:"peer,omitempty"` // name or address of the other end
	Start    time.Time `json:"start"`          // of the event's first packet, or a little before
	End      time.Time `json:"end"`            // no packet of the event is later
}

// on fills in the addresses of the label's devices.
func (l Label) on(w *world) Label {
	if d := w.devices[l.Device]; d != nil {
		l.MAC, l.IP = d.mac.String(), d.ip.String()
	}
	if d := w.devices[l.Peer]; d != nil {
		l.Peer = d.ip.String()
	}
	return l
}
