// Package testkit holds what the tests of several rooms share: the way to the
// capture corpus, tools that a test compares with, golden files, small capture
// files, and network namespaces with senders in them.
//
// It promises that a test which cannot run says why and how to make it run,
// and that nothing is skipped when CI=true. It must not be imported by code
// that ships, and it imports no room, so that every room's own tests can use
// it without an import cycle.
package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

// corpusEnv names the folder of real captures that some tests read.
const corpusEnv = "GATEHOUSE_CORPUS"

// Corpus returns the path of elem inside the folder of real captures that the
// environment variable GATEHOUSE_CORPUS names. A relative value is taken from
// the module root, because go test runs each test in its package's folder.
// Without the variable the test is skipped; with CI=true it fails.
//
// Whether the file exists is not checked: opening it says so better.
func Corpus(tb testing.TB, elem ...string) string {
	tb.Helper()
	root, ok := corpus(tb)
	if !ok {
		unavailable(tb, "needs real captures: set "+corpusEnv+" to the folder that holds them")
	}
	return filepath.Join(append([]string{root}, elem...)...)
}

// CorpusSeeds returns the files of the corpus whose path inside it matches
// pattern, which is as for filepath.Match, and none without a corpus: for fuzz
// targets, which have seeds of their own and need not be skipped.
func CorpusSeeds(tb testing.TB, pattern string) []string {
	tb.Helper()
	root, ok := corpus(tb)
	if !ok {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil {
		tb.Fatalf("find seeds: %v", err)
	}
	return files
}

// corpus returns the absolute path of the corpus, false if none is named.
func corpus(tb testing.TB) (root string, ok bool) {
	tb.Helper()
	root = os.Getenv(corpusEnv)
	if root == "" {
		return "", false
	}
	if !filepath.IsAbs(root) {
		root = filepath.Join(ModuleRoot(tb), root)
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		tb.Fatalf("%s=%q is not a folder (looked at %s): correct it or unset it",
			corpusEnv, os.Getenv(corpusEnv), root)
	}
	return root, true
}

// ModuleRoot returns the folder that holds go.mod, found by walking up from
// the folder of the running test.
func ModuleRoot(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatalf("find module root: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			tb.Fatal("find module root: no go.mod above the test's folder")
		}
		dir = parent
	}
}

// unavailable ends a test that lacks something from its surroundings. A CI run
// must not turn green by skipping, so there it is a failure.
func unavailable(tb testing.TB, reason string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatal(reason)
	}
	tb.Skip(reason)
}
