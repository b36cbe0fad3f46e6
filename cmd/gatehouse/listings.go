package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/device"
	"gatehouse/rules"
	"gatehouse/store"
)

// listing holds the flags of commands that read a state directory.
type listing struct {
	configFile                           string
	state, device, kind, severity, since string
	status, format                       string
	limit                                int
	asJSON, follow, oldestFirst          bool
}

func (l *listing) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&l.state, "state", "", "read the state in this `DIR` (required without --config)")
	flags.StringVar(&l.configFile, "config", "", "read where the state is, and its key, from this `FILE`")
	flags.BoolVar(&l.asJSON, "json", false, "print JSON lines; the same as --format json")
	flags.StringVar(&l.format, "format", cmp.Or(l.format, "table"), "print as `FORMAT`: table, json or csv")
}

func (l *listing) registerFilters(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&l.device, "device", "", "only of this `DEVICE`: id, name, MAC or IP address")
	flags.StringVar(&l.kind, "kind", "", "only of this `KIND`, such as new_destination")
	flags.StringVar(&l.severity, "severity", "", "only of this `SEVERITY` or above: low, medium, high, critical")
	flags.StringVar(&l.status, "status", "", "only what is open, acknowledged or closed: `STATUS`")
	flags.StringVar(&l.since, "since", "", "only from this `TIME` on: 2026-01-05, 2026-01-05T14:00:00Z, or 7d or 12h ago")
	flags.IntVar(&l.limit, "limit", 0, "at most this `NUMBER`, the newest")
}

// open opens the state for reading.
func (l *listing) open(ctx context.Context) (*store.Store, error) {
	return l.openWith(ctx, store.Options{ReadOnly: true})
}

// openWith opens the state that the flags name.
func (l *listing) openWith(ctx context.Context, opts store.Options) (*store.Store, error) {
	dir := l.state
	if l.configFile != "" {
		set, err := loadSettings(l.configFile)
		if err != nil {
			return nil, err
		}
		if opts.Key, err = set.Store.key(); err != nil {
			return nil, err
		}
		dir = cmp.Or(dir, set.Store.Path)
	}
	if dir == "" {
		return nil, usageError{errors.New("say which state to read with --state DIR")}
	}
	st, err := store.Open(ctx, dir, opts)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{err}
	}
	return st, err
}

func (l *listing) filter() (store.Filter, error) {
	f := store.Filter{Device: l.device, Kind: l.kind, Limit: l.limit, OldestFirst: l.oldestFirst}
	if l.severity != "" {
		v, err := detect.ParseSeverity(l.severity)
		if err != nil {
			return f, usageError{fmt.Errorf("--severity: %w", err)}
		}
		f.MinSeverity = uint8(v)
	}
	switch s := alert.State(l.status); s {
	case "", alert.Open, alert.Acknowledged, alert.Closed:
		f.State = s
	default:
		return f, usageError{fmt.Errorf("--status %s: use open, acknowledged or closed", l.status)}
	}
	if l.since != "" {
		var err error
		for _, layout := range []string{time.RFC3339, time.DateOnly} {
			if f.Since, err = time.Parse(layout, l.since); err == nil {
				return f, nil
			}
		}
		ago, err := parseAge(l.since)
		if err != nil {
			return f, usageError{fmt.Errorf("--since %s: want a time such as 2026-01-05 or 2026-01-05T14:00:00Z, or a span such as 7d or 12h", l.since)}
		}
		f.Since = time.Now().Add(-ago)
	}
	return f, nil
}

// column is one column of a listing.
type column[T any] struct {
	name  string
	value func(*T) string
}

// table is the columns in which a listing shows rows to people and in CSV.
type table[T any] []column[T]

