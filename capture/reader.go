package capture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/klauspost/compress/gzip" // 1.5 times as fast as compress/gzip on captures
)

// format parses one container format.
type format interface {
	// parse appends the packets of the complete records at the start of data
	// to pkts, without copying their bytes. n is the length of those records;
	// what follows is the beginning of a record, or damage if err is not nil.
	parse(data []byte, pkts []Packet) (out []Packet, n int, err error)
	// incomplete says what is missing of a record of which rest is the
	// beginning.
	incomplete(rest []byte) error
}

// reader is the Source of one input.
type reader struct {
	in     *input
	bytes  io.Reader // in, decompressed
	gzip   bool
	block  int    // bytes to read at a time
	format format // nil until the first bytes have been read
	table  interfaceTable
	carry  []byte // input that was read but not used yet
	offset int64  // of carry in the uncompressed input
	err    error  // what every further Read returns
	closed atomic.Bool
}

var _ Source = (*reader)(nil)

// newReader returns a reader of in. It reads nothing yet.
func newReader(in *input, block int) *reader {
	return &reader{in: in, bytes: in, block: block}
}

// Read implements Source. Packets and errors come in different calls.
func (r *reader) Read(b *Batch) error {
	b.reset(max(r.block, 2*len(r.carry)))
	if r.closed.Load() {
		return fs.ErrClosed
	}
	if r.err == nil && r.format == nil {
		r.err = r.start()
	}
	if r.err != nil {
		return r.err
	}
	data := append(b.buf, r.carry...)
	for {
		n, readErr := fill(r.bytes, data[len(data):cap(data)], r.in.regular)
		data = data[:len(data)+n]
		pkts, used, err := r.format.parse(data, b.Packets)
		rest := data[used:]
		r.offset += int64(used)
		switch {
		case err != nil:
			r.err = r.damage(0, err)
		case readErr != nil:
			r.err = r.end(rest, readErr)
		}
		b.Packets = pkts
		if len(pkts) > 0 {
			r.carry = append(r.carry[:0], rest...)
			return nil
		}
		if r.err != nil {
			return r.err
		}
		// Nothing but skipped blocks and the beginning of a record. Its length
		// is bounded by the format, and so is this growth.
		if len(rest) == cap(data) {
			b.buf = make([]byte, 0, 2*cap(data))
		}
		data = append(b.buf, rest...)
	}
}

// start reads the first bytes of the input and finds out what it is.
func (r *reader) start() error {
	head := make([]byte, pcapHeaderLen)
	n, err := fill(r.bytes, head, true)
	if isGzip(head[:n]) {
		r.gzip = true
		packed := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(head[:n]), r.in), gzipBuffer)
		head = make([]byte, pcapHeaderLen)
		var unpacked *gzip.Reader
		if unpacked, err = gzip.NewReader(packed); err != nil {
			return r.readError(0, err)
		}
		r.bytes = unpacked
		n, err = fill(unpacked, head, true)
	}
	if err != nil && err != io.EOF {
		return r.readError(n, err)
	}
	head = head[:n]
	if err := r.detect(head); err != nil {
		return r.damage(0, err)
	}
	return nil
}

// gzipBuffer is how many compressed bytes are read at a time.
const gzipBuffer = 64 << 10

func isGzip(head []byte) bool { return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) }

// detect sets the format by the first bytes of the input: pcapHeaderLen of
// them, or all there are.
func (r *reader) detect(head []byte) error {
	if len(head) == 0 {
		return ErrEmpty
	}
	if c := findCompressor(head); c != nil {
		return c.error(r.in.name)
	}
	section := len(head) >= blockFrameLen && binary.LittleEndian.Uint32(head) == blockSection
	switch {
	case !section && !isPcap(head):
		return notCapture(head)
	case len(head) < pcapHeaderLen:
		return fmt.Errorf("%w: %d bytes of a file header", ErrTruncated, len(head))
	case section:
		f := &pcapngFormat{table: &r.table}
		if err := f.startSection(head); err != nil {
			return err
		}
		r.format, r.carry = f, head
	default:
		f := &pcapFormat{table: &r.table}
		if err := f.header(head); err != nil {
			return err
		}
		r.format, r.offset = f, pcapHeaderLen
	}
	return nil
}

// damage places err in the input, delta bytes after r.offset.
func (r *reader) damage(delta int, err error) error {
	return &FormatError{File: r.in.name, Offset: r.offset + int64(delta), Err: err}
}

// end says what it means that err followed on rest, which holds no complete
// record.
func (r *reader) end(rest []byte, err error) error {
	switch {
	case err != io.EOF:
		return r.readError(len(rest), err)
	case len(rest) > 0 || r.midBlock():
		return r.damage(0, r.format.incomplete(rest))
	default:
		return io.EOF
	}
}

// midBlock reports whether the input is inside a block that is being skipped.
func (r *reader) midBlock() bool {
	f, ok := r.format.(*pcapngFormat)
	return ok && f.skipLen != 0
}

// readError tells an input that cannot be read from one that cannot be
// unpacked; err came after delta bytes from r.offset.
func (r *reader) readError(delta int, err error) error {
	if r.closed.Load() {
		return fs.ErrClosed
	}
	switch {
	case r.in.err != nil:
		return fmt.Errorf("read capture %s: %w", r.in.name, r.in.err)
	case !r.gzip:
		return fmt.Errorf("read capture %s: %w", r.in.name, err)
	case errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF:
		return r.damage(delta, fmt.Errorf("%w: gzip data ends early", ErrTruncated))
	default:
		return r.damage(delta, fmt.Errorf("%w: gzip data is corrupt: %w", ErrDamaged, err))
	}
}

// Light reports whether Read does little more than copy bytes. Handing on what
// it gave to another goroutine, and so perhaps from the cache of one processor
// to that of another, then takes longer than reading.
func (r *reader) Light() bool { return !r.gzip }

// Interfaces implements Source.
func (r *reader) Interfaces() []Interface { return r.table.snapshot() }

// Progress implements Source.
func (r *reader) Progress() (done, total int64) { return r.in.done.Load(), r.in.size }

// Close implements Source. It ends a Read that waits for a named pipe.
func (r *reader) Close() error {
	if r.closed.Swap(true) {
		return nil
	}
	return r.in.close()
}
