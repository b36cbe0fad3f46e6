package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gatehouse/store"
)

// column is one column of a listing.
type column[T any] struct {
	name  string
	value func(*T) string
}

// table is the columns in which a listing shows rows to people and in CSV.
type table[T any] []column[T]

// rows is a kind of what is stored: how it is read, what is said when there is
// none, and how it is shown.
type rows[T any] struct {
	read    func(*store.Store, context.Context, store.Filter) ([]T, error) // as a method of the store
	none    string
	columns table[T]
}

// list reads rows from the state that the flags name, and prints them.
func (r rows[T]) list(ctx context.Context, a *app, l *listing) (err error) {
	f, err := l.filter()
	if err != nil {
		return err
	}
	write, err := printer(a.stdout, l, r.columns)
	if err != nil {
		return err
	}
	st, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	found, err := r.read(st, ctx, f)
	if err != nil {
		return err
	}
	if len(found) == 0 && !l.asJSON && l.format == "table" {
		_, err := fmt.Fprintln(a.stdout, r.none)
		return err
	}
	return write(found)
}

// listCommand makes a command that lists rows, and returns its flags.
func listCommand[T any](a *app, use, short string, r rows[T]) (*cobra.Command, *listing) {
	l := &listing{}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return r.list(cmd.Context(), a, l) },
	}
	l.register(cmd)
	return cmd, l
}

// printer returns what writes rows in the format that the flags ask for, with
// a header above the first ones.
func printer[T any](w io.Writer, l *listing, t table[T]) (func([]T) error, error) {
	format := l.format
	if l.asJSON {
		format = "json"
	}
	header := make([]string, len(t))
	for i := range t {
		header[i] = t[i].name
	}
	cells := func(row *T) []string {
		out := make([]string, len(t))
		for i := range t {
			out[i] = t[i].value(row)
		}
		return out
	}
	switch format {
	case "json":
		return func(rows []T) error {
			for i := range rows {
				if err := printJSON(w, &rows[i]); err != nil {
					return err
				}
			}
			return nil
		}, nil
	case "csv":
		out := csv.NewWriter(w)
		begun := false
		return func(rows []T) error {
			if !begun {
				begun = true
				_ = out.Write(header) // Flush and Error tell
			}
			for i := range rows {
				_ = out.Write(inert(cells(&rows[i])))
			}
			out.Flush()
			return out.Error()
		}, nil
	case "table":
		begun := false
		return func(rows []T) error {
			tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			if !begun {
				begun = true
				fmt.Fprintln(tw, strings.ToUpper(strings.Join(header, "\t")))
			}
			for i := range rows {
				fmt.Fprintln(tw, strings.Join(cells(&rows[i]), "\t"))
			}
			return tw.Flush()
		}, nil
	}
	return nil, usageError{fmt.Errorf("--format %s: use table, json or csv", l.format)}
}

// inert puts an apostrophe before cells that a spreadsheet would take for a
// formula: names come from the network
// (https://owasp.org/www-community/attacks/CSV_Injection).
func inert(cells []string) []string {
	for i, c := range cells {
		if len(c) > 1 && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
			cells[i] = "'" + c
		}
	}
	return cells
}
