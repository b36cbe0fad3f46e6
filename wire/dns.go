package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Sizes and bounds of RFC 1035 and of this parser.
const (
	dnsHeaderLen = 12
	// maxDNSName is the longest name on the wire: 255 bytes with the root
	// label (RFC 1035 section 3.1).
	maxDNSName = 255
	// maxDNSText is the longest presentation form: every byte escaped.
	maxDNSText = 4 * maxDNSName
	// maxDNSPointers bounds the compression pointers of one name. Encoders
	// need one or two; a chain of pointers to pointers is an attack on the
	// reader's time.
	maxDNSPointers = 32
	// maxDNSRecords bounds the records kept of one section. The largest
	// sections in normal use are mDNS announcements of a few dozen.
	maxDNSRecords = 256
	// maxDNSQuestions: unicast DNS asks exactly one, mDNS many at once; an
	// iMac in a network of many Macs was seen to ask 81.
	maxDNSQuestions = 256
	// maxTXTStrings bounds the strings kept of one TXT record.
	maxTXTStrings = 64
	// maxKeyPrint is the length of the longest hash that RFC 6594 and those after
	// it may bring: SHA-512.
	maxKeyPrint = 64
	// minDNSRecord is the root name, type, class, TTL and length.
	minDNSRecord = 11
)

// Flag bits of the DNS header.
const (
	dnsFlagResponse = 0x8000
	dnsFlagTC       = 0x0200
	dnsFlagZ        = 0x0040
)

// DNS record types whose data is read, and OPT.
const (
	dnsTypeA     = 1
	dnsTypeNS    = 2
	dnsTypeCNAME = 5
	dnsTypeSOA   = 6
	dnsTypePTR   = 12
	dnsTypeMX    = 15
	dnsTypeTXT   = 16
	dnsTypeAAAA  = 28
	dnsTypeSRV   = 33
	dnsTypeDNAME = 39
	dnsTypeOPT   = 41
	dnsTypeSSHFP = 44
)

// Errors on paths that a flood of bad packets can take are built once.
var (
	errDNSHeader  = fmt.Errorf("read dns header: %w", ErrTruncated)
	errDNSOpcode  = fmt.Errorf("read dns header: unassigned opcode: %w", ErrNotMine)
	errDNSEmpty   = fmt.Errorf("read dns header: no entries, or some that cannot be: %w", ErrNotMine)
	errDNSNameCut = fmt.Errorf("read dns name: %w", ErrTruncated)
	errDNSName    = fmt.Errorf("read dns name: %w", ErrMalformed)
	errDNSPointer = fmt.Errorf("read dns name: forward or endless compression: %w", ErrMalformed)
	errDNSEntry   = fmt.Errorf("read dns question: %w", ErrTruncated)
	errDNSMany    = fmt.Errorf("read dns header: too many questions: %w", ErrMalformed)
	errDNSRecord  = fmt.Errorf("read dns record: %w", ErrTruncated)
	errDNSData    = fmt.Errorf("read dns record data: %w", ErrMalformed)
)

func (p *dnsParser) dns(b []byte) (Message, error)   { return p.parse("dns", b) }
func (p *dnsParser) mdns(b []byte) (Message, error)  { return p.parse("mdns", b) }
func (p *dnsParser) llmnr(b []byte) (Message, error) { return p.parse("llmnr", b) }

// dnsOneQuestion is the common message together with the memory of its only
// question.
type dnsOneQuestion struct {
	DNS
	question [1]DNSQuestion
}

// parse parses one message. Records that are cut off by the end of b are left
// out and the message is marked as truncated, if at least its questions are
// complete.
func (p *dnsParser) parse(proto string, b []byte) (Message, error) {
	if len(b) < dnsHeaderLen {
		return nil, errDNSHeader
	}
	flags := binary.BigEndian.Uint16(b[2:])
	h := dnsHeaderOf(b)
	if opcode := flags >> 11 & 15; opcode > 6 { // 0 query ... 6 DSO
		return nil, errDNSOpcode
	}
	if h.questions > maxDNSQuestions {
		return nil, errDNSMany
	}
	if h.empty(flags, len(b)) {
		return nil, errDNSEmpty
	}
	one := p.message()
	m := &one.DNS // empty, and no literal: see modbusStream.read
	m.Proto, m.ID = proto, binary.BigEndian.Uint16(b)
	m.Response, m.Truncated = flags&dnsFlagResponse != 0, flags&dnsFlagTC != 0
	m.Opcode, m.RCode, m.Flags = uint8(flags>>11&15), uint8(flags&15), flags
	m.Questions = one.question[:0]
	p.m, p.b, p.off, p.seenCount = m, b, dnsHeaderLen, 0
	for range h.questions {
		m.Questions = append(m.Questions, DNSQuestion{})
		if err := p.question(&m.Questions[len(m.Questions)-1]); err != nil {
			return nil, err
		}
	}
	if h.odd(flags) && (h.questions == 0 || !m.Questions[0].sensible()) {
		return nil, errDNSEmpty
	}
	if err := p.readRecords(h); err != nil {
		return nil, err
	}
	if h.questions == 0 && p.off == dnsHeaderLen && len(b) > dnsHeaderLen {
		return nil, errDNSRecord // not even one is complete
	}
	return p.take(), nil
}

