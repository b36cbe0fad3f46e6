package notify

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/packets"
)

// readOnly is a connection with something to read.
type readOnly struct {
	net.Conn
	io.Reader
}

func (r readOnly) Read(p []byte) (int, error) { return r.Reader.Read(p) }

func TestBoundedPackets(t *testing.T) {
	pingresp, publish := []byte{0xd0, 0}, append([]byte{0x30, 0x85, 0x01, 0, 1, 'a', 0}, bytes.Repeat([]byte("x"), 129)...) // 4+129 = 133 = 0x85 0x01
	for _, tc := range []struct {
		name string
		in   []byte
		want int // packets
		bad  bool
	}{
		{"one after the other", slicesOf(pingresp, publish, pingresp, publish), 4, false},
		{"as long as allowed", append([]byte{0x30, 0xc8, 0x01, 0, 1, 'a', 0}, make([]byte, 196)...), 1, false}, // 200
		{"a byte longer", append([]byte{0x30, 0xc9, 0x01, 0, 1, 'a', 0}, make([]byte, 197)...), 0, true},
		{"the longest there is", slicesOf(pingresp, []byte{0x30, 0xff, 0xff, 0xff, 0x7f}), 1, true},
		{"a length of five bytes", []byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x7f}, 0, true},
		{"nothing", nil, 0, false},
	} {
		for _, r := range []io.Reader{bytes.NewReader(tc.in), oneByte{bytes.NewReader(tc.in)}} {
			c := &boundedPackets{Conn: readOnly{Reader: r}, limit: 200}
			n := 0
			var err error
			for {
				if _, err = packets.ReadPacket(c); err != nil {
					break
				}
				n++
			}
			if n != tc.want || (err != io.EOF) != tc.bad || tc.bad && !strings.Contains(err.Error(), "more than 200") {
				t.Errorf("%s: %d packets, %v", tc.name, n, err)
			}
		}
	}
}

func slicesOf(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// oneByte reads one byte at a time.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1)]) }

// FuzzBoundedPackets: what passes is what was sent, and no packet in it is
// longer than allowed.
func FuzzBoundedPackets(f *testing.F) {
	f.Add([]byte{0x20, 3, 0, 0, 0})
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3})
	f.Add([]byte{0xd0, 0, 0xd0, 0, 0x40, 2, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		c := &boundedPackets{Conn: readOnly{Reader: bytes.NewReader(in)}, limit: 100}
		out, _ := io.ReadAll(c) // the error is the end that is looked for
		if !bytes.HasPrefix(in, out) {
			t.Fatalf("%x becomes %x", in, out)
		}
		if len(out) == len(in) {
			return
		}
		// A length is what encoding/binary calls a uvarint.
		for rest := in; len(rest) > 1; {
			length, n := binary.Uvarint(rest[1:])
			if n <= 0 || n > 4 || length > 100 {
				return // that is why
			}
			rest = rest[min(len(rest), 1+n+int(length)):]
		}
		t.Fatalf("%x ends after %d bytes for no reason", in, len(out))
	})
}
