package format

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/alert"
	"gatehouse/detect"
)

// shape names which of the three a notice is.
func shape(n *alert.Notice) string {
	switch {
	case n.Alert != nil:
		return "alert"
	case n.Incident != nil:
		return "incident"
	}
	return "digest"
}

// kind is what filters go by: the kind of an alert, or the shape.
func kind(n *alert.Notice) string {
	if n.Alert != nil {
		return string(n.Alert.Kind)
	}
	return shape(n)
}

// KindTitle spells a kind for people: "DNS spike" of "dns_spike".
func KindTitle(k detect.Kind) string {
	words := strings.Split(string(k), "_")
	for i, w := range words {
		switch w {
		case "dns", "icmp", "dga", "tls", "mac":
			words[i] = strings.ToUpper(w)
		default:
			if i == 0 && w != "" {
				words[i] = strings.ToUpper(w[:1]) + w[1:]
			}
		}
	}
	return strings.Join(words, " ")
}

// label is the name of what happened, without who it happened to.
func label(n *alert.Notice) string {
	switch {
	case n.Alert != nil:
		return KindTitle(n.Alert.Kind)
	case n.Incident != nil:
		return "Incident"
	}
	return "Digest"
}

// Title is the headline of a notice: "High: New service on kitchen-cam".
func Title(n *alert.Notice) string {
	title := capital(n.Severity().String()) + ": "
	switch {
	case n.Alert != nil:
		title += KindTitle(n.Alert.Kind)
		if who := deviceName(&n.Alert.Device); who != "" {
			title += " on " + Cut(who, maxName)
		}
		if n.Alert.State == alert.Closed {
			title += " (closed)"
		} else if n.Alert.Count > 1 {
			title += fmt.Sprintf(" (%d times)", n.Alert.Count)
		}
	case n.Incident != nil:
		title += fmt.Sprintf("Incident of %s on %s",
			plural(len(n.Incident.Alerts), "alert"), plural(len(n.Incident.Devices), "device"))
		if n.Incident.MergedInto != "" {
			title += " (part of " + n.Incident.MergedInto + ")"
		} else if n.Incident.State == alert.Closed {
			title += " (closed)"
		}
	case n.Digest != nil:
		title += fmt.Sprintf("Digest of %s and %s", plural(n.Digest.Alerts, "alert"), plural(n.Digest.Incidents, "incident"))
	}
	return title
}

// Summary is the plain sentence of a notice.
func Summary(n *alert.Notice) string {
	switch {
	case n.Alert != nil:
		return n.Alert.Summary
	case n.Incident != nil:
		return n.Incident.Summary
	case n.Digest != nil:
		return n.Digest.Summary
	}
	return ""
}

// reasons lists why as people read it.
func reasons(a *alert.Alert) []string {
	out := make([]string, len(a.Why))
	for i, w := range a.Why {
		out[i] = fmt.Sprintf("%s: %s; expected %s (%s bits)", w.Feature, w.Observed, w.Expected, decimal(w.Surprise))
	}
	return out
}

// fact is one line of the small table under a message.
type fact struct{ name, value string }

// facts lists what a person wants to know besides the summary.
func facts(n *alert.Notice, m Meta) []fact {
	var out []fact
	add := func(name, value string) {
		if value != "" {
			out = append(out, fact{name, Cut(value, maxFact)})
		}
	}
	switch {
	case n.Alert != nil:
		a := n.Alert
		add("Device", deviceLine(&a.Device))
		add("Peer", peerLine(&a.Peer))
		add("Why", strings.Join(reasons(a), "; "))
		add("ATT&CK", strings.Join(a.Attack, ", "))
		add("Incident", a.Incident)
	case n.Incident != nil:
		add("Devices", list(n.Incident.Devices))
		add("Alerts", list(n.Incident.Alerts))
	case n.Digest != nil:
		add("Devices", list(n.Digest.Devices))
		add("Examples", strings.Join(n.Digest.Examples, " "))
	}
	add("Last seen", clock(n.Time()))
	add("Site", m.Site)
	add("Id", n.ID())
	return out
}

// What a message for people shows of long texts, in bytes, and lists.
const (
	maxName   = 100
	maxFact   = 500
	maxListed = 10
)

func list(names []string) string {
	more := len(names) - maxListed
	if more <= 0 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), more)
}

// DeviceIP is the address of the alert's device in formats that have room for
// one: of the family of its peer, and not a link-local one, if it has such.
func DeviceIP(a *alert.Alert) string {
	peer, _ := netip.ParseAddr(a.Peer.IP)
	best, rank := "", -1
	for _, text := range a.Device.IPs {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		r := 0
		if !ip.IsLinkLocalUnicast() {
			r++
		}
		if peer.IsValid() && ip.Unmap().Is4() == peer.Unmap().Is4() {
			r += 2
		}
		if r > rank {
			best, rank = text, r
		}
	}
	return best
}

func deviceName(d *alert.Device) string { return cmp.Or(d.Name, d.ID) }

func deviceLine(d *alert.Device) string {
	var more []string
	for _, s := range []string{strings.Join(d.IPs, " "), d.MAC, d.Vendor, d.Type} {
		if s != "" {
			more = append(more, s)
		}
	}
	if len(more) == 0 {
		return deviceName(d)
	}
	return deviceName(d) + " (" + strings.Join(more, ", ") + ")"
}

func peerLine(p *detect.Peer) string {
	who := cmp.Or(p.Name, p.IP)
	if who == "" {
		return ""
	}
	if p.Name != "" && p.IP != "" && p.Name != p.IP {
		who += " (" + p.IP + ")"
	}
	if p.Port != 0 {
		who += " " + strings.TrimLeft(p.Proto+"/"+strconv.Itoa(int(p.Port)), "/")
	}
	if p.Country != "" {
		who += ", " + p.Country
	}
	return who
}

// clock is a time for people: to the second and always UTC.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// Cut shortens a text to at most limit bytes, at the end of a character, and
// says so with an ellipsis. A limit below 3 leaves nothing.
func Cut(s string, limit int) string {
	const ellipsis = "…"
	if len(s) <= limit {
		return s
	}
	limit -= len(ellipsis)
	if limit < 0 {
		return ""
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + ellipsis
}

// oneLine takes line breaks and other control characters out of a text. Alerts
// have none; names that an operator gave may.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, s)
}

// Text renders a line for people: time, headline and summary.
func Text(n *alert.Notice, m Meta) ([]byte, error) {
	if n.ID() == "" {
		return nil, errEmpty
	}
	at := clock(n.Time())
	if m.Site != "" {
		at += " " + m.Site
	}
	return []byte(oneLine(at + " " + Title(n) + ": " + Summary(n) + " [" + n.ID() + "]")), nil
}