type dnsHeader struct{ questions, answers, authority, additional int }

func dnsHeaderOf(b []byte) dnsHeader {
	return dnsHeader{
		questions:  int(binary.BigEndian.Uint16(b[4:])),
		answers:    int(binary.BigEndian.Uint16(b[6:])),
		authority:  int(binary.BigEndian.Uint16(b[8:])),
		additional: int(binary.BigEndian.Uint16(b[10:])),
	}
}

// odd reports whether a header is none that a sane program writes: a query with
// an outcome, or with more entries than a message has room for. Together with a
// question that makes sense, it is a damaged one.
func (h dnsHeader) odd(flags uint16) bool {
	const question, record = 1 + 4, 1 + 10 // bytes at least
	records := h.answers + h.authority + h.additional
	return flags&dnsFlagResponse == 0 && flags&15 != 0 || h.questions*question+records*record > 65535-dnsHeaderLen
}

// sensible reports whether a question is one that is asked: for a name, in a
// class that is assigned (RFC 6895 section 3.2).
func (q *DNSQuestion) sensible() bool {
	switch q.Class &^ 0x8000 {
	case 1, 3, 4, 254, 255:
		return q.Name != "" && q.Type != 0
	}
	return false
}

// empty reports whether a message of size bytes asks for nothing and answers
// nothing. A query without a question is one for a cookie, whose only record is
// the OPT (RFC 7873 section 5.4), or of a session (RFC 8490); a response without
// entries refuses what it answers; notices and updates are about one zone
// (RFC 1996 section 3.7, RFC 2136 section 2.3).
func (h dnsHeader) empty(flags uint16, size int) bool {
	const notify, update, session = 4, 5, 6
	response, opcode := flags&dnsFlagResponse != 0, flags>>11&15
	records := h.answers + h.authority + h.additional
	switch {
	case h.questions > 0 || opcode == session && size > dnsHeaderLen:
		return false
	case records == 0:
		return size > dnsHeaderLen || !response
	case opcode == notify || opcode == update:
		return true
	}
	return !response && opcode == 0 && (records > 1 || h.additional == 0)
}

// question reads one question and moves past it.
func (p *dnsParser) question(q *DNSQuestion) error {
	name, next, err := p.name(len(p.b), p.off)
	if err != nil {
		return err
	}
	if next+4 > len(p.b) {
		return errDNSEntry
	}
	if kind, class := binary.BigEndian.Uint16(p.b[next:]), binary.BigEndian.Uint16(p.b[next+2:]); (kind == 0 || class == 0) && name == "" {
		return errDNSData // both are reserved, and of the root nobody asks for them
	}
	q.Name, q.Type, q.Class = name, binary.BigEndian.Uint16(p.b[next:]), binary.BigEndian.Uint16(p.b[next+2:])
	if p.m.Proto == "mdns" {
		q.Class &^= 0x8000 // "unicast response wanted", RFC 6762 section 5.4
	}
	p.off = next + 4
	return nil
}

// readRecords reads the three record sections. Where the message is cut off it
// stops and says so in the message; only a contradiction is an error.
func (p *dnsParser) readRecords(h dnsHeader) error {
	if h.answers+h.authority+h.additional == 0 {
		return nil
	}
	p.extra = p.extra[:0]
	more, err := p.section(h.answers, false)
	p.m.Answers = p.keep(p.extra)
	p.extra = p.extra[:0]
	if err == nil && more && h.authority > 0 {
		more, err = p.readAuthority(h.authority)
	}
	if err == nil && more {
		_, err = p.section(h.additional, true)
		p.m.Additional = p.keep(p.extra)
	}
	clear(p.extra) // what they name is not held on to
	return err
}

// readAuthority reads the authority section, of which p.extra gets what is kept
// of the additional section too.
func (p *dnsParser) readAuthority(n int) (more bool, err error) {
	p.inAuthority = p.m.Proto == "dns"
	more, err = p.section(n, true)
	p.inAuthority = false
	p.m.Authority = p.keep(p.authority)
	clear(p.authority)
	p.authority = p.authority[:0]
	if !more {
		p.m.Additional = p.keep(p.extra)
	}
	return more, err
}

// section reads n records into p.extra, if worth is set those that are worth
// keeping outside the answer section. It reports whether there may be more.
func (p *dnsParser) section(n int, worth bool) (more bool, err error) {
	for range n {
		if len(p.extra) == maxDNSRecords && !worth {
			p.m.Truncated = true
			return false, nil
		}
		p.extra = append(p.extra, DNSRecord{}) // read in place: it is of 104 bytes
		last := len(p.extra) - 1
		rec := &p.extra[last]
		keep, err := p.record(rec)
		switch {
		case err != nil:
			p.extra = p.extra[:last]
			if !errors.Is(err, ErrTruncated) {
				return false, err
			}
			p.m.Truncated = true
			return false, nil
		case worth && !keep:
			if p.inAuthority && len(p.authority) < maxDNSRecords {
				p.authority = append(p.authority, *rec)
			}
			p.extra = p.extra[:last]
		case last == maxDNSRecords:
			p.extra = p.extra[:last]
			p.m.Truncated = true
			return false, nil
		}
	}
	return true, nil
}

