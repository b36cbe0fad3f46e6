package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"gatehouse/alert"
	"gatehouse/store"
)

// decide makes the commands by which people say what an alert has come to.
func (a *app) decide() []*cobra.Command {
	make := func(use, short, long string, state alert.State) *cobra.Command {
		var l listing
		cmd := &cobra.Command{
			Use:   use + " ID…",
			Short: short,
			Long:  long + "\n\nAn id is that of an alert or of an incident with all its alerts; its first\ncharacters are enough. It works beside a running gatehouse.",
			Args:  usageArgs(cobra.MinimumNArgs(1)),
			RunE: func(cmd *cobra.Command, ids []string) (err error) {
				st, err := l.openWith(cmd.Context(), store.Options{Beside: true})
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, st.Close()) }()
				return a.setStates(cmd.Context(), st, ids, state)
			},
		}
		l.register(cmd)
		return cmd
	}
	return []*cobra.Command{
		make("ack", "Acknowledge alerts: somebody is on it",
			"Acknowledge alerts: they count on, and who wants to hear of important changes\nonly is left in peace.", alert.Acknowledged),
		make("close", "Close alerts: they are dealt with",
			"Close alerts: they are dealt with. If the same thing is seen again an hour later,\nit is a new alert.", alert.Closed),
		make("reopen", "Open alerts again", "Open alerts again that were acknowledged or closed.", alert.Open),
	}
}

func (a *app) setStates(ctx context.Context, st *store.Store, ids []string, state alert.State) error {
	for _, id := range ids {
		changed, err := st.SetState(ctx, id, state)
		if err != nil {
			return err
		}
		for _, c := range changed {
			fmt.Fprintf(a.stdout, "%s %s\n", c, state)
		}
		if len(changed) == 0 {
			fmt.Fprintf(a.stdout, "%s is %s already\n", id, state)
		}
	}
	return nil
}

func (a *app) backup() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy the state, also while gatehouse runs",
		Long: `Write a copy of the state, as of one moment, into a directory that has none yet.
The copy is checked, and is a state directory itself: look at it with --state DIR,
and bring it back by putting it in the place of the other. An encrypted state
gives an encrypted copy with the same key.`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			st, err := l.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, st.Close()) }()
			if err := st.Backup(cmd.Context(), args[0]); err != nil {
				if errors.Is(err, fs.ErrExist) {
					return usageError{err}
				}
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "state of %s copied to %s\n", st.Dir(), args[0])
			return err
		},
	}
	l.register(cmd)
	return cmd
}
