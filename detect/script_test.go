package detect

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/flow"
	"gatehouse/wire"
)

// epoch is day 0 of every scenario, a Monday.
var epoch = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

var gatewayAddr = netip.MustParseAddr("192.168.1.1")

// line turns one line of a scenario into events.
func (w *world) line(line string) ([]flow.Event, error) {
	fields := strings.Fields(line)
	if fields[0] == "device" && len(fields) == 3 {
		addr, err := netip.ParseAddr(fields[2])
		w.devices[addr] = &device.Device{ID: "id-" + fields[1], Name: fields[1]}
		return nil, err
	}
	times, rest, err := parseTimes(line)
	if err != nil {
		return nil, err
	}
	var out []flow.Event
	for n, at := range times {
		text := strings.NewReplacer("{n}", strconv.Itoa(n), "{n30}", strconv.Itoa(n%30), "{hex}", noise(n, 60, "0123456789abcdef"), "{word}", noise(n, 14, "bcdfghjklmnpqrstvwxz")).Replace(rest)
		events, err := w.flow(at, text)
		if err != nil {
			return nil, err
		}
		out = append(out, events...)
	}
	return out, nil
}

// noise is the n-th of a fixed series of strings without sense (xorshift).
func noise(n, length int, alphabet string) string {
	x := uint64(n+1) * 0x9E3779B97F4A7C15
	var b strings.Builder
	for range length {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b.WriteByte(alphabet[x%uint64(len(alphabet))])
	}
	return b.String()
}

// parseTimes reads "DAY[-DAY] HH:MM[+STEP*COUNT]".
func parseTimes(line string) (times []time.Time, rest string, err error) {
	f := strings.SplitN(line, " ", 3)
	if len(f) < 3 {
		return nil, "", errors.New("want: day time flow")
	}
	from, to, ranged := strings.Cut(f[0], "-")
	if !ranged {
		to = from
	}
	clock, repeat, repeated := strings.Cut(f[1], "+")
	step, count := time.Duration(0), 1
	if repeated {
		s, c, _ := strings.Cut(repeat, "*")
		if step, err = time.ParseDuration(s); err != nil {
			return nil, "", err
		}
		if count, err = strconv.Atoi(c); err != nil {
			return nil, "", err
		}
	}
	first, err1 := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	at, err3 := time.Parse("15:04", clock)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, "", err
	}
	for day := first; day <= last; day++ {
		for i := range count {
			times = append(times, epoch.AddDate(0, 0, day).Add(time.Duration(at.Hour())*time.Hour+time.Duration(at.Minute())*time.Minute+step*time.Duration(i)))
		}
	}
	return times, f[2], nil
}

// flow reads "CLIENT > [NAME=]ADDR:PORT/PROTO [silent] | message | ...": a
// lookup of the name, if there is one, and then the flow.
func (w *world) flow(at time.Time, text string) ([]flow.Event, error) {
	parts := strings.Split(text, "|")
	head := strings.Fields(parts[0])
	if len(head) < 3 || head[1] != ">" {
		return nil, fmt.Errorf("want client > server, not %q", parts[0])
	}
	client, err := w.address(head[0])
	if err != nil {
		return nil, err
	}
	target, proto, _ := strings.Cut(head[2], "/")
	name, where, named := strings.Cut(target, "=")
	if !named {
		name, where = "", target
	}
	host, port, err := splitPort(where)
	if err != nil {
		return nil, err
	}
	server, err := w.address(host)
	if err != nil {
		return nil, err
	}
	var out []flow.Event
	if name != "" {
		lookup := w.open(at, client, gatewayAddr, 53, protoUDP)
		out = append(out, lookup.events(false, query(name, 1), answer(name, server))...)
		at = at.Add(time.Second)
	}
	f := w.open(at, client, server, port, map[string]uint8{"tcp": protoTCP, "udp": protoUDP}[proto])
	var messages []wire.Message
	for _, p := range parts[1:] {
		m, err := w.message(strings.Fields(p), name, at)
		if err != nil {
			return nil, err
		}
		messages = append(messages, m...)
	}
	return append(out, f.events(len(head) > 3 && head[3] == "silent", messages...)...), nil
}

