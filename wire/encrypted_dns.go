package wire

import "slices"

// EncryptedDNS tells a handshake whose connection carries DNS queries that
// nobody on the way can read: "dot" is DNS over TLS (RFC 7858), "doq" over QUIC
// (RFC 9250), "doh" over HTTPS (RFC 8484); "" if nothing says so. port is the
// server's. DoT and DoQ are told by their application protocol or their port;
// DoH looks like any other HTTPS and is told only by the name of a well-known
// public resolver.
func (m *ClientHello) EncryptedDNS(port uint16) string {
	const registered = 853
	switch quic := m.Proto == "quic"; {
	case slices.Contains(m.ALPN, "doq"), quic && port == registered:
		return "doq"
	case slices.Contains(m.ALPN, "dot"), m.Proto == "" && port == registered:
		return "dot"
	case m.Proto != "dtls" && publicResolver(m.SNI):
		return "doh"
	}
	return ""
}

// publicResolver tells the names under which the resolvers that browsers and
// routers offer serve DoH, and that serve little else (Chromium's and Firefox's
// lists of providers, 2025).
func publicResolver(name string) bool {
	switch name {
	case "dns.google", "dns.google.com", "dns64.dns.google",
		"cloudflare-dns.com", "chrome.cloudflare-dns.com", "mozilla.cloudflare-dns.com",
		"security.cloudflare-dns.com", "family.cloudflare-dns.com", "one.one.one.one",
		"dns.quad9.net", "dns9.quad9.net", "dns10.quad9.net", "dns11.quad9.net",
		"doh.opendns.com", "doh.familyshield.opendns.com", "dns.umbrella.com",
		"dns.nextdns.io", "chromium.dns.nextdns.io", "firefox.dns.nextdns.io",
		"dns.adguard.com", "dns.adguard-dns.com", "family.adguard-dns.com", "unfiltered.adguard-dns.com",
		"doh.cleanbrowsing.org", "dns.mullvad.net", "adblock.dns.mullvad.net", "base.dns.mullvad.net",
		"freedns.controld.com", "doh.dns.sb", "dns.alidns.com", "doh.pub", "dns.switch.ch", "odvr.nic.cz",
		"doh.xfinity.com", "private.canadianshield.cira.ca", "doh.apple.com":
		return true
	}
	return false
}
