package notify

import "strings"

// Secret is a password, token or key. It prints as dots wherever it ends up.
type Secret struct{ value string }

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the value, to be given to whom it is for and nobody else.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether there is none.
func (s Secret) IsZero() bool { return s.value == "" }

const hidden = "••••"

// String, GoString and MarshalText hide the value.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return hidden
}

// GoString hides the value from %#v.
func (s Secret) GoString() string { return "notify.Secret(" + s.String() + ")" }

// MarshalText hides the value from JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a value from a configuration.
func (s *Secret) UnmarshalText(b []byte) error {
	s.value = string(b)
	return nil
}

// scrub takes secrets out of an error that a server or library had a say in,
// and leaves its chain as it is.
func scrub(err error, secrets ...Secret) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, s := range secrets {
		// What is shorter than this is no secret, and would blot out words.
		if len(s.value) >= 4 {
			text = strings.ReplaceAll(text, s.value, hidden)
		}
	}
	if text == err.Error() {
		return err
	}
	return &scrubbed{text, err}
}

type scrubbed struct {
	text string
	err  error
}

func (s *scrubbed) Error() string { return s.text }
func (s *scrubbed) Unwrap() error { return s.err }
