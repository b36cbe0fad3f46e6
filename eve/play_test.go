package eve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"gatehouse/capture"
	"gatehouse/flow"
	"gatehouse/wire"
)

// eventsOf reads a capture through the real rooms, as the daemon does, and
// returns its flow events in order. What ends the input early is returned with
// the events before it.
func eventsOf(tb testing.TB, path string) ([]flow.Event, error) {
	tb.Helper()
	return shardedEventsOf(tb, path, 1)
}

// shardedEventsOf does so with several flow tables.
func shardedEventsOf(tb testing.TB, path string, shards int) ([]flow.Event, error) {
	tb.Helper()
	src, err := capture.Open([]string{path})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	all := make([]*flow.Shard, shards)
	for i := range all {
		all[i] = flow.NewShard(flow.DefaultConfig(), wire.Table())
	}
	var batch capture.Batch
	var events []flow.Event
	var now int64
	seq := uint64(0)
	for {
		err = src.Read(&batch)
		for i := range batch.Packets {
			p := &batch.Packets[i]
			seq++
			now = max(now, p.Time)
			all[flow.ShardOf(p, shards)].Packet(p, now, seq)
		}
		for _, shard := range all {
			shard.Advance(now)
			if err != nil {
				shard.Close(now)
			}
			events = append(events, shard.Events()...)
			shard.Reset()
		}
		if err != nil {
			break
		}
	}
	slices.SortFunc(events, func(a, b flow.Event) int { return flow.Compare(&a, &b) })
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return events, err
}

// logOf writes events and returns the lines.
func logOf(tb testing.TB, events []flow.Event) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for i := range events {
		if err := w.Write(&events[i]); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// line is what a reader of the log sees of it: the parts that tests look at,
// declared apart from the Writer's own types.
type line struct {
	Timestamp   string `json:"timestamp"`
	FlowID      uint64 `json:"flow_id"`
	EventType   string `json:"event_type"`
	SrcIP       string `json:"src_ip"`
	SrcPort     int    `json:"src_port"`
	DestIP      string `json:"dest_ip"`
	DestPort    int    `json:"dest_port"`
	Proto       string `json:"proto"`
	CommunityID string `json:"community_id"`
	DNS         *struct {
		Type    string  `json:"type"`
		RRName  *string `json:"rrname"`
		Queries []struct {
			RRName string `json:"rrname"`
		} `json:"queries"`
	} `json:"dns"`
	TLS *struct {
		SNI         string `json:"sni"`
		Version     string `json:"version"`
		JA4         string `json:"ja4"`
		Fingerprint string `json:"fingerprint"`
		Client      struct {
			Fingerprint string `json:"fingerprint"`
		} `json:"client"`
	} `json:"tls"`
	QUIC *struct {
		SNI string `json:"sni"`
	} `json:"quic"`
	HTTP *struct {
		Hostname string `json:"hostname"`
		Port     int    `json:"http_port"`
		Method   string `json:"http_method"`
		Status   int    `json:"status"`
	} `json:"http"`
	text []byte
}

// values returns what the log has under a path such as "modbus.unit_id", as
// text; "*" is any member, and lists are looked through.
func (l *line) values(path string) []string {
	var root any
	dec := json.NewDecoder(bytes.NewReader(l.text))
	dec.UseNumber()
	if dec.Decode(&root) != nil {
		return nil
	}
	at := []any{root}
	for step := range strings.SplitSeq(path, ".") {
		var next []any
		for _, v := range at {
			m, _ := v.(map[string]any)
			for name, member := range m {
				if name != step && step != "*" {
					continue
				}
				if list, ok := member.([]any); ok {
					next = append(next, list...)
				} else {
					next = append(next, member)
				}
			}
		}
		at = next
	}
	var out []string
	for _, v := range at {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// linesOf reads a log back.
func linesOf(tb testing.TB, log []byte) []line {
	tb.Helper()
	var out []line
	for text := range bytes.Lines(log) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			tb.Fatalf("line %d: %v: %s", len(out)+1, err, text)
		}
		l.text = bytes.Clone(text)
		out = append(out, l)
	}
	return out
}
