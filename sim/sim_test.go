package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// quiet is a short everyday home.
func quiet() Config {
	cfg := DefaultConfig()
	cfg.Days, cfg.Attacks, cfg.LookAlikes = 2, false, false
	return cfg
}

func plannedHome(tb testing.TB, cfg Config) *Home {
	tb.Helper()
	h, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func TestSameSeedSameBytes(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Days, cfg.LearnDays = 14, 4
	files := func(cfg Config) map[string][32]byte {
		dir := t.TempDir()
		if err := plannedHome(t, cfg).WriteDir(dir, nil); err != nil {
			t.Fatal(err)
		}
		sums := make(map[string][32]byte)
		for _, name := range []string{CaptureFile, LabelsFile, RootsFile, ReadmeFile} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			sums[name] = sha256.Sum256(b)
		}
		return sums
	}
	first, again := files(cfg), files(cfg)
	cfg.Seed++
	other := files(cfg)
	for name, sum := range first {
		if again[name] != sum {
			t.Errorf("%s: the same seed gave other bytes", name)
		}
		if other[name] == sum {
			t.Errorf("%s: another seed gave the same bytes", name)
		}
	}
}

// An attack must change nothing but add its own traffic: the everyday traffic
// of other devices is the same with and without it.
func TestScenarioLeavesOthersAlone(t *testing.T) {
	cfg := quiet()
	cfg.Days, cfg.LearnDays = 4, 1
	phone := func(cfg Config) [32]byte {
		h := plannedHome(t, cfg)
		sum := sha256.New()
		mac := newWorldOf(t, h).devices[phoneName].mac
		err := h.Frames(func(f Frame) error {
			// Addresses and payload; the gateway's IPv4 identification counts everything.
			if bytes.Equal(f.Data[6:12], mac) && len(f.Data) > 34 {
				fmt.Fprintln(sum, f.Time.UnixNano(), f.Length)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return [32]byte(sum.Sum(nil))
	}
	without := phone(cfg)
	cfg.Attacks, cfg.Only = true, []string{"c2-literal"}
	if phone(cfg) != without {
		t.Error("an attack on another device changed the phone's traffic")
	}
}

func newWorldOf(tb testing.TB, h *Home) *world {
	tb.Helper()
	ca, err := newAuthority(h.cfg.Seed, h.cfg.Start)
	if err != nil {
		tb.Fatal(err)
	}
	return newWorld(h.cfg, h.plan, ca)
}

// Volume limits of the default month: it must stay quick to make, to store and
// to replay.
func TestDefaultMonth(t *testing.T) {
	if testing.Short() {
		t.Skip("plays a month")
	}
	cfg := DefaultConfig()
	h := plannedHome(t, cfg)
	end := cfg.Start.AddDate(0, 0, cfg.Days)
	var frames, size, wire int
	last := cfg.Start
	perDevice := make(map[string]int)
	err := h.Frames(func(f Frame) error {
		frames++
		size += 16 + len(f.Data)
		wire += f.Length
		if f.Time.Before(last) || !f.Time.Before(end) {
			return fmt.Errorf("frame %d at %s after one at %s", frames, f.Time, last)
		}
		if f.Length < len(f.Data) || f.Length > 65549 {
			return fmt.Errorf("frame %d: %d bytes captured of %d", frames, len(f.Data), f.Length)
		}
		last = f.Time
		perDevice[string(f.Data[6:12])]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if frames < 500_000 || frames > 1_050_000 || size > 250_000_000 {
		t.Errorf("%d frames in %d bytes, want 0.5 to 1.05 million in at most 250 MB", frames, size)
	}
	if got, want := len(perDevice), 12; got != want {
		t.Errorf("%d link addresses spoke, want %d: the gateway and 11 devices", got, want)
	}
	if end.Sub(last) > time.Hour {
		t.Errorf("last frame at %s, want it within an hour of %s", last, end)
	}
	t.Logf("%d frames, %d bytes of pcap, %d bytes on the wire", frames, size, wire)
}

// Every frame decodes to its end with an independent decoder, lengths and
// checksums of complete packets included.
func TestFramesDecode(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Days, cfg.LearnDays = 13, 1
	h := plannedHome(t, cfg)
	n := 0
	err := h.Frames(func(f Frame) error {
		n++
		p := gopacket.NewPacket(f.Data, layers.LayerTypeEthernet, gopacket.DecodeOptions{Lazy: false, NoCopy: true})
		if ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4); ok {
			if int(ip.Length)+14 != f.Length && f.Length > 60 {
				return fmt.Errorf("frame %d at %s: IP length %d in a frame of %d", n, f.Time, ip.Length, f.Length)
			}
			if ipChecksum(ip.Contents) != 0 {
				return fmt.Errorf("frame %d at %s: bad IP checksum", n, f.Time)
			}
		}
		if e := p.ErrorLayer(); e != nil && len(f.Data) == f.Length {
			// gopacket has no decoder for QUIC, NTP extensions and the like and
			// says so by a payload layer, not by an error.
			return fmt.Errorf("frame %d at %s: %w", n, f.Time, e.Error())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func ipChecksum(header []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(header); i += 2 {
		sum += uint32(header[i])<<8 | uint32(header[i+1])
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

func TestLabels(t *testing.T) {
	for seed := uint64(1); seed <= 40; seed++ {
		cfg := DefaultConfig()
		cfg.Seed = seed
		h := plannedHome(t, cfg)
		labels := h.Labels()
		if len(labels) != len(scenarios) {
			t.Fatalf("seed %d: %d labels of %d scenarios", seed, len(labels), len(scenarios))
		}
		from, until := cfg.Start.AddDate(0, 0, 20), cfg.Start.AddDate(0, 0, 30)
		ids := make(map[string]bool)
		for _, l := range labels {
			if ids[l.ID] {
				t.Errorf("seed %d: %s given twice", seed, l.ID)
			}
			ids[l.ID] = true
			if l.Start.Before(from) || !l.End.Before(until) || !l.Start.Before(l.End) {
				t.Errorf("seed %d: %s lasts from %s to %s, want it in the last third", seed, l.Scenario, l.Start, l.End)
			}
			if l.Expect != (l.Kind != "") {
				t.Errorf("seed %d: %s has kind %q and expect %v", seed, l.Scenario, l.Kind, l.Expect)
			}
			if l.Device != "" && (l.MAC == "" || l.IP == "") {
				t.Errorf("seed %d: %s has no addresses of %s", seed, l.Scenario, l.Device)
			}
			if l.Title == "" || strings.HasSuffix(l.Title, ".") {
				t.Errorf("seed %d: %s has title %q", seed, l.Scenario, l.Title)
			}
		}
	}
}

// Twelve days are enough for everything, whatever the seed.
func TestTwelveDaysAreEnough(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Days = 12
	for cfg.Seed = 1; cfg.Seed <= 200; cfg.Seed++ {
		if n := len(plannedHome(t, cfg).Labels()); n != len(scenarios) {
			t.Errorf("seed %d: %d labels, want %d", cfg.Seed, n, len(scenarios))
		}
	}
	// Frames checks by itself that every program keeps to the order of time.
	for cfg.Seed = 201; cfg.Seed <= 203; cfg.Seed++ {
		if err := plannedHome(t, cfg).Frames(func(Frame) error { return nil }); err != nil {
			t.Errorf("seed %d: %v", cfg.Seed, err)
		}
	}
}

// Attacks on one device must not run into each other, or a finding could not
// be told to which it belongs.
func TestAttacksAreApart(t *testing.T) {
	for seed := uint64(1); seed <= 40; seed++ {
		cfg := DefaultConfig()
		cfg.Seed = seed
		labels := plannedHome(t, cfg).Labels()
		for i, a := range labels {
			for _, b := range labels[i+1:] {
				same := a.Device == b.Device || a.Device == "" || b.Device == ""
				if same && a.Expect && b.Expect && b.Start.Sub(a.End) < apart {
					t.Errorf("seed %d: %s ends at %s, %s starts at %s", seed, a.Scenario, a.End, b.Scenario, b.Start)
				}
			}
		}
	}
}

func TestScenario(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Days = 3
	for _, name := range Scenarios() {
		t.Run(name, func(t *testing.T) {
			h, err := Scenario(name, cfg)
			if err != nil {
				t.Fatal(err)
			}
			labels := h.Labels()
			if len(labels) != 1 || labels[0].Scenario != name {
				t.Fatalf("labels %v", labels)
			}
			if labels[0].Start.Before(cfg.Start.AddDate(0, 0, 3)) {
				t.Errorf("starts at %s, during the 3 days of learning", labels[0].Start)
			}
		})
	}
	if _, err := Scenario("no-such", cfg); !errors.Is(err, ErrConfig) {
		t.Errorf("unknown scenario: %v", err)
	}
}

func TestValidate(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no days":            func(c *Config) { c.Days = 0 },
		"more than a year":   func(c *Config) { c.Days = 367 },
		"nothing but learn":  func(c *Config) { c.LearnDays = 30 },
		"negative learning":  func(c *Config) { c.LearnDays = -1 },
		"start at the epoch": func(c *Config) { c.Start = time.Unix(0, 0) },
		"start in year 2100": func(c *Config) { c.Start = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) },
		"zero time":          func(c *Config) { c.Start = time.Time{} },
		"unknown scenario":   func(c *Config) { c.Only = []string{"x"} },
		"no room":            func(c *Config) { c.Days = 2 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if _, err := New(cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: error %v, want ErrConfig", name, err)
		}
	}
	cfg := DefaultConfig()
	cfg.Start = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)
	if _, err := New(cfg); err != nil {
		t.Errorf("start in 1970: %v", err)
	}
}

func TestWriteTo(t *testing.T) {
	h := plannedHome(t, quiet())
	var b bytes.Buffer
	n, err := h.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("wrote %d bytes, reported %d: %v", b.Len(), n, err)
	}
	r, err := pcapgo.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	var played []Frame
	if err := h.Frames(func(f Frame) error { played = append(played, f); return nil }); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			if i != len(played) {
				t.Errorf("%d frames in the file, %d played", i, len(played))
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		f := played[i]
		if !info.Timestamp.Equal(f.Time) || info.Length != f.Length || !bytes.Equal(data, f.Data) {
			t.Fatalf("frame %d differs between file and play", i)
		}
	}
}

type fullDisk struct{ room int }

var errFull = errors.New("disk full")

func (d *fullDisk) Write(b []byte) (int, error) {
	if len(b) > d.room {
		return 0, errFull
	}
	d.room -= len(b)
	return len(b), nil
}

func TestWriteToFullDisk(t *testing.T) {
	if _, err := plannedHome(t, quiet()).WriteTo(&fullDisk{room: 1 << 20}); !errors.Is(err, errFull) {
		t.Errorf("error %v, want that of the disk", err)
	}
}

func TestWriteDir(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Days, cfg.LearnDays, cfg.Only = 5, 2, []string{"dga-burst", "photo-backup"}
	h := plannedHome(t, cfg)
	dir := filepath.Join(t.TempDir(), "new", "folder")
	var seen []int
	if err := h.WriteDir(dir, func(done, total int) {
		if total != 5*24 {
			t.Errorf("total of %d hours", total)
		}
		seen = append(seen, done)
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(seen) || len(seen) != 5*24 || seen[len(seen)-1] != 5*24 {
		t.Errorf("progress went %v", seen)
	}
	text, err := os.ReadFile(filepath.Join(dir, LabelsFile))
	if err != nil {
		t.Fatal(err)
	}
	var read []Label
	for line := range bytes.Lines(text) {
		var l Label
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		read = append(read, l)
	}
	if want := h.Labels(); !slices.EqualFunc(read, want, func(a, b Label) bool {
		return a.ID == b.ID && a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.IP == b.IP && a.Kind == b.Kind
	}) {
		t.Errorf("labels read back: %+v, want %+v", read, want)
	}
}

func BenchmarkMonth(b *testing.B) {
	h := plannedHome(b, DefaultConfig())
	b.ReportAllocs()
	for b.Loop() {
		frames, size := 0, 0
		if err := h.Frames(func(f Frame) error { frames++; size += len(f.Data) + 16; return nil }); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(frames), "frames")
		b.ReportMetric(float64(size)/1e6, "MB")
	}
}
