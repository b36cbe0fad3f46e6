//go:build !386 && !arm && !mips && !mipsle

package ebpf_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"gatehouse/ebpf"
)

// Pieces of frames.
var (
	macs   = []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1} // to, from
	tcpSYN = []byte{
		0xc0, 0x00, 0x01, 0xbb, // ports 49152, 443
		0, 0, 0, 1, 0, 0, 0, 0, // sequence, acknowledgement
		0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0, // 20 bytes, SYN
	}
	udpDNS = []byte{0xc0, 0x00, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4} // 4 bytes of payload
	addrs6 = append(append([]byte{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0), 0, 0, 0, 0, 0, 0, 0, 2)
)

// ipv4 is a header of ihl words, total bytes in all if not negative, and what
// follows.
func ipv4(ihl, total int, fragment uint16, proto byte, upper ...byte) []byte {
	h := append([]byte{0x40 | byte(ihl)}, make([]byte, 19)...)
	if total < 0 {
		total = ihl*4 + len(upper)
	}
	binary.BigEndian.PutUint16(h[2:], uint16(total))
	binary.BigEndian.PutUint16(h[6:], fragment)
	h[8], h[9] = 64, proto
	copy(h[12:], []byte{192, 0, 2, 1, 192, 0, 2, 2})
	for len(h) < ihl*4 {
		h = append(h, 1) // option: no operation
	}
	return append(h, upper...)
}

// ipv6 is a header and what follows; length is its payload if not negative.
func ipv6(length int, next byte, upper ...byte) []byte {
	if length < 0 {
		length = len(upper)
	}
	h := append([]byte{0x60, 0, 0, 0, byte(length >> 8), byte(length), next, 64}, addrs6...)
	return append(h, upper...)
}

// ether is an Ethernet frame; tags go in front of the type.
func ether(etherType uint16, payload []byte, tags ...uint16) []byte {
	f := slices.Clone(macs)
	for _, t := range tags {
		f = binary.BigEndian.AppendUint16(f, t)
	}
	return append(binary.BigEndian.AppendUint16(f, etherType), payload...)
}

// extension is an IPv6 extension header of 8 bytes that leads to next.
func extension(next byte) []byte { return []byte{next, 0, 1, 4, 0, 0, 0, 0} }

// chain is n destination options in front of upper.
func chain(n int, next byte, upper []byte) []byte {
	var out []byte
	for i := range n {
		if i < n-1 {
			out = append(out, extension(60)...)
		} else {
			out = append(out, extension(next)...)
		}
	}
	return append(out, upper...)
}

