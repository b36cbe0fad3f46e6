package format

import (
	"bytes"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
)

// CEF renders the ArcSight Common Event Format, version 0 (revision 25 of its
// guide): the device is the source and its peer the destination. Texts are cut
// to the lengths that the guide gives its keys.
func CEF(n *alert.Notice, m Meta) ([]byte, error) {
	if n.ID() == "" {
		return nil, errEmpty
	}
	var b bytes.Buffer
	b.WriteString("CEF:0")
	for _, s := range []string{vendor, product, orUnknown(m.Version), kind(n), label(n), strconv.Itoa(severityOfTen(n.Severity()))} {
		b.WriteByte('|')
		b.WriteString(cefHeader.Replace(oneLine(s)))
	}
	b.WriteByte('|')
	p := pairs{buf: &b, sep: ' ', escape: cefValue.Replace}
	p.add("rt", millis(n.Time()), 0)
	p.add("externalId", n.ID(), 40)
	p.number("cn1", n.Revision(), "revision")
	p.add("dvchost", m.Site, 100)
	p.add("msg", Summary(n), 1023)
	switch {
	case n.Alert != nil:
		cefAlert(&p, n.Alert)
	case n.Incident != nil:
		p.add("start", millis(n.Incident.FirstSeen), 0)
		p.add("end", millis(n.Incident.LastSeen), 0)
		p.add("cnt", strconv.Itoa(len(n.Incident.Alerts)), 0)
		p.add("act", string(n.Incident.State), 63)
		p.labelled("cs3", "incident", n.Incident.ID, 4000)
		p.labelled("cs1", "devices", strings.Join(n.Incident.Devices, " "), 4000)
		p.labelled("cs2", "alerts", strings.Join(n.Incident.Alerts, " "), 4000)
	case n.Digest != nil:
		p.add("start", millis(n.Digest.From), 0)
		p.add("end", millis(n.Digest.To), 0)
		p.add("cnt", strconv.Itoa(n.Digest.Alerts+n.Digest.Incidents), 0)
		p.labelled("cs1", "devices", strings.Join(n.Digest.Devices, ", "), 4000)
		p.labelled("cs2", "examples", strings.Join(n.Digest.Examples, " "), 4000)
	}
	return b.Bytes(), nil
}

func cefAlert(p *pairs, a *alert.Alert) {
	p.add("start", millis(a.FirstSeen), 0)
	p.add("end", millis(a.LastSeen), 0)
	p.add("cnt", strconv.Itoa(a.Count), 0)
	p.add("cat", string(a.Class), 1023)
	p.add("act", string(a.State), 63)
	p.add("shost", a.Device.Name, 1023)
	p.add("suid", a.Device.ID, 1023)
	p.add("smac", a.Device.MAC, 17)
	p.address("src", "c6a2", "source IPv6", DeviceIP(a))
	p.add("dhost", a.Peer.Name, 1023)
	p.address("dst", "c6a3", "destination IPv6", a.Peer.IP)
	if a.Peer.Port != 0 {
		p.add("dpt", strconv.Itoa(int(a.Peer.Port)), 0)
	}
	p.add("proto", strings.ToUpper(a.Peer.Proto), 31)
	p.labelled("cs1", "why", strings.Join(reasons(a), "; "), 4000)
	p.labelled("cs2", "attack", strings.Join(a.Attack, " "), 4000)
	p.labelled("cs3", "incident", a.Incident, 4000)
	p.labelled("cs4", "playbook", a.Playbook, 4000)
	p.labelled("cs5", "communityId", communityIDs(a), 4000)
	p.labelled("cs6", "deviceGroup", a.Device.Group, 4000)
	p.labelled("cfp1", "score", decimal(a.Score), 0)
	p.labelled("cfp2", "confidence", decimal(a.Confidence), 0)
	p.labelled("cfp3", "visibility", decimal(a.Visibility), 0)
	p.labelled("flexString1", "subject", a.Subject, 1023)
	p.labelled("flexString2", "deviceType", strings.TrimSpace(a.Device.Vendor+" "+a.Device.Type), 1023)
}

