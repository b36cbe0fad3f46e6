package main

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"gatehouse/notify"
)

// document is a configuration file that is being read.
type document struct {
	name string // as given, for messages
	dir  string // where files that it names are looked for
	env  func(string) (string, bool)
}

// section is a mapping of the file, of which keys are taken out one by one.
type section struct {
	node   *ast.MappingNode
	values []*ast.MappingValueNode
}

// errorf is an error at a place in the file.
func (d *document) errorf(at ast.Node, format string, args ...any) error {
	if at == nil || at.GetToken() == nil || at.GetToken().Position == nil {
		return fmt.Errorf("%s: %w", d.name, fmt.Errorf(format, args...))
	}
	p := at.GetToken().Position
	return fmt.Errorf("%s:%d:%d: %w", d.name, p.Line, p.Column, fmt.Errorf(format, args...))
}

// parse reads the text, which may be empty, and checks the variables in it.
func (d *document) parse(text []byte) (root *section, err error) {
	// The parser is not ours: a text that makes it fail is a bad text.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: is not YAML that can be read: %v", d.name, p)
		}
	}()
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, d.explain(err)
	}
	docs := slices.DeleteFunc(file.Docs, func(doc *ast.DocumentNode) bool {
		return doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.NullType
	})
	switch len(docs) {
	case 0:
		return &section{}, nil
	case 1:
	default:
		return nil, d.errorf(docs[1].Body, "a second document: one file holds one configuration")
	}
	v := &variables{d: d}
	ast.Walk(v, docs[0].Body)
	if v.err != nil {
		return nil, v.err
	}
	m, ok := docs[0].Body.(*ast.MappingNode)
	if !ok {
		return nil, d.errorf(docs[0].Body, "want keys such as store: and sinks:")
	}
	return &section{m, m.Values}, nil
}

// explain says where the library has found something wrong.
func (d *document) explain(err error) error {
	var y yaml.Error
	if !errors.As(err, &y) || y.GetToken() == nil || y.GetToken().Position == nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	p := y.GetToken().Position
	return fmt.Errorf("%s:%d:%d: %s", d.name, p.Line, p.Column, y.GetMessage())
}

// mapping is the section under a key, empty if nothing is under it.
func (d *document) mapping(v *ast.MappingValueNode, what string) (*section, error) {
	switch n := v.Value.(type) {
	case *ast.MappingNode:
		return &section{n, n.Values}, nil
	case *ast.NullNode:
		return &section{}, nil
	}
	return nil, d.errorf(v.Value, "%s: want keys and values below it", what)
}

func keyOf(v *ast.MappingValueNode) string { return v.Key.GetToken().Value }

func (s *section) find(key string) *ast.MappingValueNode {
	for _, v := range s.values {
		if keyOf(v) == key {
			return v
		}
	}
	return nil
}

// take removes a key and returns it, nil if it is not there.
func (s *section) take(key string) *ast.MappingValueNode {
	v := s.find(key)
	if v != nil {
		s.values = slices.DeleteFunc(slices.Clone(s.values), func(x *ast.MappingValueNode) bool { return x == v })
	}
	return v
}

// split takes the given keys out into a section of their own.
func (s *section) split(keys []string) *section {
	out := &section{node: s.node}
	for _, k := range keys {
		for v := s.take(k); v != nil; v = s.take(k) {
			out.values = append(out.values, v) // twice is an error, but not here
		}
	}
	return out
}

// decode reads a section into a struct, strictly.
func (d *document) decode(s *section, into any) error { return d.decodeKeys(s, into, yamlKeys(into)) }

// decodeKeys does so and lists the allowed keys where one is unknown.
func (d *document) decodeKeys(s *section, into any, allowed []string) error {
	if s.node == nil || len(s.values) == 0 {
		return d.expand(reflect.ValueOf(into), nil)
	}
	secrets := make(map[string]string)
	values, err := d.check(s.values, reflect.TypeOf(into).Elem(), "", allowed, secrets)
	if err != nil {
		return err
	}
	node := *s.node
	node.Values = values
	if len(values) > 0 {
		if err := yaml.NodeToValue(&node, into, yaml.Strict()); err != nil {
			return d.explain(err)
		}
	}
	return d.expand(reflect.ValueOf(into), secrets)
}

