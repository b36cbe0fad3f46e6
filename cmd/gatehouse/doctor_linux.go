package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"gatehouse/ebpf"
)

// examine looks at everything. Without interfaces it looks at those that are
// up.
func examine(interfaces []string) *checkup {
	c := &checkup{Capture: "none"}
	c.capture()
	c.hidden(interfaces)
	c.nftables()
	c.clock()
	return c
}

// capture checks the ways to capture, and chooses the best.
func (c *checkup) capture() {
	s := ebpf.Probe()
	c.Kernel = s.Kernel
	c.capabilities()
	if err := afPacket(); err != nil {
		c.add("AF_PACKET", checkFail, err.Error(), "run as root, or: "+ebpf.GrantCommand())
	} else {
		c.Capture = "afpacket"
		c.add("AF_PACKET", checkOK, "packets can be read from rings", "")
	}
	if s.Open != nil {
		c.add("eBPF program", checkNote, s.Open.Error(), "nothing, if AF_PACKET is enough")
		return
	}
	c.add("eBPF program", checkOK, "loads; the tables and the ring buffer can be made; BTF is not needed ("+btf()+")", "")
	if s.JIT {
		c.add("BPF compiler", checkOK, "on", "")
	} else {
		c.add("BPF compiler", checkNote, "off: counting a packet takes about ten times as long", "sudo sysctl -w net.core.bpf_jit_enable=1")
	}
	for _, way := range []struct {
		via ebpf.Via
		err error
	}{{ebpf.TCX, s.TCX}, {ebpf.Clsact, s.Clsact}} {
		switch {
		case way.err == nil:
			c.add("attach by "+way.via.String(), checkOK, "works", "")
		case errors.Is(way.err, ebpf.ErrNotTried):
			c.add("attach by "+way.via.String(), checkNote, way.err.Error(), "run gatehouse doctor as root to know")
		default:
			c.add("attach by "+way.via.String(), checkNote, way.err.Error(), "nothing, if another way works")
		}
	}
	if via, ok := s.Via(); ok {
		c.Capture = via.String()
	}
}

// capabilities checks those that this process holds.
func (c *checkup) capabilities() {
	var missing []string
	for _, k := range ebpf.Capabilities() {
		if k.Held() {
			c.add(k.Name, checkOK, "held; needed to "+k.Why, "")
			continue
		}
		missing = append(missing, k.Name)
		c.add(k.Name, checkNote, "missing; needed to "+k.Why, ebpf.GrantCommand())
	}
	if len(missing) == 0 {
		return
	}
	c.add("systemd", checkNote, "a service gets them otherwise", "AmbientCapabilities=CAP_NET_RAW "+strings.Join(capabilityNames(), " "))
}

func capabilityNames() []string {
	var out []string
	for _, k := range ebpf.Capabilities() {
		out = append(out, k.Name)
	}
	return out
}

// afPacket tries to open a packet socket.
func afPacket() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EPERM) {
		return errors.New("CAP_NET_RAW is missing: packets cannot be read")
	}
	if err != nil {
		return fmt.Errorf("packet sockets do not work: %w", err)
	}
	return unix.Close(fd)
}

func btf() string {
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err == nil {
		return "there"
	}
	return "not there"
}

// hidden checks for what keeps packets from being seen on an interface.
func (c *checkup) hidden(interfaces []string) {
	links, err := netlink.LinkList()
	if err != nil {
		c.add("interfaces", checkNote, "cannot be listed: "+err.Error(), "")
		return
	}
	for _, name := range interfaces {
		if !slices.ContainsFunc(links, func(l netlink.Link) bool { return l.Attrs().Name == name }) {
			c.add(name, checkFail, "no such interface", "ip link shows those there are")
		}
	}
	for _, l := range links {
		a := l.Attrs()
		if len(interfaces) > 0 && !slices.Contains(interfaces, a.Name) {
			continue
		}
		if len(interfaces) == 0 && (a.Flags&net.FlagUp == 0 || a.Flags&net.FlagLoopback != 0) {
			continue
		}
		c.hiddenOn(a)
	}
}

func (c *checkup) hiddenOn(a *netlink.LinkAttrs) {
	sees := true
	if a.Flags&net.FlagUp == 0 {
		sees = false
		c.add(a.Name, checkNote, "is down", "ip link set "+a.Name+" up")
	}
	if a.Xdp != nil && a.Xdp.Attached {
		sees = false
		c.add(a.Name, checkNote, "has an XDP program: what that drops or redirects is not seen", "ip link show dev "+a.Name+" tells which")
	}
	id, err := os.ReadFile(filepath.Join("/sys/class/net", a.Name, "phys_switch_id"))
	if err == nil && strings.TrimSpace(string(id)) != "" {
		sees = false
		c.add(a.Name, checkNote, "is a port of a switch chip: what it forwards between its ports by itself is not seen", "mirror the ports to the CPU, or watch the interface of the CPU")
	}
	if sees {
		c.add(a.Name, checkOK, "nothing is hidden (kind "+a.EncapType+", MTU "+fmt.Sprint(a.MTU)+")", "")
	}
}

// nftables checks whether devices can be blocked, and whether flows bypass the
// kernel's network stack.
func (c *checkup) nftables() {
	conn, err := nftables.New()
	if err != nil {
		c.add("nftables", checkNote, "not available: "+err.Error(), "needed only to block devices")
		return
	}
	tables, err := conn.ListTables()
	switch {
	case errors.Is(err, unix.EPERM):
		c.add("nftables", checkNote, "not allowed to look: CAP_NET_ADMIN is missing", "run gatehouse doctor as root to know")
		return
	case err != nil:
		c.add("nftables", checkNote, "not available: "+err.Error(), "needed only to block devices: sudo modprobe nf_tables")
		return
	}
	c.add("nftables", checkOK, fmt.Sprintf("available, %d tables", len(tables)), "")
	for _, t := range tables {
		flowtables, err := conn.ListFlowtables(t)
		if err != nil {
			continue // it has gone in between, or the kernel has none
		}
		for _, f := range flowtables {
			if f.Flags&nftables.FlowtableFlagsHWOffload != 0 {
				c.add("flow table "+f.Name, checkNote, "hardware forwards established flows: only their first packets are seen", "take \"flags offload\" out of flowtable "+f.Name+" in table "+t.Name)
				continue
			}
			c.add("flow table "+f.Name, checkOK, "forwards in software: its packets are seen", "")
		}
	}
}

// clock checks the system's clock, by which alerts are dated.
func (c *checkup) clock() {
	// 2025 has passed when this was written; a machine without a battery starts
	// in 1970.
	if now := time.Now(); now.Year() < 2025 {
		c.add("clock", checkFail, "says "+now.UTC().Format(time.RFC3339), "set it, and run chrony or systemd-timesyncd")
		return
	}
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		c.add("clock", checkNote, "cannot be asked: "+err.Error(), "")
		return
	}
	if t.Status&unix.STA_UNSYNC != 0 {
		c.add("clock", checkNote, "is not synchronised: times in alerts may be off", "run chrony or systemd-timesyncd")
		return
	}
	c.add("clock", checkOK, "is synchronised", "")
}
