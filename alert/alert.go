// Package alert turns findings into few, explained alerts: it holds the alert
// budget, merges repetitions, groups alerts into incidents, and owns the one
// schema that every output renders.
//
// It promises that the same findings in the same order give the same alerts
// with the same ids. It must not look at packets or judge what is normal, and
// it must not know where alerts are sent.
package alert

import (
	"time"

	"gatehouse/detect"
)

// State is where an alert stands in its life.
type State string

// Alert states.
const (
	Open         State = "open"
	Acknowledged State = "acknowledged"
	Closed       State = "closed"
)

// Alert is one thing a person should know. It is the only schema: JSON, SIEM
// formats and time-series points are renderings of it.
//
// The order of the fields is that of the JSON and part of the schema: which
// alert (id to severity), how sure (class to confidence), who (device, subject,
// peer), what and why (summary to attack), what to do (playbook), and where it
// belongs (incident to visibility). New fields go to the end of their part.
type Alert struct {
	ID         string          `json:"id"`         // stable: derived from device, kind, subject and time
	Revision   int             `json:"revision"`   // 1 when raised, +1 with every change
	Time       time.Time       `json:"time"`       // when it was raised, packet time, UTC
	FirstSeen  time.Time       `json:"first_seen"` // first packet of what it is about
	LastSeen   time.Time       `json:"last_seen"`
	Count      int             `json:"count"` // times that the same thing was seen
	Kind       detect.Kind     `json:"kind"`
	Severity   detect.Severity `json:"severity"`   // low, medium, high, critical
	Class      detect.Class    `json:"class"`      // share of the alert budget that it drew on
	Score      float64         `json:"score"`      // surprise in bits: -log2 p
	Confidence float64         `json:"confidence"` // 0 to 1: how well the device's normal is known
	Device     Device          `json:"device"`
	Subject    string          `json:"subject"` // what it is about: the same subject again is the same alert
	Peer       detect.Peer     `json:"peer"`
	Summary    string          `json:"summary"`  // one plain sentence
	Why        []detect.Why    `json:"why"`      // most surprising first
	Attack     []string        `json:"attack"`   // MITRE ATT&CK technique ids
	Playbook   string          `json:"playbook"` // name of the playbook in rules
	Incident   string          `json:"incident"` // id of the incident it belongs to
	Evidence   []Evidence      `json:"evidence"` // at most MaxEvidence, the first flows
	State      State           `json:"state"`
	Visibility float64         `json:"visibility"` // 0 to 1: share of the device's traffic that was seen
}

// MaxEvidence bounds Alert.Evidence.
const MaxEvidence = 8

// Device identifies the device an alert is about, as it was known then.
type Device struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Group  string   `json:"group,omitempty"`
	MAC    string   `json:"mac,omitempty"`
	IPs    []string `json:"ips,omitempty"`
	Vendor string   `json:"vendor,omitempty"`
	Type   string   `json:"type,omitempty"`
}

// Evidence points to a flow from which the alert was drawn.
type Evidence struct {
	CommunityID string    `json:"community_id"`
	Time        time.Time `json:"time"`
}

// Incident is one story: the alerts of one device within six hours of each
// other, or of one cause across several devices.
type Incident struct {
	ID        string          `json:"id"`
	Revision  int             `json:"revision"`
	FirstSeen time.Time       `json:"first_seen"` // first packet of what any of its alerts is about
	LastSeen  time.Time       `json:"last_seen"`
	Severity  detect.Severity `json:"severity"` // the highest of its alerts
	Devices   []string        `json:"devices"`  // device ids, in the order in which they joined
	Alerts    []string        `json:"alerts"`   // alert ids, in the order in which they joined
	Lead      string          `json:"lead"`     // id of the alert that the summary is about
	Summary   string          `json:"summary"`
	State     State           `json:"state"`
	// MergedInto is the id of the incident that its alerts have moved to, of
	// which it turned out to be a part. It is closed and has no alerts then.
	MergedInto string `json:"merged_into,omitempty"`
}

// Observation is a novelty or deviation with its p-value that did not clear
// the budget: kept and shown on the device's page, never pushed.
type Observation struct {
	Time    time.Time   `json:"time"`
	Kind    detect.Kind `json:"kind"`
	Device  string      `json:"device"`  // device id
	Subject string      `json:"subject"` // what it is about, e.g. "tcp/443 example.com"
	P       float64     `json:"p"`
	Summary string      `json:"summary"`
	Count   int         `json:"count"`
}
