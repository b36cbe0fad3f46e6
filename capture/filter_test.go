package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"gatehouse/internal/testkit"
)

// sexpr writes a filter as nested lists.
func sexpr(n node) string {
	list := func(name string, of []node) string {
		for _, part := range of {
			name += " " + sexpr(part)
		}
		return "(" + name + ")"
	}
	switch n := n.(type) {
	case nil:
		return "all"
	case notNode:
		return list("not", []node{n.of})
	case allNode:
		return list("and", n.of)
	case anyNode:
		return list("or", n.of)
	case etherNode:
		return fmt.Sprintf("ether:%04x", n.etherType)
	case protoNode:
		return fmt.Sprintf("proto:%d/%04x", n.proto, n.etherType)
	case netNode:
		return n.prefix.String()
	case portNode:
		return fmt.Sprintf("port:%d", n.port)
	case vlanNode:
		if n.any {
			return "vlan"
		}
		return fmt.Sprintf("vlan:%d", n.id)
	default:
		return fmt.Sprintf("%T", n)
	}
}

func TestParseFilter(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "all"},
		{" \t", "all"},
		{"host 192.0.2.1", "192.0.2.1/32"},
		{"host ::ffff:192.0.2.1", "192.0.2.1/32"},
		{"host 2001:db8::1", "2001:db8::1/128"},
		{"net 10.0.0.0/8", "10.0.0.0/8"},
		{"net 0.0.0.0/0", "0.0.0.0/0"},
		{"port 53", "port:53"},
		{"vlan", "vlan"},
		{"vlan 0", "vlan:0"},
		{"vlan 4095 and ip", "(and vlan:4095 ether:0800)"},
		{"vlan and ip", "(and vlan ether:0800)"},
		{"tcp", "proto:6/0000"},
		{"icmp6", "proto:58/86dd"},
		{"udp port 53", "(and proto:17/0000 port:53)"},
		{"not udp port 53", "(not (and proto:17/0000 port:53))"},
		{"arp host 192.0.2.1", "(and ether:0806 192.0.2.1/32)"},
		{"ip and tcp and port 1", "(and ether:0800 proto:6/0000 port:1)"},
		{"ip or (tcp and port 1)", "(or ether:0800 (and proto:6/0000 port:1))"},
		{"not not ip", "(not (not ether:0800))"},
		{"!(ip||arp)&&vlan 3", "(and (not (or ether:0800 ether:0806)) vlan:3)"},
		{"((ip6))", "ether:86dd"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			f, err := ParseFilter(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := sexpr(f.root); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if f.String() != tt.text {
				t.Errorf("written as %q", f)
			}
		})
	}
}

func TestParseFilterErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"host", "expected an IPv4 or IPv6 address (names are not looked up), found the end"},
		{"host example.com", `expected an IPv4 or IPv6 address (names are not looked up), found "example.com" at byte 5`},
		{"host fe80::1%eth0", "an IPv4 or IPv6 address"},
		{"net 192.0.2.1", "a network such as 192.0.2.0/24"},
		{"net 192.0.2.1/24", "a network without host bits, such as 192.0.2.0/24"},
		{"port http", "a port from 0 to 65535"},
		{"port 65536", "a port from 0 to 65535"},
		{"port -1", "a port from 0 to 65535"},
		{"vlan 4096", "a VLAN id from 0 to 4095"},
		{"ip or arp and vlan", "and and or side by side (byte 10): put one of them in parentheses"},
		{"ip arp", `expected and, or, or the end, found "arp" at byte 3`},
		{"(ip", "a closing parenthesis, found the end"},
		{"ip)", `found ")" at byte 2`},
		{"()", `found ")" at byte 1`},
		{"not", "found the end"},
		{"ip and", "found the end"},
		{"ip & arp", `found "&" at byte 3`},
		{"src host 192.0.2.1", `found "src" at byte 0`},
		{strings.Repeat("(", 65) + "ip", "nested more than 64 deep"},
		{strings.Repeat("not ", 65) + "ip", "nested more than 64 deep"},
		{strings.Repeat(" ", 4097), "4097 bytes long, at most 4096 are allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.text[:min(len(tt.text), 40)], func(t *testing.T) {
			_, err := ParseFilter(tt.text)
			if !errors.Is(err, ErrFilter) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

// noTag is for a frame from which the kernel took no VLAN tag.
const noTag = -1

// filterVM runs a program like the kernel on a frame from which it took the
// tag tci, or noTag. The VM of x/net/bpf knows no VLAN extensions, so they
// become the constants that they would load.
func filterVM(tb testing.TB, program []bpf.Instruction, tci int) *bpf.VM {
	tb.Helper()
	program = append([]bpf.Instruction{}, program...)
	for i, ins := range program {
		switch ins {
		case bpf.LoadExtension{Num: bpf.ExtVLANTagPresent}:
			present := uint32(0)
			if tci != noTag {
				present = 1
			}
			program[i] = bpf.LoadConstant{Dst: bpf.RegA, Val: present}
		case bpf.LoadExtension{Num: bpf.ExtVLANTag}:
			program[i] = bpf.LoadConstant{Dst: bpf.RegA, Val: uint32(max(tci, 0))}
		}
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		tb.Fatal(err)
	}
	return vm
}

func runVM(tb testing.TB, vm *bpf.VM, frame []byte) int {
	tb.Helper()
	n, err := vm.Run(frame)
	if err != nil {
		tb.Fatalf("run filter: %v", err)
	}
	return n
}

// compileFilter parses and compiles.
func compileFilter(tb testing.TB, text string, link LinkType, snap int, exclude ...netip.AddrPort) []bpf.Instruction {
	tb.Helper()
	f, err := ParseFilter(text)
	if err != nil {
		tb.Fatal(err)
	}
	program, err := f.program(link, snap, exclude)
	if err != nil {
		tb.Fatal(err)
	}
	return program
}

// Frames that the filters are tried on. Addresses: 192.0.2.1:1111 to
// 192.0.2.2:2222, 2001:db8::1 to 2001:db8::2.
var filterFrames = map[string][]byte{
	"udp":      testkit.UDPFrame(hostA, hostB, 0),
	"tagged":   tagged(testkit.UDPFrame(hostA, hostB, 0), 0x8100, 0xa007), // priority 5, VLAN 7
	"qinq":     tagged(tagged(testkit.UDPFrame(hostA, hostB, 0), 0x8100, 9), 0x88a8, 7),
	"three":    tagged(tagged(tagged(testkit.UDPFrame(hostA, hostB, 0), 0x8100, 9), 0x8100, 8), 0x8100, 7),
	"options":  ipv4Frame(6, 0x46, 0, []byte{1, 1, 1, 1, 4, 87, 8, 174}), // TCP behind 4 NOPs
	"first":    ipv4Frame(17, 0x45, 0x2000, []byte{4, 87, 8, 174}),
	"later":    ipv4Frame(17, 0x45, 0x2001, []byte{4, 87, 8, 174}),
	"portless": ipv4Frame(6, 0x45, 0, []byte{4, 87, 8}),
	"icmp":     ipv4Frame(1, 0x45, 0, make([]byte, 8)),
	"cut":      ipv4Frame(6, 0x45, 0, nil)[:33], // one byte short of an IPv4 header
	"arp": append(append(make([]byte, 12), 8, 6, 0, 1, 8, 0, 6, 4, 0, 1), // request by 192.0.2.1 for 192.0.2.2
		2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2),
	"tcp6":    ipv6Frame(6, []byte{4, 87, 8, 174}),
	"icmp6":   ipv6Frame(58, make([]byte, 8)),
	"lldp":    append(make([]byte, 12), 0x88, 0xcc, 2, 7, 4),
	"runt":    make([]byte, 13),
	"nothing": {},
}

// ipv4Frame is an Ethernet frame with an IPv4 packet from hostA to hostB.
func ipv4Frame(proto, versionIHL byte, fragment uint16, rest []byte) []byte {
	f := append(make([]byte, 12), 8, 0, versionIHL, 0, 0, 0, 0, 0)
	f = binary.BigEndian.AppendUint16(f, fragment)
	f = append(f, 64, proto, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2)
	return append(f, rest...)
}

// ipv6Frame is an Ethernet frame with an IPv6 packet from 2001:db8::1 to ::2.
func ipv6Frame(next byte, rest []byte) []byte {
	f := append(make([]byte, 12), 0x86, 0xdd, 0x60, 0, 0, 0, 0, byte(len(rest)), next, 64)
	for _, last := range []byte{1, 2} {
		f = append(append(append(f, 0x20, 1, 0xd, 0xb8), make([]byte, 11)...), last)
	}
	return append(f, rest...)
}

func TestFilterProgram(t *testing.T) {
	const all = "udp tagged qinq three options first later portless icmp cut arp tcp6 icmp6 lldp runt nothing"
	tests := []struct{ filter, frames string }{
		{"", all},
		{"ip", "udp tagged qinq options first later portless icmp"}, // two tags are looked behind
		{"not ip", "three cut arp tcp6 icmp6 lldp runt nothing"},
		{"ip6", "tcp6 icmp6"},
		{"arp", "arp"},
		{"udp", "udp tagged qinq first later"},
		{"tcp", "options portless tcp6"},
		{"icmp", "icmp"},
		{"icmp6", "icmp6"},
		{"sctp", ""},
		{"port 1111", "udp tagged qinq options first tcp6"},
		{"port 2222", "udp tagged qinq options first tcp6"},
		{"port 2221", ""},
		{"tcp port 2222", "options tcp6"},
		{"ip6 and port 1111", "tcp6"},
		{"vlan", "tagged qinq three"},
		{"vlan 7", "tagged qinq three"}, // the outermost
		{"vlan 9", ""},
		{"not vlan", "udp options first later portless icmp cut arp tcp6 icmp6 lldp runt nothing"},
		{"vlan 7 and host 192.0.2.1", "tagged qinq"},
		{"host 192.0.2.1", "udp tagged qinq options first later portless icmp arp"},
		{"host 192.0.2.2", "udp tagged qinq options first later portless icmp arp"},
		{"host 192.0.2.3", ""},
		{"net 192.0.2.2/31", "udp tagged qinq options first later portless icmp arp"},
		{"net 192.0.2.4/30", ""},
		{"net 0.0.0.0/0", "udp tagged qinq options first later portless icmp arp"},
		{"host 2001:db8::1", "tcp6 icmp6"},
		{"host 2001:db8::2", "tcp6 icmp6"},
		{"host 2001:db8::3", ""},
		{"net 2001:db8::/33", "tcp6 icmp6"},
		{"net 2001:db8:8000::/33", ""},
		{"arp or tcp or vlan", "tagged qinq three options portless arp tcp6"},
		{"not (arp or ip or ip6)", "three cut lldp runt nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.filter, func(t *testing.T) {
			vm := filterVM(t, compileFilter(t, tt.filter, LinkEthernet, wholeFrame), noTag)
			want := strings.Fields(tt.frames)
			for name, frame := range filterFrames {
				expected := 0
				for _, w := range want {
					if w == name {
						expected = len(frame)
					}
				}
				if _, known := filterFrames[name]; !known {
					t.Fatalf("no frame %s", name)
				}
				if got := min(runVM(t, vm, frame), len(frame)); got != expected {
					t.Errorf("%s: %d bytes pass, want %d", name, got, expected)
				}
			}
		})
	}
}

