package device

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/capture"
	"gatehouse/flow"
	"gatehouse/internal/testkit"
	"gatehouse/wire"
)

// replay hands every flow event of the captures to observe. Damaged captures
// are read as far as they go.
func replay(tb testing.TB, observe func(*flow.Event), files ...string) {
	tb.Helper()
	src, err := capture.Open(files)
	if err != nil {
		var bad *capture.FormatError
		if errors.As(err, &bad) {
			return
		}
		tb.Fatal(err)
	}
	defer src.Close()
	shard := flow.NewShard(flow.DefaultConfig(), wire.Table())
	emit := func() {
		events := shard.Events()
		for i := range events {
			observe(&events[i])
		}
		shard.Reset()
	}
	var batch capture.Batch
	var now int64
	var seq uint64
	for {
		err := src.Read(&batch)
		for i := range batch.Packets {
			p := &batch.Packets[i]
			now = max(now, p.Time)
			seq++
			shard.Packet(p, now, seq)
			emit()
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				tb.Logf("%v", err)
			}
			break
		}
	}
	shard.Close(now)
	emit()
}

// inventoryOf replays captures into a new inventory.
func inventoryOf(tb testing.TB, files ...string) *Inventory {
	tb.Helper()
	v := New(DefaultConfig())
	replay(tb, func(ev *flow.Event) { v.Observe(ev) }, files...)
	return v
}

// summary is what the corpus tests expect of a device.
type summary struct {
	ID, Name, Vendor string
	Type             Type
	Gateway          bool
}

