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
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Capacities of one Model; a test holds that together they keep it within
// 64 KiB. Beyond them the entries not seen for longest are forgotten.
const (
	maxDestinations = 512
	maxNetworks     = 128
	maxLookups      = 256
	maxServices     = 128
	maxHandshakes   = 64
	maxChains       = 32 // servers that still speak TLS 1.2 or less
	maxClarity      = 64
	maxDossiers     = 16
	maxCalibrations = 16 // classes of evidence in a snapshot; there are 9
)

// Model is what is normal for one device: made by NewModel or Restore. It is
// not safe for concurrent use.
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
		Handshakes:   newMemory(maxHandshakes, func(h Handshakes) uint16 { return h.Last }, compareClients, fitHandshakes),
		Chains:       newMemory(maxChains, func(c Chain) uint16 { return c.Last }, compareEndpoints, fitChain),
		Clarity:      newMemory(maxClarity, func(c Clarity) uint16 { return c.Last }, strings.Compare, fitClarity),
		Calibration:  make(map[string]*Calibration),
	}
}

// Calibrator returns the calibration of a class of evidence. Classes are few
// and named in code, which is what bounds them.
func (m *Model) Calibrator(class string) *Calibration {
	c := m.Calibration[class]
	if c == nil {
		c = newCalibration(float64(m.Calendar.Day))
		m.Calibration[class] = c
	}
	return c
}

// Snapshot returns the model in a form that Restore reads.
func (m *Model) Snapshot() ([]byte, error) { return json.Marshal(m) }

// Restore reads a model from a snapshot; it goes on exactly where the model
// that wrote the snapshot stood. What no model can have written is an error.
func Restore(b []byte) (*Model, error) {
	m := NewModel(0)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("read baseline: %w", err)
	}
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("read baseline: %w", err)
	}
	return m, nil
}

func (m *Model) validate() error {
	if len(m.Dossiers) > maxDossiers {
		return fmt.Errorf("%d dossiers, at most %d can be", len(m.Dossiers), maxDossiers)
	}
	if m.Calibration == nil || len(m.Calibration) > maxCalibrations {
		return fmt.Errorf("%d calibrations, at most %d can be", len(m.Calibration), maxCalibrations)
	}
	today := m.Calendar.Day
	errs := []error{
		m.Calendar.validate(), m.Destinations.validate(today), m.Networks.validate(today),
		m.Lookups.validate(today), m.Services.validate(today), m.Names.validate(), m.Missing.validate(),
	}
	for i := range m.Dossiers {
		errs = append(errs, m.Dossiers[i].validate())
	}
	for _, class := range slices.Sorted(maps.Keys(m.Calibration)) {
		errs = append(errs, m.Calibration[class].validate())
	}
	return errors.Join(errs...)
}
