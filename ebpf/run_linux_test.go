//go:build !386 && !arm && !mips && !mipsle

package ebpf

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"gatehouse/internal/testkit"
)

// skbContext is struct __sk_buff as far as a test run lets it be set.
type skbContext struct {
	Len, PktType, Mark, QueueMapping, Protocol, VlanPresent, VlanTci, VlanProto uint32
	Priority, IngressIfindex, Ifindex, TcIndex                                  uint32
	Cb                                                                          [5]uint32
	Hash, TcClassid, Data, DataEnd, NapiID, Family, RemoteIP4, LocalIP4         uint32
	RemoteIP6, LocalIP6                                                         [4]uint32
	RemotePort, LocalPort, DataMeta                                             uint32
	FlowKeys, Tstamp                                                            uint64
	WireLen, GsoSegs                                                            uint32
	Sk                                                                          uint64
	GsoSize                                                                     uint32
	TstampType                                                                  uint8
	_                                                                           [3]uint8
	Hwtstamp                                                                    uint64
}

// runner runs the program on crafted frames without an interface, by
// BPF_PROG_TEST_RUN. It has the first slot of its collector.
type runner struct {
	c *Collector
	p *ebpf.Program
}

func newRunner(tb testing.TB, cfg Config) *runner {
	tb.Helper()
	testkit.EnterNetns(tb) // for the check that this is root
	c := open(tb, cfg)
	return &runner{c: c, p: program(tb, c, 0, false, false)}
}

// program loads the program for one direction of an interface that need not
// exist. Counters of the slot are read by Stats.
func program(tb testing.TB, c *Collector, slot int, egress, layer3 bool) *ebpf.Program {
	tb.Helper()
	p, err := c.load(slot, egress, layer3)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.Close() })
	c.slots[slot].ifindex = 1
	return p
}

// run shows the program a frame, n times.
func (r *runner) run(tb testing.TB, frame []byte, n int) {
	tb.Helper()
	run(tb, r.p, frame, n)
}

// run shows a program a frame, n times.
func run(tb testing.TB, p *ebpf.Program, frame []byte, n int) {
	tb.Helper()
	runOptions(tb, p, &ebpf.RunOptions{Data: frame, Repeat: uint32(n)})
}

// runOptions runs p exactly as often as opts says: a signal would interrupt
// the system call, which would then begin anew, and the scheduler sends some.
func runOptions(tb testing.TB, p *ebpf.Program, opts *ebpf.RunOptions) {
	tb.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &all, &before); err != nil {
		tb.Fatal(err)
	}
	ret, err := p.Run(opts)
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil); err != nil {
		tb.Fatal(err)
	}
	if err != nil {
		tb.Fatalf("run on %x: %v", opts.Data, err)
	}
	if ret != 1<<32-1 {
		tb.Fatalf("run on %x returned %d, want TC_ACT_UNSPEC", opts.Data, int32(ret))
	}
}

// spreader is a program that puts random bits into the ports of a frame and
// into the source address, as many as masks say, and then goes on to next, if
// that is not nil: so that one test run meets many flows. Alone it is the empty
// program to compare with.
func spreader(tb testing.TB, next *ebpf.Program, ports, addr int32) *ebpf.Program {
	tb.Helper()
	table, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.ProgramArray, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { table.Close() })
	if next != nil {
		if err := table.Put(uint32(0), next); err != nil {
			tb.Fatal(err)
		}
	}
	const (
		data, dataEnd  = 76, 80 // of struct __sk_buff
		addrAt, portAt = 28, 34 // of testkit.UDPFrame: low half of the source address, source port
	)
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type:    ebpf.SchedCLS,
		License: "GPL",
		Instructions: asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.FnGetPrandomU32.Call(),
			asm.LoadMem(asm.R2, asm.R6, data, asm.Word),
			asm.LoadMem(asm.R3, asm.R6, dataEnd, asm.Word),
			asm.Mov.Reg(asm.R4, asm.R2),
			asm.Add.Imm(asm.R4, portAt+4),
			asm.JGT.Reg(asm.R4, asm.R3, "out"),
			asm.Mov.Reg(asm.R5, asm.R0),
			asm.And.Imm(asm.R5, ports),
			asm.StoreMem(asm.R2, portAt, asm.R5, asm.Half),
			asm.RSh.Imm(asm.R0, 16),
			asm.And.Imm(asm.R0, addr),
			asm.StoreMem(asm.R2, addrAt, asm.R0, asm.Half),
			asm.Mov.Reg(asm.R1, asm.R6),
			asm.LoadMapPtr(asm.R2, table.FD()),
			asm.Mov.Imm(asm.R3, 0),
			asm.FnTailCall.Call(),
			asm.Mov.Imm(asm.R0, -1).WithSymbol("out"),
			asm.Return(),
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.Close() })
	return p
}

// udpFrame is a datagram between two ports that nobody watches.
func udpFrame() []byte {
	return testkit.UDPFrame(netip.MustParseAddrPort("192.0.2.1:10000"), netip.MustParseAddrPort("192.0.2.2:30000"), 0)
}

// withPorts changes the ports of a frame of testkit.UDPFrame.
func withPorts(f []byte, src, dst uint16) []byte {
	out := append([]byte(nil), f...)
	binary.BigEndian.PutUint16(out[34:], src)
	binary.BigEndian.PutUint16(out[36:], dst)
	return out
}
