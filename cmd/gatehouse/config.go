package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"gatehouse/notify"
	"gatehouse/store"
)

// The configuration file lives in cmd, since it knows all rooms: it is decoded
// into the settings that each of them declares.

// settings are what a configuration file says, with defaults for the rest.
type settings struct {
	Site  string        `yaml:"site"` // name of this sensor
	Store storeSettings `yaml:"store"`
	Sinks sinkSettings  `yaml:"sinks"`
}

type storeSettings struct {
	Path        string             `yaml:"path"`
	WritePerDay byteSize           `yaml:"write_per_day"`
	MaxSize     byteSize           `yaml:"max_size"`
	MaxWaiting  int                `yaml:"max_waiting"`
	Keep        keepSettings       `yaml:"keep"`
	Encryption  encryptionSettings `yaml:"encryption"`
}

type keepSettings struct {
	Alerts       age `yaml:"alerts"` // closed ones
	Observations age `yaml:"observations"`
	Minutes      age `yaml:"minutes"`
	Hours        age `yaml:"hours"`
}

type encryptionSettings struct {
	Cipher     store.Cipher `yaml:"cipher"`
	KeyFile    string       `yaml:"key_file"`
	Credential string       `yaml:"credential"` // of systemd
}

// sinkSettings are the sinks by name. They are decoded by their types.
type sinkSettings []sinkSetting

type sinkSetting struct {
	name   string
	kind   string
	route  notify.Route
	limits notify.Limits
	config notify.Config
}

// sinkFrame is what all sinks have in common.
type sinkFrame struct {
	Type          string       `yaml:"type"`
	Route         notify.Route `yaml:"route"`
	notify.Limits `yaml:",inline"`
}

func defaultSettings() *settings {
	keep := store.DefaultRetention()
	return &settings{Store: storeSettings{
		WritePerDay: 50 << 20, MaxSize: byteSize(keep.Size), MaxWaiting: store.DefaultMaxWaiting,
		Keep: keepSettings{
			Alerts: age(keep.Alerts.Age), Observations: age(keep.Observations.Age),
			Minutes: age(keep.Minutes.Age), Hours: age(keep.Hours.Age),
		},
		Encryption: encryptionSettings{Cipher: store.AESXTS},
	}}
}

// maxConfig bounds a configuration file, in bytes.
const maxConfig = 1 << 20

// loadSettings reads a configuration file. Errors are those of the person who
// wrote it: they name the file and, where there is one, the line.
func loadSettings(name string) (*settings, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usageError{fmt.Errorf("--config: %w", err)}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, usageError{fmt.Errorf("--config: %w", err)}
	}
	if len(text) > maxConfig {
		return nil, usageError{fmt.Errorf("--config %s: larger than %d bytes", name, maxConfig)}
	}
	s, err := parseSettings(name, text, os.LookupEnv)
	if err != nil {
		return nil, usageError{err}
	}
	return s, nil
}

// parseSettings reads the text of a configuration file. Files that it names
// are looked for beside it.
func parseSettings(name string, text []byte, env func(string) (string, bool)) (*settings, error) {
	d := &document{name: name, dir: filepath.Dir(name), env: env}
	root, err := d.parse(text)
	if err != nil {
		return nil, err
	}
	s := defaultSettings()
	sinks := root.take("sinks")
	if err := d.decode(root, s); err != nil {
		return nil, err
	}
	s.Store.Path = d.beside(s.Store.Path)
	s.Store.Encryption.KeyFile = d.beside(s.Store.Encryption.KeyFile)
	if err := s.Store.validate(); err != nil {
		return nil, d.locate(root, "store", err)
	}
	if sinks == nil {
		return s, nil
	}
	list, err := d.mapping(sinks, "sinks")
	if err != nil {
		return nil, err
	}
	for _, v := range list.values {
		sink, err := d.sink(v)
		if err != nil {
			return nil, err
		}
		s.Sinks = append(s.Sinks, *sink)
	}
	slices.SortFunc(s.Sinks, func(x, y sinkSetting) int { return strings.Compare(x.name, y.name) })
	return s, nil
}

// sinkName is what a sink may be called: it appears in tables, metrics and
// commands.
var sinkName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// sink decodes one sink: what all have in common, then what its type has.
func (d *document) sink(v *ast.MappingValueNode) (*sinkSetting, error) {
	s := &sinkSetting{name: keyOf(v)}
	if !sinkName.MatchString(s.name) {
		return nil, d.errorf(v.Key, "sink %q: a name has letters, digits, dots, dashes and underscores, at most 64", s.name)
	}
	m, err := d.mapping(v, "sink "+s.name)
	if err != nil {
		return nil, err
	}
	frame := sinkFrame{Limits: notify.DefaultLimits()}
	common := m.split(yamlKeys(&frame))
	if err := d.decodeKeys(common, &frame, append(yamlKeys(&frame), "the settings of its type")); err != nil {
		return nil, err
	}
	s.kind, s.route, s.limits = frame.Type, frame.Route, frame.Limits
	spec, ok := notify.Find(frame.Type)
	if !ok {
		var types []string
		for _, t := range notify.Table() {
			types = append(types, t.Type)
		}
		at := common.find("type")
		if at == nil {
			return nil, d.errorf(v.Key, "sink %s: type is required: use one of %s", s.name, strings.Join(types, ", "))
		}
		return nil, d.errorf(at.Value, "sink %s: unknown type %q: use one of %s", s.name, frame.Type, strings.Join(types, ", "))
	}
	if err := errors.Join(s.route.Validate()); err != nil {
		return nil, d.locate(common, "route", err)
	}
	if err := s.limits.Validate(); err != nil {
		return nil, d.locate(common, "", err)
	}
	s.config = spec.Default()
	if err := d.decodeKeys(m, s.config, append(yamlKeys(s.config), yamlKeys(&frame)...)); err != nil {
		return nil, err
	}
	d.filesBeside(reflect.ValueOf(s.config).Elem())
	if err := s.config.Validate(); err != nil {
		return nil, d.locate(m, "", err)
	}
	return s, nil
}

