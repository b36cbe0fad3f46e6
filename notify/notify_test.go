package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
)

func TestTableIsSortedAndComplete(t *testing.T) {
	types := make([]string, 0, len(Table()))
	for _, s := range Table() {
		types = append(types, s.Type)
		if s.Doc == "" || s.Default == nil || s.Default() == nil {
			t.Errorf("%s lacks a description or settings", s.Type)
		}
		if found, ok := Find(s.Type); !ok || found.Type != s.Type {
			t.Errorf("%s is not found", s.Type)
		}
	}
	if !slices.IsSorted(types) || len(slices.Compact(slices.Clone(types))) != len(types) {
		t.Errorf("types are not in order, or not unique: %s", types)
	}
	if _, ok := Find("nonsense"); ok {
		t.Error("found a type that is not there")
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	cause := errors.New("503 Service Unavailable")
	for text, want := range map[string]time.Duration{
		"120":                           2 * time.Minute,
		"0":                             0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute,
		"":                              -1,
		"-5":                            -1,
		"soon":                          -1,
		"99999999999999999999":          -1,
		"Fri, 02 Jan 2026 03:00:00 GMT": -1, // over already
	} {
		err := RetryAfter(http.Header{"Retry-After": {text}}, now, cause)
		if !errors.Is(err, cause) {
			t.Errorf("%q: lost the cause: %v", text, err)
		}
		var retry *RetryAfterError
		switch found := errors.As(err, &retry); {
		case found != (want >= 0):
			t.Errorf("%q: got %v", text, err)
		case found && retry.After != want:
			t.Errorf("%q: got %v, want %v", text, retry.After, want)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	const value = "hunter2"
	settings := struct{ Token Secret }{NewSecret(value)}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "settings", settings, "token", settings.Token)
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %q %x", settings, settings, settings, settings, settings, settings.Token) + log.String() + string(text)
	if strings.Contains(all, value) || strings.Contains(all, fmt.Sprintf("%x", value)) {
		t.Errorf("the secret is in %s", all)
	}
	if settings.Token.Reveal() != value || settings.Token.IsZero() || !(Secret{}).IsZero() {
		t.Error("the secret is lost")
	}
}

func testNotice(n int) alert.Notice {
	return alert.Notice{Seq: int64(n), Alert: &alert.Alert{ID: fmt.Sprintf("a-%d", n), Revision: 1, Severity: detect.Low}}
}

func TestJSONLinesEndsHalfALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	if err := os.WriteFile(path, []byte(`{"alert":{"id":"a-0`), 0o600); err != nil {
		t.Fatal(err)
	}
	sink, err := (&JSONLines{Path: path}).Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range [][]alert.Notice{{testNotice(1), testNotice(2)}, {testNotice(3)}} {
		if n, err := sink.Deliver(t.Context(), batch); n != len(batch) || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for line := range strings.Lines(string(text)) {
		var n alert.Notice
		if err := json.Unmarshal([]byte(line), &n); err == nil {
			ids = append(ids, n.Key())
		}
	}
	if want := []string{"a-1/1", "a-2/1", "a-3/1"}; !slices.Equal(ids, want) {
		t.Errorf("got %s, want %s in %s", ids, want, text)
	}
}

func TestJSONLinesErrors(t *testing.T) {
	if err := (&JSONLines{}).Validate(); err == nil {
		t.Error("no path: no error")
	}
	sink, err := (&JSONLines{Path: filepath.Join(t.TempDir(), "absent", "out")}).Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := sink.Deliver(t.Context(), []alert.Notice{testNotice(1)}); n != 0 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: got %d, %v", n, err)
	}
	var nan float64
	nan /= nan
	bad := testNotice(2)
	bad.Alert.Score = nan
	path := filepath.Join(t.TempDir(), "out")
	if sink, err = (&JSONLines{Path: path}).Open(Options{}); err != nil {
		t.Fatal(err)
	}
	if n, err := sink.Deliver(t.Context(), []alert.Notice{testNotice(1), bad, testNotice(3)}); n != 1 || !errors.Is(err, ErrRejected) {
		t.Errorf("a notice that cannot be written: got %d, %v", n, err)
	}
}
