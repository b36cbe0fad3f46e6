package eve

import (
	"fmt"
	"strconv"

	"gatehouse/flow"
	"gatehouse/wire"
)

// dnsBody is Suricata's dns object, version 2, and the list of questions of its
// version 3, so that readers of both find names.
type dnsBody struct {
	Version     int        `json:"version"`
	Type        string     `json:"type"` // query or answer
	ID          uint16     `json:"id"`
	Flags       string     `json:"flags,omitempty"` // hex
	QR          bool       `json:"qr,omitempty"`
	AA          bool       `json:"aa,omitempty"`
	TC          bool       `json:"tc,omitempty"`
	RD          bool       `json:"rd,omitempty"`
	RA          bool       `json:"ra,omitempty"`
	Z           bool       `json:"z,omitempty"`
	Opcode      uint8      `json:"opcode"`
	RRName      *string    `json:"rrname,omitempty"` // "" is the root
	RRType      string     `json:"rrtype,omitempty"`
	RCode       string     `json:"rcode,omitempty"`
	Queries     []question `json:"queries,omitempty"`
	Answers     []answer   `json:"answers,omitempty"`
	Authorities []answer   `json:"authorities,omitempty"`
	Additionals []answer   `json:"additionals,omitempty"`
	Grouped     *grouped   `json:"grouped,omitempty"`
}

type question struct {
	RRName string `json:"rrname"`
	RRType string `json:"rrtype"`
}

type answer struct {
	RRName string `json:"rrname"`
	RRType string `json:"rrtype"`
	TTL    uint32 `json:"ttl"`
	RData  string `json:"rdata,omitempty"`
	SRV    *srv   `json:"srv,omitempty"`
	SOA    *soa   `json:"soa,omitempty"`
	SSHFP  *sshfp `json:"sshfp,omitempty"`
}

type srv struct {
	Priority uint16 `json:"priority"`
	Weight   uint16 `json:"weight"`
	Port     uint16 `json:"port"`
	Name     string `json:"name"`
}

type soa struct {
	MName   string `json:"mname"`
	RName   string `json:"rname"`
	Serial  uint32 `json:"serial"`
	Refresh uint32 `json:"refresh"` // seconds, as the following
	Retry   uint32 `json:"retry"`
	Expire  uint32 `json:"expire"`
	Minimum uint32 `json:"minimum"`
}

// sshfp is the fingerprint of a host key (RFC 4255).
type sshfp struct {
	Fingerprint string `json:"fingerprint"`
	Algorithm   uint8  `json:"algo"`
	Type        uint8  `json:"type"` // of the fingerprint: 1 SHA-1, 2 SHA-256
}

// grouped is the data of the answers by type.
type grouped struct {
	A     []string `json:"A,omitempty"`
	AAAA  []string `json:"AAAA,omitempty"`
	CNAME []string `json:"CNAME,omitempty"`
	DNAME []string `json:"DNAME,omitempty"`
	MX    []string `json:"MX,omitempty"`
	NS    []string `json:"NS,omitempty"`
	PTR   []string `json:"PTR,omitempty"`
	SOA   []soa    `json:"SOA,omitempty"`
	SRV   []srv    `json:"SRV,omitempty"`
	SSHFP []sshfp  `json:"SSHFP,omitempty"`
	TXT   []string `json:"TXT,omitempty"`
}

