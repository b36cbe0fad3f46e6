package wire

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/internal/testkit"
)

// tcpSeeds are the beginnings of connections of every kind that is read.
func tcpSeeds() [][]byte {
	query := join(dnsHead(1, 0, 1, 0, 0, 0), questionA)
	return [][]byte{
		minimalHello,
		join(22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3, make([]byte, 32), 0, 0, 0x2f, 0),         // server hello
		join(22, 3, 3, 0, 17, 11, 0, 0, 13, 0, 0, 10, 0, 0, 7, 0x30, 5, 0x30, 3, 2, 1, 5), // certificate
		join(21, 3, 3, 0, 2, 2, 40), // alert
		join(0x80, 31, 1, 3, 1, 0, 6, 0, 0, 0, 16, 0, 0, 4, 1, 0, 0x80, make([]byte, 16)), // SSL 2.0
		join(0, len(query), query), // DNS
		[]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"),
		[]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
		[]byte("CONNECT a:443 HTTP/1.1\r\n\r\n"),
		[]byte("SSH-2.0-OpenSSH_9.6\r\n"),
		mbap(join(3, 0, 100, 0, 2)), // Modbus
		cotpCR,
		[]byte("h000 0 HTTP/1.0\n"), // also the length and the numbers of a frame of IEC 104
	}
}

// corpusPayloads adds to the seeds the payloads of a few real and hostile
// captures, where the corpus is present.
func corpusPayloads(f *testing.F, add func(p transport)) {
	f.Helper()
	if os.Getenv("GATEHOUSE_CORPUS") == "" {
		return
	}
	const perFile, largest = 20, 64 << 10
	for _, pattern := range []string{"protocols/*/*dns*", "protocols/*/*tls*", "protocols/*/*http*", "protocols/*/*dhcp*", "protocols/ICS-Security-Tools/*", "hostile/*"} {
		files, err := filepath.Glob(testkit.Corpus(f, filepath.FromSlash(pattern)))
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || info.IsDir() || info.Size() > largest {
				continue
			}
			n := 0
			readCapture(f, path, func(p transport) {
				if n++; n <= perFile && len(p.payload) > 0 {
					add(p)
				}
			})
		}
	}
}

func FuzzDNS(f *testing.F) {
	f.Add(join(dnsHead(1, 0, 1, 0, 0, 0), questionA))
	f.Add(join(dnsHead(0x81, 0x80, 1, 1, 0, 1), questionA, pointer12, 0, 16, 0, 1, ttl60, 0, 3, 2, "hi", 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0))
	f.Add(join(dnsHead(0x81, 0x80, 1, 1, 0, 0), questionA, pointer12, 0, 33, 0, 1, ttl60, 0, 8, 0, 0, 0, 0, 0, 1, pointer12))
	corpusPayloads(f, func(p transport) {
		if p.udp {
			f.Add(p.payload)
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		recognised := sniffDNSDatagram(b)
		for _, parse := range []func([]byte) (Message, error){new(dnsParser).dns, new(dnsParser).mdns, new(dnsParser).llmnr} {
			m, err := parse(b)
			checkError(t, m, err)
			if err != nil {
				continue
			}
			d := m.(*DNS)
			for _, list := range [][]DNSRecord{d.Answers, d.Authority, d.Additional} {
				if len(list) > maxDNSRecords {
					t.Errorf("%d records kept", len(list))
				}
				for _, r := range list {
					if len(r.Name) > maxDNSText || len(r.Target) > maxDNSText || len(r.Text) > maxTXTStrings {
						t.Errorf("oversized record %+v", r)
					}
				}
			}
			if recognised && len(d.Questions) != 1 {
				t.Errorf("recognised with %d questions", len(d.Questions))
			}
		}
	})
}

// checkError: an error comes without a message and is one of ours.
func checkError(t *testing.T, m Message, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if m != nil {
		t.Errorf("got a message with the error %v", err)
	}
	if !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrNotMine) {
		t.Errorf("got an error that is none of ours: %v", err)
	}
}

