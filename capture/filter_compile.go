package capture

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"

	"golang.org/x/net/bpf"
)

// wholeFrame is the snap length that stands for no limit; the value is
// tcpdump's.
const wholeFrame = 256 << 10

// Scratch memory of a filter program. Its first part fills it, the tests only
// look there and at the bytes that it points to, so no test ever reads behind
// the end of a frame, which would drop it.
const (
	slotNetwork  = iota // offset of the layer 3 header
	slotType            // EtherType, 0 if the header is unknown or cut off
	slotProtocol        // IP protocol, noProtocol without IP
	slotPorts           // offset of the ports, 0 without
	slotVLAN            // id of the outermost tag with vlanTagged set, 0 without
)

const (
	noProtocol  = 256
	vlanTagged  = 0x1000
	vlanIDMask  = 0x0fff
	filterTags  = 2 // VLAN tags in the frame that are looked behind
	etherType   = 12
	ipv4Min     = 20
	ipv6Header  = 40
	arpIPv4     = 28
	portsLength = 4
)

// endpointNode tests for an address and port that belong together, at either
// end. Port 0 stands for any.
type endpointNode struct{ netip.AddrPort }

func (endpointNode) isNode() {}

// program returns the classic BPF program for frames of the given link type:
// it keeps the first snap bytes of those that pass the filter and do not come
// from or go to an excluded endpoint.
func (f Filter) program(link LinkType, snap int, exclude []netip.AddrPort) ([]bpf.Instruction, error) {
	root := f.root
	for _, e := range exclude {
		not := notNode{endpointNode{netip.AddrPortFrom(e.Addr().Unmap(), e.Port())}}
		if root == nil {
			root = not
		} else {
			root = allNode{[]node{root, not}}
		}
	}
	c := compiler{}
	pass, drop := c.newLabel(), c.newLabel()
	if root != nil {
		switch link {
		case LinkEthernet:
			c.ethernet()
		case LinkRawIP:
			c.rawIP()
		default:
			return nil, fmt.Errorf("%w: cannot look into %v frames", ErrFilter, link)
		}
		c.headers()
		c.test(root, pass, drop)
	}
	c.place(pass)
	c.emit(bpf.RetConstant{Val: uint32(snap)})
	c.place(drop)
	c.emit(bpf.RetConstant{Val: 0})
	return c.assemble()
}

type compiler struct{ assembler }

func load(slot int) bpf.Instruction  { return bpf.LoadScratch{Dst: bpf.RegA, N: slot} }
func loadX(slot int) bpf.Instruction { return bpf.LoadScratch{Dst: bpf.RegX, N: slot} }
func store(slot int) bpf.Instruction { return bpf.StoreScratch{Src: bpf.RegA, N: slot} }
func constant(v uint32) bpf.Instruction {
	return bpf.LoadConstant{Dst: bpf.RegA, Val: v}
}
func length() bpf.Instruction { return bpf.LoadExtension{Num: bpf.ExtLen} }

// nothing fills the scratch memory for a frame that nothing is known about.
func (c *compiler) nothing() {
	c.emit(
		constant(0), store(slotNetwork), store(slotType), store(slotPorts), store(slotVLAN),
		constant(noProtocol), store(slotProtocol),
	)
}

// ethernet finds the layer 3 header behind VLAN tags. Linux takes the
// outermost off a frame and keeps it beside it, which a program sees by an
// extension; further ones, and those of frames that are sent by an interface
// that cannot tag, are in the frame.
func (c *compiler) ethernet() {
	c.nothing()
	beside, inFrame, done := c.newLabel(), c.newLabel(), c.newLabel()
	c.emit(bpf.LoadExtension{Num: bpf.ExtVLANTagPresent})
	c.when(bpf.JumpEqual, 0, inFrame, beside)
	c.place(beside)
	c.emit(bpf.LoadExtension{Num: bpf.ExtVLANTag})
	c.storeTag()
	c.place(inFrame)
	for tags := range filterTags + 1 {
		offset := uint32(etherType + 4*tags)
		long := c.newLabel()
		c.emit(length())
		c.when(bpf.JumpGreaterOrEqual, offset+2, long, done)
		c.place(long)
		c.emit(bpf.LoadAbsolute{Off: offset, Size: 2})
		if tags < filterTags {
			tag := c.newLabel()
			for _, tpid := range []uint32{etherVLAN, etherQinQ, etherQinQLegacy} {
				next := c.newLabel()
				c.when(bpf.JumpEqual, tpid, tag, next)
				c.place(next)
			}
			c.networkAt(offset + 2)
			c.jump(done)
			c.place(tag)
			c.tagInFrame(offset+2, done)
		} else {
			c.networkAt(offset + 2)
		}
	}
	c.place(done)
}

