package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mbap is a Modbus/TCP message of transaction 7 to unit 1.
func mbap(pdu []byte) []byte { return join(0, 7, 0, 0, 0, 1+len(pdu), 1, pdu) }

func TestModbusStream(t *testing.T) {
	base := func(f uint8, edit func(*Modbus)) *Modbus {
		m := &Modbus{Transaction: 7, Unit: 1, Function: f}
		edit(m)
		return m
	}
	client := func(pdu ...any) chunk { return chunk{FromClient, mbap(join(pdu...))} }
	server := func(pdu ...any) chunk { return chunk{FromServer, mbap(join(pdu...))} }
	testStream(t, new(memory).newModbusStream, []streamCase{
		{
			name: "two holding registers are read",
			in:   []chunk{client(3, 0, 100, 0, 2), server(3, 4, 1, 2, 3, 4)},
			want: []Message{
				base(3, func(m *Modbus) { m.Read = ModbusRange{100, 2} }),
				base(3, func(m *Modbus) { m.Response = true }),
			},
		},
		{
			name: "a coil is switched on",
			in:   []chunk{client(5, 0, 9, 0xff, 0), server(5, 0, 9, 0xff, 0)},
			want: []Message{
				base(5, func(m *Modbus) { m.Write, m.Values = ModbusRange{9, 1}, []uint16{1} }),
				base(5, func(m *Modbus) { m.Response, m.Write = true, ModbusRange{9, 1} }),
			},
		},
		{
			name: "ten coils, least significant bit first",
			in:   []chunk{client(15, 0, 19, 0, 10, 2, 0xcd, 1)},
			want: []Message{base(15, func(m *Modbus) {
				m.Write, m.Values = ModbusRange{19, 10}, []uint16{1, 0, 1, 1, 0, 0, 1, 1, 1, 0}
			})},
		},
		{
			name: "registers are written and read at once",
			in:   []chunk{client(23, 0, 3, 0, 6, 0, 14, 0, 1, 2, 0xab, 0xcd)},
			want: []Message{base(23, func(m *Modbus) {
				m.Read, m.Write, m.Values = ModbusRange{3, 6}, ModbusRange{14, 1}, []uint16{0xabcd}
			})},
		},
		{
			name: "masks",
			in:   []chunk{client(22, 0, 4, 0, 0xf2, 0, 0x25)},
			want: []Message{base(22, func(m *Modbus) { m.Write, m.Values = ModbusRange{4, 1}, []uint16{0xf2, 0x25} })},
		},
		{
			name: "masks are confirmed",
			in:   []chunk{{FromServer, mbap(join(22, 0, 4, 0, 0xf2, 0, 0x25))}},
			want: []Message{base(22, func(m *Modbus) {
				m.Response, m.Write, m.Values = true, ModbusRange{4, 1}, []uint16{0xf2, 0x25}
			})},
		},
		{
			name: "a length of one byte too many hides one request, not those behind it",
			in: []chunk{
				client(5, 0, 1, 0, 0),
				{FromClient, join(0, 9, 0, 0, 0, 7, 1, 5, 0, 2, 0, 0)},
				client(5, 0, 3, 0, 0), client(5, 0, 4, 0, 0),
			},
			want: []Message{
				base(5, func(m *Modbus) { m.Write, m.Values = ModbusRange{1, 1}, []uint16{0} }),
				base(5, func(m *Modbus) { m.Transaction, m.Write, m.Values = 9, ModbusRange{2, 1}, []uint16{0} }),
				base(5, func(m *Modbus) { m.Write, m.Values = ModbusRange{4, 1}, []uint16{0} }),
			},
		},
		{
			name: "exception",
			in:   []chunk{client(1, 4, 0xa1, 0, 1), server(0x81, 2)},
			want: []Message{
				base(1, func(m *Modbus) { m.Read = ModbusRange{0x4a1, 1} }),
				base(1, func(m *Modbus) { m.Response, m.Exception = true, 2 }),
			},
		},
		{
			name: "restart",
			in:   []chunk{client(8, 0, 1, 0, 0)},
			want: []Message{base(8, func(m *Modbus) { m.Sub = 1 })},
		},
		{
			name: "device identification",
			in: []chunk{
				client(43, 14, 1, 0),
				server(43, 14, 1, 1, 0, 0, 2, 0, 4, "Acme", 1, 3, "X\x00\x01"),
			},
			want: []Message{
				base(43, func(m *Modbus) { m.Sub = 14 }),
				base(43, func(m *Modbus) {
					m.Response, m.Sub, m.Objects = true, 14, []ModbusObject{{0, "Acme"}, {1, "X"}}
				}),
			},
		},
		{
			name: "UMAS stop",
			in:   []chunk{client(90, 3, 0x41, 0xff, 0)},
			want: []Message{base(90, func(m *Modbus) { m.Sub = 0x41 })},
		},
		{
			name: "the flow table has the ends the wrong way round",
			in:   []chunk{server(3, 0, 0, 0, 1), client(3, 2, 0, 9), server(6, 0, 1, 0, 3)},
			want: []Message{
				base(3, func(m *Modbus) { m.Read = ModbusRange{0, 1} }),
				base(3, func(m *Modbus) { m.Response = true }),
				base(6, func(m *Modbus) { m.Write, m.Values = ModbusRange{1, 1}, []uint16{3} }),
			},
		},
		{
			name: "cut in the middle of the values",
			in:   []chunk{client(3, 0, 0, 0, 1)}, flush: mbap(join(16, 0, 1, 0, 2, 4, 0, 1, 0, 2))[:15],
			want: []Message{
				base(3, func(m *Modbus) { m.Read = ModbusRange{0, 1} }),
				base(16, func(m *Modbus) { m.Write, m.Truncated = ModbusRange{1, 2}, true }),
			},
		},
		{
			name: "contents that contradict the length",
			in:   []chunk{client(3, 0), client(16, 0, 1, 0, 99, 4, 0, 1)},
			want: []Message{
				base(3, func(m *Modbus) { m.Response = true }), // nothing but a response has two bytes
				base(16, func(m *Modbus) { m.Response, m.Write, m.Truncated = true, ModbusRange{1, 99}, false }),
			},
		},
		{name: "protocol identifier 1", in: []chunk{{FromClient, join(0, 1, 0, 1, 0, 6, 1, 3, 0, 0, 0, 1)}}, err: ErrNotMine},
		{name: "length 0", in: []chunk{{FromClient, join(0, 1, 0, 0, 0, 0, 1, 3)}}, err: ErrMalformed},
		{name: "length 300", in: []chunk{{FromClient, join(0, 1, 0, 0, 1, 44, 1, 3)}}, err: ErrMalformed},
	})
}

