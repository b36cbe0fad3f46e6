package detect

import (
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/capture"
	"gatehouse/flow"
	"gatehouse/internal/testkit"
	"gatehouse/wire"
)

func TestRegisteredDomain(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"cdn.example.com", "example.com"},
		{"a.b.c.example.co.uk", "example.co.uk"},
		{"example.co.uk", "example.co.uk"},
		{"CDN.Example.COM.", "example.com"},
		// Private suffixes: the operator registered the name, not the tenant.
		{"camera.duckdns.org", "duckdns.org"},
		{"d111111abcdef8.cloudfront.net", "cloudfront.net"},
		{"bucket.s3.eu-west-1.amazonaws.com", "amazonaws.com"},
		{"someone.github.io", "github.io"},
		// Suffixes themselves, single labels, names that nobody manages.
		{"co.uk", "co.uk"},
		{"com", "com"},
		{"github.io", "github.io"},
		{"printer", "printer"},
		{"printer.lan", "printer.lan"},
		{"a.printer.lan", "printer.lan"},
		// Internationalised, as in the wire format.
		{"www.xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"www.xn--55qx5d.cn", "www.xn--55qx5d.cn"}, // xn--55qx5d.cn is a suffix
		// Addresses.
		{"192.0.2.7", "192.0.2.7"},
		{"2001:db8::1", "2001:db8::1"},
		// Nonsense.
		{"", ""},
		{".", ""},
		{"..", "."},
		{`a\046b.example.com`, "example.com"},
		{strings.Repeat("a.", 126) + "com", "a.com"},
		{strings.Repeat("x", 10000) + ".com", strings.Repeat("x", 10000) + ".com"},
	} {
		if got := RegisteredDomain(tt.name); got != tt.want {
			t.Errorf("RegisteredDomain(%.60q) = %.60q, want %.60q", tt.name, got, tt.want)
		}
	}
}

func FuzzRegisteredDomain(f *testing.F) {
	for _, s := range []string{"a.b.co.uk", "..", "x.github.io", "1.2.3.4", "\x00.\xff.ck", "www.ck", "*.ck"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := RegisteredDomain(name)
		if want := strings.ToLower(strings.TrimSuffix(name, ".")); !strings.HasSuffix(want, got) {
			t.Fatalf("RegisteredDomain(%q) = %q, not the end of it", name, got)
		}
		looksGenerated(got)
		if h := hostname(name); len(h) > maxHostname || strings.ContainsAny(h, " \x1b<>\"'&\n") {
			t.Fatalf("hostname(%q) = %q", name, h)
		}
	})
}

func TestNetwork(t *testing.T) {
	for _, tt := range []struct{ addr, want string }{
		{"203.0.113.9", "203.0.113.0/24"},
		{"::ffff:203.0.113.9", "203.0.113.0/24"},
		{"2001:db8:1:2::3", "2001:db8:1::/48"},
		{"fe80::1%eth0", "fe80::/48"},
	} {
		if got := Network(netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("Network(%s) = %s, want %s", tt.addr, got, tt.want)
		}
	}
}

func TestHostname(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"Cloud.Example.COM.", "cloud.example.com"},
		{"_dmarc.example-1.com", "_dmarc.example-1.com"},
		{"192.0.2.7", ""},
		{"example.7", "example.7"},
		{"[2001:db8::1]", ""},
		{"2001:db8::1", ""},
		{"", ""},
		{".", ""},
		{".example.com", ""},
		{"a b", ""},
		{"a\x1b[31m", ""},
		{"<script>", ""},
		{"bücher.example", ""},
		{strings.Repeat("a", 254), ""},
	} {
		if got := hostname(tt.in); got != tt.want {
			t.Errorf("hostname(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestLooksGenerated(t *testing.T) {
	for _, domain := range []string{"xlgqdrecipes.com", "jpvwns8sso.sbs", "bbvgsuhzfzunfubsvi.xyz", "a1b2c3d4e5.net", "kq3v9z1x7p.top"} {
		if !looksGenerated(domain) {
			t.Errorf("%s passes for a name that a person chose", domain)
		}
	}
	for _, domain := range []string{"example.com", "cloudfront.net", "googleapis.com", "bbc.co.uk", "xn--bcher-kva.example", "3com.com", "1and1.com", "nytimes.com", "dbankcdn.com", "simplednscrypt.org", "", "192.0.2.7"} {
		if looksGenerated(domain) {
			t.Errorf("%s looks generated", domain)
		}
	}
}

// How many names of 12 random letters, as many generators make them, are
// recognised; looksGenerated quotes it.
func TestLooksGeneratedCatches(t *testing.T) {
	caught := 0
	const names = 2000
	for n := range names {
		if looksGenerated(noise(n, 12, "abcdefghijklmnopqrstuvwxyz") + ".com") {
			caught++
		}
	}
	t.Logf("%d of %d random names of 12 letters look generated", caught, names)
	if caught < names*45/100 {
		t.Errorf("%d of %d random names are recognised, want at least 45 %%", caught, names)
	}
}

// The mark counts as one that 1 % of benign names carry.
func TestLooksGeneratedOnCorpus(t *testing.T) {
	domains := map[string]bool{}
	for _, folder := range []string{"iot-week", "iot-setup", "protocols"} {
		err := filepath.WalkDir(testkit.Corpus(t, folder), func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasPrefix(filepath.Ext(path), ".pcap") {
				collectDomains(t, path, domains)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	generated := 0
	for d := range domains {
		if looksGenerated(d) {
			generated++
			t.Log(d)
		}
	}
	t.Logf("%d of %d registered domains look generated", generated, len(domains))
	if len(domains) < 150 || generated*100 > len(domains) {
		t.Errorf("%d of %d registered domains look generated, want at most 1 %% of at least 150", generated, len(domains))
	}
}

func collectDomains(t *testing.T, path string, domains map[string]bool) {
	t.Helper()
	src, err := capture.Open([]string{path})
	if err != nil {
		return // not every file is of a link type that is read
	}
	defer src.Close()
	note := func(name string) {
		if name = hostname(name); onInternet(name) && strings.Contains(name, ".") {
			domains[RegisteredDomain(name)] = true
		}
	}
	shard := flow.NewShard(flow.DefaultConfig(), wire.Table())
	var b capture.Batch
	now, seq := int64(0), uint64(0)
	for err == nil {
		err = src.Read(&b)
		for i := range b.Packets {
			seq++
			now = max(now, b.Packets[i].Time)
			shard.Packet(&b.Packets[i], now, seq)
		}
		for _, ev := range shard.Events() {
			for _, m := range ev.Messages {
				switch m := m.(type) {
				case *wire.DNS:
					if m.Proto == "dns" && len(m.Questions) > 0 && len(m.Answers) > 0 { // what exists
						note(m.Questions[0].Name)
					}
				case *wire.ClientHello:
					note(m.SNI)
				}
			}
		}
		shard.Reset()
	}
	var damage *capture.FormatError
	if !errors.Is(err, io.EOF) && !errors.As(err, &damage) {
		t.Errorf("read %s: %v", path, err)
	}
}