func summaries(devices []*Device) []summary {
	out := []summary{}
	for _, d := range devices {
		out = append(out, summary{d.ID, d.Name, d.Vendor, d.Type, d.Gateway})
	}
	slices.SortFunc(out, func(a, b summary) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// captures lists the files of the corpus that match a pattern.
func captures(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(testkit.Corpus(t, filepath.FromSlash(pattern)))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures match %s (%v)", pattern, err)
	}
	return files
}

// A week of four devices: nothing else may appear, neither through the VLAN
// tags of the return direction, nor through the hops behind the gateway that
// answer with ICMP, nor through its WAN.
func TestWeekOfFourDevices(t *testing.T) {
	v := inventoryOf(t, captures(t, "iot-week/*.pcap")...)
	want := []summary{
		{"mac:001c7f53d028", "Check Point 53:d0:28", "Check Point", Router, true},
		{"mac:246f28d9a764", "lockly-hub-01", "Espressif", Hub, false},
		{"mac:f4b85e3567b0", "F4B85E3567B0-mysimplelink", "Texas Instruments", Unknown, false},
		{"mac:f4b85eff2b1b", "F4B85EFF2B1B-mysimplelink", "Texas Instruments", Unknown, false},
		{"mac:f4cfa2eb59c4", "sifely-hub-01", "Espressif", Hub, false},
	}
	if diff := cmp.Diff(want, summaries(v.All())); diff != "" {
		t.Errorf("devices (-want +got):\n%s", diff)
	}
	if s := v.Stats(); s.Created != 5 || s.Conflicts != 0 {
		t.Errorf("stats %+v", s)
	}
	group := func(id string) string { return v.Get(id).Group }
	if g := group("mac:f4b85eff2b1b"); g == "" || g != group("mac:f4b85e3567b0") {
		t.Errorf("cameras of one model in groups %q and %q", g, group("mac:f4b85e3567b0"))
	}
	if g := group("mac:246f28d9a764"); g == "" || g == group("mac:f4cfa2eb59c4") {
		t.Errorf("hubs of two makers in groups %q and %q", g, group("mac:f4cfa2eb59c4"))
	}
	checkTables(t, v)
}

// The device that asks for an address is there, under its MAC, with a vendor,
// in every take of every model; a hop of its set-up makes no second one.
func TestSetUpOfTwentyModels(t *testing.T) {
	for _, folder := range captures(t, "iot-setup/*") {
		for _, file := range captures(t, "iot-setup/"+filepath.Base(folder)+"/*.pcap") {
			var asked []string
			v := New(DefaultConfig())
			replay(t, func(ev *flow.Event) {
				v.Observe(ev)
				for _, m := range ev.Messages {
					if d, ok := m.(*wire.DHCPv4); ok && !d.Reply {
						asked = append(asked, fmt.Sprintf("mac:%012x", MAC(d.ClientMAC).key()))
					}
				}
			}, file)
			name := filepath.Base(folder) + "/" + filepath.Base(file)
			for _, id := range asked {
				if d := v.Get(id); d == nil || d.Vendor == "" && !d.RandomMAC || d.Gateway || d.Router {
					t.Errorf("%s: %s asked for an address: %+v", name, id, d)
				}
			}
			for _, d := range v.Devices() {
				if d.MAC == (MAC{}) || v.Scope(d.Addresses[0].IP) != LAN {
					t.Errorf("%s: %s is no device of a home", name, d.ID)
				}
			}
			// Captures that saw frames from the WAN know the gateway.
			if n := len(v.Gateways()); n > 1 {
				t.Errorf("%s: %d gateways", name, n)
			}
			checkTables(t, v)
		}
	}
}

func TestSetUpNamesAndTypes(t *testing.T) {
	tests := []struct {
		file, id, name, vendor string
		typ                    Type
	}{
		{"Aria/Setup-A-1-STA.pcap", "mac:20f85eca9152", "GainSpanca9152", "Delta Electronics", Unknown},
		{"D-LinkCam/Setup-A-1-STA.pcap", "mac:b0c554255b0e", "DCS-935L", "D-Link", Camera},
		{"D-LinkSwitch/Setup-A-1-STA.pcap", "mac:908d78a93d6f", "DSP-W215", "D-Link", Plug},
		{"EdimaxCam1/Setup-A-1-STA.pcap", "mac:74da38807a08", "localcam", "Edimax", Camera},
		{"TP-LinkPlugHS100/Setup-A-1-STA.pcap", "mac:50c7bf00fca3", "HS100(EU)", "TP-Link", Plug},
		{"HueSwitch/Setup-A-1-STA.pcap", "mac:0017882476ff", "Philips Hue 24:76:ff", "Philips Hue", Hub},
		{"SmarterCoffee/Setup-A-1-STA.pcap", "mac:5ccf7f07aefb", "ESP_07AEFB", "Espressif", Unknown},
	}
	for _, tt := range tests {
		v := inventoryOf(t, testkit.Corpus(t, "iot-setup", filepath.FromSlash(tt.file)))
		d := v.Get(tt.id)
		if d == nil || d.Name != tt.name || d.Vendor != tt.vendor || d.Type != tt.typ {
			t.Errorf("%s: got %+v", tt.file, d)
		}
	}
}

// Takes of one model are one group; models that differ are not.
func TestSetUpGroups(t *testing.T) {
	group := func(file string) string {
		v := inventoryOf(t, testkit.Corpus(t, "iot-setup", filepath.FromSlash(file)))
		for _, d := range v.Devices() {
			if d.DHCP != nil {
				return d.Group
			}
		}
		t.Fatalf("%s: nobody asked for an address", file)
		return ""
	}
	siren, sensor := group("D-LinkSiren/Setup-C-9-STA.pcap"), group("D-LinkWaterSensor/Setup-C-9-STA.pcap")
	if siren == sensor || siren == "" {
		t.Errorf("siren %q, water sensor %q", siren, sensor)
	}
	if a, b := group("EdnetCam1/Setup-A-1-STA.pcap"), group("EdnetCam2/Setup-A-1-STA.pcap"); a != b || a == "" {
		t.Errorf("two cameras of one model: %q and %q", a, b)
	}
}

func TestAttacksInvolveTheRightDevices(t *testing.T) {
	tests := []struct {
		file string
		want []summary
	}{
		{"arppoison.pcapng", []summary{
			{"mac:002170c056f0", "Dell c0:56:f0", "Dell", Computer, false},
			{"mac:0025b3bf91ee", "HP bf:91:ee", "HP", Unknown, false}, // the poisoner stays visible
			{"mac:00260b310733", "Cisco 31:07:33", "Cisco", Router, true},
		}},
		{"bad-dns-traffic.pcap", []summary{
			{"mac:021a11f9fe2a", "02:1a:11:f9:fe:2a", "", Router, true},
			{"mac:e4b3184bf0c3", "Intel 4b:f0:c3", "Intel", Unknown, false},
		}},
		{"cryptowall4_c2.pcapng", []summary{
			{"mac:0006c1cb834a", "Cisco cb:83:4a", "Cisco", Router, true},
			{"mac:002219e24b86", "Dell e2:4b:86", "Dell", Computer, false},
		}},
		{"modbus_test_data_part1.pcap", []summary{
			{"mac:00207800620d", "Runtop 00:62:0d", "Runtop", Unknown, false},
			{"mac:0002b3ce7051", "Intel ce:70:51", "Intel", Unknown, false},
			{"mac:005004937067", "3Com 93:70:67", "3Com", Unknown, false},
		}},
		{"sshguess.pcap", []summary{
			{"mac:080027205403", "VirtualBox 20:54:03", "VirtualBox", Computer, false},
			{"mac:0a0027000000", "192.168.56.1", "", Unknown, false},
		}},
		{"synscan.pcapng", []summary{
			{"mac:0025b3bf91ee", "HP bf:91:ee", "HP", Unknown, false},
			{"mac:00260b310733", "Cisco 31:07:33", "Cisco", Router, true},
		}},
		{"test7-malicious.pcap", []summary{
			{"mac:685b35b15593", "Nimbus", "Apple", Unknown, false}, // shares its connection
			{"mac:a6d18c1fce64", "192.168.2.1", "", Router, true},
			{"mac:b827ebc7e9c9", "black-pearl", "Raspberry Pi", Computer, false},
		}},
		{"tls-expired-cert.trace", []summary{
			{"mac:002688e78d81", "Juniper e7:8d:81", "Juniper", Router, true},
			{"mac:a8206648ca51", "Apple 48:ca:51", "Apple", Unknown, false},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			v := inventoryOf(t, testkit.Corpus(t, "attacks", tt.file))
			slices.SortFunc(tt.want, func(a, b summary) int { return strings.Compare(a.ID, b.ID) })
			if diff := cmp.Diff(tt.want, summaries(v.All())); diff != "" {
				t.Errorf("devices (-want +got):\n%s", diff)
			}
			checkTables(t, v)
		})
	}
}

// Whatever a capture holds, the tables stay sound and a server on the WAN does
// not become a device of a home.
func TestEveryCapture(t *testing.T) {
	if testing.Short() {
		t.Skip("reads the whole corpus")
	}
	root := testkit.Corpus(t)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.Contains(filepath.Ext(path), "cap") {
			return err
		}
		v := New(Config{MaxDevices: 64})
		replay(t, func(ev *flow.Event) { v.Observe(ev) }, path)
		if v.Len() > 64 {
			t.Errorf("%s: %d devices", path, v.Len())
		}
		checkTables(t, v)
		if t.Failed() {
			return fmt.Errorf("stop at %s", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// An inventory that was stored and restored on the way ends up the same, down
// to its own snapshot.
func TestRestoreOnTheWay(t *testing.T) {
	files := []string{
		testkit.Corpus(t, "attacks", "test7-malicious.pcap"),
		testkit.Corpus(t, "attacks", "arppoison.pcapng"),
		testkit.Corpus(t, "attacks", "modbus_test_data_part1.pcap"),
		testkit.Corpus(t, "iot-setup", "D-LinkSiren", "Setup-A-1-STA.pcap"),
		testkit.Corpus(t, "iot-week", "blink-cam-01.pcap"),
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var events []flow.Event
			replay(t, func(ev *flow.Event) { events = append(events, *ev) }, file)
			whole, split := New(DefaultConfig()), New(DefaultConfig())
			for i := range events {
				whole.Observe(&events[i])
				if len(events) >= 4 && i%(len(events)/4) == 0 {
					split = restored(t, split)
				}
				split.Observe(&events[i])
			}
			sameInventory(t, whole, split)
		})
	}
}

// restored stores an inventory as bytes and reads it back.
func restored(t *testing.T, v *Inventory) *Inventory {
	t.Helper()
	snap, err := v.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(snap)
	if err != nil {
		t.Fatal(err)
	}
	var back Snapshot
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	r, err := Restore(v.cfg, &back)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sameInventory compares two inventories by their snapshots, which hold all
// that they know.
func sameInventory(t *testing.T, want, got *Inventory) {
	t.Helper()
	a, err := want.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	b, err := got.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(a.State), string(b.State)); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	for id := range a.Devices {
		if diff := cmp.Diff(string(a.Devices[id]), string(b.Devices[id])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	if len(a.Devices) != len(b.Devices) {
		t.Errorf("%d devices, want %d", len(b.Devices), len(a.Devices))
	}
	checkTables(t, got)
}
