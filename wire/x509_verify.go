package wire

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// CertFaults is a set of things that are wrong with a certificate chain. The
// lower bit is the worse fault: first what makes the leaf worthless on its own
// evidence, last what depends on the judge.
type CertFaults uint8

// Faults of a chain.
const (
	FaultUnparsable       CertFaults = 1 << iota // the leaf cannot be read at all
	FaultBroken                                  // a signature or a constraint in the chain does not hold
	FaultExpired                                 // the leaf's validity has ended
	FaultNotYetValid                             // the leaf's validity has not begun
	FaultSelfSigned                              // the leaf signed itself and is no trusted root
	FaultNameMismatch                            // the leaf is for other names
	FaultUnknownAuthority                        // no path to a trusted root, for another reason than FaultSelfSigned
	FaultWeak                                    // MD5, SHA-1, RSA below 2048 bits, or an encoding that crypto/x509 refuses
)

// CertStatus names the worst fault of a chain, or the absence of any.
type CertStatus string

// Statuses. FaultBroken and FaultWeak share a name and differ in rank.
const (
	CertValid            CertStatus = "valid"
	CertUnparsable       CertStatus = "unparsable"
	CertWeakOrBroken     CertStatus = "weak_or_broken"
	CertExpired          CertStatus = "expired"
	CertNotYetValid      CertStatus = "not_yet_valid"
	CertSelfSigned       CertStatus = "self_signed"
	CertNameMismatch     CertStatus = "name_mismatch"
	CertUnknownAuthority CertStatus = "unknown_authority"
)

// Status is the name of the worst fault in the set.
func (f CertFaults) Status() CertStatus {
	switch f & -f { // the lowest bit
	case 0:
		return CertValid
	case FaultUnparsable:
		return CertUnparsable
	case FaultExpired:
		return CertExpired
	case FaultNotYetValid:
		return CertNotYetValid
	case FaultSelfSigned:
		return CertSelfSigned
	case FaultNameMismatch:
		return CertNameMismatch
	case FaultUnknownAuthority:
		return CertUnknownAuthority
	}
	return CertWeakOrBroken
}

// String lists the statuses of all faults, worst first: "expired,self_signed".
func (f CertFaults) String() string {
	if f == 0 {
		return string(CertValid)
	}
	var names []string
	for ; f != 0; f &= f - 1 {
		names = append(names, string(f.Status()))
	}
	return strings.Join(names, ",")
}

// Verdict is the judgement on a certificate chain.
type Verdict struct {
	Status CertStatus // the worst fault
	Faults CertFaults // all of them
	Detail string     // one clause per fault, for people; "" if valid
	// ExpiredBy is how long the leaf's validity had been over; 0 unless
	// FaultExpired is set.
	ExpiredBy time.Duration
}

// maxRSABits bounds the keys that are verified with: a certificate that fits
// into a handshake can hold a key that takes seconds (CVE-2023-29409, where
// crypto/tls chose the same bound).
const maxRSABits = 8192

// minRSABits is what the CA/Browser Forum's baseline requirements (6.1.5) ask
// for; insecureRSABits is the size below which crypto/rsa refuses to work.
const (
	minRSABits      = 2048
	insecureRSABits = 1024
)

// DefaultRoots returns the root certificates of the Mozilla programme that are
// built into the binary, with their constraints. It parses some 150
// certificates: call it once and keep the pool.
func DefaultRoots() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return nil, fmt.Errorf("parse built-in root certificate: %w", err)
		}
		if root.Constraint == nil {
			pool.AddCert(cert)
		} else {
			pool.AddCertWithConstraint(cert, root.Constraint)
		}
	}
	return pool, nil
}

