package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gatehouse/sim"
)

func TestMain(m *testing.M) {
	testscript.Main(exitWith{m}, map[string]func(){
		"gatehouse": main,
	})
}

// exitWith removes the shared capture behind the tests.
type exitWith struct{ m *testing.M }

func (e exitWith) Run() int {
	code := e.m.Run()
	if dir := sharedDir; dir != "" {
		_ = os.RemoveAll(dir)
	}
	return code
}

var (
	sharedDir  string
	sharedOnce sync.Once
	sharedErr  error
)

// tunnel is a directory with a capture of a home in which, after five quiet
// days, a device sends data out in DNS queries.
func tunnel(t *testing.T) string {
	t.Helper()
	sharedOnce.Do(func() {
		if sharedDir, sharedErr = os.MkdirTemp("", "gatehouse-test-"); sharedErr != nil {
			return
		}
		cfg := sim.DefaultConfig()
		cfg.Days = 5
		var home *sim.Home
		if home, sharedErr = sim.Scenario("tunnel-iot", cfg); sharedErr == nil {
			sharedErr = home.WriteDir(sharedDir, nil)
		}
	})
	if sharedErr != nil {
		t.Fatal(sharedErr)
	}
	return sharedDir
}

// The command line, as scripts that read like a terminal session. HOME_PCAP is
// a capture with one attack in it, ROOTS the authorities to judge it by.
func TestScripts(t *testing.T) {
	dir := tunnel(t)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME_PCAP", filepath.Join(dir, sim.CaptureFile))
			env.Setenv("ROOTS", filepath.Join(dir, sim.RootsFile))
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond != "root" {
				return false, fmt.Errorf("no condition is called %q", cond)
			}
			return os.Geteuid() == 0, nil
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
