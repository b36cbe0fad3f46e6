package baseline

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

func observeMany(h *Hourly, t int64, from, to int) {
	for i := from; i < to; i++ {
		h.Observe(t, EntityOf(fmt.Sprintf("host%d.example", i)))
	}
}

func TestHourlyCountsDistinct(t *testing.T) {
	h := newHourly(noon, 10)
	for i, want := range []struct {
		item  string
		n     int
		fresh bool
	}{{"a", 1, true}, {"b", 2, true}, {"a", 2, false}, {"", 3, true}} {
		if n, fresh := h.Observe(noon+int64(i), EntityOf(want.item)); n != want.n || fresh != want.fresh {
			t.Errorf("%q: %d, %v; want %d, %v", want.item, n, fresh, want.n, want.fresh)
		}
	}
}

func TestHourlyBoundary(t *testing.T) {
	h := newHourly(noon, 10)
	observeMany(&h, noon+hour-1, 0, 5)
	if h.Tail.Age != 0 {
		t.Fatalf("learned %d hours before the first was over", h.Tail.Age)
	}
	if n, fresh := h.Observe(noon+hour, EntityOf("host0.example")); n != 1 || !fresh {
		t.Errorf("first item of the second hour: %d, %v; want 1, true", n, fresh)
	}
	if h.Tail.Age != 1 || h.Start() != noon+hour {
		t.Errorf("learned %d hours, the next starts at %d; want 1, %d", h.Tail.Age, h.Start(), noon+hour)
	}
	if h.Tail.Bins[tailBin(5)] != 1 {
		t.Error("the hour was not learned as one of five")
	}
}

func TestHourlyIdle(t *testing.T) {
	h := newHourly(noon, 10)
	observeMany(&h, noon, 0, 5)
	h.Advance(noon + 3*hour + hour/2) // its own hour and two empty ones
	if h.Tail.Age != 3 || h.Start() != noon+3*hour {
		t.Errorf("learned %d hours, the next starts at %d; want 3, %d", h.Tail.Age, h.Start(), noon+3*hour)
	}
	h.Advance(noon + 720*hour)
	if want := 3 + 1 + maxIdleHours; h.Tail.Age != want {
		t.Errorf("a month off counts as %d hours, want %d", h.Tail.Age, want)
	}
}

func TestHourlySpoil(t *testing.T) {
	h := newHourly(noon, 10)
	observeMany(&h, noon, 0, 50)
	h.Spoil()
	h.Advance(noon + hour)
	if h.Tail.Age != 0 {
		t.Error("an hour with an incident was learned")
	}
	observeMany(&h, noon+hour, 0, 5)
	h.Advance(noon + 2*hour)
	if h.Tail.Age != 1 || h.Tail.Bins[tailBin(50)] != 0 {
		t.Errorf("after the incident: learned %d hours, of them %v of 50; want 1, 0", h.Tail.Age, h.Tail.Bins[tailBin(50)])
	}
}

func TestHourlyClockSetBack(t *testing.T) {
	for _, back := range []int64{noon, 74 * 8766 * hour, 2 * hour} {
		h := newHourly(noon+74*8766*hour, 10)
		observeMany(&h, h.Start(), 0, 5)
		now := h.Start() - back
		if n, _ := h.Observe(now, EntityOf("a")); n != 1 || h.Start() != now || h.Tail.Age != 0 {
			t.Errorf("back by %d hours: %d items in the hour from %d, learned %d; want 1 from %d, 0",
				back/hour, n, h.Start(), h.Tail.Age, now)
		}
		h.Advance(now + hour)
		if h.Tail.Age != 1 {
			t.Errorf("back by %d hours: the hour does not end", back/hour)
		}
	}
	h := newHourly(noon, 10)
	h.Observe(noon, EntityOf("a"))
	if n, _ := h.Observe(noon-hour/2, EntityOf("b")); n != 2 {
		t.Errorf("half an hour back: %d items, want 2 in one hour", n)
	}
}

