package wire

import "bytes"

// Ticket is for whom a Kerberos ticket is, that a client shows to a service
// (RFC 4120 section 5.3).
type Ticket struct {
	Realm    string   // at most 256 bytes
	Services []string // parts of the name, such as "cifs" and a host; at most 4 of 256 bytes
}

// ticketMark is the OID of Kerberos with the token id of an AP-REQ behind it
// (RFC 4121 section 4.1).
var ticketMark = []byte("\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00")

// findTicket returns the ticket within a security blob, nil if there is none,
// and one without names if it cannot be read.
func findTicket(blob []byte) *Ticket {
	const maxParts = 4
	i := bytes.Index(blob, ticketMark)
	if i < 0 {
		return nil
	}
	t := &Ticket{}
	request := inner(inner(inner(blob[i+len(ticketMark):]).want(0x6e)).want(berSequence))
	krbVersion(request, 0xa0, 14)
	request.want(0xa2) // options
	ticket := inner(inner(inner(request.want(0xa3)).want(0x61)).want(berSequence))
	ticket.want(0xa0) // version
	t.Realm = krbString(ticket.want(0xa1))
	name := inner(inner(ticket.want(0xa2)).want(berSequence))
	name.want(0xa0) // kind of name
	parts := inner(inner(name.want(0xa1)).want(berSequence))
	for len(parts.b) > 0 && len(t.Services) < maxParts {
		t.Services = append(t.Services, userText(parts.want(0x1b)))
	}
	return t
}
