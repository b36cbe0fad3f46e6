package format

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"gatehouse/alert"
	"gatehouse/detect"
)

// ocsfVersion is the version of the Open Cybersecurity Schema Framework that
// events are written in.
const ocsfVersion = "1.2.0"

// Classes of the category Findings.
const (
	ocsfFindings  = 2
	ocsfDetection = 2004
	ocsfIncident  = 2005
)

// ocsfEvent has the attributes of both classes that we fill.
type ocsfEvent struct {
	ActivityID   int    `json:"activity_id"`
	ActivityName string `json:"activity_name"`
	CategoryUID  int    `json:"category_uid"`
	CategoryName string `json:"category_name"`
	ClassUID     int    `json:"class_uid"`
	ClassName    string `json:"class_name"`
	TypeUID      int    `json:"type_uid"`
	TypeName     string `json:"type_name"`
	Time         int64  `json:"time"` // milliseconds, as all times here
	StartTime    int64  `json:"start_time"`
	EndTime      int64  `json:"end_time"`
	Count        int    `json:"count,omitempty"`
	SeverityID   int    `json:"severity_id"`
	Severity     string `json:"severity"`
	StatusID     int    `json:"status_id"`
	Status       string `json:"status"`
	Message      string `json:"message"`

	ConfidenceScore *int           `json:"confidence_score,omitempty"` // percent
	Metadata        ocsfMetadata   `json:"metadata"`
	FindingInfo     *ocsfFinding   `json:"finding_info,omitempty"`
	FindingList     []ocsfFinding  `json:"finding_info_list,omitempty"`
	Device          *ocsfDevice    `json:"device,omitempty"`
	Evidences       []ocsfEvidence `json:"evidences,omitempty"`
	Observables     []ocsfObs      `json:"observables,omitempty"`
	Unmapped        native         `json:"unmapped"`
}

type ocsfMetadata struct {
	Version    string      `json:"version"`
	Product    ocsfProduct `json:"product"`
	UID        string      `json:"uid"`
	EventCode  string      `json:"event_code"`
	LoggedTime int64       `json:"logged_time"`
	LogName    string      `json:"log_name,omitempty"`
	Profiles   []string    `json:"profiles,omitempty"`
}

type ocsfProduct struct {
	Name    string `json:"name"`
	Vendor  string `json:"vendor_name"`
	Version string `json:"version,omitempty"`
}

type ocsfFinding struct {
	UID       string        `json:"uid"`
	Title     string        `json:"title"`
	Desc      string        `json:"desc,omitempty"`
	Types     []string      `json:"types,omitempty"`
	Created   int64         `json:"created_time,omitempty"`
	Modified  int64         `json:"modified_time,omitempty"`
	FirstSeen int64         `json:"first_seen_time,omitempty"`
	LastSeen  int64         `json:"last_seen_time,omitempty"`
	Analytic  *ocsfAnalytic `json:"analytic,omitempty"`
	Attacks   []ocsfAttack  `json:"attacks,omitempty"`
	Related   []ocsfRelated `json:"related_events,omitempty"`
}

type ocsfAnalytic struct {
	Name     string `json:"name"`
	UID      string `json:"uid"`
	TypeID   int    `json:"type_id"`
	Type     string `json:"type"`
	Category string `json:"category,omitempty"`
}

type ocsfAttack struct {
	Version      string     `json:"version"`
	Technique    ocsfNamed  `json:"technique"`
	SubTechnique *ocsfNamed `json:"sub_technique,omitempty"`
}

type ocsfNamed struct {
	UID string `json:"uid"`
}

type ocsfRelated struct {
	UID     string `json:"uid"`
	TypeUID int    `json:"type_uid"`
}

type ocsfDevice struct {
	UID    string      `json:"uid"`
	Name   string      `json:"name,omitempty"`
	TypeID int         `json:"type_id"`
	Type   string      `json:"type,omitempty"`
	IP     string      `json:"ip,omitempty"`
	MAC    string      `json:"mac,omitempty"`
	Groups []ocsfGroup `json:"groups,omitempty"`
	Desc   string      `json:"desc,omitempty"`
}

type ocsfGroup struct {
	Name string `json:"name"`
}

type ocsfEvidence struct {
	Data       json.RawMessage `json:"data"`
	Src        *ocsfEndpoint   `json:"src_endpoint,omitempty"`
	Dst        *ocsfEndpoint   `json:"dst_endpoint,omitempty"`
	Connection *ocsfConnection `json:"connection_info,omitempty"`
}

