package wire

import "testing"

// pgMessage is a message with its length; kind 0 stands for none.
func pgMessage(kind byte, parts ...any) []byte {
	b := join(parts...)
	b = join(0, 0, (len(b)+4)>>8, len(b)+4, b)
	if kind == 0 {
		return b
	}
	return join(int(kind), b)
}

func TestPgStream(t *testing.T) {
	start := pgMessage(0, 0, 3, 0, 0, "user\x00postgres\x00database\x00d\x00application_name\x00a\x00\x00")
	started := &PostgreSQL{User: "postgres", Database: "d", Application: "a"}
	login := func(mechanism string, o Outcome) *Login {
		return &Login{Service: "pgsql", User: "postgres", Mechanism: mechanism, Outcome: o}
	}
	clear := login("password", Succeeded)
	clear.Clear, clear.Default = true, true
	playAll(t, newPgStream, []dialogue{
		{"default credentials in clear", []chunk{
			{FromClient, start},
			{FromServer, pgMessage('R', 0, 0, 0, 3)},
			{FromClient, pgMessage('p', "postgres\x00")},
			{FromServer, pgMessage('R', 0, 0, 0, 0)},
		}, []Message{started, clear}, ErrDone},
		{"md5, refused", []chunk{
			{FromClient, start},
			{FromServer, pgMessage('R', 0, 0, 0, 5, "salt")},
			{FromClient, pgMessage('p', "md5...\x00")},
			{FromServer, pgMessage('E', "SFATAL\x00C28P01\x00\x00")},
		}, []Message{started, login("md5", Failed)}, ErrDone},
		{"trusted", []chunk{{FromClient, start}, {FromServer, pgMessage('R', 0, 0, 0, 0)}}, []Message{started, login("trust", Succeeded)}, ErrDone},
		{"too many clients says nothing about the user", []chunk{{FromClient, start}, {FromServer, pgMessage('E', "C53300\x00\x00")}}, []Message{started, login("", OutcomeUnknown)}, ErrDone},
		{"TLS follows", []chunk{{FromClient, pgMessage(0, 4, 210, 22, 47)}, {FromServer, []byte("S")}}, nil, ErrUpgrade},
		{"TLS refused", []chunk{{FromClient, pgMessage(0, 4, 210, 22, 47)}, {FromServer, []byte("N")}, {FromClient, start}}, []Message{started, login("", OutcomeUnknown)}, nil},
		{"cut", []chunk{{FromClient, start[:24]}}, []Message{
			&PostgreSQL{User: "postgres", Truncated: true}, login("", OutcomeUnknown),
		}, nil},
		{"too long", []chunk{{FromClient, []byte{0, 9, 0, 0}}}, nil, ErrMalformed},
	})
	checkSniffs(t, sniffPostgreSQL, FromClient, []opening{
		{string(start), Yes},
		{"\x00\x00\x00\x08\x04\xd2\x16\x2f", Yes},
		{"\x00\x00\x00\x08\x04\xd2\x16\x30", Yes},
		{"\x00\x00\x00\x54\xfeSMB", No},
		{"\x00\x00\x00\x54\x00\x03\x00\x00other\x00", No},
		{"\x00\x00\x00\x4c\x6a", No}, // Kerberos
	})
}

func mysqlPacket(seq int, parts ...any) []byte {
	b := join(parts...)
	return join(len(b), len(b)>>8, 0, seq, b)
}

func TestMySQLStream(t *testing.T) {
	greeting := mysqlPacket(0, 10, "8.0.36\x00", make([]byte, 60))
	answer := func(user string, proof []byte) []byte {
		return mysqlPacket(1, 0x08, 0x82, 0x08, 0x00, // database, protocol 4.1, secure, plugin
			make([]byte, 28), user, 0, len(proof), proof, "shop\x00mysql_native_password\x00")
	}
	msg := func(code int) *MySQL {
		return &MySQL{Version: "8.0.36", User: "root", Database: "shop", Plugin: "mysql_native_password", Error: code}
	}
	login := func(mechanism string, o Outcome) *Login {
		return &Login{Service: "mysql", User: "root", Mechanism: mechanism, Outcome: o}
	}
	noPassword := login("mysql_native_password", Succeeded)
	noPassword.Default = true
	clear := login("mysql_clear_password", Failed)
	clear.Clear, clear.Default = true, true
	proof := make([]byte, 20)
	playAll(t, newMySQLStream, []dialogue{
		{"no password", []chunk{{FromServer, greeting}, {FromClient, answer("root", nil)}, {FromServer, mysqlPacket(2, 0, 0, 0, 2, 0, 0, 0)}}, []Message{msg(0), noPassword}, ErrDone},
		{"refused", []chunk{{FromServer, greeting}, {FromClient, answer("root", proof)}, {FromServer, mysqlPacket(2, 0xff, 0x15, 4, "#28000Access denied")}}, []Message{msg(1045), login("mysql_native_password", Failed)}, ErrDone},
		{"switched to a password in clear", []chunk{
			{FromServer, greeting},
			{FromClient, answer("root", nil)},
			{FromServer, mysqlPacket(2, 0xfe, "mysql_clear_password\x00")},
			{FromClient, mysqlPacket(3, "admin\x00")},
			{FromServer, mysqlPacket(4, 0xff, 0x15, 4, "#28000Access denied")},
		}, []Message{msg(1045), clear}, ErrDone},
		{"TLS follows", []chunk{{FromServer, greeting}, {FromClient, mysqlPacket(1, 0, 0x8a, 0, 0, make([]byte, 28))}}, []Message{
			&MySQL{Version: "8.0.36", TLS: true},
		}, ErrUpgrade},
		{"host not allowed", []chunk{{FromServer, mysqlPacket(0, 0xff, 0x6a, 4, "Host not allowed")}}, []Message{&MySQL{Error: 1130}}, ErrDone},
		{"no answer", []chunk{{FromServer, greeting}, {FromClient, answer("root", proof)}}, []Message{msg(0), login("mysql_native_password", OutcomeUnknown)}, nil},
		{"a packet without bytes", []chunk{{FromClient, make([]byte, 8)}}, nil, ErrMalformed},
	})
	checkSniffs(t, sniffMySQL, FromServer, []opening{
		{string(greeting), Yes},
		{string(answer("root", nil)), Yes},
		{"\x4a\x00\x00\x00\x0a8.0.36 \x01", No},
		{"\x4a\x00\x00\x00\x0aabc\x00", No},
		{"\x4a\x00\x00\x00\x09", No},
		{"\x00\x00\x00\x54\xfeSMB", No},
	})
}

func FuzzPostgreSQL(f *testing.F) {
	fuzzLines(f, newPgStream, 5432, pgMessage(0, 0, 3, 0, 0, "user\x00a\x00\x00"), pgMessage(0, 4, 210, 22, 47))
}

func FuzzMySQL(f *testing.F) {
	fuzzLines(f, newMySQLStream, 3306, mysqlPacket(0, 10, "8.0.36\x00", make([]byte, 30)), mysqlPacket(1, 0, 0x82, 0, 0, make([]byte, 28), "u\x00\x00"))
}
