package wire

import (
	"encoding/binary"
	"testing"
)

// bsonDoc is a document of name, value pairs: texts, numbers, truth values,
// bytes as binary data, documents.
func bsonDoc(pairs ...any) document {
	var b []byte
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i].(string)
		switch v := pairs[i+1].(type) {
		case string:
			b = join(b, bsonString, name, 0, binary.LittleEndian.AppendUint32(nil, uint32(len(v)+1)), v, 0)
		case int:
			b = join(b, bsonInt32, name, 0, binary.LittleEndian.AppendUint32(nil, uint32(v)))
		case bool:
			b = join(b, bsonBool, name, 0, int(habitBit(v)))
		case float64:
			b = join(b, bsonDouble, name, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f) // 1.0
		case []byte:
			b = join(b, bsonBinary, name, 0, binary.LittleEndian.AppendUint32(nil, uint32(len(v))), 0, v)
		case document:
			b = join(b, bsonDocument, name, 0, []byte(v))
		}
	}
	return document(join(binary.LittleEndian.AppendUint32(nil, uint32(len(b)+5)), b, 0))
}

type document []byte

func mongoPacket(id, to, op int, parts ...any) []byte {
	b := join(parts...)
	return join(len(b)+16, (len(b)+16)>>8, 0, 0, id, 0, 0, 0, to, 0, 0, 0, op, op>>8, 0, 0, b)
}

func mongoSays(id, to int, doc document) []byte {
	return mongoPacket(id, to, mongoMessage, 0, 0, 0, 0, 0, []byte(doc))
}

func TestMongoStream(t *testing.T) {
	client := bsonDoc("application", bsonDoc("name", "mes"), "driver", bsonDoc("name", "PyMongo", "version", "4.6"), "os", bsonDoc("type", "Linux"))
	hello := mongoPacket(1, 0, mongoQuery, 4, 0, 0, 0, "admin.$cmd", 0, 0, 0, 0, 0, 255, 255, 255, 255, []byte(bsonDoc("isMaster", 1, "client", client)))
	welcome := mongoPacket(7, 1, mongoReply, 8, 0, 0, 0, make([]byte, 12), 1, 0, 0, 0, []byte(bsonDoc("ismaster", true, "setName", "rs0", "maxWireVersion", 21, "ok", 1.0)))
	greeted := &MongoDB{
		Command: "isMaster", Database: "admin", Application: "mes", Driver: "PyMongo", DriverVersion: "4.6", System: "Linux",
		ReplicaSet: "rs0", WireVersion: 21,
	}
	start := bsonDoc("saslStart", 1, "mechanism", "SCRAM-SHA-256", "payload", []byte("n,,n=anna,r=x"), "$db", "admin")
	login := func(o Outcome) *Login {
		return &Login{Service: "mongodb", User: "anna", Mechanism: "SCRAM-SHA-256", Outcome: o}
	}
	find := bsonDoc("find", "users", "filter", bsonDoc("n", "secret"), "$db", "shop")
	playAll(t, newMongoStream, []dialogue{
		{"a hello and a login", []chunk{
			{FromClient, hello},
			{FromServer, welcome},
			{FromClient, mongoSays(2, 0, start)},
			{FromServer, mongoSays(8, 2, bsonDoc("conversationId", 1, "done", false, "payload", []byte("r="), "ok", 1.0))},
			{FromClient, mongoSays(3, 0, bsonDoc("saslContinue", 1, "payload", []byte("c=,p=")))},
			{FromServer, mongoSays(9, 3, bsonDoc("done", true, "ok", 1.0))},
		}, []Message{
			greeted, &MongoDB{Command: "saslStart", Database: "admin"}, &MongoDB{Command: "saslContinue"}, login(Succeeded),
		}, nil},
		{"refused", []chunk{
			{FromClient, mongoSays(2, 0, start)},
			{FromServer, mongoSays(8, 2, bsonDoc("ok", 0, "errmsg", "no", "code", 18))},
		}, []Message{&MongoDB{Command: "saslStart", Database: "admin", Error: 18}, login(Failed)}, nil},
		{"a login within a hello", []chunk{
			{FromClient, mongoSays(1, 0, bsonDoc("hello", 1, "speculativeAuthenticate", start, "$db", "admin"))},
			{FromServer, mongoSays(8, 1, bsonDoc("speculativeAuthenticate", bsonDoc("done", true), "ok", 1.0))},
		}, []Message{&MongoDB{Command: "hello", Database: "admin"}, login(Succeeded)}, nil},
		{"a login within a hello that is passed over", []chunk{
			{FromClient, mongoSays(1, 0, bsonDoc("hello", 1, "speculativeAuthenticate", start, "$db", "admin"))},
			{FromServer, mongoSays(8, 1, bsonDoc("ok", 1.0))},
		}, []Message{&MongoDB{Command: "hello", Database: "admin"}}, nil},
		{"a password in clear", []chunk{
			{FromClient, mongoSays(1, 0, bsonDoc("saslStart", 1, "mechanism", "PLAIN", "payload", "\x00root\x00root"))},
			{FromServer, mongoSays(8, 1, bsonDoc("done", true, "ok", 1.0))},
		}, []Message{
			&MongoDB{Command: "saslStart"},
			&Login{Service: "mongodb", User: "root", Mechanism: "PLAIN", Outcome: Succeeded, Clear: true, Default: true},
		}, nil},
		{"each command once, its error with it", []chunk{
			{FromClient, mongoSays(1, 0, find)},
			{FromServer, mongoSays(8, 1, bsonDoc("ok", 0, "code", 13))},
			{FromClient, mongoSays(2, 0, find)},
			{FromServer, mongoSays(9, 2, bsonDoc("ok", 1))},
		}, []Message{&MongoDB{Command: "find", Database: "shop", Collection: "users", Error: 13}}, nil},
		{"the version of a server", []chunk{
			{FromClient, mongoSays(1, 0, bsonDoc("buildInfo", 1, "$db", "admin"))},
			{FromServer, mongoSays(8, 1, bsonDoc("version", "7.0.4", "ok", 1))},
		}, []Message{&MongoDB{Command: "buildInfo", Database: "admin", Version: "7.0.4"}}, nil},
		{"no answer", []chunk{{FromClient, mongoSays(2, 0, start)}}, []Message{&MongoDB{Command: "saslStart", Database: "admin"}, login(OutcomeUnknown)}, nil},
		{"compressed", []chunk{{FromClient, mongoPacket(1, 0, mongoCompressed, 0xdd, 7, 0, 0, make([]byte, 20))}}, []Message{&MongoDB{Compressed: true}}, nil},
		{"more than is looked at", []chunk{
			{FromClient, mongoSays(1, 0, bsonDoc("insert", "log", "$db", "shop", "documents", make([]byte, 9000)))},
			{FromServer, mongoSays(8, 1, bsonDoc("ok", 1))},
		}, []Message{&MongoDB{Command: "insert", Database: "shop", Collection: "log"}}, nil},
		{"too short", []chunk{{FromClient, join(15, make([]byte, 15))}}, nil, ErrMalformed},
	})
	checkSniffs(t, sniffMongo, FromClient, []opening{
		{string(hello), Yes},
		{string(welcome), Yes},
		{string(mongoSays(1, 0, start)), Yes},
		{string(mongoPacket(1, 0, mongoMessage, 4, 0, 0, 0, 0, []byte(start))), No},  // unknown flags
		{string(mongoPacket(1, 0, mongoMessage, 0, 0, 0, 0, 0, 255, 255, 0, 0)), No}, // a document beyond the end
		{string(mongoPacket(1, 0, mongoQuery, 0, 0, 0, 0, "admin\x01$cmd\x00")), No}, //
		{string(mongoPacket(1, 0, mongoQuery, 0, 0, 0, 0, "shop.users\x00")), No},    // a query of old
		{string(mongoPacket(1, 0, 2002, make([]byte, 40))), No},                      // an insert of old
		{"\x4a\x00\x00\x00\x0a8.0.36\x00" + string(make([]byte, 20)), No},            // MySQL
	})
}

