package wire

import (
	"bytes"
	"fmt"
)

// SSDP is one message of UPnP's Simple Service Discovery Protocol (UPnP Device
// Architecture 2.0 section 1). Its fields are as sent, each at most 512 bytes.
type SSDP struct {
	Method    string // "NOTIFY" or "M-SEARCH"; "" for the answer to a search
	Target    string // ST of a search or its answer, NT of an announcement
	State     string // NTS: "ssdp:alive", "ssdp:byebye", "ssdp:update"
	USN       string // unique service name: "uuid:...::urn:..."
	Server    string // SERVER: operating system, UPnP version, product
	UserAgent string
	Location  string // URL of the device's description
	Truncated bool   // the end of the message was never seen
}

// Protocol implements Message.
func (*SSDP) Protocol() string { return "ssdp" }

const (
	maxSSDPField  = 512
	maxSSDPFields = 64
)

var errSSDP = fmt.Errorf("read ssdp start line: %w", ErrNotMine)

// ssdpStarts are the three start lines; minor versions vary.
var ssdpStarts = [...]struct{ line, method string }{
	{"NOTIFY * HTTP/1.", "NOTIFY"},
	{"M-SEARCH * HTTP/1.", "M-SEARCH"},
	{"HTTP/1.1 200 ", ""},
}

// sniffSSDP recognises a message by its start line and what it is about. Plex
// searches with the start line alone.
func sniffSSDP(b []byte) bool {
	if string(bytes.TrimRight(b, "\r\n")) == "M-SEARCH * HTTP/1.1" {
		return true
	}
	var m SSDP
	return m.parse(b, nil) == nil && (m.Target != "" || m.USN != "")
}

func (shared *memory) parseSSDP(b []byte) (Message, error) {
	m := new(SSDP)
	if err := m.parse(b, &shared.names); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *SSDP) parse(b []byte, names *interner) error {
	known := false
	for _, s := range ssdpStarts {
		if bytes.HasPrefix(b, []byte(s.line)) {
			m.Method, known = s.method, true
		}
	}
	if !known {
		return errSSDP
	}
	rest := b
	for range maxSSDPFields {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			m.Truncated = len(rest) > 0
			break
		}
		line := bytes.TrimSpace(rest[:end])
		rest = rest[end+1:]
		if len(line) == 0 {
			break
		}
		if name, value, ok := bytes.Cut(line, []byte{':'}); ok {
			m.field(name, value, names)
		}
	}
	return nil
}

func (m *SSDP) field(name, value []byte, names *interner) {
	var into *string
	switch {
	case fieldIs(name, "st"), fieldIs(name, "nt"):
		into = &m.Target
	case fieldIs(name, "nts"):
		into = &m.State
	case fieldIs(name, "usn"):
		into = &m.USN
	case fieldIs(name, "server"):
		into = &m.Server
	case fieldIs(name, "user-agent"):
		into = &m.UserAgent
	case fieldIs(name, "location"):
		into = &m.Location
	default:
		return
	}
	value = bytes.TrimSpace(value)
	*into = names.plain(value[:min(len(value), maxSSDPField)])
}
