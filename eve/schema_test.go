package eve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gatehouse/internal/testkit"
)

// schemaFile is relative to this folder.
const schemaFile = "../docs/events.schema.json"

// TestSchemaIsComplete holds docs/events.schema.json against what the Writer
// can write: every field of every object, and every event_type of the golden
// files. What the types say is derived from them; what only a person can say
// (enum, pattern, format, description) is written into the schema by hand and
// stays there. With -update the test brings the schema up to date.
func TestSchemaIsComplete(t *testing.T) {
	raw, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	schema := map[string]any{}
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatalf("%s: %v", schemaFile, err)
	}
	defs := member(schema, "$defs")
	derived := map[string]any{}
	shared := map[string]bool{"ip": true} // written by hand
	root := deriveObject(t, reflect.TypeFor[record](), derived)
	reconcile(schema, root)
	for name, def := range derived {
		reconcile(member(defs, name), def.(map[string]any))
	}
	for name := range defs {
		if _, ok := derived[name]; !ok && !shared[name] {
			delete(defs, name)
		}
	}
	addEventTypes(t, schema)

	testkit.Golden(t, append(layOut(t, schema, ""), '\n'), schemaFile)
}

// TestSchemaHolds validates every line of the golden files, and every line
// that is written over the corpus.
func TestSchemaHolds(t *testing.T) {
	schema := compileSchema(t)
	golden, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(golden) == 0 {
		t.Fatalf("%d golden files, %v", len(golden), err)
	}
	for _, name := range golden {
		log, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		validate(t, schema, name, log)
	}
	t.Run("corpus", func(t *testing.T) {
		lines := 0
		for _, folder := range []string{"protocols", "hostile", "attacks", "iot-setup"} {
			root := testkit.Corpus(t, folder)
			for _, name := range captureFiles(t, root) {
				events, err := eventsOf(t, filepath.Join(root, name))
				if err != nil {
					t.Logf("%s: read up to: %v", name, err)
				}
				lines += validate(t, schema, name, logOf(t, events))
				if t.Failed() {
					t.Fatalf("stopped at %s", name)
				}
			}
		}
		if lines < 10_000 {
			t.Errorf("only %d lines", lines)
		}
		t.Logf("%d lines", lines)
	})
}

// TestSchemaIsStrict: a line with a field, a kind of event or a value that the
// page does not know is refused.
func TestSchemaIsStrict(t *testing.T) {
	schema := compileSchema(t)
	const head = `{"timestamp":"2026-03-14T09:26:53.589793+0000","flow_id":1,"proto":"UDP",`
	for _, c := range []struct {
		line  string
		valid bool
	}{
		{head + `"event_type":"dns","dns":{"version":2,"type":"query","id":1,"opcode":0}}`, true},
		{head + `"event_type":"dns","dns":{"version":2,"type":"query","id":1,"opcode":0,"more":1}}`, false},
		{head + `"event_type":"dns","more":1}`, false},
		{head + `"event_type":"dmz"}`, false},
		{head + `"event_type":"dns","dns":{"type":"query","id":1,"opcode":0}}`, false},
		{head + `"event_type":"dns","src_port":65536}`, false},
		{head + `"event_type":"dns","src_ip":"1.2.3.4.5"}`, false},
		{`{"event_type":"dns"}`, false},
	} {
		err := checkLine(schema, []byte(c.line))
		if (err == nil) != c.valid {
			t.Errorf("%s: %v", c.line, err)
		}
	}
}

func compileSchema(tb testing.TB) *jsonschema.Schema {
	tb.Helper()
	raw, err := os.ReadFile(schemaFile)
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		tb.Fatalf("%s: %v", schemaFile, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(schemaFile, doc); err != nil {
		tb.Fatal(err)
	}
	schema, err := c.Compile(schemaFile)
	if err != nil {
		tb.Fatal(err)
	}
	return schema
}

// validate checks every line of a log and returns how many there are.
func validate(tb testing.TB, schema *jsonschema.Schema, name string, log []byte) int {
	tb.Helper()
	n := 0
	for text := range bytes.Lines(log) {
		n++
		if err := checkLine(schema, text); err != nil {
			tb.Errorf("%s, line %d: %v\n%s\nIf the line is right: go test ./eve -run TestSchemaIsComplete -update, "+
				"and add by hand what the types cannot say (enum, format)", name, n, err, text)
			return n
		}
	}
	return n
}

func checkLine(schema *jsonschema.Schema, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("read line: %w", err)
	}
	if err := schema.Validate(v); err != nil {
		return fmt.Errorf("validate line: %w", err)
	}
	return nil
}

