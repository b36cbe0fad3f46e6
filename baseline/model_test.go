package baseline

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func restored(t *testing.T, m *Model) *Model {
	t.Helper()
	b, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Restore(b)
	if err != nil {
		t.Fatalf("%v in %.300s", err, b)
	}
	return got
}

// life does to a model what a day's traffic does, and returns all that the
// model says meanwhile. It depends on rng and now alone.
func life(m *Model, rng *rand.Rand, now int64, events int) (said []float64) {
	table := NewMarkTable(.15, .15, .3, .01, .2)
	classes := []string{"novelty", "dns", "tls"}
	for range events {
		now += rng.Int64N(hour / 2)
		if rng.IntN(200) == 0 {
			now -= 30 * hour // the clock is set back
		}
		now = max(0, now)
		if m.Calendar.Advance(now) {
			for _, class := range classes {
				m.Calibrator(class).EndDay()
			}
		}
		day := m.Calendar.Day
		name := fmt.Sprintf("host%d.%s.example", int(rng.ExpFloat64()*100), strings.Repeat("x", rng.IntN(60)))
		dest := Destination{NewServiceKey(Scope(1+rng.IntN(2)), 6, uint16(rng.IntN(40000))), EntityOf(name)}
		if rng.IntN(3) > 0 {
			dest.Service = NewServiceKey(WAN, 6, 443)
		}
		if !m.Destinations.Touch(dest, day) {
			q1, fresh := m.Destinations.Once(day, func(k Destination) bool { return k.Service == dest.Service })
			d := m.OpenDossier(dest, now, NewKeysRate(fresh+1, q1, q1, m.Calendar.Days()))
			d.Marks = Marks(rng.IntN(32))
			p := d.P(table)
			said = append(said, p, m.Calibrator(classes[0]).Correct(p), float64(m.Destinations.Fresh(day)))
			m.Calibrator(classes[rng.IntN(3)]).Note(p)
			m.Destinations.Add(dest, day)
			if rng.IntN(50) == 0 {
				m.Destinations.Flag(dest, day)
			}
			m.Networks.AddAlias(dest, day)
			m.Services.Add(dest.Service, day)
		} else if d := m.Dossier(dest, now); d != nil {
			d.Connect(now)
			said = append(said, d.P(table))
		}
		said = append(said, float64(m.Destinations.Len()), float64(m.Services.Len()))
		if rng.IntN(300) == 0 {
			m.Names.Spoil()
		}
		n, _ := m.Names.Observe(now, EntityOf(name))
		said = append(said, float64(n), m.Names.P(48), m.Names.Tail.Threshold())
		if rng.IntN(10) == 0 {
			n, _ := m.Missing.Observe(now, EntityOf(name))
			said = append(said, float64(n), m.Missing.P(48))
		}
		if !m.Lookups.Touch(EntityOf(name), day) {
			m.Lookups.Add(EntityOf(name), day)
		}
		end := Endpoint{name, 443}
		h, ok := m.Handshakes.Get(Client{end, "t13d1516h2_8daaf6152771_02713d6af862"})
		if ok {
			said = append(said, float64(h.Count))
		}
		m.Handshakes.Put(Client{end, "t13d1516h2_8daaf6152771_02713d6af862"}, Handshakes{Count: h.Count + 1, Last: day})
		c, ok := m.Chains.Get(end)
		if ok {
			said = append(said, float64(c.Valid))
		}
		m.Chains.Put(end, Chain{Valid: c.Valid + 1, Issuer: "CN=" + name, Last: day})
		s, _ := m.Clarity.Get(name)
		said = append(said, float64(s.Encrypted), ClearTextP(int(m.ClearEvents), m.Calendar.Days()))
		m.Clarity.Put(name, Clarity{Encrypted: s.Encrypted + 1, Last: day})
	}
	return said
}

// TestRestoreGoesOn: a daemon that restarts must judge exactly as one that
// never stopped.
func TestRestoreGoesOn(t *testing.T) {
	for seed := range uint64(10) {
		m := NewModel(noon)
		life(m, rand.New(rand.NewPCG(seed, 0)), noon, 1000)
		now := m.Calendar.Latest
		other := restored(t, m)
		for leg := range 3 {
			want := life(m, rand.New(rand.NewPCG(seed, 1)), now, 300)
			got := life(other, rand.New(rand.NewPCG(seed, 1)), now, 300)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d, leg %d: goes on differently (-never stopped +restored):\n%.2000s", seed, leg, diff)
			}
			other = restored(t, other)
			now = m.Calendar.Latest
		}
		a, err := m.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		b, err := other.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Fatalf("seed %d: snapshots differ", seed)
		}
	}
}