func FuzzDHCP(f *testing.F) {
	f.Add(bootp(1, nil, nil, join(53, 1, 1, 12, 4, "cam1", 55, 3, 1, 3, 6, 255)))
	f.Add(bootp(2, join(60, 1, "v", 255), join(12, 1, "h", 255), join(53, 1, 3, 52, 1, 3, 81, 5, 4, 0, 0, 1, "a", 255)))
	corpusPayloads(f, func(p transport) {
		if p.udp && (p.srcPort == 67 || p.dstPort == 67) {
			f.Add(p.payload)
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseDHCPv4(b)
		checkError(t, m, err)
		if sniffDHCPv4(b) && err != nil {
			t.Errorf("recognised, but not parsed: %v", err)
		}
	})
}

func FuzzARP(f *testing.F) {
	f.Add(arpRequest)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseARP(b)
		if (m == nil) != (err != nil) {
			t.Errorf("got %v and %v", m, err)
		}
		if err != nil {
			checkError(t, nil, err)
		}
	})
}

// fuzzStream feeds the same bytes at once and byte by byte: the messages must
// be the same. The first byte of the input says after how many bytes the
// direction turns.
func fuzzStream(t *testing.T, newStream func() Stream, b []byte) {
	t.Helper()
	if len(b) == 0 || len(b) > 8<<10 {
		return
	}
	turn := min(1+int(b[0])*8, len(b))
	chunks := []chunk{{FromClient, b[1:turn]}, {FromServer, b[turn:]}}
	whole, wholeErr := play(t, newStream(), chunks, 0)
	single, singleErr := play(t, newStream(), chunks, 1)
	if diff := cmp.Diff(whole, single, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
		t.Errorf("messages differ (-at once +byte by byte):\n%s", diff)
	}
	for _, err := range []error{ErrDone, ErrUpgrade} {
		if errors.Is(wholeErr, err) != errors.Is(singleErr, err) {
			t.Errorf("at once: %v, byte by byte: %v", wholeErr, singleErr)
		}
	}
	checkReuse(t, newStream, slices.Concat(chunks, chunks))
	for n := range min(len(b), 40) {
		checkSniff(t, b[1:1+n])
	}
	s := newStream()
	if fl, ok := s.(Flusher); ok {
		n, _, err := s.Feed(FromClient, b[1:turn], nil)
		if err == nil {
			fl.Flush(FromClient, b[1+n:turn], nil)
		}
	}
}

func fuzzSeeds(f *testing.F, ports ...uint16) {
	f.Helper()
	for _, s := range tcpSeeds() {
		f.Add(append([]byte{255}, s...))
		f.Add(append([]byte{4}, s...))
	}
	corpusPayloads(f, func(p transport) {
		for _, port := range ports {
			if !p.udp && (p.srcPort == port || p.dstPort == port) {
				f.Add(append([]byte{255}, p.payload...))
			}
		}
	})
}

func FuzzTLS(f *testing.F) {
	fuzzSeeds(f, 443)
	client, server, _ := tlsPair(f, tls.VersionTLS12)
	chunks, _ := handshake(f, client, server)
	f.Add(append(append([]byte{byte(len(chunks[0].b) / 8)}, chunks[0].b...), chunks[1].b...))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, newTLSStream, b) })
}

func FuzzHTTP(f *testing.F) {
	fuzzSeeds(f, 80, 8080)
	f.Add([]byte("\x40POST /login?pwd=1 HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{\"user\":\"a\",\"password\": \"b\\\"c\"}"))
	f.Add([]byte("\x40POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 20\r\n\r\nuser=%61+b&pass=%4z&"))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, newHTTPStream, b) })
}

func FuzzVerifyChain(f *testing.F) {
	a := newAuthority(f)
	self, _ := issue(f, leafTemplate(), nil, nil)
	f.Add(a.chain[0], a.chain[1], "device.example", int64(0))
	f.Add(self, []byte{}, "", int64(1<<40))
	f.Fuzz(func(t *testing.T, leaf, other []byte, name string, seconds int64) {
		at := certFrom.Add(time.Duration(seconds) * time.Second)
		got := VerifyChain([][]byte{leaf, other}, a.roots, name, at)
		if (got.Status == CertValid) != (got.Faults == 0) || (got.Detail == "") != (got.Faults == 0) {
			t.Errorf("inconsistent verdict %+v", got)
		}
		if got.ExpiredBy < 0 || (got.ExpiredBy > 0) != (got.Faults&FaultExpired != 0) {
			t.Errorf("inconsistent expiry %+v", got)
		}
		m := (*chains)(nil).parseCertificate(join(0, 0, 0, len(leaf)>>16, len(leaf)>>8, len(leaf), leaf), false, false)
		if m != nil && len(m.Subject)+len(m.Issuer) > 2*maxNameText {
			t.Errorf("names of %d bytes kept", len(m.Subject)+len(m.Issuer))
		}
	})
}