// check refuses keys that the struct does not have, and takes out the keys
// KEY_file of secrets, of which it reads the files.
func (d *document) check(values []*ast.MappingValueNode, t reflect.Type, path string, allowed []string, secrets map[string]string) ([]*ast.MappingValueNode, error) {
	fields := yamlFields(t)
	var out []*ast.MappingValueNode
	for _, v := range values {
		key := keyOf(v)
		f, known := fields[key]
		if secret, ok := strings.CutSuffix(key, "_file"); ok && !known && fields[secret] == reflect.TypeFor[notify.Secret]() {
			if slices.ContainsFunc(values, func(x *ast.MappingValueNode) bool { return keyOf(x) == secret }) {
				return nil, d.errorf(v.Key, "%s%s: %s is given too: use one of them", path, key, secret)
			}
			text, err := readSmall(d.beside(d.substitute(v.Value.GetToken().Value)))
			if err != nil {
				return nil, d.errorf(v.Value, "%s%s: %w", path, key, err)
			}
			secrets[path+secret] = strings.TrimRight(string(text), "\r\n")
			continue
		}
		if !known {
			slices.Sort(allowed)
			return nil, d.errorf(v.Key, "unknown key %q: use %s", path+key, strings.Join(slices.Compact(allowed), ", "))
		}
		if into, ok := reflect.New(f).Interface().(encoding.TextUnmarshaler); ok {
			// The library does not say where it has called it.
			text, scalar := v.Value.(ast.ScalarNode)
			if !scalar {
				return nil, d.errorf(v.Value, "%s%s: want a text", path, key)
			}
			if err := into.UnmarshalText([]byte(fmt.Sprint(text.GetValue()))); err != nil {
				return nil, d.errorf(v.Value, "%s%s: %w", path, key, err)
			}
		} else if m, ok := v.Value.(*ast.MappingNode); ok && f.Kind() == reflect.Struct {
			inner, err := d.check(m.Values, f, path+key+".", slices.Collect(maps.Keys(yamlFields(f))), secrets)
			if err != nil {
				return nil, err
			}
			if len(inner) == 0 {
				continue // nothing but secrets
			}
			sub, outer := *m, *v
			sub.Values, outer.Value = inner, &sub
			v = &outer
		}
		out = append(out, v)
	}
	return out, nil
}

// locate adds to an error of a setting where the setting is.
func (d *document) locate(s *section, prefix string, err error) error {
	var field *notify.FieldError
	path := []string{}
	if prefix != "" {
		path = append(path, prefix)
	}
	if errors.As(err, &field) {
		path = append(path, strings.Split(field.Key, ".")...)
	}
	var at ast.Node
	if s.node != nil {
		at = s.node
		if len(s.node.Values) > 0 {
			at = s.node.Values[0].Key
		}
	}
	values := s.values
	for _, key := range path {
		i := slices.IndexFunc(values, func(v *ast.MappingValueNode) bool { return keyOf(v) == key })
		if i < 0 {
			break
		}
		at = values[i].Key
		m, ok := values[i].Value.(*ast.MappingNode)
		if !ok {
			break
		}
		values = m.Values
	}
	if prefix != "" {
		return d.errorf(at, "%s.%w", prefix, err)
	}
	return d.errorf(at, "%w", err)
}

// beside makes the name of a file relative to that of the configuration.
func (d *document) beside(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(d.dir, name)
}

// filesBeside does so with all settings of a sink that name a file: path and
// those that end with _file.
func (d *document) filesBeside(v reflect.Value) {
	for i := range v.NumField() {
		name, _ := yamlName(v.Type().Field(i))
		switch f := v.Field(i); {
		case f.Kind() == reflect.String && (name == "path" || strings.HasSuffix(name, "_file")):
			f.SetString(d.beside(f.String()))
		case f.Kind() == reflect.Struct && f.CanSet() && f.Type() != reflect.TypeFor[notify.Secret]():
			d.filesBeside(f)
		}
	}
}