// given a frame from which the kernel took a tag
// when a filter asks for VLANs
// then that tag is the outermost, and others in the frame are looked behind
func TestFilterTagBeside(t *testing.T) {
	tests := []struct {
		filter, frame string
		tci           int
		want          bool
	}{
		{"vlan", "udp", 0xa007, true},
		{"vlan 7", "udp", 0xa007, true},
		{"vlan 0", "udp", 0xe000, true}, // priority tag
		{"vlan", "udp", 0, true},
		{"vlan 0", "udp", noTag, false},
		{"vlan 5 and udp port 1111", "tagged", 5, true},
		{"vlan 7", "tagged", 5, false},
		{"vlan 5 and host 192.0.2.1", "qinq", 5, true},
		{"vlan 5", "runt", 5, true},
		{"not vlan 5", "udp", 5, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.filter, " ", tt.frame, " ", tt.tci), func(t *testing.T) {
			vm := filterVM(t, compileFilter(t, tt.filter, LinkEthernet, wholeFrame), tt.tci)
			if got := runVM(t, vm, filterFrames[tt.frame]) > 0; got != tt.want {
				t.Errorf("passes: %t, want %t", got, tt.want)
			}
		})
	}
}

func TestFilterRawIP(t *testing.T) {
	for filter, want := range map[string]string{
		"ip": "udp", "ip6": "tcp6", "host 192.0.2.1": "udp", "port 2222": "udp tcp6", "vlan": "", "tcp": "tcp6",
	} {
		vm := filterVM(t, compileFilter(t, filter, LinkRawIP, wholeFrame), noTag)
		var got []string
		for _, name := range []string{"udp", "tcp6", "lldp"} {
			if runVM(t, vm, filterFrames[name][14:]) > 0 {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q pass, want %q", filter, got, want)
		}
	}
	f, err := ParseFilter("ip")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.program(LinkIEEE80211, 0, nil); !errors.Is(err, ErrFilter) {
		t.Errorf("a filter for 802.11: %v", err)
	}
	if _, err := (Filter{}).program(LinkIEEE80211, wholeFrame, nil); err != nil {
		t.Errorf("no filter for 802.11: %v", err)
	}
}

func TestFilterExclude(t *testing.T) {
	six := netip.MustParseAddrPort("[2001:db8::2]:2222")
	tests := []struct {
		name    string
		filter  string
		exclude []netip.AddrPort
		want    string // of udp, options, tcp6, icmp, later
	}{
		{"nothing", "", nil, "udp options tcp6 icmp later"},
		{"destination", "", []netip.AddrPort{hostB}, "tcp6 icmp later"},
		{"source", "", []netip.AddrPort{hostA}, "tcp6 icmp later"},
		{"mapped", "", []netip.AddrPort{netip.MustParseAddrPort("[::ffff:192.0.2.2]:2222")}, "tcp6 icmp later"},
		{"the port of the other end", "", []netip.AddrPort{netip.AddrPortFrom(hostA.Addr(), hostB.Port())}, "udp options tcp6 icmp later"},
		{"whole host", "", []netip.AddrPort{netip.AddrPortFrom(hostA.Addr(), 0)}, "tcp6"},
		{"IPv6", "", []netip.AddrPort{six}, "udp options icmp later"},
		{"two", "", []netip.AddrPort{six, hostA}, "icmp later"},
		{"and a filter", "not icmp", []netip.AddrPort{six}, "udp options later"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			vm := filterVM(t, compileFilter(t, tt.filter, LinkEthernet, 100, tt.exclude...), noTag)
			var got []string
			for _, name := range []string{"udp", "options", "tcp6", "icmp", "later"} {
				switch n := runVM(t, vm, filterFrames[name]); n {
				case 100, len(filterFrames[name]): // the VM cuts to the frame
					got = append(got, name)
				case 0:
				default:
					t.Errorf("%s: %d bytes pass, want none or 100", name, n)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%q pass, want %q", got, tt.want)
			}
		})
	}
}

// given as many excluded endpoints as are allowed
// when the filter is assembled
// then its jumps reach further than a conditional jump can, and it still works
func TestFilterFarJumps(t *testing.T) {
	var exclude []netip.AddrPort
	for i := range byte(maxExclude) {
		exclude = append(exclude, netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: i}), 2222))
	}
	program := compileFilter(t, "not icmp", LinkEthernet, wholeFrame, exclude...)
	if len(program) < 3*256 {
		t.Fatalf("%d instructions: too few to need far jumps", len(program))
	}
	if _, err := bpf.Assemble(program); err != nil {
		t.Fatal(err)
	}
	vm := filterVM(t, program, noTag)
	for name, want := range map[string]bool{"udp": true, "icmp": false, "tcp6": false, "icmp6": true, "lldp": true} {
		if got := runVM(t, vm, filterFrames[name]) > 0; got != want {
			t.Errorf("%s passes: %t, want %t", name, got, want)
		}
	}

	f := Filter{root: anyNode{make([]node, 0)}}
	for range 1000 {
		f.root = anyNode{append(f.root.(anyNode).of, netNode{netip.MustParsePrefix("2001:db8::1/128")})}
	}
	if _, err := f.program(LinkEthernet, wholeFrame, nil); !errors.Is(err, ErrFilter) {
		t.Errorf("a filter that is too long: %v", err)
	}
}

