package wire

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// smbHandle9 is the identifier of the file that createAnswer2 opens.
var smbHandle9 = [16]byte{15: 9}

// opened2 is what is told of a file that createAnswer2 opens.
func opened2(name string, disposition uint32) *SMB {
	return &SMB{Version: 2, Command: "CREATE", Answered: true, File: &SMBFile{
		Name: name, Disposition: disposition, Opened: true, Created: 1, Accessed: 1, Modified: 1, Changed: 1, Size: 10, ID: smbHandle9,
	}}
}

// treeConnected2 is the answer to a tree connect: 1 is a disk, 2 a pipe.
func treeConnected2(id, kind int) []byte {
	return netbios(smb2(3, id, true, 0, 16, 0, kind, 0, make([]byte, 12)))
}

func treeConnect2(id int, share string) []byte {
	path := wide(share)
	return netbios(smb2(3, id, false, 0, 9, 0, 0, 0, le16(smb2Header+8), le16(len(path)), path))
}

// write2 and read2 use a file ([MS-SMB2] 2.2.19 to 2.2.22), ioctl2 calls a
// function of one (2.2.31 and 2.2.32).
func write2(id int, data []byte) []byte {
	return netbios(smb2(9, id, false, 0, 49, 0, le16(smb2Header+48), le16(len(data)), 0, 0, make([]byte, 8), smbHandle9[:], make([]byte, 16), data))
}

func read2(id int) []byte {
	return netbios(smb2(8, id, false, 0, 49, 0, 0, 0, 0, 0x10, 0, 0, make([]byte, 8), smbHandle9[:], make([]byte, 17)))
}

func readAnswer2(id int, status uint32, data []byte) []byte {
	return netbios(smb2(8, id, true, status, 17, 0, smb2Header+16, 0, le16(len(data)), 0, 0, make([]byte, 8), data))
}

func ioctl2(id, function int, data []byte) []byte {
	code := binary.LittleEndian.AppendUint32(nil, uint32(function))
	return netbios(smb2(11, id, false, 0, 57, 0, 0, 0, code, smbHandle9[:], smb2Header+56, 0, 0, 0, le16(len(data)), 0, 0, make([]byte, 24), data))
}

func ioctlAnswer2(id, function int, status uint32, data []byte) []byte {
	code := binary.LittleEndian.AppendUint32(nil, uint32(function))
	return netbios(smb2(11, id, true, status, 49, 0, 0, 0, code, smbHandle9[:], make([]byte, 8), smb2Header+48, 0, 0, 0, le16(len(data)), 0, 0, make([]byte, 8), data))
}

// rename2 gives a file another name; related is within the frame of the request
// that opens it.
func rename2(id int, file [16]byte, to string) []byte {
	name := wide(to)
	info := join(make([]byte, 16), le16(len(name)), 0, 0, name)
	return smb2(17, id, false, 0, 33, 0, 1, 10, le16(len(info)), 0, 0, le16(smb2Header+32), make([]byte, 6), file[:], info)
}

// chained puts the distance to the next request of the frame into one.
func chained(b []byte) []byte {
	b = append(b, make([]byte, -len(b)&7)...)
	binary.LittleEndian.PutUint32(b[20:], uint32(len(b)))
	return b
}

func done2(command, id int) []byte { return netbios(smb2(command, id, true, 0, 9, 0)) }

