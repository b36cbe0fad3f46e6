package eval

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatehouse/capture"
	"gatehouse/internal/testkit"
)

// load reads a capture into memory. Every capture that is spliced is Ethernet.
func load(tb testing.TB, path string) []testkit.Frame {
	tb.Helper()
	src, err := capture.Open([]string{path})
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := src.Close(); err != nil {
			tb.Error(err)
		}
	}()
	var frames []testkit.Frame
	var b capture.Batch
	for {
		err := src.Read(&b)
		for i := range b.Packets {
			p := &b.Packets[i]
			if p.Link != ethernet {
				tb.Fatalf("%s: link type %d is not Ethernet", path, p.Link)
			}
			frames = append(frames, testkit.Frame{Time: p.Time, Data: slices.Clone(p.Data), Length: p.Length})
		}
		if errors.Is(err, io.EOF) {
			return frames
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// ethernet is LINKTYPE_ETHERNET.
const ethernet = 1

// listing returns the files of a folder, in the order of their names.
func listing(tb testing.TB, dir string) []string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, filepath.Join(dir, e.Name()))
	}
	return out
}

// shift moves frames in time without touching the originals.
func shift(frames []testkit.Frame, by time.Duration) []testkit.Frame {
	out := slices.Clone(frames)
	for i := range out {
		out[i].Time += int64(by)
	}
	return out
}

// tracks is a capture.Source that plays several runs of frames, each in time
// order, as one capture.
type tracks struct {
	runs   [][]testkit.Frame
	closed bool
}

var _ capture.Source = (*tracks)(nil)

// play returns a source of the frames of all runs.
func play(runs ...[]testkit.Frame) *tracks { return &tracks{runs: slices.Clone(runs)} }

// batchSize is how many frames tracks delivers at a time.
const batchSize = 2048

// Read implements capture.Source.
func (s *tracks) Read(b *capture.Batch) error {
	b.Packets = b.Packets[:0]
	if s.closed {
		return fs.ErrClosed
	}
	for len(b.Packets) < batchSize {
		first := -1
		for i, r := range s.runs {
			if len(r) > 0 && (first < 0 || r[0].Time < s.runs[first][0].Time) {
				first = i
			}
		}
		if first < 0 {
			return io.EOF
		}
		f := s.runs[first][0]
		s.runs[first] = s.runs[first][1:]
		b.Packets = append(b.Packets, capture.Packet{
			Data: f.Data, Time: f.Time, Length: max(f.Length, len(f.Data)), Link: ethernet,
		})
	}
	return nil
}

// Interfaces implements capture.Source.
func (*tracks) Interfaces() []capture.Interface {
	return []capture.Interface{{Name: "eval", Link: ethernet}}
}

// Progress implements capture.Source.
func (*tracks) Progress() (done, total int64) { return 0, 0 }

// Close implements capture.Source.
func (s *tracks) Close() error {
	s.closed = true
	return nil
}
