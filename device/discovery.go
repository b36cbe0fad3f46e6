package device

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"gatehouse/flow"
	"gatehouse/wire"
)

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

// hostLabel is the host part of "name.local", and of the single label that
// LLMNR uses.
func hostLabel(name string) string {
	labels := splitLabels(name)
	if len(labels) == 0 || len(labels) > 3 || strings.HasPrefix(labels[0], "_") {
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
