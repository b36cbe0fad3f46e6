package wire

import (
	"encoding/binary"
	"testing"
	"unicode/utf16"
)

func utf16LE(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

func tdsPacket(kind int, parts ...any) []byte {
	b := join(parts...)
	return join(kind, 1, (len(b)+8)>>8, len(b)+8, 0, 0, 1, 0, b)
}

// tdsLogin is a login with the texts host, user, password, application, server,
// extension, library, language and database.
func tdsLogin(flags2 byte, texts ...string) []byte {
	b := make([]byte, 36, 200)
	copy(b[4:], "\x04\x00\x00\x74") // 7.4
	b[25] = flags2
	at := 36 + 4*9 + 6 + 4 + 4 + 4 + 4 // to the end of the offsets of 7.4
	var data []byte
	for i, s := range texts {
		v := utf16LE(s)
		if i == 2 {
			for k, c := range v {
				v[k] = (c<<4 | c>>4) ^ 0xa5
			}
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(at+len(data)))
		b = binary.LittleEndian.AppendUint16(b, uint16(len(v)/2))
		data = append(data, v...)
	}
	b = append(b, make([]byte, at-len(b))...)
	b = append(b, data...)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	return tdsPacket(tdsLogin7, b)
}

func TestTDSStream(t *testing.T) {
	hello := tdsPacket(tdsPrelogin, 0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 255, 9, 0, 0, 0, 0, 0, 2)
	answer := func(encryption int) []byte {
		return tdsPacket(tdsResponse, 0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 255, 15, 0, 7, 208, 0, 0, encryption)
	}
	login := tdsLogin(0, "HMI-3", "sa", "sa", "historian", "SRV\\MES", "", "ODBC", "", "batches")
	said := TDS{
		ServerVersion: "15.0.2000", Encryption: "not_supported", Version: "7.4", User: "sa", Host: "HMI-3", Application: "historian",
		Library: "ODBC", Server: `SRV\MES`, Database: "batches",
	}
	with := func(change func(*TDS)) *TDS {
		m := said
		change(&m)
		return &m
	}
	attempt := func(o Outcome) *Login {
		return &Login{Service: "tds", User: "sa", Mechanism: "password", Outcome: o, Clear: true, Default: true}
	}
	program := utf16LE("Microsoft SQL Server")
	ack := join(0xad, len(program)+10, 0, 1, 0x74, 0, 0, 4, len(program)/2, program, 15, 0, 7, 208)
	failed := join(0xaa, 20, 0, 0x18, 0x48, 0, 0, 1, 14, make([]byte, 14))
	integrated := tdsLogin(0x80, "HMI-3", "", "", "historian", "SRV", "", "ODBC", "", "")
	playAll(t, newTDSStream, []dialogue{
		{"a login in clear", []chunk{
			{FromClient, hello},
			{FromServer, answer(2)},
			{FromClient, login},
			{FromServer, tdsPacket(tdsResponse, 0xe3, 3, 0, 1, 0, 0, ack)},
		}, []Message{with(func(m *TDS) { m.Program = "Microsoft SQL Server" }), attempt(Succeeded)}, ErrDone},
		{"refused", []chunk{
			{FromClient, hello},
			{FromServer, answer(2)},
			{FromClient, login},
			{FromServer, tdsPacket(tdsResponse, failed)},
		}, []Message{with(func(m *TDS) { m.Error = 18456 }), attempt(Failed)}, ErrDone},
		{"the login is encrypted", []chunk{
			{FromClient, hello},
			{FromServer, answer(0)},
			{FromClient, tdsPacket(tdsPrelogin, 22, 3, 1, 0, 5, 1)},
		}, []Message{&TDS{ServerVersion: "15.0.2000", Encryption: "off", TLS: true}}, ErrDone},
		{"logged in on Windows", []chunk{
			{FromClient, integrated},
			{FromClient, tdsPacket(tdsSSPI, "no NTLM")},
			{FromServer, tdsPacket(tdsResponse, ack)},
		}, []Message{
			&TDS{Version: "7.4", Host: "HMI-3", Application: "historian", Server: "SRV", Library: "ODBC", Program: "Microsoft SQL Server"},
			&Login{Service: "tds", Mechanism: "SPNEGO", Outcome: Succeeded},
		}, ErrDone},
		{"no answer", []chunk{{FromClient, hello}}, []Message{&TDS{}}, nil},
		{"a query before any login", []chunk{{FromClient, tdsPacket(1, utf16LE("select"))}}, []Message{&TDS{}}, ErrDone},
		{"texts beyond the end", []chunk{{FromClient, tdsPacket(tdsLogin7, make([]byte, 36), 0xff, 0xff, 1, 0, make([]byte, 40))}}, []Message{
			&TDS{Version: "0.0"}, &Login{Service: "tds", Mechanism: "password"},
		}, nil},
		{"too short for a login", []chunk{{FromClient, tdsPacket(tdsLogin7, make([]byte, 40))}}, []Message{&TDS{}}, ErrMalformed},
		{"a length below the header's", []chunk{{FromClient, []byte{18, 1, 0, 7, 0, 0, 1, 0}}}, nil, ErrMalformed},
	})
	checkSniffs(t, sniffTDS, FromClient, []opening{
		{string(hello), Yes},
		{string(answer(0)), Yes},
		{string(login), Yes},
		{string(tdsPacket(tdsPrelogin, 22, 3, 1)), No},
		{string(tdsPacket(1, "x")), No},
		{string(tdsPacket(tdsLogin7, make([]byte, 40))), No},
		{"\x04\x01\x00\x50\xc0\x00\x02\x01me", No}, // SOCKS
		{"\x12\x00", No},
		{"\x10\x1d\x00\x04", No}, // MQTT
	})
	if tdsDefault("sa", make([]byte, 4*maxFactory)) || tdsDefault("sa", []byte{0xa5, 0}) {
		t.Error("what is no text is a default")
	}
}

func FuzzTDS(f *testing.F) {
	fuzzLines(f, newTDSStream, 1433, tdsPacket(tdsPrelogin, 0, 0, 6, 0, 6, 255, 9, 0, 0, 0, 0, 0), tdsLogin(0, "h", "sa", "x", "a", "s", "", "l", "", "d"),
		tdsPacket(tdsResponse, 0xaa, 6, 0, 0x18, 0x48, 0, 0, 1, 14))
}
