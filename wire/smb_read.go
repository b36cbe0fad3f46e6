package wire

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// Commands that are read, by the names of the specifications.
const (
	smb1Negotiate    = 0x72
	smb1SessionSetup = 0x73
	smb1TreeConnect  = 0x75
	smb1Close        = 0x04
	smb1Rename       = 0x07
	smb1Trans        = 0x25
	smb1Read         = 0x2e
	smb1Write        = 0x2f
	smb1NTCreate     = 0xa2
	smb2TreeConnect  = 3
	smb2Create       = 5
	smb2Close        = 6
	smb2Read         = 8
	smb2Write        = 9
	smb2Ioctl        = 11
	smb2SetInfo      = 17

	smbNegotiate    = "NEGOTIATE"
	smbSessionSetup = "SESSION_SETUP"
	smbTreeConnect  = "TREE_CONNECT"
	smbCreate       = "CREATE"
)

// maxSMBService is longer than every service ("COMM", "LPT1:").
const maxSMBService = 16

// smb2Dialect names a dialect revision ([MS-SMB2] 2.2.4).
func smb2Dialect(v uint16) string {
	switch v {
	case 0x0202:
		return "2.02"
	case 0x0210:
		return "2.10"
	case 0x0300:
		return "3.00"
	case 0x0302:
		return "3.02"
	case 0x0311:
		return "3.11"
	case 0x02ff:
		return "2.??"
	}
	return "unknown"
}

// message2 reads a message of SMB 2 or 3 ([MS-SMB2] 2.2.1).
func (s *smbStream) message2(dir Dir, b []byte, msgs []Message) []Message {
	status, flags, id := binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[16:]), binary.LittleEndian.Uint64(b[24:])
	response, body := flags&1 != 0, b[smb2Header:]
	s.session, s.tree = binary.LittleEndian.Uint64(b[40:]), binary.LittleEndian.Uint32(b[36:])
	if response && status == statusPending {
		return msgs
	}
	switch command := binary.LittleEndian.Uint16(b[12:]); command {
	case 0:
		return s.negotiate2(dir, response, id, status, body, msgs)
	case 1:
		return s.sessionSetup2(dir, response, id, status, b, msgs)
	case smb2TreeConnect:
		return s.treeConnect2(dir, response, id, status, b, msgs)
	case smb2Create:
		return s.create2(dir, response, id, status, b, msgs)
	case smb2Close, smb2Read, smb2Write, smb2Ioctl, smb2SetInfo:
		return s.handled2(dir, response, command, id, status, b, msgs)
	default:
		if !response {
			return msgs
		}
		return s.other(smbKind{version: 2, command: command, status: status}, msgs)
	}
}

func (s *smbStream) negotiate2(dir Dir, response bool, id uint64, status uint32, body []byte, msgs []Message) []Message {
	if !response {
		m := &SMB{Version: 2, Command: smbNegotiate}
		if len(body) < 36 {
			return msgs
		}
		n := min(int(binary.LittleEndian.Uint16(body[2:])), maxSMBDialects)
		for list := window(body, 36, 2*n); len(list) >= 2; list = list[2:] {
			m.Dialects = append(m.Dialects, smb2Dialect(binary.LittleEndian.Uint16(list)))
		}
		m.ClientGUID = [16]byte(body[12:])
		return s.asked(dir, id, m, msgs)
	}
	m := s.take(id, 2, smbNegotiate)
	if m.Dialects == nil && len(s.pending) > 0 && s.pending[0].msg.Version == 1 {
		// A client of both versions asks in SMB 1 and is answered in SMB 2.
		m.Version, m.Dialects = 1, s.pending[0].msg.Dialects
		s.pending = s.pending[1:]
	}
	if status == 0 && len(body) >= 6 {
		m.Signing = body[2]&2 != 0
		m.Dialect = smb2Dialect(binary.LittleEndian.Uint16(body[4:]))
		if len(body) >= 40 {
			m.ServerGUID = [16]byte(body[8:])
			m.MaxRead, m.MaxWrite = binary.LittleEndian.Uint32(body[32:]), binary.LittleEndian.Uint32(body[36:])
		}
	}
	return s.answered(m, status, msgs)
}

