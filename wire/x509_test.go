package wire

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
)

// authority is a root, an intermediate below it, and a leaf below that.
type authority struct {
	roots *x509.CertPool
	chain [][]byte // leaf, intermediate
}

func newAuthority(tb testing.TB) authority {
	tb.Helper()
	ca := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
			NotBefore: certFrom.AddDate(-1, 0, 0), NotAfter: certTo.AddDate(20, 0, 0), KeyUsage: x509.KeyUsageCertSign,
		}
	}
	parse := func(der []byte) *x509.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			tb.Fatal(err)
		}
		return c
	}
	rootDER, rootKey := issue(tb, ca("root"), nil, nil)
	midDER, midKey := issue(tb, ca("intermediate"), parse(rootDER), rootKey)
	leafDER, _ := issue(tb, leafTemplate(), parse(midDER), midKey)
	pool := x509.NewCertPool()
	pool.AddCert(parse(rootDER))
	return authority{pool, [][]byte{leafDER, midDER}}
}

// rsaLeaf makes a self-signed RSA certificate.
func rsaLeaf(tb testing.TB, bits int) []byte {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, leafTemplate(), leafTemplate(), key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

// patched replaces the only occurrence of old.
func patched(tb testing.TB, der []byte, old, with string) []byte {
	tb.Helper()
	if n := bytes.Count(der, []byte(old)); n == 0 || len(old) != len(with) {
		tb.Fatalf("%x occurs %d times", old, n)
	}
	return bytes.Replace(der, []byte(old), []byte(with), 1)
}

func TestVerifyChain(t *testing.T) {
	a := newAuthority(t)
	self, _ := issue(t, leafTemplate(), nil, nil)
	bare := leafTemplate()
	bare.DNSNames, bare.IPAddresses = nil, nil
	bareDER, _ := issue(t, bare, nil, nil)
	flipped := bytes.Clone(a.chain[0])
	flipped[len(flipped)-1] ^= 1 // in the signature
	negative := patched(t, self, "\x02\x03\x1f\x2e\x3d", "\x02\x03\x9f\x2e\x3d")
	during, after, before := certFrom.AddDate(0, 6, 0), certTo.AddDate(0, 0, 9), certFrom.AddDate(0, 0, -2)
	const name = "device.example"

	tests := []struct {
		name   string
		chain  [][]byte
		roots  *x509.CertPool
		host   string
		at     time.Time
		status CertStatus
		faults CertFaults
		detail string
	}{
		{"valid", a.chain, a.roots, name, during, CertValid, 0, ""},
		{"valid, wildcard", a.chain, a.roots, "x.device.example.", during, CertValid, 0, ""},
		{"valid, address", a.chain, a.roots, "192.0.2.1", during, CertValid, 0, ""},
		{"no name asked for", a.chain, a.roots, "", during, CertValid, 0, ""},
		{"expired", a.chain, a.roots, name, after, CertExpired, FaultExpired, "expired 2026-01-01 00:00:00, 9 days before"},
		{"expired, unknown authority", a.chain, nil, name, after, CertExpired, FaultExpired | FaultUnknownAuthority, "9 days before"},
		{"not yet valid", a.chain, a.roots, name, before, CertNotYetValid, FaultNotYetValid, "in 2 days"},
		{"unknown authority", a.chain, nil, name, during, CertUnknownAuthority, FaultUnknownAuthority, "no path"},
		{"intermediate left out", a.chain[:1], a.roots, name, during, CertUnknownAuthority, FaultUnknownAuthority, "no path"},
		{"other name", a.chain, a.roots, "example.org", during, CertNameMismatch, FaultNameMismatch, `"example.org"`},
		{"self-signed", [][]byte{self}, a.roots, name, during, CertSelfSigned, FaultSelfSigned, "self-signed"},
		{
			"self-signed, expired, other name",
			[][]byte{self},
			a.roots, "example.org", after,
			CertExpired, FaultExpired | FaultSelfSigned | FaultNameMismatch, "self-signed",
		},
		{"common name alone", [][]byte{bareDER}, nil, name, during, CertSelfSigned, FaultSelfSigned, ""},
		{"common name alone, other name", [][]byte{bareDER}, nil, "x", during, CertSelfSigned, FaultSelfSigned | FaultNameMismatch, ""},
		{"broken signature", [][]byte{flipped, a.chain[1]}, a.roots, name, during, CertWeakOrBroken, FaultBroken, "signature"},
		{"RSA of 1024 bits", [][]byte{rsaLeaf(t, 1024)}, nil, name, during, CertSelfSigned, FaultSelfSigned | FaultWeak, "1024-bit"},
		{"negative serial", [][]byte{negative}, nil, name, after, CertExpired, FaultExpired | FaultSelfSigned | FaultWeak, "serial"},
		{"empty chain", nil, a.roots, name, during, CertUnparsable, FaultUnparsable, "no certificate"},
		{"not a certificate", [][]byte{[]byte("x")}, a.roots, name, during, CertUnparsable, FaultUnparsable, ""},
		{"half a leaf", [][]byte{self[:len(self)/2]}, a.roots, name, during, CertUnparsable, FaultUnparsable, ""},
		{"leaf of 65 KiB", [][]byte{make([]byte, 65<<10)}, a.roots, name, during, CertUnparsable, FaultUnparsable, ""},
		{"unreadable intermediate", [][]byte{a.chain[0], []byte("x"), a.chain[1]}, a.roots, name, during, CertValid, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := VerifyChain(tt.chain, tt.roots, tt.host, tt.at)
			if got.Status != tt.status || got.Faults != tt.faults {
				t.Errorf("got %s (%s; %s), want %s (%s)", got.Status, got.Faults, got.Detail, tt.status, tt.faults)
			}
			if !strings.Contains(got.Detail, tt.detail) || (got.Detail == "") != (tt.faults == 0) {
				t.Errorf("got detail %q, want it to contain %q", got.Detail, tt.detail)
			}
			if want := tt.faults&FaultExpired != 0; (got.ExpiredBy == 9*24*time.Hour) != want || (got.ExpiredBy != 0) != want {
				t.Errorf("got ExpiredBy %v", got.ExpiredBy)
			}
		})
	}
}

