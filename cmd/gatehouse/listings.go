package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/device"
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
	which := "newest"
	if l.oldestFirst {
		which = "oldest"
	}
	flags.StringVar(&l.device, "device", "", "only of this `DEVICE`: id, name, MAC or IP address")
	flags.StringVar(&l.kind, "kind", "", "only of this `KIND`, such as new_destination")
	flags.StringVar(&l.severity, "severity", "", "only of this `SEVERITY` or above: low, medium, high, critical")
	flags.StringVar(&l.status, "status", "", "only what is open, acknowledged or closed: `STATUS`")
	flags.StringVar(&l.since, "since", "", "only from this `TIME` on: 2026-01-05, 2026-01-05T14:00:00Z, or 7d or 12h ago")
	flags.IntVar(&l.limit, "limit", 0, "at most this `NUMBER`, the "+which)
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

// alertRows are what there is of alerts, for a listing.
func alertRows() rows[alert.Alert] {
	return rows[alert.Alert]{(*store.Store).Alerts, "no alerts", table[alert.Alert]{
		{"time", func(r *alert.Alert) string { return shortTime(r.Time) }},
		{"severity", func(r *alert.Alert) string { return r.Severity.String() }},
		{"kind", func(r *alert.Alert) string { return string(r.Kind) }},
		{"device", func(r *alert.Alert) string { return r.Device.Name }},
		{"count", func(r *alert.Alert) string { return fmt.Sprint(r.Count) }},
		{"state", func(r *alert.Alert) string { return string(r.State) }},
		{"id", func(r *alert.Alert) string { return r.ID }},
		{"summary", func(r *alert.Alert) string { return r.Summary }},
	}}
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
			return alertRows().list(cmd.Context(), a, &l)
		},
	}
	l.register(cmd)
	l.registerFilters(cmd)
	cmd.Flags().BoolVar(&l.follow, "follow", false, "go on with what is stored from now on")
	return cmd
}

func incidentRows() rows[alert.Incident] {
	return rows[alert.Incident]{(*store.Store).Incidents, "no incidents", table[alert.Incident]{
		{"from", func(r *alert.Incident) string { return shortTime(r.FirstSeen) }},
		{"to", func(r *alert.Incident) string { return shortTime(r.LastSeen) }},
		{"severity", func(r *alert.Incident) string { return r.Severity.String() }},
		{"devices", func(r *alert.Incident) string { return fmt.Sprint(len(r.Devices)) }},
		{"alerts", func(r *alert.Incident) string { return fmt.Sprint(len(r.Alerts)) }},
		{"state", func(r *alert.Incident) string { return string(r.State) }},
		{"id", func(r *alert.Incident) string { return r.ID }},
		{"summary", func(r *alert.Incident) string { return r.Summary }},
	}}
}

func (a *app) incidents() *cobra.Command {
	cmd, l := listCommand(a, "incidents --state DIR", "List incidents, newest first", incidentRows())
	l.registerFilters(cmd)
	return cmd
}

func deviceRows() rows[device.Device] {
	return rows[device.Device]{readDevices, "no devices", table[device.Device]{
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
	}}
}

func readDevices(st *store.Store, ctx context.Context, _ store.Filter) ([]device.Device, error) {
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
	cmd, _ := listCommand(a, "devices --state DIR", "List the devices that were seen", deviceRows())
	return cmd
}
