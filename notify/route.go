package notify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
)

// Route chooses what goes to a sink. The zero value lets everything through at
// any time. Conditions are joined by "and", the entries of a list by "or".
type Route struct {
	Severity detect.Severity `yaml:"severity"` // this or above; 0 for any
	Kinds    []detect.Kind   `yaml:"kinds"`    // of alerts
	Groups   []string        `yaml:"groups"`   // of the alert's device, in any case
	Devices  []string        `yaml:"devices"`  // id, name (in any case) or MAC of the alert's device
	// Incidents lets incidents through besides alerts, by their severity. A
	// route by kind, group or device has none: an incident is about several.
	Incidents bool    `yaml:"incidents"`
	Quiet     Quiet   `yaml:"quiet_hours"`
	Updates   Updates `yaml:"updates"` // "" is AllUpdates
}

// Updates says which changes of an alert are told after the first time.
type Updates string

// Choices of Updates.
const (
	// AllUpdates tells each change: another count, another reason.
	AllUpdates Updates = "all"
	// ImportantUpdates tells that it became more severe, or that its state
	// is another: what a person wants to hear who has heard of it once.
	ImportantUpdates Updates = "important"
)

// Validate reports the first condition that makes no sense.
func (r *Route) Validate() error {
	for _, k := range r.Kinds {
		if k == "" {
			return &FieldError{"kinds", errors.New("has an empty entry")}
		}
	}
	if r.Updates != "" && r.Updates != AllUpdates && r.Updates != ImportantUpdates {
		return &FieldError{"updates", fmt.Errorf("%q, must be all or important", r.Updates)}
	}
	if r.Incidents && len(r.Kinds)+len(r.Groups)+len(r.Devices) > 0 {
		return &FieldError{"incidents", errors.New("cannot be combined with kinds, groups or devices: an incident has several of them")}
	}
	return nil
}

// Admits reports whether a notice goes to the sink at all.
func (r *Route) Admits(n *alert.Notice) bool {
	switch {
	case n.Severity() < r.Severity:
		return false
	case n.Digest != nil:
		return true
	case n.Incident != nil:
		return r.Incidents
	}
	d := &n.Alert.Device
	return (len(r.Kinds) == 0 || slices.Contains(r.Kinds, n.Alert.Kind)) &&
		anyFold(r.Groups, d.Group) && anyFold(r.Devices, d.ID, d.Name, d.MAC)
}

// anyFold reports whether a list is empty or has one of the names, in any case.
func anyFold(list []string, names ...string) bool {
	if len(list) == 0 {
		return true
	}
	return slices.ContainsFunc(list, func(want string) bool {
		return slices.ContainsFunc(names, func(s string) bool { return s != "" && strings.EqualFold(s, want) })
	})
}

// Quiet is a time of day, "22:00-07:00" in local time, during which only
// critical notices are told. The others wait until it ends.
type Quiet struct{ from, to int } // minutes since midnight; equal: never

// ParseQuiet reads "22:00-07:00".
func ParseQuiet(s string) (Quiet, error) {
	from, to, ok := strings.Cut(s, "-")
	a, errA := time.Parse("15:04", strings.TrimSpace(from))
	b, errB := time.Parse("15:04", strings.TrimSpace(to))
	if !ok || errA != nil || errB != nil || a.Equal(b) {
		return Quiet{}, fmt.Errorf("quiet hours %q: want two different times of day such as 22:00-07:00", s)
	}
	return Quiet{a.Hour()*60 + a.Minute(), b.Hour()*60 + b.Minute()}, nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (q *Quiet) UnmarshalText(b []byte) (err error) {
	*q, err = ParseQuiet(string(b))
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (q Quiet) MarshalText() ([]byte, error) {
	if q.from == q.to {
		return nil, nil
	}
	return fmt.Appendf(nil, "%02d:%02d-%02d:%02d", q.from/60, q.from%60, q.to/60, q.to%60), nil
}

// Until returns when a notice of that severity may be told that comes up at
// now: now itself, or the end of the quiet hours. The location of now is that
// of the times of day.
func (q Quiet) Until(now time.Time, s detect.Severity) time.Time {
	if q.from == q.to || s >= detect.Critical {
		return now
	}
	minute := now.Hour()*60 + now.Minute()
	day := 0
	switch {
	case q.from < q.to && (minute < q.from || minute >= q.to),
		q.from > q.to && minute < q.from && minute >= q.to:
		return now
	case minute >= q.to:
		day = 1 // it ends tomorrow
	}
	// time.Date finds the right moment when clocks change overnight.
	return time.Date(now.Year(), now.Month(), now.Day()+day, q.to/60, q.to%60, 0, 0, now.Location())
}
