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
	m, err := parseSSDP(b)
	if err != nil {
		return false
	}
	s, ok := m.(*SSDP)
	return ok && (s.Target != "" || s.USN != "")
}

func parseSSDP(b []byte) (Message, error) {
	m, known := &SSDP{}, false
	for _, s := range ssdpStarts {
		if bytes.HasPrefix(b, []byte(s.line)) {
			m.Method, known = s.method, true
		}
	}
	if !known {
		return nil, errSSDP
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
			m.field(name, value)
		}
	}
	return m, nil
}

func (m *SSDP) field(name, value []byte) {
	var into *string
	switch {
	case bytes.EqualFold(name, []byte("ST")), bytes.EqualFold(name, []byte("NT")):
		into = &m.Target
	case bytes.EqualFold(name, []byte("NTS")):
		into = &m.State
	case bytes.EqualFold(name, []byte("USN")):
		into = &m.USN
	case bytes.EqualFold(name, []byte("SERVER")):
		into = &m.Server
	case bytes.EqualFold(name, []byte("USER-AGENT")):
		into = &m.UserAgent
	case bytes.EqualFold(name, []byte("LOCATION")):
		into = &m.Location
	default:
		return
	}
	value = bytes.TrimSpace(value)
	*into = plainText(value[:min(len(value), maxSSDPField)])
}
