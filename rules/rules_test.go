package rules

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"gatehouse/detect"
)

// Every kind that a detector reports has a playbook, and every playbook has
// the same steps in the same order, so that a team can rehearse them.
func TestEveryKindHasAPlaybook(t *testing.T) {
	steps := []string{"## What it means", "## Check", "## Contain", "## Clean up", "## Recover", "## If it is normal"}
	for _, d := range detect.Table(detect.Config{}) {
		for _, kind := range d.Spec().Kinds {
			text, err := Playbook(PlaybookName(kind))
			if err != nil {
				t.Errorf("%s: %v: write rules/playbooks/%s.md", kind, err, kind)
				continue
			}
			at := 0
			for _, step := range steps {
				i := strings.Index(text[at:], step)
				if i < 0 {
					t.Errorf("playbook %s: step %q is missing or out of order", kind, step)
					continue
				}
				at += i + len(step)
			}
		}
	}
}

func TestUnknownPlaybook(t *testing.T) {
	if _, err := Playbook("../rules"); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Playbook of a path outside: %v, want an error that says so", err)
	}
}
