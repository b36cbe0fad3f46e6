package device

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/flow"
	"gatehouse/wire"
)

// DHCP message types (RFC 2132 section 9.6).
const (
	dhcpDiscover = 1
	dhcpRequest  = 3
	dhcpACK      = 5
	dhcpInform   = 8
)

// observeFrame learns from link-layer messages.
func (v *Inventory) observeFrame(ev *flow.Event, now time.Time, ns int64) Ends {
	var ends Ends
	if ev.Record.Tunnel {
		return ends // some other segment's
	}
	for _, m := range ev.Messages {
		if arp, ok := m.(*wire.ARP); ok {
			ends = v.learnARP(arp, ev.Record.VLAN, now, ns)
		}
	}
	return ends
}

// learnARP takes the sender of an ARP message at its word about its own
// address, unless that is another live device's (RFC 826; probes with an
// unspecified sender, RFC 5227, claim nothing).
func (v *Inventory) learnARP(m *wire.ARP, vlan uint16, now time.Time, ns int64) Ends {
	var ends Ends
	if mac := unicastKey(m.SenderMAC); mac != 0 {
		if d := v.station(mac, now); d != nil {
			v.claim(d, m.SenderIP.Unmap(), vlan, now, false)
			v.touch(d, now, ns)
			ends.Client = d
		}
	}
	if m.TargetIP.IsValid() && m.TargetIP != m.SenderIP {
		ends.Server = v.lookup(m.TargetIP.Unmap(), vlan)
	}
	return ends
}

// claim gives d an address on evidence better than having sent from it. A
// lease moves it even from a live holder; anything else is a conflict then.
func (v *Inventory) claim(d *Device, a netip.Addr, vlan uint16, now time.Time, lease bool) {
	switch {
	case !a.IsValid(), a.IsUnspecified(), a.IsMulticast(), a.IsLoopback(), v.byRange(a) == Broadcast:
		return
	}
	owner := v.lookup(a, vlan)
	if owner != nil && owner != d && owner.MAC != (MAC{}) {
		e := owner.address(a)
		if e.Claimed && now.Sub(e.LastSeen) < liveFor {
			v.conflict(d)
			if !lease {
				return
			}
		}
	}
	v.rebind(d, a, vlan, now).Claimed = true
	v.guess(d, false)
}

// learn takes what the messages of an event say about the devices at its ends.
// It reports whether an end may have to be told anew.
func (v *Inventory) learn(ev *flow.Event, ends Ends, now time.Time, ns int64) (again bool) {
	for _, m := range ev.Messages {
		switch m := m.(type) {
		case *wire.DHCPv4:
			v.learnDHCP(m, &ev.Record, now, ns)
			again = true
		case *wire.DNS:
			if m.Proto == "mdns" || m.Proto == "llmnr" {
				v.learnNames(m, &ev.Record, ends)
			}
		}
	}
	return again
}

// learnDHCP learns from one DHCP message. What a client says of itself is
// believed only in a frame of its own: starvation tools invent a client
// address a packet, and relays speak for other segments.
func (v *Inventory) learnDHCP(m *wire.DHCPv4, r *flow.Record, now time.Time, ns int64) {
	mac := unicastKey(m.ClientMAC)
	if mac == 0 {
		return
	}
	if m.Reply {
		v.learnLease(m, r.VLAN, now)
		return
	}
	from := unicastKey(r.Client.MAC)
	if from != 0 && from != mac {
		return
	}
	d := v.byMAC[mac]
	if d == nil {
		if from == 0 {
			return // a link without addresses: its devices are told by theirs
		}
		if d = v.station(mac, now); d == nil {
			return
		}
	}
	v.touch(d, now, ns)
	v.nameFrom(d, ByDHCP, m.Hostname)
	if m.Type != dhcpDiscover && m.Type != dhcpRequest && m.Type != dhcpInform {
		return
	}
	// A renewal leaves out option 55, and says less than the first request.
	if len(m.Params) > 0 {
		d.DHCP = &Fingerprint{
			Params:  codes(m.Params),
			Options: codes(m.Options),
			Vendor:  Sanitize(m.Vendor),
		}
		v.classify(d)
		v.regroup(d)
	}
}