func FuzzMongoDB(f *testing.F) {
	fuzzLines(f, newMongoStream, 27017, mongoSays(1, 0, bsonDoc("saslStart", 1, "mechanism", "PLAIN", "payload", []byte("\x00a\x00b"))),
		mongoSays(2, 1, bsonDoc("ok", 0, "code", 13, "speculativeAuthenticate", bsonDoc("done", true))), mongoPacket(1, 0, mongoQuery, 0, 0, 0, 0, "a.$cmd", 0, make([]byte, 8), []byte(bsonDoc("hello", 1))))
}

func FuzzBSON(f *testing.F) {
	f.Add([]byte(bsonDoc("a", "b", "c", 1, "d", bsonDoc("e", true), "f", []byte{1}, "g", 1.0)))
	f.Add([]byte("\x20\x00\x00\x00\x0br\x00a\x00b\x00\x13d\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		for r := readBSON(b); ; n++ {
			e, ok := r.next()
			if !ok {
				break
			}
			_, _, _ = e.text(), e.bytes(), e.number()
			inner := e.document()
			inner.next()
		}
		if n > len(b) {
			t.Errorf("%d elements in %d bytes", n, len(b))
		}
	})
}

func BenchmarkMongoCommand(b *testing.B) {
	s := newMongoStream()
	in := mongoSays(1, 0, bsonDoc("find", "users", "filter", bsonDoc("n", "x"), "$db", "shop"))
	out := mongoSays(2, 1, bsonDoc("ok", 1))
	b.ReportAllocs()
	var msgs []Message
	for b.Loop() {
		_, msgs, _ = s.Feed(FromClient, in, msgs[:0])
		_, msgs, _ = s.Feed(FromServer, out, msgs[:0])
	}
}
