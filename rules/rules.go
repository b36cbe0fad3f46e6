// Package rules holds the operator's word: what to do about an alert
// (playbooks) and, later, custom rules, permissions and policies.
//
// It promises that every kind of alert has a playbook that a person without
// training can follow, in the same six steps each time. It must not detect
// anything itself.
package rules

import (
	"embed"
	"fmt"

	"gatehouse/detect"
)

//go:embed playbooks/*.md
var playbooks embed.FS

// PlaybookName is the name under which the playbook of a kind is found, in
// alerts, in the documentation and by Playbook.
func PlaybookName(k detect.Kind) string { return string(k) }

// Playbook returns the text of a playbook in Markdown. An unknown name is an
// error.
func Playbook(name string) (string, error) {
	b, err := playbooks.ReadFile("playbooks/" + name + ".md")
	if err != nil {
		return "", fmt.Errorf("no playbook %q: %w", name, err)
	}
	return string(b), nil
}
