package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	state, device, kind, severity, since string
	limit                                int
	asJSON                               bool
}

func (l *listing) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.state, "state", "", "read the state in this `DIR` (required)")
	cmd.Flags().BoolVar(&l.asJSON, "json", false, "print JSON lines")
}

func (l *listing) registerFilters(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&l.device, "device", "", "only of this `DEVICE`: id, name, MAC or IP address")
	flags.StringVar(&l.kind, "kind", "", "only of this `KIND`, such as new_destination")
	flags.StringVar(&l.severity, "severity", "", "only of this `SEVERITY` or above: low, medium, high, critical")
	flags.StringVar(&l.since, "since", "", "only from this `TIME` on: 2026-01-05 or 2026-01-05T14:00:00Z")
	flags.IntVar(&l.limit, "limit", 0, "at most this `NUMBER`, the newest")
}

// open opens the state for reading.
func (l *listing) open(ctx context.Context) (*store.Store, error) {
	if l.state == "" {
		return nil, usageError{errors.New("say which state to read with --state DIR")}
	}
	st, err := store.Open(ctx, l.state, store.Options{ReadOnly: true})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{err}
	}
	return st, err
}

func (l *listing) filter() (store.Filter, error) {
	f := store.Filter{Device: l.device, Kind: l.kind, Limit: l.limit}
	if l.severity != "" {
		v, err := detect.ParseSeverity(l.severity)
		if err != nil {
			return f, usageError{fmt.Errorf("--severity: %w", err)}
		}
		f.MinSeverity = uint8(v)
	}
	if l.since != "" {
		var err error
		for _, layout := range []string{time.RFC3339, time.DateOnly} {
			if f.Since, err = time.Parse(layout, l.since); err == nil {
				return f, nil
			}
		}
		return f, usageError{fmt.Errorf("--since %s: want a time such as 2026-01-05 or 2026-01-05T14:00:00Z", l.since)}
	}
	return f, nil
}

// list reads rows from the state and prints them, as JSON lines or as a table.
func list[T any](ctx context.Context, a *app, l *listing, read func(*store.Store, store.Filter) ([]T, error), none string, table func(io.Writer, []T)) (err error) {
	f, err := l.filter()
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
	if l.asJSON {
		for i := range rows {
			if err := printJSON(a.stdout, &rows[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(a.stdout, none)
		return err
	}
	t := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	table(t, rows)
	return t.Flush()
}

func (a *app) alerts() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:     "alerts --state DIR",
		Short:   "List alerts, newest first",
		Example: "  gatehouse alerts --state ./state --severity high --since 2026-01-20",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			read := func(st *store.Store, f store.Filter) ([]alert.Alert, error) { return st.Alerts(cmd.Context(), f) }
			return list(cmd.Context(), a, &l, read, "no alerts", func(w io.Writer, rows []alert.Alert) {
				fmt.Fprintln(w, "TIME\tSEVERITY\tKIND\tDEVICE\tCOUNT\tID\tSUMMARY")
				for i := range rows {
					r := &rows[i]
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", shortTime(r.Time), r.Severity, r.Kind, r.Device.Name, r.Count, r.ID, r.Summary)
				}
			})
		},
	}
	l.register(cmd)
	l.registerFilters(cmd)
	return cmd
}

func (a *app) incidents() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "incidents --state DIR",
		Short: "List incidents, newest first",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			read := func(st *store.Store, f store.Filter) ([]alert.Incident, error) { return st.Incidents(cmd.Context(), f) }
			return list(cmd.Context(), a, &l, read, "no incidents", func(w io.Writer, rows []alert.Incident) {
				fmt.Fprintln(w, "FROM\tTO\tSEVERITY\tDEVICES\tALERTS\tID\tSUMMARY")
				for i := range rows {
					r := &rows[i]
					fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", shortTime(r.FirstSeen), shortTime(r.LastSeen), r.Severity, len(r.Devices), len(r.Alerts), r.ID, r.Summary)
				}
			})
		},
	}
	l.register(cmd)
	l.registerFilters(cmd)
	return cmd
}

func (a *app) devices() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "devices --state DIR",
		Short: "List the devices that were seen",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			read := func(st *store.Store, _ store.Filter) ([]device.Device, error) {
				rows, err := st.Devices(cmd.Context())
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
			return list(cmd.Context(), a, &l, read, "no devices", func(w io.Writer, rows []device.Device) {
				fmt.Fprintln(w, "DEVICE\tVENDOR\tTYPE\tGROUP\tADDRESSES\tFIRST SEEN\tLAST SEEN")
				for i := range rows {
					d := &rows[i]
					name := d.Name
					if d.Gateway {
						name += " (gateway)"
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, orDash(d.Vendor), orDash(string(d.Type)), orDash(d.Group), addresses(d), shortTime(d.FirstSeen), shortTime(d.LastSeen))
				}
			})
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
