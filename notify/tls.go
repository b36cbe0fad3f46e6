package notify

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS is how a sink is recognised, and how we are, where that differs from the
// usual: a certificate that a public authority has signed for its name.
type TLS struct {
	CAFile     string `yaml:"ca_file"`     // PEM: authorities to trust instead of the public ones
	CertFile   string `yaml:"cert_file"`   // PEM: our certificate, for servers that ask for one
	KeyFile    string `yaml:"key_file"`    // PEM: its key
	ServerName string `yaml:"server_name"` // name in the server's certificate, if it is reached by another
}

// validate reports the first setting that makes no sense. There is no setting
// that turns verification off: ca_file does what it is used for.
func (t *TLS) validate() error {
	if (t.CertFile == "") != (t.KeyFile == "") {
		return &FieldError{"tls.cert_file", errors.New("and key_file belong together: give both or neither")}
	}
	return nil
}

// client builds the settings of a connection. Files are read now, so that a
// missing one is found at the start; our certificate is read again with every
// connection, so that it can be renewed.
func (t *TLS) client() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, &FieldError{"tls.ca_file", err}
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &FieldError{"tls.ca_file", fmt.Errorf("%s holds no certificate in PEM form", t.CAFile)}
		}
	}
	if t.CertFile != "" {
		load := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("load our certificate: %w", err)
			}
			return &cert, nil
		}
		if _, err := load(nil); err != nil {
			return nil, &FieldError{"tls.cert_file", err}
		}
		c.GetClientCertificate = load
	}
	return c, nil
}