func (s *smbStream) sessionSetup2(dir Dir, response bool, id uint64, status uint32, b []byte, msgs []Message) []Message {
	body := b[smb2Header:]
	if !response {
		m := &SMB{Version: 2, Command: smbSessionSetup}
		if len(body) < 16 {
			return msgs
		}
		m.security(window(b, int(binary.LittleEndian.Uint16(body[12:])), int(binary.LittleEndian.Uint16(body[14:]))))
		return s.asked(dir, id, m, msgs)
	}
	m := s.take(id, 2, smbSessionSetup)
	if len(body) >= 4 && status == 0 {
		m.Guest = body[2]&1 != 0
	}
	return s.answered(m, status, msgs)
}

func (s *smbStream) treeConnect2(dir Dir, response bool, id uint64, status uint32, b []byte, msgs []Message) []Message {
	body := b[smb2Header:]
	if !response {
		if len(body) < 8 {
			return msgs
		}
		path := window(b, int(binary.LittleEndian.Uint16(body[4:])), int(binary.LittleEndian.Uint16(body[6:])))
		return s.asked(dir, id, &SMB{Version: 2, Command: smbTreeConnect, Share: utf16Text(path)}, msgs)
	}
	m := s.take(id, 2, smbTreeConnect)
	if status == 0 && len(body) >= 3 {
		m.ShareType = [4]string{"", "disk", "pipe", "print"}[body[2]&3]
		s.join(m.Share, m.ShareType)
	}
	return s.answered(m, status, msgs)
}

// message1 reads a message of SMB 1 ([MS-CIFS] 2.2.3).
func (s *smbStream) message1(dir Dir, b []byte, msgs []Message) []Message {
	status, flags2 := binary.LittleEndian.Uint32(b[5:]), binary.LittleEndian.Uint16(b[10:])
	response, id := b[9]&0x80 != 0, uint64(binary.LittleEndian.Uint16(b[30:]))
	s.session, s.tree = uint64(binary.LittleEndian.Uint16(b[28:])), uint32(binary.LittleEndian.Uint16(b[24:]))
	words, data, dataAt := smb1Parts(b)
	r := smb1Reader{b: b, words: words, data: data, dataAt: dataAt, unicode: flags2&0x8000 != 0}
	switch b[4] {
	case smb1Negotiate:
		if !response {
			m := &SMB{Version: 1, Command: smbNegotiate, Dialects: r.dialects()}
			s.dialect = m.Dialects
			return s.asked(dir, id, m, msgs)
		}
		m := s.take(id, 1, smbNegotiate)
		if len(words) >= 3 {
			if i := int(binary.LittleEndian.Uint16(words)); i < len(s.dialect) {
				m.Dialect = s.dialect[i]
			}
			m.Signing = words[2]&8 != 0
		}
		if extended := len(words) == 34 && words[22]&0x80 != 0; extended && len(data) >= 16 {
			m.ServerGUID = [16]byte(data)
		}
		return s.answered(m, status, msgs)
	case smb1SessionSetup:
		if !response {
			m := &SMB{Version: 1, Command: smbSessionSetup}
			r.sessionSetup(m)
			return s.asked(dir, id, m, msgs)
		}
		m := s.take(id, 1, smbSessionSetup)
		if len(words) >= 6 && status == 0 {
			m.Guest = words[4]&1 != 0
		}
		r.sessionSetupResponse(m)
		return s.answered(m, status, msgs)
	case smb1TreeConnect:
		if !response {
			m := &SMB{Version: 1, Command: smbTreeConnect}
			r.treeConnect(m)
			return s.asked(dir, id, m, msgs)
		}
		m := s.take(id, 1, smbTreeConnect)
		if status == 0 {
			m.Granted = r.ascii(0)
			m.ShareType = smb1ShareType(m.Granted)
			s.join(m.Share, m.ShareType)
		}
		return s.answered(m, status, msgs)
	}
	if smb1ByHandle(b[4]) {
		return s.handled1(dir, response, id, status, &r, msgs)
	}
	if !response {
		return msgs
	}
	return s.other(smbKind{version: 1, command: uint16(b[4]), status: status}, msgs)
}

