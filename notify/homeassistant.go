package notify

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/device"
	"gatehouse/notify/format"
)

// Home Assistant learns of entities from retained messages below its discovery
// topic: PREFIX/COMPONENT/NODE/OBJECT/config.

// presence is what is known of one device.
type presence struct {
	heard time.Time // last minute in which it did something
	home  bool
	known bool // told over this connection
}

// heard notes that a device did something. Minutes that are long over (a
// replay, an outage) say nothing about who is there now.
func (s *mqtt) heard(ctx context.Context, m *device.Minute) error {
	if s.now().Sub(m.Time) > s.config.AwayAfter {
		return nil
	}
	p := s.presence(slug(m.Device))
	if p == nil {
		return nil
	}
	if m.Time.After(p.heard) {
		p.heard = m.Time
	}
	if p.known && p.home {
		return nil
	}
	if !p.known {
		if err := s.introduceDevice(ctx, m.Device, m.Name, ""); err != nil {
			return err
		}
	}
	if err := s.publish(ctx, "device/"+slug(m.Device)+"/presence", []byte("home"), true, ""); err != nil {
		return err
	}
	p.known, p.home = true, true
	return nil
}

// presence finds or makes what is known of a device, nil beyond what is kept.
func (s *mqtt) presence(device string) *presence {
	p := s.present[device]
	if p == nil && len(s.present) < maxPresences {
		p = &presence{}
		s.present[device] = p
	}
	return p
}

// recall takes note of a device that the broker remembers as present, from
// before we were started. It is called from the client's own goroutine.
func (s *mqtt) recall(got paho.PublishReceived) (bool, error) {
	device, isPresence := strings.CutSuffix(strings.TrimPrefix(got.Packet.Topic, s.topic("device/")), "/presence")
	if isPresence && string(got.Packet.Payload) == "home" {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.remembered) < maxPresences {
			s.remembered = append(s.remembered, device)
		}
	}
	return true, nil
}

// missed tells of devices that have been silent for long.
func (s *mqtt) missed(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	for _, device := range s.remembered {
		if p := s.presence(device); p != nil && p.heard.IsZero() {
			p.heard, p.home = now, true
		}
	}
	s.remembered = nil
	s.mu.Unlock()
	for device, p := range s.present {
		if p.home && now.Sub(p.heard) > s.config.AwayAfter {
			if err := s.publish(ctx, "device/"+device+"/presence", []byte("not_home"), true, ""); err != nil {
				return err
			}
			p.home = false
		}
	}
	return nil
}

// shownAlert is an alert as an entity shows it: the state and its attributes.
type shownAlert struct {
	EventType string    `json:"event_type"`
	Title     string    `json:"title"`
	Summary   string    `json:"summary"`
	ID        string    `json:"alert"`
	Kind      string    `json:"kind"`
	State     string    `json:"state"`
	Device    string    `json:"device"`
	Peer      string    `json:"peer,omitempty"`
	Time      time.Time `json:"time"`
	Count     int       `json:"count"`
	Score     float64   `json:"score"`
}

// showAlert publishes an alert for people: as an event, as the last alert of
// the sensor and as that of its device.
func (s *mqtt) showAlert(ctx context.Context, n *alert.Notice) error {
	a := n.Alert
	// The state of an entity may have 255 characters.
	text, err := json.Marshal(shownAlert{
		EventType: a.Severity.String(), Title: format.Cut(format.Title(n), 250), Summary: a.Summary, ID: a.ID, Kind: string(a.Kind),
		State: string(a.State), Device: a.Device.Name, Peer: a.Peer.Name, Time: a.LastSeen, Count: a.Count, Score: a.Score,
	})
	if err != nil {
		return Rejected(err)
	}
	if err := s.publish(ctx, "last", text, true, ""); err != nil {
		return err
	}
	if a.Device.ID != "" {
		if p := s.present[slug(a.Device.ID)]; s.config.Discovery != "" && (p == nil || !p.known) {
			if err := s.introduceDevice(ctx, a.Device.ID, a.Device.Name, a.Device.Vendor); err != nil {
				return err
			}
		}
		if err := s.publish(ctx, "device/"+slug(a.Device.ID)+"/alert", text, true, ""); err != nil {
			return err
		}
	}
	return s.publish(ctx, "event", text, false, n.Key())
}

