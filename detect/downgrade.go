package detect

import (
	"fmt"

	"gatehouse/baseline"
	"gatehouse/wire"
)

// minHandshakes is how many handshakes must have shown a level before a lower
// one means anything.
const minHandshakes = 2

// downgrades is model D on TLS: a handshake below the lowest version or class
// of cipher that this device ever agreed on with this server. That a server
// speaks an old version in itself is posture, not an event.
type downgrades struct{}

func newDowngrades() *downgrades { return &downgrades{} }

// Spec implements Detector.
func (*downgrades) Spec() Spec {
	return Spec{
		Name:    "downgrade",
		Kinds:   []Kind{ProtocolDowngrade},
		Class:   TLS,
		Summary: "A device agrees on weaker encryption with a server than it ever did.",
		Attack:  []string{"T1562.010", "T1557"},
	}
}

// Tick implements Detector.
func (*downgrades) Tick(int64, func(Finding)) {}

// Observe implements Detector.
func (d *downgrades) Observe(in *Input, report func(Finding)) {
	if in.Client == nil || in.Conn == nil || !in.Conn.Hello {
		return
	}
	for _, m := range in.Event.Messages {
		if hello, ok := m.(*wire.ServerHello); ok && !hello.Retry {
			d.handshake(in, hello, report)
		}
	}
}

func (d *downgrades) handshake(in *Input, hello *wire.ServerHello, report func(Finding)) {
	m := in.ClientModel
	key := baseline.Client{Endpoint: endpointOf(in), JA4: in.Conn.JA4}
	class := wire.CipherClass(hello.Cipher)
	seen, known := m.Handshakes.Get(key)
	low, sameClient := seen, known
	// On its first days a device shows its TLS stacks one by one: only a known
	// one can be weakened then.
	if !known && m.Calendar.Days() >= baseline.MinDays && !stackKnown(m, key.JA4) {
		low = lowest(m, key.Endpoint)
	}
	day := m.Calendar.Day
	if low.Count >= minHandshakes && (hello.TLSVersion() < low.Version || weaker(uint8(class), low.Cipher)) {
		d.report(in, hello, key, low, sameClient, report)
		return // and do not learn it
	}
	if !in.Learn && !sameClient {
		return
	}
	if seen.Count == 0 {
		seen.Version, seen.Cipher, seen.Suite = hello.TLSVersion(), uint8(class), hello.Cipher
	}
	seen.Version = min(seen.Version, hello.TLSVersion())
	if seen.Cipher == uint8(wire.ClassUnknown) || weaker(uint8(class), seen.Cipher) {
		seen.Cipher, seen.Suite = uint8(class), hello.Cipher
	}
	baseline.Bump(&seen.Count)
	seen.Last = day
	m.Handshakes.Put(key, seen)
}

// weaker reports whether one class of cipher is below another; classes that are
// not known compare with nothing.
func weaker(class, than uint8) bool {
	return class != uint8(wire.ClassUnknown) && than != uint8(wire.ClassUnknown) && class < than
}

// stackKnown reports whether the device used a TLS stack before, with whatever
// server. Then another of its programs talks to this one, by the means that it
// always had: smart plugs have one stack for their firmware and one for their
// cloud, and send both to the same servers.
func stackKnown(m *baseline.Model, ja4 string) bool {
	for k := range m.Handshakes.All {
		if k.JA4 == ja4 && ja4 != "" {
			return true
		}
	}
	return false
}

// lowest is the least that any TLS stack of the device agreed on with an
// endpoint, by all their handshakes; Count is 0 if there were too few. The
// order in which the stacks are met does not matter.
func lowest(m *baseline.Model, e baseline.Endpoint) (low baseline.Handshakes) {
	for k, h := range m.Handshakes.All {
		if k.Endpoint != e || h.Count < minHandshakes {
			continue
		}
		if low.Count == 0 {
			low = h
			continue
		}
		low.Count += min(h.Count, ^uint16(0)-low.Count)
		low.Version = min(low.Version, h.Version)
		if low.Cipher == uint8(wire.ClassUnknown) || weaker(h.Cipher, low.Cipher) || (h.Cipher == low.Cipher && h.Suite < low.Suite) {
			low.Cipher, low.Suite = h.Cipher, h.Suite
		}
	}
	return low
}

func (d *downgrades) report(in *Input, hello *wire.ServerHello, key baseline.Client, low baseline.Handshakes, sameClient bool, report func(Finding)) {
	m, r := in.ClientModel, &in.Event.Record
	p := baseline.DowngradeP(m.Calendar.Days())
	var reasons []Why
	what := "a weaker cipher"
	if hello.TLSVersion() < low.Version {
		what = wire.VersionName(hello.TLSVersion())
		reasons = append(reasons, why("TLS version", wire.VersionName(hello.TLSVersion()),
			fmt.Sprintf("%s or newer in %d handshakes with this server", wire.VersionName(low.Version), low.Count), p))
	}
	if weaker(uint8(wire.CipherClass(hello.Cipher)), low.Cipher) {
		reasons = append(reasons, why("cipher", wire.CipherName(hello.Cipher), wire.CipherName(low.Suite)+" or better", p))
	}
	switch {
	case key.JA4 == "": // the hello was cut off: nothing to compare
	case sameClient:
		reasons = append(reasons, why("client fingerprint", key.JA4+", as ever: the server or somebody in between chose this", "the same", 1))
	default:
		reasons = append(reasons, why("client fingerprint", key.JA4+", never seen with this server: the device's software changed, or it was made to fall back", "a known one", 1))
	}
	report(Finding{
		Kind: ProtocolDowngrade, Class: TLS, Severity: High, Device: in.Client,
		Subject: fmt.Sprintf("TLS %s:%d", key.Name, key.Port), Peer: peerOf(in),
		Time: in.Now(), First: r.First, P: p, Confidence: confidence(m),
		Summary: fmt.Sprintf("%s talked to %s with %s, weaker than in any of %d earlier connections.", in.Client.Name, in.handshakeLabel(), what, low.Count),
		Why:     reasons, Attack: []string{"T1562.010", "T1557"}, Flow: *r,
	})
}

// endpointOf is the server of a TLS flow as its client calls it: behind a proxy,
// the one that the proxy connects to.
func endpointOf(in *Input) baseline.Endpoint {
	if end := in.Conn.Proxied; end.Name != "" {
		if in.Conn.Spoken {
			end.Name = in.Conn.Name
		}
		return end
	}
	name := in.name()
	if name == "" {
		name = in.Event.Record.Server.Addr.String()
	}
	return baseline.Endpoint{Name: name, Port: in.Event.Record.Server.Port}
}
