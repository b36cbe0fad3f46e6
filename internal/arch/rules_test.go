package arch

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestRules shows each rule a small tree that keeps it and trees that break
// it. Want holds one substring per violation, in order of path.
func TestRules(t *testing.T) {
	tests := []struct {
		name  string
		check func(*Tree) []Violation
		files map[string]string
		want  []string
	}{
		{
			name: "upstream import", check: checkImports,
			files: map[string]string{
				"flow/a.go":            imports("flow", "gatehouse/wire", "gatehouse/capture"),
				"flow/sub/a.go":        imports("sub", "gatehouse/wire", "gatehouse/flow"),
				"cmd/gatehouse/a.go":   imports("main", "gatehouse/web", "gatehouse/wire"),
				"pipeline/a.go":        imports("pipeline", "gatehouse/wire", "gatehouse/alert"),
				"internal/x/a_test.go": imports("x", "gatehouse/pipeline"),
			},
		},
		{
			name: "downstream import", check: checkImports,
			files: map[string]string{"wire/a.go": imports("wire", "strings", "gatehouse/flow")},
			want:  []string{"wire/a.go:3:26: wire must not import gatehouse/flow: it may import none of our packages"},
		},
		{
			name: "import of a folder below a room", check: checkImports,
			files: map[string]string{"alert/a.go": imports("alert", "gatehouse/store/sqlite")},
			want:  []string{"alert must not import gatehouse/store/sqlite: it may import only flow, device"},
		},
		{
			name: "two steps upstream is for tests", check: checkImports,
			files: map[string]string{
				"detect/a.go":      imports("detect", "gatehouse/capture"),
				"detect/a_test.go": imports("detect_test", "gatehouse/capture", "gatehouse/detect"),
			},
			want: []string{"detect/a.go:3:8: detect must not import gatehouse/capture"},
		},
		{
			name: "test looks downstream", check: checkImports,
			files: map[string]string{
				"flow/a_test.go":     imports("flow_test", "gatehouse/detect"),
				"pipeline/a_test.go": imports("pipeline_test", "gatehouse/sim"),
			},
			want: []string{"flow must not import gatehouse/detect: it is not upstream"},
		},
		{
			name: "exception for tests does not open the room", check: checkImports,
			files: map[string]string{"pipeline/a.go": imports("pipeline", "gatehouse/sim")},
			want:  []string{"pipeline must not import gatehouse/sim"},
		},
		{
			name: "back door", check: checkImports,
			files: map[string]string{"internal/x/a.go": imports("x", "gatehouse/store")},
			want:  []string{"back door"},
		},
		{
			name: "folder that is no room", check: checkImports,
			files: map[string]string{
				"stats/a.go": imports("stats", "gatehouse/flow"),
				"flow/a.go":  imports("flow", "gatehouse/stats"),
			},
			want: []string{"stats is not a room that can be imported", "stats is not a room: add it"},
		},
		{
			name: "command is no library", check: checkImports,
			files: map[string]string{"web/a.go": imports("web", "gatehouse/cmd/gatehouse")},
			want:  []string{"cmd is not a room that can be imported"},
		},
		{
			name: "other build tags", check: checkImports,
			files: map[string]string{"wire/a_windows.go": "//go:build windows\n\n" + imports("wire", "gatehouse/flow")},
			want:  []string{"wire must not import gatehouse/flow"},
		},

		{
			name: "libraries in their place", check: checkFences,
			files: map[string]string{
				"ebpf/a.go":             imports("ebpf", "github.com/cilium/ebpf/ringbuf"),
				"flow/a_test.go":        imports("flow", "github.com/google/gopacket", "gatehouse/internal/testkit", "os/exec"),
				"internal/testkit/a.go": imports("testkit", "os/exec"),
				"sim/a.go":              imports("sim", "github.com/google/gopacket/layers", "github.com/google/gopacket/pcapgo"),
			},
		},
		{
			name: "gopacket on the packet path", check: checkFences,
			files: map[string]string{
				"capture/a.go":  imports("capture", "github.com/google/gopacket/pcapgo"),
				"pipeline/a.go": imports("pipeline", "github.com/google/gopacket"),
			},
			want: []string{"capture must not import github.com/google/gopacket/pcapgo", "pipeline must not import"},
		},
		{
			name: "gopacket with cgo", check: checkFences,
			files: map[string]string{
				"capture/a_test.go": imports("capture", "github.com/google/gopacket/pcap"),
				"sim/a.go":          imports("sim", "github.com/google/gopacket/afpacket"),
			},
			want: []string{"needs cgo", "needs cgo"},
		},
		{
			name: "BPF library outside ebpf", check: checkFences,
			files: map[string]string{"capture/a_test.go": imports("capture", "github.com/cilium/ebpf")},
			want:  []string{"the ebpf room alone"},
		},
		{
			name: "program started by shipped code", check: checkFences,
			files: map[string]string{"respond/a.go": imports("respond", "os/exec")},
			want:  []string{"starts no programs"},
		},
		{
			name: "cgo", check: checkFences,
			files: map[string]string{"capture/a_test.go": imports("capture", "C")},
			want:  []string{"needs cgo"},
		},
		{
			name: "testkit in shipped code", check: checkFences,
			files: map[string]string{"cmd/gatehouse/a.go": imports("main", "gatehouse/internal/testkit")},
			want:  []string{"testkit is for _test.go files"},
		},

		{
			name: "good package comments", check: checkComments,
			files: map[string]string{
				"flow/a.go":                "// Package flow turns frames into events.\n// It promises little.\n// It must not judge.\npackage flow\n",
				"flow/b.go":                "// A licence.\n\npackage flow\n",
				"flow/c_test.go":           "package flow_test\n",
				"cmd/gatehouse/a.go":       "// Command gatehouse watches.\npackage main\n",
				"device/internal/gen/a.go": "//go:build ignore\n\n// Command gen writes a table.\npackage main\n",
				"internal/x/a.go":          "// Package x is small.\npackage x\n",
				"internal/y/a_test.go":     "package y\n",
			},
		},
		{
			name: "no package comment", check: checkComments,
			files: map[string]string{"internal/x/a.go": "//go:build linux\n\npackage x\n"},
			want:  []string{"package x has no package comment"},
		},
		{
			name: "two package comments", check: checkComments,
			files: map[string]string{
				"internal/x/a.go": "// Package x is small.\npackage x\n",
				"internal/x/b.go": "// Licence glued to the clause.\npackage x\n",
			},
			want: []string{"internal/x/b.go:2:1: package x has a second package comment (the first is in internal/x/a.go)"},
		},
		{
			name: "package comment starts otherwise", check: checkComments,
			files: map[string]string{
				"cmd/gatehouse/a.go": "// Package main runs.\npackage main\n",
				"internal/x/a.go":    "// This package is small.\npackage x\n",
			},
			want: []string{`must start with "Command gatehouse "`, `must start with "Package x "`},
		},
		{
			name: "room says too little", check: checkComments,
			files: map[string]string{"wire/a.go": "// Package wire parses.\npackage wire\n"},
			want:  []string{"has 1 lines", `lacks "promises"`, `lacks "must not"`},
		},

		{
			name: "vague names", check: checkNames,
			files: map[string]string{
				"flow/helpers/a.go": "package table\n",
				"internal/x/a.go":   "package util\n",
				"wire/a.go":         "package wire\n",
			},
			want: []string{"package table in flow/helpers", "package util in internal/x"},
		},

		{
			name: "init", check: checkInits,
			files: map[string]string{
				"ebpf/a_bpfel.go": "// Code generated by bpf2go; DO NOT EDIT.\n\npackage ebpf\n\nfunc init() {}\n",
				"wire/a.go":       "package wire\n\ntype t struct{}\n\nfunc (t) init() {}\n",
				"wire/b.go":       "package wire\n\nfunc init() {}\n",
			},
			want: []string{"wire/b.go:3:1: init runs for everyone"},
		},

		{
			name: "sleeping tests", check: checkSleeps,
			files: map[string]string{
				"flow/a.go":      imports("flow", "time") + "func f() { time.Sleep(1) }\n",
				"flow/a_test.go": imports("flow", "time") + "func g() { time.Sleep(1) }\n",
				"flow/b_test.go": imports("flow", "clock time") + "func h() { f := clock.Sleep; f(1) }\n",
			},
			want: []string{"flow/a_test.go:4:12: a test must not sleep", "flow/b_test.go:4:17: a test must not sleep"},
		},
		{
			name: "sleep in a bubble", check: checkSleeps,
			files: map[string]string{
				"flow/a_test.go": imports("flow", "testing", "testing/synctest", "time") +
					"func TestX(t *testing.T) { synctest.Test(t, func(*testing.T) { time.Sleep(1) }) }\n",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.check(load(t, tt.files))
			if len(got) != len(tt.want) {
				t.Fatalf("got %d violations %v, want %d", len(got), got, len(tt.want))
			}
			for i, want := range tt.want {
				if !strings.Contains(got[i].String(), want) {
					t.Errorf("violation %d: got %q, want it to contain %q", i, got[i], want)
				}
			}
		})
	}
}

// TestLoad holds which files count: what the go command ignores does not.
func TestLoad(t *testing.T) {
	tree := load(t, map[string]string{
		"go.mod":               "module gatehouse\n",
		"flow/a.go":            "package flow\n",
		"flow/README.md":       "",
		"flow/_scratch.go":     "not Go",
		"flow/testdata/x.go":   "not Go",
		".cache/x.go":          "not Go",
		"vendor/x/x.go":        "not Go",
		"nested/go.mod":        "module other\n",
		"nested/x.go":          "not Go",
		"wire/internal/a/a.go": "package a\n",
	})
	var got []string
	for _, f := range tree.Files {
		got = append(got, f.Path)
	}
	if want := []string{"flow/a.go", "wire/internal/a/a.go"}; !slices.Equal(got, want) {
		t.Errorf("got files %q, want %q", got, want)
	}
}

func TestLoadBrokenFile(t *testing.T) {
	_, err := Load(mapFS(map[string]string{"flow/a.go": "package flow\nfunc {"}))
	if err == nil || !strings.Contains(err.Error(), "flow/a.go:2") {
		t.Errorf("got error %v, want one that names flow/a.go:2", err)
	}
}

// TestRoomsTable holds that the table names only rooms and has no cycle.
func TestRoomsTable(t *testing.T) {
	for room, ups := range rooms() {
		for _, up := range ups {
			if _, ok := rooms()[up]; !ok {
				t.Errorf("%s may import %s, which is not a room", room, up)
			}
		}
		if slices.Contains(upstream(room), room) {
			t.Errorf("%s is upstream of itself", room)
		}
	}
	for room, extra := range testsAlso() {
		for _, e := range extra {
			if _, ok := rooms()[e]; !ok {
				t.Errorf("tests of %s may import %s, which is not a room", room, e)
			}
			if slices.Contains(upstream(room), e) {
				t.Errorf("tests of %s may import %s anyhow: it is upstream; drop the exception", room, e)
			}
		}
	}
}

func TestCheckGoImage(t *testing.T) {
	tests := []struct{ name, goMod, dockerfile, want string }{
		{"same", "module x\n\ngo 1.26.0\n", "FROM golang:1.26 AS build\n", ""},
		{"patch release and platform", "go 1.26\n", "FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build\nFROM scratch\n", ""},
		{"older image", "go 1.26.0\n", "FROM golang:1.25\n", "builds with Go 1.25 but go.mod asks for Go 1.26"},
		{"not taken for 1.2", "go 1.2\n", "FROM golang:1.26\n", "builds with Go 1.26 but"},
		{"second stage differs", "go 1.26.0\n", "FROM golang:1.26\nFROM golang:1.24 AS tools\n", "builds with Go 1.24"},
		{"no image", "go 1.26.0\n", "FROM debian\n", "no line \"FROM golang:1.26\""},
		{"no go line", "module x\n", "FROM golang:1.26\n", "go.mod has no go line"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckGoImage([]byte(tt.goMod), []byte(tt.dockerfile))
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got error %v, want none", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got error %v, want one that contains %q", err, tt.want)
			}
		})
	}
}

// imports writes the head of a Go file. An import is a path, or a name and a
// path with a space between.
func imports(pkg string, specs ...string) string {
	var b strings.Builder
	b.WriteString("package " + pkg + "\n\nimport ")
	for i, spec := range specs {
		if i > 0 {
			b.WriteString("; import ")
		}
		name, p, named := strings.Cut(spec, " ")
		if !named {
			name, p = "", spec
		}
		b.WriteString(strings.TrimSpace(name+` "`+p) + `"`)
	}
	return b.String() + "\n"
}

func mapFS(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, src := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(src)}
	}
	return fsys
}

func load(t *testing.T, files map[string]string) *Tree {
	t.Helper()
	tree, err := Load(mapFS(files))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
