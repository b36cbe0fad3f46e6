package wire

import (
	"fmt"
	"strings"
	"testing"
)

// redisCall is a request: an array of strings.
func redisCall(words ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}

func TestRedisStream(t *testing.T) {
	from := func(dir Dir, parts ...any) chunk { return chunk{dir, join(parts...)} }
	asked := func(name string) *Redis { return &Redis{Command: name} }
	failed := func(code string) *Redis { return &Redis{Error: code} }
	login := func(user string, o Outcome, known bool) *Login {
		return &Login{Service: "redis", User: user, Mechanism: "password", Outcome: o, Clear: true, Default: known}
	}
	long := strings.Repeat("x", 2*maxRedisWord)
	playAll(t, newRedisStream, []dialogue{
		{"recognised by the answers, which are read first", []chunk{
			from(FromServer, "+OK\r\n+PONG\r\n"),
			from(FromClient, "AUTH S3cret!\r\nPING\r\n"),
		}, []Message{asked("AUTH"), asked("PING"), login("", Succeeded, false)}, nil},
		{"a secret alone, refused", []chunk{
			from(FromClient, redisCall("auth", "S3cret!")),
			from(FromServer, "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
		}, []Message{asked("AUTH"), failed("WRONGPASS"), login("", Failed, false)}, nil},
		{"refused by a server before version 6", []chunk{
			from(FromClient, redisCall("AUTH", "S3cret!")), from(FromServer, "-ERR invalid password\r\n"),
		}, []Message{asked("AUTH"), failed("ERR"), login("", Failed, false)}, nil},
		{"no secret is asked for", []chunk{
			from(FromClient, redisCall("AUTH", "S3cret!")), from(FromServer, "-ERR Client sent AUTH, but no password is set\r\n"),
		}, []Message{asked("AUTH"), failed("ERR"), login("", OutcomeUnknown, false)}, nil},
		{"behind other requests, a default", []chunk{
			from(FromClient, redisCall("PING"), redisCall("GET", "k"), redisCall("AUTH", "admin", "admin"), redisCall("GET", "k")),
			from(FromServer, "-NOPERM\r\n", // to PING
				"$4\r\n-ERR\r\n", // a value that looks like an error
				"+OK\r\n", "$-1\r\n"),
		}, []Message{asked("PING"), asked("GET"), asked("AUTH"), failed("NOPERM"), login("admin", Succeeded, true)}, nil},
		{"HELLO", []chunk{
			from(FromClient, redisCall("HELLO", "3", "AUTH", "anna", "S3cret!", "SETNAME", "cam")),
			from(FromServer, ">2\r\n+invalidate\r\n*1\r\n+k\r\n", // pushed, no answer
				"|1\r\n+ttl\r\n:3\r\n", // attributes of the answer
				"%2\r\n+server\r\n+redis\r\n+modules\r\n*0\r\n"),
		}, []Message{asked("HELLO"), login("anna", Succeeded, false)}, nil},
		{"HELLO to a server without RESP3", []chunk{
			from(FromClient, redisCall("HELLO", "3", "AUTH", "anna", "S3cret!")), from(FromServer, "-NOPROTO\r\n"),
		}, []Message{asked("HELLO"), failed("NOPROTO"), login("anna", OutcomeUnknown, false)}, nil},
		{"without login", []chunk{
			from(FromClient, redisCall("CONFIG", "SET", "dir", "/root/.ssh"), redisCall("config", "set", "dbfilename", "x"), redisCall("KEYS", "*")),
			from(FromServer, "-NOAUTH Authentication required.\r\n", "-NOAUTH Authentication required.\r\n"),
		}, []Message{
			asked("CONFIG SET"), asked("KEYS"), failed("NOAUTH"),
			&Login{Service: "redis", Mechanism: "none", Outcome: Failed},
		}, nil},
		{"typed", []chunk{
			from(FromServer, "-DENIED Redis is running in protected mode because...\r\n"),
			from(FromClient, "\r\nAUTH \"S3cret!\"\r\nS3cret!\r\nINFO\r\n"),
			from(FromServer, "+OK\r\n-ERR unknown command\r\n$3\r\nabc\r\n"),
		}, []Message{failed("DENIED"), asked("AUTH"), asked("INFO"), login("", Succeeded, false), failed("ERR")}, nil},
		{"no answer", []chunk{from(FromClient, redisCall("AUTH", "anna", long))}, []Message{
			asked("AUTH"), login("anna", OutcomeUnknown, false),
		}, nil},
		{"from the middle on, the server first", []chunk{
			from(FromServer, "*2\r\n$3\r\nfoo\r\n:1\r\n+", long, "\r\n"),
			from(FromClient, redisCall("SET", "k", long), redisCall("JSON.GET", "k")),
		}, []Message{asked("SET"), asked("JSON.GET")}, nil},
		{"a value within a login", []chunk{from(FromClient, redisCall("PING"), "*2\r\n$4\r\nAUTH\r\n:1\r\n")}, []Message{asked("PING")}, ErrMalformed},
		{"no value", []chunk{from(FromClient, redisCall("PING")), from(FromServer, "\x16\x03")}, []Message{asked("PING")}, ErrMalformed},
		{"no length", []chunk{from(FromClient, redisCall("PING")), from(FromServer, "$99999999999\r\n")}, []Message{asked("PING")}, ErrMalformed},
	})
	checkSniffs(t, sniffRedis, FromClient, []opening{
		{string(redisCall("COMMAND")), Yes},
		{"*2\r\n$4\r\nauth\r\n$", Yes},
		{"-NOAUTH Authentication required.\r\n", Yes},
		{"-DENIED Redis is running", Yes},
		{"* OK IMAP4rev1", No},
		{"-ERR POP3", No},
		{"*0\r\n", No},
		{"*1\r\n$04\r\nPING\r\n", No},
		{"*1\r\n$4\r\nPI G\r\n", No},
		{"*1\r\n$4\r\nPING\n", No},
		{"*1\r\n$99\r\n", No},
	})
}

// TestRedisKeepsNoSecret looks for the secret in all that is said of a login.
func TestRedisKeepsNoSecret(t *testing.T) {
	const secret = "S3cret"
	for _, in := range [][]byte{
		redisCall("AUTH", secret), redisCall("AUTH", "anna", secret), redisCall("HELLO", "3", "AUTH", "anna", secret),
		redisCall("CONFIG", "SET", "requirepass", secret), redisCall("ACL", "SETUSER", "anna", ">"+secret),
		redisCall("ECHO", secret), []byte("PING\r\nAUTH " + secret + "\r\n" + secret + "\r\n"),
	} {
		s := newRedisStream()
		_, msgs, err := s.Feed(FromClient, in, nil)
		if err != nil {
			t.Errorf("%q: %v", in, err)
		}
		msgs = s.(Flusher).Flush(FromServer, nil, msgs)
		if len(msgs) == 0 {
			t.Errorf("%q: no message", in)
		}
		for _, m := range msgs {
			if said := strings.ToUpper(fmt.Sprintf("%+v", m)); strings.Contains(said, strings.ToUpper(secret)) {
				t.Errorf("%q: kept in %s", in, said)
			}
		}
	}
}

func TestSniffRedis(t *testing.T) {
	checkSniffs(t, sniffRedis, FromServer, []opening{
		{"", Maybe},
		{"*2\r\n$3\r\nGET\r\n", Yes},
		{"*2\r\n:3\r\n", No},
		{"-NOAUTH Authentication required.\r\n", Yes},
		{"-ERR unknown command 'FOO', with args", Yes},
		{"-ERR unknown command `FOO`, with args", Yes},
		{"-ERR Unknown command.\r\n", No}, // as POP3 answers
		{"+PONG\r\n", Yes},
		{"+OK\r\n+PONG\r\n", Yes}, // to AUTH and PING in lines of text
		{"+OK\r\n", Maybe},
		{"+OK POP3 ready\r\n", No},
		{"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n", Yes}, // to HELLO 3
		{"%7\r\n$6\r\nclient\r\n", No},
		{"$3400\r\n# Server\r\nredis_version:7", Yes}, // to INFO
		{"$5\r\nvalue\r\n", No},
		{"PING\r\nauth x\r\n", Maybe},
		{"PING\r\nUSER x\r\n", No},
		{"SETT\r\n", No},
		{"$-1\r\n", No},
	})
}

func FuzzRedis(f *testing.F) {
	fuzzLines(f, newRedisStream, 6379,
		join(redisCall("AUTH", "a", "b"), "+OK\r\n"), join(redisCall("HELLO", "3", "AUTH", "a", "b"), "%1\r\n+a\r\n*1\r\n$1\r\nb\r\n"),
		[]byte("AUTH a\r\n-WRONGPASS x\r\n"), []byte("-NOAUTH x\r\n|1\r\n+a\r\n:1\r\n>1\r\n_\r\n"))
}

func BenchmarkRedisCommands(b *testing.B) {
	in := join(redisCall("SET", "sensor:1", strings.Repeat("x", 100)), redisCall("GET", "sensor:1"))
	out := []byte("+OK\r\n$100\r\n" + strings.Repeat("x", 100) + "\r\n")
	s := newRedisStream()
	if _, _, err := s.Feed(FromClient, in, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(in) + len(out)))
	for b.Loop() {
		for dir, said := range [][]byte{in, out} {
			if n, msgs, err := s.Feed(Dir(dir), said, nil); err != nil || n != len(said) || len(msgs) > 0 {
				b.Fatal(n, len(msgs), err)
			}
		}
	}
}
