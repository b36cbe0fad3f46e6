package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/testkit"
)

// TestJA4 compares with the fingerprints that FoxIO publishes for its own
// captures. One row is one hello over TCP.
func TestJA4(t *testing.T) {
	list, err := os.Open(testkit.Corpus(t, "protocols", "ja4-expected.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	type row struct{ Pcap, Src, SrcPort, Dst, DstPort, SNI, JA4 string }
	want := map[string][]row{}
	for dec := json.NewDecoder(list); ; {
		var r row
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(r.JA4, "t") { // the others are QUIC
			want[r.Pcap] = append(want[r.Pcap], r)
		}
	}
	if len(want) == 0 {
		t.Fatal("no row to compare with")
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		var got []row
		list, _ := listen(t, testkit.Corpus(t, "protocols", "ja4", name))
		for _, h := range list {
			if m, ok := h.msg.(*ClientHello); ok && m.Protocol() == "tls" {
				got = append(got, row{
					name, h.src, strconv.Itoa(int(h.srcPort)), h.dst, strconv.Itoa(int(h.dstPort)), m.SNI, m.JA4,
				})
			}
		}
		for _, r := range want[name] {
			if !slices.Contains(got, r) {
				t.Errorf("%s: no hello like %+v", name, r)
			}
		}
		if len(got) != len(want[name]) {
			t.Errorf("%s: got %d hellos, want %d", name, len(got), len(want[name]))
		}
	}
}

// TestExpiredOnTheWire judges the two chains of a capture from 2014, one of
// which had expired nine days before.
func TestExpiredOnTheWire(t *testing.T) {
	roots, err := DefaultRoots()
	if err != nil {
		t.Fatal(err)
	}
	list, _ := listen(t, testkit.Corpus(t, "attacks", "tls-expired-cert.trace"))
	got := map[string]string{}
	for _, h := range list {
		if m, ok := h.msg.(*Certificate); ok {
			v := VerifyChain(m.Raw, roots, "", h.at)
			name, _, _ := strings.Cut(m.Subject, ",")
			got[name] = fmt.Sprintf("%s %d", v.Status, v.ExpiredBy.Round(24*time.Hour)/(24*time.Hour))
		}
	}
	// Both are signed with SHA-1, which is no longer verified: hence the
	// authority of the second is unknown.
	want := map[string]string{"CN=www.spidh.org": "expired 9", "CN=www.tobu-estate.com": "unknown_authority 0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts differ (-want +got):\n%s", diff)
	}
}

// facts are sets of what a capture says, by kind.
type facts map[string]map[string]int

func (f facts) add(kind, value string) {
	if f[kind] == nil {
		f[kind] = map[string]int{}
	}
	f[kind][value]++
}

func factsOf(list []heard) facts {
	f := facts{}
	for _, h := range list {
		switch m := h.msg.(type) {
		case *DNS:
			for _, q := range m.Questions {
				f.add("dns name", q.Name)
			}
		case *ClientHello:
			if m.Proto != "" {
				break // eve compares QUIC and DTLS
			}
			if m.SNI != "" {
				f.add("sni", m.SNI)
			}
			if m.JA3 != "" {
				f.add("ja3", m.JA3)
			}
		case *ServerHello:
			if m.Proto != "" {
				break
			}
			f.add("tls version", hex16(m.Version))
			f.add("tls cipher", hex16(m.Cipher))
		case *HTTPRequest:
			f.add("http method", m.Method)
			if m.Host != "" && !m.Truncated {
				f.add("http host", m.Host)
			}
			if m.UserAgent != "" && !m.Truncated {
				f.add("user agent", m.UserAgent)
			}
		case *HTTPResponse:
			f.add("http status", strconv.Itoa(m.Status))
		}
	}
	return f
}

func hex16(v uint16) string { return fmt.Sprintf("0x%04x", v) }

// Fields of tshark that are compared, by kind of fact, and those of which
// facts about a ServerHello are put together.
var tsharkFields = map[string]string{
	"dns.qry.name":                         "dns name",
	"tls.handshake.extensions_server_name": "sni",
	"tls.handshake.ja3":                    "ja3",
	"http.host":                            "http host",
	"http.request.method":                  "http method",
	"http.user_agent":                      "user agent",
	"http.response.code":                   "http status",
}

const (
	fieldType      = "tls.handshake.type"
	fieldVersion   = "tls.handshake.version"
	fieldSupported = "tls.handshake.extensions.supported_version"
	fieldCipher    = "tls.handshake.ciphersuite"
)

// tsharkFacts is what tshark says about a capture.
func tsharkFacts(tb testing.TB, path string) facts {
	tb.Helper()
	fields := append(slices.Sorted(maps.Keys(tsharkFields)), fieldType, fieldVersion, fieldSupported, fieldCipher)
	f := facts{}
	for _, row := range testkit.TShark(tb, path, "(dns or mdns or llmnr or tls or http) and not quic and not dtls", fields...) {
		for field, kind := range tsharkFields {
			for _, v := range row[field] {
				f.add(kind, strings.Replace(v, "<Root>", "", 1))
			}
		}
		if !slices.Contains(row[fieldType], "2") || slices.Contains(row[fieldType], "1") {
			continue
		}
		version := row[fieldVersion]
		if v := row[fieldSupported]; len(v) > 0 {
			version = v
		}
		if len(version) > 0 && len(row[fieldCipher]) > 0 {
			f.add("tls version", version[0])
			f.add("tls cipher", row[fieldCipher][0])
		}
	}
	return f
}

// notCompared are captures on which this harness and tshark differ by design.
var notCompared = map[string]string{
	"fuzz-2006-06-26-2594.pcap":         "damaged messages of which tshark shows the readable part",
	"fuzz-2006-09-29-28586.pcap":        "damaged messages of which tshark shows the readable part",
	"tls_invalid_reads.pcap":            "a hello whose extensions overrun it",
	"ossfuzz_seed_fake_traces_1.pcapng": "a hello with a stray byte behind its extensions",
	"capwap_data.pcapng":                "gopacket does not decode CAPWAP",
	"shadowsocks.pcap":                  "HTTP within SOCKS",
	"openvpn.pcap":                      "TLS within OpenVPN",
	"nomachine.pcapng":                  "TLS after a greeting in clear",
	"imap-starttls.pcap":                "TLS after a greeting in clear",
	"pop3_stls.pcap":                    "TLS after a greeting in clear",
	"mail_receiver_server_3.pcapng":     "TLS after a greeting in clear",
	"mysql.pcapng":                      "TLS after a greeting in clear",
}

// TestAgainstTShark: everything that tshark names in the corpus is found by
// the parsers. The other way round, tshark reassembles less: what it leaves
// out may be no more than 2 % of a kind.
func TestAgainstTShark(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tshark on 400 captures, which takes a minute: leave out -short")
	}
	var files []string
	for _, pattern := range []string{"*/*.pcap", "*/*.pcapng", "*/*.cap"} {
		list, err := filepath.Glob(testkit.Corpus(t, "protocols", pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, list...)
	}
	total, extra := map[string]int{}, map[string][]string{}
	for _, path := range files {
		name := filepath.Base(path)
		if notCompared[name] != "" || !maybeOurs(t, path) {
			continue
		}
		list, ok := listen(t, path)
		if !ok {
			continue
		}
		got, want := factsOf(list), tsharkFacts(t, path)
		for kind := range want {
			for v := range want[kind] {
				total[kind]++
				if got[kind][v] == 0 && alike(v) {
					t.Errorf("%s: %s %q not found", name, kind, v)
				}
			}
		}
		for kind := range got {
			for v := range got[kind] {
				if want[kind][v] == 0 && alike(v) {
					extra[kind] = append(extra[kind], fmt.Sprintf("%s: %s %q", name, kind, v))
				}
			}
		}
	}
	if len(total) != len(tsharkFields)+2 {
		t.Errorf("compared only %v", total)
	}
	for kind, list := range extra {
		if 50*len(list) > total[kind] && len(list) > 5 {
			t.Errorf("%d of %d found by us alone:\n%s", len(list), total[kind], strings.Join(list, "\n"))
		}
	}
	t.Logf("compared %v", total)
}

// maybeOurs looks for the marks of TLS, HTTP and the DNS ports in a file, to
// spare tshark the captures of other protocols.
func maybeOurs(tb testing.TB, path string) bool {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	for _, mark := range []string{"HTTP/1.", "\x16\x03", "\x00\x35", "\x14\xe9", "\x14\xeb"} {
		if bytes.Contains(b, []byte(mark)) {
			return true
		}
	}
	return false
}

// alike tells values that both sides write alike: we escape what is not
// printable ASCII.
func alike(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' })
}
