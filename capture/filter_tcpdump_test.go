package capture

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"gatehouse/internal/testkit"
)

// tcpdumpProgram is what tcpdump -ddd makes of an expression for Ethernet.
func tcpdumpProgram(t *testing.T, expression string) *bpf.VM {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), testkit.NeedTool(t, "tcpdump"), "-y", "EN10MB", "-ddd", expression).Output()
	if err != nil {
		t.Fatalf("tcpdump -ddd %q: %v", expression, err)
	}
	var raw []bpf.RawInstruction
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n")[1:] {
		var v [4]uint64
		for i, field := range strings.Fields(line) {
			if v[i], err = strconv.ParseUint(field, 10, 32); err != nil {
				t.Fatalf("tcpdump -ddd %q: line %q: %v", expression, line, err)
			}
		}
		raw = append(raw, bpf.RawInstruction{Op: uint16(v[0]), Jt: uint8(v[1]), Jf: uint8(v[2]), K: uint32(v[3])})
	}
	program, ok := bpf.Disassemble(raw)
	if !ok {
		t.Fatalf("tcpdump -ddd %q: unknown instructions", expression)
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

// sameMeaning reports whether Filter's documentation lets pcap decide as we do
// on this frame: no tag that we would look behind, no header or ports cut off,
// no fragment header, which pcap looks behind for protocols.
func sameMeaning(frame []byte) bool {
	if len(frame) < 14 {
		return false
	}
	network := frame[14:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case etherVLAN, etherQinQ, etherQinQLegacy:
		return false
	case etherIPv4:
		return len(network) >= 20 && len(network) >= int(network[0]&0x0f)*4+4
	case etherIPv6:
		return len(network) >= 44 && network[6] != 44
	case etherARP:
		return len(network) >= 28
	default:
		return binary.BigEndian.Uint16(frame[12:]) != 0x8035 // RARP, which pcap's host finds
	}
}

// given every frame of the corpus on which both should agree
// when our program and tcpdump's run on it
// then they agree
func TestFilterAgainstTcpdump(t *testing.T) {
	if testing.Short() {
		t.Skip("runs 64 programs on 270,000 frames")
	}
	expressions := []string{
		"ip", "ip6", "arp", "tcp", "udp", "sctp", "icmp", "icmp6",
		"not ip", "not arp", "ip or arp",
		"port 53", "port 443", "not port 53", "tcp port 80", "udp port 5353", "port 0",
		"host 192.168.1.1", "host 192.168.0.1", "not host 192.168.1.1",
		"net 192.168.0.0/16", "net 10.0.0.0/8", "net 0.0.0.0/0", "net 224.0.0.0/4",
		"host ff02::fb", "net fe80::/10", "net 2000::/3", "ip6 and net ff00::/8",
		"ip and udp and port 53", "not (tcp or udp)", "(tcp and port 443) or (udp and port 53)",
		"net 192.168.0.0/16 and not port 53 and not (udp port 5353 or icmp)",
	}
	type programs struct {
		expression   string
		ours, theirs *bpf.VM
		passed       int
	}
	var all []*programs
	for _, e := range expressions {
		all = append(all, &programs{
			expression: e,
			ours:       filterVM(t, compileFilter(t, e, LinkEthernet, wholeFrame), noTag),
			theirs:     tcpdumpProgram(t, e),
		})
	}
	compared, skipped := 0, 0
	eachCorpusFrame(t, func(path string, frame []byte) {
		if !sameMeaning(frame) {
			skipped++
			return
		}
		compared++
		for _, p := range all {
			ours, theirs := runVM(t, p.ours, frame) > 0, runVM(t, p.theirs, frame) > 0
			if ours != theirs {
				t.Fatalf("%q in %s: passes here %t, tcpdump %t: %x", p.expression, path, ours, theirs, frame[:min(len(frame), 80)])
			}
			if ours {
				p.passed++
			}
		}
	})
	t.Logf("%d frames compared, %d skipped", compared, skipped)
	if compared < 100_000 {
		t.Errorf("%d frames compared: too few to mean anything", compared)
	}
	never := 0
	for _, p := range all {
		if p.passed == 0 {
			never++
			t.Logf("%q passed nothing", p.expression)
		}
	}
	if never > 2 {
		t.Errorf("%d of %d expressions matched no frame", never, len(all))
	}
}

// eachCorpusFrame calls f for every Ethernet frame in the corpus.
func eachCorpusFrame(t *testing.T, f func(path string, frame []byte)) {
	t.Helper()
	err := filepath.WalkDir(testkit.Corpus(t), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(filepath.Ext(path), "cap") {
			return err
		}
		src, err := Open([]string{path})
		if err != nil {
			return nil // some are damaged on purpose
		}
		defer src.Close()
		var b Batch
		for {
			err := src.Read(&b)
			for i := range b.Packets {
				if p := &b.Packets[i]; p.Link == LinkEthernet {
					f(path, bytes.Clone(p.Data))
				}
			}
			if err != nil {
				if err != io.EOF {
					t.Logf("%v", err)
				}
				return nil
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
