package notify

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// unacknowledged returns how many bytes wait to be sent or acknowledged
// (SIOCOUTQ, tcp(7)).
func unacknowledged(c *net.TCPConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var ioctlErr error
	if err := raw.Control(func(fd uintptr) { n, ioctlErr = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); err != nil {
		return 0, err
	}
	if ioctlErr != nil {
		return 0, fmt.Errorf("ask for unacknowledged bytes: %w", ioctlErr)
	}
	return n, nil
}
