package detect

// Kind names what was found. The names are part of every output format.
type Kind string

// Kinds of findings.
const (
	NewDestination     Kind = "new_destination"
	NewService         Kind = "new_service"
	DNSSpike           Kind = "dns_spike"
	DNSTunnel          Kind = "dns_tunnel"
	ProtocolDowngrade  Kind = "protocol_downgrade"
	CertificateFailure Kind = "certificate_failure"
)

// Class is a share of the alert budget. Kinds that rest on the same evidence
// draw on the same class.
type Class string

// Classes of evidence.
const (
	Novelty Class = "novelty"
	DNS     Class = "dns"
	TLS     Class = "tls"
)

// Severity says how soon a person should look.
type Severity uint8

// Severities, lowest first.
const (
	Low Severity = iota + 1
	Medium
	High
	Critical
)
