package wire

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// chunk is what one end wrote at a time.
type chunk struct {
	dir Dir
	b   []byte
}

// wireLog is a connection between two ends in memory, with buffers (which
// net.Pipe lacks: both ends of a handshake may write at once), that records
// what was written.
type wireLog struct {
	mu     sync.Mutex
	moved  *sync.Cond
	chunks []chunk
	buf    [2][]byte // written by dir, not yet read
	closed bool
}

// end is one end of a wireLog. Only what crypto/tls needs of it works.
type end struct {
	net.Conn
	dir Dir
	log *wireLog
}

func newTLSStream() Stream { return new(memory).newTLSStream() }

func (e end) Write(b []byte) (int, error) {
	e.log.mu.Lock()
	defer e.log.mu.Unlock()
	e.log.chunks = append(e.log.chunks, chunk{e.dir, slices.Clone(b)})
	e.log.buf[e.dir] = append(e.log.buf[e.dir], b...)
	e.log.moved.Broadcast()
	return len(b), nil
}

func (e end) Read(b []byte) (int, error) {
	e.log.mu.Lock()
	defer e.log.mu.Unlock()
	from := e.dir.Other()
	for len(e.log.buf[from]) == 0 {
		if e.log.closed {
			return 0, io.EOF
		}
		e.log.moved.Wait()
	}
	n := copy(b, e.log.buf[from])
	e.log.buf[from] = e.log.buf[from][n:]
	return n, nil
}

func (e end) Close() error {
	e.log.mu.Lock()
	defer e.log.mu.Unlock()
	e.log.closed = true
	e.log.moved.Broadcast()
	return nil
}

// handshake lets crypto/tls shake hands, send a byte and close, and returns
// what crossed. Its errors are those of the two ends.
func handshake(tb testing.TB, client, server *tls.Config) ([]chunk, [2]error) {
	tb.Helper()
	log := &wireLog{}
	log.moved = sync.NewCond(&log.mu)
	var errs [2]error
	var done sync.WaitGroup
	done.Go(func() {
		c := tls.Client(end{dir: FromClient, log: log}, client)
		defer c.NetConn().Close()
		if errs[0] = c.Handshake(); errs[0] != nil {
			return
		}
		_, errs[0] = c.Write([]byte("x"))
		_, _ = io.Copy(io.Discard, c) // tickets, until the server closes
	})
	done.Go(func() {
		c := tls.Server(end{dir: FromServer, log: log}, server)
		defer c.NetConn().Close()
		if errs[1] = c.Handshake(); errs[1] == nil {
			_, errs[1] = io.ReadFull(c, make([]byte, 1))
		}
	})
	done.Wait()
	return log.chunks, errs
}

// play feeds a recorded connection, each chunk in steps of the given size (0:
// whole), until the stream has had enough.
func play(tb testing.TB, s Stream, chunks []chunk, step int) (msgs []Message, err error) {
	tb.Helper()
	var rest [2][]byte
	for _, c := range chunks {
		size := step
		if size <= 0 {
			size = max(1, len(c.b))
		}
		for from := 0; from < len(c.b); from += size {
			rest[c.dir] = append(rest[c.dir], c.b[from:min(from+size, len(c.b))]...)
			n, out, err := s.Feed(c.dir, rest[c.dir], msgs)
			if n < 0 || n > len(rest[c.dir]) {
				tb.Fatalf("Feed consumed %d of %d bytes", n, len(rest[c.dir]))
			}
			msgs, rest[c.dir] = out, slices.Clone(rest[c.dir][n:])
			if err != nil {
				return msgs, err
			}
		}
	}
	return msgs, nil
}

// issue makes a certificate; a nil parent makes it sign itself.
func issue(tb testing.TB, template, parent *x509.Certificate, parentKey any) ([]byte, *ecdsa.PrivateKey) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		tb.Fatal(err)
	}
	return der, key
}

var (
	certFrom = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	certTo   = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func leafTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(0x1f2e3d),
		Subject:      pkix.Name{CommonName: "device.example", Organization: []string{"Acme, Inc."}, Country: []string{"DE"}},
		NotBefore:    certFrom, NotAfter: certTo,
		DNSNames: []string{"device.example", "*.device.example"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)},
	}
}

