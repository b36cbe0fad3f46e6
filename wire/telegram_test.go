package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Messages of each protocol, as the specifications that its file names lay them out.
var (
	// From node 239 to node 200: five words of the data memory from word 100 on.
	finsRead = join(0x80, 0, 2, 0, 200, 0, 0, 239, 0, 7, 1, 1, 0x82, 0, 100, 0, 0, 5)
	// The command that stops a controller is refused: not in this mode.
	finsRefused = join(0xc0, 0, 2, 0, 239, 0, 0, 200, 0, 8, 4, 2, 0x21, 8)

	// 32 bytes of a symbol are read by its handle, from port 32905 to the
	// first runtime.
	adsReadRequest = ads(4, 2, 851, 32905, 0, join(5, 0xf0, 0, 0, 1, 2, 3, 4, 32, 0, 0, 0))
	adsStop        = ads(4, 5, 851, 32905, 0, join(6, 0, 0, 0, 0, 0, 0, 0))
	adsRefused     = ads(5, 2, 32905, 851, 0, join(2, 7, 0, 0, 0, 0, 0, 0)) // invalid index group

	slmpReadDevice = join(0x50, 0, 0, 0xff, 0xff, 3, 0, 12, 0, 16, 0, 1, 4, 0, 0, 100, 0, 0, 0xa8, 5, 0)
	slmpStop       = join(0x54, 0, 9, 0, 0, 0, 0, 0xff, 0xff, 3, 0, 8, 0, 16, 0, 2, 0x10, 0, 0, 1, 0)
	slmpFailed     = join(0xd0, 0, 0, 0xff, 0xff, 3, 0, 2, 0, 0x59, 0xc0)

	// 1 is written to the group 1/2/3, through channel 5 of a tunnel.
	knxWrite   = join(6, 0x10, 4, 0x20, 0, 21, 4, 5, 1, 0, 0x11, 0, 0xbc, 0xe0, 0, 0, 0x0a, 3, 1, 0, 0x81)
	knxSearch  = join(6, 0x10, 2, 1, 0, 14, 8, 1, 192, 0, 2, 7, 0x0e, 0x57)
	knxNoMore  = join(6, 0x10, 2, 6, 0, 8, 0, 0x24) // no more connections
	knxRouted  = join(6, 0x10, 5, 0x30, 0, 17, 0x29, 0, 0xbc, 0xe0, 0x11, 5, 0x0a, 3, 1, 0, 0)
	knxUnicast = join(6, 0x10, 5, 0x30, 0, 17, 0x29, 0, 0xbc, 0x60, 0x11, 5, 0x11, 6, 1, 0, 0)

	hartOpen  = join(1, 0, 0, 0, 0, 1, 0, 13, 1, 0, 0, 0x75, 0x30)
	hartReset = join(1, 0, 3, 0, 0, 2, 0, 17, 0x82, 0xa6, 6, 1, 2, 3, 42, 0, 0xa0) // command 42, long address
	hartBusy  = join(1, 1, 3, 0x20, 0, 2, 0, 8)

	c37TurnOn = c37(4, 60, 0, 2)
	c37Data   = c37(0, 60, make([]byte, 20))

	// Connection 0x00aa0001, six bytes.
	cipIO = join(2, 0, 2, 0x80, 8, 0, 1, 0, 0xaa, 0, 9, 0, 0, 0, 0xb1, 0, 6, 0, 1, 0, 1, 2, 3, 4)
)

// ads frames the data of a command.
func ads(flags, command, target, source, status int, data []byte) []byte {
	n := 32 + len(data)
	return join(0, 0, n, n>>8, 0, 0, 5, 1, 2, 3, 1, 1, target, target>>8, 5, 1, 2, 4, 1, 1, source, source>>8,
		command, 0, flags, 0, len(data), len(data)>>8, 0, 0, status, 0, 0, 0, 7, 0, 0, 0, data)
}