// learnLease learns from a server's reply: who holds which address, which
// prefix is ours, and who routes.
func (v *Inventory) learnLease(m *wire.DHCPv4, vlan uint16, now time.Time) {
	if m.Type != dhcpACK || !m.YourIP.IsValid() {
		return
	}
	if m.Mask > 0 && m.Mask <= 32 {
		if p, err := m.YourIP.Unmap().Prefix(m.Mask); err == nil {
			v.learnPrefix(p)
		}
	}
	for _, a := range m.Routers[:min(len(m.Routers), 2)] {
		v.learnRouter(a, vlan)
	}
	if d := v.byMAC[unicastKey(m.ClientMAC)]; d != nil {
		v.claim(d, m.YourIP.Unmap(), vlan, now, true)
		// The name in a reply is the one that the owner set at the server,
		// else an echo of the client's.
		v.nameFrom(d, ByLease, m.Hostname)
	}
}

// codes writes option codes as Fingerbank does: decimal, with commas.
func codes(options []uint8) string {
	if len(options) > 64 {
		options = options[:64]
	}
	b := make([]byte, 0, 4*len(options))
	for i, o := range options {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(o), 10)
	}
	return string(b)
}

// DNS record types used in service discovery (RFC 1035, RFC 2782, RFC 3596).
const (
	typeA    = 1
	typePTR  = 12
	typeTXT  = 16
	typeAAAA = 28
	typeSRV  = 33
)

// learnNames learns from an mDNS or LLMNR response what its sender calls
// itself and what it offers. Queries tell nothing: the answers that they may
// hold are other hosts' (RFC 6762 section 7.1).
func (v *Inventory) learnNames(m *wire.DNS, r *flow.Record, ends Ends) {
	if !m.Response {
		return
	}
	d, ip := ends.Client, r.Client.Addr
	if !r.Server.Addr.IsMulticast() && r.Packets[wire.FromServer] > 0 {
		d, ip = ends.Server, r.Server.Addr
	}
	if d == nil {
		return
	}
	host, ownAddress, anyAddress := ownName(m, d, ip.Unmap())
	// Reflectors and sleep proxies answer for others: believe a response that
	// holds the sender's own address, or one without any from an end that is
	// not known to forward.
	if !ownAddress && (anyAddress || d.carrier()) {
		return
	}
	if m.Proto == "llmnr" {
		v.nameFrom(d, ByLLMNR, host)
		return
	}
	v.learnServices(d, m)
	v.nameFrom(d, ByMDNS, host)
}

// ownName finds the host name that a response gives to its sender, and whether
// it holds addresses, and the sender's among them.
func ownName(m *wire.DNS, d *Device, from netip.Addr) (name string, own, any bool) {
	for _, list := range [][]wire.DNSRecord{m.Answers, m.Additional} {
		for i := range list {
			rr := &list[i]
			switch rr.Type {
			case typeA, typeAAAA:
				if !rr.Addr.IsValid() {
					continue
				}
				any = true
				if a := rr.Addr.Unmap(); a == from || d.address(a) != nil {
					own = true
					name = hostLabel(rr.Name)
				}
			case typePTR:
				if a, ok := reverseAddr(rr.Name); ok && (a == from || d.address(a) != nil) {
					any, own = true, true
					if name == "" {
						name = hostLabel(rr.Target)
					}
				}
			case typeSRV:
				if name == "" {
					name = hostLabel(rr.Target)
				}
			}
		}
	}
	return name, own, any
}

// learnServices learns from the records of DNS-SD (RFC 6763): service types,
// instance names where people chose them, and models.
func (v *Inventory) learnServices(d *Device, m *wire.DNS) {
	changed := false
	for _, list := range [][]wire.DNSRecord{m.Answers, m.Additional} {
		for i := range list {
			rr := &list[i]
			full := rr.Name
			switch {
			case rr.Type == typePTR && strings.HasPrefix(rr.Name, "_services._dns-sd."):
				full = rr.Target
			case rr.Type != typePTR && rr.Type != typeSRV && rr.Type != typeTXT:
				continue
			}
			_, service := splitService(full)
			if service == "" {
				continue
			}
			changed = d.addService(service) || changed
			if rr.Type != typeTXT {
				continue
			}
			model, friendly := readTXT(rr.Text)
			if model != "" && model != d.Model {
				d.Model = model
				changed = true
			}
			if friendly != "" {
				v.nameFrom(d, ByService, friendly)
			}
		}
	}
	if changed {
		v.classify(d)
		v.regroup(d)
	}
}