type ocsfEndpoint struct {
	IP       string        `json:"ip,omitempty"`
	Hostname string        `json:"hostname,omitempty"`
	Name     string        `json:"name,omitempty"`
	UID      string        `json:"uid,omitempty"`
	MAC      string        `json:"mac,omitempty"`
	Port     uint16        `json:"port,omitempty"`
	Location *ocsfLocation `json:"location,omitempty"`
	AS       *ocsfAS       `json:"autonomous_system,omitempty"`
}

type ocsfLocation struct {
	Country string `json:"country"`
}

type ocsfAS struct {
	Number uint32 `json:"number"`
}

type ocsfConnection struct {
	DirectionID int    `json:"direction_id"`
	Protocol    string `json:"protocol_name,omitempty"`
	UID         string `json:"uid,omitempty"`
}

type ocsfObs struct {
	Name   string `json:"name"`
	TypeID int    `json:"type_id"`
	Value  string `json:"value"`
}

// OCSF renders an alert or a digest as a Detection Finding (2004) and an
// incident as an Incident Finding (2005), with the profile host for the device.
// finding_info.uid stays the same from one revision to the next; metadata.uid
// differs. What the schema has no place for is in unmapped.
func OCSF(n *alert.Notice, m Meta) ([]byte, error) {
	if n.ID() == "" {
		return nil, errEmpty
	}
	e := ocsfEvent{
		CategoryUID: ocsfFindings, CategoryName: "Findings",
		ClassUID: ocsfDetection, ClassName: "Detection Finding",
		Time: n.Time().UnixMilli(), StartTime: n.Time().UnixMilli(), EndTime: n.Time().UnixMilli(),
		SeverityID: ocsfSeverity(n.Severity()), Severity: capital(n.Severity().String()),
		Message: Summary(n),
		Metadata: ocsfMetadata{
			Version: ocsfVersion, Product: ocsfProduct{product, vendor, m.Version}, UID: n.Key(),
			EventCode: kind(n), LoggedTime: n.Time().UnixMilli(), LogName: m.Site,
		},
		Unmapped: native{m.Site, n},
	}
	e.stage(alert.Open, n.Revision() > 1)
	switch {
	case n.Alert != nil:
		e.detection(n.Alert)
	case n.Incident != nil:
		e.incident(n.Incident)
	case n.Digest != nil:
		e.StartTime, e.Count = n.Digest.From.UnixMilli(), n.Digest.Alerts+n.Digest.Incidents
		e.FindingInfo = &ocsfFinding{UID: n.ID(), Title: Title(n), Desc: n.Digest.Summary, Types: []string{"digest"}}
	}
	e.TypeUID = e.ClassUID*100 + e.ActivityID
	e.TypeName = e.ClassName + ": " + e.ActivityName
	return json.Marshal(&e)
}

// stage sets activity and status. They differ between the classes in what
// suppressed and resolved are numbered, of which we use what both share.
func (e *ocsfEvent) stage(s alert.State, again bool) {
	e.ActivityID, e.ActivityName, e.StatusID, e.Status = 1, "Create", 1, "New"
	if again {
		e.ActivityID, e.ActivityName = 2, "Update"
	}
	switch s {
	case alert.Acknowledged:
		e.StatusID, e.Status = 2, "In Progress"
	case alert.Closed:
		e.ActivityID, e.ActivityName, e.StatusID, e.Status = 3, "Close", 4, "Resolved"
	}
}

func (e *ocsfEvent) detection(a *alert.Alert) {
	e.stage(a.State, a.Revision > 1)
	e.StartTime, e.EndTime, e.Count = a.FirstSeen.UnixMilli(), a.LastSeen.UnixMilli(), a.Count
	if percent := math.Round(100 * a.Confidence); percent >= 0 && percent <= 100 {
		score := int(percent)
		e.ConfidenceScore = &score
	}
	f := &ocsfFinding{
		UID: a.ID, Title: KindTitle(a.Kind), Desc: a.Summary, Types: []string{string(a.Kind)},
		Created: a.Time.UnixMilli(), FirstSeen: a.FirstSeen.UnixMilli(), LastSeen: a.LastSeen.UnixMilli(),
		Analytic: &ocsfAnalytic{KindTitle(a.Kind), string(a.Kind), 3, "Statistical", string(a.Class)},
		Attacks:  ocsfAttacks(a.Attack),
	}
	if a.Revision > 1 {
		f.Modified = a.LastSeen.UnixMilli()
	}
	if a.Incident != "" {
		f.Related = []ocsfRelated{{a.Incident, ocsfIncident*100 + 1}}
	}
	e.FindingInfo = f
	e.Metadata.Profiles = []string{"host"}
	e.Device = ocsfDeviceOf(&a.Device)
	e.Device.IP = DeviceIP(a)
	e.evidence(a)
}

