package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// link is what the kernel says about an interface.
type link struct {
	name     string
	index    int
	hardware uint16 // ARPHRD_ number
	up       bool
	loopback bool
}

// linkType is that of the frames a packet socket gets from the link.
func (l *link) linkType() LinkType {
	switch l.hardware {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK:
		return LinkEthernet
	case unix.ARPHRD_IEEE80211:
		return LinkIEEE80211
	case unix.ARPHRD_IEEE80211_RADIOTAP:
		return LinkIEEE80211Radiotap
	default:
		return LinkRawIP
	}
}

// cooked reports whether the kernel must take off the link-layer header: it is
// one of tunnels, PPP and the like, whose headers differ between drivers.
func (l *link) cooked() bool { return l.linkType() == LinkRawIP }

// lookUp asks for an interface; fd is any socket.
func lookUp(fd int, name string) (link, error) {
	l := link{name: name}
	for _, question := range []uint{unix.SIOCGIFINDEX, unix.SIOCGIFHWADDR, unix.SIOCGIFFLAGS} {
		ifr, err := unix.NewIfreq(name)
		if err != nil {
			return l, fmt.Errorf("%w: %s", ErrNoInterface, name)
		}
		switch err := unix.IoctlIfreq(fd, question, ifr); {
		case errors.Is(err, unix.ENODEV):
			return l, fmt.Errorf("%w: %s", ErrNoInterface, name)
		case err != nil:
			return l, fmt.Errorf("look up interface %s: %w", name, err)
		}
		switch question {
		case unix.SIOCGIFINDEX:
			l.index = int(ifr.Uint32())
		case unix.SIOCGIFHWADDR:
			l.hardware = ifr.Uint16() // the address family of the answer
		case unix.SIOCGIFFLAGS:
			l.up = ifr.Uint16()&unix.IFF_UP != 0
			l.loopback = ifr.Uint16()&unix.IFF_LOOPBACK != 0
		}
	}
	return l, nil
}

// watchLinks opens a socket that becomes readable when any interface changes.
// What the messages say is not looked at: they may be lost when many come, so
// the interfaces are asked for in any case.
func watchLinks() (fd int, err error) {
	fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, fmt.Errorf("open rtnetlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("subscribe to link changes: %w", err)
	}
	return fd, nil
}

// drain reads until there is nothing left. ENOBUFS says that messages were
// lost, and is left behind by the next read like a message.
func drain(fd int) {
	var scratch [4096]byte
	for {
		switch _, err := unix.Read(fd, scratch[:]); {
		case err == nil, errors.Is(err, unix.EINTR), errors.Is(err, unix.ENOBUFS):
		default:
			return
		}
	}
}

// setFilter replaces the filter of a socket. No frame slips through meanwhile.
func setFilter(fd int, program []bpf.RawInstruction) error {
	filter := make([]unix.SockFilter, len(program))
	for i, ins := range program {
		filter[i] = unix.SockFilter{Code: ins.Op, Jt: ins.Jt, Jf: ins.Jf, K: ins.K}
	}
	prog := &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, prog); err != nil {
		return fmt.Errorf("attach filter of %d instructions: %w", len(filter), err)
	}
	return nil
}

// newFanout asks for a new fan-out group. It is no number of one: the first
// group that the kernel numbers after it started is 0.
const newFanout = -1

// joinFanout adds a socket to a group of sockets that share the frames of an
// interface, or makes a new group. It returns the group's id, 0 to 65,535.
func joinFanout(fd, id int) (int, error) {
	flags := uint32(unix.PACKET_FANOUT_HASH | unix.PACKET_FANOUT_FLAG_DEFRAG)
	if id == newFanout {
		flags |= unix.PACKET_FANOUT_FLAG_UNIQUEID
		id = 0
	}
	err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, int(int32(flags<<16|uint32(id))))
	if err != nil {
		return 0, fmt.Errorf("join fan-out group: %w", err)
	}
	got, err := unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
	if err != nil {
		return 0, fmt.Errorf("ask for fan-out group: %w", err)
	}
	return got & 0xffff, nil
}

// stampByHardware asks for time stamps of the hardware of all received frames.
// What else uses the hardware's clock (PTP) is left as it is: only the receive
// filter is widened.
func stampByHardware(fd int, name string) bool {
	cfg, err := unix.IoctlGetHwTstamp(fd, name)
	if err != nil {
		return false
	}
	if cfg.Rx_filter != unix.HWTSTAMP_FILTER_ALL {
		cfg.Rx_filter = unix.HWTSTAMP_FILTER_ALL
		if err := unix.IoctlSetHwTstamp(fd, name, cfg); err != nil || cfg.Rx_filter != unix.HWTSTAMP_FILTER_ALL {
			return false
		}
	}
	return unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_TIMESTAMP, unix.SOF_TIMESTAMPING_RAW_HARDWARE) == nil
}

// socketError makes a refusal say what is missing.
func socketError(what string, err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%s: %w", what, ErrPermission)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// networkOrder turns a number into one whose bytes are in network order.
func networkOrder(v uint16) uint16 {
	if bytes.Equal(binary.NativeEndian.AppendUint16(nil, 1), []byte{0, 1}) {
		return v
	}
	return bits.ReverseBytes16(v)
}
