package eve

import (
	"time"

	"gatehouse/flow"
)

// flowBody is Suricata's flow object.
type flowBody struct {
	PktsToServer  uint64 `json:"pkts_toserver"`
	PktsToClient  uint64 `json:"pkts_toclient"`
	BytesToServer uint64 `json:"bytes_toserver"` // of IP datagrams
	BytesToClient uint64 `json:"bytes_toclient"`
	Start         string `json:"start"`
	End           string `json:"end"`
	Age           int64  `json:"age"` // whole seconds
	State         string `json:"state"`
	Reason        string `json:"reason"`
	Alerted       bool   `json:"alerted"`
}

// tcpBody is Suricata's tcp object.
type tcpBody struct {
	Flags   string `json:"tcp_flags"` // hex, both directions
	FlagsTS string `json:"tcp_flags_ts"`
	FlagsTC string `json:"tcp_flags_tc"`
	SYN     bool   `json:"syn,omitempty"`
	FIN     bool   `json:"fin,omitempty"`
	RST     bool   `json:"rst,omitempty"`
	PSH     bool   `json:"psh,omitempty"`
	ACK     bool   `json:"ack,omitempty"`
	URG     bool   `json:"urg,omitempty"`
	ECN     bool   `json:"ecn,omitempty"`
	CWR     bool   `json:"cwr,omitempty"`
	State   string `json:"state"`
}

// TCP flags (RFC 9293 section 3.1).
const (
	finFlag = 1 << iota
	synFlag
	rstFlag
	pshFlag
	ackFlag
	urgFlag
	ecnFlag
	cwrFlag
)

// flow writes the end of a flow.
func (w *Writer) flow(ev *flow.Event) error {
	r := &ev.Record
	w.begin("flow", r.App, r, ev.Time)
	if from := upgradedFrom(r); from != "" {
		w.line.AppProto, w.line.AppOrig = r.Upgrade, from
	}
	w.line.Ether = w.line.Ether.asFlow()
	w.line.Expected = r.Expected
	w.line.Flow = &flowBody{
		PktsToServer:  r.Packets[0],
		PktsToClient:  r.Packets[1],
		BytesToServer: r.Bytes[0],
		BytesToClient: r.Bytes[1],
		Start:         timestamp(r.First),
		End:           timestamp(r.Last),
		Age:           int64(r.Duration() / time.Second),
		State:         flowState(ev),
		Reason:        flowReason(ev.Reason),
	}
	if r.Proto == protoTCP {
		w.line.TCP = tcpOf(ev)
	}
	return w.put()
}

// upgradedFrom is the protocol that a flow began in, if it went on in another,
// else "". A Remote Desktop in TLS stays one, in Suricata too.
func upgradedFrom(r *flow.Record) string {
	if r.Upgrade == "" || r.Upgrade == r.App || r.App == "rdp" {
		return ""
	}
	return r.App
}

// flowState tells how far a flow got: nothing but a first packet or an
// unfinished handshake is new.
func flowState(ev *flow.Event) string {
	r := &ev.Record
	switch {
	case r.Proto == protoTCP:
		switch tcpState(ev) {
		case "closed":
			return "closed"
		case "established":
			return "established"
		default:
			return "new"
		}
	case r.Packets[0] > 0 && r.Packets[1] > 0:
		return "established"
	default:
		return "new"
	}
}

// flowReason maps to Suricata's three reasons: what closed by itself leaves
// the table by timeout there too.
func flowReason(r flow.EndReason) string {
	switch r {
	case flow.EndEvicted:
		return "forced"
	case flow.EndInput:
		return "shutdown"
	default:
		return "timeout"
	}
}

// tcpState is the state as far as the flags tell.
func tcpState(ev *flow.Event) string {
	client, server := ev.Record.Flags[0], ev.Record.Flags[1]
	switch {
	case (client|server)&rstFlag != 0, client&finFlag != 0 && server&finFlag != 0:
		return "closed"
	case ev.Record.Midstream, client&ackFlag != 0 && server&ackFlag != 0:
		return "established"
	case server&synFlag != 0:
		return "syn_recv"
	case client&synFlag != 0:
		return "syn_sent"
	default:
		return "none"
	}
}

func tcpOf(ev *flow.Event) *tcpBody {
	client, server := ev.Record.Flags[0], ev.Record.Flags[1]
	all := client | server
	return &tcpBody{
		Flags: hexByte(all), FlagsTS: hexByte(client), FlagsTC: hexByte(server),
		SYN: all&synFlag != 0, FIN: all&finFlag != 0, RST: all&rstFlag != 0, PSH: all&pshFlag != 0,
		ACK: all&ackFlag != 0, URG: all&urgFlag != 0, ECN: all&ecnFlag != 0, CWR: all&cwrFlag != 0,
		State: tcpState(ev),
	}
}

func hexByte(b uint8) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[b>>4], digits[b&15]})
}
