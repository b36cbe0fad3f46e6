// Package capture brings packets in: from pcap and pcapng files, from standard
// input and from live interfaces. It owns the container formats, the kernel's
// rings and the packet filter, and nothing above them: a frame is bytes with a
// time, a length and a link type.
//
// It promises that hostile or damaged input ends in an error that names the
// file and the offset, after every packet before it has been delivered, and
// that a live interface is never held up: what is not read in time is dropped
// and counted. It must not look into a frame; a filter is a program for the
// kernel.
package capture

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
	Time   int64    // nanoseconds since the Unix epoch, as recorded, within [0, 1<<63-1]
	Length int      // length in bytes on the wire, at least len(Data)
	Link   LinkType // link type of Data
	Iface  uint16   // index into Source.Interfaces

	// VLAN and TPID are the outermost VLAN tag of a live frame, which Linux
	// takes off before anyone sees it: tag control information (id in the
	// lower 12 bits) and EtherType (0x8100, 0x88a8). TPID is 0 if none was
	// taken off; Data may hold tags, or further ones, all the same. Length does
	// not count the tag that was taken off.
	VLAN, TPID uint16
}

// Batch is a reusable run of packets with the memory that holds their bytes.
// The zero value is ready to use. A Batch has one owner at a time: the reader
// fills it, hands it on, and gets it back when nobody looks at it any more.
//
// A Source fills a Batch in one of three ways. A source that gets many frames
// in one contiguous read (a file) reads into buf and lets each Data point into
// it, without a copy. A source whose frames come from several inputs empties
// the Batch with reset and copies each frame with add until that reports
// false. A source whose frames lie in memory that it must give back (a kernel
// ring) lends one block of it to the Batch, and each Data points into that;
// the block goes back when the Batch is read into again, from whatever source,
// or released.
type Batch struct {
	Packets []Packet
	// Heads says that the IP packets among Packets are counted by the kernel and
	// come with Deltas, in this Batch or a later one: only their content is
	// news. Other frames (ARP, LLDP) are not in any Delta.
	Heads bool
	// Deltas is what the kernel counted up to the end of Packets. Only a source
	// that lets the kernel count has any.
	Deltas []Delta
	// Now is set by live sources: everything captured before this time
	// (nanoseconds since the Unix epoch, by the clock that stamps packets) has
	// been delivered, with this batch or before it. It lets timeouts run while
	// no packet comes. Files leave it 0.
	Now   int64
	buf   []byte
	owner lender // of the memory that Data points into, nil if that is buf
	block int
}

// lender owns memory that a Batch may point into for a while.
type lender interface{ giveBack(block int) }

// Release empties b and gives back what it holds of a live source's memory.
// Reading into b does so too; Release is for a Batch that will not be read
// into again. A block that is never given back is lost to its ring.
func (b *Batch) Release() {
	b.Packets = b.Packets[:0]
	b.Heads, b.Deltas = false, b.Deltas[:0]
	b.Now = 0
	if b.owner != nil {
		b.owner.giveBack(b.block)
		b.owner = nil
	}
}

// reset empties b and makes room for size bytes of frames. Memory that b
// already has is kept, so a warm Batch does not allocate.
func (b *Batch) reset(size int) {
	b.Release()
	if cap(b.buf) < size {
		b.buf = make([]byte, 0, size)
	}
	b.buf = b.buf[:0]
}

// add appends a copy of p. It reports false, and does nothing, when the bytes
// of p do not fit any more; growing would move the frames already in b.
func (b *Batch) add(p *Packet) bool {
	if cap(b.buf)-len(b.buf) < len(p.Data) {
		return false
	}
	start := len(b.buf)
	b.buf = append(b.buf, p.Data...)
	b.Packets = append(b.Packets, *p)
	b.Packets[len(b.Packets)-1].Data = b.buf[start:len(b.buf):len(b.buf)]
	return true
}

// Source yields packets in the order in which they were recorded. Read has
// one caller at a time; the other methods may be called beside it.
type Source interface {
	// Read replaces the contents of b by the next packets. Like io.Reader it
	// may return packets together with an error: use b.Packets first. It
	// returns io.EOF after the last packet, a *FormatError for damaged input.
	// After an error, every further Read returns that error. A live source
	// that has nothing to deliver returns no packets and no error after at
	// most 250 ms, with b.Now set; a file never does.
	Read(b *Batch) error
	// Interfaces lists the interfaces seen so far. Packets refer to it by
	// index; entries are only ever appended. Do not modify the result.
	Interfaces() []Interface
	// Progress reports how many input bytes have been consumed and how many
	// there are in all, 0 if that is unknown (a pipe). Bytes are those of the
	// file, before decompression, or those that crossed the interfaces.
	Progress() (done, total int64)
	// Close releases the input and ends a Read that waits. A Read after it
	// returns fs.ErrClosed. What a Batch holds stays valid.
	Close() error
}
