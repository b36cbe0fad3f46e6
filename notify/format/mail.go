package format

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/alert"
)

// maxMailed is how many notices one mail spells out.
const maxMailed = 50

// Mail renders notices as the subject and the plain text of one mail, the most
// severe first and otherwise in their order. The subject is one line.
func Mail(notices []alert.Notice, m Meta) (subject, text string) {
	sorted := slices.Clone(notices)
	slices.SortStableFunc(sorted, func(x, y alert.Notice) int { return int(y.Severity()) - int(x.Severity()) })
	if len(sorted) == 0 {
		return "", ""
	}
	subject = Title(&sorted[0])
	if more := len(sorted) - 1; more > 0 {
		subject += fmt.Sprintf(" and %d more", more)
	}
	if m.Site != "" {
		subject = "[" + m.Site + "] " + subject
	}
	var b strings.Builder
	for i := range sorted[:min(len(sorted), maxMailed)] {
		n := &sorted[i]
		if i > 0 {
			b.WriteString("\n----\n\n")
		}
		fmt.Fprintf(&b, "%s\n\n%s\n\n", oneLine(Title(n)), oneLine(Summary(n)))
		for _, f := range facts(n, m) {
			fmt.Fprintf(&b, "%s: %s\n", f.name, oneLine(f.value))
		}
	}
	if more := len(sorted) - maxMailed; more > 0 {
		fmt.Fprintf(&b, "\n----\n\nand %s more, which the sensor keeps.\n", plural(more, "notice"))
	}
	return Cut(oneLine(subject), 200), b.String()
}
