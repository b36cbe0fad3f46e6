package wire

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

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
	started := func(a PgAnswer) *PostgreSQL {
		return &PostgreSQL{Request: PgStart, User: "postgres", Parameters: []PgParameter{{"database", "d"}, {"application_name", "a"}}, Answer: a}
	}
	login := func(mechanism string, o Outcome) *Login {
		return &Login{Service: "pgsql", User: "postgres", Mechanism: mechanism, Outcome: o}
	}
	failed := func(m *PostgreSQL, e *PgError) *PostgreSQL {
		m.Error = e
		return m
	}
	clear := login("password", Succeeded)
	clear.Clear, clear.Default = true, true
	ready := pgMessage('Z', "I")
	playAll(t, newPgStream, []dialogue{
		{"default credentials in clear", []chunk{
			{FromClient, start},
			{FromServer, pgMessage('R', 0, 0, 0, 3)},
			{FromClient, pgMessage('p', "postgres\x00")},
			{FromServer, join(pgMessage('R', 0, 0, 0, 0), pgMessage('S', "TimeZone\x00UTC\x00"), pgMessage('K', 0, 0, 2, 1, "key!"), ready)},
			{FromClient, pgMessage('X')},
		}, []Message{
			started(PgPassword), clear,
			&PostgreSQL{Request: PgProof, Answer: PgOK, Status: []PgParameter{{"TimeZone", "UTC"}}, Backend: 513},
			&PostgreSQL{Request: PgEnd},
		}, ErrDone},
		{"md5, refused", []chunk{
			{FromClient, start},
			{FromServer, pgMessage('R', 0, 0, 0, 5, "salt")},
			{FromClient, pgMessage('p', "md5...\x00")},
			{FromServer, pgMessage('E', "SFATAL\x00C28P01\x00Mno \"postgres\"\x00Dsecret\x00\x00")},
		}, []Message{
			started(PgMD5),
			failed(&PostgreSQL{Request: PgProof}, &PgError{Severity: "FATAL", Code: "28P01", Text: `no "postgres"`}),
			login("md5", Failed),
		}, ErrDone},
		{"SASL", []chunk{
			{FromClient, start},
			{FromServer, pgMessage('R', 0, 0, 0, 10, "SCRAM-SHA-256\x00\x00")},
			{FromClient, pgMessage('p', "SCRAM-SHA-256\x00", 0, 0, 0, 3, "n,,")},
			{FromServer, pgMessage('R', 0, 0, 0, 11, "r=,s=,i=")},
			{FromClient, pgMessage('p', "c=,r=,p=")},
			{FromServer, join(pgMessage('R', 0, 0, 0, 12, "v="), pgMessage('R', 0, 0, 0, 0), ready)},
		}, []Message{
			started(PgMechanisms),
			&PostgreSQL{Request: PgSASL, Mechanism: "SCRAM-SHA-256", Answer: PgSASLContinue},
			login("SCRAM-SHA-256", Succeeded),
			&PostgreSQL{Request: PgProof, Answer: PgOK},
		}, nil},
		{"trusted", []chunk{{FromClient, start}, {FromServer, pgMessage('R', 0, 0, 0, 0)}}, []Message{login("trust", Succeeded), started(PgOK)}, nil},
		{"too many clients says nothing about the user", []chunk{{FromClient, start}, {FromServer, pgMessage('E', "C53300\x00\x00")}}, []Message{
			failed(started(PgNone), &PgError{Code: "53300"}), login("", OutcomeUnknown),
		}, ErrDone},
		{"TLS follows", []chunk{{FromClient, pgMessage(0, 4, 210, 22, 47)}, {FromServer, []byte("S")}}, []Message{
			&PostgreSQL{Request: PgSSL, Answer: PgAccepted},
		}, ErrUpgrade},
		{"TLS refused", []chunk{{FromClient, pgMessage(0, 4, 210, 22, 47)}, {FromServer, []byte("N")}, {FromClient, start}}, []Message{
			&PostgreSQL{Request: PgSSL, Answer: PgRefused}, started(PgNone), login("", OutcomeUnknown),
		}, nil},
		{"a query of another session is to end", []chunk{{FromClient, pgMessage(0, 4, 210, 22, 46, 0, 0, 2, 1, "key!")}}, []Message{
			&PostgreSQL{Request: PgCancel, Process: 513},
		}, ErrDone},
		{"TLS is not known", []chunk{{FromClient, pgMessage(0, 4, 210, 22, 47)}, {FromServer, pgMessage('E', "SFATAL\x00C0A000\x00Munsupported\x00\x00")}}, []Message{
			failed(&PostgreSQL{Request: PgSSL}, &PgError{Severity: "FATAL", Code: "0A000", Text: "unsupported"}),
		}, ErrDone},
		{"a newer version is asked for", []chunk{
			{FromClient, pgMessage(0, 0, 3, 0, 2, "_pq_.x\x00y\x00user\x00postgres\x00\x00")},
			{FromServer, join(pgMessage('v', 0, 0, 0, 0, 0, 0, 0, 1, "_pq_.x\x00"), pgMessage('R', 0, 0, 0, 0), ready)},
		}, []Message{
			login("trust", Succeeded), &PostgreSQL{Request: PgStart, Minor: 2, User: "postgres", Parameters: []PgParameter{{"_pq_.x", "y"}}, Answer: PgOK},
		}, nil},
		{"joined within an answer", []chunk{
			{FromServer, join(pgMessage('E', "SERROR\x00C42P01\x00Mx\x00\x00"), ready)},
			{FromClient, pgMessage('Q', "BEGIN\x00")},
			{FromServer, join(pgMessage('C', "BEGIN\x00"), ready)},
		}, []Message{&PostgreSQL{Request: PgQuery, Statement: "BEGIN", Completed: "BEGIN"}}, nil},
		{"joined within a session", []chunk{
			{FromClient, pgMessage('Q', "SELECT 'a'\x00")},
			{FromServer, join(pgMessage('C', "SELECT 1\x00"), ready)},
			{FromClient, pgMessage('X')},
		}, []Message{
			&PostgreSQL{Request: PgQuery, Statement: "SELECT '?'", Completed: "SELECT 1"}, &PostgreSQL{Request: PgEnd},
		}, ErrDone},
		{"cut", []chunk{{FromClient, start[:24]}}, []Message{
			&PostgreSQL{Request: PgStart, User: "postgres", Truncated: true}, login("", OutcomeUnknown),
		}, nil},
		{"too long", []chunk{{FromClient, []byte{0, 9, 0, 0}}}, nil, ErrMalformed},
	})
	checkSniffs(t, sniffPostgreSQL, FromClient, []opening{
		{string(start), Yes},
		{"\x00\x00\x00\x08\x04\xd2\x16\x2f", Yes},
		{"\x00\x00\x00\x08\x04\xd2\x16\x30", Yes},
		{"Q\x00\x00\x00\x0dSELECT 1\x00", Yes},   // joined within a session
		{"Q\x00\x00\x00\x0dSELECT 1;", No},       // no zero
		{"Q\x00\x00\x00\x0dSEL\x00CT 1\x00", No}, // one within
		{"Q\x00\x00\x00\x06\x01\x00", No},
		{"QUIT\r\n", No},
		{"\x00\x00\x00\x54\xfeSMB", No},
		{"\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x30\x39\x5c\x3f\x11\x8a", Yes},             // a cancellation
		{"\x00\x00\x01\x10\x04\xd2", Maybe},                                                   // with a long key
		{"\x00\x00\x00\x09\x04\xd2\x16\x2e\x00", No},                                          // too short for one
		{"\x00\x00\x00\x26\x00\x03\x00\x02extra_float_digits\x002\x00", Maybe},                // as drivers that send a map
		{"\x00\x00\x00\x27\x00\x03\x00\x02DateStyle\x00ISO, MDY\x00user\x00hmi\x00\x00", Yes}, // version 3.2
		{"\x00\x00\x00\x1f\x00\x03\x27\x0f_pq_.test_protocol_negotiation\x00", No},            // 3.9999, and nobody's
		{"\x00\x00\x00\x54\x00\x03\x00\x00other\x00", Maybe},
		{"\x00\x00\x00\x14\x00\x03\x00\x00other\x00a\x00\x00\x00\x00", No}, // no user
		{"\x00\x00\x00\x54\x00\x03\x00\x00\x00\x01\x02", No},
		{"\x00\x00\x90\x54\x00\x03\x00\x00user\x00", No},
		{"\x00\x00\x00\x4c\x6a", No}, // Kerberos
	})
}

