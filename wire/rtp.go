package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// RTP and RTCP (RFC 3550) have no mark by which they could be told from other
// datagrams: they are what SIP (SDP, RFC 8866) and RTSP have announced, if their
// first packet looks like it. They carry pictures and voices, of which nothing
// is read.

const (
	rtpHeader   = 12 // bytes (RFC 3550 section 5.1)
	rtpVersion2 = 2
	// The second byte of RTCP is its packet type. RTP on the same port leaves
	// these out (RFC 5761 section 4).
	rtcpFirst, rtcpLast = 192, 223

	maxSDPMedia = 4    // announced by one description
	maxSDP      = 4096 // bytes of one that are looked at
)

var (
	errRTPKind  = fmt.Errorf("read rtp header: %w", ErrNotMine)
	errRTCPKind = fmt.Errorf("read rtcp header: %w", ErrNotMine)
)

// rtpFlow is a flow that was announced as one of RTP.
type rtpFlow struct{}

func newRTPFlow() Datagrams { return rtpFlow{} }

// Datagram implements Datagrams. RTCP may come first, and share the port.
func (rtpFlow) Datagram(_ Dir, b []byte, msgs []Message) ([]Message, error) {
	if len(b) < rtpHeader || b[0]>>6 != rtpVersion2 {
		return msgs, errRTPKind
	}
	if kind := b[1]; kind >= rtcpFirst && kind <= rtcpLast && !isRTCP(b) {
		return msgs, errRTPKind
	}
	return msgs, ErrDone
}

// rtcpFlow is a flow that was announced as one of RTCP.
type rtcpFlow struct{}

func newRTCPFlow() Datagrams { return rtcpFlow{} }

// Datagram implements Datagrams.
func (rtcpFlow) Datagram(_ Dir, b []byte, msgs []Message) ([]Message, error) {
	if !isRTCP(b) {
		return msgs, errRTCPKind
	}
	return msgs, ErrDone
}

// isRTCP tells a packet of RTCP, of which the others of a compound may follow
// (RFC 3550 section 6.1). SRTCP, which is encrypted behind it, looks the same.
func isRTCP(b []byte) bool {
	const header, word = 8, 4
	return len(b) >= header && b[0]>>6 == rtpVersion2 && b[1] >= rtcpFirst && b[1] <= rtcpLast &&
		word*(int(binary.BigEndian.Uint16(b[2:]))+1) <= len(b)
}

// appendRTP appends the expectation of a flow of RTP to port, and of RTCP to
// another.
func appendRTP(msgs []Message, listener Dir, port, control uint16) []Message {
	if port != 0 {
		msgs = append(msgs, &Expectation{App: "rtp", Over: overUDP, Listener: listener, Port: port})
	}
	if control != 0 && control != port {
		msgs = append(msgs, &Expectation{App: "rtcp", Over: overUDP, Listener: listener, Port: control})
	}
	return msgs
}

// appendSDP appends what a session description of dir announces: the ports of
// its media (RFC 8866 section 5.14), with RTCP on the next one unless it says
// otherwise (RFC 3605, RFC 5761). Addresses are left alone, as those of FTP are.
func appendSDP(msgs []Message, dir Dir, b []byte) []Message {
	var port, control uint16
	b = b[:min(len(b), maxSDP)]
	for media := 0; len(b) > 0; {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		switch {
		case bytes.HasPrefix(line, []byte("m=")):
			msgs = appendRTP(msgs, dir, port, control)
			if media++; media > maxSDPMedia {
				return msgs
			}
			port, control = sdpMedia(line), 0
			if port != 0 && port < 65535 {
				control = port + 1
			}
		case port == 0:
		case string(line) == "a=rtcp-mux":
			control = 0
		case bytes.HasPrefix(line, []byte("a=rtcp:")):
			number, _ := word(line[len("a=rtcp:"):])
			control = decimalPort(number)
		}
	}
	return appendRTP(msgs, dir, port, control)
}

// sdpMedia is the port of "m=audio 49170 RTP/AVP 0", 0 if it is of something
// else than RTP, or refused.
func sdpMedia(line []byte) uint16 {
	_, rest := word(line)
	number, rest := word(rest)
	number, _, _ = bytes.Cut(number, []byte("/")) // several ports of layered media
	kind, _ := word(rest)
	if !bytes.HasPrefix(kind, []byte("RTP/")) && !bytes.HasPrefix(kind, []byte("UDP/TLS/RTP/")) {
		return 0
	}
	return decimalPort(number)
}

// appendTransport appends what the answer to SETUP announces in its Transport
// field (RFC 2326 section 12.39): "RTP/AVP;unicast;client_port=5000-5001;
// server_port=6970-6971". The answer is dir's.
func appendTransport(msgs []Message, dir Dir, value []byte) []Message {
	if !bytes.HasPrefix(value, []byte("RTP/")) {
		return msgs
	}
	for field := range bytes.SplitSeq(value, []byte(";")) {
		name, ports, _ := bytes.Cut(field, []byte("="))
		listener := dir.Other()
		switch string(bytes.TrimSpace(name)) {
		case "client_port":
		case "server_port":
			listener = dir
		default:
			continue
		}
		port, control, _ := bytes.Cut(bytes.TrimSpace(ports), []byte("-"))
		msgs = appendRTP(msgs, listener, decimalPort(port), decimalPort(control))
	}
	return msgs
}