// full returns a model filled to all its capacities, with the longest texts
// that it keeps.
func full() *Model {
	m := NewModel(noon)
	m.Calendar.Day = 1000
	for i := range 2 * max(maxDestinations, maxLookups, maxDistinct) {
		day := uint16(i / 100)
		name := fmt.Sprintf("%04d%s", i, strings.Repeat("n", 300))
		kept := strings.Clone(name[:maxName])
		end := Endpoint{kept, 443}
		dest := Destination{NewServiceKey(WAN, 6, 443), EntityOf(name)}
		m.Destinations.Add(dest, day)
		m.Networks.Add(dest, day)
		m.Lookups.Add(dest.Entity, day)
		m.Services.Add(NewServiceKey(WAN, 6, uint16(i)), day)
		d := m.OpenDossier(dest, noon, .1)
		for j := range int64(2 * maxGaps) {
			d.Connect(noon + j*hour)
		}
		m.Names.Observe(noon, EntityOf(name))
		m.Missing.Observe(noon, EntityOf(name))
		m.Handshakes.Put(Client{end, "t13d1516h2_8daaf6152771_02713d6af862" + kept[:4]}, Handshakes{Count: 1, Last: day})
		m.Chains.Put(end, Chain{Valid: 1, Issuer: name, Last: day})
		m.Clarity.Put(kept, Clarity{Encrypted: 1, Last: day})
	}
	for i := range 9 { // classes in all of docs/detection.md
		m.Calibrator(fmt.Sprint(i)).EndDay()
	}
	return m
}

