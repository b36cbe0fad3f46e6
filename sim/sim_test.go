package sim

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"
)

func short(t testing.TB) Config {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Days = 2
	cfg.Attacks, cfg.LookAlikes = false, false
	return cfg
}

func TestSameSeedSameBytes(t *testing.T) {
	cfg := short(t)
	sum := func(cfg Config) [32]byte {
		h, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := h.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256(b.Bytes())
	}
	first := sum(cfg)
	if sum(cfg) != first {
		t.Error("the same seed gave other bytes")
	}
	cfg.Seed++
	if sum(cfg) == first {
		t.Error("another seed gave the same bytes")
	}
}

func BenchmarkMonth(b *testing.B) {
	h, err := New(DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		frames, size := 0, 0
		if err := h.Frames(func(f Frame) error { frames++; size += len(f.Data) + 16; return nil }); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(frames), "frames")
		b.ReportMetric(float64(size)/1e6, "MB")
	}
	_ = time.Now
}