func splitPort(s string) (string, uint16, error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", 0, fmt.Errorf("no port in %q", s)
	}
	port, err := strconv.ParseUint(s[i+1:], 10, 16)
	return strings.Trim(s[:i], "[]"), uint16(port), err
}

// address reads the name of a device or an address.
func (w *world) address(s string) (netip.Addr, error) {
	for a, d := range w.devices {
		if d.Name == s {
			return a, nil
		}
	}
	return netip.ParseAddr(s)
}

// opened is a flow that is being written.
type opened struct{ r flow.Record }

func (w *world) open(at time.Time, client, server netip.Addr, port uint16, proto uint8) *opened {
	w.flows++
	r := flow.Record{
		ID: w.flows, Proto: proto, Initiator: flow.ByPort,
		Client: flow.Endpoint{Addr: client, Port: 32768 + uint16(w.flows%28000)},
		Server: flow.Endpoint{Addr: server, Port: port}, First: at.UnixNano(), Last: at.UnixNano(),
	}
	if proto == protoTCP {
		r.Initiator = flow.BySYN
	}
	return &opened{r}
}

// events are the Start of the flow, an Update for each message and the End,
// 100 ms apart.
func (o *opened) events(silent bool, messages ...wire.Message) []flow.Event {
	r := &o.r
	r.Packets[0], r.Bytes[0], r.Flags[0] = 1, 60, flagSYN
	out := []flow.Event{{Kind: flow.Start, Time: r.First, Record: *r}}
	if !silent {
		r.Packets[1], r.Bytes[1], r.Payload[1], r.Flags[0], r.Flags[1] = 3, 400, 300, flagSYN|flagACK, flagSYN|flagACK
		r.Payload[0] = 100
	}
	for _, m := range messages {
		r.Last += int64(100 * time.Millisecond)
		switch m.(type) {
		case *wire.ClientHello:
			r.App = "tls"
		case *wire.HTTPRequest:
			r.App = "http"
		}
		out = append(out, flow.Event{Kind: flow.Update, Time: r.Last, Record: *r, Messages: []wire.Message{m}})
	}
	if !silent {
		r.Payload[0] += 200
	}
	r.Last += int64(100 * time.Millisecond)
	return append(out, flow.Event{Kind: flow.End, Reason: flow.EndClosed, Time: r.Last, Record: *r})
}

func query(name string, qtype uint16) *wire.DNS {
	return &wire.DNS{Proto: "dns", Questions: []wire.DNSQuestion{{Name: name, Type: qtype, Class: 1}}}
}

func answer(name string, addrs ...netip.Addr) *wire.DNS {
	m := query(name, 1)
	m.Response = true
	for _, a := range addrs {
		m.Answers = append(m.Answers, wire.DNSRecord{Name: name, Type: 1, TTL: 60, Addr: a})
	}
	return m
}

var queryTypes = map[string]uint16{"A": 1, "CNAME": 5, "NULL": 10, "MX": 15, "TXT": 16, "AAAA": 28, "HTTPS": 65}

var versions = map[string]uint16{"1.0": 0x0301, "1.1": 0x0302, "1.2": 0x0303, "1.3": 0x0304}

