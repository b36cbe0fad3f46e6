package eve

import (
	"slices"
	"strings"
)

// certificateName turns a distinguished name from the form of RFC 2253 into
// Suricata's: in the order of the certificate, without escapes, "C=US,
// O=Example, Inc., CN=a". That cannot be taken apart again; what must not be
// mistaken has its fingerprint.
func certificateName(dn string) string {
	var parts []string
	for len(dn) > 0 {
		var part strings.Builder
		end, attribute := 0, 0
		for ; end < len(dn) && dn[end] != ','; end++ {
			switch c := dn[end]; {
			case c == '\\' && end+1 < len(dn):
				end += unescape(&part, dn[end+1:])
			case c == '+': // another attribute of the same part
				part.WriteString(" + ")
				attribute = end + 1
			case c == '=' && attribute >= 0:
				kind := dn[attribute:end]
				text := strings.TrimSuffix(part.String(), kind)
				part.Reset()
				part.WriteString(text + attributeName(kind) + "=")
				attribute = -1
			default:
				part.WriteByte(c)
			}
		}
		parts = append(parts, part.String())
		dn = dn[min(end+1, len(dn)):]
	}
	slices.Reverse(parts)
	return strings.Join(parts, ", ")
}

// unescape writes what a backslash before text stands for, two hexadecimal
// digits or a character, and returns the length of that in text.
func unescape(b *strings.Builder, text string) int {
	const digits = "0123456789ABCDEF"
	if len(text) >= 2 {
		high, low := strings.IndexByte(digits, text[0]), strings.IndexByte(digits, text[1])
		if high >= 0 && low >= 0 {
			b.WriteByte(byte(high<<4 | low))
			return 2
		}
	}
	b.WriteByte(text[0])
	return 1
}

// attributeName is Suricata's name for an attribute that has another one, or
// none, in RFC 2253.
func attributeName(kind string) string {
	switch kind {
	case "emailAddress":
		return "Email"
	case "STREET":
		return "streetAddress"
	case "2.5.4.15":
		return "businessCategory"
	case "2.5.4.17":
		return "postalCode"
	case "2.5.4.41":
		return "name"
	case "1.3.6.1.4.1.311.60.2.1.1":
		return "msJurisdictionLocality"
	case "1.3.6.1.4.1.311.60.2.1.2":
		return "msJurisdictionStateOrProvince"
	case "1.3.6.1.4.1.311.60.2.1.3":
		return "msJurisdictionCountry"
	}
	return kind
}
