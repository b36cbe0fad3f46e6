package eve

import (
	"path/filepath"
	"testing"

	"gatehouse/flow"
	"gatehouse/internal/testkit"
	"gatehouse/wire"
)

// tally counts what must come out of the Writer as it went in.
type tally struct {
	flows, requests, responses, dhcp, arp, certificates int
	names                                               map[string]bool // SNI
}

// TestNothingLost plays every capture of the corpus, the hostile ones too, and
// finds every message again in the log.
func TestNothingLost(t *testing.T) {
	files := 0
	for _, folder := range []string{"protocols", "hostile"} {
		root := testkit.Corpus(t, folder)
		for _, name := range captureFiles(t, root) {
			events, err := eventsOf(t, filepath.Join(root, name))
			if err != nil && len(events) == 0 {
				t.Logf("%s: %v", name, err)
				continue
			}
			files++
			want, got := tallyOfEvents(events), tallyOfLines(linesOf(t, logOf(t, events)))
			for sni := range want.names {
				if !got.names[sni] {
					t.Errorf("%s: SNI %q is in no line", name, sni)
				}
			}
			want.names, got.names = nil, nil
			if got.flows != want.flows || got.requests != want.requests || got.responses != want.responses ||
				got.dhcp != want.dhcp || got.arp != want.arp || got.certificates != want.certificates {
				t.Errorf("%s: log has %+v, events %+v", name, got, want)
			}
		}
	}
	if files < 500 {
		t.Errorf("%d captures read, expected more than 500", files)
	}
}

func tallyOfEvents(events []flow.Event) tally {
	c := tally{names: make(map[string]bool)}
	for i := range events {
		if events[i].Kind == flow.End {
			c.flows++
		}
		for _, m := range events[i].Messages {
			switch m := m.(type) {
			case *wire.HTTPRequest:
				c.requests++
			case *wire.HTTPResponse:
				if m.Status >= 200 || m.Status == 101 {
					c.responses++
				}
			case *wire.DHCPv4:
				c.dhcp++
			case *wire.ARP:
				c.arp++
			case *wire.Certificate:
				if len(m.Raw) > 0 {
					c.certificates++
				}
			case *wire.ClientHello:
				if m.SNI != "" {
					c.names[m.SNI] = true
				}
			}
		}
	}
	return c
}

func tallyOfLines(lines []line) tally {
	c := tally{names: make(map[string]bool)}
	for _, l := range lines {
		switch l.EventType {
		case "flow":
			c.flows++
		case "dhcp":
			c.dhcp++
		case "arp":
			c.arp++
		case "http":
			if l.HTTP == nil {
				break // a login
			}
			if l.HTTP.Method != "" {
				c.requests++
			}
			if l.HTTP.Status != 0 {
				c.responses++
			}
		case "quic":
			c.names[l.QUIC.SNI] = true
		case "tls", "dtls":
			c.names[l.TLS.SNI] = true
			for _, fingerprint := range []string{l.TLS.Fingerprint, l.TLS.Client.Fingerprint} {
				if fingerprint != "" {
					c.certificates++
				}
			}
		}
	}
	return c
}
