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

// compared is one kind of value that Gatehouse and Wireshark both read. One
// run of tshark per capture serves all kinds.
type compared struct {
	name   string   // "SNI"
	filter string   // display filter of the packets that have it
	fields []string // of tshark, besides frame.protocols
	// theirs gives the values of one row of tshark to add, in normal form.
	theirs func(row map[string][]string, add func(string))
	// ours gives those of a line of the log.
	ours func(l *line, add func(string))
}

// comparedKinds lists what is compared. A family of protocols adds its own
// list, from a file of its own.
func comparedKinds() []compared {
	return slices.Concat(webKinds(), secureKinds(), industrialKinds(), serviceKinds())
}

// values are the sets of one capture, by kind.
type values map[string]map[string]bool

func (v values) add(kind, s string) {
	if v[kind] == nil {
		v[kind] = make(map[string]bool)
	}
	v[kind][s] = true
}

// exception is a value that one side has for a good reason.
type exception struct {
	file  string
	kind  string // name of a compared
	value string // in normal form
	why   string
}

// anyValue in an exception stands for all values of its kind in the file.
const anyValue = "*"

// tsharkAlone lists what tshark finds and we cannot or do not want to.
func tsharkAlone() []exception {
	return []exception{
		{"nDPI/fuzz-2006-06-26-2594.pcap", "NBNS transactions", anyValue, "names and types that were damaged, so that they are none of NetBIOS"},
		{"nDPI/capwap.pcap", "NDP targets", "fe80::fd:7a4c:8d72:7710", "within a CAPWAP tunnel, which is not opened"},
		{"nDPI/capwap.pcap", "IGMP groups", "224.0.0.251", "the same"},
		{"nDPI/capwap_data.pcapng", "SNI", "alt2-mtalk.google.com", "802.11 frames inside a CAPWAP tunnel, which is not opened"},
		{"nDPI/openvpn.pcap", "TLS versions", "TLSv1", "TLS inside the packets of OpenVPN over TCP"},
	}
}

// oursAlone lists what we find and tshark does not, without being told how.
func oursAlone() []exception {
	return []exception{
		{"ICS-Security-Tools/EIP-ControlProtocolChangeAttempt.pcap", "CIP services", anyValue, "tshark joins this connection, which was captured from its middle on, at the wrong place"},
		{"ICS-Security-Tools/EIP-ControlProtocolChangeAttempt.pcap", "CIP classes", anyValue, "the same"},
		{"ICS-Security-Tools/EIP-ControlProtocolChangeAttempt.pcap", "CIP instances", anyValue, "the same"},
		{"ICS-Security-Tools/EIP-ControlProtocolChangeAttempt.pcap", "CIP status", anyValue, "the same"},
		{"ICS-Security-Tools/EIP-ControlProtocolChangeAttempt.pcap", "EtherNet/IP sessions", anyValue, "the same"},
		{"ICS-Security-Tools/dnp3_read_p20001.pcap", "DNP3 functions", anyValue, "tshark takes port 20000 alone for DNP3"},
		{"ICS-Security-Tools/dnp3_read_p20001.pcap", "DNP3 sources", anyValue, "the same"},
		{"ICS-Security-Tools/dnp3_read_p20001.pcap", "DNP3 destinations", anyValue, "the same"},
		{"ICS-Security-Tools/mms-cancelRequest.pcap", "MMS invoke identifiers", "1", "that of a cancel request, which has another name in tshark"},
		{"ja4/https-connect.pcap", "HTTP hosts", "ts01-b.cloudsink.net", "the target of a CONNECT without a Host field"},
		{"ja4/socks4-https.pcap", "TLS versions", "TLS 1.2", "behind a SOCKS proxy on port 9901, which tshark does not look for"},
		{"nDPI/custom_categories.pcapng", "SSH identifications", "ssh-1.5-1.2.26", "SSH on port 20868, which tshark does not look for"},
		{"nDPI/http_on_sip_port.pcap", "HTTP hosts", "45.58.148.2", "tshark takes port 5060 for SIP"},
		{"nDPI/rdp.pcap", "SNI", "192.168.2.142", "TLS after the negotiation of RDP, which tshark finds with -d tcp.port==3389,tls"},
		{"nDPI/rdp.pcap", "TLS versions", "TLS 1.2", "the same"},
		{"nDPI/rdp_over_tls.pcap", "TLS versions", "TLS 1.2", "the same"},
		{"nDPI/soap.pcap", "HTTP hosts", "go.microsoft.com", "segments out of order, which tshark sorts with -o tcp.reassemble_out_of_order:TRUE"},
		{"nDPI/tls_missing_ch_frag.pcap", "SNI", "r1---sn-5f5nxgvh5o-hjul.googlevideo.com", "a ClientHello of which the second half was not captured"},
		{"nDPI/tls_port_80.pcapng", "TLS versions", "TLS 1.2", "tshark takes port 80 for HTTP"},
	}
}

