package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/alert"
)

// withSinks opens a store with sinks.
func withSinks(tb testing.TB, opts Options, names ...string) *Store {
	tb.Helper()
	s := openT(tb, tb.TempDir(), opts)
	if err := s.SetSinks(tb.Context(), names); err != nil {
		tb.Fatal(err)
	}
	return s
}

// revision is an alert called id at a revision.
func revision(id string, rev int, sev uint8) Batch {
	var a alert.Alert
	a.ID, a.Revision, a.State = id, rev, alert.Open
	a.Severity += 0
	for range sev {
		a.Severity++
	}
	return Batch{Alerts: []alert.Alert{a}}
}

// keys are the waiting notices behind a position.
func keys(tb testing.TB, s *Store, after int64) (out []string) {
	tb.Helper()
	list, err := s.Waiting(tb.Context(), after, 1000)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range list {
		out = append(out, list[i].Key())
	}
	return out
}

func standing(tb testing.TB, s *Store, sink string) alert.Standing {
	tb.Helper()
	st, err := s.Resume(tb.Context(), sink)
	if err != nil {
		tb.Fatal(err)
	}
	return st
}

func settled(tb testing.TB, s *Store, st alert.Settlement) {
	tb.Helper()
	if err := s.Settle(tb.Context(), st); err != nil {
		tb.Fatal(err)
	}
}

