package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	startDT = join(0x68, 4, 7, 0, 0, 0)
	// A single command to station 10, object 5000: switch on.
	singleCommand = join(0x68, 14, 0, 0, 2, 0, 45, 1, 6, 0, 10, 0, 0x88, 0x13, 0, 1)
)

func TestIEC104Stream(t *testing.T) {
	client := func(b []byte) chunk { return chunk{FromClient, b} }
	testStream(t, newIEC104Stream, []streamCase{
		{
			name: "start, command, acknowledgement, refusal",
			in: []chunk{
				client(startDT),
				{FromServer, join(0x68, 4, 0x0b, 0, 0, 0)},
				client(singleCommand),
				{FromServer, join(0x68, 4, 1, 0, 2, 0)},
				{FromServer, join(0x68, 14, 0, 0, 2, 0, 45, 1, 0x47, 0, 10, 0, 0x88, 0x13, 0, 1)},
				client(join(0x68, 4, 0x43, 0, 0, 0)), // test of the connection
			},
			want: []Message{
				&IEC104{Control: 7}, &IEC104{Control: 0x0b},
				&IEC104{Type: 45, Cause: 6, Station: 10, Address: 5000, Count: 1},
				&IEC104{Type: 45, Cause: 7, Negative: true, Station: 10, Address: 5000, Count: 1},
				&IEC104{Control: 0x43},
			},
		},
		{
			name: "joined at an acknowledgement, of which the first is told",
			in:   []chunk{{FromServer, join(0x68, 4, 1, 0, 2, 0)}, client(join(0x68, 4, 1, 0, 2, 0))},
			want: []Message{&IEC104{Control: 1}},
		},
		{
			name: "three values in succession, as a test",
			in:   []chunk{{FromServer, join(0x68, 16, 0, 0, 0, 0, 1, 0x83, 0x94, 3, 10, 0, 1, 0, 0, 0, 1, 0)}},
			want: []Message{&IEC104{Type: 1, Cause: 20, Test: true, Origin: 3, Station: 10, Address: 1, Count: 3, Sequence: true}},
		},
		{
			name: "cut in the address", flush: singleCommand[:13],
			want: []Message{&IEC104{Type: 45, Cause: 6, Station: 10, Count: 1, Truncated: true}},
		},
		{name: "cut in the header of the unit", flush: singleCommand[:9]},
		{name: "another protocol", in: []chunk{client([]byte("GET / HTTP/1.1"))}, err: ErrNotMine},
		{name: "too short", in: []chunk{client(join(0x68, 3, 7, 0, 0))}, err: ErrNotMine},
	})
}

func TestSniffIEC104(t *testing.T) {
	testSniff(t, sniffIEC104, []sniffCase{
		{"nothing", nil, Maybe},
		{"start", startDT, Yes},
		{"start, cut", startDT[:4], Maybe},
		{"command", singleCommand, Yes},
		{"command, cut", singleCommand[:9], Maybe},
		{"acknowledgement, then a command", join(0x68, 4, 1, 0, 2, 0, singleCommand), Yes},
		{"acknowledgement alone", join(0x68, 4, 1, 0, 2, 0), Yes},
		{"acknowledgement of an odd number", join(0x68, 4, 1, 0, 3, 0), No},
		{"unassigned type", join(0x68, 14, 0, 0, 2, 0, 200, 1, 6, 0, 10, 0, 0, 0, 0, 1), No},
		{"no cause", join(0x68, 14, 0, 0, 2, 0, 45, 1, 0, 0, 10, 0, 0, 0, 0, 1), No},
		{"unassigned function", join(0x68, 4, 0x0f, 0, 0, 0), No},
		{"Modbus of transaction 0x6806", join(0x68, 6, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1), No},
		{"text", []byte("hello, world"), No},
	})
}

func TestIEC104Commands(t *testing.T) {
	in := IEC104{Type: 45, Cause: 6, Station: 10}
	want := []Command{{"iec104", 10, 45, "C_SC_NA_1", CommandControl}}
	if diff := cmp.Diff(want, in.AppendCommands(nil)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	in.Cause = 7 // the station confirms
	if got := in.AppendCommands(nil); got != nil {
		t.Errorf("a confirmation is %v", got)
	}
}

func FuzzIEC104(f *testing.F) {
	fuzzSeeds(f, 2404)
	f.Add(join(255, startDT, singleCommand))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, newIEC104Stream, b) })
}

func BenchmarkIEC104(b *testing.B) { benchStream(b, newIEC104Stream, singleCommand) }