func tlsPair(tb testing.TB, version uint16) (client, server *tls.Config, der []byte) {
	tb.Helper()
	der, key := issue(tb, leafTemplate(), nil, nil)
	at := func() time.Time { return certFrom.AddDate(0, 1, 0) }
	server = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		MinVersion:   version, MaxVersion: version, NextProtos: []string{"mqtt"}, Time: at,
	}
	client = &tls.Config{
		ServerName: "Device.Example", NextProtos: []string{"h2", "mqtt"}, InsecureSkipVerify: true,
		MinVersion: tls.VersionTLS10, Time: at,
	}
	return client, server, der
}

func TestTLSVersions(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		for _, step := range []int{0, 1, 3} {
			t.Run(fmt.Sprintf("%s in steps of %d", VersionName(version), step), func(t *testing.T) {
				client, server, der := tlsPair(t, version)
				chunks, errs := handshake(t, client, server)
				if errs[0] != nil || errs[1] != nil {
					t.Fatal(errs)
				}
				msgs, err := play(t, newTLSStream(), chunks, step)
				if !errors.Is(err, ErrDone) {
					t.Errorf("got %v, want ErrDone once both directions are encrypted", err)
				}
				hello := msgs[0].(*ClientHello)
				if hello.SNI != "device.example" || !slices.Equal(hello.ALPN, []string{"h2", "mqtt"}) ||
					hello.MaxVersion() != tls.VersionTLS13 || hello.JA4 == "" || hello.JA3 == "" {
					t.Errorf("client hello: got %+v", hello)
				}
				answer := msgs[1].(*ServerHello)
				if answer.Version != version || answer.Retry || answer.Resumed {
					t.Errorf("server hello: got %+v, want version %04x", answer, version)
				}
				text := fmt.Sprintf("%d,%d,", min(version, tls.VersionTLS12), answer.Cipher) // 1.3 says 1.2 and has an extension for the truth
				if !strings.HasPrefix(answer.JA3S, text) || (version == tls.VersionTLS13) != strings.HasSuffix(answer.JA3S, ",43-51") {
					t.Errorf("JA3S: got %q", answer.JA3S)
				}
				if version == tls.VersionTLS13 {
					if len(msgs) != 2 {
						t.Errorf("got %d messages, want 2", len(msgs))
					}
					return
				}
				if answer.ALPN != "mqtt" {
					t.Errorf("got ALPN %q, want mqtt", answer.ALPN)
				}
				if len(msgs) != 3 {
					t.Fatalf("got %d messages, want 3", len(msgs))
				}
				checkLeaf(t, msgs[2].(*Certificate), der)
			})
		}
	}
}

func checkLeaf(t *testing.T, got *Certificate, der []byte) {
	t.Helper()
	const name = `CN=device.example,O=Acme\, Inc.,C=DE`
	want := &Certificate{
		Raw: [][]byte{der}, Subject: name, Issuer: name, Serial: "1f2e3d", NotBefore: certFrom, NotAfter: certTo,
		Names: []string{"device.example", "*.device.example", "192.0.2.1"}, SelfSigned: true,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Certificate{}, "SPKI")); diff != "" {
		t.Errorf("certificate differs (-want +got):\n%s", diff)
	}
	if got.SPKI == [32]byte{} {
		t.Error("no hash of the public key")
	}
}

func TestTLSClientCertificate(t *testing.T) {
	client, server, _ := tlsPair(t, tls.VersionTLS12)
	der, key := issue(t, leafTemplate(), nil, nil)
	client.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	server.ClientAuth = tls.RequestClientCert
	chunks, errs := handshake(t, client, server)
	if errs[0] != nil || errs[1] != nil {
		t.Fatal(errs)
	}
	// Which end is the client is a matter of content, not of Dir.
	for i := range chunks {
		chunks[i].dir = chunks[i].dir.Other()
	}
	msgs, _ := play(t, newTLSStream(), chunks, 0)
	var from []bool
	for _, m := range msgs {
		if c, ok := m.(*Certificate); ok {
			from = append(from, c.FromClient)
		}
	}
	if !slices.Equal(from, []bool{false, true}) {
		t.Errorf("FromClient: got %v, want [false true]", from)
	}
}

func TestTLSResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client, server, _ := tlsPair(t, version)
		server.SetSessionTicketKeys([][32]byte{{1}})
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		client.MaxVersion = version
		var resumed []bool
		for range 2 {
			chunks, _ := handshake(t, client, server)
			msgs, _ := play(t, newTLSStream(), chunks, 0)
			resumed = append(resumed, msgs[1].(*ServerHello).Resumed)
		}
		if want := []bool{false, true}; !slices.Equal(resumed, want) {
			t.Errorf("%s: got resumed %v, want %v", VersionName(version), resumed, want)
		}
	}
}