// RootsFromPEM returns a pool of every certificate in PEM data, such as a
// private authority's. It is an error if there is none or one cannot be
// parsed; blocks of other types are passed over.
func RootsFromPEM(data []byte) (*x509.CertPool, error) {
	pool, count := x509.NewCertPool(), 0
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse root certificate %d: %w", count+1, err)
		}
		pool.AddCert(cert)
		count++
	}
	if count == 0 {
		return nil, errors.New("read root certificates: no PEM certificate found")
	}
	return pool, nil
}

// VerifyChain judges a chain as sent by a server, leaf first in DER, at a
// given time. roots is what is trusted, nil for nothing; name is the host name
// or address that the client asked for, "" if unknown, in which case names are
// not judged. Faults are found independently of each other: a certificate of
// an unknown authority still expires. No more than 10 certificates and 64 KiB
// are looked at. It does not consult revocation lists.
func VerifyChain(chain [][]byte, roots *x509.CertPool, name string, at time.Time) Verdict {
	j := judgement{at: at}
	j.run(chain, roots, name)
	return Verdict{
		Status: j.faults.Status(), Faults: j.faults,
		Detail: strings.Join(j.clauses, "; "), ExpiredBy: j.expiredBy,
	}
}

// judgement collects faults.
type judgement struct {
	at        time.Time
	faults    CertFaults
	clauses   []string
	expiredBy time.Duration
}

func (j *judgement) add(f CertFaults, format string, args ...any) {
	j.faults |= f
	j.clauses = append(j.clauses, fmt.Sprintf(format, args...))
}

func (j *judgement) run(chain [][]byte, roots *x509.CertPool, name string) {
	if len(chain) == 0 || len(chain[0]) > maxChainBytes {
		j.add(FaultUnparsable, "no certificate to judge")
		return
	}
	fields, readErr := readCert(chain[0])
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil && readErr != nil {
		j.add(FaultUnparsable, "%v", err)
		return
	}
	if err != nil {
		j.add(FaultWeak, "leaf is not well formed: %v", err)
		j.validity(fields.notBefore, fields.notAfter)
		if fields.selfIssued() {
			j.add(FaultSelfSigned, "self-signed")
		} else {
			j.add(FaultUnknownAuthority, "its signature cannot be checked")
		}
		return
	}
	j.validity(leaf.NotBefore, leaf.NotAfter)
	others := parseOthers(chain[1:], maxChainBytes-len(chain[0]))
	j.trust(leaf, others, roots)
	j.name(leaf, name)
	j.strength(leaf, "leaf")
	for _, c := range others {
		if !bytes.Equal(c.RawSubject, c.RawIssuer) { // a root's own signature proves nothing
			j.strength(c, "intermediate")
		}
	}
}

// parseOthers parses the certificates after the leaf, within the bounds, and
// leaves out those that cannot be parsed or whose key is too large.
func parseOthers(ders [][]byte, budget int) []*x509.Certificate {
	var list []*x509.Certificate
	for _, der := range ders[:min(len(ders), maxChainCerts-1)] {
		if budget -= len(der); budget < 0 {
			break
		}
		if c, err := x509.ParseCertificate(der); err == nil && rsaBits(c) <= maxRSABits {
			list = append(list, c)
		}
	}
	return list
}

// rsaBits is 0 for other kinds of keys.
func rsaBits(c *x509.Certificate) int {
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok {
		return key.N.BitLen()
	}
	return 0
}

func (j *judgement) validity(from, to time.Time) {
	const day = 24 * time.Hour
	switch {
	case j.at.After(to):
		j.expiredBy = j.at.Sub(to)
		j.add(FaultExpired, "expired %s, %d days before", to.UTC().Format(time.DateTime), j.expiredBy/day)
	case j.at.Before(from):
		j.add(FaultNotYetValid, "not valid before %s, in %d days", from.UTC().Format(time.DateTime), from.Sub(j.at)/day)
	}
}

