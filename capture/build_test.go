package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// byteOrder both encodes and appends.
type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// pcapBuilder writes pcap files of any kind, right or wrong, field by field.
type pcapBuilder struct {
	order byteOrder
	buf   []byte
}

func newPcap(order byteOrder, magic uint32, major, minor uint16, snap, link uint32) *pcapBuilder {
	b := &pcapBuilder{order: order}
	b.buf = order.AppendUint32(b.buf, magic)
	b.buf = order.AppendUint16(b.buf, major)
	b.buf = order.AppendUint16(b.buf, minor)
	b.buf = order.AppendUint32(b.buf, 0) // time zone
	b.buf = order.AppendUint32(b.buf, 0) // accuracy
	b.buf = order.AppendUint32(b.buf, snap)
	b.buf = order.AppendUint32(b.buf, link)
	return b
}

// record appends a record header and data; captured and original are written
// as they are given.
func (b *pcapBuilder) record(sec, frac, captured, original uint32, data []byte) *pcapBuilder {
	for _, v := range []uint32{sec, frac, captured, original} {
		b.buf = b.order.AppendUint32(b.buf, v)
	}
	b.buf = append(b.buf, data...)
	return b
}

// packets appends one whole packet per time; its data is the time in seconds
// and then zeros.
func (b *pcapBuilder) packets(size int, times ...uint32) *pcapBuilder {
	for _, sec := range times {
		data := make([]byte, size)
		binary.BigEndian.PutUint32(data, sec)
		b.record(sec, 0, uint32(size), uint32(size), data)
	}
	return b
}

// microPcap starts the most common kind of file.
func microPcap() *pcapBuilder {
	return newPcap(binary.LittleEndian, magicMicros, 2, 4, 65535, 1)
}

// ngBuilder writes pcapng blocks.
type ngBuilder struct {
	order byteOrder
	buf   []byte
}

func newPcapng(order byteOrder) *ngBuilder {
	b := &ngBuilder{order: order}
	return b.section(order, 1, 0)
}

// block appends a block with any body; the body is padded to 4 bytes.
func (b *ngBuilder) block(blockType uint32, body []byte) *ngBuilder {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	total := uint32(len(body) + 12)
	b.buf = b.order.AppendUint32(b.buf, blockType)
	b.buf = b.order.AppendUint32(b.buf, total)
	b.buf = append(b.buf, body...)
	b.buf = b.order.AppendUint32(b.buf, total)
	return b
}

func (b *ngBuilder) section(order byteOrder, major, minor uint16) *ngBuilder {
	b.order = order
	body := order.AppendUint32(nil, byteOrderMagic)
	body = order.AppendUint16(body, major)
	body = order.AppendUint16(body, minor)
	body = order.AppendUint64(body, 1<<64-1) // section length unknown
	return b.block(blockSection, body)
}

// iface appends an interface description block.
func (b *ngBuilder) iface(link uint16, snap uint32, options ...[]byte) *ngBuilder {
	body := b.order.AppendUint16(nil, link)
	body = b.order.AppendUint16(body, 0)
	body = b.order.AppendUint32(body, snap)
	return b.block(blockInterface, append(body, bytes.Join(options, nil)...))
}

func (b *ngBuilder) option(code uint16, value []byte) []byte {
	o := b.order.AppendUint16(nil, code)
	o = b.order.AppendUint16(o, uint16(len(value)))
	o = append(o, value...)
	for len(o)%4 != 0 {
		o = append(o, 0)
	}
	return o
}

// enhanced appends an enhanced packet block.
func (b *ngBuilder) enhanced(iface uint32, ts uint64, captured, original uint32, data []byte) *ngBuilder {
	var body []byte
	for _, v := range []uint32{iface, uint32(ts >> 32), uint32(ts), captured, original} {
		body = b.order.AppendUint32(body, v)
	}
	return b.block(blockEnhanced, append(body, data...))
}

func (b *ngBuilder) simple(original uint32, data []byte) *ngBuilder {
	return b.block(blockSimple, append(b.order.AppendUint32(nil, original), data...))
}

// obsolete appends a packet block of the kind that came before the enhanced.
func (b *ngBuilder) obsolete(iface uint16, ts uint64, captured, original uint32, data []byte) *ngBuilder {
	body := b.order.AppendUint16(nil, iface)
	body = b.order.AppendUint16(body, 7) // drops
	for _, v := range []uint32{uint32(ts >> 32), uint32(ts), captured, original} {
		body = b.order.AppendUint32(body, v)
	}
	return b.block(blockPacket, append(body, data...))
}

// gzipped returns data as one gzip member.
func gzipped(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// writeFile stores data in a temporary folder and returns its path.
func writeFile(tb testing.TB, name string, data []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// openBytes opens data as standard input, in small blocks, so that records
// cross the borders of blocks.
func openBytes(tb testing.TB, data []byte) Source {
	tb.Helper()
	src, err := Open([]string{"-"}, WithStdin(bytes.NewReader(data)), WithBlockSize(4096))
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	tb.Cleanup(func() { src.Close() })
	return src
}

// readAll copies every packet out of src. The error is nil at a clean end.
func readAll(tb testing.TB, src Source) ([]Packet, error) {
	tb.Helper()
	var all []Packet
	var batch Batch
	for {
		err := src.Read(&batch)
		if err == nil && len(batch.Packets) == 0 {
			tb.Fatal("Read returned neither packets nor an error")
		}
		for _, p := range batch.Packets {
			if p.Length < len(p.Data) {
				tb.Fatalf("packet with %d bytes of a length of %d", len(p.Data), p.Length)
			}
			if p.Time < 0 {
				tb.Fatalf("packet before 1970: %d", p.Time)
			}
			if int(p.Iface) >= len(src.Interfaces()) {
				tb.Fatalf("packet on interface %d of %d", p.Iface, len(src.Interfaces()))
			}
			p.Data = bytes.Clone(p.Data)
			all = append(all, p)
		}
		if err == nil {
			continue
		}
		if again := src.Read(&batch); again != err {
			tb.Fatalf("Read after the error %v: %v", err, again)
		}
		if err == io.EOF {
			return all, nil
		}
		return all, err
	}
}