func TestSMBFiles(t *testing.T) {
	open := []chunk{
		{FromClient, treeConnect2(1, `\\nas\m`)},
		{FromServer, treeConnected2(1, 1)},
		{FromClient, create2(2, 1, 0, "a.txt")},
		{FromServer, createAnswer2(2, 0)},
	}
	told := func(more ...Message) []Message {
		return numbered(append([]Message{
			&SMB{Version: 2, Command: "TREE_CONNECT", Answered: true, Share: `\\nas\m`, ShareType: "disk"}, opened2("a.txt", 1),
		}, more...)...)
	}
	use := func(command string) *SMB {
		return &SMB{Version: 2, Command: command, Answered: true, Share: `\\nas\m`, Used: &SMBUse{"a.txt", smbHandle9}}
	}
	with := func(more ...chunk) []chunk { return append(open[:4:4], more...) }
	const negotiated = 0x00140204
	playAll(t, newSMBStream, []dialogue{
		{"read and written, told once each", with(
			chunk{FromClient, join(read2(3), read2(4), write2(5, make([]byte, 200)))},
			chunk{FromServer, join(readAnswer2(3, 0, make([]byte, 100)), readAnswer2(4, 0, make([]byte, 9000)), done2(9, 5))},
		), told(use("READ"), numberedAt(use("WRITE"), 5)), nil},
		{"renamed", with(
			chunk{FromClient, netbios(rename2(3, smbHandle9, "b.txt"))},
			chunk{FromServer, done2(17, 3)},
		), told(&SMB{Version: 2, Command: "SET_INFO", Answered: true, Rename: &SMBRename{"a.txt", "b.txt"}, Used: &SMBUse{ID: smbHandle9}}), nil},
		{"opened and renamed in one frame", with(
			chunk{FromClient, netbios(chained(create2(3, 1, 0, "c.txt")[netBIOSHeader:]), rename2(4, smbRelated, "d.txt"))},
			chunk{FromServer, join(createAnswer2(3, 0), done2(17, 4))},
		), told(opened2("c.txt", 1),
			&SMB{Version: 2, Command: "SET_INFO", Answered: true, Rename: &SMBRename{"c.txt", "d.txt"}, Used: &SMBUse{ID: smbHandle9}}), nil},
		{"functions, once each", with(
			chunk{FromClient, join(ioctl2(3, negotiated, nil), ioctl2(4, negotiated, nil), ioctl2(5, fsctlPipe, []byte("no pipe")))},
			chunk{FromServer, join(ioctlAnswer2(3, negotiated, 0, nil), ioctlAnswer2(4, negotiated, 0, nil), ioctlAnswer2(5, fsctlPipe, 0, nil))},
		), told(
			&SMB{Version: 2, Command: "IOCTL", Answered: true, Function: negotiated},
			numberedAt(&SMB{Version: 2, Command: "IOCTL", Answered: true, Function: fsctlPipe}, 5),
		), nil},
		{"closed", with(
			chunk{FromClient, join(netbios(smb2(6, 3, false, 0, 24, 0, 0, 0, 0, 0, 0, 0, smbHandle9[:])), read2(4))},
			chunk{FromServer, join(done2(6, 3), readAnswer2(4, 0xc0000128, nil))},
		), told(
			&SMB{Version: 2, Command: "CLOSE", Answered: true},
			&SMB{Version: 2, Command: "READ", Answered: true, Status: 0xc0000128},
		), nil},
	})
}

// numberedAt says which number a message has, where numbered cannot know.
func numberedAt(m *SMB, n uint32) *SMB {
	m.Number = n
	return m
}

