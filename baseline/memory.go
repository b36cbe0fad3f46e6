package baseline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Memory is a map with a capacity. At capacity the entry that was not seen for
// the longest time, in active days, is forgotten; ties are broken by key, so
// that what is forgotten never depends on the order of a map.
type Memory[K comparable, V any] struct {
	m       map[K]V
	cap     int
	day     func(V) uint16
	compare func(a, b K) int
	fit     func(K, V) (K, V) // bounds the text in an entry; nil where there is none
}

func newMemory[K comparable, V any](capacity int, day func(V) uint16, compare func(a, b K) int, fit func(K, V) (K, V)) Memory[K, V] {
	return Memory[K, V]{m: make(map[K]V), cap: capacity, day: day, compare: compare, fit: fit}
}

// Get returns what is remembered under a key.
func (m *Memory[K, V]) Get(key K) (V, bool) {
	if m.fit != nil {
		var none V
		key, _ = m.fit(key, none)
	}
	v, ok := m.m[key]
	return v, ok
}

// Put remembers v under a key. It returns what had to be forgotten for it.
func (m *Memory[K, V]) Put(key K, v V) (forgotten V, full bool) {
	if m.fit != nil {
		key, v = m.fit(key, v)
	}
	if _, known := m.m[key]; !known && len(m.m) >= m.cap {
		forgotten, full = m.forgetOldest(), true
	}
	m.m[key] = v
	return forgotten, full
}

func (m *Memory[K, V]) forgetOldest() V {
	var oldest K
	var age uint16
	found := false
	for k, v := range m.m {
		d := m.day(v)
		if !found || d < age || (d == age && m.compare(k, oldest) < 0) {
			oldest, age, found = k, d, true
		}
	}
	v := m.m[oldest]
	delete(m.m, oldest)
	return v
}

// Len is the number of keys remembered.
func (m *Memory[K, V]) Len() int { return len(m.m) }

// All is an iterator over the entries, in no particular order. Keys with long
// names are yielded as they are kept, see fitName.
func (m *Memory[K, V]) All(yield func(K, V) bool) {
	for k, v := range m.m {
		if !yield(k, v) {
			return
		}
	}
}

type entry[K, V any] struct {
	Key   K `json:"k"`
	Value V `json:"v"`
}

// MarshalJSON writes the entries in the order of their keys.
func (m Memory[K, V]) MarshalJSON() ([]byte, error) {
	entries := make([]entry[K, V], 0, len(m.m))
	for _, k := range slices.SortedFunc(maps.Keys(m.m), m.compare) {
		entries = append(entries, entry[K, V]{k, m.m[k]})
	}
	return json.Marshal(entries)
}

// UnmarshalJSON replaces the entries of a Memory made by newMemory; more than
// its capacity is an error.
func (m *Memory[K, V]) UnmarshalJSON(b []byte) error {
	var entries []entry[K, V]
	if err := json.Unmarshal(b, &entries); err != nil {
		return err
	}
	if len(entries) > m.cap {
		return fmt.Errorf("%d entries in a memory for %d", len(entries), m.cap)
	}
	m.m = make(map[K]V, len(entries))
	for _, e := range entries {
		m.Put(e.Key, e.Value)
	}
	return nil
}

// maxName and maxIssuer bound the text kept in an entry, in bytes. Most server
// names are shorter, a JA4 has 36 and people are shown 80 of an issuer; hostile
// ones are kilobytes long.
const (
	maxName   = 48
	maxIssuer = 80
)

// fitName returns a name of at most maxName bytes, a longer one as its hash.
// A fitted name stays as it is.
func fitName(name string) string {
	if len(name) <= maxName {
		return name
	}
	return fmt.Sprintf("#%016x", hashString(name))
}

func fitHandshakes(c Client, h Handshakes) (Client, Handshakes) {
	c.Name, c.JA4 = fitName(c.Name), fitName(c.JA4)
	return c, h
}

func fitChain(e Endpoint, c Chain) (Endpoint, Chain) {
	e.Name = fitName(e.Name)
	if len(c.Issuer) > maxIssuer {
		c.Issuer = strings.Clone(strings.ToValidUTF8(c.Issuer[:maxIssuer], ""))
	}
	return e, c
}

func fitClarity(name string, c Clarity) (string, Clarity) { return fitName(name), c }
