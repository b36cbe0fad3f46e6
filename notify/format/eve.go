package format

import (
	"encoding/json"
	"hash/fnv"
	"strings"

	"gatehouse/alert"
	"gatehouse/detect"
)

// eveLine is an event of type alert as Suricata writes it, with our own alert
// beside it under "gatehouse".
type eveLine struct {
	Timestamp   string   `json:"timestamp"`
	EventType   string   `json:"event_type"`
	Host        string   `json:"host,omitempty"`
	SrcIP       string   `json:"src_ip,omitempty"`
	DestIP      string   `json:"dest_ip,omitempty"`
	DestPort    uint16   `json:"dest_port,omitempty"`
	Proto       string   `json:"proto,omitempty"`
	CommunityID string   `json:"community_id,omitempty"`
	Alert       eveAlert `json:"alert"`
	Gatehouse   native   `json:"gatehouse"`
}

type eveAlert struct {
	Action      string      `json:"action"`
	GID         int         `json:"gid"`
	SignatureID uint32      `json:"signature_id"`
	Rev         int         `json:"rev"`
	Signature   string      `json:"signature"`
	Category    string      `json:"category"`
	Severity    int         `json:"severity"` // 1 is the highest
	Metadata    eveMetadata `json:"metadata,omitzero"`
}

// eveMetadata has the keys under which rules of Emerging Threats carry the
// same, always lists of strings.
type eveMetadata struct {
	Technique []string `json:"mitre_technique_id,omitempty"`
	Severity  []string `json:"signature_severity,omitempty"`
	Incident  []string `json:"incident,omitempty"`
}

// eveGID is the generator of our signatures: above those that Snort and
// Suricata have given away.
const eveGID = 1000

// EVE renders an event of type alert. The action is always "allowed": we watch.
func EVE(n *alert.Notice, m Meta) ([]byte, error) {
	if n.ID() == "" {
		return nil, errEmpty
	}
	l := eveLine{
		Timestamp: n.Time().UTC().Format("2006-01-02T15:04:05.000000-0700"), EventType: "alert", Host: m.Site,
		Alert: eveAlert{
			Action: "allowed", GID: eveGID, SignatureID: signatureID(kind(n)), Rev: 1,
			Signature: "Gatehouse " + label(n) + ": " + Summary(n), Category: label(n),
			Severity: eveSeverity(n.Severity()),
			Metadata: eveMetadata{Severity: []string{capital(n.Severity().String())}},
		},
		Gatehouse: native{m.Site, n},
	}
	if a := n.Alert; a != nil {
		l.SrcIP = DeviceIP(a)
		l.DestIP, l.DestPort, l.Proto = a.Peer.IP, a.Peer.Port, strings.ToUpper(a.Peer.Proto)
		if len(a.Evidence) > 0 {
			l.CommunityID = a.Evidence[0].CommunityID
		}
		l.Alert.Metadata.Technique = a.Attack
		if a.Incident != "" {
			l.Alert.Metadata.Incident = []string{a.Incident}
		}
	}
	return json.Marshal(&l)
}

// signatureID is the same number for the same kind, everywhere and for ever:
// readers count and suppress by it.
func signatureID(kind string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(kind)) // a hash does not fail
	return h.Sum32()%1_000_000 + 1_000_000
}

func eveSeverity(s detect.Severity) int {
	switch s {
	case detect.Critical, detect.High:
		return 1
	case detect.Medium:
		return 2
	default:
		return 3
	}
}
