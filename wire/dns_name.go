package wire

// name reads the name at b[off], which ends before b[end]. Most names of a
// message are a pointer to one that has just been read.
func (p *dnsParser) name(end, off int) (name string, next int, err error) {
	at := off
	if off+2 <= end && p.b[off] >= 0xc0 {
		at = int(p.b[off]&0x3f)<<8 | int(p.b[off+1])
		for i := range p.seen[:min(p.seenCount, len(p.seen))] {
			if s := &p.seen[i]; s.at == at {
				return s.name, off + 2, nil
			}
		}
	}
	text, next, err := appendDNSName(p.text[:0], p.b[:end], off)
	if err != nil {
		return "", 0, err
	}
	name = p.names.text(text)
	p.seen[p.seenCount%len(p.seen)] = dnsSeen{at, name}
	p.seenCount++
	return name, next, nil
}

// plainLabel reports whether a label reads as it is written, as nearly all do.
func plainLabel(label []byte) bool {
	var odd bool
	for _, c := range label {
		odd = odd || dnsEscaped[c]
	}
	return !odd
}

// dnsEscaped tells the bytes that need an escape in a label.
var dnsEscaped = func() (t [256]bool) {
	for c := range t {
		t[c] = c < ' ' || c > '~' || c == '.' || c == '\\'
	}
	return t
}()

// appendDNSName appends the presentation form of the name at b[off] to dst
// and returns the offset after the name. Compression pointers must point to
// an earlier place than the part of the name that they continue.
func appendDNSName(dst, b []byte, off int) (name []byte, next int, err error) {
	next = -1
	length, pointers := 1, 0 // the root label counts
	start := off
	for off < len(b) {
		c := int(b[off])
		switch {
		case c == 0:
			if next < 0 {
				next = off + 1
			}
			return dst, next, nil
		case c <= 63:
			end := off + 1 + c
			if end > len(b) {
				return nil, 0, errDNSNameCut
			}
			if length += 1 + c; length > maxDNSName {
				return nil, 0, errDNSName
			}
			if len(dst) > 0 {
				dst = append(dst, '.')
			}
			dst = appendDNSLabel(dst, b[off+1:end])
			off = end
		case c >= 0xc0:
			if off+2 > len(b) {
				return nil, 0, errDNSNameCut
			}
			if next < 0 {
				next = off + 2
			}
			to := (c&0x3f)<<8 | int(b[off+1])
			if pointers++; to >= start || pointers > maxDNSPointers {
				return nil, 0, errDNSPointer
			}
			start, off = to, to
		default: // 0x40 and 0x80 were never put to use, RFC 6891 section 5
			return nil, 0, errDNSName
		}
	}
	return nil, 0, errDNSNameCut
}

func appendDNSLabel(dst, label []byte) []byte {
	if plainLabel(label) {
		return append(dst, label...)
	}
	for _, c := range label {
		if c < ' ' || c > '~' || c == '.' || c == '\\' {
			dst = append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
