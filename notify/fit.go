package notify

import (
	"fmt"

	"gatehouse/alert"
	"gatehouse/notify/format"
)

// renderWithin renders a notice into at most limit bytes, 0 for no limit. Of
// one that is too long it leaves out what can be looked up by its id: first
// evidence, then reasons but the first, then most of the devices and alerts of
// an incident. What is still too long can never be told.
func renderWithin(f format.Format, n *alert.Notice, m format.Meta, limit int) ([]byte, error) {
	text, err := f.Render(n, m)
	for size := len(text); err == nil && limit > 0 && size > limit; size = len(text) {
		if n = shorter(n); n == nil {
			return nil, Rejected(fmt.Errorf("as %s it has %d bytes, more than max_size, %d", f.Name, size, limit))
		}
		text, err = f.Render(n, m)
	}
	if err != nil {
		return nil, Rejected(fmt.Errorf("write %s as %s: %w", n.Key(), f.Name, err))
	}
	return text, nil
}

// shorter returns a notice with less in it, nil if it is as short as it gets.
func shorter(n *alert.Notice) *alert.Notice {
	const keep = 16
	switch {
	case n.Alert != nil && (len(n.Alert.Evidence) > 0 || len(n.Alert.Why) > 1):
		a := *n.Alert
		if len(a.Evidence) > 0 {
			a.Evidence = []alert.Evidence{}
		} else {
			a.Why = a.Why[:1]
		}
		return &alert.Notice{Seq: n.Seq, Alert: &a}
	case n.Incident != nil && len(n.Incident.Devices)+len(n.Incident.Alerts) > 2*keep:
		i := *n.Incident
		// The lead comes first: the others joined it.
		i.Devices, i.Alerts = i.Devices[:min(keep, len(i.Devices))], i.Alerts[:min(keep, len(i.Alerts))]
		return &alert.Notice{Seq: n.Seq, Incident: &i}
	}
	return nil
}
