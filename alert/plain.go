package alert

import (
	"strings"
	"unicode"

	"gatehouse/detect"
)

// plain replaces what would not print as it reads: control characters, which
// could drive a terminal or split a line in a SIEM, and marks that reverse the
// direction of writing. Names and certificates come from the network, and
// whoever attacks chooses them.
func plain(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return strings.Map(func(r rune) rune {
				if unicode.IsPrint(r) {
					return r
				}
				return unicode.ReplacementChar
			}, s)
		}
	}
	return s
}

// makePlain does so with all that a finding says.
func makePlain(f *detect.Finding) {
	f.Summary, f.Subject, f.Peer.Name = plain(f.Summary), plain(f.Subject), plain(f.Peer.Name)
	for i := range f.Why {
		w := &f.Why[i]
		w.Observed, w.Expected = plain(w.Observed), plain(w.Expected)
	}
}
