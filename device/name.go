package device

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// NameSource says where a device's name comes from.
type NameSource string

// Sources of names, best first.
const (
	ByOwner   NameSource = "owner"       // set with SetName
	ByLease   NameSource = "dhcp_server" // option 12 of the server's reply: the owner's name at the gateway, or an echo
	ByDHCP    NameSource = "dhcp"        // option 12 or 81 of the client
	ByService NameSource = "mdns_txt"    // friendly name of an advertised service
	ByMDNS    NameSource = "mdns"        // host name
	ByLLMNR   NameSource = "llmnr"       // host name
	ByVendor  NameSource = "vendor"      // vendor and the last three bytes of the MAC
	ByAddress NameSource = "address"     // IP address, else MAC
)

// nameRank orders the sources; 0 is unknown.
var nameRank = map[NameSource]int{ByOwner: 6, ByLease: 5, ByDHCP: 4, ByService: 3, ByMDNS: 2, ByLLMNR: 1}

// maxNameRunes is the length of a DNS label (RFC 1035 section 2.3.4), which
// is what host names are limited to anyway.
const maxNameRunes = 63

// Sanitize makes a name from the network fit for terminals, logs and SIEMs:
// graphic characters and single spaces only (no controls, no escapes, no
// direction overrides, no invisible characters), at most 63 runes, "" if
// nothing is left.
func Sanitize(s string) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = n > 0
			continue
		}
		if r == unicode.ReplacementChar || !unicode.IsGraphic(r) {
			continue
		}
		if space {
			if n+1 >= maxNameRunes {
				break
			}
			b.WriteByte(' ')
			n++
			space = false
		}
		b.WriteRune(r)
		if n++; n == maxNameRunes {
			break
		}
	}
	return b.String()
}

// genericNames are host names that a maker or an operating system gives to
// every device alike; they rank below any name that tells devices apart.
var genericNames = []string{
	"localhost", "localhost.localdomain", "localdomain", "host", "unknown", "none", "null", "default", "device", "linux",
	"android", "iphone", "ipad", "openwrt", "lede", "debian", "ubuntu", "raspberrypi", "espressif", "lwip", "(none)",
}

// generic reports whether a host name says nothing about whose it is.
func generic(name string) bool {
	name = strings.ToLower(name)
	if slices.Contains(genericNames, name) || strings.HasPrefix(name, "android-") || strings.HasPrefix(name, "android_") {
		return true
	}
	// A number or a UUID is nobody's name.
	for _, r := range name {
		if !unicode.IsDigit(r) && r != '-' && r != '.' && r != ':' && (r < 'a' || r > 'f') {
			return false
		}
	}
	return len(name) >= 8 || !strings.ContainsFunc(name, unicode.IsLetter)
}

// nameFrom takes note of a name from one source, in place of the one that this
// source gave before; only the owner may take a name away.
func (v *Inventory) nameFrom(d *Device, source NameSource, name string) {
	i := slices.IndexFunc(d.Hostnames, func(h Hostname) bool { return h.Source == source })
	if i >= 0 && d.Hostnames[i].Name == name {
		return
	}
	name = Sanitize(name)
	switch {
	case name == "" && source != ByOwner:
		return
	case name == "":
		d.Hostnames = slices.DeleteFunc(d.Hostnames, func(h Hostname) bool { return h.Source == ByOwner })
	case i < 0:
		d.Hostnames = append(d.Hostnames, Hostname{name, source})
		slices.SortFunc(d.Hostnames, func(a, b Hostname) int { return nameRank[b.Source] - nameRank[a.Source] })
	case d.Hostnames[i].Name == name:
		return
	default:
		d.Hostnames[i].Name = name
	}
	v.rename(d)
	v.classify(d)
	v.regroup(d)
}

// telling is the address that people know a device by: IPv4 rather than IPv6,
// and one of the link only if there is no other.
func (d *Device) telling() netip.Addr {
	rank := func(a netip.Addr) int {
		switch {
		case a.IsLinkLocalUnicast():
			return 2
		case a.Is6():
			return 1
		}
		return 0
	}
	best := d.Addresses[0].IP
	for i := range d.Addresses {
		if a := d.Addresses[i].IP; rank(a) < rank(best) {
			best = a
		}
	}
	return best
}

// rename chooses the best name there is: the best source that is not generic,
// the best that is, the vendor, the address.
func (v *Inventory) rename(d *Device) {
	best := -1
	for i, h := range d.Hostnames {
		if h.Source == ByOwner || !generic(h.Name) {
			best = i
			break
		}
		if best < 0 {
			best = i
		}
	}
	switch {
	case best >= 0:
		d.Name, d.NameSource = d.Hostnames[best].Name, d.Hostnames[best].Source
	case d.Vendor != "":
		d.Name, d.NameSource = fmt.Sprintf("%s %02x:%02x:%02x", d.Vendor, d.MAC[3], d.MAC[4], d.MAC[5]), ByVendor
	case len(d.Addresses) > 0:
		d.Name, d.NameSource = d.telling().String(), ByAddress
	case d.MAC != (MAC{}):
		d.Name, d.NameSource = d.MAC.String(), ByAddress
	default:
		d.Name, d.NameSource = strings.TrimPrefix(d.ID, "ip:"), ByAddress
	}
}