// c37 frames what follows the time of a frame.
func c37(kind, stream int, rest ...any) []byte {
	body := join(rest...)
	n := c37MinFrame + len(body)
	b := join(0xaa, kind<<4|1, n>>8, n, stream>>8, stream, 0x65, 0x43, 0x21, 0, 0, 0, 0, 0, body)
	crc := c37CRC(b)
	return join(b, int(crc>>8), int(crc&0xff))
}

// TestC37CheckSum: the check value of CRC-16/IBM-3740 in Cook's catalogue.
func TestC37CheckSum(t *testing.T) {
	if got := c37CRC([]byte("123456789")); got != 0x29b1 {
		t.Errorf("got %#04x, want 0x29b1", got)
	}
}

func TestTelegrams(t *testing.T) {
	shared := new(memory)
	for _, c := range []struct {
		name string
		flow Datagrams
		in   []byte
		want []Message
	}{
		{"fins", shared.newFINSFlow(), finsRead, one(Telegram{App: "fins", Unit: 200, Function: 0x101, Name: "Memory Area Read", Class: CommandRead})},
		{"fins, refused", shared.newFINSFlow(), finsRefused, one(Telegram{
			App: "fins", Response: true, Unit: 200, Function: 0x402, Name: "Stop", Class: CommandControl, Status: 0x2108,
		})},
		{"slmp", shared.newSLMPFlow(), slmpReadDevice, one(Telegram{App: "slmp", Unit: 0xff, Function: 0x401, Name: "Read Device", Class: CommandRead})},
		{"slmp 4E", shared.newSLMPFlow(), slmpStop, one(Telegram{App: "slmp", Unit: 0xff, Function: 0x1002, Name: "Remote Stop", Class: CommandControl})},
		{"slmp, failed", shared.newSLMPFlow(), slmpFailed, one(Telegram{App: "slmp", Response: true, Unit: 0xff, Name: "response", Status: 0xc059})},
		{"knx tunnel", shared.newKNXFlow(), knxWrite, one(Telegram{App: "knxnet_ip", Unit: 0x0a03, Function: 0x420, Name: "GroupValueWrite", Class: CommandWrite})},
		{"knx routing", shared.newKNXFlow(), knxRouted, one(Telegram{App: "knxnet_ip", Unit: 0x0a03, Function: 0x530, Name: "GroupValueRead", Class: CommandRead})},
		{"knx to one device", shared.newKNXFlow(), knxUnicast, one(Telegram{App: "knxnet_ip", Function: 0x530, Name: "RoutingIndication"})},
		{"knx search", shared.newKNXFlow(), knxSearch, one(Telegram{App: "knxnet_ip", Function: 0x201, Name: "SearchRequest", Class: CommandRead})},
		{"knx, refused", shared.newKNXFlow(), knxNoMore, one(Telegram{App: "knxnet_ip", Response: true, Function: 0x206, Name: "ConnectResponse", Status: 0x24})},
		{"hart session", shared.newHARTFlow(), hartOpen, one(Telegram{App: "hart_ip", Name: "session initiate"})},
		{"hart reset", shared.newHARTFlow(), hartReset, one(Telegram{App: "hart_ip", Function: 3 | 42<<8, Name: "pass-through", Class: CommandControl})},
		{"hart, refused", shared.newHARTFlow(), hartBusy, one(Telegram{App: "hart_ip", Response: true, Function: 3, Name: "pass-through", Status: 0x20})},
		{"c37.118 command", shared.newC37Flow(), c37TurnOn, one(Telegram{
			App: "c37118", Unit: 60, Function: 4 | 2<<8, Name: "turn on transmission", Class: CommandControl,
		})},
		{"c37.118 data", shared.newC37Flow(), c37Data, one(Telegram{App: "c37118", Response: true, Unit: 60, Name: "data", Class: CommandRead})},
		{"cyclic data of CIP", newCIPIOFlow(), cipIO, nil},
	} {
		got, err := c.flow.Datagram(FromClient, c.in, nil)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
		for _, other := range [][]byte{[]byte("M-SEARCH * HTTP/1.1\r\n"), {c.in[0]}, nil} {
			if _, err := c.flow.Datagram(FromClient, other, nil); !errors.Is(err, ErrNotMine) {
				t.Errorf("%s: %q is taken for a message: %v", c.name, other, err)
			}
		}
	}
}

