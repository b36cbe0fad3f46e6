package alert

import (
	"testing"

	"gatehouse/detect"
)

func TestAcknowledgedAlertsCountOn(t *testing.T) {
	b := newBook()
	id := add(t, b, finding("tv", "example.com", noon)).ID
	b.Take()
	b.SetState(id, 2, Acknowledged)
	if again := b.Add(finding("tv", "example.com", noon+day), 1); again != nil {
		t.Fatalf("raised %s anew", again.ID)
	}
	got := b.Take().Alerts
	if len(got) != 1 || got[0].State != Acknowledged || got[0].Count != 2 || got[0].Revision != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestDecisionBesideAnUnstoredChange(t *testing.T) {
	b := newBook()
	id := add(t, b, finding("tv", "example.com", noon)).ID
	b.Take() // revision 1 is stored
	b.Add(finding("tv", "example.com", noon+minute), 1)
	b.SetState(id, 2, Acknowledged) // and so is 2, by somebody else
	if got := b.Take().Alerts; len(got) != 1 || got[0].Revision != 3 || got[0].Count != 2 {
		t.Errorf("the change would not be stored: %+v", got)
	}
	b.SetState("a-unknown", 7, Closed)
	if b.Dirty() {
		t.Error("a decision about nothing has changed something")
	}
}

func TestClosedAlertsEndWithTheirSubject(t *testing.T) {
	b := newBook()
	first := add(t, b, finding("tv", "example.com", noon)).ID
	b.Take()
	b.SetState(first, 2, Closed)
	// Connections that are just ending are no news, however long they drag on.
	for at := noon; at <= noon+hour; at += 20 * minute {
		if again := b.Add(finding("tv", "example.com", at), 1); again != nil {
			t.Fatalf("raised %s anew after %d minutes", again.ID, (at-noon)/minute)
		}
	}
	if got := b.Take().Alerts; len(got) != 1 || got[0].State != Closed || got[0].Count != 5 {
		t.Errorf("got %+v", got)
	}
	again := b.Add(finding("tv", "example.com", noon+hour+minute), 1)
	if again == nil || again.ID == first || again.State != Open {
		t.Fatalf("an hour later: %+v", again)
	}
	if got := b.Take().Alerts; len(got) != 1 || got[0].ID != again.ID {
		t.Errorf("the closed alert changed: %+v", got)
	}
}

func TestClosedIncidentsEnd(t *testing.T) {
	b := newBook()
	first := add(t, b, finding("tv", "example.com", noon))
	story := first.Incident
	b.Take()
	b.SetState(story, 2, Closed)
	b.SetState(first.ID, 2, Closed)
	if b.InIncident("tv", noon+minute) {
		t.Error("the device still learns nothing")
	}
	second := add(t, b, finding("tv", "example.net", noon+minute))
	if second.Incident == story {
		t.Error("a new alert became part of a closed incident")
	}
	// One cause on many devices does not revive it either.
	for _, d := range []string{"a", "b", "c"} {
		add(t, b, finding(d, "example.org", noon+2*minute))
	}
	for _, in := range b.Take().Incidents {
		if in.ID == story {
			t.Errorf("the closed incident changed: %+v", in)
		}
	}
}

func TestReopened(t *testing.T) {
	b := newBook()
	a := add(t, b, finding("tv", "example.com", noon))
	b.Take()
	b.SetState(a.ID, 2, Closed)
	b.SetState(a.ID, 3, Open)
	if again := b.Add(finding("tv", "example.com", noon+day), 1); again != nil {
		t.Errorf("raised %s anew", again.ID)
	}
	if got := b.Take().Alerts; len(got) != 1 || got[0].State != Open || got[0].Revision != 4 {
		t.Errorf("got %+v", got)
	}
}

func TestClosedAlertsDoNotTakeOverflow(t *testing.T) {
	b := newBook()
	var ids []string
	for i := range crowdedIncident {
		ids = append(ids, add(t, b, finding("tv", string(rune('a'+i)), noon)).ID)
	}
	b.Take()
	for _, id := range ids {
		b.SetState(id, 2, Closed)
	}
	f := finding("tv", "new", noon+2*hour)
	f.Severity = detect.High
	if b.Add(f, 1) == nil {
		t.Error("a new subject was counted on an alert that is closed")
	}
}
