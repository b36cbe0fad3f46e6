package arch

import (
	"fmt"
	"regexp"
)

var (
	goDirective = regexp.MustCompile(`(?m)^go (\d+\.\d+)(?:\.\d+)?\s*$`)
	goImage     = regexp.MustCompile(`(?mi)^FROM\s+(?:--\S+\s+)*golang:(\d+\.\d+)\S*`)
)

// CheckGoImage compares the Go release (major.minor) that a Dockerfile builds
// with to the one that go.mod asks for. The image may carry any patch release:
// security fixes should not wait for us.
func CheckGoImage(goMod, dockerfile []byte) error {
	want := goDirective.FindSubmatch(goMod)
	if want == nil {
		return fmt.Errorf("go.mod has no go line of the form %q", "go 1.26.0")
	}
	images := goImage.FindAllSubmatch(dockerfile, -1)
	if len(images) == 0 {
		return fmt.Errorf("the Dockerfile has no line %q", "FROM golang:"+string(want[1]))
	}
	for _, got := range images {
		if string(got[1]) != string(want[1]) {
			return fmt.Errorf("the Dockerfile builds with Go %s but go.mod asks for Go %s: change the Dockerfile's FROM line", got[1], want[1])
		}
	}
	return nil
}
