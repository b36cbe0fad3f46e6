package wire

import (
	"bytes"
	"fmt"
	"slices"
)

// TFTP is a request for a file (RFC 1350) or an error, unlike those before it
// on its flow: a request without an answer is repeated.
type TFTP struct {
	Op    string // "read", "write", "error"
	File  string // at most 256 bytes
	Mode  string // "octet", "netascii", "mail", in lower case
	Code  uint16 // of an error
	Error string // its text, at most 256 bytes
}

// Protocol implements Message.
func (*TFTP) Protocol() string { return "tftp" }

var (
	errTFTPKind = fmt.Errorf("read tftp: %w", ErrNotMine)
	errTFTPCut  = fmt.Errorf("read tftp: %w", ErrTruncated)
)

const maxTFTPText = 256

// tftpFlow tells each request once.
type tftpFlow struct{ seen []TFTP }

func newTFTPFlow() Datagrams { return &tftpFlow{} }

// Datagram implements Datagrams.
func (f *tftpFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	if isTFTPTransfer(b) {
		return msgs, nil
	}
	m, err := parseTFTP(b)
	if err == nil && m.Op != "error" {
		msgs = append(msgs, &Expectation{App: "tftp", Over: overUDP, Listener: dir})
	}
	const kinds = 16 // requests and errors that are told apart
	if err != nil || slices.Contains(f.seen, *m) || len(f.seen) == kinds {
		return msgs, err
	}
	f.seen = append(f.seen, *m)
	return append(msgs, m), nil
}

// isTFTPTransfer recognises a block, an acknowledgement or one of options (RFC
// 2347). They mostly come from another port than that of the request (RFC 1350
// section 4), to the one that it came from: a flow that is expected.
func isTFTPTransfer(b []byte) bool {
	const block, acknowledgement, options = 3, 4, 6
	if len(b) < 4 || b[0] != 0 {
		return false
	}
	switch b[1] {
	case acknowledgement:
		return len(b) == 4
	case options:
		return b[len(b)-1] == 0
	}
	return b[1] == block
}

// parseTFTP parses a request or an error.
func parseTFTP(b []byte) (*TFTP, error) {
	if len(b) < 4 {
		return nil, errTFTPCut
	}
	if b[0] != 0 {
		return nil, errTFTPKind
	}
	switch b[1] {
	case 1, 2:
		file, rest, ok := bytes.Cut(b[2:], []byte{0})
		mode, _, complete := bytes.Cut(rest, []byte{0})
		switch {
		case !ok || !complete && len(mode) < len("netascii"):
			return nil, errTFTPCut
		case bytes.ContainsFunc(file, func(r rune) bool { return r < ' ' }):
			return nil, errTFTPKind
		}
		m := &TFTP{Op: [...]string{1: "read", 2: "write"}[b[1]], File: text(file, maxTFTPText)}
		switch m.Mode = string(bytes.ToLower(mode[:min(len(mode), 16)])); m.Mode {
		case "octet", "netascii", "mail", "binary":
			return m, nil
		}
	case 5:
		reason, _, _ := bytes.Cut(b[4:], []byte{0})
		if b[2] == 0 && b[3] <= 8 {
			return &TFTP{Op: "error", Code: uint16(b[3]), Error: text(reason, maxTFTPText)}, nil
		}
	}
	return nil, errTFTPKind
}

// sniffTFTP recognises a request.
func sniffTFTP(b []byte) bool {
	m, err := parseTFTP(b)
	return err == nil && m.Op != "error" && b[len(b)-1] == 0
}
