package capture

import (
	"bytes"
	"fmt"
)

// compressor is a compressed format that is recognised but not read.
type compressor struct {
	magic, name    string
	unpack, filter string // commands: for a file, between pipes
}

// findCompressor returns the compressor that head comes from, or nil. One
// layer of gzip has been taken off before.
func findCompressor(head []byte) *compressor {
	for _, c := range []compressor{
		{"\x1f\x8b", "gzip, twice", "gzip -d", "gzip -dc"},
		{"\x28\xb5\x2f\xfd", "zstd", "zstd -d", "zstd -dc"},
		{"\xfd7zXZ\x00", "xz", "xz -d", "xz -dc"},
		{"BZh", "bzip2", "bzip2 -d", "bzip2 -dc"},
		{"\x04\x22\x4d\x18", "lz4", "lz4 -d", "lz4 -dc"},
		{"PK\x03\x04", "zip", "unzip", "funzip"},
	} {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			return &c
		}
	}
	return nil
}

// error says how to get at the capture in file.
func (c *compressor) error(file string) error {
	if file == stdinName {
		return fmt.Errorf("%w (%s): pipe it through %s first", ErrCompressed, c.name, c.filter)
	}
	return fmt.Errorf("%w (%s): run %s %s first", ErrCompressed, c.name, c.unpack, shellQuote(file))
}

// notCapture says what the file is, if that is known and helps.
func notCapture(head []byte) error {
	for _, c := range []struct{ magic, name string }{
		{"snoop\x00\x00\x00", "a snoop capture"}, // RFC 1761
		{"GMBU", "a Microsoft Network Monitor capture"},
		{"RTSS", "a Microsoft Network Monitor capture"},
	} {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			return fmt.Errorf("%w but %s: convert it first with editcap -F pcap", ErrNotCapture, c.name)
		}
	}
	return ErrNotCapture
}
