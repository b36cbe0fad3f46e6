package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/alert"
	"gatehouse/capture"
	"gatehouse/detect"
	"gatehouse/pipeline"
	"gatehouse/rules"
	"gatehouse/store"
	"gatehouse/wire"
)

// analysis holds the flags of commands that judge traffic.
type analysis struct {
	configFile string

	state   string
	budget  string
	learn   time.Duration
	roots   []string
	local   []string
	workers int
}

func (f *analysis) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.configFile, "config", "", "read where state is kept and where alerts go from this `FILE`")
	flags.StringVar(&f.state, "state", "", "keep devices, baselines and alerts in this `DIR`, and go on from there")
	flags.StringVar(&f.budget, "budget", "balanced", "false alerts that you will put up with per device and month: quiet (0.3), balanced (1), sensitive (5) or a `NUMBER`")
	flags.DurationVar(&f.learn, "learn", 0, "only learn from a device for this `DURATION` after its first packet (default: as long as the models need)")
	flags.StringSliceVar(&f.roots, "roots", nil, "trust the certificate authorities in this PEM `FILE` besides the built-in ones")
	flags.StringSliceVar(&f.local, "local", nil, "treat these `PREFIXES` as the local network (default: private ranges and what DHCP assigns)")
	flags.IntVar(&f.workers, "workers", 0, "flow workers, 1 to 64 (default: one less than processors); results do not depend on it")
}

// settings reads the configuration file, if one is named. What flags say comes
// before it.
func (f *analysis) settings() (*settings, error) {
	if f.configFile == "" {
		return nil, nil //nolint:nilnil // no file is no error
	}
	s, err := loadSettings(f.configFile)
	if err != nil {
		return nil, err
	}
	if f.state != "" {
		s.Store.Path = f.state
	}
	f.state = s.Store.Path
	if f.state == "" && len(s.Sinks) > 0 {
		return nil, usageError{fmt.Errorf("%s: sinks need a state, in which waits what they have not taken: set store.path or give --state DIR", f.configFile)}
	}
	return s, nil
}

// config builds the pipeline's configuration from the flags.
func (f *analysis) config(log *slog.Logger, set *settings) (pipeline.Config, error) {
	cfg := pipeline.DefaultConfig()
	cfg.Log = log
	if set != nil {
		cfg.WearPerDay, cfg.Retention = int64(set.Store.WritePerDay), set.Store.retention()
	}
	budget, err := alert.ParseBudget(f.budget)
	if err != nil {
		return cfg, usageError{fmt.Errorf("--budget: %w", err)}
	}
	cfg.Alert = alert.Config{Budget: budget, Playbook: rules.PlaybookName}
	if f.workers != 0 {
		cfg.Workers = f.workers
	}
	for _, s := range f.local {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return cfg, usageError{fmt.Errorf("--local %s: want a prefix such as 192.168.1.0/24", s)}
		}
		cfg.Device.Local = append(cfg.Device.Local, p.Masked())
	}
	cfg.Detect.Learn = f.learn
	if cfg.Detect.Roots, err = trusted(f.roots); err != nil {
		return cfg, err
	}
	if err := cfg.Validate(); err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

// trusted is the built-in pool of authorities and those of the given files.
func trusted(files []string) (*x509.CertPool, error) {
	pool, err := wire.DefaultRoots()
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, usageError{fmt.Errorf("--roots: %w", err)}
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, usageError{fmt.Errorf("--roots %s: no PEM certificate found", name)}
		}
	}
	return pool, nil
}

