package device

import "time"

// Minute is what one device did in one minute of packet time: the unit of all
// time series. Counts are of flow events as they came; a flow that is still
// running is counted as far as it was reported.
type Minute struct {
	Time     time.Time // its first second, UTC
	Device   string    // Device.ID
	Name     string    // Device.Name, as it was then
	Group    string    // Device.Group, as it was then; "" if none
	BytesIn  uint64    // of IP datagrams to the device, headers included
	BytesOut uint64    // of IP datagrams from the device
	Packets  uint64    // both ways
	Flows    uint64    // that began
	Peers    uint32    // different addresses that it dealt with
	Names    uint32    // different names that it looked up
	NXDomain uint32    // different names among them that do not exist
}
