package pipeline

import (
	"log/slog"
	"time"

	"gatehouse/alert"
	"gatehouse/baseline"
	"gatehouse/detect"
	"gatehouse/device"
	"gatehouse/flow"
	"gatehouse/wire"
)

// tickEvery is how often, in packet time, detectors that wait for something
// are asked.
const tickEvery = int64(time.Second)

// analyst owns everything that judges: devices, baselines, detectors and the
// book of alerts. It sees all events in one order and runs on one goroutine.
type analyst struct {
	devices   *device.Inventory
	subjects  map[string]*subject // by device
	detectors []detect.Detector
	names     *detect.Names
	conns     *detect.Conns
	book      *alert.Book
	meter     *device.Meter // nil without a state: nobody asks for minutes
	onAlert   func(*alert.Alert)
	report    func(detect.Finding) // found, bound once: binding allocates

	log          *slog.Logger
	deviceConfig device.Config

	visibility visibility
	now        int64
	nextTick   int64
	in         detect.Input
	removed    []string // devices that were forgotten since the last checkpoint
	events     uint64
}

// subject is what the analyst knows of one device besides its inventory.
type subject struct {
	model   *baseline.Model
	met     bool   // in this run
	born    uint16 // active day when this run first met it
	changed bool   // since the last checkpoint
}

func newAnalyst(cfg Config, onAlert func(*alert.Alert)) *analyst {
	a := &analyst{
		subjects:   make(map[string]*subject),
		detectors:  detect.Table(cfg.Detect),
		names:      detect.NewNames(),
		conns:      detect.NewConns(),
		book:       alert.NewBook(cfg.Alert),
		onAlert:    onAlert,
		visibility: newVisibility(),
	}
	a.report = a.found
	a.log = cfg.Log
	a.deviceConfig = cfg.Device
	a.deviceConfig.Removed = a.forget
	a.devices = device.New(a.deviceConfig)
	return a
}

func (a *analyst) forget(d *device.Device) {
	delete(a.subjects, d.ID)
	a.names.Forget(d.ID)
	a.visibility.forget(d.ID)
	a.removed = append(a.removed, d.ID)
}

// round takes in the events of one round.
func (a *analyst) round(events []flow.Event, p Progress) {
	a.visibility.update(&p)
	for i := range events {
		a.event(&events[i])
	}
	a.tick(p.Now)
}

func (a *analyst) tick(now int64) {
	a.now = max(a.now, now)
	if a.now < a.nextTick {
		return
	}
	a.nextTick = a.now + tickEvery
	for _, d := range a.detectors {
		d.Tick(a.now, a.report)
	}
}

// event identifies the ends of one event, learns names from it and shows it to
// the detectors.
func (a *analyst) event(ev *flow.Event) {
	a.events++
	a.tick(ev.Time)
	ends := a.devices.Observe(ev)
	conn := a.conns.Of(ev)
	client, server := ends.Client, ends.Server
	if client != nil && client.Gateway {
		client = nil // its own and other people's traffic cannot be told apart here
	}
	if client != nil {
		for _, m := range ev.Messages {
			if answer, ok := m.(*wire.DNS); ok {
				a.names.Learn(client.ID, answer)
			}
		}
	}
	metered := server
	if server != nil && server.Gateway {
		metered = nil // what it forwards is that of others
	}
	if a.meter != nil {
		a.meter.Observe(ev, client, metered)
	}
	if client == nil && metered == nil {
		return
	}
	for _, d := range [2]*device.Device{client, server} {
		if d != nil {
			a.visibility.note(d.ID, ev)
		}
	}
	in := &a.in
	in.Event, in.Conn, in.Client, in.Server = ev, conn, client, server
	in.ClientModel, in.ServerModel = a.model(client, ev), a.model(server, ev)
	in.Scope, in.Names = a.scope(ev, server), a.names
	in.Learn = !a.busy(client, ev.Time) && !a.busy(server, ev.Time)
	for _, d := range a.detectors {
		d.Observe(in, a.report)
	}
}

// model returns the device's model, made if it is new, with its calendar moved
// on by the event.
func (a *analyst) model(d *device.Device, ev *flow.Event) *baseline.Model {
	if d == nil {
		return nil
	}
	at := min(ev.Time, ev.Record.Last)
	if ev.Kind == flow.Frame {
		at = ev.Time
	}
	s := a.subjects[d.ID]
	if s == nil {
		s = &subject{model: baseline.NewModel(at)}
		a.subjects[d.ID] = s
	}
	m := s.model
	if !s.met {
		s.met, s.born = true, m.Calendar.Day
	}
	s.changed = true
	if m.Calendar.Advance(at) {
		for _, c := range m.Calibration {
			c.EndDay()
		}
	}
	return m
}

// days is how many active days this run has seen of all devices together.
func (a *analyst) days() int {
	sum := 0
	for _, s := range a.subjects {
		if s.met {
			sum += int(s.model.Calendar.Day-s.born) + 1
		}
	}
	return sum
}

func (a *analyst) scope(ev *flow.Event, server *device.Device) baseline.Scope {
	if server != nil {
		return baseline.LAN
	}
	switch a.devices.Scope(ev.Record.Server.Addr) {
	case device.WAN:
		return baseline.WAN
	case device.LAN:
		return baseline.LAN
	}
	return 0
}

func (a *analyst) busy(d *device.Device, t int64) bool {
	return d != nil && a.book.InIncident(d.ID, t)
}

// found takes a finding from a detector: it corrects its p-value by what this
// device has really done, and enters it into the book.
func (a *analyst) found(f detect.Finding) {
	s := a.subjects[f.Device.ID]
	if s == nil {
		return // forgotten while the finding waited
	}
	c := s.model.Calibrator(string(f.Class))
	p := f.P
	f.P = c.Correct(p)
	// What opens an incident counts as a day on which the model was surprised;
	// what belongs to one that is open already does not count again.
	if !f.Repeat && !a.busy(f.Device, f.Time) {
		c.Note(p)
	}
	raised := a.book.Add(&f, a.visibility.of(f.Device.ID))
	if raised != nil && a.onAlert != nil {
		a.onAlert(raised)
	}
}
