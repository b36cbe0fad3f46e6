package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/device"
	"gatehouse/flow"
	"gatehouse/pipeline"
)

// style colours words on a terminal, and nowhere else.
type style struct{ on bool }

func styleFor(w io.Writer) style {
	_, off := os.LookupEnv("NO_COLOR") // https://no-color.org
	return style{on: !off && isTerminal(w)}
}

func (s style) paint(code, text string) string {
	if !s.on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string { return s.paint("1", text) }
func (s style) dim(text string) string  { return s.paint("2", text) }
func (s style) good(text string) string { return s.paint("32", text) }
func (s style) bad(text string) string  { return s.paint("31", text) }

func (s style) severity(v detect.Severity) string {
	text := fmt.Sprintf("%-8s", strings.ToUpper(v.String()))
	switch v {
	case detect.Critical, detect.High:
		return s.paint("1;31", text)
	case detect.Medium:
		return s.paint("33", text)
	}
	return s.paint("36", text)
}

// printJSON writes one value to a line.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printReplay writes the outcome of an analysis: for people, or as JSON lines.
func (a *app) printReplay(o *outcome, asJSON bool) error {
	if asJSON {
		for i := range o.alerts {
			if err := printJSON(a.stdout, &o.alerts[i]); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintln(a.stderr, summaryLine(o.summary))
		return err
	}
	var b strings.Builder
	s := styleFor(a.stdout)
	writeSummary(&b, o.summary, s)
	fmt.Fprintln(&b)
	writeIncidents(&b, o.incidents, o.alerts, s)
	_, err := io.WriteString(a.stdout, b.String())
	return err
}

// writeSummary tells what was read, what to know about it, and which devices
// were there.
func writeSummary(b *strings.Builder, sum *pipeline.Summary, s style) {
	fmt.Fprintln(b, summaryLine(sum))
	writeNotes(b, sum, s)
	fmt.Fprintln(b, s.dim(budgetLine(sum)))
	fmt.Fprintln(b)
	writeDevices(b, sum.Devices)
	for _, g := range sum.Gateways {
		fmt.Fprintln(b, s.dim("gateway: "+strings.TrimPrefix(g.Name+" "+addresses(g), g.MAC.String()+" ")))
	}
}

// summaryLine says what was read, in the form that logs and people share.
func summaryLine(sum *pipeline.Summary) string {
	f := &sum.Flow
	decoded := f.Packets - f.Malformed()
	parts := []string{
		"packets " + grouped(f.Packets),
		"decoded " + grouped(decoded),
		"malformed " + grouped(f.Malformed()),
		"flows " + grouped(f.Flows),
		fmt.Sprintf("devices %d", len(sum.Devices)),
		fmt.Sprintf("incidents %d", sum.Counts.Incidents),
		fmt.Sprintf("alerts %d", sum.Counts.Alerts),
		fmt.Sprintf("observations %d", sum.Counts.Observations),
	}
	if !sum.First.IsZero() {
		parts = append(parts, fmt.Sprintf("%s to %s", sum.First.Format("2006-01-02 15:04"), sum.Last.Format("2006-01-02 15:04 UTC")))
	}
	return strings.Join(parts, " · ")
}

// budgetLine sets the alerts that were raised beside the false ones that the
// owner has allowed.
func budgetLine(sum *pipeline.Summary) string {
	allowed := float64(sum.Budget) * float64(sum.DeviceDays) / 30
	return fmt.Sprintf("budget %g per device-month: %.1f false alerts allowed in these %s device-days; %d alerts raised in all",
		float64(sum.Budget), allowed, grouped(uint64(sum.DeviceDays)), sum.Counts.Alerts)
}

// writeNotes tells what a reader should know about the input before trusting
// what was found in it.
func writeNotes(b *strings.Builder, sum *pipeline.Summary, s style) {
	f := &sum.Flow
	note := func(n uint64, text string) {
		if n > 0 {
			fmt.Fprintln(b, s.dim(fmt.Sprintf("note: %s %s", grouped(n), text)))
		}
	}
	for r, n := range f.Refused {
		note(n, "packets not followed: "+strings.ReplaceAll(flow.Reason(r).String(), "_", " "))
	}
	note(f.StreamGaps, "connections with bytes that were lost or not captured: their contents are known only in part")
	l := &sum.Losses
	note(l.RingFull, "packets dropped by the kernel because they were not read in time")
	note(l.Damaged+l.Unread+l.Race, "packets lost between the kernel and the decoder")
	note(l.Overflow, "packets of flows for which the kernel's table had no room: counted, but to no flow")
	heads := l.Head()
	note(heads.Limited, "packets not read because too many of their kind came at once: counted, but what they said is unknown")
	note(heads.Dropped, "packets not read because the kernel's ring was full: counted, but what they said is unknown")
	if l.Outages > 0 {
		fmt.Fprintln(b, s.dim(fmt.Sprintf("note: %s times an interface was down or away, %s in all", grouped(l.Outages), l.Outage.Round(time.Second))))
	}
	note(f.Evicted, "flows ended early for want of room")
	if f.Flood.Flows > 0 {
		fmt.Fprintln(b, s.bad(floodLine(&f.Flood)))
	}
	note(f.ParserPanics, "parser failures survived: please report this capture")
	note(sum.Repaired, "packets with an implausible time, which was replaced by that of their neighbours")
	note(sum.ClockSteps, "times the recording clock was set back")
}

// floodLine says who floods whom. One name stands for a list if it has most of
// the flows.
func floodLine(f *flow.Flood) string {
	most := func(list []flow.Flooder) *flow.Flooder {
		if len(list) > 0 && list[0].Flows > f.Flows/2 {
			return &list[0]
		}
		return nil
	}
	what, from, to := "unanswered", "many addresses", "many targets"
	if x := most(f.Sources); x != nil {
		from = x.Addr.String()
	}
	if x := most(f.Senders); x != nil && x.MAC != [6]byte{} {
		from += " (" + net.HardwareAddr(x.MAC[:]).String() + ")"
	}
	if x := most(f.Targets); x != nil {
		to = netip.AddrPortFrom(x.Addr, x.Port).String()
		if x.Proto == syscall.IPPROTO_TCP {
			what = "half-open"
		}
	}
	return fmt.Sprintf("flood: %s %s flows from %s to %s, %s to %s", grouped(f.Flows), what, from, to,
		time.Unix(0, f.First).UTC().Format("2006-01-02 15:04:05"), time.Unix(0, f.Last).UTC().Format("15:04:05 UTC"))
}

func writeDevices(b *strings.Builder, devices []*device.Device) {
	if len(devices) == 0 {
		fmt.Fprintln(b, "no devices seen")
		return
	}
	t := tabwriter.NewWriter(b, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "DEVICE\tVENDOR\tTYPE\tADDRESSES\tLAST SEEN")
	for _, d := range devices {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", d.Name, orDash(d.Vendor), orDash(string(d.Type)), addresses(d), d.LastSeen.Format("2006-01-02 15:04"))
	}
	_ = t.Flush() // a strings.Builder takes everything
}

// addresses lists the addresses that tell a device, at most three.
func addresses(d *device.Device) string {
	var out []string
	if mac := d.MAC.String(); mac != "" {
		out = append(out, mac)
	}
	for i := len(d.Addresses) - 1; i >= 0 && len(out) < 3; i-- {
		if ip := d.Addresses[i].IP; !ip.IsLinkLocalUnicast() && !slices.Contains(out, ip.String()) {
			out = append(out, ip.String())
		}
	}
	return strings.Join(out, " ")
}

// writeIncidents tells each incident as a story: sentence, reasons, evidence.
func writeIncidents(b *strings.Builder, incidents []alert.Incident, alerts []alert.Alert, s style) {
	if len(alerts) == 0 {
		fmt.Fprintln(b, s.good("Nothing to report."))
		return
	}
	byIncident := make(map[string][]*alert.Alert)
	for i := range alerts {
		byIncident[alerts[i].Incident] = append(byIncident[alerts[i].Incident], &alerts[i])
	}
	slices.SortFunc(incidents, func(x, y alert.Incident) int { return x.FirstSeen.Compare(y.FirstSeen) })
	for i := range incidents {
		in := &incidents[i]
		list := byIncident[in.ID]
		if len(list) == 0 {
			continue
		}
		fmt.Fprintf(b, "%s  %s  %s\n", in.FirstSeen.Format("2006-01-02 15:04"), s.severity(in.Severity), s.dim("incident "+in.ID))
		for _, al := range list {
			writeAlert(b, al, s)
		}
		fmt.Fprintln(b)
	}
}

func writeAlert(b *strings.Builder, al *alert.Alert, s style) {
	fmt.Fprintf(b, "  %s\n", s.bold(al.Summary))
	for _, w := range al.Why {
		text := w.Observed
		if w.Expected != "" {
			text += "; expected: " + w.Expected
		}
		bits := ""
		if w.Surprise > 0 {
			bits = fmt.Sprintf(" (%.1f bits)", w.Surprise)
		}
		fmt.Fprintf(b, "    %s: %s%s\n", w.Feature, text, s.dim(bits))
	}
	seen := ""
	if al.Count > 1 {
		seen = fmt.Sprintf(", seen %d times until %s", al.Count, al.LastSeen.Format("2006-01-02 15:04"))
	}
	fmt.Fprintf(b, "    %s\n", s.dim(fmt.Sprintf("%s, surprise %.1f bits, confidence %.0f %%%s, playbook %s, id %s",
		al.Kind, al.Score, 100*al.Confidence, seen, al.Playbook, al.ID)))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// grouped writes a number with thousands separated: 24,022.
func grouped(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// shortTime is a moment for a table.
func shortTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }
