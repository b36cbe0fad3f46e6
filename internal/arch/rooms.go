package arch

import (
	"maps"
	"slices"
	"strings"
)

// rooms says which rooms the shipped code of a room may import. Data walks
// through the rooms in the order of the lines; imports point upstream only. A
// call back upstream is a function or small interface that the consumer
// declares and cmd passes in.
func rooms() map[string][]string {
	return map[string][]string{
		"ebpf":     {},
		"wire":     {},
		"capture":  {"ebpf"},
		"flow":     {"capture", "wire"},
		"eve":      {"flow", "wire"},
		"device":   {"flow", "wire"},
		"baseline": {"flow", "device"},
		"detect":   {"flow", "wire", "device", "baseline"},
		"rules":    {"flow", "wire", "device", "detect"},
		"alert":    {"flow", "device", "detect", "rules"},
		"store":    {"device", "baseline", "alert"},
		"notify":   {"device", "detect", "alert"},
		"respond":  {"device", "alert"},
		"web":      {"device", "baseline", "alert", "store"},
		"sim":      {"wire"},
		"pipeline": {
			"ebpf", "capture", "wire", "flow", "device", "baseline", "detect",
			"rules", "alert", "store", "notify", "respond",
		},
	}
}

// testsAlso lists what the tests of a room may import beside everything
// upstream of it, each with its reason. It stays short: a test that needs much
// from downstream belongs to pipeline or cmd.
func testsAlso() map[string][]string {
	return map[string][]string{
		// The parser in the kernel is compared with the decoder in flow, on
		// frames that capture reads.
		"ebpf": {"capture", "flow"},
		// The whole way from packets to alerts is judged on labelled traffic.
		"pipeline": {"sim"},
	}
}

// checkImports holds the table of rooms.
func checkImports(t *Tree) []Violation {
	var out []Violation
	for _, f := range t.Files {
		room := f.Room()
		if !knownFolder(room) {
			out = append(out, t.at(f.Syntax.Package, "%s is not a room: add it to the table in internal/arch/rooms.go (and to the design page), or move the code", room))
			continue
		}
		for _, imp := range f.Imports {
			target, ok := roomOf(imp.Path)
			if !ok || target == room || target == "internal" {
				continue // testkit has a fence of its own
			}
			if reason := refuse(room, target, f.Test); reason != "" {
				out = append(out, t.at(imp.Pos, "%s must not import %s: %s", room, imp.Path, reason))
			}
		}
	}
	return out
}

// refuse says why code in one folder must not import a room, or "".
func refuse(folder, target string, test bool) string {
	if _, ok := rooms()[target]; !ok {
		return target + " is not a room that can be imported"
	}
	allowed, isRoom := rooms()[folder]
	switch {
	case folder == "cmd":
		return "" // cmd alone wires: it sees all rooms
	case !isRoom && test:
		return "" // tests outside the rooms look at the whole
	case !isRoom:
		return "rooms import " + folder + ", so this would be a back door around the table of rooms; let cmd pass the value in"
	case slices.Contains(allowed, target):
		return ""
	case test && slices.Contains(upstream(folder), target):
		return ""
	case test && slices.Contains(testsAlso()[folder], target):
		return ""
	case test:
		return "it is not upstream; move the test to the room that is downstream of both, or add a reasoned line to testsAlso in internal/arch/rooms.go"
	default:
		return "it may import " + list(allowed) + "; declare a small interface or function where it is consumed and let cmd pass it in"
	}
}

// upstream returns every room that a room reaches through the table, sorted.
func upstream(room string) []string {
	seen := map[string]bool{}
	var walk func(string)
	walk = func(r string) {
		for _, up := range rooms()[r] {
			if !seen[up] {
				seen[up] = true
				walk(up)
			}
		}
	}
	walk(room)
	return slices.Sorted(maps.Keys(seen))
}

// knownFolder says whether Go code may live under a top-level folder.
func knownFolder(folder string) bool {
	if _, ok := rooms()[folder]; ok {
		return true
	}
	return folder == "cmd" || folder == "internal" || folder == "."
}

// roomOf maps an import path of ours to its top-level folder.
func roomOf(importPath string) (string, bool) {
	if importPath == Module {
		return ".", true
	}
	rest, ok := strings.CutPrefix(importPath, Module+"/")
	return firstFolder(rest), ok
}

func list(names []string) string {
	if len(names) == 0 {
		return "none of our packages"
	}
	return "only " + strings.Join(names, ", ")
}
