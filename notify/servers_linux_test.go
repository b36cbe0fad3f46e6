package notify

import (
	"os/exec"
	"syscall"
)

// dieWithTest ends a server also when a test panics or times out, and does not
// get to its cleanup.
func dieWithTest(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
