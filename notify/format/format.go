// Package format renders notices for those who read them: as JSON of our own,
// in the schemas of SIEMs (ECS, OCSF, CEF, LEEF, Splunk's HEC, Suricata's EVE)
// and as short messages for chats.
//
// It promises that every format is a pure function of the notice that renders
// alerts, incidents and digests alike, that what came from the network cannot
// break out of its field, mention people or pretend to be a link, and that
// text is cut to what readers accept. It must not know how a rendering
// travels, nor decide what is told.
package format

import (
	"encoding/json"
	"errors"

	"gatehouse/alert"
)

// Meta is what a rendering says about its sender.
type Meta struct {
	Site    string // name of the sensor, "" if not set
	Version string // of the program, "" if not known
	Topic   string // of ntfy, which alone wants it in the message
}

// Format is one way to write a notice down.
type Format struct {
	Name      string // as the configuration names it
	Doc       string // half a sentence
	MediaType string // of HTTP; JSON formats are application/json
	// Render writes one notice, without a line break at the end and with none
	// inside. A notice that cannot be written (empty, a time after the year
	// 9999, a number that is none) is an error.
	Render func(n *alert.Notice, m Meta) ([]byte, error)
}

const (
	jsonMedia = "application/json"
	textMedia = "text/plain; charset=utf-8"
)

// Table lists the formats, by name.
func Table() []Format {
	return []Format{
		{"cef", "ArcSight Common Event Format, version 0", textMedia, CEF},
		{"discord", "a message for a Discord webhook", jsonMedia, Discord},
		{"ecs", "Elastic Common Schema " + ecsVersion, jsonMedia, ECS},
		{"eve", "Suricata's EVE, event type alert", jsonMedia, EVE},
		{"json", "our own schema, docs/alerts.schema.json", jsonMedia, JSON},
		{"leef", "IBM QRadar Log Event Extended Format 2.0", textMedia, LEEF},
		{"ntfy", "a message for an ntfy server", jsonMedia, Ntfy},
		{"ocsf", "OCSF " + ocsfVersion + " Detection Finding or Incident Finding", jsonMedia, OCSF},
		{"slack", "a message for a Slack webhook", jsonMedia, Slack},
		{"splunk", "an event for Splunk's HTTP Event Collector", jsonMedia, Splunk},
		{"teams", "an Adaptive Card for a Teams workflow", jsonMedia, Teams},
		{"text", "one line for people", textMedia, Text},
	}
}

// Find returns the format of that name.
func Find(name string) (Format, bool) {
	for _, f := range Table() {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}

// vendor and product are who sends, in the formats that ask for it.
const (
	vendor  = "Gatehouse"
	product = "Gatehouse"
)

var errEmpty = errors.New("the notice holds neither an alert nor an incident nor a digest")

// native is a notice as every JSON output of ours shows it.
type native struct {
	Site string `json:"site,omitempty"`
	*alert.Notice
}

// JSON renders the schema of docs/alerts.schema.json: an object with the site,
// if it has a name, and one of alert, incident and digest.
func JSON(n *alert.Notice, m Meta) ([]byte, error) {
	if n.ID() == "" {
		return nil, errEmpty
	}
	return json.Marshal(native{m.Site, n})
}

// Splunk renders an event of the HTTP Event Collector. Its time is that of the
// notice; index and host name follow from the token and the site.
func Splunk(n *alert.Notice, m Meta) ([]byte, error) {
	if n.ID() == "" {
		return nil, errEmpty
	}
	return json.Marshal(struct {
		Time       float64 `json:"time"` // seconds, a split millisecond is as exact as Splunk keeps
		Host       string  `json:"host,omitempty"`
		Source     string  `json:"source"`
		Sourcetype string  `json:"sourcetype"`
		Event      native  `json:"event"`
	}{float64(n.Time().UnixMilli()) / 1000, m.Site, "gatehouse", "gatehouse:" + shape(n), native{m.Site, n}})
}