// printer returns what writes rows in the format that the flags ask for, with
// a header above the first ones.
func printer[T any](w io.Writer, l *listing, t table[T]) (func([]T) error, error) {
	format := l.format
	if l.asJSON {
		format = "json"
	}
	header := make([]string, len(t))
	for i := range t {
		header[i] = t[i].name
	}
	cells := func(row *T) []string {
		out := make([]string, len(t))
		for i := range t {
			out[i] = t[i].value(row)
		}
		return out
	}
	switch format {
	case "json":
		return func(rows []T) error {
			for i := range rows {
				if err := printJSON(w, &rows[i]); err != nil {
					return err
				}
			}
			return nil
		}, nil
	case "csv":
		out := csv.NewWriter(w)
		begun := false
		return func(rows []T) error {
			if !begun {
				begun = true
				_ = out.Write(header) // Flush and Error tell
			}
			for i := range rows {
				_ = out.Write(inert(cells(&rows[i])))
			}
			out.Flush()
			return out.Error()
		}, nil
	case "table":
		begun := false
		return func(rows []T) error {
			tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			if !begun {
				begun = true
				fmt.Fprintln(tw, strings.ToUpper(strings.Join(header, "\t")))
			}
			for i := range rows {
				fmt.Fprintln(tw, strings.Join(cells(&rows[i]), "\t"))
			}
			return tw.Flush()
		}, nil
	}
	return nil, usageError{fmt.Errorf("--format %s: use table, json or csv", l.format)}
}

// inert puts an apostrophe before cells that a spreadsheet would take for a
// formula: names come from the network
// (https://owasp.org/www-community/attacks/CSV_Injection).
func inert(cells []string) []string {
	for i, c := range cells {
		if len(c) > 1 && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
			cells[i] = "'" + c
		}
	}
	return cells
}

// list reads rows from the state and prints them.
func list[T any](ctx context.Context, a *app, l *listing, read func(*store.Store, store.Filter) ([]T, error), none string, columns func() table[T]) (err error) {
	f, err := l.filter()
	if err != nil {
		return err
	}
	write, err := printer(a.stdout, l, columns())
	if err != nil {
		return err
	}
	st, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	rows, err := read(st, f)
	if err != nil {
		return err
	}
	if len(rows) == 0 && !l.asJSON && l.format == "table" {
		_, err := fmt.Fprintln(a.stdout, none)
		return err
	}
	return write(rows)
}

func alertTable() table[alert.Alert] {
	return table[alert.Alert]{
		{"time", func(r *alert.Alert) string { return shortTime(r.Time) }},
		{"severity", func(r *alert.Alert) string { return r.Severity.String() }},
		{"kind", func(r *alert.Alert) string { return string(r.Kind) }},
		{"device", func(r *alert.Alert) string { return r.Device.Name }},
		{"count", func(r *alert.Alert) string { return fmt.Sprint(r.Count) }},
		{"state", func(r *alert.Alert) string { return string(r.State) }},
		{"id", func(r *alert.Alert) string { return r.ID }},
		{"summary", func(r *alert.Alert) string { return r.Summary }},
	}
}

func (a *app) alerts() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "alerts --state DIR",
		Short: "List alerts, newest first",
		Long: `List alerts, newest first. With --follow, print those that there are, oldest
first, and then each new or changed one as it is stored, until interrupted.`,
		Example: "  gatehouse alerts --state ./state --severity high --since 2026-01-20\n  gatehouse alerts --state /var/lib/gatehouse --follow --since 1h",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if l.follow {
				return a.followAlerts(cmd.Context(), &l)
			}
			read := func(st *store.Store, f store.Filter) ([]alert.Alert, error) { return st.Alerts(cmd.Context(), f) }
			return list(cmd.Context(), a, &l, read, "no alerts", alertTable)
		},
	}
	l.register(cmd)
	l.registerFilters(cmd)
	cmd.Flags().BoolVar(&l.follow, "follow", false, "go on with what is stored from now on")
	return cmd
}

// followEvery is how often a listing that follows looks, and followed is how
// many of the newest alerts it looks at.
const (
	followEvery = time.Second
	followed    = 500
)