func TestTLSHelloRetryRequest(t *testing.T) {
	client, server, _ := tlsPair(t, tls.VersionTLS13)
	client.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP384}
	server.CurvePreferences = []tls.CurveID{tls.CurveP384}
	chunks, errs := handshake(t, client, server)
	if errs[0] != nil || errs[1] != nil {
		t.Fatal(errs)
	}
	for _, step := range []int{0, 1} {
		msgs, err := play(t, newTLSStream(), chunks, step)
		if len(msgs) != 4 || !errors.Is(err, ErrDone) {
			t.Fatalf("got %d messages, %v; want 4 (hello, retry, hello, server hello), ErrDone", len(msgs), err)
		}
		if !msgs[1].(*ServerHello).Retry || msgs[3].(*ServerHello).Retry {
			t.Errorf("got retry %v then %v, want true then false", msgs[1], msgs[3])
		}
	}
}

func TestTLSAlert(t *testing.T) {
	client, server, _ := tlsPair(t, tls.VersionTLS12)
	server.MaxVersion, server.MinVersion = tls.VersionTLS12, tls.VersionTLS12
	client.MinVersion = tls.VersionTLS13
	chunks, _ := handshake(t, client, server)
	msgs, err := play(t, newTLSStream(), chunks, 0)
	if err != nil || len(msgs) != 2 {
		t.Fatalf("got %d messages, %v; want 2, nil", len(msgs), err)
	}
	want := &TLSAlert{From: FromServer, Fatal: true, Description: 70} // protocol_version
	if diff := cmp.Diff(Message(want), msgs[1]); diff != "" {
		t.Errorf("alert differs (-want +got):\n%s", diff)
	}
}

// minimalHello is a ClientHello without extensions, in one record.
var minimalHello = join(
	22, 3, 1, 0, 45, // record: handshake, TLS 1.0, length
	1, 0, 0, 41, // client hello, length
	3, 3, make([]byte, 32), // TLS 1.2, random
	0,                // no session id
	0, 2, 0x00, 0x2f, // one cipher suite
	1, 0, // no compression
)

func TestTLSRecords(t *testing.T) {
	hello := minimalHello[5:]
	record := func(b []byte) []byte { return join(22, 3, 1, 0, len(b), b) }
	var single []byte // one byte of the handshake in each record
	for i := range hello {
		single = append(single, record(hello[i:i+1])...)
	}
	tests := []struct {
		name string
		in   []byte
		msgs int
		err  error
	}{
		{"one record", minimalHello, 1, nil},
		{"header and body in two records", join(record(hello[:4]), record(hello[4:])), 1, nil},
		{"a byte in each record", single, 1, nil},
		{"two messages in one record", record(join(0, 0, 0, 0, hello)), 1, nil},
		{"hello, change of cipher, garbage", join(minimalHello, 20, 3, 3, 0, 1, 1, 22, 3, 3, 0, 4, 9, 9, 9, 9), 1, nil},
		{"hello, then something else", join(minimalHello, "GET /"), 1, ErrMalformed},
		{"joined at application data", join(23, 3, 3, 0, 9), 0, ErrNotMine},
		{"joined at a change of cipher", join(20, 3, 3, 0, 1, 1), 0, ErrNotMine},
		{"joined at a certificate", record(join(11, 0, 0, 3, 0, 0, 0)), 0, ErrNotMine},
		{"joined at the encrypted finish", record(join(0xa7, 1, 2, 3, 4, 5)), 0, ErrNotMine},
		{"text", []byte("GET / HTTP/1.1"), 0, ErrNotMine},
		{"version 4.0", join(22, 4, 0, 0, 5), 0, ErrNotMine},
		{"record of 32 KiB", join(22, 3, 1, 0x80, 0), 0, ErrNotMine},
		{"empty handshake record", join(22, 3, 1, 0, 0), 0, ErrNotMine},
		{"cipher list of odd length", record(join(1, 0, 0, 40, 3, 3, make([]byte, 32), 0, 0, 1, 0, 1, 0, 0)), 0, ErrNotMine},
		{"session id of 33 bytes", record(join(1, 0, 0, 74, 3, 3, make([]byte, 32), 33, make([]byte, 33), 0, 2, 0, 47, 1, 0)), 0, ErrNotMine},
	}
	for _, tt := range tests {
		for _, step := range []int{0, 1} {
			msgs, err := play(t, newTLSStream(), []chunk{{FromClient, tt.in}}, step)
			if len(msgs) != tt.msgs || !errors.Is(err, tt.err) {
				t.Errorf("%s, step %d: got %d messages, %v; want %d, %v", tt.name, step, len(msgs), err, tt.msgs, tt.err)
			}
		}
	}
}

