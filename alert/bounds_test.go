package alert

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/detect"
)

func checkBounds(t *testing.T, b *Book) {
	t.Helper()
	for _, c := range []struct {
		name       string
		got, limit int
	}{
		{"alerts", len(b.alerts), maxAlerts},
		{"subjects", len(b.bySubject), maxAlerts},
		{"changed alerts", len(b.dirtyAlerts), maxAlerts},
		// Between two looks at the bounds no more come than alerts are raised.
		{"running incidents", len(b.current), maxRunning + maxAlerts},
		{"incidents", len(b.incidents), 2 * (maxAlerts + maxRunning)},
		{"changed incidents", len(b.dirtyStories), maxAlerts},
		{"recent alerts", len(b.recent), maxRecent},
		{"observations", len(b.observations), maxObservations},
	} {
		if c.got > c.limit {
			t.Fatalf("after %d findings: %d %s, at most %d can be", b.counts.Findings, c.got, c.name, c.limit)
		}
	}
}

// TestFlood: an attacker who makes findings must not fill the memory.
func TestFlood(t *testing.T) {
	const findings = 1_000_000
	tests := []struct {
		name    string
		devices int
		take    int  // findings between two checkpoints, 0 for none
		weak    bool // below the budget
	}{
		{"one device", 1, 0, false},
		{"many devices, no checkpoint", 50_000, 0, false},
		{"many devices, with checkpoints", 50_000, 100_000, false},
		{"observations", 1000, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBook()
			f := finding("", "", noon)
			if tt.weak {
				f.P = .5
			}
			for i := range findings {
				f.Device.ID = fmt.Sprint("device", i%tt.devices)
				f.Subject = fmt.Sprint("host", i)
				f.Time += minute / 60
				b.Add(f, 1)
				if tt.take > 0 && i%tt.take == 0 {
					for _, a := range b.Take().Alerts {
						if a.Incident == "" {
							t.Fatalf("alert %s has no incident", a.ID)
						}
					}
				}
				if i%1000 == 0 {
					checkBounds(t, b)
				}
			}
			checkBounds(t, b)
			c := b.Counts()
			if total := c.Alerts + c.Repeats + c.Dropped + c.Observations; c.Findings != findings || total != findings {
				t.Errorf("%+v do not add up to %d", c, findings)
			}
			t.Logf("%+v", c)
		})
	}
}

// TestRoom: what was stored makes room for what is new, the oldest first, and
// what was not stored stays.
func TestRoom(t *testing.T) {
	b := newBook()
	for i := range maxAlerts {
		if i == maxAlerts/2 {
			b.Take()
		}
		add(t, b, finding(fmt.Sprint("device", i), "host", noon+int64(i)*day))
	}
	now := noon + maxAlerts*day
	add(t, b, finding("new", "host", now))
	if got, want := len(b.alerts), maxAlerts*3/4+1; got != want {
		t.Errorf("%d alerts are held, want three quarters and the new one, %d", got, want)
	}
	for i := range maxAlerts {
		_, held := b.bySubject[subjectKey{fmt.Sprint("device", i), "host", detect.NewDestination}]
		if want := i >= maxAlerts/4; held != want {
			t.Fatalf("alert %d is held: %v, want %v", i, held, want)
		}
	}
	if c := b.Take(); len(c.Alerts) != maxAlerts/2+1 || len(c.Incidents) != maxAlerts/2+1 {
		t.Errorf("%d alerts and %d incidents are given to the store, want %d each", len(c.Alerts), len(c.Incidents), maxAlerts/2+1)
	}
}

// TestRestoreGoesOn: a daemon that restarts at any moment, as often as it
// likes, stores the same in the end as one that never stopped.
func TestRestoreGoesOn(t *testing.T) {
	merged := 0
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 0))
		steady, restarting := newBook(), newBook()
		disk := [2]*disk{newDisk(), newDisk()}
		now := noon
		for range 400 {
			now += rng.Int64N([]int64{minute, hour, 2 * day}[rng.IntN(3)])
			f := finding(fmt.Sprint("device", rng.IntN(5)), fmt.Sprint("host", rng.IntN(30)), now)
			f.First = now - rng.Int64N(hour)
			f.P = []float64{1e-2, 1e-4, 1e-6, .5}[rng.IntN(4)]
			f.Class = []detect.Class{detect.Novelty, detect.DNS, detect.TLS}[rng.IntN(3)]
			f.Kind = []detect.Kind{detect.NewDestination, detect.DNSSpike}[rng.IntN(2)]
			f.Severity = detect.Severity(1 + rng.IntN(4))
			f.Summary = fmt.Sprintf("%s: %g at %d", f.Subject, f.P, now)
			f.Episode = rng.IntN(4) == 0
			restart := rng.IntN(20) == 0

			a, o := steady.Add(f, 1), restarting.Add(f, 1)
			if diff := cmp.Diff(a, o); diff != "" {
				t.Fatalf("seed %d: raised differently (-never stopped +restarted):\n%s", seed, diff)
			}
			for id := range 5 {
				id := fmt.Sprint("device", id)
				if a, o := steady.InIncident(id, now), restarting.InIncident(id, now); a != o {
					t.Fatalf("seed %d: %s in incident %v, after a restart %v", seed, id, a, o)
				}
			}
			if restart {
				disk[0].put(steady.Take())
				disk[1].put(restarting.Take())
				restarting = newBook()
				restarting.Restore(disk[1].changes())
			}
		}
		disk[0].put(steady.Take())
		disk[1].put(restarting.Take())
		if diff := cmp.Diff(disk[0], disk[1], cmp.AllowUnexported(disk[0].of()), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d: stored differently (-never stopped +restarted):\n%.3000s", seed, diff)
		}
		for _, s := range disk[0].incidents {
			if s.MergedInto != "" {
				merged++
			}
		}
	}
	if merged < 10 {
		t.Errorf("%d incidents were merged: too few to say that merging goes on", merged)
	}
}

