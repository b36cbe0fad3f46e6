package sim

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"golang.org/x/crypto/cryptobyte"
)

// styles are all client libraries by what uses them.
func styles() map[string]*helloStyle {
	return map[string]*helloStyle{
		"camera": styleCamera, "hub": styleHub, "thermostat": styleThermostat, "thermostat new": styleThermostatNew,
		"tv": styleTV, "printer": stylePrinter, "speaker": styleSpeaker, "plug": stylePlug, "phone": stylePhone,
		"browser": styleBrowser, "schannel": styleSchannel, "android": styleAndroid, "firefox": styleFirefox,
		"implant": styleImplant,
	}
}

// A real TLS server understands every ClientHello and sees in it what the style
// says, with and without an old session.
func TestHellosAreReal(t *testing.T) {
	for name, style := range styles() {
		for _, ticket := range [][]byte{nil, make([]byte, ticketSize)} {
			if ticket != nil && !style.resume {
				continue
			}
			ch, err := style.hello(newStream(7, name), "cloud.example.com", ticket)
			if err != nil {
				t.Fatal(err)
			}
			info := readHello(t, ch.record)
			if info == nil {
				t.Errorf("%s: a TLS server did not accept the hello", name)
				continue
			}
			if info.ServerName != "cloud.example.com" {
				t.Errorf("%s: server name %q", name, info.ServerName)
			}
			if !slices.Equal(info.SupportedProtos, style.alpn) {
				t.Errorf("%s: ALPN %q, want %q", name, info.SupportedProtos, style.alpn)
			}
			if got := slices.Contains(info.SupportedVersions, tls.VersionTLS13); got != style.offers13() {
				t.Errorf("%s: versions %#x", name, info.SupportedVersions)
			}
			for _, c := range style.ciphers {
				if !slices.Contains(info.CipherSuites, c) {
					t.Errorf("%s: cipher suite %#04x missing", name, c)
				}
			}
		}
	}
}

var errSeen = errors.New("hello seen")

// readHello lets crypto/tls read the first flight of a client.
func readHello(t *testing.T, flight []byte) *tls.ClientHelloInfo {
	t.Helper()
	here, there := net.Pipe()
	go func() {
		_, _ = there.Write(flight)
		_ = there.Close()
	}()
	go func() { _, _ = bytes.NewBuffer(nil).ReadFrom(there) }()
	defer here.Close()
	var seen *tls.ClientHelloInfo
	_ = tls.Server(here, &tls.Config{
		GetConfigForClient: func(i *tls.ClientHelloInfo) (*tls.Config, error) {
			seen = i
			return nil, errSeen
		},
	}).HandshakeContext(context.Background())
	return seen
}

// Each style is its own fingerprint: no two look the same once random values
// are taken out.
func TestStylesDiffer(t *testing.T) {
	all := styles()
	for a, x := range all {
		for b, y := range all {
			if a < b && slices.Equal(x.ciphers, y.ciphers) && sameSet(x.extensions, y.extensions) && slices.Equal(x.alpn, y.alpn) {
				t.Errorf("%s and %s have the same fingerprint", a, b)
			}
		}
	}
}

func sameSet(a, b []uint16) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// handshakes collects the server flights of a whole run that carry a
// certificate in clear: time, device address, chain.
type clearChain struct {
	when    time.Time
	device  string
	port    uint16
	version uint16
	cipher  uint16
	chain   []*x509.Certificate
}

