package ebpf

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Capability is a Linux capability that counting flows in the kernel needs.
type Capability struct {
	Name string // CAP_BPF
	Why  string // completes "needed to ..."
	bit  int
}

// Capabilities lists what Open and Attach need, all of it at once: without
// CAP_PERFMON the verifier refuses arithmetic on pointers.
func Capabilities() []Capability {
	return []Capability{
		{"CAP_BPF", "load BPF programs and make their tables", unix.CAP_BPF},
		{"CAP_PERFMON", "let the verifier follow pointers into packets", unix.CAP_PERFMON},
		{"CAP_NET_ADMIN", "attach programs to interfaces", unix.CAP_NET_ADMIN},
	}
}

// Held reports whether the process has the capability in effect. CAP_SYS_ADMIN
// stands for CAP_BPF and CAP_PERFMON.
func (c Capability) Held() bool {
	set := effective()
	held := set&(1<<c.bit) != 0
	if c.bit != unix.CAP_NET_ADMIN {
		held = held || set&(1<<unix.CAP_SYS_ADMIN) != 0
	}
	return held
}

// effective is the set of capabilities in effect of the calling thread.
func effective() uint64 {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return 0
	}
	return uint64(data[1].Effective)<<32 | uint64(data[0].Effective)
}

// missingCapabilities names those of Capabilities that are not held.
func missingCapabilities() []string {
	var out []string
	for _, c := range Capabilities() {
		if !c.Held() {
			out = append(out, c.Name)
		}
	}
	return out
}

// permissionError explains a refusal and says what to do.
func permissionError(err error) error {
	missing := missingCapabilities()
	if len(missing) == 0 {
		return fmt.Errorf("%w although all capabilities are held: a container without the host's user namespace, a security module or kernel lockdown forbids it (%w)", ErrPermission, err)
	}
	return fmt.Errorf("%w: missing %s; run as root, or: %s (%w)",
		ErrPermission, strings.Join(missing, ", "), GrantCommand(), err)
}

// GrantCommand is the command that gives the capabilities to the program that
// is running.
func GrantCommand() string {
	path, err := os.Executable()
	if err != nil {
		path = "gatehouse"
	}
	var names []string
	for _, c := range Capabilities() {
		names = append(names, strings.ToLower(c.Name))
	}
	return "sudo setcap " + strings.Join(append(names, "cap_net_raw"), ",") + "+ep " + path
}

// release is the kernel's name and version, such as Linux 6.1.0-18-amd64.
func release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "an unknown kernel"
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}

// atLeast reports whether the kernel's version is that or newer. What cannot
// be read counts as new: the kernel's own refusal then says what is wrong.
func atLeast(major, minor int) bool {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return true
	}
	var a, b int
	if n, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &a, &b); n != 2 || err != nil {
		return true
	}
	return a > major || (a == major && b >= minor)
}
