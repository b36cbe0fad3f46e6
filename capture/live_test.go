package capture

import (
	"errors"
	"net/netip"
	"runtime"
	"strings"
	"testing"
)

func TestLiveConfigValidate(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*LiveConfig)
		want  string // in the error; "" for none
	}{
		{"default", func(*LiveConfig) {}, ""},
		{"no interface", func(c *LiveConfig) { c.Interfaces = nil }, "no interface named"},
		{"longest name", func(c *LiveConfig) { c.Interfaces[1] = "abcdefghijklmno" }, ""},
		{"name too long", func(c *LiveConfig) { c.Interfaces[1] = "abcdefghijklmnop" }, `"abcdefghijklmnop" cannot be`},
		{"empty name", func(c *LiveConfig) { c.Interfaces[1] = "" }, `"" cannot be`},
		{"slash in a name", func(c *LiveConfig) { c.Interfaces[1] = "../lo" }, `"../lo" cannot be`},
		{"twice", func(c *LiveConfig) { c.Interfaces[1] = "eth0" }, "eth0 is named twice"},
		{"no workers", func(c *LiveConfig) { c.Workers = 0 }, "0 workers"},
		{"too many workers", func(c *LiveConfig) { c.Workers = 65 }, "65 workers"},
		{"smallest ring", func(c *LiveConfig) { c.RingBytes = 2 << 20 }, ""},
		{"ring too small", func(c *LiveConfig) { c.RingBytes = 2<<20 - 1 }, "ring of 2097151 bytes"},
		{"ring too large", func(c *LiveConfig) { c.RingBytes = 1<<30 + 1 }, "ring of 1073741825 bytes"},
		{"smallest snap length", func(c *LiveConfig) { c.SnapLen = 64 }, ""},
		{"snap length too small", func(c *LiveConfig) { c.SnapLen = 63 }, "snap length of 63 bytes"},
		{"negative snap length", func(c *LiveConfig) { c.SnapLen = -1 }, "snap length of -1 bytes"},
		{"snap length too large", func(c *LiveConfig) { c.SnapLen = 256<<10 + 1 }, "snap length of 262145 bytes"},
		{"endpoint without address", func(c *LiveConfig) { c.Exclude = make([]netip.AddrPort, 1) }, "has no address"},
		{"too many endpoints", func(c *LiveConfig) { c.Exclude = make([]netip.AddrPort, 65) }, "65 excluded endpoints"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := DefaultLiveConfig("eth0", "eth1")
			tt.spoil(&c)
			err := c.Validate()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
			if _, openErr := OpenLive(c); err != nil && openErr.Error() != err.Error() {
				t.Errorf("OpenLive: %v, want %v", openErr, err)
			}
		})
	}
}

func TestLiveElsewhere(t *testing.T) {
	if runtime.GOOS == "linux" {
		t.Skip("is about other systems")
	}
	if _, err := OpenLive(DefaultLiveConfig("eth0")); !errors.Is(err, ErrNotLinux) {
		t.Errorf("got %v, want ErrNotLinux", err)
	}
}

func TestLost(t *testing.T) {
	s := LiveStats{Seen: 100, Delivered: 90, RingFull: 1, Malformed: 2, Unread: 3, Freezes: 50}
	if got := s.Lost(); got != 6 {
		t.Errorf("%d lost, want 6", got)
	}
}
