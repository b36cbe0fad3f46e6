package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/alert"
	"gatehouse/notify/format"
)

func TestFileRotates(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "eve.json")
	sink := open(t, &File{Path: path, Format: "eve", RotateMiB: 1, Keep: 2})
	big := testNotice(0)
	big.Alert.Summary = strings.Repeat("x", 600<<10) // a line has it twice: one is enough for a file
	names := func() []string {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return out
	}
	for i, want := range [][]string{
		{"eve.json"},
		{"eve.json", "eve.json.1"},
		{"eve.json", "eve.json.1", "eve.json.2"},
		{"eve.json", "eve.json.1", "eve.json.2"},
	} {
		n := big
		a := *big.Alert
		a.ID = []string{"a-0", "a-1", "a-2", "a-3"}[i]
		n.Alert = &a
		deliverAll(t, sink, []alert.Notice{n})
		if got := names(); !slices.Equal(got, want) {
			t.Errorf("after %d: files %s, want %s", i+1, got, want)
		}
	}
	for file, id := range map[string]string{path: "a-3", path + ".1": "a-2", path + ".2": "a-1"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var line struct {
			EventType string `json:"event_type"`
			Gatehouse alert.Notice
		}
		if err := json.Unmarshal(text, &line); err != nil || line.EventType != "alert" || line.Gatehouse.ID() != id {
			t.Errorf("%s holds %.60s, %v; want %s", file, text, err, id)
		}
	}
	// A gap, as a crash leaves one, and none to keep.
	if err := os.Remove(path + ".1"); err != nil {
		t.Fatal(err)
	}
	deliverAll(t, sink, []alert.Notice{big})
	deliverAll(t, open(t, &File{Path: path, Format: "text", RotateMiB: 1}), []alert.Notice{testNotice(9)})
	if text, err := os.ReadFile(path); err != nil || len(text) > 1000 {
		t.Errorf("%d bytes are left, %v", len(text), err)
	}
}

func TestFileErrors(t *testing.T) {
	for key, c := range map[string]*File{
		"path": {Format: "json"}, "format": {Path: "x", Format: "xml"}, "rotate_mib": {Path: "x", Format: "json", RotateMiB: -1}, "keep": {Path: "x", Format: "json", Keep: 1001},
	} {
		var field *FieldError
		if _, err := c.Open(testOptions()); !errors.As(err, &field) || field.Key != key {
			t.Errorf("%+v: got %v, want one about %s", c, err, key)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(t.TempDir(), "out")
	if n, err := open(t, &File{Path: path, Format: "json"}).Deliver(ctx, testNotices(t)); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %d, %v", n, err)
	}
	// A full disk takes part of a line; the next attempt begins a new one.
	if _, err := os.Stat("/dev/full"); err == nil {
		if n, err := open(t, &File{Path: "/dev/full", Format: "json"}).Deliver(t.Context(), testNotices(t)); n != 0 || err == nil || errors.Is(err, ErrRejected) {
			t.Errorf("a full disk: %d, %v", n, err)
		}
	}
	if n, err := open(t, &File{Path: t.TempDir(), Format: "json", RotateMiB: 1}).Deliver(t.Context(), testNotices(t)); n != 0 || err == nil {
		t.Errorf("a folder: %d, %v", n, err)
	}
}

func TestStdout(t *testing.T) {
	var out bytes.Buffer
	for _, name := range []string{"text", "cef", "json"} {
		out.Reset()
		s := open(t, &Stdout{Format: name}).(*stdout)
		s.out = &out
		notices := testNotices(t)
		deliverAll(t, s, notices)
		f, err := findFormat(name)
		if err != nil {
			t.Fatal(err)
		}
		want, _, err := renderLines(notices, f, format.Meta{Site: "plant 3", Version: "1.2.3"})
		if err != nil || out.String() != string(want) {
			t.Errorf("%s: %v\n%s", name, err, &out)
		}
	}
	if _, err := (&Stdout{Format: "xml"}).Open(testOptions()); err == nil {
		t.Error("opened with a format that is not there")
	}
}

// TestStdoutNobodyReads: a pipe that is full does not hold the Courier up, and
// goes on where it stopped when it is read again.
func TestStdoutNobodyReads(t *testing.T) {
	r, w := io.Pipe()
	s := open(t, &Stdout{Format: "text"}).(*stdout)
	s.out = w
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if n, err := s.Deliver(ctx, testNotices(t)[:1]); n != 0 || !errors.Is(err, errStuck) {
			t.Errorf("accepted %d, %v", n, err)
		}
		cancel()
	}
	read := make(chan string)
	go func() {
		text, err := io.ReadAll(r)
		if err != nil {
			t.Error(err)
		}
		read <- string(text)
	}()
	deliverAll(t, s, testNotices(t)[:1])
	_ = w.Close()
	if text := <-read; strings.Count(text, "\n") != 2 {
		t.Errorf("got %q, want what was stuck and what came after", text)
	}
	if n, err := s.Deliver(t.Context(), testNotices(t)); n != 0 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a closed pipe: accepted %d, %v", n, err)
	}
}