func TestParser(t *testing.T) {
	p := ebpf.NewParser(t)
	tests := []struct {
		name  string
		frame []byte
		want  ebpf.Parsed // of Key: Port, Proto, Flags and VLAN; MAC and addresses are compared elsewhere
	}{
		{"TCP", ether(0x0800, ipv4(5, -1, 0x4000, 6, tcpSYN...)), ebpf.Parsed{Bytes: 40, Flags: 2, Key: ebpf.FlowKey{Proto: 6, Port: [2]uint16{49152, 443}}}},
		{"padding is not payload", ether(0x0800, append(ipv4(5, -1, 0, 6, tcpSYN...), 0, 0, 0, 0, 0, 0)), ebpf.Parsed{Bytes: 40, Flags: 2, Key: ebpf.FlowKey{Proto: 6, Port: [2]uint16{49152, 443}}}},
		{"IP options", ether(0x0800, ipv4(15, -1, 0, 17, udpDNS...)), ebpf.Parsed{Bytes: 72, Payload: 4, Key: ebpf.FlowKey{Proto: 17, Port: [2]uint16{49152, 53}}}},
		{"no length, as offload leaves it", ether(0x0800, ipv4(5, 0, 0, 17, udpDNS...)), ebpf.Parsed{Bytes: 32, Payload: 4, Key: ebpf.FlowKey{Proto: 17, Port: [2]uint16{49152, 53}}}},
		{"length beyond the frame", ether(0x0800, ipv4(5, 1500, 0, 17, udpDNS...)), ebpf.Parsed{Bytes: 32, Payload: 4, Key: ebpf.FlowKey{Proto: 17, Port: [2]uint16{49152, 53}}}},

		{"IHL too small", ether(0x0800, append([]byte{0x44}, ipv4(5, -1, 0, 6, tcpSYN...)[1:]...)), ebpf.Parsed{Reason: ebpf.BadHeaderLength}},
		{"IHL beyond the packet", ether(0x0800, append([]byte{0x4f}, ipv4(5, 0, 0, 6, tcpSYN...)[1:]...)), ebpf.Parsed{Reason: ebpf.BadHeaderLength}},
		{"length below IHL", ether(0x0800, ipv4(5, 19, 0, 6, tcpSYN...)), ebpf.Parsed{Reason: ebpf.BadLength}},
		{"version 5", ether(0x0800, append([]byte{0x55}, ipv4(5, -1, 0, 6, tcpSYN...)[1:]...)), ebpf.Parsed{Reason: ebpf.BadVersion}},
		{"TCP cut off", ether(0x0800, ipv4(5, -1, 0, 6, tcpSYN[:19]...)), ebpf.Parsed{Reason: ebpf.TruncatedTransport}},
		{"TCP offset beyond the packet", ether(0x0800, ipv4(5, -1, 0, 6, slices.Replace(slices.Clone(tcpSYN), 12, 13, 0x60)...)), ebpf.Parsed{Reason: ebpf.BadHeaderLength}},
		{"UDP shorter than its header", ether(0x0800, ipv4(5, -1, 0, 17, 0, 1, 0, 2, 0, 7, 0, 0)), ebpf.Parsed{Reason: ebpf.BadLength}},
		{"IPv4 cut off behind a tag", ether(0x0800, ipv4(5, -1, 0, 6)[:19], 0x8100, 5), ebpf.Parsed{Reason: ebpf.TruncatedNetwork}},
		{"tag cut off", ether(0, nil, 0x8100)[:15], ebpf.Parsed{Reason: ebpf.TruncatedLink}},

		{"VLAN", ether(0x0800, ipv4(5, -1, 0, 17, udpDNS...), 0x8100, 0xe005), ebpf.Parsed{Bytes: 32, Payload: 4, Key: ebpf.FlowKey{Proto: 17, Port: [2]uint16{49152, 53}, VLAN: 5}}},
		{"QinQ", ether(0x0800, ipv4(5, -1, 0, 17, udpDNS...), 0x88a8, 5, 0x8100, 7), ebpf.Parsed{Bytes: 32, Payload: 4, InnerVLAN: 7, Key: ebpf.FlowKey{Proto: 17, Port: [2]uint16{49152, 53}, VLAN: 5}}},
		{"priority tag in front", ether(0x0800, ipv4(5, -1, 0, 17, udpDNS...), 0x8100, 0, 0x8100, 7), ebpf.Parsed{Bytes: 32, Payload: 4, Key: ebpf.FlowKey{Proto: 17, Port: [2]uint16{49152, 53}, VLAN: 7}}},
		{"4 tags", ether(0x0800, ipv4(5, -1, 0, 17, udpDNS...), 0x9100, 1, 0x8100, 2, 0x8100, 3, 0x8100, 4), ebpf.Parsed{Bytes: 32, Payload: 4, InnerVLAN: 2, Key: ebpf.FlowKey{Proto: 17, Port: [2]uint16{49152, 53}, VLAN: 1}}},
		{"5 tags", ether(0x0800, ipv4(5, -1, 0, 17, udpDNS...), 0x9100, 1, 0x8100, 2, 0x8100, 3, 0x8100, 4, 0x8100, 5), ebpf.Parsed{Reason: ebpf.TooManyTags}},
		{"PPPoE", ether(0x8864, append([]byte{0x11, 0, 0, 9, 0, 34, 0, 0x21}, ipv4(5, -1, 0, 17, udpDNS...)...)), ebpf.Parsed{Bytes: 32, Payload: 4, Key: ebpf.FlowKey{Proto: 17, Port: [2]uint16{49152, 53}}}},
		{"ARP", ether(0x0806, make([]byte, 28)), ebpf.Parsed{Reason: ebpf.NonIP}},
		{"802.3", ether(0x0026, make([]byte, 46)), ebpf.Parsed{Reason: ebpf.NonIP}},

		{"first fragment", ether(0x0800, ipv4(5, -1, 0x2000, 17, append(slices.Clone(udpDNS), 5, 6, 7, 8)...)), ebpf.Parsed{Bytes: 36, Payload: 4, Key: ebpf.FlowKey{Proto: 17, Port: [2]uint16{49152, 53}}}},
		{"first fragment without ports", ether(0x0800, ipv4(5, -1, 0x2000, 6, tcpSYN[:8]...)), ebpf.Parsed{Bytes: 28, Payload: 8, Key: ebpf.FlowKey{Proto: 6, Flags: ebpf.KeyFragment}}},
		{"later fragment", ether(0x0800, ipv4(5, -1, 0x00b9, 17, udpDNS...)), ebpf.Parsed{Bytes: 32, Payload: 12, Key: ebpf.FlowKey{Proto: 17, Flags: ebpf.KeyFragment}}},
		{"later fragment without ports at all", ether(0x0800, ipv4(5, -1, 0x00b9, 50, udpDNS...)), ebpf.Parsed{Bytes: 32, Payload: 12, Key: ebpf.FlowKey{Proto: 50}}},
		{"fragment beyond 65,535 bytes", ether(0x0800, ipv4(5, -1, 0x1fff, 17, udpDNS...)), ebpf.Parsed{Reason: ebpf.BadFragment}},
		{"fragment of 12 bytes with more to come", ether(0x0800, ipv4(5, -1, 0x2001, 17, udpDNS...)), ebpf.Parsed{Reason: ebpf.BadFragment}},

		{"IPv6", ether(0x86dd, ipv6(-1, 17, udpDNS...)), ebpf.Parsed{Bytes: 52, Payload: 4, Key: ebpf.FlowKey{Proto: 17, Flags: ebpf.KeyIPv6, Port: [2]uint16{49152, 53}}}},
		{"8 extension headers", ether(0x86dd, ipv6(-1, 60, chain(8, 17, udpDNS)...)), ebpf.Parsed{Bytes: 116, Payload: 4, Key: ebpf.FlowKey{Proto: 17, Flags: ebpf.KeyIPv6, Port: [2]uint16{49152, 53}}}},
		{"9 extension headers", ether(0x86dd, ipv6(-1, 60, chain(9, 17, udpDNS)...)), ebpf.Parsed{Reason: ebpf.TooManyHeaders}},
		{"extension header beyond the packet", ether(0x86dd, ipv6(-1, 60, 17, 200, 0, 0, 0, 0, 0, 0)), ebpf.Parsed{Reason: ebpf.BadExtension}},
		{"options of 2 kB", ether(0x86dd, ipv6(-1, 60, append(append([]byte{17, 255}, make([]byte, 2046)...), udpDNS...)...)), ebpf.Parsed{Reason: ebpf.TooManyHeaders}},
		{"AH", ether(0x86dd, ipv6(-1, 51, append([]byte{17, 1, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1}, udpDNS...)...)), ebpf.Parsed{Bytes: 64, Payload: 4, Key: ebpf.FlowKey{Proto: 17, Flags: ebpf.KeyIPv6, Port: [2]uint16{49152, 53}}}},
		{"atomic fragment", ether(0x86dd, ipv6(-1, 44, append([]byte{17, 0, 0, 0, 0, 0, 0, 9}, udpDNS...)...)), ebpf.Parsed{Bytes: 60, Payload: 4, Key: ebpf.FlowKey{Proto: 17, Flags: ebpf.KeyIPv6, Port: [2]uint16{49152, 53}}}},
		{"IPv6 later fragment", ether(0x86dd, ipv6(-1, 44, append([]byte{17, 0, 1, 0, 0, 0, 0, 9}, udpDNS...)...)), ebpf.Parsed{Bytes: 60, Payload: 12, Key: ebpf.FlowKey{Proto: 17, Flags: ebpf.KeyIPv6 | ebpf.KeyFragment}}},
		{"no length and 46 bytes: padding", ether(0x86dd, ipv6(0, 59, make([]byte, 46)...)), ebpf.Parsed{Bytes: 40, Key: ebpf.FlowKey{Proto: 59, Flags: ebpf.KeyIPv6}}},
		{"no length and 47 bytes: a jumbogram", ether(0x86dd, ipv6(0, 59, make([]byte, 47)...)), ebpf.Parsed{Bytes: 87, Payload: 47, Key: ebpf.FlowKey{Proto: 59, Flags: ebpf.KeyIPv6}}},

		{"ping", ether(0x0800, ipv4(5, -1, 0, 1, 8, 0, 0, 0, 0x12, 0x34, 0, 1)), ebpf.Parsed{Bytes: 28, Key: ebpf.FlowKey{Proto: 1, Port: [2]uint16{0x0800, 0x1234}}}},
		{"pong, the other way round", ether(0x0800, ipv4(5, -1, 0, 1, 0, 0, 0, 0, 0x12, 0x34, 0, 1)), ebpf.Parsed{Bytes: 28, Key: ebpf.FlowKey{Proto: 1, Flags: ebpf.KeyHigherSent, Port: [2]uint16{0x0800, 0x1234}}}},
		{"unreachable", ether(0x0800, ipv4(5, -1, 0, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0x45)), ebpf.Parsed{Bytes: 29, Payload: 1, Key: ebpf.FlowKey{Proto: 1, Port: [2]uint16{0x0301, 0}}}},
		{"tunnel", ether(0x0800, ipv4(5, -1, 0, 4, ipv4(5, -1, 0, 17, udpDNS...)...)), ebpf.Parsed{Bytes: 52, Payload: 32, Key: ebpf.FlowKey{Proto: 4}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := p.Parse(t, tt.frame)
			got.SrcMAC, got.Key.Addr, got.Key.Ifindex = [6]byte{}, [2][16]byte{}, 0
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if tt.name == "tunnel" || len(tt.frame) > maxHeaders {
				return // where the Go decoder goes on
			}
			if _, diff := compare(t, p, tt.frame); diff != "" {
				t.Errorf("the Go decoder differs: %s", diff)
			}
		})
	}
}