// TestMalformedHello: what can be read of a hello that contradicts itself is,
// and the connection is followed on.
func TestMalformedHello(t *testing.T) {
	name := join(0, 0, 0, 6, 0, 4, 0, 0, 1, "a")
	for _, tt := range []struct {
		name string
		tail []byte // from the compression methods on
		sni  string
		cut  bool
	}{
		{"well formed", join(1, 0, 0, 10, name), "a", false},
		{"no compression methods", join(0), "", false},
		{"no room for them", join(9, 0), "", true},
		{"one byte behind them", join(0, 0), "", true},
		{"one byte behind the extensions", join(1, 0, 0, 11, name, 0), "a", true},
		{"extensions longer than the message", join(1, 0, 0xb8, 0x89, name), "a", true},
		{"an extension longer than the message", join(1, 0, 0, 14, name, 0, 16, 0, 9), "a", true},
		{"a name longer than its extension", join(1, 0, 0, 10, 0, 0, 0, 6, 0, 4, 0, 0, 9, "a"), "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := join(3, 3, make([]byte, 32), 0, 0, 2, 0, 0x2f, tt.tail)
			hello := join(1, 0, 0, len(body), body)
			answer := join(2, 0, 0, 38, 3, 3, make([]byte, 32), 0, 0, 0x2f, 0)
			msgs, err := play(t, newTLSStream(), []chunk{
				{FromClient, join(22, 3, 1, 0, len(hello), hello)},
				{FromServer, join(22, 3, 3, 0, len(answer), answer)},
			}, 0)
			if err != nil || len(msgs) != 2 {
				t.Fatalf("got %d messages, %v", len(msgs), err)
			}
			m := msgs[0].(*ClientHello)
			if m.SNI != tt.sni || m.Truncated != tt.cut || (m.JA4 == "") != tt.cut || len(m.Ciphers) != 1 {
				t.Errorf("got %+v", m)
			}
		})
	}
}

func TestSSLv2Hello(t *testing.T) {
	hello := func(minor int) []byte {
		return join(0x80, 9+6+16, 1, 3, minor, 0, 6, 0, 0, 0, 16, // lengths: ciphers 6, session 0, challenge 16
			0, 0, 4, 1, 0, 0x80, make([]byte, 16))
	}
	pure := hello(0)
	pure[3], pure[4] = 0, 2
	for _, tt := range []struct {
		in      []byte
		version uint16
		err     error
	}{{hello(1), 0x0301, nil}, {pure, 2, ErrDone}} {
		if got := sniffTLS(FromClient, tt.in); got != Yes {
			t.Errorf("sniff %x: got %v, want Yes", tt.in[:5], got)
		}
		for _, step := range []int{0, 1} {
			msgs, err := play(t, newTLSStream(), []chunk{{FromClient, tt.in}}, step)
			if len(msgs) != 1 || !errors.Is(err, tt.err) {
				t.Fatalf("got %d messages, %v; want 1, %v", len(msgs), err, tt.err)
			}
			if got := msgs[0].(*ClientHello); got.Version != tt.version || got.RecordVersion != 2 {
				t.Errorf("got %+v, want version %04x", got, tt.version)
			}
		}
	}
	bad := hello(1)
	bad[1]++ // the lengths no longer add up
	if got := sniffTLS(FromClient, bad); got != No {
		t.Errorf("sniff with a wrong length: got %v, want No", got)
	}
}

