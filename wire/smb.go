package wire

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
)

// SMB is what an SMB exchange settles: the dialect, who logs in, which share
// is used, which file is opened ([MS-SMB2] for 2 and 3, [MS-CIFS] and [MS-SMB]
// for 1). Of other commands the first of each kind and outcome is told; what is
// read and written is passed over.
type SMB struct {
	Version  uint8    // 1 or 2; 3 has the format of 2
	Number   uint32   // of the exchange on its connection, from 1
	Command  string   // "NEGOTIATE", "SESSION_SETUP", "TREE_CONNECT", see SMBCommandName
	Status   uint32   // NTSTATUS of the response, 0: success
	Answered bool     // a response was seen
	Dialects []string // that the client offers, at most 16
	Dialect  string   // that the server chose, here or before: "NT LM 0.12", "2.10", "3.11"
	Signing  bool     // the server requires signatures
	NTLM     *NTLM    // of a session setup
	Kerberos *Ticket  // of a session setup with a Kerberos ticket
	Guest    bool     // the session is a guest's
	Share    string   // of a tree connect, UNC path, at most 256 bytes
	// ShareType is "disk", "pipe" or "print", "" if unknown.
	ShareType string
	SessionID uint64 // of the last message; in SMB 1 the UID
	TreeID    uint32
	// Service is what a tree connect of SMB 1 asks for ("A:", "?????" for
	// anything), Granted what it gets ("A:", "IPC"), at most 16 bytes each.
	Service, Granted string
	// ClientGUID and ServerGUID name the ends of a negotiation as sent, MaxRead
	// and MaxWrite are how many bytes the server takes at once; 0 if absent.
	ClientGUID, ServerGUID [16]byte
	MaxRead, MaxWrite      uint32
	File                   *SMBFile   // that a CREATE opens
	Used                   *SMBUse    // file that is read, written or renamed
	Rename                 *SMBRename // of a file
	Function               uint32     // of an IOCTL ([MS-FSCC] 2.3), 0 if there is none
	Call                   *DCERPC    // within a pipe
	// ClientOS and ServerOS are what the ends of a session setup of SMB 1 run,
	// ClientLM and ServerLM their software, as they say, at most 256 bytes.
	ClientOS, ClientLM string
	ServerOS, ServerLM string
}

// Protocol implements Message.
func (*SMB) Protocol() string { return "smb" }

// SMBFile is a file or folder that is opened ([MS-SMB2] 2.2.13 and 2.2.14).
type SMBFile struct {
	Name          string // within the share, at most 256 bytes; "" is its root
	Disposition   uint32 // what is to be done if it exists or not: 0 to 5
	DeleteOnClose bool
	Folder        bool // it must be one
	Opened        bool // it was not refused
	// Of the answer: times in seconds since 1970, the
	// size in bytes, and what it is called from now on.
	Created, Accessed, Modified, Changed int64
	Size                                 uint64
	ID                                   [16]byte
}

// SMBUse is a file by its name, "" if it was opened before the capture, and by
// its identifier; in SMB 1 that has two bytes.
type SMBUse struct {
	Name string
	ID   [16]byte
}

// SMBRename is what a file was called, "" if that is not known, and is called
// from now on; at most 256 bytes.
type SMBRename struct{ From, To string }

const (
	// maxSMBFrame bounds what is read of one message: a session setup with a
	// Kerberos ticket has some 4 KiB, NTLM below 1 KiB.
	maxSMBFrame = 8 << 10
	// maxSMBPending bounds the requests that wait for their response. Those
	// that are read follow one another, but for files that are opened.
	maxSMBPending  = 32
	maxSMBDialects = 16
	netBIOSHeader  = 4
	smb1Header     = 32
	smb2Header     = 64
	maxSMBKinds    = 32 // commands with their outcome that are told
	maxSMBOpens    = 32 // files that are told whatever they are
	maxSMBFiles    = 64 // files with their outcome that are told after these
)

// NTSTATUS values ([MS-ERREF]).
const (
	statusPending        = 0x00000103 // the answer is still to come
	statusMoreProcessing = 0xc0000016
)

var errSMBFrame = fmt.Errorf("read smb: neither a NetBIOS session nor an SMB header: %w", ErrMalformed)

// smbStream reads the frames of one connection.
type smbStream struct {
	framedStream
	pending []smbRequest
	attempt attempt
	dialect []string // offered in SMB 1, where the response says only which
	session uint64   // of the message at hand, as tree
	tree    uint32
	chosen  string    // dialect
	count   uint32    // exchanges
	kinds   []smbKind // that were told, at most maxSMBKinds
	opens   int
	files   []uint64 // hashes of files and outcomes that were told, at most maxSMBFiles
	seed    maphash.Seed
	version uint8       // of the message at hand
	trees   []smbTree   // at most maxSMBTrees
	handles []smbHandle // at most maxSMBHandles
	waits   []smbWait   // at most maxSMBWaits
	names   int         // bytes of the names in handles
	// latest is the last file that was opened, creating the name of the last one
	// that was asked for: what related requests are about.
	latest   [16]byte
	creating string
}

