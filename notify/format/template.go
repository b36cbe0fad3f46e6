package format

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
)

// MaxTemplated bounds what a template may write, in bytes.
const MaxTemplated = 1 << 20

// View is what a template sees. One of Alert, Incident and Digest is set; the
// other fields say the same of all three.
type View struct {
	Site     string
	Shape    string // alert, incident or digest
	ID       string
	Key      string // id and revision: the same notice has the same key
	Revision int
	Severity detect.Severity
	Time     time.Time
	Title    string
	Summary  string
	Alert    *alert.Alert
	Incident *alert.Incident
	Digest   *alert.Digest
}

// Template makes a format of a text/template. Besides what every template can
// do there are json (a value as JSON, to stand in a JSON body with its quotes),
// join, upper, lower and cut (text, bytes).
func Template(text string) (Format, error) {
	t, err := template.New("template").Option("missingkey=error").Funcs(template.FuncMap{
		"json":  toJSON,
		"join":  func(sep string, parts []string) string { return strings.Join(parts, sep) },
		"upper": strings.ToUpper,
		"lower": strings.ToLower,
		"cut":   func(limit int, s string) string { return Cut(s, limit) },
	}).Parse(text)
	if err != nil {
		return Format{}, err
	}
	return Format{Name: "template", Doc: "a Go template of your own", MediaType: textMedia, Render: func(n *alert.Notice, m Meta) ([]byte, error) {
		if n.ID() == "" {
			return nil, errEmpty
		}
		var out bounded
		if err := t.Execute(&out, View{
			m.Site, shape(n), n.ID(), n.Key(), n.Revision(), n.Severity(), n.Time(), Title(n), Summary(n), n.Alert, n.Incident, n.Digest,
		}); err != nil {
			return nil, fmt.Errorf("fill in the template: %w", err)
		}
		return out.text, nil
	}}, nil
}

func toJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// bounded is a buffer that a template cannot make grow for ever.
type bounded struct{ text []byte }

var errLong = errors.New("it writes more than 1 MiB")

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.text)+len(p) > MaxTemplated {
		return 0, errLong
	}
	b.text = append(b.text, p...)
	return len(p), nil
}
