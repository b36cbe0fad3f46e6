package wire

import (
	stdcmp "cmp"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func le16(v int) []byte { return []byte{byte(v), byte(v >> 8)} }

// wide is UTF-16LE.
func wide(s string) []byte {
	var b []byte
	for _, c := range s {
		b = append(b, byte(c), byte(c>>8))
	}
	return b
}

// netbios puts the length of a session message before it.
func netbios(parts ...any) []byte {
	b := join(parts...)
	return join(0, len(b)>>16, len(b)>>8, len(b), b)
}

// smb2 is a header of SMB 2 with a body ([MS-SMB2] 2.2.1.2).
func smb2(command, id int, response bool, status uint32, body ...any) []byte {
	h := make([]byte, smb2Header)
	copy(h, "\xfeSMB\x40\x00")
	binary.LittleEndian.PutUint32(h[8:], status)
	h[12], h[24] = byte(command), byte(id)
	if response {
		h[16] = 1
	}
	return join(h, join(body...))
}

// ntlmAuth is an AUTHENTICATE message for Unicode names.
func ntlmAuth(domain, user, host string) []byte {
	payload := join(wide(domain), wide(user), wide(host), make([]byte, 24))
	at := 64
	field := func(n int) []byte {
		f := join(le16(n), le16(n), le16(at), 0, 0)
		at += n
		return f
	}
	d, u, h := field(2*len(domain)), field(2*len(user)), field(2*len(host))
	response := field(24)
	return join("NTLMSSP\x00", 3, 0, 0, 0,
		make([]byte, 8), // no LM response
		response, d, u, h,
		make([]byte, 8),        // no session key
		0x05, 0x02, 0x08, 0x00, // Unicode, NTLM
		payload)
}

func setup2(id int, blob []byte) []byte {
	return netbios(smb2(1, id, false, 0,
		25, 0, 0, 1, make([]byte, 8), // sizes, signing, capabilities, channel
		le16(smb2Header+24), le16(len(blob)), make([]byte, 8), blob))
}

func setupAnswer2(id int, status uint32) []byte {
	return netbios(smb2(1, id, true, status, 9, 0, 0, 0, 72, 0, 0, 0))
}

// within puts the session and the tree into a message of SMB 2.
func within(session, tree int, b []byte) []byte {
	b[4+36], b[4+40] = byte(tree), byte(session)
	return b
}

// numbered completes expected messages with their place on the connection and
// the dialect that was chosen before.
func numbered(msgs ...Message) []Message {
	dialect, n := "", uint32(0)
	for i, m := range msgs {
		if m, ok := m.(*SMB); ok {
			n++
			whole := *m
			whole.Number, whole.Dialect = max(n, m.Number), stdcmp.Or(m.Dialect, dialect)
			dialect, n = whole.Dialect, whole.Number
			msgs[i] = &whole
		}
	}
	return msgs
}

func TestSMB2Stream(t *testing.T) {
	negotiate := netbios(smb2(0, 0, false, 0,
		36, 0, 2, 0, 1, 0, 0, 0, make([]byte, 28), // two dialects
		le16(0x0210), le16(0x0311)))
	negotiated := netbios(smb2(0, 0, true, 0, 65, 0, 3, 0, le16(0x0311), 0, 0, make([]byte, 56)))
	auth := ntlmAuth("HOME", "anna", "LAPTOP")
	path := wide(`\\nas\media`)
	tree := netbios(smb2(3, 4, false, 0, 9, 0, 0, 0, le16(smb2Header+8), le16(len(path)), path))
	session := &SMB{Version: 2, Command: "SESSION_SETUP", Answered: true, NTLM: &NTLM{User: "anna", Domain: "HOME", Host: "LAPTOP"}}
	refused := *session
	refused.Status = 0xc000006d
	login := func(o Outcome) *Login {
		return &Login{Service: "smb", User: `HOME\anna`, Mechanism: "NTLM", Outcome: o}
	}
	playAll(t, newSMBStream, []dialogue{
		{"from negotiation to share", []chunk{
			{FromClient, negotiate},
			{FromServer, negotiated},
			{FromClient, setup2(1, []byte("NTLMSSP\x00\x01\x00\x00\x00"))},
			{FromServer, within(0x29, 7, setupAnswer2(1, statusMoreProcessing))},
			{FromClient, setup2(2, auth)},
			{FromServer, setupAnswer2(2, 0)},
			{FromClient, tree},
			{FromServer, netbios(smb2(3, 4, true, 0, 16, 0, 1, 0, make([]byte, 12)))},
		}, numbered(
			&SMB{Version: 2, Command: "NEGOTIATE", Answered: true, Dialects: []string{"2.10", "3.11"}, Dialect: "3.11", Signing: true},
			&SMB{Version: 2, Command: "SESSION_SETUP", Answered: true, Status: statusMoreProcessing, SessionID: 0x29, TreeID: 7},
			session,
			login(Succeeded),
			&SMB{Version: 2, Command: "TREE_CONNECT", Answered: true, Share: `\\nas\media`, ShareType: "disk"},
		), nil},
		{"wrong password", []chunk{{FromClient, setup2(2, auth)}, {FromServer, setupAnswer2(2, 0xc000006d)}}, numbered(
			&refused, login(Failed),
		), nil},
		{"no answer", []chunk{{FromClient, setup2(2, auth)}}, numbered(
			&SMB{Version: 2, Command: "SESSION_SETUP", NTLM: session.NTLM}, login(OutcomeUnknown),
		), nil},
		{"Kerberos", []chunk{
			{FromClient, setup2(2, []byte("\x60\x82\x01\x00\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00ticket"))},
			{FromServer, setupAnswer2(2, 0)},
		}, numbered(
			&SMB{Version: 2, Command: "SESSION_SETUP", Answered: true, Kerberos: &Ticket{}},
			&Login{Service: "smb", Mechanism: "Kerberos", Outcome: Succeeded},
		), nil},
		{"reads and encrypted messages are passed over", []chunk{
			{FromClient, join(netbios(smb2(8, 9, false, 0, make([]byte, 3000))), netbios("\xfdSMB", make([]byte, 500)), tree)},
		}, numbered(&SMB{Version: 2, Command: "TREE_CONNECT", Share: `\\nas\media`}), nil},
		{"other commands, of each outcome once", []chunk{
			{FromClient, netbios(smb2(14, 1, false, 0, 33, 0))},
			{FromServer, netbios(smb2(14, 1, true, statusPending, 9, 0))}, // the answer is still to come
			{FromServer, netbios(smb2(14, 1, true, 0, 9, 0))},
			{FromServer, netbios(smb2(14, 2, true, 0, 9, 0))},
			{FromServer, netbios(smb2(14, 3, true, 0x80000006, 9, 0))},
			{FromServer, within(0x29, 7, netbios(smb2(19, 4, true, 0, 9, 0)))},
		}, numbered(
			&SMB{Version: 2, Command: "FIND", Answered: true},
			&SMB{Version: 2, Command: "FIND", Answered: true, Status: 0x80000006, Number: 3},
			&SMB{Version: 2, Command: "19", Answered: true, SessionID: 0x29, TreeID: 7},
		), nil},
		{"files; one that is refused, one that is deleted when closed", []chunk{
			{FromClient, create2(1, 1, 0, "a.txt")},
			{FromServer, createAnswer2(1, 0)},
			{FromClient, join(create2(2, 1, 0, "a.txt"), create2(3, 5, 0x1000, `dir\b`))},
			{FromServer, join(createAnswer2(2, 0), createAnswer2(3, 0xc0000022))},
			{FromServer, createAnswer2(9, 0)}, // to a request that was not seen
			{FromClient, netbios(smb2(5, 4, false, 0, 57, 0, make([]byte, 20)))},
		}, numbered(
			opened2("a.txt", 1),
			opened2("a.txt", 1),
			&SMB{Version: 2, Command: "CREATE", Answered: true, Status: 0xc0000022, File: &SMBFile{Name: `dir\b`, Disposition: 5, DeleteOnClose: true}},
			&SMB{Version: 2, Command: "CREATE", Answered: true},
		), nil},
		{"a blob beyond the message", []chunk{{FromClient, netbios(smb2(1, 2, false, 0, 25, 0, 0, 1, make([]byte, 8), le16(60000), le16(60000), make([]byte, 8)))}}, numbered(
			&SMB{Version: 2, Command: "SESSION_SETUP"},
		), nil},
		{"another protocol", []chunk{{FromClient, netbios("\xffSMC", make([]byte, 60))}}, nil, ErrMalformed},
		{"not NetBIOS", []chunk{{FromClient, []byte("\x47ET /")}}, nil, ErrMalformed},
	})
}

// smb1 is a message of SMB 1 ([MS-CIFS] 2.2.3).
func smb1(command int, response bool, status uint32, words, data []byte) []byte {
	h := make([]byte, smb1Header)
	copy(h, "\xffSMB")
	h[4] = byte(command)
	binary.LittleEndian.PutUint32(h[5:], status)
	if response {
		h[9] = 0x80
	}
	h[11] = 0x80 // Unicode
	return netbios(h, len(words)/2, words, le16(len(data)), data)
}

// create2 is a request to open a file.
func create2(id, disposition, options int, name string) []byte {
	path := wide(name)
	return netbios(smb2(5, id, false, 0, 57, 0, make([]byte, 34), disposition, 0, 0, 0, le16(options), 0, 0,
		le16(smb2Header+56), le16(len(path)), make([]byte, 8), path))
}

// createAnswer2 is the answer: a file of ten bytes of the first second of 1970.
func createAnswer2(id int, status uint32) []byte {
	second := binary.LittleEndian.AppendUint64(nil, 11_644_473_601*10_000_000)
	return netbios(smb2(5, id, true, status, 89, 0, make([]byte, 6), second, second, second, second,
		make([]byte, 8), 10, make([]byte, 15), make([]byte, 15), 9, make([]byte, 8)))
}

func TestSMB1Stream(t *testing.T) {
	plain := join(make([]byte, 14), le16(1), le16(0), make([]byte, 8)) // one byte of ANSI password
	// Words and data begin 33 bytes into the header: the names, behind one
	// byte of password, are aligned without padding.
	names := join(0, wide("guest\x00WORK\x00Unix\x00Samba\x00"))
	share := join(make([]byte, 6), le16(1)) // one byte of password
	playAll(t, newSMBStream, []dialogue{
		{"session service, negotiation, guest session, share", []chunk{
			{FromClient, join(0x81, 0, 0, 68, make([]byte, 68))},
			{FromServer, []byte{0x82, 0, 0, 0}},
			{FromClient, smb1(smb1Negotiate, false, 0, nil, []byte("\x02LANMAN1.0\x00\x02NT LM 0.12\x00"))},
			{FromServer, smb1(smb1Negotiate, true, 0, join(le16(1), 3, make([]byte, 31)), nil)},
			{FromClient, smb1(smb1SessionSetup, false, 0, plain, names)},
			{FromServer, smb1(smb1SessionSetup, true, 0, join(0xff, 0, 0, 0, le16(1)), join(0, wide("Linux\x00ksmbd\x00")))},
			{FromClient, smb1(smb1TreeConnect, false, 0, share, join(0, wide("\\\\nas\\IPC$\x00"), "?????\x00"))},
			{FromServer, smb1(smb1TreeConnect, true, 0, join(0xff, 0, 0, 0), []byte("IPC\x00"))},
		}, numbered(
			&SMB{Version: 1, Command: "NEGOTIATE", Answered: true, Dialects: []string{"LANMAN1.0", "NT LM 0.12"}, Dialect: "NT LM 0.12"},
			&SMB{Version: 1, Command: "SESSION_SETUP", Answered: true, Guest: true, NTLM: &NTLM{User: "guest", Domain: "WORK"}, ClientOS: "Unix", ClientLM: "Samba", ServerOS: "Linux", ServerLM: "ksmbd"},
			&Login{Service: "smb", User: `WORK\guest`, Mechanism: "NTLM", Outcome: Succeeded},
			&SMB{Version: 1, Command: "TREE_CONNECT", Answered: true, Share: `\\nas\IPC$`, ShareType: "pipe", Service: "?????", Granted: "IPC"},
		), nil},
		{"extended security: the server has a name; a command without one", []chunk{
			{FromClient, smb1(smb1Negotiate, false, 0, nil, []byte("\x02NT LM 0.12\x00"))},
			{FromServer, smb1(smb1Negotiate, true, 0, join(le16(0), 3, make([]byte, 19), 0x80, make([]byte, 11)), []byte("0123456789abcdefblob"))},
			{FromServer, smb1(0x74, true, 0, nil, nil)},
			{FromServer, smb1(0xee, true, 0, nil, nil)},
		}, numbered(
			&SMB{Version: 1, Command: "NEGOTIATE", Answered: true, Dialects: []string{"NT LM 0.12"}, Dialect: "NT LM 0.12", ServerGUID: [16]byte([]byte("0123456789abcdef"))},
			&SMB{Version: 1, Command: "LOGOFF_ANDX", Answered: true},
			&SMB{Version: 1, Command: "238", Answered: true},
		), nil},
		{"answered in SMB 2", []chunk{
			{FromClient, smb1(smb1Negotiate, false, 0, nil, []byte("\x02NT LM 0.12\x00\x02SMB 2.???\x00"))},
			{FromServer, netbios(smb2(0, 0, true, 0, 65, 0, 1, 0, le16(0x02ff), 0, 0, make([]byte, 56)))},
		}, numbered(
			&SMB{Version: 1, Command: "NEGOTIATE", Answered: true, Dialects: []string{"NT LM 0.12", "SMB 2.???"}, Dialect: "2.??"},
		), nil},
	})
}

func TestSniffSMB(t *testing.T) {
	checkSniffs(t, sniffSMB, FromClient, []opening{
		{"", Maybe},
		{"\x00\x00\x00\x54\xfeSMB", Yes},
		{"\x00\x00\x00\x54\xffSMB", Yes},
		{"\x81\x00\x00\x44\x20", Yes},
		{"\x00\x00\x00\x10\xffSMB", No}, // shorter than a header
		{"\x00\x00\x00\x54\xfeSMC", No},
		{"\x00\x02\x00\x54", No}, // longer than RFC 1002 allows
		{"\x81\x00\x00\x45\x20", No},
		{"\x16\x03\x01", No},
	})
}

func TestParseNTLM(t *testing.T) {
	whole := ntlmAuth("D", "u", "H")
	oem := append([]byte(nil), whole...)
	oem[60] = 0x04
	anonymous := ntlmAuth("", "", "H")
	versioned := join(whole[:63], 2, make([]byte, 8), whole[64:]) // the fields move by what is put between
	for _, at := range []int{20, 28, 36, 44} {
		versioned[at+4] += 8
	}
	outside := append([]byte(nil), whole...)
	binary.LittleEndian.PutUint32(outside[36+4:], 1<<31)
	for _, c := range []struct {
		name string
		in   []byte
		want *NTLM
	}{
		{"Unicode", whole, &NTLM{User: "u", Domain: "D", Host: "H"}},
		{"OEM", oem, &NTLM{User: "u\x00", Domain: "D\x00", Host: "H\x00"}}, // the same bytes as single letters
		{"anonymous", join(anonymous[:20], 0, 0, anonymous[22:]), &NTLM{Host: "H", Anonymous: true}},
		{"what it runs", join(versioned[:64], 10, 0, 0x63, 0x45, 0, 0, 0, 15, versioned[72:]), &NTLM{
			User: "u", Domain: "D", Host: "H", Version: NTLMVersion{10, 0, 0x4563, 15},
		}},
		{"field outside", outside, nil},
		{"cut", whole[:60], nil},
	} {
		if diff := cmp.Diff(c.want, parseNTLM(c.in)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", c.name, diff)
		}
	}
	if _, kind := findNTLM([]byte("NTLMSSP\x00\x09\x00\x00\x00")); kind != 0 {
		t.Errorf("type 9 taken for %d", kind)
	}
	long := parseNTLM(ntlmAuth(strings.Repeat("d", 1000), strings.Repeat("u", 1000), ""))
	if long == nil || len(long.Domain) > maxUser || len(long.User) > maxUser {
		t.Errorf("long names: %+v", long)
	}
}

func FuzzSMB(f *testing.F) {
	fuzzSeeds(f, 445, 139)
	f.Add(append([]byte{255}, setup2(2, ntlmAuth("D", "u", "H"))...))
	f.Add(append([]byte{255}, smb1(smb1Negotiate, false, 0, nil, []byte("\x02NT LM 0.12\x00"))...))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, newSMBStream, b) })
}

func BenchmarkSMBRead(b *testing.B) {
	in := netbios(smb2(8, 9, true, 0, make([]byte, 1000)))
	s := newSMBStream()
	if _, msgs, err := s.Feed(FromServer, in, nil); err != nil || len(msgs) != 1 { // the first is told
		b.Fatal(len(msgs), err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, msgs, err := s.Feed(FromServer, in, nil); err != nil || len(msgs) != 0 {
			b.Fatal(len(msgs), err)
		}
	}
}
