package flow

import (
	"errors"
	"fmt"
	"time"
)

// Config bounds a Shard. Each shard has its own table: divide what belongs to
// the whole program by the number of shards.
type Config struct {
	MaxFlows int // entries of the flow table; 16 to 2^26; each takes about 210 bytes

	// Seed perturbs the hashes of flows and of what is said again. Give a live
	// sensor a random one, so that nobody can choose flows that collide, or a
	// message that is taken for the repetition of another; it changes nothing
	// but speed and, at capacity, which flow is evicted.
	Seed uint64

	// How long a flow may be silent, at least 1 ms and at most 30 days.
	Established time.Duration // TCP
	HalfOpen    time.Duration // TCP before the handshake completes
	Closed      time.Duration // TCP after RST, or FIN both ways
	UDP         time.Duration
	ICMP        time.Duration
	Other       time.Duration // other IP protocols
	UpdateEvery time.Duration // of packet time, between events of an active flow

	// Habits is how long a message that repeats an earlier one of its
	// conversation (wire.Habitual) is counted and not reported again; 0 reports
	// every message.
	Habits time.Duration

	MaxStreams     int // TCP connections and UDP flows with state parsed at the same time
	MaxStreamBytes int // payload bytes that may wait in them and in their parsers
	MaxDatagrams   int // fragmented datagrams in flight
	MaxFragments   int // bytes that may wait in them
}

// DefaultConfig returns the limits of a home gateway: about 30 MB at most.
//
// Timeouts follow the design's kernel side: conntrack's 5 days for established
// TCP would tie up the table, while most devices speak every few minutes; UDP
// and ICMP are about twice nf_conntrack_udp_timeout and equal
// nf_conntrack_icmp_timeout (30 s each).
func DefaultConfig() Config {
	return Config{
		MaxFlows:       65536,
		Established:    300 * time.Second,
		HalfOpen:       60 * time.Second,
		Closed:         5 * time.Second,
		UDP:            60 * time.Second,
		ICMP:           30 * time.Second,
		Other:          60 * time.Second,
		UpdateEvery:    30 * time.Second,
		MaxStreams:     4096,
		MaxStreamBytes: 8 << 20,
		MaxDatagrams:   64,
		MaxFragments:   1 << 20,
	}
}

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("flow configuration out of range")

// Validate reports the first value out of range.
func (c *Config) Validate() error {
	for _, n := range []struct {
		name         string
		v, low, high int
	}{
		{"MaxFlows", c.MaxFlows, 16, 1 << 26},
		{"MaxStreams", c.MaxStreams, 1, 1 << 24},
		{"MaxStreamBytes", c.MaxStreamBytes, 1 << 10, 1 << 30},
		{"MaxDatagrams", c.MaxDatagrams, 1, 1 << 16},
		{"MaxFragments", c.MaxFragments, 1 << 16, 1 << 30},
	} {
		if n.v < n.low || n.v > n.high {
			return fmt.Errorf("%w: %s is %d, must be %d to %d", ErrConfig, n.name, n.v, n.low, n.high)
		}
	}
	if c.Habits < 0 {
		return fmt.Errorf("%w: Habits is %v, must not be negative", ErrConfig, c.Habits)
	}
	const shortest, longest = time.Millisecond, 30 * 24 * time.Hour
	for _, d := range []struct {
		name string
		v    time.Duration
	}{
		{"Established", c.Established},
		{"HalfOpen", c.HalfOpen},
		{"Closed", c.Closed},
		{"UDP", c.UDP},
		{"ICMP", c.ICMP},
		{"Other", c.Other},
		{"UpdateEvery", c.UpdateEvery},
	} {
		if d.v < shortest || d.v > longest {
			return fmt.Errorf("%w: %s is %v, must be %v to %v", ErrConfig, d.name, d.v, shortest, longest)
		}
	}
	return nil
}
