package sim

import (
	"fmt"
	"time"
)

// scenario is a kind of event that can be put into the traffic.
type scenario struct {
	name string
	kind string   // alert kind that must be raised; "" for a look-alike
	also []string // further kinds that would be right
	plan func(b *booking) (Label, func(w *world), error)
}

func (s scenario) attack() bool { return s.kind != "" }

// act is a scenario with its time and place.
type act struct {
	label Label
	play  func(w *world)
}

// plan is everything out of the ordinary that will happen.
type plan struct {
	acts      []act
	cleartext []window // when the hub speaks to its cloud in clear
	spares    []window // when the television is served from elsewhere
}

func (p *plan) bare(now instant) bool      { return covered(p.cleartext, now) }
func (p *plan) otherFarm(now instant) bool { return covered(p.spares, now) }

func covered(windows []window, now instant) bool {
	for _, w := range windows {
		if now.within(w.from, w.until) {
			return true
		}
	}
	return false
}

// booking is what a scenario plans with.
type booking struct {
	plan  *plan
	rnd   *stream
	cfg   Config
	from  instant
	until instant
	taken map[string][]window // by device; "" is the whole home
}

// apart is the least time between two events on one device, so that each can
// be told from the other.
const apart = 3 * time.Hour

// slot finds a time for an event of a device that lasts d and begins between
// two hours of the day, but no more than half of the time that there is. "" for
// a device stands for all.
func (b *booking) slot(device string, d time.Duration, first, last int) (window, error) {
	room := b.until.sub(b.from)
	days := max(1, int(room/(24*time.Hour)))
	d = min(d, room/2)
	for range 400 {
		midnight := b.from.add(time.Duration(b.rnd.n(days)) * 24 * time.Hour)
		from := midnight.add(b.rnd.span(time.Duration(first)*time.Hour, time.Duration(last)*time.Hour))
		w := window{from, from.add(d)}
		if from < b.from || w.until.add(10*time.Minute) > b.until || b.clash(device, w) {
			continue
		}
		b.taken[device] = append(b.taken[device], w)
		return w, nil
	}
	return window{}, fmt.Errorf("%w: %d days after learning leave no room for all scenarios, 4 would", ErrConfig, days)
}

func (b *booking) clash(device string, w window) bool {
	for name, windows := range b.taken {
		if name != device && name != "" && device != "" {
			continue
		}
		for _, o := range windows {
			if w.from < o.until.add(apart) && o.from < w.until.add(apart) {
				return true
			}
		}
	}
	return false
}

// planTries is how often a plan is begun anew when its events do not fit. A
// month needs one try nearly always, a week may need several.
const planTries = 40

// newPlan chooses times, devices and peers of all scenarios that cfg wants.
func newPlan(cfg Config) (*plan, error) {
	var p *plan
	var err error
	for try := range planTries {
		if p, err = tryPlan(cfg, try); err == nil {
			return p, nil
		}
	}
	return nil, err
}

func tryPlan(cfg Config, try int) (*plan, error) {
	learn := cfg.LearnDays
	if learn == 0 {
		learn = cfg.Days * 2 / 3
	}
	p := &plan{}
	b := booking{
		plan: p, cfg: cfg,
		from:  at(cfg.Start.Truncate(24 * time.Hour)).add(time.Duration(learn) * 24 * time.Hour),
		until: at(cfg.Start.AddDate(0, 0, cfg.Days)), taken: make(map[string][]window),
	}
	// What concerns the whole home needs the most room and chooses first.
	for _, whole := range []bool{true, false} {
		for _, s := range scenarios {
			if s.name == outageName != whole || !cfg.wants(s) {
				continue
			}
			b.rnd = newStream(cfg.Seed, fmt.Sprintf("scenario/%s/%d", s.name, try))
			label, play, err := s.plan(&b)
			if err != nil {
				return nil, fmt.Errorf("plan %s: %w", s.name, err)
			}
			label.Scenario, label.Kind, label.Also, label.Expect = s.name, s.kind, s.also, s.attack()
			p.acts = append(p.acts, act{label, play})
		}
	}
	return p, nil
}

// apply puts the plan into a world.
func (p *plan) apply(w *world) {
	for _, a := range p.acts {
		a.play(w)
	}
}

// outageName is the one scenario that concerns all devices.
const outageName = "wan-outage"

// scenarios are all there are. One line each: its name, and where it is told.
var scenarios = []scenario{
	{"c2-literal", "new_destination", []string{"beacon", "new_service"}, planBeaconLiteral},
	{"c2-name", "new_destination", []string{"beacon", "firmware_drift", "dga"}, planBeaconName},
	{"service-wan", "new_service", []string{"new_destination", "default_credentials", "auth_failures", "beacon"}, planServiceWAN},
	{"service-lan", "new_service", []string{"lateral_movement", "auth_failures"}, planServiceLAN},
	{"dga-burst", "dns_spike", []string{"dga", "dns_tunnel"}, planDGA},
	{"tunnel-iot", "dns_tunnel", []string{"dns_spike", "new_destination"}, planTunnelIoT},
	{"tunnel-laptop", "dns_tunnel", []string{"dns_spike", "new_destination"}, planTunnelLaptop},
	{"tls-downgrade", "protocol_downgrade", nil, planDowngrade},
	{"http-downgrade", "protocol_downgrade", []string{"new_service"}, planCleartext},
	{"cert-selfsigned", "certificate_failure", nil, planSelfSigned},
	{"cert-expired", "certificate_failure", nil, planExpired},

	{outageName, "", nil, planOutage},
	{"firmware-update", "", nil, planFirmware},
	{"cdn-rotation", "", nil, planRotation},
	{"cert-renewal", "", nil, planRenewal},
	{"new-phone", "", nil, planNewPhone},
	{"visitor-laptop", "", nil, planVisitor},
	{"busy-browsing", "", nil, planBrowsing},
	{"tv-new-cdn", "", nil, planTVFarm},
	{"ntp-rotation", "", nil, planPool},
	{"captive-portal", "", nil, planCaptive},
	{"older-tls-host", "", nil, planOlderHost},
	{"ad-burst", "", nil, planAds},
	{"driver-site", "", nil, planDriver},
	{"photo-backup", "", nil, planBackup},
}