// TestTLSFlush: a connection that is cut off within a message yields what was
// complete.
func TestTLSFlush(t *testing.T) {
	client, server, der := tlsPair(t, tls.VersionTLS12)
	other, _ := issue(t, leafTemplate(), nil, nil)
	server.Certificates[0].Certificate = append(server.Certificates[0].Certificate, other)
	chunks, errs := handshake(t, client, server)
	if errs[0] != nil || errs[1] != nil {
		t.Fatal(errs)
	}

	s := newTLSStream().(*tlsStream)
	cut := chunks[0].b[:len(chunks[0].b)-20]
	n, msgs, err := s.Feed(FromClient, cut, nil)
	if len(msgs) != 0 || err != nil {
		t.Fatalf("unfinished hello: got %d messages, %v", len(msgs), err)
	}
	msgs = s.Flush(FromClient, cut[n:], nil)
	if len(msgs) != 1 {
		t.Fatalf("flush of an unfinished hello: got %d messages, want 1", len(msgs))
	}
	if m := msgs[0].(*ClientHello); m.SNI != "device.example" || !m.Truncated || m.JA4 != "" || m.JA3 != "" {
		t.Errorf("flush of an unfinished hello: got %+v", m)
	}
	if got := s.Skip(FromClient); got != math.MaxInt64 {
		t.Errorf("skip after flush: got %d, want MaxInt64", got)
	}

	serverHello := 5 + int(chunks[1].b[3])<<8 + int(chunks[1].b[4])
	cut = chunks[1].b[:serverHello+5+4+3+3+len(der)+3+10] // ten bytes into the second certificate
	n, msgs, err = s.Feed(FromServer, cut, nil)
	if len(msgs) != 1 || err != nil {
		t.Fatalf("server hello: got %d messages, %v", len(msgs), err)
	}
	msgs = s.Flush(FromServer, cut[n:], nil)
	if len(msgs) != 1 {
		t.Fatalf("flush of an unfinished chain: got %d messages, want 1", len(msgs))
	}
	if m := msgs[0].(*Certificate); len(m.Raw) != 1 || !m.Truncated || m.Serial != "1f2e3d" || m.FromClient {
		t.Errorf("flush of an unfinished chain: got %+v", m)
	}
}

// TestTLSBoundedMemory: a message that claims 16 MiB must not be kept.
func TestTLSBoundedMemory(t *testing.T) {
	s := newTLSStream().(*tlsStream)
	if _, _, err := s.Feed(FromServer, minimalHello, nil); err != nil {
		t.Fatal(err)
	}
	filler := join(22, 3, 3, 0x40, 0, make([]byte, 1<<14))
	first := slices.Clone(filler)
	copy(first[5:], []byte{11, 0xff, 0xff, 0xff}) // a certificate message of 2^24-1 bytes
	for i := range 200 {
		b := filler
		if i == 0 {
			b = first
		}
		if _, _, err := s.Feed(FromServer, b, nil); err != nil {
			t.Fatal(err)
		}
		if got := cap(s.half[FromServer].pending); got > 2*maxHandshakeKept {
			t.Fatalf("after record %d: %d bytes kept, want at most %d", i, got, 2*maxHandshakeKept)
		}
	}
}

func TestFingerprintRules(t *testing.T) {
	alpn := []struct {
		in   []string
		want string
	}{
		{nil, "00"},
		{[]string{""}, "00"},
		{[]string{"h2", "http/1.1"}, "h2"},
		{[]string{"http/1.1"}, "h1"},
		{[]string{"x"}, "xx"},
		{[]string{"\xab"}, "ab"},
		{[]string{"\xab\xcd"}, "ad"},
		{[]string{"0\xab"}, "3b"},
		{[]string{"-a"}, "21"},
	}
	for _, tt := range alpn {
		if got := ja4ALPN(tt.in); got != tt.want {
			t.Errorf("ALPN %q: got %q, want %q", tt.in, got, tt.want)
		}
	}
	for v, want := range map[uint16]bool{0x0a0a: true, 0xfafa: true, 0x0a1a: false, 0x0a0b: false, 0x1301: false} {
		if got := isGREASE(v); got != want {
			t.Errorf("GREASE %04x: got %v, want %v", v, got, want)
		}
	}
	// The example of the JA4 specification (technical_details/JA4.md).
	m := &ClientHello{
		Versions: []uint16{0x0304, 0x0303}, ALPN: []string{"h2", "http/1.1"},
		Ciphers: []uint16{
			0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
		},
		Extensions: []uint16{
			0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015,
		},
		SignatureSchemes: []uint16{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601},
	}
	if got, want := m.ja4(), "t13d1516h2_8daaf6152771_e5627efa2ab1"; got != want {
		t.Errorf("JA4: got %s, want %s", got, want)
	}
	// The examples of the JA3 announcement (salesforce/ja3, README).
	full := &ClientHello{
		Version: 769, Ciphers: []uint16{47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4},
		Extensions: []uint16{0, 10, 11}, Curves: []uint16{23, 24, 25}, PointFormats: []uint8{0},
	}
	if got, want := full.ja3(), "ada70206e40642a3e4461f35503241d5"; got != want {
		t.Errorf("JA3: got %s, want %s", got, want)
	}
	bare := &ClientHello{Version: 769, Ciphers: []uint16{4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99}}
	if got, want := bare.ja3(), "de350869b8c85de67a350c8d186f11e6"; got != want {
		t.Errorf("JA3 without extensions: got %s, want %s", got, want)
	}
}