// dns writes a query as one line per question, which is one line but for mDNS,
// and an answer as one line.
func (w *Writer) dns(ev *flow.Event, m *wire.DNS) error {
	body := dnsBody{
		Version:     2,
		Type:        "query",
		ID:          m.ID,
		Z:           m.Flags&0x0040 != 0,
		Opcode:      m.Opcode,
		Answers:     answers(m.Answers),
		Authorities: answers(m.Authority),
		Additionals: answers(m.Additional),
	}
	if m.Response {
		body.Type = "answer"
		body.Flags = strconv.FormatUint(uint64(m.Flags), 16)
		body.QR = true
		body.AA = m.Flags&0x0400 != 0
		body.TC = m.Flags&0x0200 != 0
		body.RD = m.Flags&0x0100 != 0
		body.RA = m.Flags&0x0080 != 0
		body.RCode = rcodeName(m.RCode)
		body.Grouped = group(body.Answers)
		body.Queries = questions(m.Questions)
	}
	w.begin(m.Proto, m.Proto, &ev.Record, ev.Time)
	w.line.DNS = &body
	if len(m.Questions) == 0 {
		return w.put()
	}
	for i := range m.Questions {
		body.RRName, body.RRType = &m.Questions[i].Name, rrtypeName(m.Questions[i].Type)
		if !m.Response {
			body.Queries = questions(m.Questions[i : i+1])
		}
		if err := w.put(); err != nil || m.Response {
			return err
		}
		// The other records of a query (known answers, what a probe claims)
		// need no repetition.
		body.Answers, body.Authorities, body.Additionals = nil, nil, nil
	}
	return nil
}

// questions lists questions as version 3 of Suricata's object does.
func questions(list []wire.DNSQuestion) []question {
	if len(list) == 0 {
		return nil
	}
	out := make([]question, len(list))
	for i := range list {
		out[i] = question{list[i].Name, rrtypeName(list[i].Type)}
	}
	return out
}

// answers renders records. Each string of a TXT record is an entry of its own,
// as in Suricata: their borders carry meaning.
func answers(list []wire.DNSRecord) []answer {
	if len(list) == 0 {
		return nil
	}
	out := make([]answer, 0, len(list))
	for i := range list {
		r := &list[i]
		a := answer{RRName: r.Name, RRType: rrtypeName(r.Type), TTL: r.TTL}
		switch {
		case len(r.Text) > 0:
			for _, s := range r.Text {
				a.RData = s
				out = append(out, a)
			}
			continue
		case r.Addr.IsValid():
			a.RData = r.Addr.String()
		case r.Type == typeSRV && (r.Target != "" || r.Port != 0):
			a.SRV = &srv{r.Priority, r.Weight, r.Port, r.Target}
		case r.SOA != nil:
			a.SOA = new(soa(*r.SOA))
		case r.Type == typeSSHFP && r.Target != "":
			a.SSHFP = keyPrint(r.Target)
		default:
			a.RData = r.Target
		}
		out = append(out, a)
	}
	return out
}

// keyPrint takes "4 2 3ca9...", the form of RFC 4255 section 3.2, apart.
func keyPrint(text string) *sshfp {
	var f sshfp
	var sum []byte
	if _, err := fmt.Sscanf(text, "%d %d %x", &f.Algorithm, &f.Type, &sum); err != nil {
		return nil
	}
	f.Fingerprint = colonHex(sum)
	return &f
}

// group sorts the data of answers by type; nil if there is none.
func group(list []answer) *grouped {
	var g grouped
	some := false
	for i := range list {
		a := &list[i]
		switch {
		case a.SRV != nil:
			g.SRV = append(g.SRV, *a.SRV)
			some = true
			continue
		case a.SOA != nil:
			g.SOA = append(g.SOA, *a.SOA)
			some = true
			continue
		case a.SSHFP != nil:
			g.SSHFP = append(g.SSHFP, *a.SSHFP)
			some = true
			continue
		}
		if into := g.of(a.RRType); into != nil && a.RData != "" {
			*into = append(*into, a.RData)
			some = true
		}
	}
	if !some {
		return nil
	}
	return &g
}

func (g *grouped) of(rrtype string) *[]string {
	switch rrtype {
	case "A":
		return &g.A
	case "AAAA":
		return &g.AAAA
	case "CNAME":
		return &g.CNAME
	case "DNAME":
		return &g.DNAME
	case "MX":
		return &g.MX
	case "NS":
		return &g.NS
	case "PTR":
		return &g.PTR
	case "TXT":
		return &g.TXT
	default:
		return nil
	}
}