func (s *storeSettings) validate() error {
	switch {
	case s.MaxWaiting < 100 || s.MaxWaiting > 10_000_000:
		return &notify.FieldError{Key: "max_waiting", Err: fmt.Errorf("%d, must be 100 to 10000000 alerts and incidents", s.MaxWaiting)}
	case s.MaxSize != 0 && s.MaxSize < 8<<20:
		return &notify.FieldError{Key: "max_size", Err: errors.New("must be 8MB at least, or 0 for no bound")}
	case s.Encryption.KeyFile != "" && s.Encryption.Credential != "":
		return &notify.FieldError{Key: "encryption.credential", Err: errors.New("cannot be combined with key_file")}
	case s.Encryption.Cipher != store.AESXTS && s.Encryption.Cipher != store.Adiantum:
		return &notify.FieldError{Key: "encryption.cipher", Err: fmt.Errorf("%q, must be %s or %s", s.Encryption.Cipher, store.AESXTS, store.Adiantum)}
	case strings.ContainsAny(s.Encryption.Credential, "/\x00"):
		return &notify.FieldError{Key: "encryption.credential", Err: errors.New("is a name without slashes, as in LoadCredential= of the unit")}
	}
	return nil
}

// key reads the key of the store, nil if it is not encrypted.
func (s *storeSettings) key() (*store.Key, error) {
	name := s.Encryption.KeyFile
	if c := s.Encryption.Credential; c != "" {
		dir, ok := os.LookupEnv("CREDENTIALS_DIRECTORY")
		if !ok {
			return nil, usageError{fmt.Errorf("store.encryption.credential %s: $CREDENTIALS_DIRECTORY is not set: start gatehouse as a systemd service with LoadCredential=%s, or use key_file", c, c)}
		}
		name = filepath.Join(dir, c)
	}
	if name == "" {
		return nil, nil //nolint:nilnil // no key is a key of its own kind
	}
	material, err := readSmall(name)
	if err != nil {
		return nil, usageError{fmt.Errorf("key of the store: %w", err)}
	}
	k, err := store.NewKey(s.Encryption.Cipher, material)
	if err != nil {
		return nil, usageError{fmt.Errorf("key of the store in %s: %w", name, err)}
	}
	return k, nil
}

// retention is what the store keeps.
func (s *storeSettings) retention() store.Retention {
	r := store.DefaultRetention()
	r.Alerts.Age, r.Incidents.Age = time.Duration(s.Keep.Alerts), time.Duration(s.Keep.Alerts)
	r.Observations.Age = time.Duration(s.Keep.Observations)
	r.Minutes.Age, r.Hours.Age = time.Duration(s.Keep.Minutes), time.Duration(s.Keep.Hours)
	r.Size = int64(s.MaxSize)
	return r
}

// maxSecret bounds a file with a key, token or password, in bytes.
const maxSecret = 64 << 10

// readSmall reads a file that holds a secret.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(b) > maxSecret {
		err = fmt.Errorf("%s is larger than %d bytes: is it the right file?", name, maxSecret)
	}
	return b, err
}

// byteSize is a number of bytes, written as 50MB or 512KB (powers of 1024).
type byteSize int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *byteSize) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(string(text))), "B"), "KMGI")
	unit := strings.Trim(strings.ToUpper(strings.TrimSpace(string(text)))[len(digits):], "BI ")
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	shift, ok := map[string]int{"": 0, "K": 10, "M": 20, "G": 30}[unit]
	if err != nil || !ok || n < 0 || n > math.MaxInt64>>shift {
		return fmt.Errorf("size %q: want a number of bytes such as 50MB, 512KB or 0", text)
	}
	*b = byteSize(n << shift)
	return nil
}

// age is a time span of days or less, written as 90d or 36h.
type age time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *age) UnmarshalText(text []byte) error {
	d, err := parseAge(string(text))
	*a = age(d)
	return err
}

func parseAge(text string) (time.Duration, error) {
	const most = 100 * 365 // days
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= most {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d >= 0 && d <= most*24*time.Hour {
		return d, nil
	}
	return 0, fmt.Errorf("time span %q: want days or hours such as 90d or 36h", text)
}
