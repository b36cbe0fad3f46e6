package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) check() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Check a configuration file",
		Long: `Read a configuration file as "gatehouse run" would, with its secrets and keys,
make all sinks, and stop. Nothing is sent and nothing is written.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if name == "" {
				return usageError{errors.New("say which file to check with --config FILE")}
			}
			return a.checkFile(name)
		},
	}
	cmd.Flags().StringVar(&name, "config", "", "the configuration `FILE` (required)")
	return cmd
}

func (a *app) checkFile(name string) error {
	s, err := loadSettings(name)
	if err != nil {
		return err
	}
	if _, err := s.Store.key(); err != nil {
		return err
	}
	list, err := s.deliveries(a.logger())
	if err != nil {
		return err
	}
	if err := closeSinks(list); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s is fine\n", name)
	state := "state: none (set store.path or give --state DIR)"
	if s.Store.Path != "" {
		state = "state: " + s.Store.Path
	}
	if s.Store.Encryption.KeyFile != "" || s.Store.Encryption.Credential != "" {
		state += ", encrypted with " + string(s.Store.Encryption.Cipher)
	}
	fmt.Fprintln(&b, state)
	for _, sink := range s.Sinks {
		fmt.Fprintf(&b, "sink: %s (%s)\n", sink.name, sink.kind)
	}
	if len(s.Sinks) == 0 {
		fmt.Fprintln(&b, "sinks: none")
	}
	_, err = fmt.Fprint(a.stdout, b.String())
	return err
}
