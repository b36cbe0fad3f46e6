// Package detect judges flow events against what is normal: one detector per
// file, each turning evidence into findings with a p-value and an explanation.
//
// It promises that a finding says what was seen, what was expected and how
// surprising that is, and that the same events give the same findings. It must
// not decide who is told: the budget, the merging and the sinks are
// downstream.
package detect

import (
	"math"
	"time"

	"gatehouse/baseline"
	"gatehouse/device"
	"gatehouse/flow"
)

// Spec describes a detector to people and to the rooms downstream.
type Spec struct {
	Name     string   // file name and configuration key
	Kinds    []Kind   // kinds that it reports
	Class    Class    // share of the alert budget that it draws on
	AlwaysOn bool     // needs no baseline and never learns
	Summary  string   // one sentence: what it notices
	Attack   []string // MITRE ATT&CK techniques that it may be a sign of
}

// Detector watches flow events. It is owned by one goroutine.
type Detector interface {
	Spec() Spec
	// Observe judges one event. It learns from it too, where in.Learn allows.
	Observe(in *Input, report func(Finding))
	// Tick is called about once a second of packet time, for detectors that
	// wait for something that does not come.
	Tick(now int64, report func(Finding))
}

// Table returns a new set of all detectors, in the order in which they judge
// an event.
func Table(cfg Config) []Detector {
	return []Detector{
		newDestinations(cfg),
		newOffers(cfg),
		newLookups(cfg),
		newTunnels(),
		newSpikes(),
		newDowngrades(),
		newClearText(),
		newCertificates(cfg),
	}
}

// Input is one flow event with what is known about its ends. It is reused:
// detectors keep nothing of it but what they copy.
type Input struct {
	Event *flow.Event
	Conn  *Conn // memory of this flow, nil for events that are not of a flow

	// The ends, as far as they are devices of ours, and their models.
	Client, Server           *device.Device
	ClientModel, ServerModel *baseline.Model

	Scope baseline.Scope // LAN or WAN as the client sees the server; 0 if neither
	Names *Names
	// Learn is false while an incident is open on the client or the server:
	// what happens then must not become normal.
	Learn bool
}

// Now is the packet time of the event in nanoseconds since the Unix epoch.
func (in *Input) Now() int64 { return in.Event.Time }

// young reports whether a device is too new for what it never did to mean
// anything: every device is learned from for baseline.MinDays, and for learn if
// that is longer.
func (in *Input) young(m *baseline.Model, learn time.Duration) bool {
	return m.Calendar.Days() < baseline.MinDays || in.Now()-m.Calendar.First < int64(learn)
}

// worthNoting is the p-value of a count up to which it is reported at all.
// Counts are judged with every new item; novelties always are worth a note.
const worthNoting = .05

// Finding is evidence that a device left its normal, with everything that an
// alert needs.
type Finding struct {
	Kind     Kind
	Class    Class
	Severity Severity
	Device   *device.Device
	Subject  string // what it is about, for people and for merging: the same subject is the same alert
	Peer     Peer
	Time     int64   // ns since the Unix epoch
	First    int64   // ns: first packet of what it is about
	P        float64 // p-value for a device-day, in (0, 1]
	// Confidence says how well the device's normal is known, 0 to 1; 1 for
	// detectors that need no baseline.
	Confidence float64
	Summary    string // one plain sentence
	Why        []Why
	Attack     []string
	Flow       flow.Record // the flow that it was drawn from
	// Repeat says that this subject was flagged before: it counts as the same
	// alert for as long as that is remembered.
	Repeat bool
	// Episode says that this is about what happens now and not about a state
	// that lasts: when it comes back in a later incident it is news, and not a
	// repetition of what was reported in an earlier one.
	Episode bool
	// Flag is called when the finding has become an alert, so that its subject
	// is not learned. May be nil.
	Flag func()
}

// Peer is the other end, as far as there is one.
type Peer struct {
	IP      string `json:"ip,omitempty"`
	Name    string `json:"name,omitempty"`
	Port    uint16 `json:"port,omitempty"`
	Proto   string `json:"proto,omitempty"` // "tcp", "udp", "icmp" or the protocol number
	Country string `json:"country,omitempty"`
	ASN     uint32 `json:"asn,omitempty"`
}

// Why is one reason: what was seen beside what was expected.
type Why struct {
	Feature  string  `json:"feature"`
	Observed string  `json:"observed"`
	Expected string  `json:"expected"`
	Surprise float64 `json:"surprise"` // bits: -log2 of the probability under the expectation
}

// why builds a Why from the probability of what was observed.
func why(feature, observed, expected string, p float64) Why {
	return Why{Feature: feature, Observed: observed, Expected: expected, Surprise: Bits(p)}
}

// Bits is the surprise of a p-value, -log2 p, rounded to a tenth so that it
// reads well and is the same on every architecture. It is never negative and
// at most 300.
func Bits(p float64) float64 {
	if p >= 1 {
		return 0
	}
	return math.Round(10*min(300, -math.Log2(max(p, math.SmallestNonzeroFloat64)))) / 10
}

// confidence grows with the active days that a model has seen: half after 5,
// 0.8 after 20.
func confidence(m *baseline.Model) float64 {
	d := float64(m.Calendar.Days())
	return math.Round(100*d/(d+5)) / 100
}