// smbKind is what commands that are not read are told once for.
type smbKind struct {
	version  uint8
	command  uint16
	status   uint32
	function uint32 // of an IOCTL
}

// smbRequest is a request that waits for its response.
type smbRequest struct {
	id  uint64
	msg *SMB
}

func newSMBStream() Stream {
	s := &smbStream{seed: maphash.MakeSeed()}
	s.framing, s.parted = s, s
	return s
}

// sniffSMB recognises an SMB header behind the length of a NetBIOS session
// message (RFC 1002 section 4.3.1), or the request for such a session.
func sniffSMB(_ Dir, b []byte) Match {
	const request, response = 0x81, 0x82
	switch {
	case len(b) == 0:
		return Maybe
	case b[0] == request:
		// Two NetBIOS names, each 32 letters behind their length.
		return prefix(b, []byte{request, 0, 0, 68, 32})
	case b[0] == response:
		// Nothing, and then the answer to the client's first message.
		if m := prefix(b, []byte{response, 0, 0, 0}); m != Yes {
			return m
		}
		return sniffSMB(FromServer, b[4:])
	case b[0] != 0 || len(b) > 1 && b[1] > 1:
		return No
	}
	if len(b) < 8 {
		for i, want := range [][]byte{{0xff, 0xfe, 0xfd, 0xfc}, {'S'}, {'M'}, {'B'}} {
			if len(b) > 4+i && !bytes.Contains(want, b[4+i:5+i]) {
				return No
			}
		}
		return Maybe
	}
	if b[4] < 0xfc || string(b[5:8]) != "SMB" || smbLength(b) < smb1Header {
		return No
	}
	return Yes
}

// prefix tells whether b begins with want, or may.
func prefix(b, want []byte) Match {
	n := min(len(b), len(want))
	switch {
	case !bytes.Equal(b[:n], want[:n]):
		return No
	case n < len(want):
		return Maybe
	default:
		return Yes
	}
}

func smbLength(b []byte) int { return int(b[1])<<16 | int(b[2])<<8 | int(b[3]) }

// ended implements ender: the other end may still answer what dir has asked.
func (s *smbStream) ended(dir Dir, msgs []Message) []Message {
	if s.attempt.login != nil && s.attempt.from == dir && len(s.pending) > 0 {
		return msgs
	}
	return s.giveUp(msgs)
}

// giveUp reports what waits for an answer.
func (s *smbStream) giveUp(msgs []Message) []Message {
	for _, r := range s.pending {
		msgs = append(msgs, s.numbered(r.msg))
	}
	s.pending = nil
	for i := range s.handles {
		msgs = s.unanswered(s.handles[i].pipe, msgs)
	}
	return s.attempt.end(OutcomeUnknown, msgs)
}

// size is that of a NetBIOS session message.
func (s *smbStream) size(b []byte) (int, error) {
	if len(b) < netBIOSHeader {
		return 0, nil
	}
	switch b[0] {
	case 0, 0x81, 0x82, 0x83, 0x84, 0x85: // message; session request, its answers, keep-alive
		return netBIOSHeader + smbLength(b), nil
	}
	return 0, errSMBFrame
}

// part implements parted: by its header it is known whether a message is read.
func (s *smbStream) part(b []byte, size int) (int, error) {
	if b[0] != 0 || size == netBIOSHeader {
		return netBIOSHeader, nil
	}
	head := min(size, netBIOSHeader+smb2Header)
	if len(b) < head {
		return 0, nil
	}
	body := b[netBIOSHeader:head]
	if len(body) < 4 || body[0] < 0xfc || string(body[1:4]) != "SMB" {
		return 0, errSMBFrame
	}
	switch {
	case smbInteresting(body):
		return min(size, netBIOSHeader+maxSMBFrame), nil
	case smbByHandle(body):
		return s.handlePart(b, size)
	}
	return head, nil
}

// handlePart returns how much of a READ or WRITE is read: all of it within a
// pipe, of a file as far as the handle.
func (s *smbStream) handlePart(b []byte, size int) (int, error) {
	body := b[netBIOSHeader:]
	tree, room := binary.LittleEndian.Uint32(body[36:]), smb2HandleRoom
	if body[0] == 0xff {
		tree, room = uint32(binary.LittleEndian.Uint16(body[24:])), smb1HandleRoom
	}
	if s.share(tree).kind == "pipe" {
		return min(size, netBIOSHeader+maxSMBFrame), nil
	}
	return min(size, netBIOSHeader+room), nil
}

func (s *smbStream) read(dir Dir, b []byte, _ bool, msgs []Message) ([]Message, error) {
	return s.message(dir, b[netBIOSHeader:], msgs), nil
}

