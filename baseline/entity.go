package baseline

import (
	"crypto/sha256"
	"encoding/binary"
)

// Entity is one party: a registered domain, a network ("203.0.113.0/24") or a
// device id, as a hash. Names are not kept: what a household visits is not
// ours to write down.
type Entity uint64

// EntityOf is the entity with a name.
func EntityOf(name string) Entity { return Entity(hashString(name)) }

// hashString is the first 64 bits of SHA-256. A hash must be the same on every
// machine and in every run, and nobody must be able to register a domain that
// collides with one the device knows: for FNV and its like such a name is found
// in minutes. It costs 80 ns with the processor's help and 220 ns without, once
// a flow.
func hashString(s string) uint64 {
	var buf [256]byte // the longest DNS name fits: no allocation
	sum := sha256.Sum256(append(buf[:0], s...))
	return binary.BigEndian.Uint64(sum[:])
}