// variable is ${NAME}; $${NAME} stands for itself.
var variable = regexp.MustCompile(`\$?\$\{([^}]*)\}`)

// variables looks for variables of the environment that are not set.
type variables struct {
	d   *document
	err error
}

// Visit implements ast.Visitor.
func (v *variables) Visit(n ast.Node) ast.Visitor {
	if v.err != nil {
		return nil
	}
	text, ok := n.(ast.ScalarNode)
	if !ok {
		return v
	}
	for _, m := range variable.FindAllStringSubmatch(fmt.Sprint(text.GetValue()), -1) {
		if strings.HasPrefix(m[0], "$$") {
			continue
		}
		if _, ok := v.d.env(m[1]); !ok {
			v.err = v.d.errorf(n, "environment variable %s is not set (for the text itself write $${%s})", m[1], m[1])
			return nil
		}
	}
	return v
}

// expand replaces variables in all texts of a struct, and sets the secrets
// that were read from files, by the path of their key.
func (d *document) expand(v reflect.Value, secrets map[string]string) error {
	return d.expandAt(v, "", secrets)
}

func (d *document) expandAt(v reflect.Value, path string, secrets map[string]string) error {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return d.expandAt(v.Elem(), path, secrets)
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(d.substitute(v.String()))
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := d.expandAt(v.Index(i), path, secrets); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			if s, ok := reflect.TypeAssert[notify.Secret](v.MapIndex(k)); ok {
				v.SetMapIndex(k, reflect.ValueOf(notify.NewSecret(d.substitute(s.Reveal()))))
			} else if v.Type().Elem().Kind() == reflect.String {
				v.SetMapIndex(k, reflect.ValueOf(d.substitute(v.MapIndex(k).String())).Convert(v.Type().Elem()))
			}
		}
	case reflect.Struct:
		if s, ok := reflect.TypeAssert[notify.Secret](v); ok && v.CanSet() {
			text, fromFile := secrets[path]
			if !fromFile {
				text = d.substitute(s.Reveal())
			}
			v.Set(reflect.ValueOf(notify.NewSecret(text)))
			return nil
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			inner := path
			if name, inline := yamlName(f); !inline {
				inner = join(path, name)
			}
			if err := d.expandAt(v.Field(i), inner, secrets); err != nil {
				return err
			}
		}
	}
	return nil
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *document) substitute(s string) string {
	return variable.ReplaceAllStringFunc(s, func(m string) string {
		if text, ok := strings.CutPrefix(m, "$$"); ok {
			return "$" + text
		}
		value, _ := d.env(m[2 : len(m)-1]) // parse has made sure that it is set
		return value
	})
}

// yamlName is the key of a field, or that its fields are those of the struct
// around it.
func yamlName(f reflect.StructField) (name string, inline bool) {
	name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "" {
		name = strings.ToLower(f.Name)
	}
	return name, strings.Contains(options, "inline")
}

// yamlFields are the types of the fields of a struct by their keys.
func yamlFields(t reflect.Type) map[string]reflect.Type {
	out := make(map[string]reflect.Type)
	for i := range t.NumField() {
		f := t.Field(i)
		name, inline := yamlName(f)
		switch {
		case !f.IsExported() || name == "-":
		case inline:
			maps.Copy(out, yamlFields(f.Type))
		default:
			out[name] = f.Type
		}
	}
	return out
}

// yamlKeys are the keys of a pointer to a struct, sorted, with KEY_file for
// secrets.
func yamlKeys(to any) []string {
	var out []string
	for name, t := range yamlFields(reflect.TypeOf(to).Elem()) {
		out = append(out, name)
		if t == reflect.TypeFor[notify.Secret]() {
			out = append(out, name+"_file")
		}
	}
	slices.Sort(out)
	return out
}
