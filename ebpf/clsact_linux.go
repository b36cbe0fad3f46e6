//go:build !386 && !arm && !mips && !mipsle

package ebpf

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Our filters are told from others by priority, handle and name. Priorities
// say the order in which filters see a packet: early on the way in, late on
// the way out, see addTCX.
const (
	filterHandle    = 0x6768 // gh
	ingressPriority = 2
	egressPriority  = 0xbffe // below 0xc000, from where the kernel numbers filters by itself
	filterName      = "gatehouse/"
)

// addFilter attaches by the clsact queueing discipline, which is made if it is
// not there and never removed: others may have filters in it.
func (a *Attachment) addFilter(p *ebpf.Program, egress bool) error {
	qdisc := &netlink.GenericQdisc{
		QdiscAttrs: netlink.QdiscAttrs{
			LinkIndex: a.ifindex,
			Handle:    netlink.MakeHandle(0xffff, 0),
			Parent:    netlink.HANDLE_CLSACT,
		},
		QdiscType: "clsact",
	}
	if err := netlink.QdiscAdd(qdisc); err != nil && !errors.Is(err, unix.EEXIST) {
		return clsactError("make the queueing discipline", err)
	}
	f := ourFilter(a.ifindex, egress)
	f.Fd, f.Name, f.DirectAction = p.FD(), filterName+directionName(egress), true
	if err := netlink.FilterAdd(f); err != nil {
		return clsactError("add the filter", err)
	}
	a.detach = append(a.detach, func() error {
		err := netlink.FilterDel(ourFilter(a.ifindex, egress))
		if gone(err) {
			return nil // with the interface, or by somebody's hand
		}
		return err
	})
	return nil
}

// ourFilter is what identifies our filter of one direction.
func ourFilter(ifindex int, egress bool) *netlink.BpfFilter {
	f := &netlink.BpfFilter{FilterAttrs: netlink.FilterAttrs{
		LinkIndex: ifindex,
		Parent:    netlink.HANDLE_MIN_INGRESS,
		Handle:    filterHandle,
		Protocol:  unix.ETH_P_ALL,
		Priority:  ingressPriority,
	}, Fd: -1}
	if egress {
		f.Parent, f.Priority = netlink.HANDLE_MIN_EGRESS, egressPriority
	}
	return f
}

// removeFilters removes the filters of an instance that was killed. The caller
// holds the lock of the interface, so they can be nobody else's.
func removeFilters(ifindex int) error {
	l := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: ifindex}}
	for _, egress := range []bool{false, true} {
		ours := ourFilter(ifindex, egress)
		all, err := netlink.FilterList(l, ours.Parent)
		if err != nil {
			continue // no queueing discipline, no filters
		}
		for _, f := range all {
			b, ok := f.(*netlink.BpfFilter)
			if !ok || b.Handle != ours.Handle || b.Priority != ours.Priority || !strings.HasPrefix(b.Name, filterName) {
				continue
			}
			if err := netlink.FilterDel(ours); err != nil && !gone(err) {
				return err
			}
		}
	}
	return nil
}

func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EINVAL)
}

func directionName(egress bool) string {
	if egress {
		return "egress"
	}
	return "ingress"
}

// clsactError explains why a filter cannot be attached.
func clsactError(what string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return permissionError(err)
	case errors.Is(err, unix.ENODEV):
		return ErrNoInterface
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("%w: its modules are missing, try modprobe sch_ingress cls_bpf (%s: %w)", ErrNoClsact, what, err)
	case errors.Is(err, unix.EEXIST), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w: another queueing discipline (ingress) or filter of the same priority is in its place, see tc qdisc show and tc filter show (%s: %w)", ErrNoClsact, what, err)
	default:
		return fmt.Errorf("%w (%s: %w)", ErrNoClsact, what, err)
	}
}
