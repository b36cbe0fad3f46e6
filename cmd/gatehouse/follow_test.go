package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/store"
)

// What is stored while somebody follows is printed, what changes again too,
// and an interrupt is the regular end.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(t.Context(), dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	put := func(id string, rev int) {
		t.Helper()
		a := alert.Alert{ID: id, Revision: rev, Count: rev, State: alert.Open, Severity: detect.High, Kind: detect.DNSTunnel}
		if err := st.Checkpoint(t.Context(), store.Batch{Alerts: []alert.Alert{a}}); err != nil {
			t.Fatal(err)
		}
	}
	put("a-1", 1)
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"alerts", "--state", dir, "--follow", "--format", "csv"}, strings.NewReader(""), in, io.Discard)
		_ = in.Close()
	}()
	lines := bufio.NewScanner(out)
	expect := func(want string) {
		t.Helper()
		if !lines.Scan() || !strings.Contains(lines.Text(), want) {
			t.Errorf("got %q, want %q", lines.Text(), want)
		}
	}
	expect("time,severity")
	expect("1,open,a-1")
	put("a-2", 1)
	expect("1,open,a-2")
	put("a-1", 7)
	expect("7,open,a-1")
	cancel()
	for lines.Scan() {
		t.Errorf("more: %q", lines.Text())
	}
	if got := <-code; got != exitOK {
		t.Errorf("exit code %d", got)
	}
}
