// Package capture brings packets in: from pcap and pcapng files, from standard
// input and, later, from live interfaces. It owns the container formats and
// nothing above them: a frame is bytes with a time, a length and a link type.
//
// It promises that hostile or damaged input ends in an error that names the
// file and the offset, after every packet before it has been delivered; it
// must not look into a frame.
package capture

import (
	"fmt"
)

// LinkType is a link-layer header type as registered at
// https://www.tcpdump.org/linktypes.html (LINKTYPE_ numbers).
type LinkType uint16

// Interface describes one capture interface of a Source.
type Interface struct {
	Name string   // as recorded in the file or known to the kernel; may be empty
	Link LinkType // link type of every packet from this interface
	Snap uint32   // snapshot length in bytes, 0 if unknown
}

// Packet is one captured frame. Data belongs to the Batch it came in and is
// valid until that Batch is read into again.
type Packet struct {
	Data   []byte   // link-layer bytes as captured
	Time   int64    // nanoseconds since the Unix epoch, as recorded
	Length int      // length in bytes on the wire, at least len(Data)
	Link   LinkType // link type of Data
	Iface  uint16   // index into Source.Interfaces
}

// Batch is a reusable run of packets with the memory that holds their bytes.
// The zero value is ready to use. A Batch has one owner at a time: the reader
// fills it, hands it on, and gets it back when nobody looks at it any more.
type Batch struct {
	Packets []Packet
	buf     []byte
}

// Source yields packets in the order in which they were recorded.
type Source interface {
	// Read replaces the contents of b by the next packets. Like io.Reader it
	// may return packets together with an error: use b.Packets first. It
	// returns io.EOF after the last packet, a *FormatError for damaged input.
	Read(b *Batch) error
	// Interfaces lists the interfaces seen so far. Packets refer to it by
	// index; entries are only ever appended.
	Interfaces() []Interface
	// Progress reports how many input bytes have been consumed and how many
	// there are in all, 0 if that is unknown (a pipe).
	Progress() (done, total int64)
	Close() error
}

// FormatError says where in which input a capture stopped making sense.
type FormatError struct {
	File   string // name as given by the user, "-" for standard input
	Offset int64  // bytes into the (uncompressed) input
	Err    error
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s: offset %d: %v", e.File, e.Offset, e.Err)
}

func (e *FormatError) Unwrap() error { return e.Err }
