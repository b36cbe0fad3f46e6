package wire

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"net/netip"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds on what is kept of a certificate chain.
const (
	maxChainCerts = 10
	maxChainBytes = 64 << 10
	maxCertNames  = 100
	// maxSerialBytes: RFC 5280 section 4.1.2.2 allows 20, some authorities use more.
	maxSerialBytes = 64
)

var errCert = fmt.Errorf("read certificate: %w", ErrMalformed)

// parseCertificate parses the body of a Certificate message of TLS 1.2 and
// older: a list of certificates, each behind a 24-bit length. cut says that
// the end of the message is missing; then the complete certificates before it
// are kept. It returns nil if there is nothing to report, as for the empty
// list of a client that has no certificate.
func (c *chains) parseCertificate(body []byte, fromClient, cut bool) *Certificate {
	s := cryptobyte.String(body)
	var size uint32
	if !s.ReadUint24(&size) || len(s) == 0 {
		return nil
	}
	list := completeCertificates(s)
	m := new(Certificate)
	switch known := c.find(list); {
	case known != nil:
		*m = *known
	case len(list) == 0:
		m.ParseError = "no complete certificate in the message"
	default:
		list = bytes.Clone(list) // which m and c hold on to
		m.readList(list)
		c.remember(list, m)
	}
	m.FromClient, m.Truncated = fromClient, cut
	return m
}

// completeCertificates is the head of a list that is read: its certificates up
// to one that is cut off, within the bounds.
func completeCertificates(list cryptobyte.String) []byte {
	rest, total := list, 0
	for range maxChainCerts {
		after := rest
		var der cryptobyte.String
		if !after.ReadUint24LengthPrefixed(&der) {
			break
		}
		if total += len(der); total > maxChainBytes {
			break
		}
		rest = after
	}
	return list[:len(list)-len(rest)]
}

// readList reads a list of complete certificates, which m holds on to.
func (m *Certificate) readList(list cryptobyte.String) {
	var der cryptobyte.String
	for list.ReadUint24LengthPrefixed(&der) {
		m.Raw = append(m.Raw, der[:len(der):len(der)])
	}
	m.describeLeaf()
}

// Bounds of the chains that are remembered: the devices of a home see some
// hundred in a day, nearly all of 2 to 5 KiB.
const (
	maxChainsKept = 1 << 20 // bytes of all
	maxOneChain   = 16 << 10
	chainFields   = 1 << 10 // of these, about what is known of one besides its certificates
)

// chains remembers certificate messages: reading one takes some 10 µs and a
// hundred allocations, and a server shows the same one for weeks. Messages that
// are the same share the memory of their certificates. It belongs to one
// goroutine. A nil *chains remembers nothing.
type chains struct {
	seed  maphash.Seed
	known map[uint64]knownChain // by a hash of the list
	size  int
}

// knownChain is a message and the list that it was read from, as hashes of two
// lists may be equal.
type knownChain struct {
	list []byte
	m    *Certificate
}

// find returns what a list was read as, nil if that is not known.
func (c *chains) find(list []byte) *Certificate {
	if c == nil || c.known == nil || len(list) == 0 {
		return nil
	}
	if k := c.known[maphash.Bytes(c.seed, list)]; bytes.Equal(k.list, list) {
		return k.m
	}
	return nil
}

// remember notes what a list was read as.
func (c *chains) remember(list []byte, m *Certificate) {
	if c == nil || len(list) > maxOneChain {
		return
	}
	need := len(list) + chainFields
	if c.known == nil || c.size+need > maxChainsKept {
		c.seed, c.known, c.size = maphash.MakeSeed(), make(map[uint64]knownChain), 0
	}
	c.size += need
	own := *m // a message is its receiver's, who may change it
	c.known[maphash.Bytes(c.seed, list)] = knownChain{list, &own}
}

// describeLeaf fills the fields that describe the leaf. crypto/x509 is strict
// about encodings that old devices get wrong, so that the description rests on
// a tolerant reading and crypto/x509 only says what is wrong.
func (m *Certificate) describeLeaf() {
	der := m.Raw[0]
	strict, err := x509.ParseCertificate(der)
	if err != nil {
		m.ParseError = err.Error()
	}
	leaf, err := readCert(der)
	if err != nil {
		return
	}
	m.Subject, m.Issuer = distinguishedName(leaf.subject), distinguishedName(leaf.issuer)
	m.Serial = leaf.serial
	m.NotBefore, m.NotAfter = leaf.notBefore, leaf.notAfter
	m.SPKI = sha256.Sum256(leaf.publicKey)
	m.Names = leaf.names
	m.SelfSigned = leaf.selfIssued() && ownSignature(strict)
}