func TestHourlyBound(t *testing.T) {
	h := newHourly(noon, 10)
	observeMany(&h, noon, 0, 3*maxDistinct)
	if n, fresh := h.Observe(noon, EntityOf("one more")); n != maxDistinct || fresh {
		t.Errorf("beyond the bound: %d, %v; want %d, false", n, fresh, maxDistinct)
	}
	h.Advance(noon + hour)
	if n, fresh := h.Observe(noon+hour, EntityOf("one more")); n != 1 || !fresh {
		t.Errorf("next hour: %d, %v; want 1, true", n, fresh)
	}
}

func TestHourlyP(t *testing.T) {
	h := newHourly(noon, 10)
	h.Tail = *trained(10, 100, 0)
	observeMany(&h, noon, 0, 20)
	// .0015844, see TestTailByHand, times 48 looks.
	if got := h.P(48); !near(got, .07605, 1e-3) {
		t.Errorf("P = %v, want .07605", got)
	}
	if got := h.P(1e6); got != 1 {
		t.Errorf("P = %v with a million looks, want 1", got)
	}
}

func TestHourlyJSON(t *testing.T) {
	h := newHourly(noon, 10)
	observeMany(&h, noon, 0, 30)
	h.Spoil()
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	got := newHourly(0, 10)
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if n, fresh := got.Observe(noon, EntityOf("host3.example")); n != 30 || fresh {
		t.Errorf("known item after restoring: %d, %v; want 30, false", n, fresh)
	}
	if n, fresh := got.Observe(noon, EntityOf("new.example")); n != 31 || !fresh {
		t.Errorf("new item after restoring: %d, %v; want 31, true", n, fresh)
	}
	if got.Advance(noon + hour); got.Tail.Age != 0 {
		t.Error("the spoilt hour was learned after restoring")
	}
	if got.Tail.Floor != 10 {
		t.Errorf("floor %v after restoring, want that of the code", got.Tail.Floor)
	}
	for name, text := range map[string]string{
		"cut hash": `{"items":"AAAA"}`,
		"no list":  `{"items":[1]}`,
	} {
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	many, err := json.Marshal(hourlyState{Items: make([]byte, 8*(maxDistinct+1))})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(many, &got); err == nil {
		t.Error("more items than fit: no error")
	}
}

func BenchmarkHourlyObserve(b *testing.B) {
	h := newHourly(noon, 10)
	observeMany(&h, noon, 0, 100)
	b.ReportAllocs()
	for b.Loop() {
		h.Observe(noon+1, EntityOf("host50.example"))
	}
}

// A burst that runs over the end of an hour is not learned from its first part:
// the second part must be as surprising as if it had come alone.
func TestHourlyHighHourWaits(t *testing.T) {
	burst := func(h *Hourly, at int64, n int) float64 {
		for i := range n {
			h.Observe(at, EntityOf(fmt.Sprint(at, i)))
		}
		return h.P(1)
	}
	const hour = int64(time.Hour)
	given := func() *Hourly { // a hundred quiet hours
		h := newHourly(0, 10)
		h.Advance(100 * hour)
		for i := range int64(100) {
			h.Advance((100 + i) * hour)
		}
		return &h
	}
	alone := given()
	alone.Advance(200 * hour)
	want := burst(alone, 200*hour, 300)

	split := given()
	burst(split, 199*hour, 60)
	got := burst(split, 200*hour, 300)
	if got > want*1.02 { // one hour less was trained on
		t.Errorf("second part of a burst: p = %.3g, alone %.3g", got, want)
	}

	// Six quiet hours later it is part of what is normal after all.
	split.Advance(207 * hour)
	if again := burst(split, 207*hour, 300); again <= got {
		t.Errorf("p = %.3g after an earlier burst was learned, %.3g before", again, got)
	}

	// What led to an incident is not learned.
	spoilt := given()
	burst(spoilt, 199*hour, 60)
	burst(spoilt, 200*hour, 300)
	spoilt.Spoil()
	spoilt.Advance(207 * hour)
	if p := burst(spoilt, 207*hour, 300); p > want*1.1 {
		t.Errorf("p = %.3g after an incident, %.3g before", p, want)
	}
}