// entity is the configuration of one entity.
type entity struct {
	Name       *string  `json:"name"` // null: that of its device
	UniqueID   string   `json:"unique_id"`
	State      string   `json:"state_topic"`
	Template   string   `json:"value_template,omitempty"`
	Attributes string   `json:"json_attributes_topic,omitempty"`
	Available  string   `json:"availability_topic"`
	Class      string   `json:"device_class,omitempty"`
	Category   string   `json:"entity_category,omitempty"`
	Unit       string   `json:"unit_of_measurement,omitempty"`
	Icon       string   `json:"icon,omitempty"`
	SourceType string   `json:"source_type,omitempty"`
	Home       string   `json:"payload_home,omitempty"`
	NotHome    string   `json:"payload_not_home,omitempty"`
	EventTypes []string `json:"event_types,omitempty"`
	Device     hassUnit `json:"device"`
}

// hassUnit is a device in the sense of Home Assistant, which joins those that
// have the same MAC.
type hassUnit struct {
	Identifiers  []string    `json:"identifiers"`
	Connections  [][2]string `json:"connections,omitempty"`
	Name         string      `json:"name"`
	Manufacturer string      `json:"manufacturer,omitempty"`
	Model        string      `json:"model,omitempty"`
	Version      string      `json:"sw_version,omitempty"`
	Via          string      `json:"via_device,omitempty"`
}

// node is the name of this sensor in ids.
func (s *mqtt) node() string { return slug(s.config.Topic) }

func (s *mqtt) introduceSensor(ctx context.Context) error {
	unit := hassUnit{Identifiers: []string{s.node()}, Name: strings.TrimSpace("Gatehouse " + s.meta.Site), Manufacturer: "Gatehouse", Model: "Gatehouse", Version: s.meta.Version}
	var severities []string
	for v := detect.Low; v <= detect.Critical; v++ {
		severities = append(severities, v.String())
	}
	for _, e := range []struct {
		component, object, name string
		entity                  entity
	}{
		{"event", "alert", "Alert", entity{State: s.topic("event"), EventTypes: severities, Icon: "mdi:shield-alert"}},
		{"sensor", "last", "Last alert", entity{State: s.topic("last"), Template: "{{ value_json.title }}", Attributes: s.topic("last"), Icon: "mdi:shield-search"}},
		{"binary_sensor", "problem", "Problem", entity{
			State: s.topic("sensor"), Template: "{{ 'ON' if value_json.problems else 'OFF' }}", Attributes: s.topic("sensor"),
			Class: "problem", Category: "diagnostic",
		}},
		{"sensor", "visibility", "Visibility", entity{
			State: s.topic("sensor"), Template: "{{ (value_json.visibility * 100) | round(1) }}", Unit: "%", Category: "diagnostic", Icon: "mdi:eye",
		}},
	} {
		e.entity.Name, e.entity.Device = &e.name, unit
		if err := s.introduce(ctx, e.component, s.node(), e.object, e.entity); err != nil {
			return err
		}
	}
	return nil
}

// introduceDevice announces the presence and the last alert of a device.
func (s *mqtt) introduceDevice(ctx context.Context, id, name, vendor string) error {
	if s.config.Discovery == "" {
		return nil
	}
	node := s.node() + "_" + slug(id)
	unit := hassUnit{Identifiers: []string{node}, Name: name, Manufacturer: vendor, Via: s.node()}
	if name == "" {
		unit.Name = id
	}
	if mac := macOf(id); mac != "" {
		unit.Connections = [][2]string{{"mac", mac}}
	}
	below, last := s.topic("device/"+slug(id)), "Last alert"
	err := s.introduce(ctx, "device_tracker", node, "presence", entity{
		State: below + "/presence", SourceType: "router", Home: "home", NotHome: "not_home", Device: unit,
	})
	if err != nil {
		return err
	}
	return s.introduce(ctx, "sensor", node, "alert", entity{
		Name: &last, State: below + "/alert", Template: "{{ value_json.title }}", Attributes: below + "/alert", Icon: "mdi:shield-search", Device: unit,
	})
}

func (s *mqtt) introduce(ctx context.Context, component, node, object string, e entity) error {
	e.UniqueID, e.Available = node+"_"+object, s.topic("status")
	text, err := json.Marshal(e)
	if err != nil {
		return Rejected(err)
	}
	return s.send(ctx, &paho.Publish{
		Topic: strings.Join([]string{s.config.Discovery, component, node, object, "config"}, "/"), Payload: text, QoS: 1, Retain: true,
	})
}

// slug keeps to what ids of Home Assistant and single levels of a topic may
// hold.
func slug(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, s)
}

// macOf reads the MAC out of the id of a device that is known by one:
// "mac:f4b85eff2b1b".
func macOf(id string) string {
	hex, ok := strings.CutPrefix(id, "mac:")
	if !ok || len(hex) != 12 || strings.Trim(hex, "0123456789abcdef") != "" {
		return ""
	}
	parts := make([]string, 6)
	for i := range parts {
		parts[i] = hex[2*i : 2*i+2]
	}
	return strings.Join(parts, ":")
}
