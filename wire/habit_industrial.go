package wire

// What controllers are asked for, and what they answer, again and again. An
// order that changes how a device runs, a refusal and a message that was cut
// are never a mere repetition.

var (
	_ Habitual = (*S7)(nil)
	_ Habitual = (*MMS)(nil)
	_ Habitual = (*ENIP)(nil)
	_ Habitual = (*DNP3)(nil)
	_ Habitual = (*IEC104)(nil)
	_ Habitual = (*BACnet)(nil)
	_ Habitual = (*OPCUA)(nil)
	_ Habitual = (*GOOSE)(nil)
)

// Habit implements Habitual.
func (m *S7) Habit(seed uint64) uint64 {
	if m.Error != 0 || m.Truncated || m.Class() == CommandControl {
		return 0
	}
	h := habit(seed).withText(m.Called).
		withTwo(habitBit(m.Response)|uint64(m.Kind)<<8|uint64(m.Function)<<16|uint64(m.Group)<<24|uint64(m.Sub)<<32, uint64(len(m.Items)))
	for i := range m.Items {
		v := &m.Items[i]
		h = h.withTwo(uint64(v.Area)|uint64(v.Type)<<8|uint64(v.DB)<<16|uint64(v.Count)<<32, uint64(v.Address))
	}
	return h.value()
}

// Habit implements Habitual.
func (m *MMS) Habit(seed uint64) uint64 {
	if m.Error || m.Truncated || m.Class() == CommandControl {
		return 0
	}
	return habit(seed).withTwo(uint64(m.PDU), uint64(m.Service+1)).withText(m.Domain).withText(m.Item).value()
}

// Habit implements Habitual.
func (m *ENIP) Habit(seed uint64) uint64 {
	if m.Status != 0 || m.Truncated || m.Identity != nil {
		return 0
	}
	h := habit(seed).withTwo(habitBit(m.Response)|uint64(m.Command)<<8|uint64(m.Session)<<32, uint64(len(m.CIP)))
	for i := range m.CIP {
		r := &m.CIP[i]
		if r.Status != 0 || r.ServiceClass() == CommandControl {
			return 0
		}
		h = h.withTwo(uint64(r.Service)|habitBit(r.Response)<<8|habitBit(r.Symbol != "")<<9|uint64(r.PCCC)<<16|uint64(r.Class)<<32,
			uint64(r.Instance)|uint64(r.Attribute)<<32)
		if r.Symbol != "" {
			h = h.withText(r.Symbol)
		}
	}
	return h.value()
}

// Habit implements Habitual. The frame count bit of the link layer alternates.
func (m *DNP3) Habit(seed uint64) uint64 {
	const frameCount = 0x20
	if m.Truncated || m.Class() == CommandControl {
		return 0
	}
	h := habit(seed).withTwo(uint64(m.LinkControl&^frameCount)|uint64(m.Function)<<8|uint64(m.IIN)<<16|habitBit(m.Application)<<32,
		uint64(m.Source)|uint64(m.Destination)<<16|uint64(len(m.Objects))<<32)
	for i := range m.Objects {
		o := &m.Objects[i]
		h = h.withTwo(uint64(o.Group)|uint64(o.Variation)<<8|uint64(o.Qualifier)<<16|uint64(o.Count)<<32, uint64(o.Start)|uint64(o.Stop)<<32)
	}
	return h.value()
}

// Habit implements Habitual.
func (m *IEC104) Habit(seed uint64) uint64 {
	if m.Truncated || m.Negative || m.transfer() || m.Class() == CommandControl {
		return 0
	}
	return habit(seed).withTwo(uint64(m.Type)|uint64(m.Control)<<56|uint64(m.Cause)<<8|uint64(m.Station)<<16|uint64(m.Address)<<32,
		uint64(m.Count)|habitBit(m.Sequence)<<8).value()
}

// Habit implements Habitual.
func (m *BACnet) Habit(seed uint64) uint64 {
	if m.Truncated || m.PDU == 0 || m.PDU >= BACnetError || m.Class() == CommandControl {
		return 0
	}
	return habit(seed).withTwo(uint64(m.BVLC)|uint64(m.PDU)<<8|uint64(m.Service)<<16|uint64(m.Destination)<<32|uint64(m.Source)<<48,
		uint64(m.Object)|uint64(m.Property)<<32).value()
}

// Habit implements Habitual.
func (m *OPCUA) Habit(seed uint64) uint64 {
	if m.Truncated || m.Kind != "MSG" || m.Status != 0 || m.Class() == CommandControl {
		return 0
	}
	return habit(seed).withTwo(uint64(m.Channel), uint64(m.Service)|habitBit(m.Response)<<32).value()
}

// Habit implements Habitual: only a change of state is news.
func (m *GOOSE) Habit(seed uint64) uint64 {
	if m.Truncated || m.Sequence == 0 {
		return 0
	}
	return habit(seed).withTwo(uint64(m.AppID)|habitBit(m.Simulation)<<16|uint64(m.Config)<<32, uint64(m.State)).withText(m.Control).value()
}
