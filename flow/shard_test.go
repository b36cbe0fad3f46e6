package flow

import (
	"slices"
	"testing"

	"gatehouse/capture"
	"gatehouse/wire"
)

func newTestShard(tb testing.TB, change func(*Config)) *Shard {
	tb.Helper()
	cfg := DefaultConfig()
	cfg.MaxFlows = 4096
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		tb.Fatal(err)
	}
	return NewShard(cfg, wire.Table())
}

// at is a frame with its time in seconds.
type at struct {
	sec    float64
	packet *capture.Packet
}

// play feeds frames, then closes the shard, and returns the sorted events.
func play(s *Shard, frames ...at) []Event {
	var now int64
	for i, f := range frames {
		now = int64(f.sec * 1e9)
		s.Packet(f.packet, now, uint64(i+1))
	}
	s.Close(now)
	events := slices.Clone(s.Events())
	slices.SortFunc(events, func(a, b Event) int { return Compare(&a, &b) })
	return events
}

func TestDNSExchangeIsOneFlow(t *testing.T) {
	client, server := hostAt("192.168.1.20", 40000), hostAt("192.168.1.1", 53)
	query := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01"
	answer := "\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01" +
		"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x5d\xb8\xd8\x22"
	s := newTestShard(t, nil)
	events := play(s,
		at{1, udpFrame(t, client, server, query)},
		at{1.01, udpFrame(t, server, client, answer)})
	var kinds []EventKind
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	if want := []EventKind{Start, Update, Update, End}; !slices.Equal(kinds, want) {
		t.Fatalf("events %v, want %v", kinds, want)
	}
	r := events[3].Record
	if r.App != "dns" || r.Client.Addr != client.addr || r.Server.Port != 53 || r.Packets != [2]uint64{1, 1} {
		t.Errorf("record %+v", r)
	}
	if m, ok := events[2].Messages[0].(*wire.DNS); !ok || !m.Response || len(m.Answers) != 1 {
		t.Errorf("answer not parsed: %+v", events[2].Messages)
	}
}
