package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// site is one host name of the simulated internet.
type site struct {
	host   string
	domain string   // registered domain
	chain  []string // CNAMEs between host and addresses
	ttl    uint32   // of its records, seconds
	count  int      // addresses in one answer
	ipv6   bool     // has AAAA records
	nets   []netip.Prefix
	rotate time.Duration // addresses change this often; 0 means never
	far    time.Duration // one-way delay from the gateway
	max    uint16        // highest TLS version
	quic   bool
	turned time.Time // a moment at which the certificate is replaced, others follow from it
	moved  instant   // other addresses from here on; 0 means never

	mitm []impostor

	epoch int64 // of addrs
	addrs []netip.Addr
}

// impostor is somebody or something who answers in a site's place for a while.
type impostor struct {
	window
	kind impostorKind
}

type impostorKind int

const (
	impostorSelfSigned impostorKind = iota + 1 // another certificate
	impostorOldVersion                         // TLS 1.0 and a weak cipher suite
	impostorLapsed                             // the usual certificate, past its end
)

func (s *site) impostor(now instant) impostorKind {
	for _, m := range s.mitm {
		if now.within(m.from, m.until) {
			return m.kind
		}
	}
	return 0
}

// clouds are networks in which hosting companies and CDNs really live; which
// of them a site uses is drawn.
var clouds = []string{
	"3.120.0.0/16", "18.184.0.0/16", "18.195.0.0/16", "34.240.0.0/16", "34.251.0.0/16", "35.156.0.0/16",
	"52.28.0.0/16", "52.57.0.0/16", "54.93.0.0/16", "54.154.0.0/16", "13.107.0.0/16", "20.50.0.0/16",
	"20.73.0.0/16", "40.113.0.0/16", "104.16.0.0/16", "104.18.0.0/16", "172.64.0.0/16", "142.250.0.0/16",
	"172.217.0.0/16", "216.58.0.0/16", "151.101.0.0/16", "146.75.0.0/16", "23.50.0.0/16", "2.16.0.0/16",
	"95.100.0.0/16", "88.198.0.0/16", "5.9.0.0/16", "46.4.0.0/16", "51.15.0.0/16", "185.60.0.0/16",
}

// internet is everything behind the gateway.
type internet struct {
	seed  uint64
	start time.Time
	ca    *authority
	sites map[string]*site
	peers map[netip.Addr]*peer
	gate  *peer
}

// site returns a host, made up on first use: the same seed gives the same.
func (n *internet) site(host string) *site {
	if s := n.sites[host]; s != nil {
		return s
	}
	r := newStream(n.seed, "site/"+host)
	s := &site{host: host, domain: registered(host), epoch: -1}
	s.ttl = pick(r, []uint32{60, 60, 120, 300, 300, 600, 3600})
	s.count = pick(r, []int{1, 1, 2, 2, 4})
	s.ipv6 = r.chance(450)
	s.far = r.span(4*time.Millisecond, 45*time.Millisecond)
	s.max = tls13
	if r.chance(140) {
		s.max = tls12
	}
	s.quic = s.max == tls13 && r.chance(300)
	cloud := netip.MustParsePrefix(pick(r, clouds))
	for range r.between(1, 3) {
		s.nets = append(s.nets, subnet(r, cloud))
	}
	if r.chance(400) {
		label, _, _ := strings.Cut(host, ".")
		s.chain = []string{fmt.Sprintf("%s-%s.%s", label, r.letters("0123456789abcdef", 8), pick(r, cdnDomains))}
	}
	s.turned = n.start.Add(-certTurn + r.span(0, certTurn))
	n.sites[host] = s
	return s
}

// cdnDomains carry the addresses of sites that use a CDN.
var cdnDomains = []string{"edge.swiftcast.net", "map.quicklane.net", "g.cloudbreeze.net", "trafficpilot.net"}

// subnet draws a /24 out of a larger network.
func subnet(r *stream, cloud netip.Prefix) netip.Prefix {
	a := cloud.Addr().As4()
	a[2] = byte(r.n(256))
	return netip.PrefixFrom(netip.AddrFrom4(a), 24)
}