// disk keeps the latest of each alert and incident, as the store does.
type disk struct {
	alerts    map[string]Alert
	incidents map[string]Incident
}

func newDisk() *disk { return &disk{make(map[string]Alert), make(map[string]Incident)} }

func (d *disk) of() disk { return *d }

func (d *disk) put(c Changes) {
	for _, a := range c.Alerts {
		if a.Revision > d.alerts[a.ID].Revision {
			d.alerts[a.ID] = a
		}
	}
	for _, s := range c.Incidents {
		if s.Revision > d.incidents[s.ID].Revision {
			d.incidents[s.ID] = s
		}
	}
}

// changes lists what is stored in the order of a map: Restore takes any.
func (d *disk) changes() (alerts []Alert, incidents []Incident) {
	for _, a := range d.alerts {
		alerts = append(alerts, a)
	}
	for _, s := range d.incidents {
		incidents = append(incidents, s)
	}
	return alerts, incidents
}

func TestRestoreTakesTheLatest(t *testing.T) {
	b := newBook()
	add(t, b, finding("tv", "host", noon))
	add(t, b, finding("tv", "host", noon+8*day)) // the first is over
	c := b.Take()
	for _, order := range [][]Alert{{c.Alerts[0], c.Alerts[1]}, {c.Alerts[1], c.Alerts[0]}} {
		b := newBook()
		b.Restore(order, c.Incidents)
		if b.Add(finding("tv", "host", noon+9*day), 1) != nil {
			t.Fatal("the subject alerted again")
		}
		if got := b.Take().Alerts; len(got) != 1 || got[0].ID != c.Alerts[1].ID {
			t.Errorf("counted on %v, want the later alert", got)
		}
	}
}

func TestRestoreClosed(t *testing.T) {
	b := newBook()
	add(t, b, finding("tv", "host", noon))
	c := b.Take()
	c.Alerts[0].State = Closed
	b = newBook()
	b.Restore(c.Alerts, c.Incidents)
	if b.InIncident("tv", noon) {
		t.Error("a closed alert keeps the device from learning")
	}
	add(t, b, finding("tv", "host", noon+minute))
}

func TestRestoreTooMany(t *testing.T) {
	var alerts []Alert
	for i := range 3 * maxAlerts {
		at := utc(noon + int64(i))
		alerts = append(alerts, Alert{ID: fmt.Sprint(i), Time: at, LastSeen: at, Device: Device{ID: fmt.Sprint("d", i)}, Incident: "gone"})
	}
	b := newBook()
	b.Restore(alerts, nil)
	checkBounds(t, b)
	if b.alerts[fmt.Sprint(3*maxAlerts-1)] == nil {
		t.Error("the latest alert is not held")
	}
}

func BenchmarkAddRepeat(b *testing.B) {
	book := newBook()
	f := finding("tv", "host", noon)
	book.Add(f, 1)
	b.ReportAllocs()
	for b.Loop() {
		f.Time++
		book.Add(f, 1)
	}
}

func BenchmarkAddNew(b *testing.B) {
	book := newBook()
	f := finding("", "host", noon)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		f.Device.ID = fmt.Sprint("device", i)
		f.Time += minute
		book.Add(f, 1)
		if i++; i%1000 == 0 {
			book.Take()
		}
	}
}

// TestBookSize holds what the bounds promise in bytes.
func TestBookSize(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	b := newBook()
	for i := range maxAlerts + maxObservations {
		f := finding(fmt.Sprint("mac:f4b85eff", i), fmt.Sprint("tcp/443 to host", i, ".example.com"), noon+int64(i))
		f.Summary = fmt.Sprintf("%s contacted %s, one of %d new destinations in a day.", f.Device.ID, f.Subject, i)
		f.Why = slices.Repeat(f.Why, 5)
		if i >= maxAlerts {
			f.P = .5
		}
		b.Add(f, 1)
	}
	size := heap() - before
	if size > 12<<20 {
		t.Errorf("a full book takes %d bytes, at most 12 MiB are promised", size)
	}
	t.Logf("%d bytes", size)
	runtime.KeepAlive(b)
}
