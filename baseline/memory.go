package baseline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Memory is a map with a capacity. At capacity the entry that was not seen for
// the longest time, in active days, is forgotten; ties are broken by key, so
// that what is forgotten never depends on the order of a map.
type Memory[K comparable, V any] struct {
	m       map[K]V
	cap     int
	day     func(V) uint16
	compare func(a, b K) int
}

func newMemory[K comparable, V any](capacity int, day func(V) uint16, compare func(a, b K) int) Memory[K, V] {
	return Memory[K, V]{m: make(map[K]V), cap: capacity, day: day, compare: compare}
}

// Get returns what is remembered under a key.
func (m *Memory[K, V]) Get(key K) (V, bool) {
	v, ok := m.m[key]
	return v, ok
}

// Put remembers v under a key. It returns what had to be forgotten for it.
func (m *Memory[K, V]) Put(key K, v V) (forgotten V, full bool) {
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

// All calls yield for every key, in no particular order.
func (m *Memory[K, V]) All(yield func(K, V) bool) {
	for k, v := range m.m {
		if !yield(k, v) {
			return
		}
	}
}

// Sorted returns the keys in their order.
func (m *Memory[K, V]) Sorted() []K { return slices.SortedFunc(maps.Keys(m.m), m.compare) }

type entry[K, V any] struct {
	Key   K `json:"k"`
	Value V `json:"v"`
}

// MarshalJSON writes the entries in the order of their keys.
func (m Memory[K, V]) MarshalJSON() ([]byte, error) {
	entries := make([]entry[K, V], 0, len(m.m))
	for _, k := range m.Sorted() {
		entries = append(entries, entry[K, V]{k, m.m[k]})
	}
	return json.Marshal(entries)
}

// UnmarshalJSON reads entries into a Memory made by newMemory; more than its
// capacity is an error.
func (m *Memory[K, V]) UnmarshalJSON(b []byte) error {
	var entries []entry[K, V]
	if err := json.Unmarshal(b, &entries); err != nil {
		return err
	}
	if len(entries) > m.cap {
		return fmt.Errorf("%d entries in a memory for %d", len(entries), m.cap)
	}
	for _, e := range entries {
		m.m[e.Key] = e.Value
	}
	return nil
}