// addService adds a service type to the sorted list and reports whether it was
// new.
func (d *Device) addService(service string) bool {
	i, found := slices.BinarySearch(d.Services, service)
	if found || len(d.Services) == maxServices {
		return false
	}
	d.Services = slices.Insert(d.Services, i, service)
	return true
}

// splitService splits "Living\032Room._ipp._tcp.local" into the instance
// ("Living Room") and the service ("_ipp._tcp"); the latter is "" if there is
// none.
func splitService(name string) (instance, service string) {
	labels := splitLabels(name)
	for i := 0; i+1 < len(labels); i++ {
		proto := strings.ToLower(labels[i+1])
		if len(labels[i]) > 1 && len(labels[i]) <= 16 && labels[i][0] == '_' && (proto == "_tcp" || proto == "_udp") {
			if i > 0 {
				instance = unescape(labels[0])
			}
			return instance, Sanitize(strings.ToLower(labels[i])) + "." + proto
		}
	}
	return "", ""
}

// readTXT picks out the model and the name that people gave, from the keys
// that common services use: HomeKit and Google Cast md, AirPlay model and am,
// printers ty; Google Cast fn.
func readTXT(text []string) (model, friendly string) {
	for _, kv := range text {
		k, val, ok := strings.Cut(kv, "=")
		if !ok || val == "" {
			continue
		}
		switch strings.ToLower(k) {
		case "md", "ty", "model", "am":
			if model == "" {
				model = Sanitize(val)
			}
		case "fn":
			friendly = val
		}
	}
	return model, friendly
}

// hostLabel is the host part of "name.local".
func hostLabel(name string) string {
	labels := splitLabels(name)
	if len(labels) < 2 || len(labels) > 3 || strings.HasPrefix(labels[0], "_") {
		return ""
	}
	return unescape(labels[0])
}

// splitLabels splits a name in presentation form at the dots between labels.
// Dots within a label are escaped there, as \046 or as \. .
func splitLabels(name string) []string {
	name = strings.TrimSuffix(name, ".")
	var labels []string
	start := 0
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '\\':
			i++
		case '.':
			labels = append(labels, name[start:i])
			start = i + 1
		}
	}
	if start < len(name) {
		labels = append(labels, name[start:])
	}
	return labels
}

// unescape undoes the \DDD and \X escapes of presentation form (RFC 1035
// section 5.1).
func unescape(label string) string {
	if !strings.Contains(label, `\`) {
		return label
	}
	b := make([]byte, 0, len(label))
	for i := 0; i < len(label); i++ {
		if label[i] != '\\' || i+1 == len(label) {
			b = append(b, label[i])
			continue
		}
		i++
		if i+2 < len(label) {
			if n, err := strconv.ParseUint(label[i:i+3], 10, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, label[i])
	}
	return string(b)
}

// reverseAddr reads "4.3.2.10.in-addr.arpa" and its IPv6 form (RFC 1035
// section 3.5, RFC 3596 section 2.5).
func reverseAddr(name string) (netip.Addr, bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if s, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		parts := strings.Split(s, ".")
		slices.Reverse(parts)
		a, err := netip.ParseAddr(strings.Join(parts, "."))
		return a, err == nil && a.Is4()
	}
	s, ok := strings.CutSuffix(name, ".ip6.arpa")
	if !ok || len(s) != 63 {
		return netip.Addr{}, false
	}
	var hi, lo uint64
	for i := len(s) - 1; i >= 0; i -= 2 {
		n, err := strconv.ParseUint(s[i:i+1], 16, 4)
		if err != nil || i > 0 && s[i-1] != '.' {
			return netip.Addr{}, false
		}
		hi = hi<<4 | lo>>60
		lo = lo<<4 | n
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	return netip.AddrFrom16(b), true
}