func stateOf(tb testing.TB, s *Store, sink string) SinkState {
	tb.Helper()
	all, err := s.Sinks(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	i := slices.IndexFunc(all, func(st SinkState) bool { return st.Name == sink })
	if i < 0 {
		tb.Fatalf("no sink %s in %v", sink, all)
	}
	return all[i]
}

func TestOutboxKeepsWhatIsNotSettled(t *testing.T) {
	s := withSinks(t, Options{}, "a", "b")
	b := revision("x", 1, 1)
	b.Incidents = []alert.Incident{{ID: "i", Revision: 1, Severity: 1}}
	checkpoint(t, s, b)
	checkpoint(t, s, b) // the same again is nothing new
	checkpoint(t, s, revision("y", 1, 1))
	list, err := s.Waiting(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := keys(t, s, 0), []string{"x/1", "i/1", "y/1"}; !cmp.Equal(got, want) {
		t.Fatalf("got %s, want %s", got, want)
	}
	if list[1].Incident == nil || list[1].Alert != nil || list[0].Alert == nil {
		t.Errorf("got %+v", list)
	}

	settled(t, s, alert.Settlement{Place: "a", Cursor: list[2].Seq, Delivered: 3})
	if got := keys(t, s, 0); len(got) != 3 {
		t.Errorf("b has not settled them, but there is only %s", got)
	}
	settled(t, s, alert.Settlement{Place: "b", Cursor: list[1].Seq})
	if got, want := keys(t, s, 0), []string{"y/1"}; !cmp.Equal(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	// A late settlement of an earlier place changes nothing.
	settled(t, s, alert.Settlement{Place: "a", Cursor: 1})
	if got := standing(t, s, "a").Cursor; got != list[2].Seq {
		t.Errorf("the cursor went back to %d", got)
	}
	// b is taken out of the configuration: nobody waits for anything.
	if err := s.SetSinks(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, s, 0); len(got) != 0 {
		t.Errorf("kept for nobody: %s", got)
	}
	if _, err := s.Resume(t.Context(), "absent"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown sink: %v", err)
	}
	if err := s.Settle(t.Context(), alert.Settlement{Place: "absent"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown sink: %v", err)
	}
}

func TestNothingIsQueuedWithoutSinks(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	checkpoint(t, s, revision("x", 1, 1))
	if got := keys(t, s, 0); len(got) != 0 {
		t.Errorf("got %s", got)
	}
	if err := s.SetSinks(t.Context(), []string{"late"}); err != nil {
		t.Fatal(err)
	}
	checkpoint(t, s, revision("y", 1, 1))
	if got, want := keys(t, s, standing(t, s, "late").Cursor), []string{"y/1"}; !cmp.Equal(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// An alert that changes while nobody listens takes two rows at most, and the
// last change is told.
func TestChangesWhileASinkIsDown(t *testing.T) {
	s := withSinks(t, Options{}, "up", "down")
	var position int64
	for rev := 1; rev <= 50; rev++ {
		checkpoint(t, s, revision("x", rev, 1))
		list, err := s.Waiting(t.Context(), position, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != 1 || list[0].Revision() != rev {
			t.Fatalf("revision %d: up gets %v", rev, list)
		}
		position = list[0].Seq
		settled(t, s, alert.Settlement{Place: "up", Cursor: position, Delivered: 1})
	}
	if got, want := keys(t, s, 0), []string{"x/50", "x/50"}; !cmp.Equal(got, want) {
		t.Errorf("down gets %s, want %s", got, want)
	}
}

// A change between the reading of a notice and its settlement is not lost.
func TestChangeOnTheWay(t *testing.T) {
	s := withSinks(t, Options{}, "a")
	checkpoint(t, s, revision("x", 1, 1))
	checkpoint(t, s, revision("x", 2, 1)) // nobody has read it: one row
	list, err := s.Waiting(t.Context(), 0, 10)
	if err != nil || len(list) != 1 || list[0].Revision() != 2 {
		t.Fatalf("got %v, %v", list, err)
	}
	checkpoint(t, s, revision("x", 3, 1))
	settled(t, s, alert.Settlement{Place: "a", Cursor: list[0].Seq, Delivered: 1})
	if got, want := keys(t, s, list[0].Seq), []string{"x/3"}; !cmp.Equal(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOutboxIsBounded(t *testing.T) {
	s := withSinks(t, Options{MaxWaiting: 100}, "up", "down")
	// Critical, high, medium and low in turn, 40 of each but the low ones.
	for i := range 160 {
		checkpoint(t, s, revision(fmt.Sprintf("%d-%03d", 4-i%4, i), 1, uint8(4-i%4)))
		if i == 39 {
			list, err := s.Waiting(t.Context(), 0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			settled(t, s, alert.Settlement{Place: "up", Cursor: list[len(list)-1].Seq, Delivered: len(list)})
		}
	}
	left := keys(t, s, 0)
	if len(left) > 100 || len(left) < 85 {
		t.Errorf("%d rows are left of 160, at most 100 are allowed", len(left))
	}
	count := map[byte]int{}
	for _, k := range left {
		count[k[0]]++
	}
	if count['4'] != 40 || count['3'] != 40 || count['1'] >= 20 {
		t.Errorf("left by severity: %v; the lowest should go first", count)
	}
	down, up := stateOf(t, s, "down"), stateOf(t, s, "up")
	if int(down.Dropped)+len(left) != 160 {
		t.Errorf("down: %d dropped and %d left of 160", down.Dropped, len(left))
	}
	if int(up.Dropped)+up.Waiting != 120 {
		t.Errorf("up had 40 before: %d dropped and %d waiting of 120", up.Dropped, up.Waiting)
	}
}

func TestLetters(t *testing.T) {
	dir := t.TempDir()
	s := openT(t, dir, Options{})
	if err := s.SetSinks(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	checkpoint(t, s, revision("x", 1, 1))
	checkpoint(t, s, revision("y", 1, 1))
	list, err := s.Waiting(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	at := epoch2024
	held := alert.Letter{Seq: list[0].Seq, Ref: "x", Attempts: 3, Since: at, Next: at.Add(time.Minute), Error: "500", Notice: list[0]}
	dead := alert.Letter{Seq: list[1].Seq, Ref: "y", Dead: true, Attempts: 10, Since: at, Error: "413 too large", Notice: list[1]}
	settled(t, s, alert.Settlement{Place: "a", Cursor: list[1].Seq, Hold: []alert.Letter{held, dead}, Failing: at, Error: "500", At: at})

	if got := keys(t, s, 0); len(got) != 0 {
		t.Errorf("settled rows are still there: %s", got)
	}
	if diff := cmp.Diff([]alert.Letter{held}, standing(t, s, "a").Letters); diff != "" {
		t.Errorf("letters (-want +got):\n%s", diff)
	}
	got, err := s.DeadLetters(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]alert.Letter{dead}, got); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	want := SinkState{Name: "a", Active: true, Held: 1, Dead: 1, Failing: at, Error: "500"}
	if diff := cmp.Diff(want, stateOf(t, s, "a")); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}

	beside := openT(t, dir, Options{Beside: true})
	if n, err := beside.Retry(t.Context(), "a"); n != 1 || err != nil {
		t.Errorf("retry: %d, %v", n, err)
	}
	if _, err := beside.Retry(t.Context(), "absent"); !errors.Is(err, ErrNotFound) {
		t.Errorf("retry of an unknown sink: %v", err)
	}
	if got := standing(t, s, "a").Letters; len(got) != 2 || got[1].Attempts != 0 || got[1].Next.After(at) {
		t.Errorf("after retry: %+v", got)
	}
	settled(t, s, alert.Settlement{Place: "a", Release: []int64{list[0].Seq, list[1].Seq}, Delivered: 2, At: at})
	want = SinkState{Name: "a", Active: true, Delivered: 2, Last: at}
	if diff := cmp.Diff(want, stateOf(t, s, "a")); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

func TestSetState(t *testing.T) {
	dir := t.TempDir()
	s := openT(t, dir, Options{})
	if err := s.SetSinks(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	b := revision("a-one", 1, 1)
	b.Alerts[0].Incident = "i-one"
	two := revision("a-two", 1, 2).Alerts[0]
	two.Incident = "i-one"
	b.Alerts = append(b.Alerts, two)
	b.Incidents = []alert.Incident{{ID: "i-one", Revision: 1, Severity: 2, State: alert.Open}}
	checkpoint(t, s, b)
	list, err := s.Waiting(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	position := list[len(list)-1].Seq
	settled(t, s, alert.Settlement{Place: "a", Cursor: position, Delivered: 3})

	beside := openT(t, dir, Options{Beside: true})
	changed, err := beside.SetState(t.Context(), "a-o", alert.Acknowledged)
	if err != nil || !cmp.Equal(changed, []string{"a-one"}) {
		t.Fatalf("acknowledge: %v, %v", changed, err)
	}
	if changed, err := beside.SetState(t.Context(), "a-one", alert.Acknowledged); err != nil || changed != nil {
		t.Errorf("again: %v, %v", changed, err)
	}
	// The next repetition does not open it again, nor does the sink hear so.
	repetition := revision("a-one", 3, 3)
	repetition.Alerts[0].Incident = "i-one"
	checkpoint(t, s, repetition)
	got, err := s.Alert(t.Context(), "a-one")
	if err != nil || got.State != alert.Acknowledged || got.Revision != 3 || got.Severity.String() != "high" {
		t.Errorf("after a repetition: %+v, %v", got, err)
	}
	waiting, err := s.Waiting(t.Context(), position, 10)
	if err != nil || len(waiting) == 0 {
		t.Fatal(waiting, err)
	}
	for _, n := range waiting {
		if n.Alert.State != alert.Acknowledged {
			t.Errorf("the sink is told %s of %s", n.Alert.State, n.Key())
		}
	}

	changed, err = beside.SetState(t.Context(), "i-one", alert.Closed)
	slices.Sort(changed)
	if err != nil || !cmp.Equal(changed, []string{"a-one", "a-two", "i-one"}) {
		t.Errorf("close the incident: %v, %v", changed, err)
	}
	decisions, err := s.Decisions(t.Context(), 0)
	if err != nil || len(decisions) != 4 || decisions[0].State != alert.Acknowledged || decisions[0].Revision != 2 || decisions[0].Ref != "a-one" {
		t.Errorf("decisions: %+v, %v", decisions, err)
	}
	if list, err := s.Alerts(t.Context(), Filter{State: alert.Closed}); err != nil || len(list) != 2 {
		t.Errorf("closed alerts: %v, %v", list, err)
	}

	if _, err := beside.SetState(t.Context(), "a", alert.Closed); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("ambiguous: %v", err)
	}
	if _, err := beside.SetState(t.Context(), "zzz", alert.Closed); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	if _, err := beside.SetState(t.Context(), "a-one", "gone"); err == nil {
		t.Error("unknown state: no error")
	}
	reader := openT(t, dir, Options{ReadOnly: true})
	if _, err := reader.SetState(t.Context(), "a-one", alert.Open); !errors.Is(err, ErrReadOnly) {
		t.Errorf("read-only: %v", err)
	}
}
