package arch

import (
	"slices"
	"strings"
)

// fence keeps a package, and all below its path, within a few folders. Of
// several fences around a path the one with the longest prefix counts.
type fence struct {
	path  string
	code  []string // folders whose shipped code may import it
	tests []string // folders whose tests may import it too; anywhere: all
	why   string   // completes "... must not import X here: "
}

// anywhere in fence.tests lets the tests of all folders in.
const anywhere = "*"

func fences() []fence {
	const (
		gopacket = "github.com/google/gopacket"
		cgo      = "it needs cgo, and the daemon is one static binary built with CGO_ENABLED=0: find a pure Go way"
	)
	everyTest := []string{anywhere}
	return []fence{
		{path: "C", why: cgo},
		{
			path: "os/exec", code: []string{"internal/testkit"}, tests: everyTest,
			why: "shipped code starts no programs: use a netlink or other library",
		},
		{
			path: Module + "/internal/testkit", code: []string{"internal/testkit"}, tests: everyTest,
			why: "testkit is for _test.go files",
		},

		// gopacket's decoders panic on hostile bytes (42 times in 14 of 5,134
		// real captures) and take twice the time of our own. It may build
		// packets, write captures and be the oracle of a differential test.
		{
			path: gopacket, code: []string{"sim"}, tests: everyTest,
			why: "bytes from the network never reach its decoders: read with capture, decode in flow or wire, and keep gopacket to sim and _test.go files",
		},
		{path: gopacket + "/afpacket", why: cgo},
		{path: gopacket + "/pcap", why: cgo},
		{path: gopacket + "/pfring", why: cgo},

		{
			path: "github.com/cilium/ebpf", code: []string{"ebpf"}, tests: []string{"ebpf"},
			why: "the ebpf room alone talks to the BPF library: use its typed records",
		},
	}
}

// checkFences holds the fences.
func checkFences(t *Tree) []Violation {
	all := fences()
	var out []Violation
	for _, f := range t.Files {
		for _, imp := range f.Imports {
			fc, ok := around(all, imp.Path)
			if ok && !fc.admits(f) {
				out = append(out, t.at(imp.Pos, "%s must not import %s here: %s", f.Dir, imp.Path, fc.why))
			}
		}
	}
	return out
}

// around returns the fence with the longest prefix of an import path.
func around(all []fence, importPath string) (best fence, ok bool) {
	for _, fc := range all {
		if within(importPath, fc.path) && (!ok || len(fc.path) > len(best.path)) {
			best, ok = fc, true
		}
	}
	return best, ok
}

func (fc fence) admits(f *File) bool {
	inside := func(dir string) bool { return dir == anywhere || within(f.Dir, dir) }
	if slices.ContainsFunc(fc.code, inside) {
		return true
	}
	return f.Test && slices.ContainsFunc(fc.tests, inside)
}

// within reports whether a slash-separated path is dir or below it.
func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, dir+"/")
}
