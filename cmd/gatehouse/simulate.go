package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/sim"
)

func (a *app) simulate() *cobra.Command {
	cfg := sim.DefaultConfig()
	var out, start string
	cmd := &cobra.Command{
		Use:   "simulate --out DIR",
		Short: "Write labelled traffic of a simulated home",
		Long: `Write a month of traffic of a simulated home as a pcap file, with attacks and
with innocent events that look like attacks, and labels that say which is which.
The same seed gives the same files.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return usageError{errors.New("simulate: say where to with --out DIR")}
			}
			t, err := time.Parse(time.DateOnly, start)
			if err != nil {
				return usageError{fmt.Errorf("--start %s: want a date such as 2026-01-05", start)}
			}
			cfg.Start = t
			home, err := sim.New(cfg)
			if err != nil {
				return usageError{err}
			}
			bar := a.progress("simulating")
			err = home.WriteDir(out, func(done, total int) { bar.set(int64(done), int64(total)) })
			bar.done()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "wrote %s, %s and %s to %s: %d days, %d labelled events\n",
				sim.CaptureFile, sim.LabelsFile, sim.RootsFile, out, cfg.Days, len(home.Labels()))
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&out, "out", "", "write into this `DIR`, made if it does not exist")
	flags.Uint64Var(&cfg.Seed, "seed", cfg.Seed, "`NUMBER` from which all randomness is drawn")
	flags.IntVar(&cfg.Days, "days", cfg.Days, "length in `DAYS`")
	flags.StringVar(&start, "start", cfg.Start.Format(time.DateOnly), "first `DATE`")
	flags.BoolVar(&cfg.Attacks, "attacks", cfg.Attacks, "include attacks")
	flags.BoolVar(&cfg.LookAlikes, "look-alikes", cfg.LookAlikes, "include innocent events that look like attacks")
	return cmd
}
