package capture

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestOpenErrors(t *testing.T) {
	tests := []struct {
		name string
		data string
		want error
		says string // what the message must contain
	}{
		{"empty", "", ErrEmpty, ": offset 0: file is empty"},
		{"three bytes", "\xd4\xc3\xb2", ErrNotCapture, ""},
		{"file header cut off", string(microPcap().buf[:23]), ErrTruncated, "23 bytes of a file header"},
		{"section header cut off", string(newPcapng(le).buf[:23]), ErrTruncated, "23 bytes of a file header"},
		{"text", "tcpdump: listening on eth0", ErrNotCapture, "not a pcap or pcapng capture"},
		{"pcap version 1.0", string(newPcap(le, magicMicros, 1, 0, 0, 0).buf), ErrVersion, "pcap 1.0"},
		{"pcapng version 2.0", string((&ngBuilder{}).section(be, 2, 0).buf), ErrVersion, "pcapng 2.0"},
		{"snoop", "snoop\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x04", ErrNotCapture, "editcap -F pcap"},
		{"zstd", "\x28\xb5\x2f\xfd\x04\x00", ErrCompressed, "zstd -d FILE"},
		{"xz", "\xfd7zXZ\x00\x00\x04", ErrCompressed, "xz -d FILE"},
		{"bzip2", "BZh91AY&SY", ErrCompressed, "bzip2 -d FILE"},
		{"lz4", "\x04\x22\x4d\x18\x64", ErrCompressed, "lz4 -d FILE"},
		{"zip", "PK\x03\x04\x14\x00", ErrCompressed, "unzip FILE"},
		{"gzip twice", string(gzipped(t, gzipped(t, microPcap().buf))), ErrCompressed, "gzip -d FILE"},
		{"gzip of nothing", string(gzipped(t, nil)), ErrEmpty, "file is empty"},
		{"gzip of text", string(gzipped(t, []byte("hello"))), ErrNotCapture, "not a pcap"},
		{"gzip header damaged", "\x1f\x8b\x63\x00\x00\x00\x00\x00\x00\x00", ErrDamaged, "gzip data is corrupt"},
		{"gzip header cut off", "\x1f\x8b\x08\x00", ErrTruncated, "gzip data ends early"},
		{"gzip cut off in the file header", string(gzipped(t, microPcap().buf)[:20]), ErrTruncated, "gzip data ends early"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, "FILE", []byte(tt.data))
			_, err := Open([]string{path})
			var format *FormatError
			if !errors.As(err, &format) || !errors.Is(err, tt.want) {
				t.Fatalf("file: error %v, want a FormatError with %v", err, tt.want)
			}
			if format.File != path {
				t.Errorf("error is about %q, want %q", format.File, path)
			}
			message := strings.ReplaceAll(err.Error(), path, "FILE")
			if !strings.Contains(message, tt.says) || strings.Contains(message, "\n") {
				t.Errorf("message %q, want one line with %q", message, tt.says)
			}

			// A pipe gives the same, but not before it is read.
			src, err := Open([]string{"-"}, WithStdin(strings.NewReader(tt.data)))
			if err != nil {
				t.Fatalf("open pipe: %v", err)
			}
			if _, err := readAll(t, src); !errors.Is(err, tt.want) || !strings.HasPrefix(err.Error(), "-: offset") {
				t.Errorf("pipe: error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestOpenFileErrors(t *testing.T) {
	dir := t.TempDir()
	good := writeFile(t, "good.pcap", microPcap().buf)
	bad := writeFile(t, "bad.pcap", []byte("nonsense"))
	missing := filepath.Join(dir, "missing.pcap")

	tests := []struct {
		name  string
		files []string
		want  []error
		says  []string
	}{
		{"none", nil, nil, []string{"no file named"}},
		{"missing", []string{missing}, []error{fs.ErrNotExist}, []string{missing}},
		{"directory", []string{dir}, []error{syscall.EISDIR}, []string{dir, "name the files in it"}},
		{"standard input twice", []string{"-", good, "-"}, nil, []string{"standard input"}},
		{"every bad one of several", []string{good, missing, bad, dir}, []error{fs.ErrNotExist, ErrNotCapture, syscall.EISDIR}, []string{missing, bad, dir}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src, err := Open(tt.files)
			if err == nil {
				src.Close()
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !errors.Is(err, want) {
					t.Errorf("error %v, want %v", err, want)
				}
			}
			for _, says := range tt.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("message %q lacks %q", err, says)
				}
			}
		})
	}
}

func TestShellQuote(t *testing.T) {
	for name, want := range map[string]string{
		"/var/a-b_c.pcap.zst": "/var/a-b_c.pcap.zst",
		"my capture.zst":      "'my capture.zst'",
		"it's; rm -r .zst":    `'it'\''s; rm -r .zst'`,
	} {
		if got := shellQuote(name); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", name, got, want)
		}
	}
}