func TestCertFaultsString(t *testing.T) {
	if got, want := (FaultWeak | FaultExpired | FaultBroken).String(), "weak_or_broken,expired,weak_or_broken"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := CertFaults(0).String(); got != "valid" {
		t.Errorf("got %q, want valid", got)
	}
}

// TestVerifyChainOutsizedKey: a key of 65,536 bits fits into a handshake and
// would take seconds to verify with.
func TestVerifyChainOutsizedKey(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	huge := &rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 65535), big.NewInt(1)), E: 1<<31 - 1}
	template := leafTemplate()
	template.SignatureAlgorithm = x509.SHA256WithRSA
	der, err := x509.CreateCertificate(rand.Reader, template, template, huge, key)
	if err != nil {
		t.Fatal(err)
	}
	got := VerifyChain([][]byte{der, der}, nil, "", certFrom)
	if got.Faults&FaultBroken == 0 || !strings.Contains(got.Detail, "65536 bits") {
		t.Errorf("got %s: %s", got.Faults, got.Detail)
	}
}

func TestTolerantCertificate(t *testing.T) {
	der, _ := issue(t, leafTemplate(), nil, nil)
	negative := patched(t, der, "\x02\x03\x1f\x2e\x3d", "\x02\x03\x9f\x2e\x3d")
	body := join(0, 0, 0, 0, len(negative)>>8, len(negative), negative) // the list length is not looked at
	got := (*chains)(nil).parseCertificate(body, false, false)
	if got == nil || got.ParseError == "" {
		t.Fatalf("got %+v, want a certificate with a ParseError", got)
	}
	if got.Serial != "9f2e3d" || got.Subject != `CN=device.example,O=Acme\, Inc.,C=DE` ||
		!got.NotBefore.Equal(certFrom) || !got.NotAfter.Equal(certTo) || len(got.Names) != 3 || !got.SelfSigned {
		t.Errorf("got %+v", got)
	}
	if got := (*chains)(nil).parseCertificate(join(0, 0, 0), true, false); got != nil {
		t.Errorf("empty list: got %+v, want nil", got)
	}
	if got := (*chains)(nil).parseCertificate(join(0, 0, 4, 0, 0, 1, "x"), false, false); got == nil || got.ParseError == "" || len(got.Raw) != 1 {
		t.Errorf("one byte for a certificate: got %+v", got)
	}
}

