package eve

import (
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"gatehouse/internal/testkit"
)

// field is one kind of value that Gatehouse and Wireshark both read.
type field int

const (
	dnsNames field = iota
	sniNames
	httpHosts
	tlsVersions
	numFields
)

func (f field) String() string {
	return [...]string{"DNS query names", "SNI", "HTTP hosts", "TLS versions"}[f]
}

// values are the sets of one capture.
type values [numFields]map[string]bool

func (v *values) add(f field, s string) {
	if v[f] == nil {
		v[f] = make(map[string]bool)
	}
	v[f][s] = true
}

// exception is a value that one side has for a good reason.
type exception struct {
	file  string
	field field
	value string // in normal form
	why   string
}

// tsharkAlone lists what tshark finds and we cannot or do not want to.
func tsharkAlone() []exception {
	return []exception{
		{"nDPI/capwap_data.pcapng", sniNames, "alt2-mtalk.google.com", "802.11 frames inside a CAPWAP tunnel, which is not opened"},
		{"nDPI/openvpn.pcap", tlsVersions, "TLSv1", "TLS inside the packets of OpenVPN over TCP"},
		{"nDPI/tls_invalid_reads.pcap", sniNames, "e.crashlytics.com", "a ClientHello whose extensions end in the middle is malformed"},
		{"nDPI/tls_invalid_reads.pcap", tlsVersions, "TLSv1", "the answer to a ClientHello without compression methods, which is malformed"},
	}
}

// oursAlone lists what we find and tshark does not, without being told how.
func oursAlone() []exception {
	return []exception{
		{"nDPI/http_on_sip_port.pcap", httpHosts, "45.58.148.2", "tshark takes port 5060 for SIP"},
		{"nDPI/rdp.pcap", sniNames, "192.168.2.142", "TLS after the negotiation of RDP, which tshark finds with -d tcp.port==3389,tls"},
		{"nDPI/rdp.pcap", tlsVersions, "TLS 1.2", "the same"},
		{"nDPI/rdp_over_tls.pcap", tlsVersions, "TLS 1.2", "the same"},
		{"nDPI/soap.pcap", httpHosts, "go.microsoft.com", "segments out of order, which tshark sorts with -o tcp.reassemble_out_of_order:TRUE"},
		{"nDPI/tls_missing_ch_frag.pcap", sniNames, "r1---sn-5f5nxgvh5o-hjul.googlevideo.com", "a ClientHello of which the second half was not captured"},
		{"nDPI/tls_port_80.pcapng", tlsVersions, "TLS 1.2", "tshark takes port 80 for HTTP"},
	}
}

// settle takes the exceptions of a file out of the values that only one side
// has, so that they count for neither. An exception that has become untrue is
// an error: the table must not hide the next one.
func settle(t *testing.T, table []exception, file string, alone, all *values) {
	t.Helper()
	for _, e := range table {
		if e.file != filepath.ToSlash(file) {
			continue
		}
		if !alone[e.field][e.value] {
			t.Errorf("%s: %v: %q is no exception any more (%s): remove it from the table", e.file, e.field, e.value, e.why)
		}
		delete(alone[e.field], e.value)
		delete(all[e.field], e.value)
	}
}

// TestAgreesWithWireshark holds the event log against Wireshark's dissectors
// over every capture of the corpus: of each kind of value, at least 99 % of
// what tshark finds in a file is in our log, and at least 99 % of what our log
// holds is found by tshark.
func TestAgreesWithWireshark(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tshark on some 400 captures, about a minute")
	}
	root := testkit.Corpus(t, "protocols")
	testkit.NeedTool(t, "tshark")
	files := captureFiles(t, root)
	if len(files) < 300 {
		t.Fatalf("%d captures below %s, expected some 400", len(files), root)
	}
	var mu sync.Mutex
	var theirs, ours, missed, invented [numFields]int
	t.Run("files", func(t *testing.T) {
		for _, name := range files {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				a, b := tsharkValues(t, filepath.Join(root, name)), logValues(t, filepath.Join(root, name))
				lost, extra := a.without(&b), b.without(&a)
				settle(t, tsharkAlone(), name, &lost, &a)
				settle(t, oursAlone(), name, &extra, &b)
				mu.Lock()
				defer mu.Unlock()
				for f := range numFields {
					theirs[f] += len(a[f])
					ours[f] += len(b[f])
					missed[f] += len(lost[f])
					invented[f] += len(extra[f])
					if len(lost[f])+len(extra[f]) > 0 {
						t.Logf("%v: tshark alone %q, Gatehouse alone %q",
							f, slices.Sorted(maps.Keys(lost[f])), slices.Sorted(maps.Keys(extra[f])))
					}
				}
			})
		}
	})
	for f := range numFields {
		t.Logf("%v: tshark %d, of which missed %d; Gatehouse %d, of which unconfirmed %d",
			f, theirs[f], missed[f], ours[f], invented[f])
		if theirs[f] == 0 || missed[f]*100 > theirs[f] {
			t.Errorf("%v: %d of tshark's %d values missed, at most 1 %% allowed", f, missed[f], theirs[f])
		}
		if invented[f]*100 > ours[f] {
			t.Errorf("%v: %d of our %d values not confirmed by tshark, at most 1 %% allowed", f, invented[f], ours[f])
		}
	}
}

