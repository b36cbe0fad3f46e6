// Package baseline holds what is normal: one Model per device, made of small
// probabilistic models that turn an event into a p-value and learn from it.
//
// It promises bounded state per device (64 KiB), results that depend on the
// events alone, and snapshots from which a model goes on exactly where it
// stopped. It must not raise alerts: how surprising is too surprising is
// decided downstream.
package baseline

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Capacities of one Model; together they keep it within 64 KiB.
const (
	maxDestinations = 512 // keys are forgotten by age beyond this
	maxNetworks     = 256
	maxLookups      = 256
	maxServices     = 128
	maxHandshakes   = 96
	maxChains       = 96
	maxClarity      = 128
	maxDossiers     = 16
)

// Model is what is normal for one device. It is not safe for concurrent use.
type Model struct {
	Calendar     Calendar                   `json:"calendar"`
	Destinations Keys[Destination]          `json:"destinations"`
	Networks     Keys[Destination]          `json:"networks"` // of destinations known by name
	Lookups      Keys[Entity]               `json:"lookups"`  // registered domains asked for
	Services     Keys[Service]              `json:"services"`
	Dossiers     []Dossier                  `json:"dossiers,omitempty"`
	Names        Hourly                     `json:"names"`   // distinct names looked up
	Missing      Hourly                     `json:"missing"` // distinct names answered NXDOMAIN
	Handshakes   Memory[Client, Handshakes] `json:"tls"`     // per server and client fingerprint
	Chains       Memory[Endpoint, Chain]    `json:"chains"`  // per server
	Clarity      Memory[string, Clarity]    `json:"clarity"` // per name
	ClearEvents  uint16                     `json:"clear"`   // clear text to names once encrypted, saturating
	Calibration  map[string]*Calibration    `json:"calibrate"`
}

// namesFloor is the least number of distinct names in an hour that is ever
// called high.
const namesFloor = 10

// NewModel returns the model of a device first seen at t, in nanoseconds
// since the Unix epoch.
func NewModel(t int64) *Model {
	return &Model{
		Calendar:     Calendar{First: t, Start: t, Latest: t},
		Destinations: newKeys(maxDestinations, compareDestinations),
		Networks:     newKeys(maxNetworks, compareDestinations),
		Lookups:      newKeys(maxLookups, cmp.Compare[Entity]),
		Services:     newKeys(maxServices, compareServices),
		Names:        newHourly(t, namesFloor),
		Missing:      newHourly(t, namesFloor),
		Handshakes:   newMemory(maxHandshakes, func(h Handshakes) uint16 { return h.Last }, compareClients),
		Chains:       newMemory(maxChains, func(c Chain) uint16 { return c.Last }, compareEndpoints),
		Clarity:      newMemory(maxClarity, func(c Clarity) uint16 { return c.Last }, strings.Compare),
		Calibration:  make(map[string]*Calibration),
	}
}

// Calibrator returns the calibration of a class of evidence.
func (m *Model) Calibrator(class string) *Calibration {
	c := m.Calibration[class]
	if c == nil {
		c = &Calibration{}
		m.Calibration[class] = c
	}
	return c
}

// Snapshot returns the model in a form that Restore reads.
func (m *Model) Snapshot() ([]byte, error) { return json.Marshal(m) }

// Restore reads a model from a snapshot.
func Restore(b []byte) (*Model, error) {
	m := NewModel(0)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("read baseline: %w", err)
	}
	if len(m.Dossiers) > maxDossiers {
		return nil, fmt.Errorf("read baseline: %d dossiers, at most %d can be", len(m.Dossiers), maxDossiers)
	}
	return m, nil
}

// Calendar counts active days: 24 hours that begin with the first activity
// after the previous day's end. A device that is switched on for one evening
// a week grows one day older a week.
type Calendar struct {
	First  int64  `json:"first"`  // ns since the Unix epoch: first activity
	Start  int64  `json:"start"`  // ns: start of the current active day
	Latest int64  `json:"latest"` // ns: latest activity; never goes back
	Day    uint16 `json:"day"`    // ordinal of the current active day, from 0
}

// Advance notes activity at t and reports whether a new day has begun. A time
// before the latest one counts as the latest one: a clock that jumps back
// makes no day.
func (c *Calendar) Advance(t int64) bool {
	c.Latest = max(c.Latest, t)
	if c.Latest-c.Start < int64(24*time.Hour) {
		return false
	}
	c.Start = c.Latest
	if c.Day < ^uint16(0) {
		c.Day++
	}
	return true
}

// Days is the number of complete active days within the window of the models.
func (c *Calendar) Days() int { return min(int(c.Day), noveltyWindow) }