// networkAt notes the EtherType in A, and where its header is.
func (c *compiler) networkAt(offset uint32) {
	c.emit(store(slotType), constant(offset), store(slotNetwork))
}

// storeTag notes the tag control information in A.
func (c *compiler) storeTag() {
	c.emit(
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: vlanIDMask},
		bpf.ALUOpConstant{Op: bpf.ALUOpOr, Val: vlanTagged},
		store(slotVLAN),
	)
}

// tagInFrame notes the tag at offset unless one further out is known.
func (c *compiler) tagInFrame(offset uint32, tooShort label) {
	long, outermost, next := c.newLabel(), c.newLabel(), c.newLabel()
	c.emit(length())
	c.when(bpf.JumpGreaterOrEqual, offset+2, long, tooShort)
	c.place(long)
	c.emit(load(slotVLAN))
	c.when(bpf.JumpEqual, 0, outermost, next)
	c.place(outermost)
	c.emit(bpf.LoadAbsolute{Off: offset, Size: 2})
	c.storeTag()
	c.place(next)
}

// rawIP tells IPv4 from IPv6 by the version nibble.
func (c *compiler) rawIP() {
	c.nothing()
	long, v4, notV4, v6, done := c.newLabel(), c.newLabel(), c.newLabel(), c.newLabel(), c.newLabel()
	c.emit(length())
	c.when(bpf.JumpGreaterOrEqual, 1, long, done)
	c.place(long)
	c.emit(bpf.LoadAbsolute{Off: 0, Size: 1}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4})
	c.when(bpf.JumpEqual, 4, v4, notV4)
	c.place(v4)
	c.emit(constant(etherIPv4), store(slotType))
	c.jump(done)
	c.place(notV4)
	c.when(bpf.JumpEqual, 6, v6, done)
	c.place(v6)
	c.emit(constant(etherIPv6), store(slotType))
	c.place(done)
}

// headers finds the IP protocol and the ports, and forgets the EtherType of a
// header that is cut off.
func (c *compiler) headers() {
	v4, notV4, v6, notV6 := c.newLabel(), c.newLabel(), c.newLabel(), c.newLabel()
	arp, ports, done := c.newLabel(), c.newLabel(), c.newLabel()
	c.emit(load(slotType))
	c.when(bpf.JumpEqual, etherIPv4, v4, notV4)
	c.place(notV4)
	c.when(bpf.JumpEqual, etherIPv6, v6, notV6)
	c.place(notV6)
	c.when(bpf.JumpEqual, etherARP, arp, done)

	c.place(arp)
	c.complete(arpIPv4, done)
	c.jump(done)

	c.place(v6)
	c.complete(ipv6Header, done)
	c.emit(bpf.LoadIndirect{Off: 6, Size: 1}, store(slotProtocol))
	c.hasPorts(done)
	c.emit(constant(ipv6Header))
	c.jump(ports)

	c.place(v4)
	c.complete(ipv4Min, done)
	c.emit(bpf.LoadIndirect{Off: 9, Size: 1}, store(slotProtocol))
	c.hasPorts(done)
	first := c.newLabel()
	c.emit(bpf.LoadIndirect{Off: 6, Size: 2})
	c.when(bpf.JumpBitsSet, 0x1fff, done, first) // later fragments have no ports
	c.place(first)
	c.emit(
		bpf.LoadIndirect{Off: 0, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0x0f},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2},
	)

	c.place(ports) // A is the length of the IP header, X where it starts
	c.emit(
		bpf.ALUOpX{Op: bpf.ALUOpAdd}, store(slotPorts), bpf.TAX{},
		length(), bpf.ALUOpConstant{Op: bpf.ALUOpSub, Val: portsLength},
	)
	cut := c.newLabel()
	c.whenX(bpf.JumpGreaterOrEqual, done, cut)
	c.place(cut)
	c.emit(constant(0), store(slotPorts))
	c.place(done)
}

// complete sets X to the layer 3 header if at least n bytes of it are there;
// else it forgets the EtherType and goes to cut.
func (c *compiler) complete(n uint32, cut label) {
	yes, no := c.newLabel(), c.newLabel()
	c.emit(loadX(slotNetwork), length(), bpf.ALUOpX{Op: bpf.ALUOpSub})
	c.when(bpf.JumpGreaterOrEqual, n, yes, no)
	c.place(no)
	c.emit(constant(0), store(slotType))
	c.jump(cut)
	c.place(yes)
}

// hasPorts goes to no unless A is a protocol with ports.
func (c *compiler) hasPorts(no label) {
	yes := c.newLabel()
	for _, proto := range []uint32{protoTCP, protoUDP} {
		next := c.newLabel()
		c.when(bpf.JumpEqual, proto, yes, next)
		c.place(next)
	}
	c.when(bpf.JumpEqual, protoSCTP, yes, no)
	c.place(yes)
}

