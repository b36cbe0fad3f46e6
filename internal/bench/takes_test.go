package bench

import (
	"cmp"
	"errors"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatehouse/capture"
	"gatehouse/internal/testkit"
	"gatehouse/sim"
)

// day is how long the benchmark capture is; takes are no longer.
const day = 24 * time.Hour

// take is a piece of traffic that is played again and again, each time by
// other devices.
type take struct {
	name     string
	frames   []testkit.Frame // in order of time, which counts from the first
	stations map[netip.Addr]int
	macs     map[mac]int // stations by the address that sent their frames
	count    int         // stations
	flows    int         // distinct pairs of endpoints
}

type mac [6]byte

// gateway is the station of the gateway.
const gateway = -1

// newTake puts frames in order and finds out who in them is at home.
func newTake(name string, frames []testkit.Frame) *take {
	slices.SortStableFunc(frames, func(a, b testkit.Frame) int { return cmp.Compare(a.Time, b.Time) })
	for i, start := len(frames)-1, frames[0].Time; i >= 0; i-- {
		frames[i].Time -= start
	}
	t := &take{name: name, frames: frames}
	outside := map[netip.Addr]bool{}
	routers := map[mac]bool{}
	flows := map[[2]netip.AddrPort]bool{}
	for range 2 { // first who routes, then who is who
		t.stations, t.macs, t.count = map[netip.Addr]int{}, map[mac]int{}, 0
		for i := range frames {
			f := parseFrame(frames[i].Data)
			if src, dst, ok := f.ends(); ok {
				t.meet(f, src, dst, outside, routers)
				flows[f.pair(src, dst)] = true
			}
		}
	}
	t.flows = len(flows)
	return t
}

// meet decides where the ends of a packet are. Private addresses are at home;
// of two public ones it is the one that speaks first.
func (t *take) meet(f frame, src, dst netip.Addr, outside map[netip.Addr]bool, routers map[mac]bool) {
	for i, a := range [2]netip.Addr{src, dst} {
		if _, known := t.stations[a]; known || outside[a] || !unicast(a) {
			continue
		}
		private := a.IsPrivate() || a.IsLinkLocalUnicast()
		_, peerAtHome := t.stations[dst]
		if !private && (i == 1 || peerAtHome || dst.IsPrivate()) {
			outside[a] = true
			continue
		}
		if i == 1 && f.dst().group() {
			continue // the broadcast address of a subnet
		}
		m := f.src()
		if i == 1 {
			m = f.dst()
		}
		switch n, ok := t.macs[m]; {
		case a.Is4() && routers[m] && (a.As4()[3] == 1 || a.As4()[3] == 254):
			t.stations[a] = gateway
		case a.IsLinkLocalUnicast() && routers[m]:
			t.stations[a] = gateway
		case a.Is6() && ok && !routers[m]:
			t.stations[a] = n // of a station that speaks both
		default:
			t.stations[a] = t.count
			if !ok {
				t.macs[m] = t.count
			}
			t.count++
		}
	}
	if outside[src] {
		routers[f.src()] = true
	}
}

func unicast(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// corpusTakes are the Ethernet captures of the corpus that last at most a day:
// what 20 models of devices send while they are set up, and half of what other
// projects test their protocol parsers with.
func corpusTakes(tb testing.TB) []*take {
	tb.Helper()
	var takes []*take
	for _, folder := range []string{"iot-setup", "protocols"} {
		err := filepath.WalkDir(testkit.Corpus(tb, folder), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			frames := readFrames(path)
			if len(frames) > 0 && frames[len(frames)-1].Time-frames[0].Time <= int64(day) {
				takes = append(takes, newTake(filepath.Base(path), frames))
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	if len(takes) == 0 {
		tb.Fatal("the corpus holds no capture that can be used")
	}
	return takes
}

// readFrames reads what can be read of a capture, and nothing if some of it is
// not Ethernet or lies before the day of the first frame.
func readFrames(path string) []testkit.Frame {
	src, err := capture.Open([]string{path})
	if err != nil {
		return nil // not a capture: expected values and the like
	}
	defer src.Close()
	var frames []testkit.Frame
	var b capture.Batch
	for err == nil {
		err = src.Read(&b)
		for i := range b.Packets {
			p := &b.Packets[i]
			if p.Link != capture.LinkEthernet || len(p.Data) < ethernetHeader {
				return nil
			}
			if len(frames) > 0 && (p.Time-frames[0].Time > int64(day) || frames[0].Time-p.Time > int64(time.Second)) {
				return nil
			}
			frames = append(frames, testkit.Frame{Time: p.Time, Data: slices.Clone(p.Data), Length: p.Length})
		}
	}
	return frames
}

// simTakes are hours of simulated homes, for who has no corpus. Bulk data is
// cut off behind its headers there.
func simTakes(tb testing.TB, homes int) []*take {
	tb.Helper()
	var takes []*take
	for seed := range homes {
		cfg := sim.DefaultConfig()
		cfg.Seed, cfg.Days, cfg.Attacks, cfg.LookAlikes = uint64(seed+1), 1, false, false
		home, err := sim.New(cfg)
		if err != nil {
			tb.Fatal(err)
		}
		hours := make([][]testkit.Frame, day/time.Hour)
		err = home.Frames(func(f sim.Frame) error {
			h := min(max(0, f.Time.Sub(cfg.Start)/time.Hour), day/time.Hour-1)
			hours[h] = append(hours[h], testkit.Frame{Time: f.Time.UnixNano(), Data: slices.Clone(f.Data), Length: f.Length})
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
		for _, frames := range hours {
			if len(frames) > 0 {
				takes = append(takes, newTake("simulated hour", frames))
			}
		}
	}
	if len(takes) == 0 {
		tb.Fatal(errors.New("the simulated homes are silent"))
	}
	return takes
}
