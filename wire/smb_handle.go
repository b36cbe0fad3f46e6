package wire

import (
	"encoding/binary"
	"slices"
)

const (
	maxSMBHandles = 64 // open files and pipes of a connection that are known
	maxSMBTrees   = 16
	maxSMBWaits   = 32 // requests by handle whose response is to come
	fsctlPipe     = 0x0011c017
	// smb2HandleRoom is how much of a request by handle is read: up to the end
	// of the FileId of a READ or WRITE, and of the fixed part of their responses.
	smb2HandleRoom = smb2Header + 32
)

// smbTree is a share that a connection uses.
type smbTree struct {
	id   uint32
	name string
	kind string // as SMB.ShareType
}

// smbHandle is an open file, or a pipe within the share of pipes.
type smbHandle struct {
	id   [16]byte // of SMB 1 the first two bytes
	name string
	tree uint32
	told [2]bool // that it was read from, written to
	pipe *smbPipe
}

// smbPipe carries DCE RPC: each direction is a run of PDUs.
type smbPipe struct {
	conn rpcConn
	by   string // the command that carried the last request
	left [2]int // bytes of a PDU that was read, still to come
}

// smbWait is a request by handle that waits for its response.
type smbWait struct {
	id       uint64
	version  uint8
	command  uint16
	handle   [16]byte
	function uint32 // of an IOCTL
	to       string // new name, of a RENAME
	rename   bool
	from     string
}

// smbRelated stands for the file of the request before it in the same frame
// ([MS-SMB2] 3.3.5.2.7.2).
var smbRelated = [16]byte{
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
}

// join notes a share that was connected to.
func (s *smbStream) join(name, kind string) {
	i := slices.IndexFunc(s.trees, func(t smbTree) bool { return t.id == s.tree })
	switch {
	case i >= 0:
		s.trees[i] = smbTree{s.tree, name, kind}
		return
	case len(s.trees) == maxSMBTrees:
		s.trees = slices.Delete(s.trees, 0, 1)
	}
	s.trees = append(s.trees, smbTree{s.tree, name, kind})
}

// share returns the share of a tree, an empty one if it is not known.
func (s *smbStream) share(tree uint32) smbTree {
	if i := slices.IndexFunc(s.trees, func(t smbTree) bool { return t.id == tree }); i >= 0 {
		return s.trees[i]
	}
	return smbTree{}
}

// opened notes a file or pipe that was opened.
func (s *smbStream) opened(id [16]byte, name string) {
	if len(s.handles) == maxSMBHandles {
		s.forget(0)
	}
	s.latest, s.names = id, s.names+len(name)
	h := smbHandle{id: id, name: name, tree: s.tree}
	if s.share(s.tree).kind == "pipe" {
		h.pipe = &smbPipe{}
	}
	s.handles = append(s.handles, h)
}

// handle returns what is open under an identifier, nil if that is not known.
func (s *smbStream) handle(id [16]byte) *smbHandle {
	for i := range s.handles {
		if s.handles[i].id == id {
			return &s.handles[i]
		}
	}
	return nil
}

// closed forgets a handle, and tells of the calls in its pipe that were not
// answered.
func (s *smbStream) closed(id [16]byte, msgs []Message) []Message {
	i := slices.IndexFunc(s.handles, func(h smbHandle) bool { return h.id == id })
	if i < 0 {
		return msgs
	}
	msgs = s.unanswered(s.handles[i].pipe, msgs)
	s.forget(i)
	return msgs
}

func (s *smbStream) forget(i int) {
	s.names -= len(s.handles[i].name)
	s.handles = slices.Delete(s.handles, i, i+1)
}

// Retained implements Retainer.
func (s *smbStream) Retained() int {
	const handle, wait, tree = 72, 112, 64 // bytes of each, and of the name of a share
	return s.names + handle*cap(s.handles) + wait*cap(s.waits) + tree*cap(s.trees)
}

func (s *smbStream) unanswered(p *smbPipe, msgs []Message) []Message {
	if p == nil {
		return msgs
	}
	for call := p.conn.gone(); call != nil; call = p.conn.gone() {
		m := &SMB{Version: s.version, Command: p.by, Call: call}
		s.belong(m)
		msgs = append(msgs, s.numbered(m))
	}
	return p.conn.attempt.end(OutcomeUnknown, msgs)
}

// wait notes a request by handle.
func (s *smbStream) wait(w smbWait) {
	if len(s.waits) == maxSMBWaits {
		s.waits = slices.Delete(s.waits, 0, 1)
	}
	s.waits = append(s.waits, w)
}

// waited takes the request that a response belongs to.
func (s *smbStream) waited(id uint64, version uint8, command uint16) (smbWait, bool) {
	i := slices.IndexFunc(s.waits, func(w smbWait) bool { return w.id == id && w.version == version && w.command == command })
	if i < 0 {
		return smbWait{}, false
	}
	w := s.waits[i]
	s.waits = slices.Delete(s.waits, i, i+1)
	return w, true
}

