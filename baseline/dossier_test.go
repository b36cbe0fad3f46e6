package baseline

import (
	"testing"
	"time"
)

func TestDossierLooks(t *testing.T) {
	var d Dossier
	var looks []int
	for n := 1; n <= 1000; n++ {
		if d.Connect(noon + int64(n)*hour) {
			looks = append(looks, n)
		}
	}
	want := []int{8, 16, 32, 64, 128, 256, 512}
	if len(looks) != len(want) {
		t.Fatalf("judged at %v connections, want %v", looks, want)
	}
	for i := range want {
		if looks[i] != want[i] {
			t.Fatalf("judged at %v connections, want %v", looks, want)
		}
	}
	if len(d.Gaps) != maxGaps || cap(d.Gaps) > maxGaps || d.Gaps[maxGaps-1] != 3600 {
		t.Errorf("%d gaps in room for %d, the last %v; want %d of 3600 s", len(d.Gaps), cap(d.Gaps), d.Gaps, maxGaps)
	}
}

func TestDossierConnectOutOfOrder(t *testing.T) {
	var d Dossier
	d.Connect(noon)
	d.Connect(noon - hour)
	d.Connect(noon + hour)
	if d.Gaps[0] != 0 || d.Gaps[1] != 3600 || d.Last != noon+hour {
		t.Errorf("gaps %v, last %d; want 0 and 3600, %d", d.Gaps, d.Last, noon+hour)
	}
}

func TestDossierP(t *testing.T) {
	const literal, port = 1 << 0, 1 << 2
	table := NewMarkTable(.15, .15, .3, .01, .2)
	d := Dossier{Rate: .0116} // 25 days: .3/26
	if got, want := d.P(table), AtLeastOne(.0116, 1); got != want {
		t.Errorf("no marks: %v, want the novelty alone, %v", got, want)
	}
	d.Marks = literal | port
	marked := d.P(table)
	if want := AtLeastOne(.0116, table.P(literal|port)); marked != want {
		t.Errorf("marks: %v, want %v", marked, want)
	}
	// 116 connections every 270 s: regularity .001, number 8/116 = .069,
	// marks .1434. -2 ln of their product is 13.816+5.348+3.884 = 23.05; six
	// degrees: exp(-11.524)*(1+11.524+66.40) = 7.81e-4. times .0116: 9.06e-6.
	for i := range 116 {
		d.Connect(noon + int64(i)*int64(270*time.Second))
	}
	if got := d.P(table); !near(got, 9.06e-6, .01) {
		t.Errorf("beacon with marks: %v, want 9.06e-6", got)
	}
	d.Marks = 0
	// Without marks: x = 13.816+5.348 = 19.16, four degrees:
	// exp(-9.582)*(1+9.582) = 7.30e-4; times .0116: 8.46e-6.
	if got := d.P(table); !near(got, 8.46e-6, .01) {
		t.Errorf("beacon without marks: %v, want 8.46e-6", got)
	}
	// Irregular traffic with an odd destination stays as odd as the marks.
	d = Dossier{Rate: .0116, Marks: literal | port}
	at := noon
	for i := range 10 {
		at += int64(1) << (2 * i) * int64(time.Second)
		d.Connect(at)
	}
	if got := d.P(table); got > marked*(1+1e-9) {
		t.Errorf("ten irregular connections made it less odd: %v after %v", got, marked)
	}
}

func TestDossiers(t *testing.T) {
	m := NewModel(noon)
	key := func(i int) Destination { return Destination{NewServiceKey(WAN, 6, 443), Entity(i)} }
	if m.Dossier(key(1), noon) != nil {
		t.Fatal("found a dossier that was never opened")
	}
	m.OpenDossier(key(1), noon, .1).Connect(noon)
	for _, tt := range []struct {
		at   int64
		open bool
	}{{noon, true}, {noon + int64(DossierLife), true}, {noon + int64(DossierLife) + 1, false}} {
		if got := m.Dossier(key(1), tt.at) != nil; got != tt.open {
			t.Errorf("%s after it was opened: open %v, want %v", time.Duration(tt.at-noon), got, tt.open)
		}
	}
	if len(m.Dossiers) != 0 {
		t.Error("a dossier that is over was kept")
	}
	m.OpenDossier(key(1), noon+74*8766*hour, .1)
	if m.Dossier(key(1), noon) != nil {
		t.Error("a dossier from the year 2100 is open in 2026")
	}
	for i := range maxDossiers + 3 {
		m.OpenDossier(key(i), noon+int64(i), .1)
	}
	if len(m.Dossiers) != maxDossiers || m.Dossier(key(2), noon) != nil || m.Dossier(key(3), noon) == nil {
		t.Errorf("%d dossiers, the third of %d open: %v; want %d without the first three",
			len(m.Dossiers), maxDossiers+3, m.Dossier(key(2), noon) != nil, maxDossiers)
	}
}

func TestDowngradeP(t *testing.T) {
	if got := DowngradeP(0); got != .004 { // .5 / 125
		t.Errorf("DowngradeP(0) = %v, want .004", got)
	}
	if got := DowngradeP(25); !near(got, .5/150, 1e-12) {
		t.Errorf("DowngradeP(25) = %v, want .5/150", got)
	}
}

func TestClearTextP(t *testing.T) {
	if got := ClearTextP(0, 25); !near(got, .05/150, 1e-12) { // .1 * .5 / 150
		t.Errorf("first time: %v, want .05/150", got)
	}
	// A browser that did so 20 times in 25 days: .1 * 20.5 / 150 = .01367.
	if got := ClearTextP(20, 25); !near(got, .0136667, 1e-4) {
		t.Errorf("21st time: %v, want .01367", got)
	}
	if got := ClearTextP(65535, 0); got != 1 {
		t.Errorf("a device that does nothing else: %v, want 1", got)
	}
}

// A client whose connections fail tries again every second: that is one attempt,
// not a beacon of eight.
func TestDossierRetriesAreOneAttempt(t *testing.T) {
	var d Dossier
	for i := range int64(20) {
		if d.Connect(noon + i*int64(time.Second)) {
			t.Fatalf("retry %d is judged as a rhythm", i)
		}
	}
	if d.Connections != 1 || len(d.Gaps) != 0 {
		t.Errorf("%d connections with %d gaps, want one attempt", d.Connections, len(d.Gaps))
	}
	// A beacon every ten seconds is still one, once a minute.
	for i := range int64(60) {
		d.Connect(noon + int64(time.Hour) + i*int64(10*time.Second))
	}
	if d.Connections != 11 {
		t.Errorf("%d connections, want the first and ten minutes' worth", d.Connections)
	}
}
