package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Levels of a check.
const (
	checkOK   = "ok"
	checkNote = "note" // works less well than it might
	checkFail = "fail" // does not work
)

// check is one thing that the doctor looks at.
type check struct {
	Name  string `json:"name"`
	Level string `json:"level"`
	Found string `json:"found"`         // what is the case
	Fix   string `json:"fix,omitempty"` // what to do
}

// checkup is all of them. Capture says how live traffic would be captured:
// tcx, clsact, afpacket or none.
type checkup struct {
	Version string  `json:"version"`
	Kernel  string  `json:"kernel"`
	Capture string  `json:"capture"`
	Checks  []check `json:"checks"`
}

// add notes a check. A level other than ok comes with what to do.
func (c *checkup) add(name, level, found, fix string) {
	c.Checks = append(c.Checks, check{name, level, found, fix})
}

// errNoCapture is the doctor's worst finding.
var errNoCapture = errors.New("live traffic cannot be captured here; the lines marked fail say why")

func (a *app) doctor() *cobra.Command {
	var interfaces []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what this machine allows, and say what to do about the rest",
		Long: `Check whether and how live traffic can be captured on this machine, what would
stay hidden from it, and what else Gatehouse needs of the system. Nothing is
changed: what has to be tried is tried in a network namespace that goes away.
The exit code is 0 if live traffic can be captured in any way.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			c := examine(interfaces)
			c.Version = version
			var err error
			if asJSON {
				err = printJSON(a.stdout, c)
			} else {
				err = printCheckup(a.stdout, c)
			}
			if err == nil && c.Capture == "none" {
				err = errNoCapture
			}
			return err
		},
	}
	cmd.Flags().StringSliceVarP(&interfaces, "interface", "i", nil, "look at this `INTERFACE`; may be given several times (default: all that are up)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printCheckup writes the checks for people.
func printCheckup(w io.Writer, c *checkup) error {
	s := styleFor(w)
	var b strings.Builder
	for _, k := range c.Checks {
		mark := s.good(fmt.Sprintf("%-4s", k.Level))
		switch k.Level {
		case checkNote:
			mark = s.paint("33", k.Level)
		case checkFail:
			mark = s.bad(k.Level)
		}
		fmt.Fprintf(&b, "%s  %-22s %s\n", mark, k.Name, k.Found)
		if k.Fix != "" {
			fmt.Fprintf(&b, "%30s%s\n", "", s.dim("-> "+k.Fix))
		}
	}
	how := map[string]string{
		"tcx":      "eBPF, attached by TCX",
		"clsact":   "eBPF, attached by clsact",
		"afpacket": "AF_PACKET rings",
		"none":     "not at all",
	}[c.Capture]
	fmt.Fprintf(&b, "\n%s %s\n", s.bold("Live traffic can be captured by:"), how)
	_, err := io.WriteString(w, b.String())
	return err
}