// layOut renders a schema with sorted keys and one property a line, so that a
// merge of two additions is seldom a conflict.
func layOut(tb testing.TB, v any, indent string) []byte {
	tb.Helper()
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		tb.Fatal(err)
	}
	compact := bytes.TrimSpace(line.Bytes())
	o, ok := v.(map[string]any)
	if !ok || (len(compact) <= 120 && indent != "") {
		return compact
	}
	out := []byte("{\n")
	for i, key := range slices.Sorted(maps.Keys(o)) {
		if i > 0 {
			out = append(out, ",\n"...)
		}
		out = fmt.Appendf(out, "%s  %q: %s", indent, key, layOut(tb, o[key], indent+"  "))
	}
	return append(out, "\n"+indent+"}"...)
}

// member returns the object at key, which it makes if there is none.
func member(o map[string]any, key string) map[string]any {
	m, ok := o[key].(map[string]any)
	if !ok {
		m = map[string]any{}
		o[key] = m
	}
	return m
}

// reconcile makes an object's schema have the derived properties, each with
// what was added to it by hand, unless its type has changed.
func reconcile(have, derived map[string]any) {
	for _, key := range []string{"type", "additionalProperties", "required"} {
		delete(have, key)
		if v, ok := derived[key]; ok {
			have[key] = v
		}
	}
	old, now := member(have, "properties"), derived["properties"].(map[string]any)
	for name, p := range now {
		if o, ok := old[name].(map[string]any); ok && sameShape(o, p.(map[string]any)) {
			now[name] = o
		}
	}
	have["properties"] = now
}

// sameShape reports whether a schema has everything that is derived.
func sameShape(have, derived map[string]any) bool {
	for key, d := range derived {
		h, ok := have[key]
		if !ok {
			return false
		}
		if dm, isObject := d.(map[string]any); isObject {
			if hm, ok := h.(map[string]any); !ok || !sameShape(hm, dm) {
				return false
			}
		} else if fmt.Sprint(h) != fmt.Sprint(d) {
			return false
		}
	}
	return true
}

// derive returns the schema of a Go type; those of structs go to defs.
func derive(tb testing.TB, t reflect.Type, defs map[string]any) map[string]any {
	tb.Helper()
	if t == reflect.TypeFor[netip.Addr]() {
		return map[string]any{"$ref": "#/$defs/ip"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return derive(tb, t.Elem(), defs)
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Uint8:
		return map[string]any{"type": "integer", "minimum": 0, "maximum": 255}
	case reflect.Uint16:
		return map[string]any{"type": "integer", "minimum": 0, "maximum": 65535}
	case reflect.Uint32, reflect.Uint64, reflect.Uint:
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			break // JSON would carry base64
		}
		return map[string]any{"type": "array", "items": derive(tb, t.Elem(), defs)}
	case reflect.Interface:
		return map[string]any{} // whatever it is
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": derive(tb, t.Elem(), defs)}
	case reflect.Struct:
		name := strings.TrimSuffix(t.Name(), "Body")
		if _, done := defs[name]; !done {
			defs[name] = map[string]any{} // ends a recursion
			defs[name] = deriveObject(tb, t, defs)
		}
		return map[string]any{"$ref": "#/$defs/" + name}
	}
	tb.Fatalf("no JSON schema for %v: give the field a type that says what it holds", t)
	return nil
}

// deriveObject returns the schema of a struct.
func deriveObject(tb testing.TB, t reflect.Type, defs map[string]any) map[string]any {
	tb.Helper()
	properties, required := map[string]any{}, []string{}
	var collect func(t reflect.Type)
	collect = func(t reflect.Type) {
		for i := range t.NumField() {
			f := t.Field(i)
			tag, ok := f.Tag.Lookup("json")
			if f.Anonymous && !ok {
				if f.Type.Kind() == reflect.Pointer {
					tb.Fatalf("%v embeds a pointer, whose fields may be absent: name it", t)
				}
				collect(f.Type)
				continue
			}
			name, options, _ := strings.Cut(tag, ",")
			if name == "-" || !f.IsExported() { // encoding/json passes over both
				continue
			}
			if name == "" {
				tb.Fatalf("%v.%s has no JSON name", t, f.Name)
			}
			properties[name] = derive(tb, f.Type, defs)
			if !strings.Contains(options, "omit") {
				required = append(required, name)
			}
		}
	}
	collect(t)
	o := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		slices.Sort(required)
		o["required"] = required
	}
	return o
}

// addEventTypes makes the enum of event_type hold what the golden files have.
func addEventTypes(tb testing.TB, schema map[string]any) {
	tb.Helper()
	p := member(member(schema, "properties"), "event_type")
	kinds := map[string]bool{}
	if list, ok := p["enum"].([]any); ok {
		for _, v := range list {
			kinds[fmt.Sprint(v)] = true
		}
	}
	golden, err := filepath.Glob("testdata/*.jsonl")
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range golden {
		log, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		for _, l := range linesOf(tb, log) {
			kinds[l.EventType] = true
		}
	}
	p["enum"] = slices.Sorted(maps.Keys(kinds))
}
