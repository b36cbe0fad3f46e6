package wire

// berReader reads values one after the other, as the messages of SNMP, LDAP
// and Kerberos have them: in the Basic Encoding Rules (ITU-T X.690), with
// definite lengths in as many bytes as the sender likes, and tags below 31.
// short is set by anything else.
type berReader struct{ cursor }

// Tags of the universal class.
const (
	berInteger    = 0x02
	berOctets     = 0x04
	berOID        = 0x06
	berEnumerated = 0x0a
	berSequence   = 0x30
	berSet        = 0x31
)

// berHeader reads tag and length: size is that of the header and the value
// together, 0 if the header is not all there; ok is false if it cannot be one.
func berHeader(b []byte) (header, size int, ok bool) {
	if len(b) < 2 {
		return 0, 0, len(b) == 0 || b[0]&31 != 31
	}
	if b[0]&31 == 31 {
		return 0, 0, false
	}
	n := int(b[1])
	if n < 0x80 {
		return 2, 2 + n, true
	}
	n &= 0x7f
	if n == 0 || n > 4 {
		return 0, 0, false
	}
	if len(b) < 2+n {
		return 0, 0, true
	}
	length := 0
	for _, c := range b[2 : 2+n] {
		length = length<<8 | int(c)
	}
	if length < 0 || length > 1<<30 { // the first happens where int has 32 bits
		return 0, 0, false
	}
	return 2 + n, 2 + n + length, true
}

// next returns the tag and the value that follow; of a value that is cut the
// part that is there, with short set.
func (r *berReader) next() (tag byte, value []byte) {
	header, size, ok := berHeader(r.b)
	if !ok || header == 0 {
		r.b, r.short = nil, true
		return 0, nil
	}
	tag = r.b[0]
	return tag, r.upTo(size)[header:]
}

// want returns the next value if it has this tag, else nil with short set.
func (r *berReader) want(tag byte) []byte {
	if len(r.b) == 0 || r.b[0] != tag {
		r.b, r.short = nil, true
		return nil
	}
	_, v := r.next()
	return v
}

// maybe returns the next value if it has this tag, else nil.
func (r *berReader) maybe(tag byte) []byte {
	if len(r.b) == 0 || r.b[0] != tag {
		return nil
	}
	_, v := r.next()
	return v
}

// inner reads the values within v.
func inner(v []byte) *berReader { return &berReader{cursor{b: v}} }

// berInt reads an integer of at most four bytes; -1 if it is none.
func berInt(v []byte) int {
	if len(v) == 0 || len(v) > 4 {
		return -1
	}
	n := int32(int8(v[0]))
	for _, c := range v[1:] {
		n = n<<8 | int32(c)
	}
	return int(n)
}