func TestSMBPipes(t *testing.T) {
	bound := samrContext
	bound.Acked = true
	bind := &DCERPC{Major: 5, Asked: true, Request: rpcBind, Answered: true, Response: rpcBindAck, CallID: 1, Interfaces: []DCERPCInterface{bound}}
	call := func(received DCERPCStub) *DCERPC {
		return &DCERPC{
			Major: 5, Asked: true, Request: rpcRequest, Answered: true, Response: rpcResponse, CallID: 2,
			Interfaces: []DCERPCInterface{bound}, Context: 3, Opnum: 64, Sent: DCERPCStub{1, 60}, Received: received,
		}
	}
	unanswered := call(DCERPCStub{})
	unanswered.Answered, unanswered.Response = false, 0
	open := []chunk{
		{FromClient, treeConnect2(1, `\\nas\IPC$`)},
		{FromServer, treeConnected2(1, 2)},
		{FromClient, create2(2, 1, 0, "samr")},
		{FromServer, createAnswer2(2, 0)},
	}
	told := func(more ...Message) []Message {
		return numbered(append([]Message{
			&SMB{Version: 2, Command: "TREE_CONNECT", Answered: true, Share: `\\nas\IPC$`, ShareType: "pipe"}, opened2("samr", 1),
		}, more...)...)
	}
	with := func(more ...chunk) []chunk { return append(open[:4:4], more...) }
	bindings, bindAnswer := rpcBindTo(rpcBind, 1, nil), rpcBindAnswer(rpcBindAck, 1, 0)
	request, answer := rpcCall(3, 2, 64, 60), rpcAnswer(3, 2, 1000)
	const overflow = 0x80000005 // STATUS_BUFFER_OVERFLOW: the rest is to be read
	playAll(t, newSMBStream, []dialogue{
		{"transceived, the rest of the answer read", with(
			chunk{FromClient, ioctl2(3, fsctlPipe, bindings)},
			chunk{FromServer, ioctlAnswer2(3, fsctlPipe, 0, bindAnswer)},
			chunk{FromClient, ioctl2(4, fsctlPipe, request)},
			chunk{FromServer, ioctlAnswer2(4, fsctlPipe, overflow, answer[:500])},
			chunk{FromClient, read2(5)},
			chunk{FromServer, readAnswer2(5, 0, answer[500:])},
			chunk{FromClient, ioctl2(6, fsctlPipe, rpcCall(3, 2, 64, 60))},
		), told(
			&SMB{Version: 2, Command: "IOCTL", Answered: true, Call: bind},
			&SMB{Version: 2, Command: "IOCTL", Answered: true, Status: overflow, Call: call(DCERPCStub{1, 1000})},
			&SMB{Version: 2, Command: "READ", Answered: true},
			&SMB{Version: 2, Command: "IOCTL", Call: unanswered},
		), nil},
		{"written and read", with(
			chunk{FromClient, write2(3, bindings)},
			chunk{FromServer, done2(9, 3)},
			chunk{FromClient, read2(4)},
			chunk{FromServer, readAnswer2(4, 0, bindAnswer)},
			chunk{FromClient, write2(5, request)},
			chunk{FromServer, done2(9, 5)},
			chunk{FromClient, read2(6)},
			chunk{FromServer, readAnswer2(6, 0, answer)},
		), told(
			&SMB{Version: 2, Command: "WRITE", Answered: true},
			&SMB{Version: 2, Command: "WRITE", Answered: true, Call: bind},
			&SMB{Version: 2, Command: "READ", Answered: true},
			numberedAt(&SMB{Version: 2, Command: "WRITE", Answered: true, Call: call(DCERPCStub{1, 1000})}, 7),
		), nil},
		{"no PDUs", with(chunk{FromClient, ioctl2(3, fsctlPipe, []byte("this is not a remote call"))}), told(), nil},
	})
}