// message reads one message. name is the name of the flow's server.
func (w *world) message(f []string, name string, at time.Time) ([]wire.Message, error) {
	if len(f) == 0 {
		return nil, errors.New("empty message")
	}
	arg := map[string]string{}
	for _, s := range f {
		if k, v, ok := strings.Cut(s, "="); ok {
			arg[k] = v
		}
	}
	kind := f[0]
	if len(f) > 1 && !strings.Contains(f[1], "=") {
		kind += " " + f[1]
	}
	switch kind {
	case "dns q":
		t, ok := queryTypes[f[3]]
		if !ok {
			return nil, fmt.Errorf("unknown query type %q", f[3])
		}
		return []wire.Message{query(f[2], t)}, nil
	case "dns nx":
		m := answer(f[2])
		m.RCode = rcodeNXDomain
		return []wire.Message{query(f[2], 1), m}, nil
	case "tls hello":
		sni, ok := arg["sni"]
		if !ok {
			sni = name
		}
		return []wire.Message{&wire.ClientHello{SNI: sni, JA4: arg["ja4"], Version: 0x0303}}, nil
	case "tls server":
		cipher, err := strconv.ParseUint(strings.TrimPrefix(arg["cipher"], "0x"), 16, 16)
		v, ok := versions[arg["version"]]
		if err != nil || !ok {
			return nil, fmt.Errorf("want version=1.2 cipher=c02f, not %q", f)
		}
		return []wire.Message{&wire.ServerHello{Version: v, Cipher: uint16(cipher)}}, nil
	case "tls cert":
		return w.authority.message(arg)
	case "tls refuse":
		return []wire.Message{&wire.TLSAlert{From: wire.FromClient, Fatal: true, Description: 45}}, nil
	case "http GET", "http POST", "http CONNECT":
		host, ok := arg["host"]
		if !ok {
			host = name
		}
		target := "/"
		if f[1] == "CONNECT" {
			target = host
		}
		return []wire.Message{&wire.HTTPRequest{Method: f[1], Target: target, Host: host}}, nil
	case "socks":
		host, port, err := splitPort(arg["to"])
		return []wire.Message{&wire.Socks{Version: 5, Command: socksConnect, Host: host, Port: port, Answered: true}}, err
	case "http":
		status, err := strconv.Atoi(arg["status"])
		return []wire.Message{&wire.HTTPResponse{Status: status, Location: arg["location"]}}, err
	}
	return nil, fmt.Errorf("unknown message %q", f)
}

// authority signs the certificates of scenarios.
type authority struct {
	tb         testing.TB
	trusted    *x509.Certificate
	trustedKey *ecdsa.PrivateKey
	private    *x509.Certificate
	privateKey *ecdsa.PrivateKey
	roots      *x509.CertPool
	serial     int64
	messages   map[string]*wire.Certificate // by arguments: a server shows the same one each time
}

func newAuthority(tb testing.TB) *authority {
	a := &authority{tb: tb, roots: x509.NewCertPool(), messages: map[string]*wire.Certificate{}}
	a.trusted, a.trustedKey = a.root("Scenario Trust")
	a.private, a.privateKey = a.root("Vendor Device Root")
	a.roots.AddCert(a.trusted)
	return a
}

func (a *authority) root(name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: epoch.AddDate(-5, 0, 0), NotAfter: epoch.AddDate(20, 0, 0),
	}
	return a.sign(c, nil, nil)
}

// sign issues a certificate; without a parent it is self-signed.
func (a *authority) sign(c, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.tb.Fatal(err)
	}
	a.serial++
	c.SerialNumber = big.NewInt(a.serial)
	if parent == nil {
		parent, parentKey = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, parentKey)
	if err != nil {
		a.tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.tb.Fatal(err)
	}
	return cert, key
}

// message reads "by=trusted|private|self name=... from=DAY to=DAY".
func (a *authority) message(arg map[string]string) ([]wire.Message, error) {
	id := fmt.Sprint(arg)
	if m := a.messages[id]; m != nil {
		return []wire.Message{m}, nil
	}
	from, err1 := strconv.Atoi(arg["from"])
	to, err2 := strconv.Atoi(arg["to"])
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("read validity: %w", err)
	}
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: arg["name"]}, DNSNames: []string{arg["name"]},
		NotBefore: epoch.AddDate(0, 0, from), NotAfter: epoch.AddDate(0, 0, to),
	}
	switch arg["by"] {
	case "trusted":
		c, _ = a.sign(c, a.trusted, a.trustedKey)
	case "private":
		c, _ = a.sign(c, a.private, a.privateKey)
	case "self":
		c, _ = a.sign(c, nil, nil)
	default:
		return nil, fmt.Errorf("signed by=%q: want trusted, private or self", arg["by"])
	}
	m := &wire.Certificate{
		Raw: [][]byte{c.Raw}, Subject: c.Subject.String(), Issuer: c.Issuer.String(),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, Names: c.DNSNames,
	}
	a.messages[id] = m
	return []wire.Message{m}, nil
}
