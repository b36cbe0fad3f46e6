package wire

import "encoding/binary"

// smb1HandleRoom is how much of a READ_ANDX or WRITE_ANDX is read: its words.
const smb1HandleRoom = smb1Header + 1 + 28

// smb1ByHandle tells the commands of SMB 1 that open files and pipes or use
// them.
func smb1ByHandle(command byte) bool {
	switch command {
	case smb1NTCreate, smb1Close, smb1Rename, smb1Trans, smb1Read, smb1Write:
		return true
	}
	return false
}

// smb1FID makes the identifier of a handle from that of SMB 1.
func smb1FID(b []byte) (id [16]byte) {
	copy(id[:2], b)
	return id
}

// handled1 reads a request or response by handle.
func (s *smbStream) handled1(dir Dir, response bool, id uint64, status uint32, r *smb1Reader, msgs []Message) []Message {
	command := uint16(r.b[4])
	switch {
	case command == smb1NTCreate:
		return s.create1(dir, response, id, status, r, msgs)
	case response:
		return s.response1(dir, id, status, r, msgs)
	}
	w := smbWait{id: id, version: 1, command: command}
	switch words := r.words; {
	case command == smb1Rename:
		w.rename = true
		w.from, w.to = r.renames()
	case command == smb1Close && len(words) >= 2:
		w.handle = smb1FID(words)
	case command == smb1Read && len(words) >= 6:
		w.handle = smb1FID(words[4:])
	case command == smb1Write && len(words) >= 24:
		w.handle = smb1FID(words[4:])
		msgs = s.asked1(dir, &w, "WRITE_ANDX", binary.LittleEndian.Uint16(words[22:]), binary.LittleEndian.Uint16(words[20:]), r, msgs)
	case command == smb1Trans && len(words) >= 32 && binary.LittleEndian.Uint16(words[28:]) == 0x26: // TransactNmPipe
		w.handle = smb1FID(words[30:])
		msgs = s.asked1(dir, &w, "TRANS", binary.LittleEndian.Uint16(words[24:]), binary.LittleEndian.Uint16(words[22:]), r, msgs)
	default:
		return msgs
	}
	s.wait(w)
	return msgs
}

// asked1 reads what a request puts into a pipe.
func (s *smbStream) asked1(dir Dir, w *smbWait, by string, off, size uint16, r *smb1Reader, msgs []Message) []Message {
	h := s.handle(w.handle)
	if h == nil || h.pipe == nil {
		return msgs
	}
	h.pipe.by = by
	return s.piped(dir, h.pipe, window(r.b, int(off), int(size)), int(size), 0, msgs)
}

// response1 reads the response to a request by handle.
func (s *smbStream) response1(dir Dir, id uint64, status uint32, r *smb1Reader, msgs []Message) []Message {
	command := uint16(r.b[4])
	kind := smbKind{version: 1, command: command, status: status}
	w, ok := s.waited(id, 1, command)
	if !ok {
		return s.other(kind, msgs)
	}
	h := s.handle(w.handle)
	switch {
	case w.rename:
		return s.answered(&SMB{Version: 1, Command: "RENAME", Rename: &SMBRename{w.from, w.to}}, status, msgs)
	case command == smb1Close:
		msgs = s.closed(w.handle, msgs)
	case h == nil:
	case h.pipe == nil && command == smb1Read:
		return s.used(h, kind, 0, msgs)
	case h.pipe == nil && command == smb1Write:
		return s.used(h, kind, 1, msgs)
	case h.pipe != nil && command == smb1Read && len(r.words) >= 14:
		off, size := int(binary.LittleEndian.Uint16(r.words[12:])), int(binary.LittleEndian.Uint16(r.words[10:]))
		msgs = s.piped(dir, h.pipe, window(r.b, off, size), size, status, msgs)
	case h.pipe != nil && command == smb1Trans && len(r.words) >= 16:
		off, size := int(binary.LittleEndian.Uint16(r.words[14:])), int(binary.LittleEndian.Uint16(r.words[12:]))
		return s.piped(dir, h.pipe, window(r.b, off, size), size, status, msgs)
	}
	return s.other(kind, msgs)
}

// renames reads the two names of a RENAME: each behind the byte that says that
// it is one ([MS-CIFS] 2.2.4.8).
func (r *smb1Reader) renames() (from, to string) {
	from, next := r.text(1)
	to, _ = r.text(next + 1)
	return from, to
}

// create1 reads which file or pipe is opened ([MS-CIFS] 2.2.4.64).
func (s *smbStream) create1(dir Dir, response bool, id uint64, status uint32, r *smb1Reader, msgs []Message) []Message {
	const command = "NT_CREATE_ANDX"
	words := r.words
	if !response {
		if len(words) < 48 || len(s.files) == maxSMBFiles && s.share(s.tree).kind != "pipe" {
			return msgs
		}
		const deleteOnClose, folder = 0x1000, 1
		name, _ := r.text(0)
		options := binary.LittleEndian.Uint32(words[39:])
		return s.asked(dir, id, &SMB{Version: 1, Command: command, File: &SMBFile{
			Name: name, Disposition: binary.LittleEndian.Uint32(words[35:]),
			DeleteOnClose: options&deleteOnClose != 0, Folder: options&folder != 0,
		}}, msgs)
	}
	m := s.take(id, 1, command)
	if m.File == nil {
		return s.other(smbKind{version: 1, command: smb1NTCreate, status: status}, msgs)
	}
	if status == 0 && len(words) >= 63 {
		f := m.File
		f.Opened, f.ID = true, smb1FID(words[5:])
		for i, at := range []*int64{&f.Created, &f.Accessed, &f.Modified, &f.Changed} {
			*at = fileTime(binary.LittleEndian.Uint64(words[11+8*i:]))
		}
		f.Size = binary.LittleEndian.Uint64(words[55:])
		s.opened(f.ID, f.Name)
	}
	if s.knownFile(m.File.Name, status) {
		s.count++
		return msgs
	}
	return s.answered(m, status, msgs)
}
