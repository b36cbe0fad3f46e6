package device

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode"
)

// regroup suggests the group of like devices: those of the same vendor whose
// DHCP client asks for the same options in the same order and whose own names
// differ in nothing but what counts units. The group reads
//
//	vendor/dhcp/pattern
//
// where dhcp is 8 hex digits of a hash over option 55 and the vendor class,
// and pattern is the model or the name that the device gives itself, without
// its MAC address and serial numbers. What is not known is "-". A vendor alone
// is no group (it makes plugs and cameras), and neither is a DHCP client
// alone: at least two of the three must be known. The name set by the owner or
// the DHCP server has no part in it: it tells like devices apart.
//
// It is a suggestion: products of different makers that left the names of one
// chip's software kit as they were end up together, and the owner has the last
// word.
func (v *Inventory) regroup(d *Device) {
	d.Group = ""
	if d.carrier() {
		return
	}
	known := 0
	part := func(s string) string {
		if s == "" {
			return "-"
		}
		known++
		return s
	}
	group := part(slug(d.Vendor)) + "/" + part(d.dhcpHash()) + "/" + part(d.pattern())
	if known >= 2 {
		d.Group = group
	}
}

// dhcpHash condenses the DHCP fingerprint. The vendor class loses its digits:
// "udhcp 1.22.1" and "udhcp 1.23.0" are two firmwares of one model.
func (d *Device) dhcpHash() string {
	if d.DHCP == nil {
		return ""
	}
	h := fnv.New32a()
	h.Write([]byte(d.DHCP.Params))
	h.Write([]byte{0})
	h.Write([]byte(withoutDigits(d.DHCP.Vendor)))
	return fmt.Sprintf("%08x", h.Sum32())
}

// pattern is what like devices' names have in common.
func (d *Device) pattern() string {
	if p := slug(d.Model); p != "" {
		return p
	}
	for _, source := range []NameSource{ByDHCP, ByMDNS, ByLLMNR} {
		for _, h := range d.Hostnames {
			if h.Source != source {
				continue
			}
			if p := slug(withoutUnit(withoutMAC(h.Name, d.MAC))); p != "" {
				return p
			}
		}
	}
	return ""
}

// withoutMAC removes the whole MAC address, or its last four, three or two
// bytes, from a name: makers append them to tell their devices apart.
func withoutMAC(name string, mac MAC) string {
	if mac == (MAC{}) {
		return name
	}
	lower := strings.ToLower(name)
	if len(lower) != len(name) {
		return name // a case that changes length: not hex
	}
	hex := fmt.Sprintf("%012x", mac.key())
	for _, tail := range []string{hex, hex[4:], hex[6:], hex[8:]} {
		if i := strings.LastIndex(lower, tail); i >= 0 {
			return name[:i] + name[i+len(tail):]
		}
	}
	return name
}

// Numbers that count units, as opposed to models, in a device's name. Model
// numbers in the captures at hand have three digits or a letter at the end
// (DCS-935L, DCH-S220, HS100, PGH200): taking all digits away would make one
// group of a siren and a water sensor.
const (
	serialDigits = 5 // a run of so many digits is a serial number
	serialHex    = 8 // or of so many hex digits
	unitDigits   = 2 // so many digits at the end of a word count units
)

// withoutUnit removes from a name what tells one unit from the next: words of
// digits only ("blink-cam-01"), serial numbers, and one or two digits at the
// end of a word of three letters or more ("camera2").
func withoutUnit(name string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		stem := strings.TrimRightFunc(word, unicode.IsDigit)
		digits := len(word) - len(stem)
		switch {
		case digits >= serialDigits, digits > 0 && digits <= unitDigits && len(stem) >= 3:
			word = stem
		case stem == "", len(word) >= serialHex && isHex(word):
			continue
		}
		b.WriteString(word)
		b.WriteByte(' ')
	}
	return b.String()
}

// isHex reports whether a word is a number in hex rather than a word that
// happens to be spelt with a to f.
func isHex(word string) bool {
	digit := false
	for _, r := range word {
		switch {
		case r >= '0' && r <= '9':
			digit = true
		case (r < 'a' || r > 'f') && (r < 'A' || r > 'F'):
			return false
		}
	}
	return digit
}

func withoutDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, s)
}

// slug writes a name in lower case with single hyphens between its words.
func slug(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(s) {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte('-')
			gap = false
		}
		b.WriteRune(r)
	}
	return b.String()
}
