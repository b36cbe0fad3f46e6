package flow

import (
	"encoding/json"
	"net/netip"
	"os"
	"testing"

	"gatehouse/internal/testkit"
)

// TestCommunityIDReference compares with the values that Corelight publishes.
func TestCommunityIDReference(t *testing.T) {
	raw, err := os.ReadFile(testkit.Corpus(t, "community-id", "baseline_deflt.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Proto       uint8
		Saddr       netip.Addr
		Daddr       netip.Addr
		Sport       uint16
		Dport       uint16
		Communityid string
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) < 20 {
		t.Fatalf("only %d rows", len(rows))
	}
	for _, row := range rows {
		r := Record{
			Proto:  row.Proto,
			Client: Endpoint{Addr: row.Saddr, Port: row.Sport},
			Server: Endpoint{Addr: row.Daddr, Port: row.Dport},
		}
		if row.Proto == protoICMP || row.Proto == protoICMPv6 {
			r.ICMPType, r.ICMPCode = uint8(row.Sport), uint8(row.Dport)
			r.Client.Port, r.Server.Port = 0, 0
		}
		if got := CommunityID(&r); got != row.Communityid {
			t.Errorf("%+v: got %s", row, got)
		}
	}
}

// The specification's own example, so that one value is checked without the
// corpus.
func TestCommunityIDExample(t *testing.T) {
	r := Record{
		Proto:  protoTCP,
		Client: Endpoint{Addr: netip.MustParseAddr("128.232.110.120"), Port: 34855},
		Server: Endpoint{Addr: netip.MustParseAddr("66.35.250.204"), Port: 80},
	}
	const want = "1:LQU9qZlK+B5F3KDmev6m5PMibrg="
	if got := CommunityID(&r); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	r.Client, r.Server = r.Server, r.Client
	if got := CommunityID(&r); got != want {
		t.Errorf("reversed: got %s, want %s", got, want)
	}
}
