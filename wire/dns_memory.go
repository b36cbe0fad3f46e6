package wire

// Sizes of what is allocated at a time for DNS messages, and of what is
// remembered between them. A home makes more DNS messages than all others
// together, and nearly all of them are of names that it has just asked for.
const (
	dnsMessagesAtOnce = 32  // of 152 bytes: 4.75 KiB
	dnsRecordsAtOnce  = 64  // of 104 bytes: 6.5 KiB
	dnsSOAsAtOnce     = 32  // of 56 bytes: 1.75 KiB
	dnsStringsAtOnce  = 128 // of 16 bytes: 2 KiB
	// dnsNamesSeen is how many names of a message are found again by where they
	// begin: more than an answer has, as many as one of mDNS.
	dnsNamesSeen = 16
)

// dnsParser parses the DNS messages of one goroutine. Messages are carved out
// of runs that are allocated together, and equal names are one string, so that
// a message without a new name costs no allocation of its own. A run is freed
// when the last message in it is: whoever keeps a message for long keeps up to
// 15 KiB with it, and another 6.5 KiB if its records are in two runs.
type dnsParser struct {
	messages []dnsOneQuestion
	records  []DNSRecord
	strings  []string
	soas     []DNSSOA
	names    interner

	m     *DNS // being filled
	b     []byte
	off   int
	extra []DNSRecord
	// seen are the latest names of the message at hand, of which seenCount were
	// read so far.
	seen      [dnsNamesSeen]dnsSeen
	seenCount int
	// authority collects the records that only the authority section of a
	// message is kept for, while inAuthority is set.
	authority   []DNSRecord
	inAuthority bool
	text        [maxDNSText]byte
}

// dnsSeen is a name and where in the message it begins.
type dnsSeen struct {
	at   int
	name string
}

// message returns an empty message. It is used again unless it is taken.
func (p *dnsParser) message() *dnsOneQuestion {
	if len(p.messages) == 0 {
		p.messages = make([]dnsOneQuestion, dnsMessagesAtOnce)
	}
	m := &p.messages[0]
	*m = dnsOneQuestion{}
	return m
}

// take gives the latest message away.
func (p *dnsParser) take() *DNS {
	m := p.m
	p.messages = p.messages[1:]
	p.m, p.b = nil, nil
	return m
}

// keep returns a copy of records; nil for none.
func (p *dnsParser) keep(records []DNSRecord) []DNSRecord {
	n := len(records)
	if n == 0 {
		return nil
	}
	if n > len(p.records) {
		if n > dnsRecordsAtOnce/4 {
			return append([]DNSRecord(nil), records...)
		}
		p.records = make([]DNSRecord, dnsRecordsAtOnce)
	}
	out := p.records[:n:n]
	p.records = p.records[n:]
	copy(out, records)
	return out
}

// soa returns the data of an SOA record, which is used again until it is taken
// off soas.
func (p *dnsParser) soa() *DNSSOA {
	if len(p.soas) == 0 {
		p.soas = make([]DNSSOA, dnsSOAsAtOnce)
	}
	return &p.soas[0]
}

// list returns room for n strings.
func (p *dnsParser) list(n int) []string {
	if n > len(p.strings) {
		if n > dnsStringsAtOnce/4 {
			return make([]string, 0, n)
		}
		p.strings = make([]string, dnsStringsAtOnce)
	}
	out := p.strings[:0:n]
	p.strings = p.strings[n:]
	return out
}
