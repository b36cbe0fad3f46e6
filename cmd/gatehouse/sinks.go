package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/alert"
	"gatehouse/store"
)

func (a *app) sinks() *cobra.Command {
	cmd, _ := listCommand(a, "sinks", "Show how the sinks do: what waits, what failed and why", sinkRows())
	cmd.AddCommand(a.deadLetters(), a.retryLetters())
	return cmd
}

func sinkRows() rows[store.SinkState] {
	number := func(name string, value func(*store.SinkState) int64) column[store.SinkState] {
		return column[store.SinkState]{name, func(s *store.SinkState) string { return fmt.Sprint(value(s)) }}
	}
	read := func(st *store.Store, ctx context.Context, _ store.Filter) ([]store.SinkState, error) {
		return st.Sinks(ctx)
	}
	return rows[store.SinkState]{read, "no sinks: name some in a configuration, and run with --config FILE", table[store.SinkState]{
		{"sink", func(s *store.SinkState) string { return s.Name }},
		{"state", sinkWord},
		number("waiting", func(s *store.SinkState) int64 { return int64(s.Waiting) }),
		number("held", func(s *store.SinkState) int64 { return int64(s.Held) }),
		number("dead", func(s *store.SinkState) int64 { return int64(s.Dead) }),
		number("delivered", func(s *store.SinkState) int64 { return s.Delivered }),
		number("dropped", func(s *store.SinkState) int64 { return s.Dropped }),
		{"oldest", func(s *store.SinkState) string { return momentOrDash(s.Oldest) }},
		{"last", func(s *store.SinkState) string { return momentOrDash(s.Last) }},
		{"error", func(s *store.SinkState) string { return orDash(s.Error) }},
	}}
}

// sinkWord says how a sink does.
func sinkWord(s *store.SinkState) string {
	switch {
	case !s.Active:
		return "not configured"
	case !s.Failing.IsZero():
		return "failing since " + shortTime(s.Failing)
	case s.Last.IsZero():
		return "idle"
	}
	return "works"
}

func momentOrDash(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return shortTime(t)
}

func (a *app) deadLetters() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "dead NAME",
		Short: "List what a sink has refused for good, and why",
		Args:  usageArgs(cobra.ExactArgs(1)),
		RunE:  func(cmd *cobra.Command, args []string) error { return letterRows(args[0]).list(cmd.Context(), a, &l) },
	}
	l.register(cmd)
	return cmd
}

// letterRows are the dead letters of a sink.
func letterRows(sink string) rows[alert.Letter] {
	read := func(st *store.Store, ctx context.Context, _ store.Filter) ([]alert.Letter, error) {
		return st.DeadLetters(ctx, sink)
	}
	return rows[alert.Letter]{read, "no dead letters", table[alert.Letter]{
		{"since", func(x *alert.Letter) string { return momentOrDash(x.Since) }},
		{"id", func(x *alert.Letter) string { return x.Ref }},
		{"attempts", func(x *alert.Letter) string { return fmt.Sprint(x.Attempts) }},
		{"error", func(x *alert.Letter) string { return x.Error }},
	}}
}

func (a *app) retryLetters() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "retry NAME",
		Short: "Let what a sink has refused be tried again",
		Long: `Let the dead letters of a sink be tried again, for instance after its settings
were mended. A running gatehouse begins within seconds, another with its next run.`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			st, err := l.openWith(cmd.Context(), store.Options{Beside: true})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, st.Close()) }()
			n, err := st.Retry(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			_, err = io.WriteString(a.stdout, fmt.Sprintf("%d dead letters of %s will be tried again\n", n, args[0]))
			return err
		},
	}
	l.register(cmd)
	return cmd
}
