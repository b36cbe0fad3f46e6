package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/alert"
	"gatehouse/device"
	"gatehouse/rules"
	"gatehouse/store"
)

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