func TestSniffModbus(t *testing.T) {
	read := mbap(join(3, 0, 100, 0, 2))
	testSniff(t, sniffModbus, []sniffCase{
		{"nothing", nil, Maybe},
		{"header", read[:7], Maybe},
		{"half a request", read[:10], Maybe},
		{"request", read, Yes},
		{"response", mbap(join(3, 4, 1, 2, 3, 4)), Yes},
		{"response with an odd number of bytes", mbap(join(3, 5, 1, 2, 3, 4, 5)), No},
		{"nothing is asked for", mbap(join(3, 0, 0, 0, 0)), No},
		{"exception", mbap(join(0x83, 2)), Yes},
		{"exception without a code", mbap(join(0x83, 0)), No},
		{"coil half on", mbap(join(5, 0, 0, 0x80, 0)), No},
		{"FIFO queue", mbap(join(24, 4, 0xde)), Yes},
		{"registers of a FIFO queue", mbap(join(24, 0, 6, 0, 2, 1, 0xb8, 0x12, 0x84)), Yes},
		{"FIFO queue, cut in its count", mbap(join(24, 0, 6, 0, 2, 1, 0xb8, 0x12, 0x84))[:10], Maybe},
		{"FIFO queue of another length", mbap(join(24, 0, 6, 0, 3, 1, 0xb8, 0x12, 0x84)), No},
		{"unknown function", mbap(join(99, 0, 0)), No},
		{"DNS query over TCP", join(0, 29, dnsHead(1, 0, 1, 0, 0, 0), questionA), No},
		{"text", []byte("GET / HTTP/1.1\r\n"), No},
	})
}

