package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/alert"
	"gatehouse/device"
	"gatehouse/store"
)

func (a *app) export() *cobra.Command {
	l := listing{format: "json", oldestFirst: true}
	var hourly bool
	kinds := map[string]func(context.Context) error{}
	cmd := &cobra.Command{
		Use:   "export WHAT",
		Short: "Write alerts, incidents, observations, devices or series as JSON lines or CSV",
		Long: `Write everything of a kind, oldest first: alerts, incidents, observations,
devices, or series (what each device did in each minute, or with --hourly in each
hour). JSON has all fields, CSV those of the table.`,
		Example: "  gatehouse export --state ./state --since 7d alerts > alerts.jsonl\n  gatehouse export --state ./state --format csv --device tv series > tv.csv",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			write, ok := kinds[args[0]]
			if !ok {
				return usageError{fmt.Errorf("export %s: use one of %s", args[0], strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))}
			}
			return write(cmd.Context())
		},
	}
	l.register(cmd)
	l.registerFilters(cmd)
	cmd.Flags().BoolVar(&hourly, "hourly", false, "series by the hour")

	kinds["alerts"] = func(ctx context.Context) error { return alertRows().list(ctx, a, &l) }
	kinds["incidents"] = func(ctx context.Context) error { return incidentRows().list(ctx, a, &l) }
	kinds["observations"] = func(ctx context.Context) error { return observationRows().list(ctx, a, &l) }
	kinds["devices"] = func(ctx context.Context) error { return deviceRows().list(ctx, a, &l) }
	kinds["series"] = func(ctx context.Context) error { return seriesRows(hourly).list(ctx, a, &l) }
	return cmd
}

func observationRows() rows[alert.Observation] {
	return rows[alert.Observation]{(*store.Store).Observations, "no observations", table[alert.Observation]{
		{"time", func(o *alert.Observation) string { return shortTime(o.Time) }},
		{"kind", func(o *alert.Observation) string { return string(o.Kind) }},
		{"device", func(o *alert.Observation) string { return o.Device }},
		{"subject", func(o *alert.Observation) string { return o.Subject }},
		{"p", func(o *alert.Observation) string { return fmt.Sprintf("%.3g", o.P) }},
		{"count", func(o *alert.Observation) string { return fmt.Sprint(o.Count) }},
		{"summary", func(o *alert.Observation) string { return o.Summary }},
	}}
}

func seriesRows(hourly bool) rows[device.Minute] {
	read := func(st *store.Store, ctx context.Context, f store.Filter) ([]device.Minute, error) {
		if f.Device != "" {
			row, err := st.Device(ctx, f.Device)
			if err != nil {
				return nil, err
			}
			f.Device = row.ID
		}
		return st.Series(ctx, f, hourly)
	}
	number := func(name string, value func(*device.Minute) uint64) column[device.Minute] {
		return column[device.Minute]{name, func(m *device.Minute) string { return fmt.Sprint(value(m)) }}
	}
	return rows[device.Minute]{read, "no traffic", table[device.Minute]{
		{"time", func(m *device.Minute) string { return m.Time.Format(time.RFC3339) }},
		{"device", func(m *device.Minute) string { return m.Device }},
		{"name", func(m *device.Minute) string { return m.Name }},
		{"group", func(m *device.Minute) string { return m.Group }},
		number("bytes_in", func(m *device.Minute) uint64 { return m.BytesIn }),
		number("bytes_out", func(m *device.Minute) uint64 { return m.BytesOut }),
		number("packets", func(m *device.Minute) uint64 { return m.Packets }),
		number("flows", func(m *device.Minute) uint64 { return m.Flows }),
		number("peers", func(m *device.Minute) uint64 { return uint64(m.Peers) }),
		number("names", func(m *device.Minute) uint64 { return uint64(m.Names) }),
		number("nxdomain", func(m *device.Minute) uint64 { return uint64(m.NXDomain) }),
	}}
}