// smb1Parts splits a message into its words and its data, as far as they are
// there.
func smb1Parts(b []byte) (words, data []byte, dataAt int) {
	if len(b) <= smb1Header {
		return nil, nil, len(b)
	}
	n := 2 * int(b[smb1Header])
	words = window(b, smb1Header+1, n)
	dataAt = smb1Header + 1 + n + 2
	return words, window(b, dataAt, len(b)), dataAt
}

// smb1Reader reads the parts of a request.
type smb1Reader struct {
	b, words, data []byte
	dataAt         int // of data in b: strings are aligned to the header
	unicode        bool
}

// dialects lists what a negotiate request offers: 0x02 and a text each.
func (r *smb1Reader) dialects() (list []string) {
	for data := r.data; len(data) > 1 && data[0] == 2 && len(list) < maxSMBDialects; {
		text, rest, ok := bytes.Cut(data[1:], []byte{0})
		if !ok {
			break
		}
		list = append(list, userText(text))
		data = rest
	}
	return list
}

// sessionSetup reads who logs in: with extended security 12 words and a blob,
// without 13 words and names.
func (r *smb1Reader) sessionSetup(m *SMB) {
	switch len(r.words) {
	case 24:
		blob := int(binary.LittleEndian.Uint16(r.words[14:]))
		m.security(window(r.data, 0, blob))
		m.ClientOS, m.ClientLM = r.system(blob)
	case 26:
		ansi, wide := int(binary.LittleEndian.Uint16(r.words[14:])), int(binary.LittleEndian.Uint16(r.words[16:]))
		user, next := r.text(ansi + wide)
		domain, next := r.text(next)
		m.ClientOS, m.ClientLM = r.system(next)
		m.NTLM = &NTLM{User: user, Domain: domain, Anonymous: user == "" && ansi <= 1 && wide == 0}
	}
}

// sessionSetupResponse reads what a server runs: with extended security there
// are 4 words and a blob before it, without 3 words.
func (r *smb1Reader) sessionSetupResponse(m *SMB) {
	switch len(r.words) {
	case 8:
		m.ServerOS, m.ServerLM = r.system(int(binary.LittleEndian.Uint16(r.words[6:])))
	case 6:
		m.ServerOS, m.ServerLM = r.system(0)
	}
}

// system reads the names of an operating system and its software at an offset
// in data.
func (r *smb1Reader) system(off int) (os, software string) {
	os, next := r.text(off)
	software, _ = r.text(next)
	return os, software
}

// text reads a string at an offset in data and returns where it ends.
func (r *smb1Reader) text(off int) (string, int) {
	if !r.unicode {
		text, _, _ := bytes.Cut(window(r.data, off, maxUser), []byte{0})
		return string(text), off + len(text) + 1
	}
	off += (r.dataAt + off) & 1
	raw := window(r.data, off, 2*maxUser)
	end := 0
	for end+1 < len(raw) && (raw[end] != 0 || raw[end+1] != 0) {
		end += 2
	}
	return utf16Text(raw[:end]), off + end + 2
}

// treeConnect reads the path of a request, behind its password, and the kind of
// service that is asked for.
func (r *smb1Reader) treeConnect(m *SMB) {
	if len(r.words) < 8 {
		return
	}
	path, next := r.text(int(binary.LittleEndian.Uint16(r.words[6:])))
	m.Share, m.Service = path, r.ascii(next)
}

// ascii reads the short name of a service, which is never in Unicode.
func (r *smb1Reader) ascii(off int) string {
	service, _, _ := bytes.Cut(window(r.data, off, maxSMBService), []byte{0})
	return plainText(service)
}

func smb1ShareType(service string) string {
	switch strings.TrimSpace(service) {
	case "A:":
		return "disk"
	case "IPC":
		return "pipe"
	case "LPT1:":
		return "print"
	}
	return ""
}