// settle takes the exceptions of a file out of the values that only one side
// has, so that they count for neither. An exception that has become untrue is
// an error: the table must not hide the next one.
func settle(t *testing.T, table []exception, file string, alone, all values) {
	t.Helper()
	for _, e := range table {
		if e.file != filepath.ToSlash(file) {
			continue
		}
		if e.value == anyValue && len(alone[e.kind]) > 0 {
			for v := range alone[e.kind] {
				delete(all[e.kind], v)
			}
			delete(alone, e.kind)
			continue
		}
		if !alone[e.kind][e.value] {
			t.Errorf("%s: %v: %q is no exception any more (%s): remove it from the table", e.file, e.kind, e.value, e.why)
		}
		delete(alone[e.kind], e.value)
		delete(all[e.kind], e.value)
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
	kinds := comparedKinds()
	type count struct{ theirs, ours, missed, invented int }
	counts := make(map[string]*count, len(kinds))
	for _, k := range kinds {
		counts[k.name] = new(count)
	}
	t.Run("files", func(t *testing.T) {
		for _, name := range files {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				a, b := tsharkValues(t, kinds, filepath.Join(root, name)), logValues(t, kinds, filepath.Join(root, name))
				lost, extra := a.without(b), b.without(a)
				theirs, ours := serviceExceptions()
				settle(t, slices.Concat(tsharkAlone(), theirs), name, lost, a)
				settle(t, slices.Concat(oursAlone(), ours), name, extra, b)
				mu.Lock()
				defer mu.Unlock()
				for kind, c := range counts {
					c.theirs += len(a[kind])
					c.ours += len(b[kind])
					c.missed += len(lost[kind])
					c.invented += len(extra[kind])
					if len(lost[kind])+len(extra[kind]) > 0 {
						t.Logf("%v: tshark alone %q, Gatehouse alone %q",
							kind, slices.Sorted(maps.Keys(lost[kind])), slices.Sorted(maps.Keys(extra[kind])))
					}
				}
			})
		}
	})
	for _, k := range kinds {
		c := counts[k.name]
		t.Logf("%s: tshark %d, of which missed %d; Gatehouse %d, of which unconfirmed %d",
			k.name, c.theirs, c.missed, c.ours, c.invented)
		if c.theirs == 0 || c.missed*100 > c.theirs {
			t.Errorf("%s: %d of tshark's %d values missed, at most 1 %% allowed", k.name, c.missed, c.theirs)
		}
		if c.invented*100 > c.ours {
			t.Errorf("%s: %d of our %d values not confirmed by tshark, at most 1 %% allowed", k.name, c.invented, c.ours)
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
func (v values) without(w values) values {
	out := make(values)
	for kind := range v {
		for s := range v[kind] {
			if !w[kind][s] {
				out.add(kind, s)
			}
		}
	}
	return out
}

// logValues reads the sets from our log.
func logValues(tb testing.TB, kinds []compared, path string) values {
	tb.Helper()
	v := make(values)
	events, err := eventsOf(tb, path)
	if err != nil {
		tb.Logf("read up to: %v", err)
	}
	lines := linesOf(tb, logOf(tb, events))
	for _, k := range kinds {
		for i := range lines {
			k.ours(&lines[i], func(s string) { v.add(k.name, s) })
		}
	}
	return v
}

// tsharkValues reads the sets with tshark.
func tsharkValues(tb testing.TB, kinds []compared, path string) values {
	tb.Helper()
	fields := []string{protocolsField}
	var filters []string
	for _, k := range kinds {
		for _, f := range k.fields {
			if !slices.Contains(fields, f) {
				fields = append(fields, f)
			}
		}
		filters = append(filters, "("+k.filter+")")
	}
	v := make(values)
	for _, row := range testkit.TShark(tb, path, strings.Join(filters, " || "), fields...) {
		for _, k := range kinds {
			k.theirs(row, func(s string) { v.add(k.name, s) })
		}
	}
	return v
}

const protocolsField = "frame.protocols"

// over reports whether a row of tshark is of a packet with this layer.
func over(row map[string][]string, layer string) bool {
	return len(row[protocolsField]) > 0 && slices.Contains(strings.Split(row[protocolsField][0], ":"), layer)
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
