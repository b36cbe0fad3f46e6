package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/alert"
	"gatehouse/capture"
	"gatehouse/ebpf"
	"gatehouse/pipeline"
)

func (a *app) run() *cobra.Command {
	var f analysis
	var interfaces []string
	var duration time.Duration
	var filter, method, metricsAddr string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "run -i INTERFACE",
		Short: "Analyse live traffic",
		Long: `Capture from network interfaces, analyse what passes, and print alerts as they
come, until interrupted or for as long as --duration says. Packets never wait for
it: what it cannot read in time is counted and told at the end.

Where the kernel can, it counts flows by itself and hands out only what is worth
reading (--capture ebpf; needs root, or CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and
CAP_NET_RAW). Elsewhere every packet is read through AF_PACKET (--capture
afpacket; needs root or CAP_NET_RAW), as it is with --filter. By default the best
way that works is chosen for each interface.`,
		Example: `  gatehouse run -i br0 --state /var/lib/gatehouse
  gatehouse run -i eth1 -i eth2 --filter 'not port 22' --duration 1h`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(interfaces) == 0 {
				return usageError{errors.New("run: say where to capture with -i INTERFACE")}
			}
			live := capture.DefaultLiveConfig(interfaces...)
			choice, err := capture.ParseChoice(method)
			if err != nil {
				return usageError{fmt.Errorf("--capture: %w", err)}
			}
			if live.Filter, err = capture.ParseFilter(filter); err != nil {
				return usageError{fmt.Errorf("--filter: %w", err)}
			}
			ctx := cmd.Context()
			if duration > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, duration)
				defer cancel()
			}
			return a.runLive(ctx, live, choice, &f, metricsAddr, asJSON)
		},
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.StringSliceVarP(&interfaces, "interface", "i", nil, "capture from this `INTERFACE`; may be given several times")
	flags.StringVar(&method, "capture", string(capture.Auto), "`HOW` to capture: auto, ebpf, afpacket")
	flags.StringVar(&filter, "filter", "", "capture only what matches this `EXPRESSION`: host, net, port, vlan, ip, ip6, tcp, udp, arp, and, or, not")
	flags.StringVar(&metricsAddr, "metrics", "", "serve metrics for Prometheus at this `ADDRESS`, such as 127.0.0.1:9477 (default: none)")
	flags.DurationVar(&duration, "duration", 0, "stop after this `DURATION` (default: when interrupted)")
	flags.BoolVar(&asJSON, "json", false, "print alerts as JSON lines")
	return cmd
}

// runLive analyses live traffic until ctx ends, which is no error.
func (a *app) runLive(ctx context.Context, live capture.LiveConfig, choice capture.Choice, f *analysis, metricsAddr string, asJSON bool) (err error) {
	set, err := f.settings()
	if err != nil {
		return err
	}
	cfg, err := f.config(a.logger(), set)
	if err != nil {
		return err
	}
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // never fails, see there
	cfg.Flow.Seed = binary.NativeEndian.Uint64(seed[:])
	keep := keeping{dir: f.state, set: set}
	if metricsAddr != "" {
		m := newMetrics()
		keep.courier = &m.courier
		cfg.Status = func(s pipeline.Summary) { m.status.Store(&s) }
		stop, serveErr := m.serve(ctx, metricsAddr)
		if serveErr != nil {
			return usageError{serveErr}
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	src, err := capture.OpenSniffer(live, choice)
	if err != nil {
		if mistaken(err) {
			return usageError{err}
		}
		return err
	}
	for _, u := range src.Used() {
		fmt.Fprintln(a.stderr, howCaptured(u, choice))
	}
	fmt.Fprintln(a.stderr, "interrupt to stop")
	var printErr error
	out, err := a.judge(ctx, src, cfg, keep, func(al *alert.Alert) {
		if printErr == nil {
			printErr = a.announce(al, asJSON)
		}
	})
	err = errors.Join(err, src.Close())
	if ctx.Err() != nil && onlyStopped(err) {
		err = nil
	}
	if out != nil && printErr == nil {
		printErr = a.printRun(out, asJSON)
	}
	return errors.Join(err, printErr)
}

// mistaken reports whether the interfaces or options were wrong.
func mistaken(err error) bool {
	for _, e := range []error{capture.ErrNoInterface, capture.ErrCountedTwice, capture.ErrNeedsPackets, ebpf.ErrNoInterface} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// howCaptured says in one line how an interface is captured from, why not
// better, and what that costs.
func howCaptured(u capture.Used, choice capture.Choice) string {
	var how string
	switch u.Method {
	case capture.ByTCX:
		return fmt.Sprintf("capturing from %s: the kernel counts its flows (TCX)", u.Interface)
	case capture.ByClsact:
		how = "the kernel counts its flows (clsact); the filter stays if this process is killed, until the next run"
	case capture.ByRing:
		how = "every packet is read through AF_PACKET rings, and those that come too fast will be lost"
	default:
		return fmt.Sprintf("waiting for %s", u.Interface)
	}
	if choice == capture.OnlyRing || u.Refused == nil {
		return fmt.Sprintf("capturing from %s: %s", u.Interface, how)
	}
	return fmt.Sprintf("capturing from %s: %s. Why not better: %v", u.Interface, how, strings.ReplaceAll(u.Refused.Error(), "\n", "; "))
}

// onlyStopped reports whether an error says nothing but that ctx has ended.
func onlyStopped(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// announce prints an alert at the moment at which it is raised.
func (a *app) announce(al *alert.Alert, asJSON bool) error {
	if asJSON {
		return printJSON(a.stdout, al)
	}
	var b strings.Builder
	s := styleFor(a.stdout)
	fmt.Fprintf(&b, "%s  %s  %s\n", shortTime(al.Time), s.severity(al.Severity), s.dim("incident "+al.Incident))
	writeAlert(&b, al, s)
	_, err := fmt.Fprintln(a.stdout, b.String())
	return err
}

// printRun tells at the end what was seen. The alerts have been printed.
func (a *app) printRun(o *outcome, asJSON bool) error {
	if asJSON {
		_, err := fmt.Fprintln(a.stderr, summaryLine(o.summary))
		return err
	}
	var b strings.Builder
	s := styleFor(a.stdout)
	writeSummary(&b, o.summary, s)
	_, err := fmt.Fprint(a.stdout, b.String())
	return err
}
