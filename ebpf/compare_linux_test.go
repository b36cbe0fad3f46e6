//go:build !386 && !arm && !mips && !mipsle

package ebpf_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"gatehouse/capture"
	"gatehouse/ebpf"
	"gatehouse/flow"
	"gatehouse/internal/testkit"
)

const (
	minRun = 14   // bytes that a test run wants
	maxRun = 3400 // bytes that fit the page it uses
	// maxHeaders is MAX_HEADERS of parse.h, behind an Ethernet header: beyond
	// it the program gives up where the Go decoder goes on.
	maxHeaders = 1024
)

// given the frames of all captures, and the same with bytes changed and ends
// cut off
// when both the program in the kernel and the Go decoder read them
// then they agree on every one
func TestParserAgreesOnCorpus(t *testing.T) {
	root := testkit.Corpus(t)
	p := ebpf.NewParser(t)
	rng := rand.New(rand.NewPCG(1, 2))
	const perFile, mutations = 400, 3
	frames, counted := 0, 0
	check := func(file string, n int, frame []byte) {
		frames++
		flowed, diff := compare(t, p, frame)
		if flowed {
			counted++
		}
		if diff != "" {
			t.Errorf("%s, frame %d: %s: %x", file, n, diff, frame[:min(len(frame), 200)])
		}
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || t.Failed() {
			return err
		}
		for n, frame := range ethernetFrames(path, perFile) {
			check(path, n, frame)
			for range mutations {
				check(path, n, mutate(rng, frame))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if frames < 100_000 || counted < frames/3 {
		t.Errorf("%d frames, %d of them counted to a flow: the comparison has lost its material", frames, counted)
	}
	t.Logf("%d frames, %d counted to a flow", frames, counted)
}

// FuzzParse looks for a frame on which the program and the Go decoder differ.
func FuzzParse(f *testing.F) {
	f.Add(testFrame())
	for _, path := range testkit.CorpusSeeds(f, "hostile/*.pcap") {
		for _, frame := range ethernetFrames(path, 2) {
			f.Add(frame)
		}
	}
	p := ebpf.NewParser(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		if _, diff := compare(t, p, frame); diff != "" {
			t.Error(diff)
		}
	})
}

// ethernetFrames reads at most limit Ethernet frames of a capture. What is not
// a capture has none.
func ethernetFrames(path string, limit int) [][]byte {
	src, err := capture.Open([]string{path})
	if err != nil {
		return nil
	}
	defer src.Close()
	var out [][]byte
	var b capture.Batch
	for err == nil && len(out) < limit {
		err = src.Read(&b)
		for i := range b.Packets {
			if pk := &b.Packets[i]; pk.Link == capture.LinkEthernet && len(out) < limit {
				out = append(out, bytes.Clone(pk.Data))
			}
		}
	}
	return out
}

// mutate changes a few bytes of the headers, and sometimes the length.
func mutate(rng *rand.Rand, frame []byte) []byte {
	out := bytes.Clone(frame)
	if len(out) == 0 {
		return out
	}
	for range 1 + rng.IntN(3) {
		at := rng.IntN(min(len(out), 90))
		switch rng.IntN(3) {
		case 0:
			out[at] = byte(rng.Uint32())
		case 1:
			out[at] ^= 1 << rng.IntN(8)
		default:
			// What stands in the fields that lead on to another header.
			next := []byte{0, 1, 6, 17, 43, 44, 51, 58, 60, 132, 135, 0x81, 0x88, 0x45, 0x46, 0x60}
			out[at] = next[rng.IntN(len(next))]
		}
	}
	if rng.IntN(4) == 0 {
		out = out[:rng.IntN(len(out)+1)]
	}
	return out
}

// compare shows a frame to the program and to the Go decoder. It says whether
// it was counted to a flow, and how the two differ, "" if they agree.
func compare(tb testing.TB, p *ebpf.Parser, frame []byte) (counted bool, diff string) {
	tb.Helper()
	if len(frame) < minRun {
		return false, ""
	}
	frame = frame[:min(len(frame), maxRun)]
	if t := binary.BigEndian.Uint16(frame[12:]); len(frame) < 54 && (t == 0x0800 || t == 0x86dd) {
		// A test run refuses an IP packet without a whole header, which an
		// interface would let through. With a tag in front it does not look.
		frame = slices.Insert(bytes.Clone(frame), 12, 0x81, 0, 0, 0)
	}
	var h flow.Headers
	reason := h.Decode(&capture.Packet{Data: frame, Length: len(frame), Link: capture.LinkEthernet})
	l := linkOf(frame)
	got := p.Parse(tb, frame)
	switch {
	case l.tags > 4:
		if got.Reason != ebpf.TooManyTags {
			diff = fmt.Sprintf("%s with %d tags, want too_many_tags", got.Reason, l.tags)
		}
	case l.pppoe && got.Reason == ebpf.NonIP:
		// Discovery, and PPP frames of other kinds than plain IP.
	case l.foreign: // the Go decoder also looks into LLC and MPLS
		if got.Reason != ebpf.NonIP {
			diff = fmt.Sprintf("%s for ethertype %#04x, want non_ip", got.Reason, l.etherType)
		}
	case got.Reason != 0:
		if got.Reason == ebpf.TooManyHeaders && len(frame) > maxHeaders {
			break
		}
		if got.Reason.String() != reason.String() {
			diff = fmt.Sprintf("refused for %s, want %s", got.Reason, reason)
		}
	case reason != flow.Accepted:
		diff = fmt.Sprintf("counted to %+v, want %s", got.Key, reason)
	case h.Depth > 0 || fragment(&h, "tunnel"):
		// Counted as its outer flow, where the Go decoder tells of the inner.
	default:
		diff = compareFlow(&got, &h, &l)
	}
	return got.Reason == 0, diff
}

// compareFlow compares a packet that both accept.
func compareFlow(got *ebpf.Parsed, h *flow.Headers, l *linkInfo) string {
	want := ebpf.Parsed{
		Bytes: uint64(h.Length), Payload: uint64(h.PayloadLen), Flags: h.Flags,
		SrcMAC: l.srcMAC, InnerVLAN: l.inner,
		Key: ebpf.FlowKey{VLAN: h.VLAN, Proto: h.Proto, Ifindex: 1},
	}
	if h.Version == 6 {
		want.Key.Flags |= ebpf.KeyIPv6
	}
	if fragment(h, "is") && !fragment(h, "portsSeen") && !fragment(h, "alone") && !isTunnel(h.Proto) {
		want.Key.Flags |= ebpf.KeyFragment
		want.Flags = 0
	}
	if fragment(h, "is") {
		want.Payload = got.Payload // the decoder counts that of a first fragment once it is whole
	}
	side := bytes.Compare(h.Src[:], h.Dst[:])
	typ, code, id, from, icmp := got.Key.ICMP()
	switch {
	case icmp:
		// The key says it in its own way; see below.
		want.Key.Port = got.Key.Port
		want.Key.Flags |= got.Key.Flags & ebpf.KeyHigherSent
		if side == 0 {
			side = got.Side
		}
	case side == 0 && h.SrcPort > h.DstPort:
		side = 1
	}
	ends := [2][16]byte{h.Src, h.Dst}
	ports := [2]uint16{h.SrcPort, h.DstPort}
	if side > 0 {
		want.Side = 1
		ends[0], ends[1] = ends[1], ends[0]
		ports[0], ports[1] = ports[1], ports[0]
	}
	want.Key.Addr = ends
	if !icmp {
		want.Key.Port = ports
	}
	if *got != want {
		return fmt.Sprintf("got %+v, want %+v", *got, want)
	}
	if icmp {
		return compareICMP(h, typ, code, id, from, got.Side)
	}
	return ""
}

// compareICMP compares what the key says of a message.
func compareICMP(h *flow.Headers, typ, code uint8, id uint16, from, side int) string {
	request, reply := uint8(8), uint8(0)
	if h.Version == 6 {
		request, reply = 128, 129
	}
	wantType, wantCode, wantFrom := h.ICMPType, h.ICMPCode, side
	switch h.ICMPType {
	case reply:
		wantType, wantCode, wantFrom = request, 0, 1-side
	case request:
		wantCode = 0
	}
	if typ != wantType || code != wantCode || id != h.ICMPID || from != wantFrom {
		return fmt.Sprintf("ICMP type %d code %d id %d from side %d, want %d %d %d %d",
			typ, code, id, from, wantType, wantCode, h.ICMPID, wantFrom)
	}
	return ""
}

// fragment reads what the decoder knows of a fragment, which it keeps to itself.
func fragment(h *flow.Headers, field string) bool {
	return reflect.ValueOf(h).Elem().FieldByName("Fragment").FieldByName(field).Bool()
}

// isTunnel reports whether a protocol has no ports, so that all its fragments
// belong to one flow, although the Go decoder waits for them all.
func isTunnel(proto uint8) bool {
	switch proto {
	case 4, 41, 47, 97, 137:
		return true
	default:
		return false
	}
}

// linkInfo is what stands in front of the network layer.
type linkInfo struct {
	srcMAC         [6]byte
	tags           int
	inner          uint16 // id of the second tag, of those that are not 0
	etherType      uint16
	foreign, pppoe bool
}

// linkOf reads Ethernet and VLAN headers in the plainest way.
func linkOf(frame []byte) linkInfo {
	l := linkInfo{etherType: binary.BigEndian.Uint16(frame[12:])}
	copy(l.srcMAC[:], frame[6:])
	var ids []uint16
	at := 14
	for ; l.etherType == 0x8100 || l.etherType == 0x88a8 || l.etherType == 0x9100; at += 4 {
		l.tags++
		if len(frame) < at+4 {
			l.etherType = 0x0800 // cut off: the same error as in IP's place
			break
		}
		if id := binary.BigEndian.Uint16(frame[at:]) & 0xfff; id != 0 {
			ids = append(ids, id)
		}
		l.etherType = binary.BigEndian.Uint16(frame[at+2:])
	}
	if len(ids) > 1 {
		l.inner = ids[1]
	}
	l.pppoe = l.etherType == 0x8864
	l.foreign = !l.pppoe && l.etherType != 0x0800 && l.etherType != 0x86dd
	return l
}

// testFrame is an IPv6 fragment behind two tags.
func testFrame() []byte {
	f := append(make([]byte, 12), 0x88, 0xa8, 0, 5, 0x81, 0, 0, 7, 0x86, 0xdd,
		0x60, 0, 0, 0, 0, 16, 44, 64) // 16 bytes, fragment header, hop limit
	f = append(f, make([]byte, 32)...)          // :: to ::
	f = append(f, 17, 0, 0, 1, 0, 0, 0, 9)      // UDP, offset 0, more
	return append(f, 0, 53, 0, 54, 0, 40, 0, 0) // ports 53 and 54
}