// captureFiles lists the captures below root, relative to it.
func captureFiles(tb testing.TB, root string) []string {
	tb.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch filepath.Ext(path) {
		case ".pcap", ".pcapng", ".cap":
		default:
			return nil
		}
		if isLinkText(tb, path) {
			return nil
		}
		name, err := filepath.Rel(root, path)
		files = append(files, name)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

// isLinkText tells a file that is not a capture but, for want of symbolic
// links where the corpus was copied, the path of one.
func isLinkText(tb testing.TB, path string) bool {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, 3)
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == "../"
}

// without returns what is in v and not in w.
func (v *values) without(w *values) (out values) {
	for f := range numFields {
		for s := range v[f] {
			if !w[f][s] {
				out.add(f, s)
			}
		}
	}
	return out
}

// logValues reads the sets from our log.
func logValues(tb testing.TB, path string) values {
	tb.Helper()
	var v values
	events, err := eventsOf(tb, path)
	if err != nil {
		tb.Logf("read up to: %v", err)
	}
	for _, l := range linesOf(tb, logOf(tb, events)) {
		switch {
		case l.DNS != nil:
			if l.DNS.RRName != nil {
				v.add(dnsNames, normal(*l.DNS.RRName))
			}
			for _, q := range l.DNS.Queries {
				v.add(dnsNames, normal(q.RRName))
			}
		case l.TLS != nil:
			if l.TLS.SNI != "" {
				v.add(sniNames, normal(l.TLS.SNI))
			}
			if l.TLS.Version != "" && l.TLS.Version != undetermined {
				v.add(tlsVersions, l.TLS.Version)
			}
		case l.HTTP != nil:
			if l.HTTP.Hostname != "" {
				v.add(httpHosts, normal(l.HTTP.Hostname))
			}
		}
	}
	return v
}

// tsharkValues reads the sets with tshark.
func tsharkValues(tb testing.TB, path string) values {
	tb.Helper()
	const (
		protocols = "frame.protocols"
		dns       = "dns.qry.name"
		sni       = "tls.handshake.extensions_server_name"
		host      = "http.host"
		kind      = "tls.handshake.type"
		version   = "tls.handshake.version"
		supported = "tls.handshake.extensions.supported_version"
	)
	const filter = dns + " || " + sni + " || " + host + " || " + kind + " == 2"
	var v values
	for _, row := range testkit.TShark(tb, path, filter, protocols, dns, sni, host, kind, version, supported) {
		stack := strings.Split(row[protocols][0], ":")
		for _, name := range row[dns] {
			switch name {
			case "<Root>":
				name = ""
			case "<Unknown extended label>":
				continue // a remark, not a name
			}
			v.add(dnsNames, normal(octal.ReplaceAllString(name, "?")))
		}
		if !slices.Contains(stack, "tcp") {
			continue // QUIC, DTLS, SSDP: not what is compared
		}
		for _, name := range row[sni] {
			v.add(sniNames, normal(name))
		}
		for _, name := range row[host] {
			name, _ := splitHost(name)
			v.add(httpHosts, normal(name))
		}
		if slices.Contains(row[kind], "2") && !slices.Contains(row[kind], "1") {
			chosen := row[supported]
			if len(chosen) == 0 {
				chosen = row[version]
			}
			for _, text := range chosen {
				n, err := strconv.ParseUint(text, 0, 16)
				if err != nil {
					tb.Fatalf("tshark: %s %q: %v", version, text, err)
				}
				v.add(tlsVersions, versionName(uint16(n)))
			}
		}
	}
	return v
}

// normal brings a name into one form. Both sides escape what is not printable,
// each in its own way, and lossy ones: whatever needed it becomes one "?".
func normal(s string) string {
	s, _, _ = strings.Cut(s, "\x00") // tshark's C strings end there
	s = escapes.ReplaceAllStringFunc(s, func(e string) string {
		n, err := strconv.ParseUint(e[1:], 10, 8)
		if err != nil {
			return "?"
		}
		return string([]byte{byte(n)})
	})
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r == '\\' || r < ' ' || r == 0x7f {
			return '?'
		}
		return unicode.ToLower(r)
	}, s)
	return runs.ReplaceAllString(s, "?")
}

var (
	escapes = regexp.MustCompile(`\\[0-9]{3}`)
	octal   = regexp.MustCompile(`\\([0-7]{3}|[abfnrtv])`) // tshark's
	runs    = regexp.MustCompile(`\?+`)
)