// smbInteresting tells by the command of the first message of a frame whether
// it is read: what settles a session or opens, names or calls something. Others
// behind it are read too.
func smbInteresting(b []byte) bool {
	switch {
	case b[0] == 0xff && len(b) >= smb1Header:
		switch b[4] {
		case smb1Negotiate, smb1SessionSetup, smb1TreeConnect, smb1NTCreate, smb1Close, smb1Rename, smb1Trans:
			return true
		}
	case b[0] == 0xfe && len(b) >= smb2Header:
		switch command := binary.LittleEndian.Uint16(b[12:]); command {
		case smb2Create, smb2Close, smb2Ioctl, smb2SetInfo:
			return true
		default:
			return command <= smb2TreeConnect || binary.LittleEndian.Uint32(b[20:]) != 0
		}
	}
	return false // encrypted or compressed
}

// smbByHandle tells a READ or WRITE.
func smbByHandle(b []byte) bool {
	switch {
	case b[0] == 0xff && len(b) >= smb1Header:
		return b[4] == smb1Read || b[4] == smb1Write
	case b[0] == 0xfe && len(b) >= smb2Header:
		command := binary.LittleEndian.Uint16(b[12:])
		return command == smb2Read || command == smb2Write
	}
	return false
}

// message reads the messages of a frame.
func (s *smbStream) message(dir Dir, b []byte, msgs []Message) []Message {
	if len(b) < smb1Header || string(b[1:4]) != "SMB" {
		return msgs
	}
	if b[0] == 0xff {
		s.version = 1
		return s.message1(dir, b, msgs)
	}
	s.version = 2
	for range 8 { // compounded requests
		if len(b) < smb2Header || b[0] != 0xfe {
			return msgs
		}
		next := int64(binary.LittleEndian.Uint32(b[20:]))
		part := b
		if next >= smb2Header && next <= int64(len(b)) {
			part = b[:next]
		}
		msgs = s.message2(dir, part, msgs)
		if next < smb2Header || next > int64(len(b)) {
			return msgs
		}
		b = b[next:]
	}
	return msgs
}

// asked notes a request.
func (s *smbStream) asked(dir Dir, id uint64, m *SMB, msgs []Message) []Message {
	if len(s.pending) == maxSMBPending {
		msgs = append(msgs, s.numbered(s.pending[0].msg))
		s.pending = s.pending[1:]
	}
	s.belong(m)
	s.pending = append(s.pending, smbRequest{id, m})
	switch {
	case m.NTLM != nil:
		return s.attempt.begin(dir, m.NTLM.login("smb"), msgs)
	case m.Kerberos != nil:
		return s.attempt.begin(dir, &Login{Service: "smb", Mechanism: "Kerberos"}, msgs)
	}
	return msgs
}

// take returns the request that a response belongs to, an empty message if
// none was seen.
func (s *smbStream) take(id uint64, version uint8, command string) *SMB {
	for i, r := range s.pending {
		if r.id == id && r.msg.Version == version && r.msg.Command == command {
			s.pending = append(s.pending[:i], s.pending[i+1:]...)
			return r.msg
		}
	}
	return &SMB{Version: version, Command: command}
}

// answered reports a request with its response, and a login with its outcome.
func (s *smbStream) answered(m *SMB, status uint32, msgs []Message) []Message {
	m.Status, m.Answered = status, true
	s.belong(m)
	if m.Dialect != "" {
		s.chosen = m.Dialect
	}
	msgs = append(msgs, s.numbered(m))
	switch {
	case m.Command != smbSessionSetup || status == statusMoreProcessing:
		return msgs
	case status == 0:
		return s.attempt.end(Succeeded, msgs)
	case status >= 0xc0000000:
		return s.attempt.end(Failed, msgs)
	}
	return s.attempt.end(OutcomeUnknown, msgs)
}

// belong notes the session and the tree of the message at hand. A negotiation
// has none yet, and some fill the fields with ones.
func (s *smbStream) belong(m *SMB) {
	if m.Command != smbNegotiate {
		m.SessionID, m.TreeID = s.session, s.tree
	}
}

// numbered completes a message with what its connection knows.
func (s *smbStream) numbered(m *SMB) *SMB {
	s.count++
	m.Number, m.Dialect = s.count, cmp.Or(m.Dialect, s.chosen)
	return m
}

// other tells of a response to a command that is not read, once for each
// outcome.
func (s *smbStream) other(kind smbKind, msgs []Message) []Message {
	if slices.Contains(s.kinds, kind) || len(s.kinds) == maxSMBKinds {
		s.count++
		return msgs
	}
	s.kinds = append(s.kinds, kind)
	m := &SMB{Version: kind.version, Command: SMBCommandName(kind.version, kind.command), Function: kind.function}
	return s.answered(m, kind.status, msgs)
}

// security reads the security blob of a session setup request.
func (m *SMB) security(blob []byte) {
	token, kind := findNTLM(blob)
	if kind == ntlmAuthenticate {
		m.NTLM = parseNTLM(token)
	}
	if kind == 0 {
		m.Kerberos = findTicket(blob)
	}
}

// window returns n bytes of b at off, as far as they are there.
func window(b []byte, off, n int) []byte {
	if off < 0 || off > len(b) {
		return nil
	}
	return b[off:min(len(b), off+min(n, math.MaxInt32))]
}