// clearChains reassembles the first server flight of every connection.
func clearChains(t *testing.T, h *Home) []clearChain {
	t.Helper()
	type key struct {
		ip   string
		port uint16
	}
	type half struct {
		when time.Time
		data []byte
	}
	open := make(map[key]*half)
	var out []clearChain
	gate := newWorldOf(t, h).gate.mac
	err := h.Frames(func(f Frame) error {
		// Only complete TCP segments through the gateway, with data or SYN-ACK,
		// are worth decoding: Ethernet is 14 bytes, IPv4 without options 20.
		const protocol, tcpFlags, synAck, bareAck = 23, 47, 0x12, 66
		if f.Length > len(f.Data) || !bytes.Equal(f.Data[6:12], gate) || f.Data[12] != 8 || f.Data[protocol] != 6 ||
			f.Length <= bareAck && f.Data[tcpFlags]&synAck != synAck {
			return nil
		}
		p := gopacket.NewPacket(f.Data, layers.LayerTypeEthernet, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
		tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if !ok {
			return nil
		}
		ip := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		k := key{ip.DstIP.String(), uint16(tcp.DstPort)}
		if tcp.SYN && tcp.ACK {
			open[k] = &half{when: f.Time}
			return nil
		}
		s := open[k]
		if s == nil || len(tcp.Payload) == 0 {
			return nil
		}
		s.data = append(s.data, tcp.Payload...)
		c, done := parseFlight(t, s.data)
		if done {
			delete(open, k)
		}
		if c != nil {
			c.when, c.device, c.port = s.when, k.ip, uint16(tcp.SrcPort)
			out = append(out, *c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// parseFlight reads handshake records up to the Certificate. done means that no
// more bytes are wanted.
func parseFlight(t *testing.T, b []byte) (*clearChain, bool) {
	t.Helper()
	c := &clearChain{}
	for s := cryptobyte.String(b); ; {
		var kind uint8
		var version uint16
		var fragment cryptobyte.String
		if !s.ReadUint8(&kind) || !s.ReadUint16(&version) || !s.ReadUint16LengthPrefixed(&fragment) {
			return nil, len(b) > 20_000
		}
		if kind != recordHandshake {
			return nil, true
		}
		var message uint8
		var body cryptobyte.String
		if !fragment.ReadUint8(&message) || !fragment.ReadUint24LengthPrefixed(&body) {
			return nil, true
		}
		switch message {
		case 2:
			var id cryptobyte.String
			if !body.ReadUint16(&c.version) || !body.Skip(32) || !body.ReadUint8LengthPrefixed(&id) || !body.ReadUint16(&c.cipher) {
				t.Fatal("short ServerHello")
			}
		case 11:
			var list cryptobyte.String
			if !body.ReadUint24LengthPrefixed(&list) {
				t.Fatal("short Certificate")
			}
			for !list.Empty() {
				var der cryptobyte.String
				if !list.ReadUint24LengthPrefixed(&der) {
					t.Fatal("short certificate entry")
				}
				cert, err := x509.ParseCertificate(der)
				if err != nil {
					t.Fatalf("parse certificate: %v", err)
				}
				c.chain = append(c.chain, cert)
			}
			return c, true
		default:
			return nil, true
		}
	}
}

// All chains in clear verify at the time of their packets, but for those in the
// windows of the two certificate attacks, which do not.
func TestChainsVerify(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Days, cfg.LearnDays = 36, 30 // of 60 after which a certificate is renewed: half of them are
	cfg.Only = []string{"cert-selfsigned", "cert-expired", "tls-downgrade", "cert-renewal"}
	h := plannedHome(t, cfg)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(h.RootsPEM()) {
		t.Fatal("roots.pem holds no certificate")
	}
	bad := make(map[string]int)
	keys := make(map[string]map[string]bool)
	var downgraded int
	for _, c := range clearChains(t, h) {
		leaf, inter := c.chain[0], x509.NewCertPool()
		for _, i := range c.chain[1:] {
			inter.AddCert(i)
		}
		_, err := leaf.Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: inter, CurrentTime: c.when, DNSName: leaf.Subject.CommonName,
		})
		in := labelAt(h.Labels(), c)
		switch {
		case in == "cert-selfsigned" || in == "cert-expired":
			if err == nil {
				t.Errorf("%s: the chain of %s verifies at %s", in, leaf.Subject.CommonName, c.when)
			}
			bad[in]++
		case err != nil:
			t.Errorf("%s at %s (%s): %v", leaf.Subject.CommonName, c.when, c.device, err)
		}
		if c.version == tls10 {
			downgraded++
			if in != "tls-downgrade" || c.cipher != weak {
				t.Errorf("TLS 1.0 with %#04x at %s outside the attack", c.cipher, c.when)
			}
		}
		if in == "" {
			if keys[leaf.Subject.CommonName] == nil {
				keys[leaf.Subject.CommonName] = make(map[string]bool)
			}
			keys[leaf.Subject.CommonName][string(leaf.RawSubjectPublicKeyInfo)] = true
		}
	}
	if bad["cert-selfsigned"] == 0 || bad["cert-expired"] == 0 || downgraded == 0 {
		t.Errorf("attacks seen: %v, %d downgrades; want all", bad, downgraded)
	}
	if n := len(keys[cameraUpload]); n < 2 {
		t.Errorf("%s used %d keys, want another one after the labelled renewal", cameraUpload, n)
	}
	renewed := 0
	for _, k := range keys {
		if len(k) > 1 {
			renewed++
		}
	}
	if renewed < 5 || renewed == len(keys) {
		t.Errorf("%d of %d hosts renewed their certificates in 36 days, want about half", renewed, len(keys))
	}
}

// labelAt names the attack, if any, during which a handshake with the attacked
// host took place.
func labelAt(labels []Label, c clearChain) string {
	for _, l := range labels {
		if l.Expect && l.IP == c.device && l.Peer == c.chain[0].Subject.CommonName &&
			!c.when.Before(l.Start) && c.when.Before(l.End.Add(-time.Minute)) {
			return l.Scenario
		}
	}
	return ""
}

func TestServerSignatures(t *testing.T) {
	ca, err := newAuthority(3, DefaultConfig().Start)
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.leaf("a.example.com", "example.com", DefaultConfig().Start)
	if err != nil {
		t.Fatal(err)
	}
	r := newStream(3, "test")
	ch, err := styleCamera.hello(r, "a.example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	random := r.bytes(32)
	msg, err := ch.keyExchange(r, serverSide{version: tls12, id: id}, random)
	if err != nil {
		t.Fatal(err)
	}
	// type(1) length(3) | curve(3) point(1+32) | scheme(2) length(2) signature
	params, signature := msg[4:40], msg[44:]
	leaf, err := x509.ParseCertificate(id.chain[0])
	if err != nil {
		t.Fatal(err)
	}
	signed := slices.Concat(ch.random, random, params)
	if err := leaf.CheckSignature(x509.ECDSAWithSHA256, signed, signature); err != nil {
		t.Errorf("signature of the key exchange: %v", err)
	}
}