func (a *app) replay() *cobra.Command {
	var f analysis
	var asJSON bool
	var failOn string
	cmd := &cobra.Command{
		Use:   "replay FILE…",
		Short: "Analyse captured traffic",
		Long: `Analyse pcap or pcapng files, plain or compressed with gzip; "-" is standard
input. Several files are merged by packet time. With --state, what was learned
is kept, and the next replay goes on where this one stopped.

With --json, each alert is printed as one JSON object on a line of its own, and
the summary goes to standard error.`,
		Example: `  gatehouse replay monday.pcap tuesday.pcap.gz
  gatehouse replay --state ./state --learn 72h week.pcapng
  tcpdump -i br0 -w - | gatehouse replay -`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			limit := detect.Severity(0)
			if failOn != "" {
				var err error
				if limit, err = detect.ParseSeverity(failOn); err != nil {
					return usageError{fmt.Errorf("--fail-on: %w", err)}
				}
			}
			out, err := a.analyse(cmd.Context(), files, &f)
			if out == nil || err != nil && out.summary.Flow.Packets == 0 {
				return err
			}
			if printErr := a.printReplay(out, asJSON); printErr != nil {
				return printErr
			}
			if err != nil {
				return err
			}
			return failAt(out, limit)
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print alerts as JSON lines")
	cmd.Flags().StringVar(&failOn, "fail-on", "", "exit with 3 if there is a new alert of this `SEVERITY` or above: low, medium, high, critical")
	return cmd
}

// outcome is what an analysis found.
type outcome struct {
	summary   *pipeline.Summary
	alerts    []alert.Alert // raised in this run, in order
	incidents []alert.Incident
}

// analyse runs files through the pipeline. A damaged file gives an outcome and
// an error.
func (a *app) analyse(ctx context.Context, files []string, f *analysis) (*outcome, error) {
	set, err := f.settings()
	if err != nil {
		return nil, err
	}
	cfg, err := f.config(a.logger(), set)
	if err != nil {
		return nil, err
	}
	src, err := a.open(files)
	if err != nil {
		return nil, err
	}
	bar := a.progress("analysing")
	cfg.Progress = bar.set
	out, err := a.judge(ctx, src, cfg, keeping{f.state, set, nil}, nil)
	bar.done()
	return out, errors.Join(err, src.Close())
}

// keeping says where a run keeps its state and whom it tells.
type keeping struct {
	dir     string    // "" for no state
	set     *settings // nil without a configuration file
	courier *live     // is given the courier as long as it runs; may be nil
}

// open opens the state, nil if there is none.
func (k *keeping) open(ctx context.Context, log *slog.Logger) (*store.Store, error) {
	if k.dir == "" {
		return nil, nil //nolint:nilnil // no state is no error
	}
	opts := store.Options{Log: log}
	if k.set != nil {
		var err error
		opts.MaxWaiting = k.set.Store.MaxWaiting
		if opts.Key, err = k.set.Store.key(); err != nil {
			return nil, err
		}
	}
	return store.Open(ctx, k.dir, opts)
}

// judge runs a source through the pipeline and keeps the outcome in a state
// directory, if one is named. raised is told of each alert; without it, the
// alerts are in the outcome.
func (a *app) judge(ctx context.Context, src capture.Source, cfg pipeline.Config, keep keeping, raised func(*alert.Alert)) (_ *outcome, err error) {
	st, err := keep.open(ctx, cfg.Log)
	if err != nil {
		return nil, err
	}
	var state pipeline.State
	if st != nil {
		defer func() { err = errors.Join(err, st.Close()) }()
		state = st
		out, err := startDelivery(ctx, keep.set, st, cfg.Log)
		if err != nil {
			return nil, err
		}
		if out != nil {
			state = telling{st, out.courier}
			defer out.finish(ctx)
			cfg.Status, cfg.EveryMinute = out.join(cfg.Status), out.wantsSeries()
			if keep.courier != nil {
				keep.courier.Store(out.courier)
			}
		}
	}
	var ids []string
	sum, err := pipeline.Run(ctx, src, state, cfg, func(al *alert.Alert) {
		if raised != nil {
			raised(al)
			return
		}
		ids = append(ids, al.ID)
	})
	if sum == nil {
		return nil, err
	}
	found := &outcome{summary: sum, alerts: sum.Changes.Alerts, incidents: sum.Changes.Incidents}
	if st != nil {
		if loadErr := found.load(context.WithoutCancel(ctx), st, ids); loadErr != nil {
			return nil, errors.Join(err, loadErr)
		}
	}
	return found, err
}

// open opens capture files; one that is not there is the user's mistake.
func (a *app) open(files []string) (capture.Source, error) {
	src, err := capture.Open(files, capture.WithStdin(a.stdin))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, usageError{err}
	}
	return src, err
}

// load reads what was raised in this run back from the store.
func (o *outcome) load(ctx context.Context, st *store.Store, raised []string) error {
	seen := make(map[string]bool)
	for _, id := range raised {
		al, err := st.Alert(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // the store failed, and says so
		}
		if err != nil {
			return err
		}
		o.alerts = append(o.alerts, al)
		if seen[al.Incident] {
			continue
		}
		seen[al.Incident] = true
		in, err := st.Incident(ctx, al.Incident)
		if err != nil {
			return err
		}
		o.incidents = append(o.incidents, in)
	}
	return nil
}

// failAt turns alerts at or above a severity into the exit code for them.
func failAt(o *outcome, limit detect.Severity) error {
	if limit == 0 {
		return nil
	}
	for i := range o.alerts {
		if o.alerts[i].Severity >= limit {
			return exitCode{code: exitAlerts}
		}
	}
	return nil
}

func (a *app) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
