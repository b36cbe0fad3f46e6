package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"gatehouse/capture"
	"gatehouse/eve"
	"gatehouse/flow"
	"gatehouse/pipeline"
)

func (a *app) events() *cobra.Command {
	var workers int
	cmd := &cobra.Command{
		Use:   "events FILE…",
		Short: "Print flows and protocol messages as JSON lines (EVE)",
		Long: `Print what is seen in captured traffic, one JSON object a line, in the
vocabulary of Suricata's EVE log: flow, dns, tls, http, dhcp, arp. Nothing is
judged. docs/events.md lists the fields.`,
		Example: `  gatehouse events day.pcap | jq 'select(.event_type == "tls") | .tls.sni'`,
		Args:    usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			cfg := pipeline.DefaultConfig()
			if workers != 0 {
				cfg.Workers = workers
			}
			if err := cfg.Validate(); err != nil {
				return usageError{err}
			}
			src, err := a.open(files)
			if err != nil {
				return err
			}
			// Nobody is told about a closed file that was only read.
			defer func() { _ = src.Close() }()
			return a.writeEvents(cmd.Context(), src, cfg)
		},
	}
	cmd.Flags().IntVar(&workers, "workers", 0, "flow workers, 1 to 64 (default: one less than processors); the output does not depend on it")
	return cmd
}

// writeEvents prints all events of a source. Those before the damage of a
// broken file are printed too.
func (a *app) writeEvents(ctx context.Context, src capture.Source, cfg pipeline.Config) error {
	bar := a.progress("reading")
	out := a.stdout
	if isTerminal(out) {
		bar = hidden() // lines and a bar do not share a terminal
	}
	w := eve.NewWriter(out)
	w.NameInterfaces(func(i uint16) string {
		if list := src.Interfaces(); int(i) < len(list) {
			return list[i].Name
		}
		return ""
	})
	err := pipeline.Flows(ctx, src, cfg, func(events []flow.Event, p pipeline.Progress) error {
		bar.set(p.Read, p.Total)
		for i := range events {
			if err := w.Write(&events[i]); err != nil {
				return err
			}
		}
		return nil
	})
	bar.done()
	if closeErr := w.Close(); closeErr != nil && !errors.Is(err, closeErr) {
		err = errors.Join(err, closeErr)
	}
	return err
}
