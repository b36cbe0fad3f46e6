package baseline

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func days(capacity int) Memory[int, uint16] {
	return newMemory(capacity, func(day uint16) uint16 { return day }, cmp.Compare[int], nil)
}

func keysOf[K comparable, V any](m *Memory[K, V], compare func(a, b K) int) (keys []K) {
	for k := range m.All {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys
}

func TestMemoryForgetsTheOldest(t *testing.T) {
	m := days(3)
	for _, e := range []struct {
		key  int
		day  uint16
		lost uint16 // day of what is forgotten, 0 for nothing
	}{
		{1, 5, 0},
		{2, 4, 0},
		{3, 6, 0},
		{2, 7, 0}, // known: no room needed
		{4, 7, 5}, // 1 was not seen for longest
		{5, 7, 6}, // then 3
	} {
		old, full := m.Put(e.key, e.day)
		if old != e.lost || full != (e.lost != 0) {
			t.Errorf("Put(%d, %d) = %d, %v; want to forget %d", e.key, e.day, old, full, e.lost)
		}
	}
	if got := keysOf(&m, cmp.Compare[int]); !slices.Equal(got, []int{2, 4, 5}) || m.Len() != 3 {
		t.Errorf("%v are left, want 2, 4 and 5", got)
	}
}

// TestMemoryOrder: what is forgotten must not depend on the order of a map, or
// two runs on the same capture would differ.
func TestMemoryOrder(t *testing.T) {
	var want []int
	for run := range 20 {
		m := days(50)
		rng := rand.New(rand.NewPCG(1, 1))
		for range 500 {
			m.Put(rng.IntN(200), uint16(rng.IntN(3))) // many of the same age
		}
		got := keysOf(&m, cmp.Compare[int])
		if run == 0 {
			want = got
		} else if !slices.Equal(got, want) {
			t.Fatalf("run %d remembers %v, the first %v", run, got, want)
		}
	}
}

func TestMemoryJSON(t *testing.T) {
	m := days(3)
	for k := range 3 {
		m.Put(k, uint16(k))
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if want := `[{"k":0,"v":0},{"k":1,"v":1},{"k":2,"v":2}]`; string(b) != want {
		t.Errorf("written as %s, want %s", b, want)
	}
	got := days(3)
	got.Put(99, 9)
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if keys := keysOf(&got, cmp.Compare[int]); !slices.Equal(keys, []int{0, 1, 2}) {
		t.Errorf("read back %v", keys)
	}
	small := days(2)
	if err := json.Unmarshal(b, &small); err == nil {
		t.Error("three entries in a memory for two: no error")
	}
	for _, hostile := range []string{`{}`, `[{"k":"x"}]`, `[{"k":1,"v":-1}]`, `[{"k":1,"v":70000}]`, `7`} {
		got := days(3)
		if err := json.Unmarshal([]byte(hostile), &got); err == nil {
			t.Errorf("%s: no error", hostile)
		}
	}
	twice := days(3)
	if err := json.Unmarshal([]byte(`[{"k":1,"v":1},{"k":1,"v":2}]`), &twice); err != nil || twice.Len() != 1 {
		t.Errorf("a key given twice: %d entries, error %v; want one", twice.Len(), err)
	}
}

func TestKeysTouch(t *testing.T) {
	k := newKeys(4, cmp.Compare[int])
	if k.Touch(1, 0) {
		t.Error("touched a key that was never added")
	}
	k.Add(1, 0)
	for _, day := range []uint16{0, 0, 1, 1, 5, 6, 7} {
		if !k.Touch(1, day) {
			t.Errorf("day %d: not known", day)
		}
	}
	if s, _ := k.Get(1); s != (Seen{First: 0, Last: 7, Days: Established}) {
		t.Errorf("seen on five days: %+v", s)
	}
}

func TestKeysOnce(t *testing.T) {
	k := newKeys(100, cmp.Compare[int])
	const today = 70
	k.Add(1, 69)         // once
	k.Add(2, 10)         // once, at the edge of the window
	k.Add(3, 9)          // once, before the window
	k.Add(4, 60)         //
	k.Touch(4, 61)       // twice
	k.Add(5, today)      // new
	k.Add(6, today)      // new
	k.AddAlias(7, 69)    // another name of something known
	k.AddAlias(8, today) //
	k.Add(9, 69)         //
	k.Flag(9, 69)        // raised an alert
	k.Flag(10, today)    // met during an incident
	k.Add(11, 69)        //
	k.Touch(11, today)   // second day
	all := func(int) bool { return true }
	if q1, fresh := k.Once(today, all); q1 != 2 || fresh != 2 {
		t.Errorf("q1 %d, fresh %d; want 2, 2", q1, fresh)
	}
	if q1, fresh := k.Once(today, func(key int) bool { return key == 1 || key == 5 }); q1 != 1 || fresh != 1 {
		t.Errorf("of keys 1 and 5: q1 %d, fresh %d; want 1, 1", q1, fresh)
	}
	if got := k.Fresh(today); got != 3 {
		t.Errorf("Fresh = %d, want 3: the flagged one included", got)
	}
}

// TestKeysLost: a device that meets more new keys than there is room for must
// not look like one that never meets any.
func TestKeysLost(t *testing.T) {
	k := newKeys(50, cmp.Compare[int])
	all := func(int) bool { return true }
	key := 0
	for day := range uint16(30) {
		for range 10 {
			k.Add(key, day)
			key++
		}
	}
	// 300 keys, each met once, 290 of them before today. 40 of those are kept;
	// 250 were forgotten, decaying with 60 days: on average those of ten days
	// to thirty weigh about e^-(10/60), so that some 220 are expected.
	q1, fresh := k.Once(29, all)
	if q1 < 200 || q1 > 290 || fresh != 10 {
		t.Errorf("q1 %d, fresh %d; want about 250, 10", q1, fresh)
	}
	half, _ := k.Once(29, func(key int) bool { return key%2 == 0 })
	if half < q1*4/10 || half > q1*6/10 {
		t.Errorf("q1 of every second key is %d of %d", half, q1)
	}
	later, _ := k.Once(29+200, all) // out of the window, the forgotten decayed to e^-3.3
	if later > 15 {
		t.Errorf("q1 200 days later is %d, want what is left of 250: 9", later)
	}
	if k.Len() != 50 {
		t.Errorf("%d keys remembered in room for 50", k.Len())
	}
}

func TestKeysFlag(t *testing.T) {
	k := newKeys(4, cmp.Compare[int])
	k.Add(1, 3)
	k.Flag(1, 5)
	if s, _ := k.Get(1); s != (Seen{First: 3, Last: 3, Days: 1, Flagged: true}) {
		t.Errorf("known key: %+v", s)
	}
	k.Flag(2, 5)
	if s, ok := k.Get(2); !ok || s != (Seen{First: 5, Last: 5, Days: 1, Flagged: true}) {
		t.Errorf("key that was not learned: %+v, %v", s, ok)
	}
}

// TestKeysFlood: keys met during an incident must not push out what is normal.
func TestKeysFlood(t *testing.T) {
	k := newKeys(80, cmp.Compare[int])
	for i := range 80 {
		k.Add(i, 0)
	}
	for i := range 1000 {
		k.Flag(1000+i, 7)
	}
	normal := 0
	for _, s := range k.All {
		if !s.Flagged {
			normal++
		}
	}
	if want := 80 - 80/maxFlagged; normal != want {
		t.Errorf("%d of 80 normal keys are left after a flood, want %d", normal, want)
	}
	k.Flag(5000, 8)
	if _, ok := k.Get(5000); !ok {
		t.Error("a key flagged on the next day is not remembered")
	}
}

func TestKeysCrowd(t *testing.T) {
	k := newKeys(80, cmp.Compare[int])
	k.Add(1, 3)
	for i := range crowd {
		if k.Crowd(100, 7) {
			t.Errorf("%d keys that raised alerts are a crowd, want %d", i, crowd)
		}
		k.Flag(10+i, 7)
	}
	for _, tt := range []struct {
		key   int
		today uint16
		want  bool
	}{
		{100, 7, true}, // unknown
		{10, 7, true},  // one of them
		{1, 7, false},  // known before
		{100, 8, false},
	} {
		if got := k.Crowd(tt.key, tt.today); got != tt.want {
			t.Errorf("key %d on day %d: %v, want %v", tt.key, tt.today, got, tt.want)
		}
	}
}

func TestKeysJSON(t *testing.T) {
	k := newKeys(20, cmp.Compare[int])
	for i := range 40 {
		k.Add(i, uint16(i))
	}
	b, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	got := newKeys(20, cmp.Compare[int])
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for _, today := range []uint16{39, 50, 90} {
		a, c := k.lostBy(today), got.lostBy(today)
		if a != c || a == 0 {
			t.Errorf("forgotten by day %d: %v before, %v after", today, a, c)
		}
	}
	if err := got.validate(39); err != nil {
		t.Error(err)
	}
	if err := got.validate(38); err == nil {
		t.Error("a key seen tomorrow: no error")
	}
}

func TestDynamicPorts(t *testing.T) {
	for port, want := range map[uint16]uint16{0: 0, 443: 443, 32767: 32767, 32768: 32768, 40000: 32768, 65535: 32768} {
		if got := NewServiceKey(WAN, 6, port); got != (Service{Scope: WAN, Proto: 6, Port: want}) {
			t.Errorf("port %d: %+v, want port %d", port, got, want)
		}
	}
}

func TestEntities(t *testing.T) {
	// printf example.com | sha256sum | cut -c 1-16
	if got := EntityOf("example.com"); got != 0xa379a6f6eeafb9a5 {
		t.Errorf("EntityOf(example.com) = %#x", uint64(got))
	}
	long := strings.Repeat("a", 1000)
	if EntityOf(long) == EntityOf(long+"a") {
		t.Error("long names collide")
	}
	if n := testing.AllocsPerRun(100, func() { EntityOf("host.example.com") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLongNames(t *testing.T) {
	m := NewModel(noon)
	name := strings.Repeat("x", 200) + ".example.com"
	issuer := strings.Repeat("ä", 2000)
	m.Clarity.Put(name, Clarity{Encrypted: 7})
	m.Chains.Put(Endpoint{name, 443}, Chain{Valid: 3, Issuer: issuer})
	m.Handshakes.Put(Client{Endpoint{name, 443}, name}, Handshakes{Count: 2})
	for range 2 {
		if s, ok := m.Clarity.Get(name); !ok || s.Encrypted != 7 {
			t.Errorf("clarity of a long name: %+v, %v", s, ok)
		}
		if s, ok := m.Chains.Get(Endpoint{name, 443}); !ok || s.Valid != 3 || len(s.Issuer) > maxIssuer || !strings.HasPrefix(issuer, s.Issuer) {
			t.Errorf("chain of a long name: %+v, %v", s, ok)
		}
		if s, ok := m.Handshakes.Get(Client{Endpoint{name, 443}, name}); !ok || s.Count != 2 {
			t.Errorf("handshakes with a long name: %+v, %v", s, ok)
		}
		if _, ok := m.Clarity.Get(name + "x"); ok {
			t.Error("long names are taken for each other")
		}
		m = restored(t, m)
	}
	short := strings.Repeat("x", maxName)
	if fitName(short) != short || fitName(fitName(name)) != fitName(name) {
		t.Error("a name that fits was changed")
	}
}

func BenchmarkKeysTouch(b *testing.B) {
	k := newKeys(maxDestinations, compareDestinations)
	var known [maxDestinations]Destination
	for i := range known {
		known[i] = Destination{NewServiceKey(WAN, 6, 443), EntityOf(fmt.Sprint(i))}
		k.Add(known[i], 0)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		k.Touch(known[i%len(known)], uint16(i/len(known)))
		i++
	}
}

func TestTouchDoesNotAllocate(t *testing.T) {
	k := newKeys(4, compareDestinations)
	d := Destination{NewServiceKey(WAN, 6, 443), EntityOf("example.com")}
	k.Add(d, 0)
	day := uint16(0)
	if n := testing.AllocsPerRun(100, func() { day++; k.Touch(d, day) }); n != 0 {
		t.Errorf("%v allocations to touch a known key on a new day", n)
	}
}

func BenchmarkKeysAddFull(b *testing.B) {
	k := newKeys(maxDestinations, compareDestinations)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		k.Add(Destination{NewServiceKey(WAN, 6, 443), Entity(i)}, uint16(i/1000))
		i++
	}
}

func BenchmarkKeysOnce(b *testing.B) {
	k := newKeys(maxDestinations, compareDestinations)
	for i := range maxDestinations {
		k.Add(Destination{NewServiceKey(WAN, 6, 443), Entity(i)}, uint16(i%60))
	}
	b.ReportAllocs()
	for b.Loop() {
		k.Once(59, func(d Destination) bool { return d.Scope == WAN })
	}
}