// TestPgQueries: statements with what became of them, each kind once.
func TestPgQueries(t *testing.T) {
	session := []chunk{
		{FromClient, pgMessage(0, 0, 3, 0, 0, "user\x00a\x00\x00")},
		{FromServer, join(pgMessage('R', 0, 0, 0, 0), pgMessage('Z', "I"))},
	}
	opened := []Message{
		&Login{Service: "pgsql", User: "a", Mechanism: "trust", Outcome: Succeeded},
		&PostgreSQL{Request: PgStart, User: "a", Answer: PgOK},
	}
	query := func(text string) chunk { return chunk{FromClient, pgMessage('Q', text, 0)} }
	done := func(tag string) []byte { return join(pgMessage('C', tag, 0), pgMessage('Z', "I")) }
	row := pgMessage('D', 0, 2, 0, 0, 0, 3, "abc", 255, 255, 255, 255) // and a NULL
	for _, c := range []dialogue{
		{"rows are counted", []chunk{
			query("SELECT * FROM t WHERE n = 'x'"),
			{FromServer, join(pgMessage('T', 0, 2, make([]byte, 40)), row, row, done("SELECT 2"))},
			query("SELECT * FROM t WHERE n = 'y'"),
			{FromServer, done("SELECT 0")},
		}, []Message{&PostgreSQL{
			Request: PgQuery, Statement: "SELECT * FROM t WHERE n = '?'", Columns: 2, Rows: 2, Size: 6, Completed: "SELECT 2",
		}}, nil},
		{"an error", []chunk{
			query("SELECT 1/0;"),
			{FromServer, join(pgMessage('E', "SERROR\x00VERROR\x00C42703\x00Mcolumn \"Juliana\" does not exist\x00P32\x00Fparse.c\x00L3514\x00Rmissing\x00\x00"), pgMessage('Z', "I"))},
			query("SELECT 1/0;"),
			{FromServer, done("SELECT 1")},
		}, []Message{
			&PostgreSQL{Request: PgQuery, Statement: "SELECT 1/0;", Error: &PgError{
				Severity: "ERROR", Plain: "ERROR", Code: "42703", Text: `column "?" does not exist`,
				Position: "32", File: "parse.c", Line: "3514", Routine: "missing",
			}},
			&PostgreSQL{Request: PgQuery, Statement: "SELECT 1/0;", Completed: "SELECT 1"},
		}, nil},
		{"prepared, two at once", []chunk{
			{FromClient, join(
				pgMessage('P', "s1\x00SELECT $1\x00", 0, 0), pgMessage('B', "\x00s1\x00", make([]byte, 6)), pgMessage('E', "\x00", 0, 0, 0, 0),
				pgMessage('P', "s2\x00COMMIT\x00", 0, 0), pgMessage('S'),
				pgMessage('B', "\x00s1\x00", make([]byte, 6)), pgMessage('S'),
				pgMessage('Q', "BEGIN\x00"),
			)},
			{FromServer, join(pgMessage('1'), pgMessage('2'), row, pgMessage('C', "SELECT 1\x00"), pgMessage('1'), done("COMMIT"), done("SELECT 1"), done("BEGIN"))},
		}, []Message{
			&PostgreSQL{Request: PgPrepared, Statement: "SELECT $1", Rows: 1, Size: 3, Completed: "SELECT 1"},
			&PostgreSQL{Request: PgQuery, Statement: "BEGIN", Completed: "BEGIN"},
		}, nil},
		{"bulk data", []chunk{
			query("COPY t TO STDOUT"),
			{FromServer, join(pgMessage('H', 0, 0, 2, 0, 0, 0, 0), pgMessage('d', strings.Repeat("x", 200)), pgMessage('c'), done("COPY 1"))},
			query("COPY t FROM STDIN"),
			{FromServer, pgMessage('G', 0, 0, 3, make([]byte, 6))},
			{FromClient, join(pgMessage('d', "ab"), pgMessage('d', "c"), pgMessage('c'))},
			{FromServer, done("COPY 2")},
		}, []Message{
			&PostgreSQL{Request: PgQuery, Statement: "COPY t TO STDOUT", Columns: 2, Rows: 1, Size: 200, Copy: PgCopyOut, CopyDone: true, Completed: "COPY 1"},
			&PostgreSQL{Request: PgQuery, Statement: "COPY t FROM STDIN", Columns: 3, Rows: 2, Size: 3, Copy: PgCopyIn, CopyDone: true, Completed: "COPY 2"},
		}, nil},
		{"longer than is looked at", []chunk{
			query("SELECT " + strings.Repeat("a", 5000)),
			{FromServer, done("SELECT 1")},
			query("BEGIN"),
		}, []Message{
			&PostgreSQL{Request: PgQuery, Statement: "SELECT " + strings.Repeat("a", maxPgStatement-7), Completed: "SELECT 1", Truncated: true},
			&PostgreSQL{Request: PgQuery, Statement: "BEGIN"},
		}, nil},
		{"too many at once", []chunk{{FromClient, bytes.Repeat(pgMessage('S'), maxPgPipeline+1)}}, nil, ErrDone},
		{"no length", []chunk{{FromServer, []byte{'D', 0, 0, 0, 3}}}, nil, ErrMalformed},
	} {
		c.in, c.want = slices.Concat(session, c.in), slices.Concat(opened, c.want)
		playAll(t, newPgStream, []dialogue{c})
	}
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
	noPasswordSwitched := login("client_ed25519", Succeeded)
	noPasswordSwitched.Default = true
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
		{"switched, and still no password", []chunk{
			{FromServer, greeting},
			{FromClient, answer("root", proof)},
			{FromServer, mysqlPacket(2, 0xfe, "client_ed25519\x00", make([]byte, 33))},
			{FromClient, mysqlPacket(3)},
			{FromServer, mysqlPacket(4, 0, 0, 0, 2, 0, 0, 0)},
		}, []Message{msg(0), noPasswordSwitched}, ErrDone},
		{"SHA-2 with the key of the server, unknown database", []chunk{
			{FromServer, greeting},
			{FromClient, answer("root", make([]byte, 32))},
			{FromServer, mysqlPacket(2, 1, 4)}, // all of it is needed
			{FromClient, mysqlPacket(3, 2)},    // asks for the key
			{FromServer, mysqlPacket(4, 1, "-----BEGIN PUBLIC KEY-----")},
			{FromClient, mysqlPacket(5, make([]byte, 256))},
			{FromServer, mysqlPacket(6, 0xff, 0x19, 4, "#42000Unknown database")},
		}, []Message{msg(1049), login("mysql_native_password", OutcomeUnknown)}, ErrDone},
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
		{string(mysqlPacket(1, 0x0d, 0xa2, 0x3a, 0, 0xff, 0xff, 0xff, 0, 33, make([]byte, 23), "u\x00\x00")), Yes}, // packets of 16 MiB, as PyMySQL allows
		{string(mysqlPacket(0, 0xff, 0x10, 4, "Too many connections")), Yes},
		{string(mysqlPacket(0, 0xff, 0x6a, 4, "#HY000Host '192.168.7.9' is not allowed")), Yes},
		{string(mysqlPacket(0, 0xff, 0x10, 4, "Too many\x01connections")), No},
		{string(mysqlPacket(0, 0xff, 0x10, 9, "Too many connections")), No}, // no code of a server
		{"\x08\x00\x00\x00\xff\x10\x04Too", No},
		{"\x4a\x00\x00\x00\x0a8.0.36 \x01", No},
		{"\x4a\x00\x00\x00\x0aabc\x00", No},
		{"\x4a\x00\x00\x00\x09", No},
		{"\x00\x00\x00\x54\xfeSMB", No},
	})
}

func FuzzPostgreSQL(f *testing.F) {
	fuzzLines(f, newPgStream, 5432, pgMessage(0, 0, 3, 0, 0, "user\x00a\x00\x00"), pgMessage(0, 4, 210, 22, 47),
		join(pgMessage(0, 0, 3, 0, 0, "user\x00a\x00\x00"), pgMessage('R', 0, 0, 0, 0), pgMessage('Z', "I"), pgMessage('Q', "SELECT 'a'\x00"), pgMessage('D', 0, 0), pgMessage('Z', "I")))
}

func FuzzMySQL(f *testing.F) {
	fuzzLines(f, newMySQLStream, 3306, mysqlPacket(0, 10, "8.0.36\x00", make([]byte, 30)), mysqlPacket(1, 0, 0x82, 0, 0, make([]byte, 28), "u\x00\x00"))
}
