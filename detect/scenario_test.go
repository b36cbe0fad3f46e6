package detect

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/baseline"
	"gatehouse/device"
	"gatehouse/flow"
	"gatehouse/internal/testkit"
	"gatehouse/wire"
)

// budgets are the largest p-values that alert at the default budget of one
// false alert per device-month; package alert, downstream, owns them.
var budgets = map[Class]float64{Novelty: .40 / 30, DNS: .12 / 30, TLS: .12 / 30}

// incidentGap is how long nothing is learned after an alert; package alert owns it.
const incidentGap = int64(6 * time.Hour)

// Each folder testdata/<detector>/<scenario> holds events and what must come
// of them. testdata/README.md describes the format.
func TestScenarios(t *testing.T) {
	heard, silent := map[string]int{}, map[string]int{}
	inputs, err := filepath.Glob("testdata/*/*/input.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, input := range inputs {
		folder := filepath.Dir(input)
		detector := filepath.Base(filepath.Dir(folder))
		t.Run(strings.TrimPrefix(folder, "testdata/"), func(t *testing.T) {
			w := playFile(t, input)
			testkit.Golden(t, w.output(), filepath.Join(folder, "expect.txt"))
			if len(w.alerts) == 0 {
				silent[detector]++
			} else if w.by[detector] {
				heard[detector]++
			} else {
				t.Errorf("alerts, but none by the detector %s", detector)
			}
		})
	}
	for _, d := range Table(Config{}) {
		name := d.Spec().Name
		if heard[name] == 0 || silent[name] == 0 {
			t.Errorf("detector %s: %d scenarios that alert and %d look-alikes that stay silent, want at least one of each in testdata/%s",
				name, heard[name], silent[name], name)
		}
	}
}

// The same events give the same findings, whatever order Go gives to maps.
func TestScenariosAreDeterministic(t *testing.T) {
	input := "testdata/dnstunnel/browser-tunnel/input.txt"
	want := playFile(t, input).output()
	for range 3 {
		if got := playFile(t, input).output(); !bytes.Equal(got, want) {
			t.Fatalf("two runs differ:\n%s\n%s", want, got)
		}
	}
}

func playFile(t *testing.T, input string) *world {
	t.Helper()
	text, err := os.ReadFile(input)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	var events []flow.Event
	for i, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		more, err := w.line(line)
		if err != nil {
			t.Fatalf("%s:%d: %v", input, i+1, err)
		}
		events = append(events, more...)
	}
	slices.SortStableFunc(events, func(a, b flow.Event) int { return cmp.Compare(a.Time, b.Time) })
	for i := range events {
		w.event(&events[i])
	}
	w.tick(events[len(events)-1].Time + int64(time.Hour))
	return w
}

// world shows events to detectors as pipeline does, with devices that are
// known beforehand.
type world struct {
	tb        testing.TB
	authority *authority
	detectors []Detector
	devices   map[netip.Addr]*device.Device
	models    map[string]*baseline.Model
	names     *Names
	conns     *Conns
	alerted   map[string]int64 // device: time of its latest alert
	alerts    []alerted
	by        map[string]bool // detectors that alerted
	nextTick  int64
	flows     uint64
	in        Input
}

// alerted is the first of the findings with one kind and subject.
type alerted struct {
	Finding
	count int
}

func newWorld(tb testing.TB) *world {
	ca := newAuthority(tb)
	gateway := &device.Device{ID: "gateway", Name: "gateway", Gateway: true}
	return &world{
		tb: tb, authority: ca, detectors: Table(Config{Roots: ca.roots}),
		devices: map[netip.Addr]*device.Device{gatewayAddr: gateway},
		models:  map[string]*baseline.Model{}, names: NewNames(), conns: NewConns(),
		alerted: map[string]int64{}, by: map[string]bool{},
	}
}

func (w *world) tick(now int64) {
	if now < w.nextTick {
		return
	}
	w.nextTick = now + int64(time.Second)
	for _, d := range w.detectors {
		d.Tick(now, w.found(d))
	}
}