// piped reads what crosses a pipe: size bytes, of which b are there.
func (s *smbStream) piped(dir Dir, p *smbPipe, b []byte, size int, status uint32, msgs []Message) []Message {
	for size > 0 {
		n := min(p.left[dir], size)
		p.left[dir] -= n
		size -= n
		if b = b[min(n, len(b)):]; len(b) < rpcHeader {
			return msgs
		}
		pdu, ok := parseRPCPDU(b)
		if !ok {
			return msgs
		}
		var call *DCERPC
		if call, msgs = p.conn.pdu(dir, b[:min(len(b), pdu.size)], msgs); call != nil {
			msgs = s.called(p, call, status, msgs)
		}
		p.left[dir] = pdu.size
	}
	return msgs
}

// called reports an exchange within a pipe.
func (s *smbStream) called(p *smbPipe, call *DCERPC, status uint32, msgs []Message) []Message {
	m := &SMB{Version: s.version, Command: p.by, Call: call}
	if !call.Answered {
		s.belong(m)
		return append(msgs, s.numbered(m))
	}
	return s.answered(m, status, msgs)
}

// used reports the first read or write of a file.
func (s *smbStream) used(h *smbHandle, kind smbKind, write int, msgs []Message) []Message {
	if h.told[write] {
		s.count++
		return msgs
	}
	h.told[write] = true
	return s.answered(&SMB{
		Version: kind.version, Command: SMBCommandName(kind.version, kind.command),
		Share: s.share(h.tree).name, Used: &SMBUse{h.name, h.id},
	}, kind.status, msgs)
}

// handled2 reads a request or response by handle: READ, WRITE, IOCTL, SET_INFO
// and CLOSE.
func (s *smbStream) handled2(dir Dir, response bool, command uint16, id uint64, status uint32, b []byte, msgs []Message) []Message {
	if response {
		return s.response2(dir, command, id, status, b, msgs)
	}
	body := b[smb2Header:]
	at := smb2FileID(command)
	if len(body) < at+16 {
		return msgs
	}
	w := smbWait{id: id, version: 2, command: command, handle: [16]byte(body[at:])}
	h := s.handle(w.handle)
	switch {
	case command == smb2Write && h != nil && h.pipe != nil:
		h.pipe.by = "WRITE"
		off, size := int(binary.LittleEndian.Uint16(body[2:])), int(binary.LittleEndian.Uint32(body[4:]))
		msgs = s.piped(dir, h.pipe, window(b, off, size), size, 0, msgs)
	case command == smb2Ioctl:
		if len(body) < 32 {
			return msgs
		}
		w.function = binary.LittleEndian.Uint32(body[4:])
		if w.function == fsctlPipe && h != nil && h.pipe != nil {
			h.pipe.by = "IOCTL"
			off, size := int(binary.LittleEndian.Uint32(body[24:])), int(binary.LittleEndian.Uint32(body[28:]))
			msgs = s.piped(dir, h.pipe, window(b, off, size), size, 0, msgs)
		}
	case command == smb2SetInfo:
		w.renamed(b)
		if h != nil {
			w.from = h.name
		} else if w.handle == smbRelated {
			w.from = s.creating
		}
	}
	s.wait(w)
	return msgs
}

// smb2FileID is where the body of a request has its FileId.
func smb2FileID(command uint16) int {
	if command == smb2Read || command == smb2Write || command == smb2SetInfo {
		return 16
	}
	return 8
}

// renamed reads the new name that a SET_INFO request gives a file ([MS-FSCC]
// 2.4.42.2).
func (w *smbWait) renamed(b []byte) {
	const file, rename = 1, 10
	body := b[smb2Header:]
	if body[2] != file || body[3] != rename {
		return
	}
	info := window(b, int(binary.LittleEndian.Uint16(body[8:])), int(binary.LittleEndian.Uint32(body[4:])))
	if len(info) < 20 {
		return
	}
	w.rename, w.to = true, utf16Text(window(info, 20, int(binary.LittleEndian.Uint32(info[16:]))))
}

// response2 reads the response to a request by handle.
func (s *smbStream) response2(dir Dir, command uint16, id uint64, status uint32, b []byte, msgs []Message) []Message {
	kind := smbKind{version: 2, command: command, status: status}
	w, ok := s.waited(id, 2, command)
	if !ok {
		return s.other(kind, msgs)
	}
	if w.handle == smbRelated {
		w.handle = s.latest
	}
	h := s.handle(w.handle)
	body := b[smb2Header:]
	switch {
	case command == smb2Close:
		msgs = s.closed(w.handle, msgs)
	case w.rename:
		return s.answered(&SMB{Version: 2, Command: "SET_INFO", Rename: &SMBRename{w.from, w.to}, Used: &SMBUse{ID: w.handle}}, status, msgs)
	case command == smb2Ioctl:
		kind.function = w.function
		if w.function == fsctlPipe && h != nil && h.pipe != nil && len(body) >= 40 {
			off, size := int(binary.LittleEndian.Uint32(body[32:])), int(binary.LittleEndian.Uint32(body[36:]))
			return s.piped(dir, h.pipe, window(b, off, size), size, status, msgs)
		}
	case h != nil && h.pipe != nil && command == smb2Read && len(body) >= 8:
		off, size := int(body[2]), int(binary.LittleEndian.Uint32(body[4:]))
		msgs = s.piped(dir, h.pipe, window(b, off, size), size, status, msgs)
	case h != nil && h.pipe == nil && command == smb2Read:
		return s.used(h, kind, 0, msgs)
	case h != nil && h.pipe == nil && command == smb2Write:
		return s.used(h, kind, 1, msgs)
	}
	return s.other(kind, msgs)
}
