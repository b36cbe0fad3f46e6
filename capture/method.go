package capture

import (
	"errors"
	"fmt"
)

// Method is a way to capture from an interface.
type Method string

// Methods. ByTCX and ByClsact let the kernel count flows and hand out what is
// worth reading; they differ in how the program is attached. ByRing hands out
// every frame.
const (
	ByTCX    Method = "tcx"
	ByClsact Method = "clsact"
	ByRing   Method = "af_packet"
)

// Choice says which methods may be used.
type Choice string

// Choices.
const (
	Auto     Choice = "auto"     // the first that works on an interface: TCX, clsact, AF_PACKET
	OnlyBPF  Choice = "ebpf"     // TCX or clsact
	OnlyRing Choice = "afpacket" // AF_PACKET
)

// ParseChoice reads a Choice as written on a command line.
func ParseChoice(s string) (Choice, error) {
	switch c := Choice(s); c {
	case Auto, OnlyBPF, OnlyRing:
		return c, nil
	default:
		return "", fmt.Errorf("no such way to capture: %q; there are auto, ebpf and afpacket", s)
	}
}

// Reasons why the kernel does not count the flows of an interface, to be
// matched with errors.Is, beside those of room ebpf.
var (
	ErrNeedsPackets = errors.New("this needs every packet, and so AF_PACKET")
	ErrCountedTwice = errors.New("frames would be counted twice")
)

// Used says how an interface is captured from, and why not by a better method.
type Used struct {
	Interface string
	Method    Method // "" while the interface does not exist
	Refused   error  // why the methods before it do not work here; nil for the best
}
