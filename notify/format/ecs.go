package format

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"gatehouse/alert"
)

// ecsVersion is the version of the schema that the fields are taken from.
const ecsVersion = "9.4.0"

// ecsDocument has the fields of the Elastic Common Schema that an alert fills,
// and our own alert under "gatehouse", a name of its own as the schema's
// guidelines ask of additions.
type ecsDocument struct {
	Timestamp time.Time `json:"@timestamp"`
	ECS       struct {
		Version string `json:"version"`
	} `json:"ecs"`
	Message     string       `json:"message"`
	Tags        []string     `json:"tags"`
	Event       ecsEvent     `json:"event"`
	Observer    ecsObserver  `json:"observer"`
	Rule        ecsRule      `json:"rule"`
	Host        *ecsHost     `json:"host,omitempty"`
	Source      *ecsEndpoint `json:"source,omitempty"`
	Destination *ecsEndpoint `json:"destination,omitempty"`
	Network     *ecsNetwork  `json:"network,omitempty"`
	Threat      *ecsThreat   `json:"threat,omitempty"`
	Related     *ecsRelated  `json:"related,omitempty"`
	Gatehouse   native       `json:"gatehouse"`
}

type ecsEvent struct {
	Kind     string    `json:"kind"`
	Category []string  `json:"category"`
	Type     []string  `json:"type"`
	Action   string    `json:"action"`
	ID       string    `json:"id"`
	Module   string    `json:"module"`
	Dataset  string    `json:"dataset"`
	Severity int       `json:"severity"` // 1 (low) to 4 (critical)
	Reason   string    `json:"reason,omitempty"`
	Created  time.Time `json:"created"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
}

type ecsObserver struct {
	Vendor  string `json:"vendor"`
	Product string `json:"product"`
	Type    string `json:"type"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
}

type ecsRule struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Category string `json:"category,omitempty"`
	Ruleset  string `json:"ruleset"`
}

type ecsHost struct {
	ID   string   `json:"id"`
	Name string   `json:"name"`
	IP   []string `json:"ip,omitempty"`
	MAC  []string `json:"mac,omitempty"`
	Type string   `json:"type,omitempty"`
}

type ecsEndpoint struct {
	Address string  `json:"address,omitempty"`
	IP      string  `json:"ip,omitempty"`
	MAC     string  `json:"mac,omitempty"`
	Domain  string  `json:"domain,omitempty"`
	Port    uint16  `json:"port,omitempty"`
	Geo     *ecsGeo `json:"geo,omitempty"`
	AS      *ecsAS  `json:"as,omitempty"`
}

type ecsGeo struct {
	Country string `json:"country_iso_code"`
}

type ecsAS struct {
	Number uint32 `json:"number"`
}

type ecsNetwork struct {
	Transport   string `json:"transport,omitempty"`
	CommunityID string `json:"community_id,omitempty"`
}

type ecsThreat struct {
	Framework string        `json:"framework"`
	Technique *ecsTechnique `json:"technique"`
}

type ecsTechnique struct {
	ID           []string         `json:"id"`
	Subtechnique *ecsSubtechnique `json:"subtechnique,omitempty"`
}

type ecsSubtechnique struct {
	ID []string `json:"id"`
}

type ecsRelated struct {
	IP    []string `json:"ip,omitempty"`
	Hosts []string `json:"hosts,omitempty"`
}

// ECS renders a document of the Elastic Common Schema: event.kind is alert,
// host is the device, source the device and destination its peer.
// event.id is the same for all revisions; event.dataset says which of alert,
// incident and digest it is.
func ECS(n *alert.Notice, m Meta) ([]byte, error) {
	if n.ID() == "" {
		return nil, errEmpty
	}
	d := ecsDocument{
		Timestamp: n.Time(), Message: Summary(n), Tags: []string{"gatehouse", shape(n)},
		Event: ecsEvent{
			Kind: "alert", Category: []string{"network", "intrusion_detection"}, Type: []string{"info"},
			Action: kind(n), ID: n.ID(), Module: "gatehouse", Dataset: "gatehouse." + shape(n),
			Severity: int(n.Severity()), Created: n.Time(), Start: n.Time(), End: n.Time(),
		},
		Observer:  ecsObserver{Vendor: vendor, Product: product, Type: "ids", Name: m.Site, Version: m.Version},
		Rule:      ecsRule{ID: kind(n), Name: label(n), Ruleset: "gatehouse"},
		Gatehouse: native{m.Site, n},
	}
	d.ECS.Version = ecsVersion
	switch {
	case n.Alert != nil:
		d.describe(n.Alert)
	case n.Incident != nil:
		d.Event.Start = n.Incident.FirstSeen
	case n.Digest != nil:
		d.Event.Start = n.Digest.From
		d.Related = &ecsRelated{Hosts: n.Digest.Devices}
	}
	return json.Marshal(&d)
}

func (d *ecsDocument) describe(a *alert.Alert) {
	d.Event.Created, d.Event.Start, d.Event.End = a.Time, a.FirstSeen, a.LastSeen
	d.Event.Reason = strings.Join(reasons(a), "; ")
	d.Rule.Category = string(a.Class)
	d.Host = &ecsHost{ID: a.Device.ID, Name: deviceName(&a.Device), IP: a.Device.IPs, Type: a.Device.Type}
	d.Source = &ecsEndpoint{}
	d.Related = &ecsRelated{Hosts: []string{deviceName(&a.Device)}, IP: append([]string(nil), a.Device.IPs...)}
	if mac := a.Device.MAC; mac != "" {
		// As RFC 7042 writes it, which the schema's pattern holds.
		mac = strings.ToUpper(strings.ReplaceAll(mac, ":", "-"))
		d.Host.MAC, d.Source.MAC = []string{mac}, mac
	}
	d.Source.IP = DeviceIP(a)
	d.Source.Address = cmp.Or(d.Source.IP, deviceName(&a.Device))
	d.peer(a)
	if len(a.Attack) > 0 {
		d.Threat = &ecsThreat{Framework: "MITRE ATT&CK", Technique: ecsTechniques(a.Attack)}
	}
}

func (d *ecsDocument) peer(a *alert.Alert) {
	p := &a.Peer
	network := ecsNetwork{Transport: p.Proto}
	if len(a.Evidence) > 0 {
		network.CommunityID = a.Evidence[0].CommunityID
	}
	if network != (ecsNetwork{}) {
		d.Network = &network
	}
	if p.IP == "" && p.Name == "" {
		return
	}
	e := &ecsEndpoint{Address: p.Name, IP: p.IP, Domain: p.Name, Port: p.Port}
	if p.Name == "" {
		e.Address = p.IP
	} else {
		d.Related.Hosts = append(d.Related.Hosts, p.Name)
	}
	if p.IP != "" {
		d.Related.IP = append(d.Related.IP, p.IP)
	}
	if p.Country != "" {
		e.Geo = &ecsGeo{p.Country}
	}
	if p.ASN != 0 {
		e.AS = &ecsAS{p.ASN}
	}
	d.Destination = e
}

// ecsTechniques keeps techniques and sub-techniques (with a dot) apart.
func ecsTechniques(ids []string) *ecsTechnique {
	t := &ecsTechnique{}
	for _, id := range ids {
		parent, _, sub := strings.Cut(id, ".")
		if !slices.Contains(t.ID, parent) {
			t.ID = append(t.ID, parent)
		}
		if sub {
			if t.Subtechnique == nil {
				t.Subtechnique = &ecsSubtechnique{}
			}
			t.Subtechnique.ID = append(t.Subtechnique.ID, id)
		}
	}
	return t
}