func TestModbusCommands(t *testing.T) {
	for _, c := range []struct {
		in   Modbus
		want []Command
	}{
		{Modbus{Unit: 3, Function: 3}, []Command{{"modbus", 3, 3, "Read Holding Registers", CommandRead}}},
		{Modbus{Unit: 3, Function: 16}, []Command{{"modbus", 3, 16, "Write Multiple Registers", CommandWrite}}},
		{Modbus{Function: 8, Sub: 4}, []Command{{"modbus", 0, 0x408, "Force Listen Only Mode", CommandControl}}},
		{Modbus{Function: 90, Sub: 0x41}, []Command{{"modbus", 0, 0x415a, "UMAS Stop PLC", CommandControl}}},
		{Modbus{Function: 100}, []Command{{"modbus", 0, 100, "", CommandOther}}},
		{Modbus{Function: 3, Response: true}, nil},
	} {
		if diff := cmp.Diff(c.want, c.in.AppendCommands(nil)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.in, diff)
		}
	}
}

func FuzzModbus(f *testing.F) {
	fuzzSeeds(f, 502)
	f.Add(join(1, mbap(join(16, 0, 1, 0, 1, 2, 0, 1)), mbap(join(43, 14, 1, 1, 0, 0, 1, 0, 1, "a"))))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, new(memory).newModbusStream, b) })
}

func BenchmarkModbusRequest(b *testing.B) {
	benchStream(b, new(memory).newModbusStream, mbap(join(3, 0, 100, 0, 2)))
}

// benchStream measures one message of the client on a connection, which nobody
// keeps.
func benchStream(b *testing.B, newStream func() Stream, in []byte) {
	b.Helper()
	s := newStream()
	reuser, _ := s.(Reuser)
	msgs := make([]Message, 0, 4)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		_, out, err := s.Feed(FromClient, in, msgs)
		if err != nil || len(out) == 0 {
			b.Fatal(len(out), err)
		}
		if reuser != nil {
			reuser.Reuse(out[0])
		}
	}
}

// TestModbusHabit: a poll is the same whatever its transaction and what was
// read; anything else about it makes another.
func TestModbusHabit(t *testing.T) {
	poll := Modbus{Unit: 1, Function: modbusReadHolding, Read: ModbusRange{16, 2}}
	same := poll
	same.Transaction = 9
	if poll.Habit(1) == 0 || same.Habit(1) != poll.Habit(1) {
		t.Error("the next poll is not the same habit")
	}
	for name, m := range map[string]Modbus{
		"unit":     {Unit: 2, Function: 3, Read: poll.Read},
		"function": {Unit: 1, Function: 4, Read: poll.Read},
		"address":  {Unit: 1, Function: 3, Read: ModbusRange{17, 2}},
		"quantity": {Unit: 1, Function: 3, Read: ModbusRange{16, 3}},
		"write":    {Unit: 1, Function: 3, Write: ModbusRange{16, 2}},
		"response": {Unit: 1, Function: 3, Read: poll.Read, Response: true},
		"sub":      {Unit: 1, Function: 3, Read: poll.Read, Sub: 1},
	} {
		if m.Habit(1) == poll.Habit(1) || m.Habit(1) == 0 {
			t.Errorf("another %s is the same habit", name)
		}
	}
	if exception := (Modbus{Unit: 1, Function: 3, Response: true, Exception: 2}); exception.Habit(1) != 0 {
		t.Error("an exception is a habit")
	}
}