func TestReadTime(t *testing.T) {
	for _, tt := range []struct {
		tag  int
		text string
		want string // "" for an error
	}{
		{23, "250101000000Z", "2025-01-01T00:00:00Z"},
		{23, "490101000000Z", "2049-01-01T00:00:00Z"},
		{23, "500101000000Z", "1950-01-01T00:00:00Z"},
		{23, "2501010000Z", "2025-01-01T00:00:00Z"},
		{23, "250101010000+0100", "2025-01-01T00:00:00Z"},
		{23, "250101000000", "2025-01-01T00:00:00Z"},
		{24, "99991231235959Z", "9999-12-31T23:59:59Z"},
		{24, "20501301000000Z", ""},
		{23, "", ""},
		{23, "x", ""},
		{4, "250101000000Z", ""},
	} {
		s := cryptobyte.String(join(tt.tag, len(tt.text), tt.text))
		got, ok := readTime(&s)
		want, _ := time.Parse(time.RFC3339, tt.want)
		if ok != (tt.want != "") || ok && !got.Equal(want) {
			t.Errorf("tag %d %q: got %v %v, want %q", tt.tag, tt.text, got, ok, tt.want)
		}
	}
}

func TestDistinguishedName(t *testing.T) {
	seq := func(tag int, parts ...any) []byte { b := join(parts...); return join(tag, len(b), b) }
	attr := func(oid string, tag int, value string) []byte {
		return seq(0x31, seq(0x30, seq(6, oid), seq(tag, value)))
	}
	for _, tt := range []struct {
		name string
		in   []byte
		want string
	}{
		{"most specific first", seq(0x30, attr("\x55\x04\x06", 19, "DE"), attr("\x55\x04\x03", 12, "ä")), "CN=ä,C=DE"},
		{"escapes", seq(0x30, attr("\x55\x04\x03", 12, " a,b\x00+\"\\<>; ")), `CN=\ a\,b\00\+\"\\\<\>\;\ `},
		{"leading hash", seq(0x30, attr("\x55\x04\x0a", 12, "#1")), `O=\#1`},
		{"UTF-16", seq(0x30, attr("\x55\x04\x03", 30, "\x00a\x00b")), "CN=ab"},
		{"Latin-1", seq(0x30, attr("\x55\x04\x03", 20, "\xe4")), "CN=ä"},
		{"unknown attribute, not a string", seq(0x30, attr("\x2a\x03\x04", 2, "\x05")), "1.2.3.4=#05"},
		{"two values in one part", seq(0x30, seq(0x31,
			seq(0x30, seq(6, "\x55\x04\x03"), seq(12, "a")), seq(0x30, seq(6, "\x55\x04\x0b"), seq(12, "b")))), "CN=a+OU=b"},
		{"empty", seq(0x30), ""},
		{"not a sequence", []byte{4, 0}, ""},
	} {
		if got := distinguishedName(tt.in); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	var parts []byte // 20 names of 100 bytes each, twice of what is kept
	for range 20 {
		parts = append(parts, attr("\x55\x04\x03", 12, strings.Repeat("ä", 50))...)
	}
	long := join(0x30, 0x82, len(parts)>>8, len(parts), parts)
	if got := distinguishedName(long); len(got) > maxNameText || len(got) < maxNameText-1 || !utf8.ValidString(got) {
		t.Errorf("got %d bytes, want %d of valid UTF-8", len(got), maxNameText)
	}
}

func TestRoots(t *testing.T) {
	pool, err := DefaultRoots()
	if err != nil {
		t.Fatal(err)
	}
	if pool.Equal(x509.NewCertPool()) {
		t.Error("the built-in pool is empty")
	}

	der, _ := issue(t, leafTemplate(), nil, nil)
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool, err = RootsFromPEM(append([]byte("a comment\n"), block...))
	if err != nil {
		t.Fatal(err)
	}
	if got := VerifyChain([][]byte{der}, pool, "device.example", certFrom); got.Status != CertValid {
		t.Errorf("a self-signed certificate that is trusted: got %s (%s), want valid", got.Status, got.Detail)
	}
	for _, bad := range []string{"", "no PEM at all", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der[:9]}))} {
		if _, err := RootsFromPEM([]byte(bad)); err == nil {
			t.Errorf("%.20q: got no error", bad)
		}
	}
}
