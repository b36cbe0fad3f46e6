package pipeline

import (
	"time"

	"gatehouse/capture"
	"gatehouse/flow"
)

// forgetHalf is how long, in packet time, until what was missed of a device
// counts half: an alert of the evening is not doubted for a flood in the
// morning.
const forgetHalf = int64(time.Hour)

// visibility tells how much of each device's traffic was seen. A loss is put
// down to those whom it can concern: frames that were dropped at an interface
// to the devices behind it, contents that were not read to the ends of their
// flow, and what no decoder could read to everyone.
type visibility struct {
	sensor  float64            // share of frames that decoders could read, or of all frames without interfaces
	iface   map[uint16]float64 // by Record.Iface; nil for files
	devices map[string]*sight
}

// sight is what was seen of a device.
type sight struct {
	iface        uint16
	read, missed float64 // messages, and packets that may have held some; halved each forgetHalf
	since        int64
}

func newVisibility() visibility {
	return visibility{sensor: 1, devices: make(map[string]*sight)}
}

// update takes in what was lost until now.
func (v *visibility) update(p *Progress) {
	if p.Live == nil {
		losses := lossesOf(&p.Flow, nil)
		v.sensor = losses.Visibility()
		return
	}
	v.sensor = 1
	if p.Flow.Packets > 0 {
		v.sensor = 1 - float64(p.Flow.Malformed())/float64(p.Flow.Packets)
	}
	v.iface = make(map[uint16]float64, len(p.Interfaces))
	for i := range p.Interfaces {
		v.iface[uint16(i)] = shareOf(p.Interfaces[i].Name, p.Live)
	}
}

// shareOf is the share of the frames of an interface that were delivered.
func shareOf(name string, live []capture.LiveStats) float64 {
	for i := range live {
		if s := &live[i]; s.Interface == name {
			return share(float64(s.Delivered), float64(s.Lost()+s.Refused))
		}
	}
	return 1
}

// note takes in an event of a device. Files lose nothing at an interface.
func (v *visibility) note(device string, ev *flow.Event) {
	if v.iface == nil {
		return
	}
	s := v.devices[device]
	if s == nil {
		s = &sight{since: ev.Time}
		v.devices[device] = s
	}
	for ; ev.Time-s.since >= forgetHalf && s.read+s.missed > 0.5; s.since += forgetHalf {
		s.read, s.missed = s.read/2, s.missed/2
	}
	if s.read+s.missed <= 0.5 {
		s.read, s.missed, s.since = 0, 0, ev.Time
	}
	s.iface = ev.Record.Iface
	s.read += float64(len(ev.Messages))
	s.missed += float64(ev.Missed)
}

func (v *visibility) forget(device string) { delete(v.devices, device) }

// of is the share of a device's traffic that was seen, 0 to 1.
func (v *visibility) of(device string) float64 {
	if v.iface == nil {
		return v.sensor
	}
	s := v.devices[device]
	if s == nil {
		return v.sensor
	}
	frames, ok := v.iface[s.iface]
	if !ok {
		frames = 1
	}
	return v.sensor * frames * share(s.read, s.missed)
}
