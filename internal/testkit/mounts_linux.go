package testkit

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// mountsEnv names the test that a test binary was started for, see OwnMounts.
const mountsEnv = "GATEHOUSE_TESTKIT_MOUNTS"

// OwnMounts runs the calling test again in a process of its own, whose mounts
// nobody else sees and which are gone when it ends, however it ends. There it
// returns true. Here it returns false, and what became of the test there is
// what becomes of it here:
//
//	if !testkit.OwnMounts(t) {
//		return
//	}
//
// Without root the test is skipped; with CI=true it fails.
func OwnMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(mountsEnv) == t.Name() {
		return true
	}
	if os.Geteuid() != 0 {
		unavailable(t, "needs root, to make a mount namespace")
	}
	var pattern []string
	for _, part := range strings.Split(t.Name(), "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(part)+"$")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", strings.Join(pattern, "/"), "-test.v")
	cmd.Env = append(os.Environ(), mountsEnv+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		unavailable(t, "needs a mount namespace: "+err.Error())
	case err != nil:
		t.Fatalf("with mounts of its own: %v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("with mounts of its own:\n%s", out)
	}
	t.Logf("with mounts of its own:\n%s", out)
	return false
}

// Disk is an ext4 file system of its own, which can break as one does whose
// medium has failed.
type Disk struct {
	Dir   string // where it is mounted
	image string
}

// NewDisk makes and mounts a file system of 32 MiB. It is for tests within
// OwnMounts, with whose process it goes.
func NewDisk(t *testing.T) *Disk {
	t.Helper()
	NeedTool(t, "mkfs.ext4")
	d := &Disk{Dir: t.TempDir(), image: filepath.Join(t.TempDir(), "disk.0")}
	if err := errors.Join(os.WriteFile(d.image, nil, 0o600), os.Truncate(d.image, 32<<20)); err != nil {
		t.Fatal(err)
	}
	run(t, "mkfs.ext4", "-q", d.image)
	out, err := exec.CommandContext(t.Context(), "mount", "-o", "loop,errors=remount-ro", d.image, d.Dir).CombinedOutput()
	if err != nil {
		t.Skipf("needs a loop device: mount: %v: %s", err, out) // containers mostly have none
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.Dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", d.Dir, err)
		}
	})
	return d
}

// Break lets the file system find itself damaged: from now on it is read-only,
// also for files that are open for writing. (An orderly remount is refused as
// long as there are any.)
func (d *Disk) Break(t *testing.T) {
	t.Helper()
	// What is written next meets pages that the kernel has to ask for.
	dir, err := os.Open(d.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Syncfs(int(dir.Fd())), dir.Close()); err != nil {
		t.Fatalf("write back %s: %v", d.Dir, err)
	}
	if err := syscall.Mount("none", d.Dir, "", syscall.MS_REMOUNT, "abort"); err != nil {
		t.Fatalf("break %s: %v", d.Dir, err)
	}
}

// Mend mounts a repaired copy in its place, as after a check of the medium.
// Files that are open belong to the broken one still.
func (d *Disk) Mend(t *testing.T) {
	t.Helper()
	if err := syscall.Unmount(d.Dir, syscall.MNT_DETACH); err != nil {
		t.Fatalf("unmount %s: %v", d.Dir, err)
	}
	image := d.image + "+"
	if err := copyFile(image, d.image); err != nil {
		t.Fatal(err)
	}
	d.image = image
	// 1 says that errors were corrected.
	var exit *exec.ExitError
	out, err := exec.CommandContext(t.Context(), "e2fsck", "-fy", image).CombinedOutput()
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("check %s: %v: %s", image, err, out)
	}
	run(t, "mount", "-o", "loop,errors=remount-ro", image, d.Dir)
}

func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}
