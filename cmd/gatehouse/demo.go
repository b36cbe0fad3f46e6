package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/alert"
	"gatehouse/sim"
)

func (a *app) demo() *cobra.Command {
	cfg := sim.DefaultConfig()
	var keep, configFile string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Simulate a month of a home with attacks, and show what is found",
		Long: `Simulate a month of a home's traffic, with attacks and with innocent events that
look like attacks, analyse it like any other capture, and print what was found
beside what was there.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runDemo(cmd.Context(), cfg, keep, configFile)
		},
	}
	cmd.Flags().Uint64Var(&cfg.Seed, "seed", cfg.Seed, "`NUMBER` from which all randomness is drawn")
	cmd.Flags().StringVar(&keep, "keep", "", "keep the capture, its labels and the state in this `DIR`")
	cmd.Flags().StringVar(&configFile, "config", "", "tell the sinks of this `FILE` what is found; its store is left alone")
	return cmd
}

func (a *app) runDemo(ctx context.Context, cfg sim.Config, keep, configFile string) (err error) {
	dir := keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "gatehouse-demo-"); err != nil {
			return fmt.Errorf("make a place for the simulated capture: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	state := filepath.Join(dir, "state")
	if _, err := os.Stat(state); err == nil {
		return usageError{fmt.Errorf("--keep %s: there is a state in it already, and the demo begins with none; choose another folder", keep)}
	}
	home, err := sim.New(cfg)
	if err != nil {
		return usageError{err}
	}
	bar := a.progress("simulating a month")
	err = home.WriteDir(dir, func(done, total int) { bar.set(int64(done), int64(total)) })
	bar.done()
	if err != nil {
		return err
	}
	f := analysis{configFile: configFile, budget: "balanced", roots: []string{filepath.Join(dir, sim.RootsFile)}, state: state}
	out, err := a.analyse(ctx, []string{filepath.Join(dir, sim.CaptureFile)}, &f)
	if err != nil {
		return err
	}
	report := compare(home.Labels(), out.alerts)
	var b strings.Builder
	s := styleFor(a.stdout)
	fmt.Fprintln(&b, summaryLine(out.summary))
	fmt.Fprintln(&b)
	writeDevices(&b, out.summary.Devices)
	fmt.Fprintf(&b, "\n%s\n\n", s.bold("What was found"))
	writeIncidents(&b, out.incidents, out.alerts, s)
	report.write(&b, s)
	if keep != "" {
		fmt.Fprintf(&b, "\nkept in %s; look around with: gatehouse alerts --state %s\n", keep, f.state)
	}
	if _, err := io.WriteString(a.stdout, b.String()); err != nil {
		return err
	}
	if !report.perfect() {
		return exitCode{exitFailed, errors.New("the demo did not find exactly what was there")}
	}
	return nil
}

// comparison sets what was found beside what was there.
type comparison struct {
	labels []sim.Label
	hits   [][]alert.Alert // of each label
	false  []alert.Alert   // of no attack
}

// grace is how long after the last packet of an event an alert may still be
// about it: flows end by timeout.
const grace = 10 * time.Minute

// compare assigns each alert to the label that it is about: an attack on the
// same device at that time, else a look-alike, else nothing.
func compare(labels []sim.Label, alerts []alert.Alert) *comparison {
	c := &comparison{labels: labels, hits: make([][]alert.Alert, len(labels))}
	for _, al := range alerts {
		best := -1
		for i, l := range labels {
			if !about(l, &al) {
				continue
			}
			if best < 0 || rank(l, &al) > rank(labels[best], &al) {
				best = i
			}
		}
		if best >= 0 {
			c.hits[best] = append(c.hits[best], al)
		}
		if best < 0 || !labels[best].Expect {
			c.false = append(c.false, al)
		}
	}
	return c
}

func about(l sim.Label, al *alert.Alert) bool {
	if l.MAC != "" && !strings.EqualFold(l.MAC, al.Device.MAC) {
		return false
	}
	return !al.Time.Before(l.Start) && !al.Time.After(l.End.Add(grace))
}

// rank prefers attacks of the alert's kind, then any attack, then the shortest label.
func rank(l sim.Label, al *alert.Alert) int {
	switch {
	case l.Expect && (l.Kind == string(al.Kind) || slices.Contains(l.Also, string(al.Kind))):
		return 3
	case l.Expect:
		return 2
	}
	return 1
}

// found reports whether an attack was named rightly.
func (c *comparison) found(i int) bool {
	return slices.ContainsFunc(c.hits[i], func(al alert.Alert) bool {
		return c.labels[i].Kind == string(al.Kind) || slices.Contains(c.labels[i].Also, string(al.Kind))
	})
}

func (c *comparison) perfect() bool {
	for i, l := range c.labels {
		if l.Expect && !c.found(i) {
			return false
		}
	}
	return len(c.false) == 0
}

func (c *comparison) write(b *strings.Builder, s style) {
	attacks, foundAttacks, innocent, silent := 0, 0, 0, 0
	fmt.Fprintf(b, "%s\n\n", s.bold("Beside what was there"))
	for _, expect := range []bool{true, false} {
		for i, l := range c.labels {
			if l.Expect != expect {
				continue
			}
			mark := s.good("found ")
			switch {
			case expect:
				attacks++
				if c.found(i) {
					foundAttacks++
				} else {
					mark = s.bad("MISSED")
				}
			default:
				innocent++
				if len(c.hits[i]) == 0 {
					silent++
					mark = s.good("silent")
				} else {
					mark = s.bad("ALARM ")
				}
			}
			fmt.Fprintf(b, "  %s  %s  %-19s  %s\n", mark, shortTime(l.Start), cmp.Or(l.Kind, "innocent"), l.Title)
		}
	}
	fmt.Fprintf(b, "\n%d of %d attacks found, %d of %d look-alikes silent, %d false alerts\n", foundAttacks, attacks, silent, innocent, len(c.false))
}
