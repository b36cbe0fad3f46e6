package ebpf

import (
	"errors"
	"fmt"
	"time"
)

// Bounds of a configuration.
const (
	minFlows     = 1 << 10
	maxFlows     = 1 << 20
	minRing      = 64 << 10
	maxRing      = 64 << 20
	maxInterface = 64        // MAX_INTERFACES in flow.bpf.c
	maxPerSecond = 1_000_000 // heads; a CPU does not make more
	maxHead      = 12288 - 32
)

// Rate bounds the heads of a class on each CPU.
type Rate struct {
	PerSecond int // on average, 0 for none at all, up to 1,000,000
	Burst     int // at once, at least 1
}

// PortRule makes the payload of a port go up always, not only the first of each
// connection, as far as the rate of its class allows.
type PortRule struct {
	Port     uint16
	TCP, UDP bool
	Class    Class // ClassDHCP to ClassPort
}

// Timeouts say when a flow is taken out of the kernel's table. They only make
// room there: when a flow ended is for who keeps the flows to say.
type Timeouts struct {
	TCP    time.Duration // since the last packet of a connection
	Other  time.Duration // since the last packet of any other flow
	Closed time.Duration // since the last packet of a connection that was closed or reset
}

// Config says how much is kept and what is sent up.
type Config struct {
	// Flows is how many flows the kernel's table holds, 1,024 to 1,048,576.
	// Each takes 200 bytes of the kernel's memory and, while it lives, 140 of
	// ours.
	Flows int
	// RingBytes is the memory of the ring of heads: a power of two from 64 KiB
	// to 64 MiB.
	RingBytes int
	// HeadSegments and HeadBytes bound the payloads of a TCP connection that
	// go up in each direction: as long as neither is reached. What offload has
	// put together is one segment. HeadBytes is at most 12,000.
	HeadSegments, HeadBytes int
	// HeadDatagrams is how many packets of a flow of another protocol go up in
	// each direction.
	HeadDatagrams int
	// Rates bounds the heads of each class and CPU. A class without an entry
	// does not go up.
	Rates map[Class]Rate
	// Ports are those whose payload always goes up.
	Ports []PortRule
	// Timeouts of flows in the kernel's table.
	Timeouts Timeouts
}

// DefaultConfig holds 65,536 flows (13 MB) and 8 MiB of heads. The payloads of
// a connection that go up suffice for a TLS handshake with a post-quantum key
// share and a chain of certificates, and for a dozen lines of a login dialogue.
func DefaultConfig() Config {
	return Config{
		Flows:         65_536,
		RingBytes:     8 << 20,
		HeadSegments:  16,
		HeadBytes:     10_240,
		HeadDatagrams: 8,
		Rates: map[Class]Rate{
			ClassARP:        {500, 1_000},
			ClassLink:       {100, 200},
			ClassLinkOther:  {20, 50},
			ClassNeighbour:  {500, 1_000},
			ClassICMPError:  {200, 500},
			ClassHandshake:  {5_000, 10_000},
			ClassTCP:        {20_000, 20_000},
			ClassUDP:        {5_000, 10_000},
			ClassOther:      {1_000, 2_000},
			ClassDHCP:       {200, 500},
			ClassDNS:        {5_000, 10_000},
			ClassDiscovery:  {500, 1_000},
			ClassIndustrial: {10_000, 20_000},
			ClassPort:       {5_000, 10_000},
		},
		Ports:    DefaultPorts(),
		Timeouts: Timeouts{TCP: 300 * time.Second, Other: 60 * time.Second, Closed: 5 * time.Second},
	}
}

