package wire

// application reads an application message.
func (m *DNP3) application(data []byte) {
	c := cursor{b: data}
	m.Application, m.AppControl, m.Function = true, c.u8(), c.u8()
	if m.Function >= dnp3Response {
		m.IIN = c.u16()
	}
	if c.short {
		m.Truncated = true
		return
	}
	for len(c.b) > 0 && len(m.Objects) < maxDNP3Objects {
		if !m.object(&c) {
			return
		}
	}
	m.Complete = len(c.b) == 0 && !m.Truncated
}

// object reads an object header and passes over its data (clause 4.2.2.7).
func (m *DNP3) object(c *cursor) bool {
	o := DNP3Object{Group: c.u8(), Variation: c.u8(), Qualifier: c.u8()}
	switch o.Qualifier & 15 {
	case 0, 3:
		o.Start, o.Stop = uint32(c.u8()), uint32(c.u8())
	case 1, 4:
		o.Start, o.Stop = uint32(c.le16()), uint32(c.le16())
	case 2, 5:
		o.Start, o.Stop = c.le32(), c.le32()
	case 6: // all
	case 7, 11:
		o.Count = uint32(c.u8())
	case 8:
		o.Count = uint32(c.le16())
	case 9:
		o.Count = c.le32()
	default: // no range that is known: how it goes on cannot be told
		if !c.short {
			m.Objects = append(m.Objects, o)
		}
		return false
	}
	if c.short {
		return false
	}
	if o.Qualifier&15 <= 5 && o.Stop >= o.Start {
		o.Count = o.Stop - o.Start + 1
	}
	m.Objects = append(m.Objects, o)
	return m.skipData(c, &o)
}

// skipData passes over what follows an object header: for each point, a prefix
// and its value. It reports false where their size is unknown.
func (m *DNP3) skipData(c *cursor, o *DNP3Object) bool {
	prefix := o.Qualifier >> 4 & 7
	switch {
	case o.Count == 0:
		return true
	case o.Count > 8*maxDNP3Fragment || prefix == 7:
		return false
	case prefix >= 4:
		return skipSized(c, int(o.Count), prefix)
	}
	n := int(o.Count) * [...]int{0, 1, 2, 4}[prefix]
	if m.carriesData(o) {
		bits := dnp3PointBits(o.Group, o.Variation)
		if bits < 0 {
			return false
		}
		if bits < 8 {
			n += (int(o.Count)*bits + 7) / 8
		} else {
			n += int(o.Count) * bits / 8
		}
	}
	c.skip(n)
	return !c.short
}

// skipSized passes over objects each behind its size: files, names of
// applications, authentication.
func skipSized(c *cursor, count int, prefix uint8) bool {
	for range count {
		size := 0
		switch prefix {
		case 4:
			size = int(c.u8())
		case 5:
			size = int(c.le16())
		case 6:
			size = int(c.le32())
		}
		c.skip(size)
		if c.short {
			return false
		}
	}
	return true
}

// carriesData tells headers that are followed by points: those of responses
// and of requests that set something. A read names points by their prefix alone.
func (m *DNP3) carriesData(o *DNP3Object) bool {
	switch m.Function {
	case 2, 3, 4, 5, 6, dnp3Response, dnp3Unsolicited:
		return o.Group != 60
	}
	return o.Group == 50 || o.Group == 51
}

// dnp3PointBits is the size of a point of an object in bits, -1 if it is not
// known here (annex A).
func dnp3PointBits(group, variation uint8) int {
	key := uint16(group)<<8 | uint16(variation)
	switch key {
	case 0x0101, 0x0a01, 0x5001: // binary inputs and outputs, indications, packed
		return 1
	case 0x0301:
		return 2
	case 0x0102, 0x0201, 0x0302, 0x0401, 0x0a02, 0x0b01, 0x0d01:
		return 8
	case 0x0203, 0x0403:
		return 8 + 16
	case 0x0202, 0x0402, 0x0b02, 0x0d02:
		return 8 + 48
	case 0x0c01, 0x0c02: // control relay output block, pattern control block
		return 11 * 8
	case 0x1405, 0x1407, 0x1509, 0x150b, 0x1e03, 0x1f05, 0x2202, 0x2203: // without flags
		return 32
	case 0x1406, 0x1408, 0x150a, 0x150c, 0x1e04, 0x1f06, 0x2201:
		return 16
	case 0x1401, 0x1403, 0x1501, 0x1503, 0x1601, 0x1603, 0x1701, 0x1703, 0x1e01, 0x1e05, 0x1f01, 0x1f07, // with flags
		0x2001, 0x2005, 0x2101, 0x2105, 0x2801, 0x2803, 0x2901, 0x2903, 0x2a01, 0x2a05, 0x2b01, 0x2b05:
		return 8 + 32
	case 0x1402, 0x1404, 0x1502, 0x1504, 0x1602, 0x1604, 0x1702, 0x1704, 0x1e02, 0x1f02,
		0x2002, 0x2102, 0x2802, 0x2902, 0x2a02, 0x2b02:
		return 8 + 16
	case 0x1e06, 0x1f08, 0x2006, 0x2106, 0x2804, 0x2904, 0x2a06, 0x2b06:
		return 8 + 64
	case 0x1505, 0x1507, 0x1605, 0x1607, 0x1705, 0x1707, 0x1f03, // with flags and time
		0x2003, 0x2007, 0x2103, 0x2107, 0x2a03, 0x2a07, 0x2b03, 0x2b07:
		return 8 + 32 + 48
	case 0x1506, 0x1508, 0x1606, 0x1608, 0x1706, 0x1708, 0x1f04, 0x2004, 0x2104, 0x2a04, 0x2b04:
		return 8 + 16 + 48
	case 0x2008, 0x2108, 0x2a08, 0x2b08:
		return 8 + 64 + 48
	case 0x3201, 0x3301, 0x3302, 0x3203:
		return 48
	case 0x3202:
		return 48 + 32
	case 0x3204:
		return 48 + 32 + 8
	case 0x3401, 0x3402:
		return 16
	}
	return -1
}
