//go:build !386 && !arm && !mips && !mipsle

package ebpf

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"time"
	"unsafe"
)

// headSize is the size of struct head_record before its data.
const headSize = int(unsafe.Offsetof(kernelHeadRecord{}.Data))

// SetDeadline ends a ReadHead at that time. The zero time means never.
func (c *Collector) SetDeadline(t time.Time) { c.ring.SetDeadline(t) }

// ReadHead waits for the next head and decodes it into h, whose Data is valid
// until the next call. Heads come in the order in which they were reserved in
// the ring; on different CPUs that may differ from their times by microseconds.
//
// The kernel wakes a waiting reader only when much is pending, so a deadline of
// 25 to 50 ms should be set: at it, all that is pending is returned first. The
// errors are os.ErrDeadlineExceeded and, after Close, fs.ErrClosed.
func (c *Collector) ReadHead(h *Head) error {
	for {
		if err := c.ring.ReadInto(&c.record); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.clock.read()
				return os.ErrDeadlineExceeded
			}
			if errors.Is(err, os.ErrClosed) {
				return fs.ErrClosed
			}
			return err
		}
		if c.decode(h, c.record.RawSample) {
			return nil
		}
	}
}

// decode reads a record. It is false if that is no head.
func (c *Collector) decode(h *Head, b []byte) bool {
	if len(b) < headSize {
		return false
	}
	ne := binary.NativeEndian
	var layout kernelHeadRecord
	class := Class(b[unsafe.Offsetof(layout.Class)])
	if class == classSweep {
		select {
		case c.early <- struct{}{}:
		default: // has been asked for
		}
		return false
	}
	n := int(ne.Uint16(b[unsafe.Offsetof(layout.Caplen):]))
	*h = Head{
		Time:     c.clock.unix(ne.Uint64(b[unsafe.Offsetof(layout.TimeNs):])),
		Ifindex:  ne.Uint32(b[unsafe.Offsetof(layout.Ifindex):]),
		Class:    class,
		Egress:   b[unsafe.Offsetof(layout.Egress)] != 0,
		Layer3:   b[unsafe.Offsetof(layout.Layer3)] != 0,
		Segments: int(ne.Uint16(b[unsafe.Offsetof(layout.Segments):])),
		Length:   int(ne.Uint32(b[unsafe.Offsetof(layout.Len):])),
		VLAN:     ne.Uint16(b[unsafe.Offsetof(layout.VlanTci):]),
		TPID:     ne.Uint16(b[unsafe.Offsetof(layout.VlanProto):]),
		Data:     b[headSize:min(headSize+n, len(b))],
	}
	return true
}