// record reads one record and moves past it. keep tells the kinds that are
// worth keeping outside the answer section.
func (p *dnsParser) record(rec *DNSRecord) (keep bool, err error) {
	name, next, err := p.name(len(p.b), p.off)
	if err != nil {
		return false, err
	}
	if next+10 > len(p.b) {
		return false, errDNSRecord
	}
	fixed := p.b[next : next+10]
	end := next + 10 + int(binary.BigEndian.Uint16(fixed[8:]))
	if end > len(p.b) {
		return false, errDNSRecord
	}
	rec.Type = binary.BigEndian.Uint16(fixed)
	rec.TTL = binary.BigEndian.Uint32(fixed[4:])
	p.off = end
	if rec.Type == 0 { // reserved (RFC 6895 section 3.1)
		return false, errDNSData
	}
	if rec.Type == dnsTypeOPT {
		// The upper eight of twelve bits, RFC 6891 section 6.1.3.
		code := rec.TTL >> 24 << 4
		p.m.RCode = uint8(min(code|uint32(p.m.RCode), 255))
	}
	rec.Name = name
	return p.data(rec, next+10, end)
}

// data reads the data of a record, which lies at b[start:end].
func (p *dnsParser) data(rec *DNSRecord, start, end int) (keep bool, err error) {
	data := p.b[start:end]
	if len(data) == 0 {
		return false, nil // legal in updates: "delete this set", RFC 2136 section 2.5
	}
	switch rec.Type {
	case dnsTypeA:
		if len(data) != 4 {
			return false, errDNSData
		}
		rec.Addr = netip.AddrFrom4([4]byte(data))
	case dnsTypeAAAA:
		if len(data) != 16 {
			return false, errDNSData
		}
		rec.Addr = netip.AddrFrom16([16]byte(data))
	case dnsTypeNS, dnsTypeCNAME, dnsTypeDNAME:
		rec.Target, err = p.target(start, end)
		return false, err
	case dnsTypeMX:
		rec.Target, err = p.target(start+2, end)
		return false, err
	case dnsTypeSOA:
		rec.SOA, err = p.startOfAuthority(start, end)
		return false, err
	case dnsTypePTR:
		rec.Target, err = p.target(start, end)
	case dnsTypeSRV:
		if len(data) < 7 {
			return false, errDNSData
		}
		rec.Priority, rec.Weight = binary.BigEndian.Uint16(data), binary.BigEndian.Uint16(data[2:])
		rec.Port = binary.BigEndian.Uint16(data[4:])
		rec.Target, err = p.target(start+6, end)
	case dnsTypeTXT:
		rec.Text, err = p.texts(data)
	case dnsTypeSSHFP:
		if len(data) > 2 && len(data) <= 2+maxKeyPrint {
			rec.Target = p.names.text(fmt.Appendf(p.text[:0], "%d %d %x", data[0], data[1], data[2:]))
		}
		return false, nil
	default:
		return false, nil
	}
	return true, err
}

// target reads a name that fills b[start:end].
func (p *dnsParser) target(start, end int) (string, error) {
	if start >= end {
		return "", errDNSData
	}
	// The name itself ends within the record; what it points at lies before.
	name, next, err := p.name(end, start)
	if err != nil || next != end {
		return "", errDNSData
	}
	return name, nil
}

// startOfAuthority reads the data of an SOA record: two names and five numbers.
func (p *dnsParser) startOfAuthority(start, end int) (*DNSSOA, error) {
	const numbers = 5 * 4
	soa := p.soa()
	for _, into := range [...]*string{&soa.MName, &soa.RName} {
		name, next, err := p.name(end, start)
		if err != nil {
			return nil, errDNSData
		}
		*into, start = name, next
	}
	if end-start != numbers {
		return nil, errDNSData
	}
	for i, into := range [...]*uint32{&soa.Serial, &soa.Refresh, &soa.Retry, &soa.Expire, &soa.Minimum} {
		*into = binary.BigEndian.Uint32(p.b[start+4*i:])
	}
	p.soas = p.soas[1:]
	return soa, nil
}

// texts splits the data of a TXT record. Empty strings are left out: they say
// nothing, and thousands of them fit into one record.
func (p *dnsParser) texts(data []byte) ([]string, error) {
	count := 0
	for rest := data; len(rest) > 0; rest = rest[1+int(rest[0]):] {
		if 1+int(rest[0]) > len(rest) {
			return nil, errDNSData
		}
		if rest[0] > 0 {
			count++
		}
	}
	if count == 0 {
		return nil, nil
	}
	list := p.list(min(count, maxTXTStrings))
	for ; len(data) > 0 && len(list) < cap(list); data = data[1+int(data[0]):] {
		if data[0] > 0 {
			list = append(list, p.names.text(data[1:1+int(data[0])]))
		}
	}
	return list, nil
}