// TestSMB1Handles: a pipe and a file of SMB 1 ([MS-CIFS] 2.2.4.64, 2.2.4.33,
// 2.2.4.42, 2.2.4.43, 2.2.4.8).
func TestSMB1Handles(t *testing.T) {
	bound := samrContext
	bound.Acked = true
	second := binary.LittleEndian.AppendUint64(nil, 11_644_473_601*10_000_000)
	fid := []byte{0x34, 0x12}
	create := func(name string) []byte {
		words := join(0xff, 0, 0, 0, 0, le16(2*len(name)), make([]byte, 28), 1, 0, 0, 0, make([]byte, 9))
		return smb1(smb1NTCreate, false, 0, words, join(0, wide(name+"\x00")))
	}
	created := smb1(smb1NTCreate, true, 0, join(0xff, 0, 0, 0, 0, fid, 1, 0, 0, 0, second, second, second, second,
		make([]byte, 12), 11, make([]byte, 7), 0, 0, 0, 0, 0), nil)
	// The data of a transaction stands behind 33 bytes of header, its words, the
	// count and the name of the pipe.
	const transAt, answerAt, readAt, writeAt = 33 + 32 + 2 + 16, 33 + 20 + 2 + 1, 33 + 24 + 2, 33 + 28 + 2
	trans := func(pdu []byte) []byte {
		words := join(make([]byte, 22), le16(len(pdu)), le16(transAt), 2, 0, 0x26, 0, fid)
		return smb1(smb1Trans, false, 0, words, join(0, wide(`\PIPE\`+"\x00"), 0, pdu))
	}
	transAnswer := func(pdu []byte) []byte {
		return smb1(smb1Trans, true, 0, join(make([]byte, 12), le16(len(pdu)), le16(answerAt), make([]byte, 4)), join(0, pdu))
	}
	file := func(name string) *SMB {
		return &SMB{Version: 1, Command: "NT_CREATE_ANDX", Answered: true, File: &SMBFile{
			Name: name, Disposition: 1, Opened: true, Created: 1, Accessed: 1, Modified: 1, Changed: 1, Size: 11, ID: smb1FID(fid),
		}}
	}
	share := join(make([]byte, 6), le16(1))
	connect := func(path, kind string) []chunk {
		return []chunk{
			{FromClient, smb1(smb1TreeConnect, false, 0, share, join(0, wide(path+"\x00"), "?????\x00"))},
			{FromServer, smb1(smb1TreeConnect, true, 0, join(0xff, 0, 0, 0), []byte(kind+"\x00"))},
		}
	}
	playAll(t, newSMBStream, []dialogue{
		{"a call in a transaction", append(connect(`\\nas\IPC$`, "IPC"),
			chunk{FromClient, create(`\samr`)}, chunk{FromServer, created},
			chunk{FromClient, trans(rpcBindTo(rpcBind, 1, nil))}, chunk{FromServer, transAnswer(rpcBindAnswer(rpcBindAck, 1, 0))},
		), numbered(
			&SMB{Version: 1, Command: "TREE_CONNECT", Answered: true, Share: `\\nas\IPC$`, ShareType: "pipe", Service: "?????", Granted: "IPC"},
			file(`\samr`),
			&SMB{Version: 1, Command: "TRANS", Answered: true, Call: &DCERPC{
				Major: 5, Asked: true, Request: rpcBind, Answered: true, Response: rpcBindAck, CallID: 1, Interfaces: []DCERPCInterface{bound},
			}},
		), nil},
		{"a call that is written and read", append(connect(`\\nas\IPC$`, "IPC"),
			chunk{FromClient, create(`\samr`)}, chunk{FromServer, created},
			chunk{FromClient, smb1(smb1Write, false, 0, join(0xff, 0, 0, 0, fid, make([]byte, 14), le16(72), le16(writeAt), make([]byte, 4)), rpcBindTo(rpcBind, 1, nil))},
			chunk{FromServer, smb1(smb1Write, true, 0, make([]byte, 12), nil)},
			chunk{FromClient, smb1(smb1Read, false, 0, join(0xff, 0, 0, 0, fid, make([]byte, 18)), nil)},
			chunk{FromServer, smb1(smb1Read, true, 0, join(make([]byte, 10), le16(60), le16(readAt), make([]byte, 10)), rpcBindAnswer(rpcBindAck, 1, 0))},
		), numbered(
			&SMB{Version: 1, Command: "TREE_CONNECT", Answered: true, Share: `\\nas\IPC$`, ShareType: "pipe", Service: "?????", Granted: "IPC"},
			file(`\samr`),
			&SMB{Version: 1, Command: "WRITE_ANDX", Answered: true},
			&SMB{Version: 1, Command: "WRITE_ANDX", Answered: true, Call: &DCERPC{
				Major: 5, Asked: true, Request: rpcBind, Answered: true, Response: rpcBindAck, CallID: 1, Interfaces: []DCERPCInterface{bound},
			}},
			&SMB{Version: 1, Command: "READ_ANDX", Answered: true},
		), nil},
		{"a file that is read, and renamed", append(connect(`\\nas\m`, "A:"),
			chunk{FromClient, create(`\a.txt`)}, chunk{FromServer, created},
			chunk{FromClient, smb1(smb1Read, false, 0, join(0xff, 0, 0, 0, fid, make([]byte, 18)), nil)},
			chunk{FromServer, smb1(smb1Read, true, 0, make([]byte, 24), make([]byte, 5000))},
			chunk{FromClient, smb1(smb1Close, false, 0, join(fid, 0, 0, 0, 0), nil)}, chunk{FromServer, smb1(smb1Close, true, 0, nil, nil)},
			chunk{FromClient, smb1(smb1Rename, false, 0, []byte{0, 0}, join(4, wide("\\a\x00"), 4, 0, wide("\\b\x00")))},
			chunk{FromServer, smb1(smb1Rename, true, 0, nil, nil)},
		), numbered(
			&SMB{Version: 1, Command: "TREE_CONNECT", Answered: true, Share: `\\nas\m`, ShareType: "disk", Service: "?????", Granted: "A:"},
			file(`\a.txt`),
			&SMB{Version: 1, Command: "READ_ANDX", Answered: true, Share: `\\nas\m`, Used: &SMBUse{`\a.txt`, smb1FID(fid)}},
			&SMB{Version: 1, Command: "CLOSE", Answered: true},
			&SMB{Version: 1, Command: "RENAME", Answered: true, Rename: &SMBRename{`\a`, `\b`}},
		), nil},
	})
}

// TestSMBIsBounded: what is kept of a connection does not grow with the files
// that are opened.
func TestSMBIsBounded(t *testing.T) {
	s := newSMBStream()
	told := 0
	for i := range 3000 {
		name := fmt.Sprintf("%0200d", i)
		for _, c := range []chunk{
			{FromClient, create2(i&0xff, 1, 0, name)}, {FromServer, createAnswer2(i&0xff, 0)}, {FromClient, read2(i & 0xff)},
		} {
			_, msgs, err := s.Feed(c.dir, c.b, nil)
			if err != nil {
				t.Fatal(err)
			}
			told += len(msgs)
		}
	}
	if kept := s.(Retainer).Retained(); kept > 64<<10 || told > maxSMBOpens+maxSMBFiles+maxSMBKinds {
		t.Errorf("%d bytes kept, %d messages", kept, told)
	}
}

func TestFindTicket(t *testing.T) {
	str := func(s string) []byte { return join(0x1b, len(s), s) }
	wrap := func(tag int, b []byte) []byte { return join(tag, len(b), b) }
	names := wrap(0x30, join(str("cifs"), str("nas.lan")))
	ticket := wrap(0x61, wrap(0x30, join([]byte{0xa0, 3, 2, 1, 5}, wrap(0xa1, str("LAN")), wrap(0xa2, wrap(0x30, join([]byte{0xa0, 3, 2, 1, 2}, wrap(0xa1, names)))))))
	request := wrap(0x6e, wrap(0x30, join([]byte{0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1, 14, 0xa2, 7, 3, 5, 0, 0, 0, 0, 0}, wrap(0xa3, ticket))))
	blob := join("\x60\x50", ticketMark, request)
	got := findTicket(blob)
	if got == nil || got.Realm != "LAN" || len(got.Services) != 2 || got.Services[0] != "cifs" || got.Services[1] != "nas.lan" {
		t.Errorf("got %+v", got)
	}
	for n := range blob {
		if got := findTicket(blob[:n]); got != nil && n < 2+len(ticketMark) {
			t.Errorf("a ticket in %d bytes", n)
		}
	}
}