// followAlerts prints alerts as they are stored.
func (a *app) followAlerts(ctx context.Context, l *listing) (err error) {
	f, err := l.filter()
	if err != nil {
		return err
	}
	write, err := printer(a.stdout, l, alertTable())
	if err != nil {
		return err
	}
	st, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	f.Limit, f.OldestFirst = cmp.Or(f.Limit, followed), false
	shown := make(map[string]int) // revisions
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		rows, err := st.Alerts(ctx, f)
		if ctx.Err() != nil {
			return nil // interrupted, which is how it ends
		}
		if err != nil {
			return err
		}
		slices.Reverse(rows)
		latest := make(map[string]int, len(rows))
		rows = slices.DeleteFunc(rows, func(r alert.Alert) bool {
			latest[r.ID] = r.Revision
			return shown[r.ID] == r.Revision
		})
		shown = latest
		if len(rows) > 0 {
			if err := write(rows); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func incidentTable() table[alert.Incident] {
	return table[alert.Incident]{
		{"from", func(r *alert.Incident) string { return shortTime(r.FirstSeen) }},
		{"to", func(r *alert.Incident) string { return shortTime(r.LastSeen) }},
		{"severity", func(r *alert.Incident) string { return r.Severity.String() }},
		{"devices", func(r *alert.Incident) string { return fmt.Sprint(len(r.Devices)) }},
		{"alerts", func(r *alert.Incident) string { return fmt.Sprint(len(r.Alerts)) }},
		{"state", func(r *alert.Incident) string { return string(r.State) }},
		{"id", func(r *alert.Incident) string { return r.ID }},
		{"summary", func(r *alert.Incident) string { return r.Summary }},
	}
}

func (a *app) incidents() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "incidents --state DIR",
		Short: "List incidents, newest first",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			read := func(st *store.Store, f store.Filter) ([]alert.Incident, error) { return st.Incidents(cmd.Context(), f) }
			return list(cmd.Context(), a, &l, read, "no incidents", incidentTable)
		},
	}
	l.register(cmd)
	l.registerFilters(cmd)
	return cmd
}

func deviceTable() table[device.Device] {
	return table[device.Device]{
		{"device", func(d *device.Device) string {
			if d.Gateway {
				return d.Name + " (gateway)"
			}
			return d.Name
		}},
		{"vendor", func(d *device.Device) string { return orDash(d.Vendor) }},
		{"type", func(d *device.Device) string { return orDash(string(d.Type)) }},
		{"group", func(d *device.Device) string { return orDash(d.Group) }},
		{"addresses", addresses},
		{"first seen", func(d *device.Device) string { return shortTime(d.FirstSeen) }},
		{"last seen", func(d *device.Device) string { return shortTime(d.LastSeen) }},
	}
}

func readDevices(ctx context.Context, st *store.Store) ([]device.Device, error) {
	rows, err := st.Devices(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]device.Device, len(rows))
	for i := range rows {
		if err := json.Unmarshal(rows[i].Data, &out[i]); err != nil {
			return nil, fmt.Errorf("read device %s: %w", rows[i].ID, err)
		}
	}
	return out, nil
}

func (a *app) devices() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "devices --state DIR",
		Short: "List the devices that were seen",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			read := func(st *store.Store, _ store.Filter) ([]device.Device, error) { return readDevices(cmd.Context(), st) }
			return list(cmd.Context(), a, &l, read, "no devices", deviceTable)
		},
	}
	l.register(cmd)
	return cmd
}

func (a *app) show() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "show ID --state DIR",
		Short: "Explain an alert, an incident or a device",
		Long: `Explain an alert or an incident by its id (its first characters are enough), or
a device by its id, name or address: what was seen, what was expected, what to do.`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			st, err := l.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, st.Close()) }()
			return a.showAny(cmd.Context(), st, args[0], l.asJSON)
		},
	}
	l.register(cmd)
	return cmd
}