func TestCipherClass(t *testing.T) {
	if !slices.IsSortedFunc(cipherNames[:], func(a, b struct {
		id   uint16
		name string
	},
	) int {
		return int(a.id) - int(b.id)
	}) {
		t.Fatal("cipherNames is not sorted: the search in it fails")
	}
	for _, tt := range []struct {
		id   uint16
		name string
		want Class
	}{
		{0x0000, "TLS_NULL_WITH_NULL_NULL", ClassNone},
		{0x0002, "TLS_RSA_WITH_NULL_SHA", ClassNone},
		{0x0008, "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA", ClassNone},
		{0x0018, "TLS_DH_anon_WITH_RC4_128_MD5", ClassNone},
		{0xc0b4, "TLS_SHA256_SHA256", ClassNone},
		{0x0005, "TLS_RSA_WITH_RC4_128_SHA", ClassWeak},
		{0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", ClassWeak},
		{0xc011, "TLS_ECDHE_RSA_WITH_RC4_128_SHA", ClassWeak},
		{0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA", ClassStatic},
		{0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256", ClassStatic},
		{0xc004, "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA", ClassStatic},
		{0xc0a8, "TLS_PSK_WITH_AES_128_CCM_8", ClassStatic},
		{0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", ClassForwardCBC},
		{0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", ClassForwardCBC},
		{0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", ClassAEAD},
		{0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", ClassAEAD},
		{0xc0ae, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", ClassAEAD},
		{0x1301, "TLS_AES_128_GCM_SHA256", ClassTLS13},
		{0x00c6, "TLS_SM4_GCM_SM3", ClassTLS13},
		{0x5600, "TLS_FALLBACK_SCSV", ClassUnknown},
		{0x4321, "0x4321", ClassUnknown},
	} {
		if got := CipherClass(tt.id); got != tt.want {
			t.Errorf("class of %s: got %v, want %v", tt.name, got, tt.want)
		}
		if got := CipherName(tt.id); got != tt.name {
			t.Errorf("name of %04x: got %s, want %s", tt.id, got, tt.name)
		}
	}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if got := CipherName(suite.ID); got != suite.Name {
			t.Errorf("name of %04x: got %s, crypto/tls says %s", suite.ID, got, suite.Name)
		}
	}
}

func TestVersionName(t *testing.T) {
	for v, want := range map[uint16]string{
		2: "SSLv2", 0x300: "SSLv3", 0x301: "TLS 1.0", 0x302: "TLS 1.1", 0x303: "TLS 1.2", 0x304: "TLS 1.3",
		0x7f1c: "TLS 1.3 draft-28", 0x305: "0x0305",
	} {
		if got := VersionName(v); got != want {
			t.Errorf("%04x: got %q, want %q", v, got, want)
		}
	}
}

// TestServerHelloCut: the version of a hello whose extensions are cut off.
func TestServerHelloCut(t *testing.T) {
	hello := func(version, suite int) []byte {
		return join(version>>8, version, make([]byte, 32), 0, suite>>8, suite, 0, 0, 46, 0, 51, 0, 36)
	}
	for _, c := range []struct {
		name string
		in   []byte
		want uint16
	}{
		{"a suite of TLS 1.3", hello(0x0303, 0x1301), versionTLS13},
		{"a suite of TLS 1.2", hello(0x0303, 0xc02f), versionTLS12},
		{"DTLS 1.3", hello(0xfefd, 0x1302), versionDTLS13},
		{"TLS 1.2 without extensions", hello(0x0303, 0x002f)[:38], versionTLS12},
	} {
		m, err := parseServerHello(versionTLS12, c.in, nil)
		if err != nil || m.Version != c.want {
			t.Errorf("%s: got %+v, %v, want version %#x", c.name, m, err, c.want)
			continue
		}
		if whole := len(c.in) == 38; (m.JA3S != "") != whole {
			t.Errorf("%s: fingerprint %q", c.name, m.JA3S)
		}
	}
}
