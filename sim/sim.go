// Package sim makes labelled traffic: a home of a dozen devices as real
// packets, with attacks and with the innocent events that look like them. It
// owns the model of how devices behave, and nothing of how they are judged.
//
// It promises that the same Config gives the same bytes, on every machine, in
// bounded memory, and that every label tells the truth about the packets. It
// must not share code or constants with the detectors: they would then be
// tested against their own assumptions. Nothing here touches a network.
package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Config says what to simulate.
type Config struct {
	Seed       uint64    // of all randomness
	Start      time.Time // of the capture; from 1970-01-02 to 2099-12-31
	Days       int       // length in days of 24 hours, 1 to 366; all scenarios together need 12
	LearnDays  int       // days before the first scenario; 0 means two thirds of Days
	Attacks    bool      // with attacks
	LookAlikes bool      // with innocent events that look like attacks
	Only       []string  // names of the scenarios to play, of those enabled above; nil means all
}

// DefaultConfig is a month that begins on a Monday, with everything in it.
func DefaultConfig() Config {
	return Config{
		Seed: 1, Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), Days: 30,
		Attacks: true, LookAlikes: true,
	}
}

// ErrConfig is wrapped by every complaint about a Config.
var ErrConfig = errors.New("bad simulation config")

// Validate checks the ranges given in Config.
func (c Config) Validate() error {
	switch {
	case c.Days < 1 || c.Days > 366:
		return fmt.Errorf("%w: days is %d, must be 1 to 366", ErrConfig, c.Days)
	case c.LearnDays < 0 || c.LearnDays >= c.Days && c.LearnDays > 0:
		return fmt.Errorf("%w: learn days is %d, must be 0 to %d", ErrConfig, c.LearnDays, c.Days-1)
	case c.Start.Unix() < 86_400 || c.Start.Year() > 2099:
		return fmt.Errorf("%w: start is %s, must be from 1970-01-02 to 2099-12-31", ErrConfig, c.Start.Format(time.DateOnly))
	}
	for _, name := range c.Only {
		if !slices.ContainsFunc(scenarios, func(s scenario) bool { return s.name == name }) {
			return fmt.Errorf("%w: no scenario is called %q", ErrConfig, name)
		}
	}
	return nil
}

// wants reports whether a scenario is to be played.
func (c Config) wants(s scenario) bool {
	if s.attack() && !c.Attacks || !s.attack() && !c.LookAlikes {
		return false
	}
	return c.Only == nil || slices.Contains(c.Only, s.name)
}

// Home is a planned simulation. It does not change and may be played any
// number of times, also at once.
type Home struct {
	cfg    Config
	plan   *plan
	labels []Label
	roots  []byte
}

// New plans a simulation. It fails if the Config is invalid or its days leave
// no room for the scenarios.
func New(cfg Config) (*Home, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Start = cfg.Start.UTC()
	plan, err := newPlan(cfg)
	if err != nil {
		return nil, err
	}
	ca, err := newAuthority(cfg.Seed, cfg.Start)
	if err != nil {
		return nil, err
	}
	h := &Home{cfg: cfg, plan: plan, roots: ca.rootsPEM()}
	w := newWorld(cfg, plan, ca)
	for _, a := range plan.acts {
		h.labels = append(h.labels, a.label.on(w))
	}
	slices.SortStableFunc(h.labels, func(a, b Label) int { return a.Start.Compare(b.Start) })
	for i := range h.labels {
		h.labels[i].ID = fmt.Sprintf("L%02d", i+1)
	}
	return h, nil
}

// Scenarios are the names of all scenarios, attacks first.
func Scenarios() []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

// Scenario plans a short capture: cfg.Days days of learning and three more in
// which the named scenario alone is played.
func Scenario(name string, cfg Config) (*Home, error) {
	cfg.LearnDays = cfg.Days
	cfg.Days += 3
	cfg.Attacks, cfg.LookAlikes, cfg.Only = true, true, []string{name}
	return New(cfg)
}

// Labels says what is in the traffic, in the order of the start times.
func (h *Home) Labels() []Label { return slices.Clone(h.labels) }

// RootsPEM is the certificate of the simulated public authority: the roots
// that certificates in the traffic are to be verified with.
func (h *Home) RootsPEM() []byte { return slices.Clone(h.roots) }

// Frames plays the simulation: every frame, in time order. A frame's Data is
// the caller's to keep. The error of fn ends the play and is returned.
func (h *Home) Frames(fn func(Frame) error) error { return h.play(fn, func(int) {}) }

func (h *Home) play(fn func(Frame) error, hour func(done int)) error {
	ca, err := newAuthority(h.cfg.Seed, h.cfg.Start)
	if err != nil {
		return err
	}
	if err := newWorld(h.cfg, h.plan, ca).run(fn, hour); err != nil {
		return fmt.Errorf("play simulation: %w", err)
	}
	return nil
}
