package sim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// Names of the files that WriteDir writes.
const (
	CaptureFile = "home.pcap"
	LabelsFile  = "labels.jsonl"
	RootsFile   = "roots.pem"
	ReadmeFile  = "README.txt"
)

// snapLength is what the capture file declares; most frames are complete.
const snapLength = 65535

var _ io.WriterTo = (*Home)(nil)

// WriteTo plays the simulation into a pcap file with nanosecond timestamps.
// It returns the number of bytes written.
func (h *Home) WriteTo(w io.Writer) (int64, error) {
	return h.writePcap(w, func(int) {})
}

func (h *Home) writePcap(w io.Writer, hour func(done int)) (int64, error) {
	count := &counter{w: w}
	buf := bufio.NewWriterSize(count, 1<<18)
	out := pcapgo.NewWriterNanos(buf)
	if err := out.WriteFileHeader(snapLength, layers.LinkTypeEthernet); err != nil {
		return count.n, fmt.Errorf("write pcap header: %w", err)
	}
	err := h.play(func(f Frame) error {
		return out.WritePacket(gopacket.CaptureInfo{
			Timestamp: f.Time, CaptureLength: len(f.Data), Length: f.Length,
		}, f.Data)
	}, hour)
	if err == nil {
		err = buf.Flush()
	}
	if count.err != nil { // pcapgo does not wrap what the writer said
		return count.n, fmt.Errorf("write pcap: %w", count.err)
	}
	return count.n, err
}

// counter counts what is written and keeps the first error.
type counter struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

// WriteDir writes the capture, its labels, the roots for its certificates and
// a short description into a directory, which it creates if need be. progress
// may be nil; it is told how many of all simulated hours are written.
func (h *Home) WriteDir(dir string, progress func(done, total int)) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create output directory: %w", err)
	}
	hour := func(int) {}
	if progress != nil {
		hour = func(done int) { progress(done, h.cfg.Days*24) }
	}
	file, err := os.Create(filepath.Join(dir, CaptureFile))
	if err != nil {
		return fmt.Errorf("create capture: %w", err)
	}
	if _, err := h.writePcap(file, hour); err != nil {
		_ = file.Close() // the first error is the one to report
		return err
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("close capture: %w", err)
	}
	labels, err := h.labelLines()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		LabelsFile: labels, RootsFile: h.roots, ReadmeFile: h.readme(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// labelLines is one JSON object per label and line.
func (h *Home) labelLines() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, l := range h.labels {
		if err := enc.Encode(l); err != nil {
			return nil, fmt.Errorf("write label %s: %w", l.ID, err)
		}
	}
	return b.Bytes(), nil
}

func (h *Home) readme() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `Simulated traffic of a home, seed %d, %d days from %s.

home.pcap     what crossed the LAN side of the home's gateway (nanosecond pcap,
              Ethernet). Bulk data is cut off behind its headers; large frames
              are TCP segments joined by receive offload.
labels.jsonl  what is in it beyond everyday life, one JSON object a line.
              "expect": true is an attack, to be reported as "kind" (or one of
              "also"); false looks like one and is innocent.
roots.pem     the authority that signed the servers' certificates.

Companies, sites and certificates are invented and the traffic was never sent
anywhere. Addresses on the internet are drawn at random from networks that
really exist, attackers' from those reserved for documentation (RFC 5737);
neither says anything about their holders.

`, h.cfg.Seed, h.cfg.Days, h.cfg.Start.Format("2006-01-02"))
	for _, l := range h.labels {
		mark := "innocent"
		if l.Expect {
			mark = l.Kind
		}
		fmt.Fprintf(&b, "%s  %s  %-20s %s\n", l.ID, l.Start.Format("2006-01-02 15:04"), mark, l.Title)
	}
	return b.Bytes()
}