func TestGzip(t *testing.T) {
	plain := microPcap().packets(600, 1, 2, 3, 4, 5, 6, 7, 8, 9).buf
	want, err := readAll(t, openBytes(t, plain))
	if err != nil {
		t.Fatal(err)
	}
	members := append(gzipped(t, plain[:2000]), gzipped(t, plain[2000:])...)
	wrongSum := gzipped(t, plain)
	wrongSum[len(wrongSum)-8] ^= 1 // CRC-32, then length
	tests := []struct {
		name string
		data []byte
		want error
	}{
		{"one member", gzipped(t, plain), nil},
		{"two members, parted inside a packet", members, nil},
		{"wrong checksum", wrongSum, ErrDamaged},
		{"checksum cut off", wrongSum[:len(wrongSum)-8], ErrTruncated},
		{"rubbish behind", append(gzipped(t, plain), "rubbish behind"...), ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readAll(t, openBytes(t, tt.data))
			checkDamage(t, err, tt.want, int64(len(plain)))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("packets (-want +got):\n%s", diff)
			}
		})
	}
}

// given a pipe whose writer sends one packet and then thinks
// when the source is read
// then the packet comes at once, not when a block is full
func TestLivePipe(t *testing.T) {
	pr, pw := io.Pipe()
	src, err := Open([]string{"-"}, WithStdin(pr))
	if err != nil {
		t.Fatal(err)
	}
	file := microPcap().packets(60, 1, 2).buf
	parts := [][]byte{file[:24+76], file[24+76 : 24+76+20], file[24+76+20:]}
	sent := make(chan error, 1)
	next := make(chan struct{})
	go func() {
		defer pw.Close()
		if _, err := pw.Write(parts[0]); err != nil {
			sent <- err
			return
		}
		<-next
		for _, p := range parts[1:] {
			if _, err := pw.Write(p); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	var b Batch
	if err := src.Read(&b); err != nil || len(b.Packets) != 1 {
		t.Fatalf("first packet: %d packets, %v", len(b.Packets), err)
	}
	close(next)
	if err := src.Read(&b); err != nil || len(b.Packets) != 1 {
		t.Fatalf("second packet: %d packets, %v", len(b.Packets), err)
	}
	if err := src.Read(&b); err != io.EOF {
		t.Fatalf("end: %v", err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

func TestOddReaders(t *testing.T) {
	file := microPcap().packets(5000, 1, 2, 3).buf
	want, err := readAll(t, openBytes(t, file))
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("disk on fire")
	tests := []struct {
		name string
		r    io.Reader
		want error
	}{
		{"a byte at a time", iotest.OneByteReader(bytes.NewReader(file)), nil},
		{"end of file together with data", iotest.DataErrReader(bytes.NewReader(file)), nil},
		{"an error at the end", io.MultiReader(bytes.NewReader(file), iotest.ErrReader(broken)), broken},
		{"an error at the end of gzip data", io.MultiReader(bytes.NewReader(gzipped(t, file)), iotest.ErrReader(broken)), broken},
		{"a reader that never returns anything", io.MultiReader(bytes.NewReader(file), idleReader{}), io.ErrNoProgress},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src, err := Open([]string{"-"}, WithStdin(tt.r))
			if err != nil {
				t.Fatal(err)
			}
			got, err := readAll(t, src)
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("packets (-want +got):\n%s", diff)
			}
		})
	}
}

type idleReader struct{}

func (idleReader) Read([]byte) (int, error) { return 0, nil }

func TestProgressAndClose(t *testing.T) {
	plain := microPcap().packets(600, 1, 2, 3).buf
	packed := gzipped(t, plain)
	path := writeFile(t, "a.pcap.gz", packed)
	src, err := Open([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(t, src); err != nil {
		t.Fatal(err)
	}
	size := int64(len(packed))
	if done, total := src.Progress(); done != size || total != size {
		t.Errorf("progress %d of %d, want %d of %d", done, total, size, size)
	}
	for range 2 {
		if err := src.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := src.Read(new(Batch)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read after close: %v, want fs.ErrClosed", err)
	}
}

// given two batches that are filled in turn
// when the second is read into
// then the packets of the first stay as they were
func TestBatchesAreIndependent(t *testing.T) {
	file := microPcap()
	for sec := range uint32(200) {
		file.packets(100, sec)
	}
	names := []string{writeFile(t, "a", file.buf), writeFile(t, "b", file.buf)}
	for n := 1; n <= len(names); n++ {
		src, err := Open(names[:n], WithBlockSize(4096))
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		check := func(b *Batch) {
			for _, p := range b.Packets {
				if sec := int64(be.Uint32(p.Data)); sec != p.Time/1e9 || cap(p.Data) != len(p.Data) {
					t.Fatalf("%d files: packet of second %d has the bytes of second %d", n, p.Time/1e9, sec)
				}
			}
		}
		var a, b Batch
		last, total := &a, 0
		for next := &b; ; last, next = next, last {
			if err := src.Read(next); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			total += len(next.Packets)
			check(last)
			check(next)
		}
		if total != n*200 {
			t.Errorf("%d files: %d packets, want %d", n, total, n*200)
		}
	}
}
