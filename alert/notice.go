package alert

import (
	"fmt"
	"time"

	"gatehouse/detect"
)

// Notice is one thing to tell: a revision of an alert or of an incident, or a
// digest of several. Exactly one of the three is set.
type Notice struct {
	// Seq orders notices: those of one alert ascend with its revision. It is
	// unique within a state directory, and 0 for a digest.
	Seq      int64     `json:"-"`
	Alert    *Alert    `json:"alert,omitempty"`
	Incident *Incident `json:"incident,omitempty"`
	Digest   *Digest   `json:"digest,omitempty"`
}

// Digest stands for notices that came faster than their reader wants to hear,
// or for which there was no room.
type Digest struct {
	ID        string                  `json:"id"`
	From      time.Time               `json:"from"` // when the first of them was raised, packet time
	To        time.Time               `json:"to"`
	Alerts    int                     `json:"alerts"`    // revisions of alerts that it stands for
	Incidents int                     `json:"incidents"` // revisions of incidents
	Severity  detect.Severity         `json:"severity"`  // the highest
	Counts    map[detect.Severity]int `json:"counts"`    // alerts by severity
	Kinds     map[detect.Kind]int     `json:"kinds"`     // alerts by kind
	Devices   []string                `json:"devices"`   // names, at most MaxDigestNames, in order of appearance
	Examples  []string                `json:"examples"`  // summaries, at most MaxDigestNames, the most severe first
	Summary   string                  `json:"summary"`   // one plain sentence
}

// MaxDigestNames bounds the lists of a Digest.
const MaxDigestNames = 10

// ID is the id of what the notice is about. Notices with the same ID are to be
// told in order.
func (n *Notice) ID() string {
	switch {
	case n.Alert != nil:
		return n.Alert.ID
	case n.Incident != nil:
		return n.Incident.ID
	case n.Digest != nil:
		return n.Digest.ID
	}
	return ""
}

// Revision is that of the alert or incident; a digest has only one.
func (n *Notice) Revision() int {
	switch {
	case n.Alert != nil:
		return n.Alert.Revision
	case n.Incident != nil:
		return n.Incident.Revision
	}
	return 1
}

// Key names the notice the same way each time it is told: "a-1f2e3d4c5b6a/3".
// Who has seen a key may ignore it when it comes again.
func (n *Notice) Key() string { return fmt.Sprintf("%s/%d", n.ID(), n.Revision()) }

// Severity is that of what the notice is about.
func (n *Notice) Severity() detect.Severity {
	switch {
	case n.Alert != nil:
		return n.Alert.Severity
	case n.Incident != nil:
		return n.Incident.Severity
	case n.Digest != nil:
		return n.Digest.Severity
	}
	return 0
}

// Time is when what the notice is about was last seen, packet time.
func (n *Notice) Time() time.Time {
	switch {
	case n.Alert != nil:
		return n.Alert.LastSeen
	case n.Incident != nil:
		return n.Incident.LastSeen
	case n.Digest != nil:
		return n.Digest.To
	}
	return time.Time{}
}