// trust looks for a path to a root. The leaf's own dates are judged elsewhere,
// so the path is looked for at the nearest moment at which the leaf was valid.
func (j *judgement) trust(leaf *x509.Certificate, others []*x509.Certificate, roots *x509.CertPool) {
	if bits := rsaBits(leaf); bits > maxRSABits {
		j.add(FaultBroken, "leaf key of %d bits", bits)
	}
	if roots == nil {
		roots = x509.NewCertPool() // a nil pool would mean the system's
	}
	opts := x509.VerifyOptions{
		Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: j.at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	if j.at.After(leaf.NotAfter) {
		opts.CurrentTime = leaf.NotAfter
	} else if j.at.Before(leaf.NotBefore) {
		opts.CurrentTime = leaf.NotBefore
	}
	for _, c := range others {
		opts.Intermediates.AddCert(c)
	}
	_, err := leaf.Verify(opts)
	if err == nil {
		return
	}
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case bytes.Equal(leaf.RawSubject, leaf.RawIssuer) && ownSignature(leaf):
		j.add(FaultSelfSigned, "self-signed")
	case forged(leaf, others):
		j.add(FaultBroken, "its signature is not that of the issuer in the chain")
	case isInvalid && (invalid.Reason == x509.NotAuthorizedToSign ||
		invalid.Reason == x509.CANotAuthorizedForThisName || invalid.Reason == x509.TooManyIntermediates):
		j.add(FaultBroken, "%v", err)
	default:
		j.add(FaultUnknownAuthority, "no path to a trusted root: %v", err)
	}
}

// ownSignature reports whether a certificate was signed by its own key. Where
// crypto/x509 cannot tell (MD5, tiny or outsized keys, unknown algorithms),
// equal names have to do.
func ownSignature(c *x509.Certificate) bool {
	if c == nil || unverifiable(c, c) {
		return true
	}
	return c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// unverifiable reports whether crypto/x509 would not even try to check a
// signature of parent.
func unverifiable(c, parent *x509.Certificate) bool {
	switch c.SignatureAlgorithm {
	case x509.UnknownSignatureAlgorithm, x509.MD2WithRSA, x509.MD5WithRSA, x509.DSAWithSHA1, x509.DSAWithSHA256:
		return true
	}
	bits := rsaBits(parent)
	return bits > maxRSABits || bits > 0 && bits < insecureRSABits
}

// forged reports whether the chain holds the leaf's issuer by name and key
// identifier, and none of those has signed the leaf.
func forged(leaf *x509.Certificate, others []*x509.Certificate) bool {
	found := false
	for _, c := range others {
		if !bytes.Equal(c.RawSubject, leaf.RawIssuer) || unverifiable(leaf, c) ||
			len(c.SubjectKeyId) > 0 && len(leaf.AuthorityKeyId) > 0 && !bytes.Equal(c.SubjectKeyId, leaf.AuthorityKeyId) {
			continue
		}
		if c.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil {
			return false
		}
		found = true
	}
	return found
}

// name compares the name that was asked for. Certificates without any
// alternative name are matched by common name, as their issuers meant them
// (RFC 6125 section 6.4.4); devices with their own authority still use them.
func (j *judgement) name(leaf *x509.Certificate, name string) {
	name = strings.TrimSuffix(name, ".")
	if name == "" || leaf.VerifyHostname(name) == nil {
		return
	}
	bare := len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses)+len(leaf.URIs) == 0
	if bare && leaf.Subject.CommonName != "" {
		named := x509.Certificate{DNSNames: []string{leaf.Subject.CommonName}}
		if strings.EqualFold(leaf.Subject.CommonName, name) || named.VerifyHostname(name) == nil {
			return
		}
	}
	j.add(FaultNameMismatch, "not issued for %q", name)
}

func (j *judgement) strength(c *x509.Certificate, who string) {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		j.add(FaultWeak, "%s signed with %v", who, c.SignatureAlgorithm)
	}
	if bits := rsaBits(c); bits > 0 && bits < minRSABits {
		j.add(FaultWeak, "%s has a %d-bit RSA key", who, bits)
	}
}
