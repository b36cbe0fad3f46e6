package testkit

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// NeedTool returns the path of an external program that a test compares with,
// such as tshark. Without it the test is skipped; with CI=true it fails.
func NeedTool(tb testing.TB, name string) string {
	tb.Helper()
	found, err := exec.LookPath(name)
	if err != nil {
		// Servers are kept there, which is not on everybody's PATH.
		found, err = exec.LookPath(filepath.Join("/usr/sbin", name))
	}
	if err != nil {
		unavailable(tb, "needs the program "+name+": run make test-deps as root, or apt-get install "+debianPackage(name))
	}
	return found
}

// NeedGoTool returns the path of a program that is built from the module of
// another project, given as "go install" wants it: package@version. Without it
// the test is skipped; with CI=true it fails.
func NeedGoTool(tb testing.TB, pkg string) string {
	tb.Helper()
	out, err := exec.CommandContext(tb.Context(), "go", "env", "GOPATH").Output()
	if err != nil {
		tb.Fatalf("ask for GOPATH: %v", err)
	}
	// As the Makefile puts it there.
	name := path.Base(pkg)
	program, _, _ := strings.Cut(name, "@")
	file := filepath.Join(strings.TrimSpace(string(out)), "gatehouse-tools", name, program)
	if _, err := os.Stat(file); err != nil {
		unavailable(tb, "needs "+pkg+": run make test-deps")
	}
	return file
}

// debianPackage is the Debian package that holds a program, where it is not
// called like the program itself.
func debianPackage(tool string) string {
	switch tool {
	case "capinfos", "editcap", "mergecap", "text2pcap":
		return "wireshark-common"
	case "ip", "tc":
		return "iproute2"
	case "llvm-strip-14":
		return "llvm-14 libbpf-dev"
	case "mkfs.ext4", "e2fsck":
		return "e2fsprogs"
	case "nft":
		return "nftables"
	case "lognormalizer":
		return "liblognorm-utils"
	case "rsyslogd":
		return "rsyslog"
	case "influxd":
		return "influxdb"
	default:
		return tool
	}
}
