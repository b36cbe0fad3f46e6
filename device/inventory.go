package device

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gatehouse/flow"
	"gatehouse/wire"
)

// Config sets the bounds of an Inventory and says what is ours.
type Config struct {
	// MaxDevices bounds the devices kept, gateways included; at least 1.
	MaxDevices int
	// Local lists the prefixes that are ours. If it is empty, private, unique
	// local, shared and link-local addresses are (see Inventory.Scope). Hosts
	// behind the gateway become devices only if they are listed here.
	Local []netip.Prefix
	// Removed, if set, is told of every device that is forgotten: evicted, or
	// retracted because it turned out not to be ours. It must not keep d.
	Removed func(d *Device)
}

// DefaultConfig holds 4,096 devices: ten times a large home or a factory cell,
// and about 10 MB at worst.
func DefaultConfig() Config { return Config{MaxDevices: 4096} }

// Validate reports the first setting that makes no sense.
func (c Config) Validate() error {
	if c.MaxDevices < 1 {
		return fmt.Errorf("max devices %d: want at least 1", c.MaxDevices)
	}
	for _, p := range c.Local {
		if !p.IsValid() {
			return fmt.Errorf("local prefix %v is not valid", p)
		}
	}
	return nil
}

// Stats counts what happened to the table.
type Stats struct {
	Created   uint64 `json:"created"`
	Evicted   uint64 `json:"evicted"`   // for want of room
	Refused   uint64 `json:"refused"`   // newcomers to a table full of established devices
	Retracted uint64 `json:"retracted"` // turned out not to be ours
	Conflicts uint64 `json:"conflicts"` // uses of another live device's address
}

// Ends are the devices at the two ends of a flow. Nil means that this end is
// not a device of ours: a WAN peer, a group address, an address that nobody
// has been seen to hold, or traffic that the gateway or a router forwards.
type Ends struct {
	Client, Server *Device
}

// Inventory is the set of known devices. It is not safe for concurrent use.
type Inventory struct {
	cfg        Config
	devices    map[string]*Device
	byMAC      map[uint64]*Device
	bindings   map[[16]byte]*binding
	young, old list // all devices but gateways, by whether they are established
	public     int  // bindings of foreign addresses
	guesses    int  // provisional devices

	prefixes []netip.Prefix // learned from DHCP, oldest first
	routers  []netip.Addr   // learned from DHCP, oldest first
	gateways map[uint16]*Device
	sources  map[uint64]source // MACs seen sending from foreign addresses
	anchor   anchor
	stats    Stats
	ouis     *ouiTable // nil until the first look-up
}

// New returns an empty Inventory. The Config must be valid.
func New(cfg Config) *Inventory {
	return &Inventory{
		cfg:      cfg,
		devices:  make(map[string]*Device),
		byMAC:    make(map[uint64]*Device),
		bindings: make(map[[16]byte]*binding),
		gateways: make(map[uint16]*Device),
		sources:  make(map[uint64]source),
	}
}

// side is one end of a flow while it is being told who it is.
type side struct {
	ip   netip.Addr
	mac  uint64 // 0 if the link has none or it cannot be trusted
	sent bool   // packets from this end have been seen
}

// Observe learns from one event and says which devices it is about. Events
// must come in packet-time order. For a known device it allocates nothing.
func (v *Inventory) Observe(ev *flow.Event) Ends {
	ns := ev.Time
	if ev.Kind == flow.End {
		ns = ev.Record.Last // Time is when it timed out
	}
	now := time.Unix(0, ns).UTC()
	if ev.Kind == flow.Frame {
		return v.observeFrame(ev, now, ns)
	}

	ends := v.ends(&ev.Record, now, ns)
	if len(ev.Messages) > 0 && v.learn(ev, ends, now, ns) {
		ends = v.ends(&ev.Record, now, ns)
	}
	// In a full table telling one end may have cost the other its place.
	if ends.Client != nil && ends.Client.gone {
		ends.Client = nil
	}
	if ends.Server != nil && ends.Server.gone {
		ends.Server = nil
	}
	if ev.Kind == flow.End {
		count(ends.Client, ends.Server, &ev.Record)
	}
	return ends
}

// count adds a finished flow to the totals of its devices.
func count(client, server *Device, r *flow.Record) {
	if client != nil {
		client.Out.add(r.Packets[wire.FromClient], r.Bytes[wire.FromClient])
		client.In.add(r.Packets[wire.FromServer], r.Bytes[wire.FromServer])
	}
	if server != nil {
		server.Out.add(r.Packets[wire.FromServer], r.Bytes[wire.FromServer])
		server.In.add(r.Packets[wire.FromClient], r.Bytes[wire.FromClient])
	}
}

func (t *Traffic) add(packets, bytes uint64) {
	t.Packets += packets
	t.Bytes += bytes
}

// Devices returns our devices without the gateways, first seen first.
func (v *Inventory) Devices() []*Device {
	return v.list(func(d *Device) bool { return !d.Gateway })
}

// Gateways returns the gateways, first seen first.
func (v *Inventory) Gateways() []*Device {
	return v.list(func(d *Device) bool { return d.Gateway })
}

// All returns devices and gateways, first seen first.
func (v *Inventory) All() []*Device {
	return v.list(func(*Device) bool { return true })
}

func (v *Inventory) list(want func(*Device) bool) []*Device {
	out := make([]*Device, 0, len(v.devices))
	for _, d := range v.devices {
		if want(d) {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b *Device) int {
		return cmp.Or(a.FirstSeen.Compare(b.FirstSeen), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Len is the number of devices held, gateways included.
func (v *Inventory) Len() int { return len(v.devices) }

// Get returns the device with that ID, nil if there is none.
func (v *Inventory) Get(id string) *Device { return v.devices[id] }

// ByAddress returns the device that holds an address, nil if nobody does.
func (v *Inventory) ByAddress(a netip.Addr) *Device {
	if !a.IsValid() {
		return nil
	}
	return v.lookup(a.Unmap(), 0)
}

// Find returns the devices that ref may mean: an ID, a MAC address in any usual
// form, an IP address, or a name in any case. An ID, a MAC address and mostly
// an IP address mean one device at most; a name may be several devices'.
func (v *Inventory) Find(ref string) []*Device {
	if d := v.devices[ref]; d != nil {
		return []*Device{d}
	}
	var mac MAC
	if mac.UnmarshalText([]byte(ref)) == nil {
		if d := v.byMAC[mac.key()]; d != nil {
			return []*Device{d}
		}
	}
	if a, err := netip.ParseAddr(ref); err == nil {
		a = a.Unmap()
		return v.list(func(d *Device) bool { return d.address(a) != nil })
	}
	return v.list(func(d *Device) bool { return strings.EqualFold(d.Name, ref) })
}

// Stats returns the counters so far.
func (v *Inventory) Stats() Stats { return v.stats }

// Forget removes a device and reports whether there was one. Seen again, it is
// a new device.
func (v *Inventory) Forget(id string) bool {
	d := v.devices[id]
	if d == nil {
		return false
	}
	v.remove(d)
	return true
}

// SetName gives a device the owner's name, which beats all other evidence; an
// empty name takes it away again. It reports whether there is such a device.
func (v *Inventory) SetName(id, name string) bool {
	d := v.devices[id]
	if d == nil {
		return false
	}
	v.nameFrom(d, ByOwner, name)
	return true
}
