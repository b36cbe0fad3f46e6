package baseline

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Memory remembers a bounded number of entries. At capacity the entry that was
// not seen for the longest time, in active days, is forgotten; of several the
// first by key.
//
// Entries are kept in the order of their keys. A Go map would take two to four
// times the space once it is full and entries come and go (122 KiB a model
// where this takes 62), is slower to go through, which every novelty does, and
// has an order that must not be let out.
type Memory[K comparable, V any] struct {
	entries []entry[K, V]
	cap     int
	day     func(V) uint16
	compare func(a, b K) int
	fit     func(K, V) (K, V) // bounds the text in an entry; nil where there is none
}

type entry[K, V any] struct {
	Key   K `json:"k"`
	Value V `json:"v"`
}

func newMemory[K comparable, V any](capacity int, day func(V) uint16, compare func(a, b K) int, fit func(K, V) (K, V)) Memory[K, V] {
	return Memory[K, V]{cap: capacity, day: day, compare: compare, fit: fit}
}

func (m *Memory[K, V]) find(key K) (int, bool) {
	return slices.BinarySearchFunc(m.entries, key, func(e entry[K, V], k K) int { return m.compare(e.Key, k) })
}

// Get returns what is remembered under a key.
func (m *Memory[K, V]) Get(key K) (V, bool) {
	var none V
	if m.fit != nil {
		key, _ = m.fit(key, none)
	}
	if i, ok := m.find(key); ok {
		return m.entries[i].Value, true
	}
	return none, false
}

// Put remembers v under a key. It returns what had to be forgotten for it.
func (m *Memory[K, V]) Put(key K, v V) (forgotten V, full bool) {
	if m.fit != nil {
		key, v = m.fit(key, v)
	}
	i, known := m.find(key)
	if known {
		m.entries[i].Value = v
		return forgotten, false
	}
	if len(m.entries) >= m.cap {
		forgotten, full = m.forgetOldest(), true
		i, _ = m.find(key)
	} else if len(m.entries) == cap(m.entries) {
		// Twice as many, as append would, but never more than can be used.
		m.entries = slices.Grow(m.entries, min(m.cap-len(m.entries), max(4, len(m.entries))))
	}
	m.entries = slices.Insert(m.entries, i, entry[K, V]{key, v})
	return forgotten, full
}

func (m *Memory[K, V]) forgetOldest() V {
	oldest := 0
	for i := range m.entries {
		if m.day(m.entries[i].Value) < m.day(m.entries[oldest].Value) {
			oldest = i
		}
	}
	v := m.entries[oldest].Value
	m.entries = slices.Delete(m.entries, oldest, oldest+1)
	return v
}

// Len is the number of keys remembered.
func (m *Memory[K, V]) Len() int { return len(m.entries) }

// All is an iterator over the entries in the order of their keys; nothing may
// be remembered meanwhile. Keys with long names are yielded as they are kept,
// see fitName.
func (m *Memory[K, V]) All(yield func(K, V) bool) {
	for i := range m.entries {
		if !yield(m.entries[i].Key, m.entries[i].Value) {
			return
		}
	}
}

// MarshalJSON writes the entries in the order of their keys.
func (m Memory[K, V]) MarshalJSON() ([]byte, error) {
	if m.entries == nil {
		return []byte("[]"), nil
	}
	return json.Marshal(m.entries)
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
	m.entries = make([]entry[K, V], 0, len(entries))
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
