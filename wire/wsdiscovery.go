package wire

import (
	"bytes"
	"fmt"
	"strings"
)

// WSDiscovery is one message of Web Services Dynamic Discovery over UDP (OASIS
// WS-Discovery 1.1), by which cameras (ONVIF), printers and Windows find one
// another.
type WSDiscovery struct {
	Action string // last part of its URI: "Probe" "ProbeMatches" "Hello" "Bye" "Resolve" "ResolveMatches"
	// Of the first match, each at most 1,024 bytes and 32 words.
	Endpoint  string   // address of the endpoint: "urn:uuid:..."
	Types     []string // without the prefix of their namespace: "NetworkVideoTransmitter"
	Scopes    []string // "onvif://www.onvif.org/hardware/..."
	XAddrs    []string // URLs of the services
	Truncated bool     // the end of the message was never seen
}

// Protocol implements Message.
func (*WSDiscovery) Protocol() string { return "ws_discovery" }

const (
	maxWSText     = 1 << 10
	maxWSWords    = 32
	maxWSElements = 256
)

var errWSD = fmt.Errorf("read ws-discovery: %w", ErrNotMine)

// sniffWSDiscovery recognises a document that names one of the two namespaces.
func sniffWSDiscovery(b []byte) bool {
	return len(b) > 0 && b[0] == '<' &&
		(bytes.Contains(b, []byte("schemas.xmlsoap.org/ws/2005/04/discovery")) ||
			bytes.Contains(b, []byte("docs.oasis-open.org/ws-dd/ns/discovery")))
}

// parseWSDiscovery scans the document for the elements of interest, by their
// local names. It is no XML parser: entities are left as they are, and an
// element that occurs again is passed over.
func parseWSDiscovery(b []byte) (Message, error) {
	if !sniffWSDiscovery(b) {
		return nil, errWSD
	}
	m := &WSDiscovery{}
	endpoint := false
	for range maxWSElements {
		open := bytes.IndexByte(b, '<')
		if open < 0 {
			break
		}
		b = b[open+1:]
		end := bytes.IndexByte(b, '>')
		if end < 0 {
			m.Truncated = true
			break
		}
		name := localName(b[:end])
		b = b[end+1:]
		text := b
		if next := bytes.IndexByte(b, '<'); next >= 0 {
			text = b[:next]
		}
		text = bytes.TrimSpace(text[:min(len(text), maxWSText)])
		switch string(name) {
		case "EndpointReference":
			endpoint = true
		case "Action":
			if m.Action == "" {
				m.Action = plainText(text[bytes.LastIndexByte(text, '/')+1:])
			}
		case "Address":
			if endpoint && m.Endpoint == "" {
				m.Endpoint = plainText(text)
			}
		case "Types":
			if m.Types == nil {
				m.Types = words(text)
				for i, t := range m.Types {
					m.Types[i] = t[strings.IndexByte(t, ':')+1:]
				}
			}
		case "Scopes":
			if m.Scopes == nil {
				m.Scopes = words(text)
			}
		case "XAddrs":
			if m.XAddrs == nil {
				m.XAddrs = words(text)
			}
		case "/Envelope":
			return m, nil
		}
	}
	m.Truncated = true
	return m, nil
}

// localName is the name in a tag without prefix and attributes; that of a
// closing tag keeps its slash.
func localName(tag []byte) []byte {
	if i := bytes.IndexAny(tag, " \t\r\n"); i >= 0 {
		tag = tag[:i]
	}
	slash := len(tag) > 0 && tag[0] == '/'
	i := bytes.IndexByte(tag, ':')
	if i < 0 {
		return tag
	}
	if slash {
		return append([]byte{'/'}, tag[i+1:]...)
	}
	return tag[i+1:]
}

func words(text []byte) []string {
	list := strings.Fields(plainText(bytes.Join(bytes.Fields(text), []byte{' '})))
	return list[:min(len(list), maxWSWords)]
}