func (w *world) event(ev *flow.Event) {
	w.tick(ev.Time)
	conn := w.conns.Of(ev)
	client, server := w.devices[ev.Record.Client.Addr], w.devices[ev.Record.Server.Addr]
	if client != nil && client.Gateway {
		client = nil
	}
	if client != nil {
		for _, m := range ev.Messages {
			if answer, ok := m.(*wire.DNS); ok {
				w.names.Learn(client.ID, answer)
			}
		}
	}
	if client == nil && (server == nil || server.Gateway) {
		return
	}
	scope := baseline.WAN
	if local(ev.Record.Server.Addr) {
		scope = baseline.LAN
	}
	w.in = Input{
		Event: ev, Conn: conn, Client: client, Server: server,
		ClientModel: w.model(client, ev.Time), ServerModel: w.model(server, ev.Time),
		Scope: scope, Names: w.names, Learn: !w.busy(client, ev.Time) && !w.busy(server, ev.Time),
	}
	for _, d := range w.detectors {
		d.Observe(&w.in, w.found(d))
	}
}

func (w *world) model(d *device.Device, now int64) *baseline.Model {
	if d == nil {
		return nil
	}
	m := w.models[d.ID]
	if m == nil {
		m = baseline.NewModel(now)
		w.models[d.ID] = m
	}
	m.Calendar.Advance(now)
	return m
}

func (w *world) busy(d *device.Device, now int64) bool {
	if d == nil {
		return false
	}
	at, ok := w.alerted[d.ID]
	return ok && now-at <= incidentGap
}

// found keeps what clears the default budget, without the empirical
// correction, which belongs to package pipeline.
func (w *world) found(d Detector) func(Finding) {
	return func(f Finding) {
		checkFinding(w.tb, d, &f)
		if f.P > budgets[f.Class] {
			return
		}
		if f.Flag != nil {
			f.Flag()
		}
		w.by[d.Spec().Name] = true
		for i := range w.alerts {
			if a := &w.alerts[i]; a.Kind == f.Kind && a.Subject == f.Subject && a.Device == f.Device {
				a.count++
				return
			}
		}
		w.alerted[f.Device.ID] = f.Time
		w.alerts = append(w.alerts, alerted{f, 1})
	}
}

// checkFinding holds what every finding promises.
func checkFinding(tb testing.TB, d Detector, f *Finding) {
	tb.Helper()
	spec := d.Spec()
	switch {
	case !slices.Contains(spec.Kinds, f.Kind) || f.Class != spec.Class:
		tb.Errorf("%s: reports %s of class %s, which its Spec does not tell", spec.Name, f.Kind, f.Class)
	case !(f.P > 0 && f.P <= 1):
		tb.Errorf("%s: p-value %v out of (0, 1]", spec.Name, f.P)
	case f.Subject == "" || f.Device == nil || f.Severity < Low || f.Severity > Critical || len(f.Why) == 0 || len(f.Attack) == 0:
		tb.Errorf("%s: incomplete finding %+v", spec.Name, f)
	case !strings.HasPrefix(f.Summary, f.Device.Name+" ") || !strings.HasSuffix(f.Summary, ".") || len(f.Summary) > 400:
		tb.Errorf("%s: the summary is no sentence about the device: %q", spec.Name, f.Summary)
	case f.First > f.Time:
		tb.Errorf("%s: first seen after it was found: %+v", spec.Name, f)
	}
}

func (w *world) output() []byte {
	if len(w.alerts) == 0 {
		return []byte("silent\n")
	}
	var b bytes.Buffer
	for _, a := range w.alerts {
		since := time.Duration(a.Time - epoch.UnixNano())
		fmt.Fprintf(&b, "day %d %s  %s  %s  %q  %s bits  count %d\n", since/(24*time.Hour),
			time.Unix(0, a.Time).UTC().Format("15:04"), a.Kind, a.Severity, a.Subject, fmt.Sprint(Bits(a.P)), a.count)
		fmt.Fprintf(&b, "  %s\n", a.Summary)
		for _, why := range a.Why {
			fmt.Fprintf(&b, "    %s: %s; expected: %s (%v bits)\n", why.Feature, why.Observed, why.Expected, why.Surprise)
		}
	}
	return b.Bytes()
}