func one(m Telegram) []Message { return []Message{&m} }

func TestTelegramStreams(t *testing.T) {
	finsTCP := func(b []byte) []byte { return join(finsMagic, 0, 0, 0, 8+len(b), 0, 0, 0, 2, 0, 0, 0, 0, b) }
	node := join(finsMagic, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	shared := new(memory)
	finsWant := Telegram{App: "fins", Unit: 200, Function: 0x101, Name: "Memory Area Read", Class: CommandRead}
	testStream(t, shared.newFINSStream, []streamCase{
		{name: "a node number, then a request", in: []chunk{{FromClient, join(node, finsTCP(finsRead))}}, want: []Message{&Telegram{App: "fins", Name: "node address"}, &finsWant}},
		{name: "no more connections", in: []chunk{{FromServer, join(finsMagic, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0x20, make([]byte, 8))}}, want: one(Telegram{App: "fins", Response: true, Name: "node address", Status: 0x20})},
		{name: "cut in its data", flush: finsTCP(finsRead)[:32], want: one(finsWant)},
		{name: "cut in its header", flush: finsTCP(finsRead)[:25]},
		{name: "another protocol", in: []chunk{{FromClient, []byte("FIND / HTTP/1.1\r\n")}}, err: ErrNotMine},
	})
	testStream(t, shared.newADSStream, []streamCase{
		{
			name: "read, refused; stop",
			in:   []chunk{{FromClient, adsReadRequest}, {FromServer, adsRefused}, {FromClient, adsStop}},
			want: []Message{
				&Telegram{App: "ads", Unit: 851, Function: 2, Name: "Read", Class: CommandRead},
				&Telegram{App: "ads", Response: true, Unit: 851, Function: 2, Name: "Read", Class: CommandRead, Status: 0x702},
				&Telegram{App: "ads", Unit: 851, Function: 5, Name: "WriteControl", Class: CommandControl},
			},
		},
		{
			name: "a handle is asked for by name, and something is written",
			in: []chunk{
				{FromClient, ads(4, 9, 851, 32905, 0, join(3, 0xf0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, "x"))},
				{FromClient, ads(4, 3, 851, 32905, 0, join(5, 0xf0, 0, 0, 1, 2, 3, 4, 1, 0, 0, 0, 1))},
				{FromClient, ads(4, 3, 851, 32905, 0, join(6, 0xf0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4))},
			},
			want: []Message{
				&Telegram{App: "ads", Unit: 851, Function: 9, Name: "ReadWrite", Class: CommandRead},
				&Telegram{App: "ads", Unit: 851, Function: 3, Name: "Write", Class: CommandWrite},
				&Telegram{App: "ads", Unit: 851, Function: 3, Name: "Write"},
			},
		},
		{name: "lengths that disagree", in: []chunk{{FromClient, join(adsStop[:26], 9, adsStop[27:])}}, err: ErrNotMine},
	})
	testStream(t, shared.newC37Stream, []streamCase{
		{
			name: "of data frames the first", in: []chunk{{FromClient, c37TurnOn}, {FromServer, join(c37Data, c37Data)}},
			want: []Message{
				&Telegram{App: "c37118", Unit: 60, Function: 4 | 2<<8, Name: "turn on transmission", Class: CommandControl},
				&Telegram{App: "c37118", Response: true, Unit: 60, Name: "data", Class: CommandRead},
			},
		},
	})
	testStream(t, shared.newKNXStream, []streamCase{
		{name: "search", in: []chunk{{FromClient, knxSearch}}, want: one(Telegram{App: "knxnet_ip", Function: 0x201, Name: "SearchRequest", Class: CommandRead})},
		{name: "a service that is none", in: []chunk{{FromClient, join(6, 0x10, 9, 9, 0, 14)}}, err: ErrNotMine},
	})
	testStream(t, shared.newHARTStream, []streamCase{
		{
			name: "session, command", in: []chunk{{FromClient, join(hartOpen, hartReset)}},
			want: []Message{
				&Telegram{App: "hart_ip", Name: "session initiate"},
				&Telegram{App: "hart_ip", Function: 3 | 42<<8, Name: "pass-through", Class: CommandControl},
			},
		},
		{name: "a length that is none", in: []chunk{{FromClient, join(1, 0, 0, 0, 0, 1, 0, 3)}}, err: ErrNotMine},
	})
	testStream(t, shared.newSLMPStream, []streamCase{
		{
			name: "read, failed", in: []chunk{{FromClient, slmpReadDevice}, {FromServer, slmpFailed}},
			want: []Message{
				&Telegram{App: "slmp", Unit: 0xff, Function: 0x401, Name: "Read Device", Class: CommandRead},
				&Telegram{App: "slmp", Response: true, Unit: 0xff, Name: "response", Status: 0xc059},
			},
		},
		{name: "text", in: []chunk{{FromClient, []byte("PUT / HTTP/1.1\r\n")}}, err: ErrNotMine},
	})
}

// TestSniffTelegrams: what begins alike must stay without a name.
func TestSniffTelegrams(t *testing.T) {
	testSniff(t, sniffFINS, []sniffCase{
		{"nothing", nil, Maybe},
		{"half a magic number", []byte("FI"), Maybe},
		{"text", []byte("FINISHED 200 OK\r\n"), No},
		{"huge", join(finsMagic, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), No},
	})
	testSniff(t, sniffADS, []sniffCase{
		{"request", adsReadRequest, Yes},
		{"half", adsReadRequest[:20], Maybe},
		{"Modbus of transaction 0", join(0, 0, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1), No},
		{"SMB", join(0, 0, 0, 0x54, 0xff, "SMB", make([]byte, 40)), No},
		{"a command that is none", ads(4, 10, 851, 1, 0, nil), No},
		{"zeros", make([]byte, 60), No},
	})
	testSniff(t, sniffC37, []sniffCase{
		{"command", c37TurnOn, Yes},
		{"half", c37TurnOn[:10], Maybe},
		{"damaged", join(c37TurnOn[:17], c37TurnOn[17]^1), No},
		{"too long to be checked", join(0xaa, 1, 9, 0), No},
		{"another type", join(0xaa, 0x61, 0, 18), No},
	})
	testSniff(t, sniffKNX, []sniffCase{
		{"search", knxSearch, Yes},
		{"half", knxSearch[:4], Maybe},
		{"version 2", join(6, 0x20, 2, 1, 0, 14), No},
	})
	testSniff(t, sniffHART, []sniffCase{
		{"session", hartOpen, Yes},
		{"half", hartOpen[:9], Maybe},
		{"timer of a year", join(hartOpen[:9], 0x7f, 0, 0, 0), No},
		{"Modbus of transaction 256", join(1, 0, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1, 0), No},
		{"another message first", hartReset, No},
	})
	testSniff(t, sniffSLMP, []sniffCase{
		{"read", slmpReadDevice, Yes},
		{"4E", slmpStop, Yes},
		{"half", slmpReadDevice[:8], Maybe},
		{"answer", slmpFailed, No},
		{"HTTP", []byte("POST / HTTP/1.1\r\n"), No},
		{"another module", join(0x50, 0, 0, 0xff, 0xff, 9, 0, 12, 0, 16, 0, 1, 4, 0, 0, 0, 0), No},
	})
	rtp := join(0x80, 0, 2, 0, 0, 0, 0, 0xa0, 1, 2, 1, 1, make([]byte, 160))
	for name, b := range map[string][]byte{
		"RTP of G.711": rtp, "FINS with a byte too many": join(finsRead, 0), "a refusal alone": finsRefused,
		"STUN": join(0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, make([]byte, 12)), "answer of SLMP": slmpFailed,
		"cyclic data with three items": join(3, cipIO[1:]), "a later message of HART": hartReset,
	} {
		for _, sniff := range []func([]byte) bool{sniffFINSDatagram, sniffSLMPDatagram, isKNX, sniffHARTDatagram, isC37, sniffCIPIO} {
			if sniff(b) {
				t.Errorf("%s is recognised", name)
			}
		}
	}
	for _, b := range [][]byte{finsRead, slmpReadDevice, slmpStop, knxWrite, hartOpen, c37Data, cipIO} {
		n := 0
		for _, sniff := range []func([]byte) bool{sniffFINSDatagram, sniffSLMPDatagram, isKNX, sniffHARTDatagram, isC37, sniffCIPIO} {
			if sniff(b) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("% x is recognised by %d", b, n)
		}
	}
}

func TestTelegramCommands(t *testing.T) {
	m := Telegram{App: "fins", Unit: 3, Function: 0x402, Name: "Stop", Class: CommandControl}
	if diff := cmp.Diff([]Command{{"fins", 3, 0x402, "Stop", CommandControl}}, m.AppendCommands(nil)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m.Habit(1) != 0 {
		t.Error("an order to stop is a habit")
	}
	if m.Response = true; m.AppendCommands(nil) != nil {
		t.Error("a response is a command")
	}
	poll, other := Telegram{App: "fins", Function: 0x101, Class: CommandRead}, Telegram{App: "slmp", Function: 0x101, Class: CommandRead}
	if poll.Habit(1) == 0 || poll.Habit(1) == other.Habit(1) {
		t.Error("polls of two protocols are the same habit")
	}
	if poll.Status = 1; poll.Habit(1) != 0 {
		t.Error("a refusal is a habit")
	}
}

func telegramSeeds(add func([]byte)) {
	for _, b := range [][]byte{
		finsRead, finsRefused, adsReadRequest, adsRefused, slmpReadDevice, slmpStop, slmpFailed, knxWrite, knxNoMore, knxRouted,
		hartOpen, hartReset, c37TurnOn, c37Data, cipIO,
		join(finsMagic, 0, 0, 0, 26, 0, 0, 0, 2, 0, 0, 0, 0, finsRead),
	} {
		add(b)
	}
}

func FuzzTelegrams(f *testing.F) {
	telegramSeeds(func(b []byte) { f.Add(b) })
	corpusPayloads(f, func(p transport) {
		if p.udp {
			f.Add(p.payload)
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		shared := new(memory)
		for _, c := range []struct {
			sniff func([]byte) bool
			flow  Datagrams
		}{
			{sniffFINSDatagram, shared.newFINSFlow()},
			{sniffSLMPDatagram, shared.newSLMPFlow()},
			{isKNX, shared.newKNXFlow()},
			{sniffHARTDatagram, shared.newHARTFlow()},
			{isC37, shared.newC37Flow()},
			{sniffCIPIO, newCIPIOFlow()},
		} {
			msgs, err := c.flow.Datagram(FromClient, b, nil)
			checkError(t, nil, err)
			if c.sniff(b) && err != nil || len(msgs) > 1 {
				t.Errorf("recognised: %v; %d messages, error %v", c.sniff(b), len(msgs), err)
			}
		}
	})
}

func FuzzTelegramStreams(f *testing.F) {
	telegramSeeds(func(b []byte) { f.Add(join(255, b)); f.Add(join(2, b, b)) })
	fuzzSeeds(f, 3671, 4712, 5094, 9600)
	f.Fuzz(func(t *testing.T, b []byte) {
		shared := new(memory)
		for _, newStream := range []func() Stream{
			shared.newFINSStream, shared.newADSStream, shared.newSLMPStream, shared.newKNXStream, shared.newHARTStream, shared.newC37Stream,
		} {
			fuzzStream(t, newStream, b)
		}
	})
}

func BenchmarkADS(b *testing.B) { benchStream(b, new(memory).newADSStream, adsReadRequest) }