// registered is the registered domain of the names used here, all of which
// stand directly under a one-label public suffix or under pool.ntp.org.
func registered(host string) string {
	labels := strings.Split(host, ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}

// addresses are those in a DNS answer at a given time.
func (n *internet) addresses(s *site, now instant) []netip.Addr {
	epoch := int64(0)
	if s.rotate > 0 {
		epoch = int64(now) / int64(s.rotate)
	}
	nets := s.nets
	if s.moved != 0 && now >= s.moved {
		epoch += 1 << 40
		r := newStream(n.seed, "moved/"+s.host)
		cloud := netip.MustParsePrefix(pick(r, clouds))
		nets = []netip.Prefix{subnet(r, cloud), subnet(r, cloud), subnet(r, netip.MustParsePrefix(pick(r, clouds)))}
	}
	if epoch == s.epoch {
		return s.addrs
	}
	r := newStream(n.seed, fmt.Sprintf("addresses/%s/%d", s.host, epoch))
	s.epoch, s.addrs = epoch, nil
	for range s.count {
		if a := r.addrIn(pick(r, nets)); !slices.Contains(s.addrs, a) {
			s.addrs = append(s.addrs, a)
		}
	}
	return s.addrs
}

// peer is the far end at an address.
func (n *internet) peer(ip netip.Addr, far time.Duration) *peer {
	if p := n.peers[ip]; p != nil {
		return p
	}
	r := newStream(n.seed, "peer/"+ip.String())
	p := &peer{mac: n.gate.mac, ip: ip, raw: ip.AsSlice(), ttl: uint8(r.between(44, 60)), far: far, wan: true}
	n.peers[ip] = p
	return p
}

// certificate is what the site itself presents at a given time: a new
// certificate with a new key every certTurn.
func (n *internet) certificate(s *site, now instant) (*identity, error) {
	return n.ca.leaf(s.host, s.domain, certIssue(s.turned, now.time()))
}

// certIssue is the last moment of renewal at or before now, an hour early, as
// authorities date certificates back.
func certIssue(turned, now time.Time) time.Time {
	turns := int64(now.Sub(turned) / certTurn)
	if now.Before(turned) && now.Sub(turned)%certTurn != 0 {
		turns--
	}
	return turned.Add(time.Duration(turns) * certTurn).Add(-time.Hour).Truncate(time.Second)
}

// serve decides how a site answers a ClientHello.
func (n *internet) serve(s *site, ch *clientHello, now instant) (serverSide, error) {
	side := serverSide{version: tls12}
	if s.max == tls13 && ch.style.offers13() {
		side.version = tls13
	}
	var ok bool
	if side.cipher, ok = choose(ch.style, side.version); !ok {
		return side, fmt.Errorf("no common cipher suite with %s", s.host)
	}
	if len(ch.style.alpn) > 0 {
		side.alpn = ch.style.alpn[0]
	}
	var err error
	switch s.impostor(now) {
	case impostorSelfSigned:
		// Only below TLS 1.3 the certificate can be seen.
		side.version = tls12
		side.cipher, _ = choose(ch.style, tls12)
		side.id, err = n.ca.selfSigned(s.host, s.mitm[0].from.time().Add(-26*time.Hour).Truncate(time.Second))
		return side, err
	case impostorOldVersion:
		side.version, side.cipher = tls10, weak
		side.alpn = ""
	case impostorLapsed:
		side.id, err = n.ca.leaf(s.host, s.domain, lapsedIssue(s.mitm[0].from))
		return side, err
	}
	if side.version < tls13 {
		side.id, err = n.certificate(s, now)
	}
	return side, err
}

// lapsedIssue is when a certificate was issued that has been invalid for three
// days at the given time.
func lapsedIssue(from instant) time.Time {
	return from.time().Add(-certLife - 3*24*time.Hour).Truncate(time.Second)
}