// TestModelSize holds the promise of 64 KiB for one device, both of a model
// that grew and of one that was restored.
func TestModelSize(t *testing.T) {
	snapshot, err := full().Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("snapshot: %d bytes", len(snapshot))
	fromSnapshot := func() *Model {
		m, err := Restore(snapshot)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for name, create := range map[string]func() *Model{"grown": full, "restored": fromSnapshot} {
		const n = 16
		models := make([]*Model, n)
		before := heap()
		for i := range models {
			models[i] = create()
		}
		size := (heap() - before) / n
		if size > 64<<10 {
			t.Errorf("a full model, %s, takes %d bytes, at most %d are promised", name, size, 64<<10)
		}
		t.Logf("%s: %d bytes", name, size)
		runtime.KeepAlive(models)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// TestBurstIsGivenBack: the memory of an hour with many names is not held.
func TestBurstIsGivenBack(t *testing.T) {
	const n = 100
	models := make([]*Model, n)
	before := heap()
	for i := range models {
		models[i] = NewModel(noon)
		observeMany(&models[i].Names, noon, 0, maxDistinct)
		models[i].Names.Observe(noon+hour, EntityOf("a"))
	}
	if size := (heap() - before) / n; size > 6<<10 {
		t.Errorf("a model with one name takes %d bytes after a burst", size)
	}
	runtime.KeepAlive(models)
}

func TestRestoreRefuses(t *testing.T) {
	tests := map[string]string{
		"nothing":                    ``,
		"not JSON":                   `{`,
		"another type":               `[]`,
		"too many dossiers":          `{"dossiers":[` + strings.Repeat(`{},`, maxDossiers) + `{}]}`,
		"dossier with negative rate": `{"dossiers":[{"rate":-1}]}`,
		"dossier with too many gaps": `{"dossiers":[{"gaps":[` + strings.Repeat(`1,`, maxGaps) + `1]}]}`,
		"no calibrations":            `{"calibrate":null}`,
		"calibration missing":        `{"calibrate":{"tls":null}}`,
		"calibration of -1 days":     `{"calibrate":{"tls":{"days":-1,"bins":[-1]}}}`,
		"more days than in bins":     `{"calibrate":{"tls":{"days":5,"bins":[1]}}}`,
		"calendar before 1970":       `{"calendar":{"first":-1}}`,
		"calendar runs backwards":    `{"calendar":{"start":10,"latest":5}}`,
		"key seen tomorrow":          `{"calendar":{"day":3},"services":{"keys":[{"k":{"s":1},"v":{"l":4,"n":1}}]}}`,
		"key seen before first":      `{"calendar":{"day":3},"services":{"keys":[{"k":{"s":1},"v":{"f":2,"l":1,"n":1}}]}}`,
		"key seen on no day":         `{"services":{"keys":[{"k":{"s":1},"v":{}}]}}`,
		"negative keys lost":         `{"lookups":{"keys":[],"lost":-1}}`,
		"too many keys lost":         `{"lookups":{"keys":[],"lost":1e300}}`,
		"negative tail":              `{"names":{"tail":{"k":-1}}}`,
		"tail of more than it saw":   `{"names":{"tail":{"k":5,"n":3,"age":3}}}`,
		"number out of range":        `{"clear":65536}`,
	}
	for name, text := range tests {
		if _, err := Restore([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		} else if !strings.HasPrefix(err.Error(), "read baseline: ") {
			t.Errorf("%s: error does not say what was read: %v", name, err)
		}
	}
}

// TestRestoreTwice: a key that comes twice in JSON must not add up beyond the
// capacity.
func TestRestoreTwice(t *testing.T) {
	list := func(from int) string {
		var b strings.Builder
		for i := range maxServices {
			fmt.Fprintf(&b, `,{"k":{"s":1,"o":%d},"v":{"n":1}}`, from+i)
		}
		return b.String()[1:]
	}
	m, err := Restore([]byte(`{"services":{"keys":[` + list(0) + `]},"services":{"keys":[` + list(1000) + `]}}`))
	if err == nil && m.Services.Len() > maxServices {
		t.Errorf("%d services in room for %d", m.Services.Len(), maxServices)
	}
}

func FuzzRestore(f *testing.F) {
	m := NewModel(noon)
	life(m, rand.New(rand.NewPCG(1, 2)), noon, 1) // small: large seeds keep the fuzzer busy shortening them
	b, err := m.Snapshot()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"calendar":{"day":65535,"latest":9223372036854775807},"names":{"start":9223372036854775807}}`))
	f.Add([]byte(`{"names":null,"missing":{},"dossiers":null,"tls":null,"services":{"keys":null}}`))
	f.Add([]byte(`{"names":{"tail":{"u":1e308,"n":1e-300,"age":100}},"dossiers":[{"rate":1e308,"m":65535,"n":9223372036854775807}]}`))
	f.Add([]byte(`{"lookups":{"keys":[{"k":18446744073709551615,"v":{"n":1}}],"lost":65536,"lost_day":0}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Restore(b)
		if err != nil {
			return
		}
		table := NewMarkTable(.15, .15, .3, .01, .2)
		for i := range m.Dossiers {
			if p := m.Dossiers[i].P(table); !(p >= 0 && p <= 1) {
				t.Errorf("a dossier has P %v", p)
			}
		}
		for class, c := range m.Calibration {
			for _, p := range []float64{1, .3, .01, 1e-20} {
				if got := c.Correct(p); !(got >= p && got <= 1) {
					t.Errorf("calibration of %q corrects %v to %v", class, p, got)
				}
			}
		}
		for _, h := range []*Hourly{&m.Names, &m.Missing} {
			for _, x := range []float64{0, 1, 11, 1e6} {
				if p := h.Tail.P(x); !(p > 0 && p <= 1) {
					t.Errorf("a tail has P(%v) = %v", x, p)
				}
			}
		}
		today := m.Calendar.Day
		for _, q1 := range onces(m, today) {
			if rate := NewKeysRate(2, q1, q1, m.Calendar.Days()); !(rate >= 0) {
				t.Errorf("q1 %d of %d days gives the rate %v", q1, m.Calendar.Days(), rate)
			}
		}
		// It lives on, and what it becomes can be restored.
		for _, said := range life(m, rand.New(rand.NewPCG(3, 4)), m.Calendar.Latest, 5) {
			if !(said >= 0) {
				t.Errorf("said %v", said)
			}
		}
		after, err := m.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(after); err != nil {
			t.Errorf("went on into a state that cannot be restored: %v", err)
		}
	})
}

func onces(m *Model, today uint16) (q1s []int) {
	q1, _ := m.Destinations.Once(today, func(Destination) bool { return true })
	q1s = append(q1s, q1)
	q1, _ = m.Lookups.Once(today, func(Entity) bool { return true })
	q1s = append(q1s, q1)
	q1, _ = m.Services.Once(today, func(Service) bool { return false })
	return append(q1s, q1)
}

func BenchmarkSnapshot(b *testing.B) {
	m := full()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Snapshot(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRestore(b *testing.B) {
	snapshot, err := full().Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Restore(snapshot); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEntityOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		EntityOf("relay-eu.kestrelcam.com")
	}
}
