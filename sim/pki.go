package sim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// authority is the simulated public certificate authority: a root that
// everybody trusts and an intermediate that signs the servers' certificates.
//
// Everything is P-256 with keys derived from the seed and signatures by RFC
// 6979, so that the same seed gives the same bytes.
type authority struct {
	seed         uint64
	root, inter  *x509.Certificate
	rootDER      []byte
	interDER     []byte
	rootKey, key *ecdsa.PrivateKey
	issued       map[string]*identity
}

// identity is a server's certificate chain with its private key.
type identity struct {
	chain [][]byte // DER, leaf first, without the root
	key   *ecdsa.PrivateKey
}

// certLife and certTurn are how long certificates are valid and after how long
// they are replaced: Let's Encrypt's 90 days and its advice of 60.
const (
	certLife = 90 * 24 * time.Hour
	certTurn = 60 * 24 * time.Hour
)

func newAuthority(seed uint64, start time.Time) (*authority, error) {
	a := &authority{seed: seed, issued: make(map[string]*identity)}
	var err error
	if a.rootKey, err = a.newKey("root"); err != nil {
		return nil, err
	}
	if a.key, err = a.newKey("intermediate"); err != nil {
		return nil, err
	}
	since := start.AddDate(-4, 0, 0).Truncate(24 * time.Hour)
	rootName := pkix.Name{Country: []string{"NL"}, Organization: []string{"Simulated Trust Services"}, CommonName: "Simulated Root R1"}
	a.root, a.rootDER, err = a.certify(&x509.Certificate{
		SerialNumber: a.serial("root"), Subject: rootName,
		NotBefore: since, NotAfter: since.AddDate(25, 0, 0),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, nil, a.rootKey, a.rootKey)
	if err != nil {
		return nil, fmt.Errorf("issue root: %w", err)
	}
	a.inter, a.interDER, err = a.certify(&x509.Certificate{
		SerialNumber: a.serial("intermediate"),
		Subject:      pkix.Name{Country: []string{"NL"}, Organization: []string{"Simulated Trust Services"}, CommonName: "E7"},
		NotBefore:    since.AddDate(0, 1, 0), NotAfter: since.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.root, a.key, a.rootKey)
	if err != nil {
		return nil, fmt.Errorf("issue intermediate: %w", err)
	}
	return a, nil
}

// newKey derives a private key. The digest is below the order of P-256 but for
// one name in 2^32; then the next number gives another.
func (a *authority) newKey(name string) (*ecdsa.PrivateKey, error) {
	var err error
	for i := range 8 {
		sum := digest(a.seed, fmt.Sprintf("key/%d/%s", i, name))
		var key *ecdsa.PrivateKey
		if key, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), sum[:]); err == nil {
			return key, nil
		}
	}
	return nil, fmt.Errorf("derive key of %s: %w", name, err)
}

func (a *authority) serial(name string) *big.Int {
	sum := digest(a.seed, "serial/"+name)
	sum[0] = sum[0]&0x7f | 0x04 // positive and of full length
	return new(big.Int).SetBytes(sum[:18])
}

// certify signs a certificate for the public half of key; a nil parent means
// self-signed.
func (a *authority) certify(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (*x509.Certificate, []byte, error) {
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(nil, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, nil, fmt.Errorf("sign certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("read back certificate: %w", err)
	}
	return cert, der, nil
}

// leaf returns the identity of a host whose certificate was issued at the given
// time, with a key of its own.
func (a *authority) leaf(host, domain string, issued time.Time) (*identity, error) {
	name := fmt.Sprintf("%s/%d", host, issued.Unix())
	if id := a.issued[name]; id != nil {
		return id, nil
	}
	key, err := a.newKey(name)
	if err != nil {
		return nil, err
	}
	names := []string{host}
	if host != domain {
		names = append(names, "*."+domain)
	}
	_, der, err := a.certify(&x509.Certificate{
		SerialNumber: a.serial(name), Subject: pkix.Name{CommonName: host}, DNSNames: names,
		NotBefore: issued, NotAfter: issued.Add(certLife),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.inter, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("issue certificate of %s: %w", host, err)
	}
	id := &identity{chain: [][]byte{der, a.interDER}, key: key}
	a.issued[name] = id
	return id, nil
}

// selfSigned returns what a man in the middle makes up for a host.
func (a *authority) selfSigned(host string, issued time.Time) (*identity, error) {
	name := "self-signed/" + host
	if id := a.issued[name]; id != nil {
		return id, nil
	}
	key, err := a.newKey(name)
	if err != nil {
		return nil, err
	}
	_, der, err := a.certify(&x509.Certificate{
		SerialNumber: a.serial(name), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: issued, NotAfter: issued.AddDate(1, 0, 0),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, nil, key, key)
	if err != nil {
		return nil, fmt.Errorf("make self-signed certificate of %s: %w", host, err)
	}
	id := &identity{chain: [][]byte{der}, key: key}
	a.issued[name] = id
	return id, nil
}

// rootsPEM is the root certificate as browsers and devices would ship it.
func (a *authority) rootsPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.rootDER})
}

// sign signs the parameters of a TLS key exchange. Without a random source
// ecdsa does so by RFC 6979, the same every time.
func (id *identity) sign(signed []byte, hash crypto.Hash) ([]byte, error) {
	h := hash.New()
	h.Write(signed)
	signature, err := id.key.Sign(nil, h.Sum(nil), hash)
	if err != nil {
		return nil, fmt.Errorf("sign key exchange: %w", err)
	}
	return signature, nil
}