func (e *ocsfEvent) incident(i *alert.Incident) {
	e.ClassUID, e.ClassName = ocsfIncident, "Incident Finding"
	e.stage(i.State, i.Revision > 1)
	e.StartTime, e.Count = i.FirstSeen.UnixMilli(), len(i.Alerts)
	for _, id := range i.Alerts {
		f := ocsfFinding{UID: id, Title: "Alert " + id}
		if id == i.Lead {
			f.Title, f.Desc = "Lead alert "+id, i.Summary
		}
		e.FindingList = append(e.FindingList, f)
	}
	if len(e.FindingList) == 0 {
		// One that became part of another has no alerts, and the list must not
		// be empty: it names where they went.
		e.FindingList = []ocsfFinding{{UID: orSelf(i.MergedInto, i.ID), Title: "Merged incident"}}
	}
}

func orSelf(id, self string) string {
	if id == "" {
		return self
	}
	return id
}

// evidence adds one entry per reason, all with both ends, and what analysts
// search for as observables.
func (e *ocsfEvent) evidence(a *alert.Alert) {
	src := &ocsfEndpoint{Name: a.Device.Name, UID: a.Device.ID, MAC: a.Device.MAC, IP: DeviceIP(a)}
	e.observe("device.name", 1, a.Device.Name) // Hostname
	e.observe("device.ip", 2, src.IP)          // IP Address
	e.observe("device.mac", 3, a.Device.MAC)   // MAC Address
	p := &a.Peer
	var dst *ocsfEndpoint
	if p.IP != "" || p.Name != "" {
		dst = &ocsfEndpoint{IP: p.IP, Hostname: p.Name, Port: p.Port}
		if p.Country != "" {
			dst.Location = &ocsfLocation{p.Country}
		}
		if p.ASN != 0 {
			dst.AS = &ocsfAS{p.ASN}
		}
		e.observe("evidences.dst_endpoint.ip", 2, p.IP)
		e.observe("evidences.dst_endpoint.hostname", 1, p.Name)
	}
	var connection *ocsfConnection
	if len(a.Evidence) > 0 || p.Proto != "" {
		connection = &ocsfConnection{Protocol: p.Proto} // direction 0: unknown
		if len(a.Evidence) > 0 {
			connection.UID = a.Evidence[0].CommunityID
		}
	}
	for _, w := range a.Why {
		data, err := json.Marshal(w)
		if err != nil {
			data = fmt.Appendf(nil, "%q", w.Feature) // a number that is none
		}
		e.Evidences = append(e.Evidences, ocsfEvidence{data, src, dst, connection})
	}
}

func (e *ocsfEvent) observe(name string, typeID int, value string) {
	if value != "" {
		e.Observables = append(e.Observables, ocsfObs{name, typeID, value})
	}
}

func ocsfDeviceOf(d *alert.Device) *ocsfDevice {
	out := &ocsfDevice{UID: d.ID, Name: d.Name, Type: d.Type, TypeID: ocsfDeviceType(d.Type), MAC: d.MAC, Desc: d.Vendor}
	if d.Group != "" {
		out.Groups = []ocsfGroup{{d.Group}}
	}
	return out
}

// ocsfDeviceType is the number of a device.Type in the schema, which knows
// computers better than things.
func ocsfDeviceType(t string) int {
	switch t {
	case "", "unknown":
		return 0
	case "storage":
		return 1 // server
	case "computer":
		return 2
	case "laptop":
		return 3
	case "tablet":
		return 4
	case "phone":
		return 5
	case "router":
		return 99 // other: the schema has firewall, switch and hub
	default:
		return 7 // IoT
	}
}

func ocsfSeverity(s detect.Severity) int {
	switch s {
	case detect.Low, detect.Medium, detect.High, detect.Critical:
		return int(s) + 1 // 1 is informational
	default:
		return 0 // unknown
	}
}

// ocsfAttacks writes technique ids. The version is that of ATT&CK in which all
// of them exist.
func ocsfAttacks(ids []string) []ocsfAttack {
	var out []ocsfAttack
	for _, id := range ids {
		parent, _, sub := strings.Cut(id, ".")
		a := ocsfAttack{Version: "14.1", Technique: ocsfNamed{parent}}
		if sub {
			a.SubTechnique = &ocsfNamed{id}
		}
		out = append(out, a)
	}
	return out
}