// test goes to yes if n is true of the frame, else to no.
func (c *compiler) test(n node, yes, no label) {
	switch n := n.(type) {
	case notNode:
		c.test(n.of, no, yes)
	case allNode:
		for _, part := range n.of {
			next := c.newLabel()
			c.test(part, next, no)
			c.place(next)
		}
		c.jump(yes)
	case anyNode:
		for _, part := range n.of {
			next := c.newLabel()
			c.test(part, yes, next)
			c.place(next)
		}
		c.jump(no)
	case etherNode:
		c.slot(slotType, uint32(n.etherType), yes, no)
	case protoNode:
		if n.etherType != 0 {
			next := c.newLabel()
			c.slot(slotType, uint32(n.etherType), next, no)
			c.place(next)
		}
		c.slot(slotProtocol, uint32(n.proto), yes, no)
	case vlanNode:
		if n.any {
			c.slot(slotVLAN, 0, no, yes)
		} else {
			c.slot(slotVLAN, uint32(n.id)|vlanTagged, yes, no)
		}
	case portNode:
		second := c.newLabel()
		c.port(0, uint32(n.port), yes, second)
		c.place(second)
		c.port(2, uint32(n.port), yes, no)
	case netNode:
		c.network(n.prefix, yes, no)
	case endpointNode:
		c.endpoint(n.AddrPort, yes, no)
	}
}

// slot compares scratch memory with a constant.
func (c *compiler) slot(slot int, value uint32, yes, no label) {
	c.emit(load(slot))
	c.when(bpf.JumpEqual, value, yes, no)
}

// port compares the source (offset 0) or destination port (2).
func (c *compiler) port(offset, value uint32, yes, no label) {
	there := c.newLabel()
	c.emit(load(slotPorts))
	c.when(bpf.JumpEqual, 0, no, there)
	c.place(there)
	c.emit(bpf.TAX{}, bpf.LoadIndirect{Off: offset, Size: 2})
	c.when(bpf.JumpEqual, value, yes, no)
}

// Offsets of the addresses in the headers: source, destination.
var (
	ipv4Addresses = [2]uint32{12, 16}
	ipv6Addresses = [2]uint32{8, 24}
	arpAddresses  = [2]uint32{14, 24} // of sender and target, RFC 826 for Ethernet and IPv4
)

// network tests whether either end is in a network. Like pcap it takes the
// addresses in ARP messages for ends.
func (c *compiler) network(p netip.Prefix, yes, no label) {
	if !p.Addr().Is4() {
		c.either(etherIPv6, ipv6Addresses, p, yes, no)
		return
	}
	notIP := c.newLabel()
	c.either(etherIPv4, ipv4Addresses, p, yes, notIP)
	c.place(notIP)
	c.either(etherARP, arpAddresses, p, yes, no)
}

// either tests the two addresses of a header of one EtherType.
func (c *compiler) either(etherType uint32, offsets [2]uint32, p netip.Prefix, yes, no label) {
	right, second := c.newLabel(), c.newLabel()
	c.slot(slotType, etherType, right, no)
	c.place(right)
	c.address(offsets[0], p, yes, second)
	c.place(second)
	c.address(offsets[1], p, yes, no)
}

// address compares the address at an offset of the layer 3 header.
func (c *compiler) address(offset uint32, p netip.Prefix, yes, no label) {
	c.emit(loadX(slotNetwork))
	addr := p.Addr().AsSlice()
	for left := p.Bits(); left > 0; left -= 32 {
		value := binary.BigEndian.Uint32(addr)
		c.emit(bpf.LoadIndirect{Off: offset, Size: 4})
		if left < 32 {
			c.emit(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: bits.Reverse32(1<<left - 1)})
		}
		next := c.newLabel()
		c.when(bpf.JumpEqual, value, next, no)
		c.place(next)
		addr, offset = addr[4:], offset+4
	}
	c.jump(yes)
}

// endpoint tests whether the address and port stand together at either end.
func (c *compiler) endpoint(e netip.AddrPort, yes, no label) {
	host := netip.PrefixFrom(e.Addr(), e.Addr().BitLen())
	if e.Port() == 0 {
		c.network(host, yes, no)
		return
	}
	etherType, offsets := uint32(etherIPv6), ipv6Addresses
	if e.Addr().Is4() {
		etherType, offsets = etherIPv4, ipv4Addresses
	}
	right, source, destination, at := c.newLabel(), c.newLabel(), c.newLabel(), c.newLabel()
	c.slot(slotType, etherType, right, no)
	c.place(right)
	c.port(0, uint32(e.Port()), source, destination)
	c.place(source)
	c.address(offsets[0], host, yes, destination)
	c.place(destination)
	c.port(2, uint32(e.Port()), at, no)
	c.place(at)
	c.address(offsets[1], host, yes, no)
}
