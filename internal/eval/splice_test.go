package eval

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/internal/testkit"
)

// station is one device as its frames show it.
type station struct {
	name string
	mac  device.MAC
	ip   netip.Addr
}

func stationOf(name, mac, ip string) station {
	s := station{name: name, ip: netip.MustParseAddr(ip)}
	if err := s.mac.UnmarshalText([]byte(mac)); err != nil {
		panic(err) // a typing error in a table below
	}
	return s
}

// The devices of iot-week. Frames from the gateway to a device carry gatewayTag,
// those the other way none: the capture was taken at a mirror port.
var (
	weekGateway = stationOf("gateway", "00:1c:7f:53:d0:28", "192.168.1.1")
	weekDevices = []station{
		stationOf("blink-cam-01", "f4:b8:5e:ff:2b:1b", "192.168.1.129"),
		stationOf("blink-cam-02", "f4:b8:5e:35:67:b0", "192.168.1.130"),
		stationOf("lockly-hub-01", "24:6f:28:d9:a7:64", "192.168.1.128"),
		stationOf("sifely-hub-01", "f4:cf:a2:eb:59:c4", "192.168.1.127"),
	}
)

const gatewayTag = 100

// week is the benign week of four devices in memory.
type week struct {
	frames []testkit.Frame
	first  map[device.MAC]int64 // time of each device's first frame
}

func loadWeek(tb testing.TB) *week {
	tb.Helper()
	w := &week{first: make(map[device.MAC]int64)}
	for _, file := range listing(tb, testkit.Corpus(tb, "iot-week")) {
		w.frames = append(w.frames, load(tb, file)...)
	}
	slices.SortStableFunc(w.frames, func(a, b testkit.Frame) int { return int(min(1, max(-1, a.Time-b.Time))) })
	for _, f := range w.frames {
		mac := device.MAC(f.Data[6:12])
		if _, seen := w.first[mac]; !seen {
			w.first[mac] = f.Time
		}
	}
	for _, d := range weekDevices {
		if w.first[d.mac] == 0 {
			tb.Fatalf("%s is not in the week", d.name)
		}
	}
	return w
}

// starting returns the week moved so that it begins at a time.
func (w *week) starting(at time.Time) *week {
	by := at.Sub(time.Unix(0, w.frames[0].Time))
	moved := &week{frames: shift(w.frames, by), first: make(map[device.MAC]int64)}
	for mac, t := range w.first {
		moved.first[mac] = t + int64(by)
	}
	return moved
}

// at is a time so many days after a device's first frame.
func (w *week) at(d station, days int, hour time.Duration) int64 {
	return w.first[d.mac] + int64(time.Duration(days)*24*time.Hour+hour)
}

// casting says which device of the week plays which host of an attack capture.
type casting struct {
	attacker netip.Addr             // the host whose part the device plays
	others   map[netip.Addr]station // parts of further hosts of the attack's own network
}

// splice rewrites an attack capture to be the doing of device d: the addresses
// of its hosts become those of the week's devices, everybody on the internet
// is behind the week's gateway, and the first frame that is kept is at time
// start. Frames that the attacker takes no part in are left out, and so are
// those exchanged with hosts of its network that have no part.
func (c casting) splice(attack []testkit.Frame, d station, start int64) []testkit.Frame {
	var out []testkit.Frame
	var offset int64
	for _, f := range attack {
		data, ok := c.rewrite(f.Data, d)
		if !ok {
			continue
		}
		if out == nil {
			offset = start - f.Time
		}
		grown := len(data) - len(f.Data)
		out = append(out, testkit.Frame{Time: f.Time + offset, Data: data, Length: max(f.Length, len(f.Data)) + grown})
	}
	return out
}

const (
	etherHeader = 14
	ipv4Source  = etherHeader + 12
	ipv4Dest    = etherHeader + 16
	ipv4Header  = 20 // without options
)

// rewrite returns a copy of a frame with the cast's addresses, false for one
// that is left out. Checksums are not corrected: nobody looks at them.
func (c casting) rewrite(frame []byte, d station) ([]byte, bool) {
	if len(frame) < etherHeader+ipv4Header || binary.BigEndian.Uint16(frame[12:]) != 0x0800 {
		return nil, false
	}
	from := netip.AddrFrom4([4]byte(frame[ipv4Source:]))
	to := netip.AddrFrom4([4]byte(frame[ipv4Dest:]))
	if from != c.attacker && to != c.attacker {
		return nil, false
	}
	sender, ok1 := c.part(from, d)
	receiver, ok2 := c.part(to, d)
	if !ok1 || !ok2 {
		return nil, false
	}
	out := slices.Clone(frame)
	copy(out[0:6], receiver.mac[:])
	copy(out[6:12], sender.mac[:])
	copy(out[ipv4Source:], sender.ip.AsSlice())
	copy(out[ipv4Dest:], receiver.ip.AsSlice())
	if sender.mac == weekGateway.mac {
		out = tagged(out)
	}
	return out, true
}

// part is who plays a host: the device, another of the week's, or, for all of
// the internet, the gateway's hardware address with the host's own IP.
func (c casting) part(host netip.Addr, d station) (station, bool) {
	if host == c.attacker {
		return d, true
	}
	if s, ok := c.others[host]; ok {
		return s, true
	}
	return station{mac: weekGateway.mac, ip: host}, !host.IsPrivate() && !host.IsMulticast() && host.IsGlobalUnicast()
}

// tagged puts the VLAN tag in that the week's gateway uses.
func tagged(frame []byte) []byte {
	out := slices.Clone(frame[:12])
	out = append(out, 0x81, 0x00, 0, gatewayTag)
	return append(out, frame[12:]...)
}

// after leaves out what happens in the first part of a capture.
func after(frames []testkit.Frame, d time.Duration) []testkit.Frame {
	i := slices.IndexFunc(frames, func(f testkit.Frame) bool { return f.Time >= frames[0].Time+int64(d) })
	return frames[i:]
}