// certFields is what a tolerant reading finds in a certificate. The byte
// slices alias it.
type certFields struct {
	serial              string // hex
	subject, issuer     []byte // DER names
	notBefore, notAfter time.Time
	publicKey           []byte // DER SubjectPublicKeyInfo
	names               []string
}

func (c *certFields) selfIssued() bool { return string(c.subject) == string(c.issuer) }

// readCert reads the fields of a certificate (RFC 5280 section 4.1) without
// judging them: any version, negative serial numbers, any key, any signature.
func readCert(der []byte) (certFields, error) {
	var c certFields
	input := cryptobyte.String(der)
	var cert, tbs, serial, issuer, validity, subject, key cryptobyte.String
	if !input.ReadASN1(&cert, cbasn1.SEQUENCE) || !cert.ReadASN1(&tbs, cbasn1.SEQUENCE) ||
		!tbs.SkipOptionalASN1(cbasn1.Tag(0).Constructed().ContextSpecific()) ||
		!tbs.ReadASN1(&serial, cbasn1.INTEGER) || !tbs.SkipASN1(cbasn1.SEQUENCE) ||
		!tbs.ReadASN1Element(&issuer, cbasn1.SEQUENCE) ||
		!tbs.ReadASN1(&validity, cbasn1.SEQUENCE) ||
		!tbs.ReadASN1Element(&subject, cbasn1.SEQUENCE) ||
		!tbs.ReadASN1Element(&key, cbasn1.SEQUENCE) {
		return c, errCert
	}
	var ok bool
	if c.notBefore, ok = readTime(&validity); !ok {
		return c, errCert
	}
	if c.notAfter, ok = readTime(&validity); !ok {
		return c, errCert
	}
	c.serial = hex.EncodeToString(serial[:min(len(serial), maxSerialBytes)])
	c.issuer, c.subject, c.publicKey = issuer, subject, key
	c.names = alternativeNames(tbs)
	return c, nil
}

// readTime reads a UTCTime or GeneralizedTime with or without seconds and
// with or without a zone; RFC 5280 wants seconds and "Z".
func readTime(s *cryptobyte.String) (time.Time, bool) {
	var text cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&text, &tag) || len(text) > 32 {
		return time.Time{}, false
	}
	century := ""
	switch tag {
	case cbasn1.UTCTime:
		// Two-digit years below 50 are of this century, RFC 5280 section 4.1.2.5.1.
		if len(text) == 0 {
			return time.Time{}, false
		}
		if century = "19"; text[0] < '5' {
			century = "20"
		}
	case cbasn1.GeneralizedTime:
	default:
		return time.Time{}, false
	}
	for _, layout := range []string{"20060102150405Z0700", "200601021504Z0700", "20060102150405", "200601021504"} {
		if t, err := time.Parse(layout, century+string(text)); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// oidSubjectAltName is 2.5.29.17 in DER.
const oidSubjectAltName = "\x55\x1d\x11"

// alternativeNames finds the DNS names and addresses in what follows the
// public key of a certificate.
func alternativeNames(tbs cryptobyte.String) []string {
	var extensions, list cryptobyte.String
	for _, tag := range []cbasn1.Tag{1, 2} { // obsolete unique identifiers
		if !tbs.SkipOptionalASN1(tag.ContextSpecific()) {
			return nil
		}
	}
	if !tbs.ReadASN1(&list, cbasn1.Tag(3).Constructed().ContextSpecific()) ||
		!list.ReadASN1(&extensions, cbasn1.SEQUENCE) {
		return nil
	}
	var extension, oid, value, general cryptobyte.String
	for extensions.ReadASN1(&extension, cbasn1.SEQUENCE) {
		if extension.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) && string(oid) == oidSubjectAltName &&
			extension.SkipOptionalASN1(cbasn1.BOOLEAN) &&
			extension.ReadASN1(&value, cbasn1.OCTET_STRING) && value.ReadASN1(&general, cbasn1.SEQUENCE) {
			return generalNames(general)
		}
	}
	return nil
}

func generalNames(list cryptobyte.String) []string {
	var names []string
	var value cryptobyte.String
	var tag cbasn1.Tag
	for len(names) < maxCertNames && list.ReadAnyASN1(&value, &tag) {
		switch tag {
		case cbasn1.Tag(2).ContextSpecific(): // dNSName
			if len(value) <= maxDNSName {
				names = append(names, plainText(value))
			}
		case cbasn1.Tag(7).ContextSpecific(): // iPAddress
			if addr, ok := netip.AddrFromSlice(value); ok {
				names = append(names, addr.String())
			}
		}
	}
	return names
}