// DefaultPorts are those of protocols in which any packet may matter: names
// and leases, which are asked for anew in each datagram; logins of many users
// and keys on one flow, and commands that announce other connections; and the
// protocols of machines, whose connections last for months and may carry a
// command at any time (ports as registered with IANA). None of them carries
// bulk.
func DefaultPorts() []PortRule {
	return []PortRule{
		{Port: 67, UDP: true, Class: ClassDHCP}, // server and relay
		{Port: 68, UDP: true, Class: ClassDHCP},
		{Port: 546, UDP: true, Class: ClassDHCP}, // version 6
		{Port: 547, UDP: true, Class: ClassDHCP},
		{Port: 53, TCP: true, UDP: true, Class: ClassDNS},
		{Port: 137, UDP: true, Class: ClassDiscovery},               // NetBIOS names
		{Port: 1900, UDP: true, Class: ClassDiscovery},              // SSDP
		{Port: 3702, UDP: true, Class: ClassDiscovery},              // WS-Discovery
		{Port: 5353, UDP: true, Class: ClassDiscovery},              // mDNS
		{Port: 5355, UDP: true, Class: ClassDiscovery},              // LLMNR
		{Port: 21, TCP: true, Class: ClassPort},                     // FTP, whose commands announce connections
		{Port: 500, UDP: true, Class: ClassPort},                    // IKE, by which keys are renewed on one flow
		{Port: 1645, UDP: true, Class: ClassPort},                   // RADIUS before RFC 2865
		{Port: 1646, UDP: true, Class: ClassPort},                   //
		{Port: 1812, UDP: true, Class: ClassPort},                   // RADIUS, on one flow for all users
		{Port: 1813, UDP: true, Class: ClassPort},                   // its accounting
		{Port: 3799, UDP: true, Class: ClassPort},                   // its changes of authorization
		{Port: 48898, TCP: true, UDP: true, Class: ClassIndustrial}, // ADS
		{Port: 102, TCP: true, Class: ClassIndustrial},              // S7 and IEC 61850, over ISO transport
		{Port: 502, TCP: true, UDP: true, Class: ClassIndustrial},   // Modbus
		{Port: 2222, UDP: true, Class: ClassIndustrial},             // EtherNet/IP, implicit
		{Port: 2404, TCP: true, Class: ClassIndustrial},             // IEC 60870-5-104
		{Port: 4840, TCP: true, Class: ClassIndustrial},             // OPC UA
		{Port: 20000, TCP: true, UDP: true, Class: ClassIndustrial}, // DNP3
		{Port: 34964, UDP: true, Class: ClassIndustrial},            // PROFINET context manager
		{Port: 44818, TCP: true, UDP: true, Class: ClassIndustrial}, // EtherNet/IP, explicit
		{Port: 47808, UDP: true, Class: ClassIndustrial},            // BACnet
	}
}

// Validate reports the first thing in c that cannot work.
func (c *Config) Validate() error {
	switch {
	case c.Flows < minFlows || c.Flows > maxFlows:
		return fmt.Errorf("flows in the kernel: table of %d flows, must be %d to %d", c.Flows, minFlows, maxFlows)
	case c.RingBytes < minRing || c.RingBytes > maxRing || c.RingBytes&(c.RingBytes-1) != 0:
		return fmt.Errorf("flows in the kernel: ring of %d bytes, must be a power of two from %d to %d", c.RingBytes, minRing, maxRing)
	case c.HeadSegments < 0 || c.HeadDatagrams < 0 || c.HeadSegments > 1000 || c.HeadDatagrams > 1000:
		return fmt.Errorf("flows in the kernel: %d segments and %d datagrams of a flow, must be 0 to 1,000", c.HeadSegments, c.HeadDatagrams)
	case c.HeadBytes < 0 || c.HeadBytes > 12_000:
		return fmt.Errorf("flows in the kernel: %d payload bytes of a flow, must be 0 to 12,000", c.HeadBytes)
	case c.Timeouts.TCP <= 0 || c.Timeouts.Other <= 0 || c.Timeouts.Closed <= 0:
		return errors.New("flows in the kernel: a timeout is not positive")
	}
	for class, r := range c.Rates {
		switch {
		case class < ClassARP || class >= numClasses:
			return fmt.Errorf("flows in the kernel: no class of heads has the number %d", class)
		case r.PerSecond < 0 || r.PerSecond > maxPerSecond || (r.PerSecond > 0 && r.Burst < 1) || r.Burst > maxPerSecond:
			return fmt.Errorf("flows in the kernel: rate of %s is %d a second with bursts of %d, must be up to %d", class, r.PerSecond, r.Burst, maxPerSecond)
		}
	}
	for _, p := range c.Ports {
		if p.Class < ClassDHCP || p.Class > ClassPort {
			return fmt.Errorf("flows in the kernel: port %d has class %s, must be one of ports", p.Port, p.Class)
		}
	}
	return nil
}
