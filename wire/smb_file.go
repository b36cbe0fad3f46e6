package wire

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
)

// create2 reads which file or folder is opened, and tells of each once for
// every outcome.
func (s *smbStream) create2(dir Dir, response bool, id uint64, status uint32, b []byte, msgs []Message) []Message {
	body := b[smb2Header:]
	if !response {
		if len(body) < 48 || len(s.files) == maxSMBFiles && s.share(s.tree).kind != "pipe" {
			return msgs
		}
		name := window(b, int(binary.LittleEndian.Uint16(body[44:])), int(binary.LittleEndian.Uint16(body[46:])))
		const deleteOnClose, folder = 0x1000, 1 // among the options
		options := binary.LittleEndian.Uint32(body[40:])
		s.creating = utf16Text(name)
		return s.asked(dir, id, &SMB{Version: 2, Command: smbCreate, File: &SMBFile{
			Name:        s.creating,
			Disposition: binary.LittleEndian.Uint32(body[36:]), DeleteOnClose: options&deleteOnClose != 0, Folder: options&folder != 0,
		}}, msgs)
	}
	m := s.take(id, 2, smbCreate)
	if m.File == nil {
		return s.other(smbKind{version: 2, command: smb2Create, status: status}, msgs)
	}
	if status == 0 && len(body) >= 80 {
		m.File.opened(body)
		s.opened(m.File.ID, m.File.Name)
	}
	if s.knownFile(m.File.Name, status) {
		s.count++
		return msgs
	}
	return s.answered(m, status, msgs)
}

// opened reads the answer to a create request that was granted.
func (f *SMBFile) opened(body []byte) {
	for i, at := range []*int64{&f.Created, &f.Accessed, &f.Modified, &f.Changed} {
		*at = fileTime(binary.LittleEndian.Uint64(body[8+8*i:]))
	}
	f.Opened, f.Size = true, binary.LittleEndian.Uint64(body[48:])
	f.ID = [16]byte(body[64:])
}

// knownFile remembers a file with what came of opening it, and reports whether
// that was told before; the first files of a connection are told in any case.
func (s *smbStream) knownFile(name string, status uint32) bool {
	if s.opens < maxSMBOpens {
		s.opens++
		return false
	}
	sum := maphash.String(s.seed, name) + uint64(status)
	if slices.Contains(s.files, sum) || len(s.files) == maxSMBFiles {
		return true
	}
	s.files = append(s.files, sum)
	return false
}

// fileTime turns a FILETIME, tenths of microseconds since 1601, into seconds
// since 1970; 0 is none ([MS-DTYP] 2.3.3).
func fileTime(v uint64) int64 {
	const second, epoch = 10_000_000, 11_644_473_600
	if v == 0 {
		return 0
	}
	return int64(v/second) - epoch
}