// LEEF renders IBM's Log Event Extended Format 2.0, attributes apart by tabs.
// Keys that QRadar knows are used as it defines them; the others are ours.
func LEEF(n *alert.Notice, m Meta) ([]byte, error) {
	if n.ID() == "" {
		return nil, errEmpty
	}
	var b bytes.Buffer
	b.WriteString("LEEF:2.0")
	for _, s := range []string{vendor, product, orUnknown(m.Version), kind(n)} {
		b.WriteByte('|')
		b.WriteString(strings.ReplaceAll(oneLine(s), "|", "/")) // LEEF has no escape for it
	}
	b.WriteString("|x09|")
	p := pairs{buf: &b, sep: '\t', escape: oneLine}
	p.add("devTime", millis(n.Time()), 0)
	p.add("sev", strconv.Itoa(severityOfTen(n.Severity())), 0)
	p.add("externalId", n.ID(), 0)
	p.add("revision", strconv.Itoa(n.Revision()), 0)
	p.add("site", m.Site, 0)
	p.add("msg", Summary(n), 4000)
	switch {
	case n.Alert != nil:
		leefAlert(&p, n.Alert)
	case n.Incident != nil:
		p.add("cat", "incident", 0)
		p.add("state", string(n.Incident.State), 0)
		p.add("devices", strings.Join(n.Incident.Devices, " "), 4000)
		p.add("alerts", strings.Join(n.Incident.Alerts, " "), 4000)
	case n.Digest != nil:
		p.add("cat", "digest", 0)
		p.add("alerts", strconv.Itoa(n.Digest.Alerts), 0)
		p.add("incidents", strconv.Itoa(n.Digest.Incidents), 0)
		p.add("devices", strings.Join(n.Digest.Devices, ", "), 4000)
	}
	return b.Bytes(), nil
}

func leefAlert(p *pairs, a *alert.Alert) {
	p.add("cat", string(a.Class), 0)
	p.add("state", string(a.State), 0)
	p.add("count", strconv.Itoa(a.Count), 0)
	p.add("identHostName", a.Device.Name, 4000)
	if mac, err := net.ParseMAC(a.Device.MAC); err == nil {
		p.add("srcMAC", mac.String(), 0)
	}
	p.ip("src", DeviceIP(a))
	p.ip("dst", a.Peer.IP)
	p.add("dstHostName", a.Peer.Name, 4000)
	if a.Peer.Port != 0 {
		p.add("dstPort", strconv.Itoa(int(a.Peer.Port)), 0)
	}
	p.add("proto", a.Peer.Proto, 0)
	p.add("deviceId", a.Device.ID, 0)
	p.add("deviceGroup", a.Device.Group, 4000)
	p.add("subject", a.Subject, 4000)
	p.add("why", strings.Join(reasons(a), "; "), 4000)
	p.add("attack", strings.Join(a.Attack, " "), 4000)
	p.add("incident", a.Incident, 0)
	p.add("playbook", a.Playbook, 0)
	p.add("communityId", communityIDs(a), 4000)
	p.add("score", decimal(a.Score), 0)
	p.add("confidence", decimal(a.Confidence), 0)
}

// pairs writes key=value, apart by sep.
type pairs struct {
	buf    *bytes.Buffer
	sep    byte
	escape func(string) string
	some   bool
}

// add leaves out what is empty and cuts what is longer than limit bytes, 0 for
// no limit.
func (p *pairs) add(key, value string, limit int) {
	if value == "" {
		return
	}
	if limit > 0 {
		value = Cut(value, limit)
	}
	if p.some {
		p.buf.WriteByte(p.sep)
	}
	p.some = true
	p.buf.WriteString(key)
	p.buf.WriteByte('=')
	p.buf.WriteString(p.escape(value))
}

// labelled writes one of CEF's custom keys with the key that names it.
func (p *pairs) labelled(key, name, value string, limit int) {
	if value != "" {
		p.add(key+"Label", name, 0)
		p.add(key, value, limit)
	}
}

func (p *pairs) number(key string, value int, name string) {
	p.labelled(key, name, strconv.Itoa(value), 0)
}

// address writes an IPv4 address under one key and any other under another,
// as CEF wants it.
func (p *pairs) address(v4, v6, v6Name, text string) {
	switch a, err := netip.ParseAddr(text); {
	case err != nil:
	case a.Unmap().Is4():
		p.add(v4, a.Unmap().String(), 0)
	default:
		p.labelled(v6, v6Name, a.WithZone("").String(), 0)
	}
}

// ip writes an address of either kind under the same key, as LEEF wants it.
func (p *pairs) ip(key, text string) {
	if a, err := netip.ParseAddr(text); err == nil {
		p.add(key, a.Unmap().WithZone("").String(), 0)
	}
}

// In a header a pipe ends a field, in an extension an equals sign begins a
// value; the backslash takes that from both. Line breaks become \n in a value.
var (
	cefHeader = strings.NewReplacer(`\`, `\\`, `|`, `\|`)
	cefValue  = strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`, "\t", " ", "\x00", " ")
)

// severityOfTen puts a severity on the scale from 0 to 10 of CEF and LEEF, by
// the middle of the ranges that CEF gives these names (0-3, 4-6, 7-8, 9-10).
func severityOfTen(s detect.Severity) int {
	switch s {
	case detect.Low:
		return 2
	case detect.Medium:
		return 5
	case detect.High:
		return 8
	default:
		return 10
	}
}

// millis is a time in milliseconds since the Unix epoch.
func millis(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

func communityIDs(a *alert.Alert) string {
	ids := make([]string, len(a.Evidence))
	for i, e := range a.Evidence {
		ids[i] = e.CommunityID
	}
	return strings.Join(ids, " ")
}

func orUnknown(version string) string {
	if version == "" {
		return "unknown"
	}
	return version
}
