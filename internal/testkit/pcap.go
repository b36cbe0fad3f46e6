package testkit

import (
	"encoding/binary"
	"math"
	"os"
	"testing"
	"time"
)

// Frame is one captured frame for WritePcap.
type Frame struct {
	Time   int64  // nanoseconds since the Unix epoch, up to the year 2106
	Data   []byte // link-layer bytes
	Length int    // length in bytes on the wire; 0 means len(Data)
}

// WritePcap writes a classic capture file: little-endian, with nanoseconds, as
// tcpdump --nano writes it on most machines. linkType is a LINKTYPE_ number,
// 1 for Ethernet. The format is that of draft-ietf-opsawg-pcap.
func WritePcap(tb testing.TB, path string, linkType uint32, frames []Frame) {
	tb.Helper()
	const (
		magicNano = 0xa1b23c4d
		snapLen   = 262144 // tcpdump's default
	)
	le := binary.LittleEndian
	b := le.AppendUint32(nil, magicNano)
	b = le.AppendUint16(b, 2) // version 2.4
	b = le.AppendUint16(b, 4)
	b = le.AppendUint64(b, 0) // reserved
	b = le.AppendUint32(b, snapLen)
	b = le.AppendUint32(b, linkType)
	for i, f := range frames {
		sec := f.Time / int64(time.Second)
		if f.Time < 0 || sec > math.MaxUint32 {
			tb.Fatalf("write %s: frame %d: a pcap file cannot hold the time %d", path, i, f.Time)
		}
		b = le.AppendUint32(b, uint32(sec))
		b = le.AppendUint32(b, uint32(f.Time%int64(time.Second)))
		b = le.AppendUint32(b, uint32(len(f.Data)))
		b = le.AppendUint32(b, uint32(max(f.Length, len(f.Data))))
		b = append(b, f.Data...)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
}