func FuzzFilter(f *testing.F) {
	for _, text := range []string{
		"", "host 192.0.2.1 and not port 53", "vlan 7 or (ip6 and net 2001:db8::/33)",
		"!(arp||icmp6)&&udp port 1", "net 0.0.0.0/0", "vlan ip", "tcp tcp", "host ::ffff:192.0.2.1", "net ::ffff:192.0.2.0/120",
	} {
		f.Add(text, filterFrames["udp"])
		f.Add(text, filterFrames["tcp6"])
	}
	f.Fuzz(func(t *testing.T, text string, frame []byte) {
		filter, err := ParseFilter(text)
		if err != nil {
			if !errors.Is(err, ErrFilter) {
				t.Fatalf("%v does not wrap ErrFilter", err)
			}
			return
		}
		program, err := filter.program(LinkEthernet, wholeFrame, nil)
		if err != nil {
			if !errors.Is(err, ErrFilter) {
				t.Fatalf("%v does not wrap ErrFilter", err)
			}
			return
		}
		inverse, err := Filter{root: notNode{filter.root}}.program(LinkEthernet, wholeFrame, nil)
		if filter.root == nil || err != nil {
			return
		}
		for _, tci := range []int{noTag, 7} {
			pass := runVM(t, filterVM(t, program, tci), frame) > 0
			drop := runVM(t, filterVM(t, inverse, tci), frame) > 0
			if pass == drop && len(frame) > 0 {
				t.Fatalf("%q and its opposite agree (%t) on %x", text, pass, frame)
			}
		}
	})
}