// showAny shows what an id stands for.
func (a *app) showAny(ctx context.Context, st *store.Store, id string, asJSON bool) error {
	var b strings.Builder
	s := styleFor(a.stdout)
	switch {
	case strings.HasPrefix(id, "a-"):
		al, err := st.Alert(ctx, id)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(a.stdout, &al)
		}
		explainAlert(&b, &al, s)
	case strings.HasPrefix(id, "i-"):
		in, err := st.Incident(ctx, id)
		if err != nil {
			return err
		}
		alerts, err := st.Alerts(ctx, store.Filter{Incident: in.ID, OldestFirst: true})
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(a.stdout, &in)
		}
		writeIncidents(&b, []alert.Incident{in}, alerts, s)
	default:
		row, err := st.Device(ctx, id)
		if err != nil {
			return err
		}
		if asJSON {
			_, err := fmt.Fprintln(a.stdout, string(row.Data))
			return err
		}
		return a.showDevice(ctx, st, row, s)
	}
	_, err := io.WriteString(a.stdout, b.String())
	return err
}

func explainAlert(b *strings.Builder, al *alert.Alert, s style) {
	fmt.Fprintf(b, "%s  %s  %s  %s\n", shortTime(al.Time), s.severity(al.Severity), al.Device.Name, s.dim("incident "+al.Incident))
	writeAlert(b, al, s)
	fmt.Fprintf(b, "    device: %s %s %s %s\n", al.Device.ID, al.Device.MAC, strings.Join(al.Device.IPs, " "), al.Device.Vendor)
	for _, e := range al.Evidence {
		fmt.Fprintf(b, "    evidence: flow %s at %s\n", e.CommunityID, e.Time.Format(time.RFC3339))
	}
	if len(al.Attack) > 0 {
		fmt.Fprintf(b, "    ATT&CK: %s\n", strings.Join(al.Attack, ", "))
	}
	if text, err := rules.Playbook(al.Playbook); err == nil {
		fmt.Fprintf(b, "\n%s", text)
	}
}

// showDevice prints a device with what was noticed about it, below the alerts too.
func (a *app) showDevice(ctx context.Context, st *store.Store, row store.DeviceRow, s style) error {
	var d device.Device
	if err := json.Unmarshal(row.Data, &d); err != nil {
		return fmt.Errorf("read device %s: %w", row.ID, err)
	}
	alerts, err := st.Alerts(ctx, store.Filter{Device: row.ID, OldestFirst: true})
	if err != nil {
		return err
	}
	observations, err := st.Observations(ctx, store.Filter{Device: row.ID, Limit: 20})
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", s.bold(d.Name), s.dim(d.ID))
	fmt.Fprintf(&b, "  vendor %s, type %s (%s), group %s\n", orDash(d.Vendor), orDash(string(d.Type)), orDash(d.TypeEvidence), orDash(d.Group))
	fmt.Fprintf(&b, "  addresses %s\n", addresses(&d))
	fmt.Fprintf(&b, "  seen from %s to %s\n", shortTime(d.FirstSeen), shortTime(d.LastSeen))
	fmt.Fprintf(&b, "  sent %s bytes, received %s bytes\n\n", grouped(d.Out.Bytes), grouped(d.In.Bytes))
	fmt.Fprintf(&b, "%d alerts\n", len(alerts))
	for i := range alerts {
		fmt.Fprintf(&b, "  %s  %s  %s  %s\n", shortTime(alerts[i].Time), s.severity(alerts[i].Severity), alerts[i].ID, alerts[i].Summary)
	}
	fmt.Fprintf(&b, "\nlatest observations, below the alert budget\n")
	for _, o := range observations {
		fmt.Fprintf(&b, "  %s  p=%.2g  %s\n", shortTime(o.Time), o.P, o.Summary)
	}
	if len(observations) == 0 {
		fmt.Fprintln(&b, "  none")
	}
	_, err = io.WriteString(a.stdout, b.String())
	return err
}
