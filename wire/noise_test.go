package wire

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// noise makes payloads of programs that no row of the table knows.
type noise struct{ *rand.Rand }

// noises are kinds of such payloads. What they have in common with protocols is
// what all of them have: small numbers, lengths that are right, zeros, text.
var noises = []struct {
	name string
	make func(noise) []byte
}{
	{"random", func(n noise) []byte { return n.bytes(n.size()) }},
	{"repeated byte", func(n noise) []byte { return bytes.Repeat(n.bytes(1), n.size()) }},
	{"repeated pattern", func(n noise) []byte { return bytes.Repeat(n.bytes(1+n.IntN(16)), n.size()/8+1) }},
	{"zeros", noise.zeros},
	{"counter of bytes", noise.counter},
	{"numbers of 16 bits", func(n noise) []byte { return n.numbers(2) }},
	{"numbers of 32 bits", func(n noise) []byte { return n.numbers(4) }},
	{"numbers of 64 bits", func(n noise) []byte { return n.numbers(8) }},
	{"floating point", noise.floats},
	{"record", noise.record},
	{"records with lengths", noise.prefixed},
	{"type, length, value", noise.tlv},
	{"elements of ASN.1", func(n noise) []byte { return n.element(3) }},
	{"protobuf", func(n noise) []byte { return n.protobuf(3) }},
	{"protobuf with its length", func(n noise) []byte { return n.withLength(n.protobuf(3)) }},
	{"msgpack", func(n noise) []byte { return n.msgpack(3) }},
	{"JSON", func(n noise) []byte { return []byte(n.json(3)) }},
	{"JSON with its length", func(n noise) []byte { return n.withLength([]byte(n.json(3))) }},
	{"XML", func(n noise) []byte { return []byte(n.xml(3)) }},
	{"words", func(n noise) []byte { return []byte(n.words(1 + n.IntN(30))) }},
	{"lines", noise.lines},
	{"command line", noise.command},
	{"keys and values", noise.settings},
	{"table of values", noise.table},
	{"text with its length", func(n noise) []byte { return n.withLength([]byte(n.words(1 + n.IntN(8)))) }},
	{"text that ends in zero", noise.cStrings},
	{"hexadecimal", func(n noise) []byte { return []byte(hex.EncodeToString(n.bytes(n.size() / 2))) }},
	{"base64", func(n noise) []byte { return []byte(base64.StdEncoding.EncodeToString(n.bytes(n.size()))) }},
	{"compressed", noise.compressed},
	{"beginning of a file", noise.file},
	{"media", noise.media},
}

// size is a length as payloads have it: often short, often a full segment, of
// text and of fixed messages anything in between.
func (n noise) size() int {
	switch n.IntN(4) {
	case 0:
		return 1 + n.IntN(16)
	case 1:
		return 16 << n.IntN(7)
	case 2:
		return 1200 + n.IntN(261)
	}
	return 1 + n.IntN(400)
}

func (n noise) bytes(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(n.Uint32())
	}
	return b
}

// small is a number as fields of messages have it: mostly small.
func (n noise) small() uint64 { return n.Uint64() >> (1 + n.IntN(63)) }

func (n noise) order() binary.AppendByteOrder {
	if n.IntN(2) == 0 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// field appends a number of a size.
func field(b []byte, order binary.AppendByteOrder, size int, v uint64) []byte {
	switch size {
	case 1:
		return append(b, byte(v))
	case 2:
		return order.AppendUint16(b, uint16(v))
	case 4:
		return order.AppendUint32(b, uint32(v))
	}
	return order.AppendUint64(b, v)
}

func (n noise) width() int { return 1 << n.IntN(4) }

func (n noise) zeros() []byte {
	b := make([]byte, n.size())
	for range n.IntN(6) {
		b[n.IntN(len(b))] = byte(n.small())
	}
	return b
}

func (n noise) counter() []byte {
	b := make([]byte, n.size())
	at, step := byte(n.Uint32()), byte(1+n.IntN(3))
	for i := range b {
		b[i] = at
		at += step
	}
	return b
}

func (n noise) numbers(width int) []byte {
	var b []byte
	order, limit, at := n.order(), uint(n.IntN(8*width)), n.small()
	counts := n.IntN(3) == 0
	for range 1 + n.IntN(40) {
		if counts {
			at++
			b = field(b, order, width, at)
			continue
		}
		b = field(b, order, width, n.Uint64()>>(64-8*width)>>limit)
	}
	return b
}

func (n noise) floats() []byte {
	var b []byte
	order := n.order()
	for range 1 + n.IntN(40) {
		v := n.NormFloat64() * 100
		if n.IntN(2) == 0 {
			b = order.AppendUint32(b, math.Float32bits(float32(v)))
		} else {
			b = order.AppendUint64(b, math.Float64bits(v))
		}
	}
	return b
}

// record is a message as a programmer declares it: a magic number perhaps,
// versions, types, sequence numbers, a time, a length that is right, and a body.
func (n noise) record() []byte {
	var b []byte
	order := n.order()
	lengthAt, lengthWidth := -1, 0
	for range 1 + n.IntN(8) {
		width := n.width()
		switch n.IntN(6) {
		case 0:
			b = field(b, order, width, 0)
		case 1:
			b = field(b, order, width, n.Uint64())
		case 2:
			b = field(b, order, width, 1577836800+uint64(n.IntN(2e8))) // a time
		case 3:
			if lengthAt < 0 && width < 8 {
				lengthAt, lengthWidth = len(b), width
			}
			b = field(b, order, width, 0)
		default:
			b = field(b, order, width, n.small())
		}
	}
	b = append(b, n.body()...)
	if lengthAt >= 0 {
		length := uint64(len(b))
		switch n.IntN(3) {
		case 0:
			length -= uint64(lengthAt + lengthWidth)
		case 1:
			length -= uint64(lengthAt)
		}
		field(b[:lengthAt], order, lengthWidth, length)
	}
	return b
}

// body is what a message carries.
func (n noise) body() []byte {
	switch n.IntN(6) {
	case 0:
		return nil
	case 1:
		return n.bytes(n.IntN(200))
	case 2:
		return []byte(n.words(1 + n.IntN(6)))
	case 3:
		return n.zeros()
	case 4:
		return n.numbers(4)
	}
	return n.tlv()
}

// withLength puts the length of b in front of it.
func (n noise) withLength(b []byte) []byte {
	width := 1 << n.IntN(3)
	length := uint64(len(b))
	if n.IntN(4) == 0 {
		length += uint64(width)
	}
	return append(field(nil, n.order(), width, length), b...)
}

func (n noise) prefixed() []byte {
	var b []byte
	width, order, whole := 1<<n.IntN(3), n.order(), n.IntN(2) == 0
	for range 1 + n.IntN(4) {
		body := append(n.numbers(1)[:1], n.body()...)
		length := uint64(len(body))
		if whole {
			length += uint64(width)
		}
		b = append(field(b, order, width, length), body...)
	}
	return b
}

func (n noise) tlv() []byte {
	var b []byte
	typeWidth, width, order := 1+n.IntN(2), 1+n.IntN(2), n.order()
	for range 1 + n.IntN(10) {
		value := n.bytes(n.IntN(24))
		if n.IntN(2) == 0 {
			value = []byte(n.word())
		}
		b = field(b, order, typeWidth, uint64(n.IntN(40)))
		b = append(field(b, order, width, uint64(len(value))), value...)
	}
	return b
}

// element is one of ASN.1, of which the lengths are right.
func (n noise) element(depth int) []byte {
	tags := []byte{0x02, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x30, 0x31, 0x60, 0x80, 0xa0, 0xa1, 0x02, 0x30}
	tag := tags[n.IntN(len(tags))]
	var body []byte
	switch {
	case tag&0x20 != 0 && depth > 0:
		for range n.IntN(5) {
			body = append(body, n.element(depth-1)...)
		}
	case tag == 0x02:
		body = n.bytes(1 + n.IntN(4))
	case tag == 0x05:
	default:
		body = []byte(n.word())
	}
	if len(body) > 127 {
		return append([]byte{tag, 0x82, byte(len(body) >> 8), byte(len(body))}, body...)
	}
	return append([]byte{tag, byte(len(body))}, body...)
}

func (n noise) protobuf(depth int) []byte {
	var b []byte
	for number := range 1 + n.IntN(8) {
		tag := uint64(number+1) << 3
		switch n.IntN(5) {
		case 0, 1:
			b = binary.AppendUvarint(binary.AppendUvarint(b, tag), n.small())
		case 2:
			b = append(binary.AppendUvarint(b, tag|5), n.bytes(4)...)
		default:
			value := []byte(n.word())
			if depth > 0 && n.IntN(2) == 0 {
				value = n.protobuf(depth - 1)
			}
			b = append(binary.AppendUvarint(binary.AppendUvarint(b, tag|2), uint64(len(value))), value...)
		}
	}
	return b
}

func (n noise) msgpack(depth int) []byte {
	count := 1 + n.IntN(6)
	b := []byte{byte(0x80 | count)}
	array := n.IntN(2) == 0
	if array {
		b[0] = byte(0x90 | count)
	}
	for range count {
		if !array {
			key := n.word()
			b = append(append(b, byte(0xa0|len(key))), key...)
		}
		switch n.IntN(5) {
		case 0:
			b = append(b, byte(n.IntN(128)))
		case 1:
			b = append(append(b, 0xce), n.bytes(4)...)
		case 2:
			b = append(append(b, 0xc4, 16), n.bytes(16)...)
		case 3:
			if depth > 0 {
				b = append(b, n.msgpack(depth-1)...)
				continue
			}
			fallthrough
		default:
			v := n.word()
			b = append(append(b, byte(0xa0|len(v))), v...)
		}
	}
	return b
}

func (n noise) json(depth int) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range 1 + n.IntN(6) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:", n.word())
		switch n.IntN(4) {
		case 0:
			fmt.Fprint(&b, n.IntN(100000))
		case 1:
			if depth > 0 {
				b.WriteString(n.json(depth - 1))
				continue
			}
			b.WriteString("null")
		default:
			fmt.Fprintf(&b, "%q", n.words(1+n.IntN(3)))
		}
	}
	b.WriteByte('}')
	if n.IntN(2) == 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

func (n noise) xml(depth int) string {
	name := n.word()
	inner := n.words(1 + n.IntN(4))
	if depth > 0 {
		inner = n.xml(depth-1) + n.xml(depth-1)
	}
	out := fmt.Sprintf("<%s %s=%q>%s</%s>\r\n", name, n.word(), n.word(), inner, name)
	if depth == 3 && n.IntN(2) == 0 {
		return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + out
	}
	return out
}

// vocabulary is of programs and people; commands of protocols are not in it,
// with which a line would begin as that protocol does.
var vocabulary = strings.Fields(`the of and to in is was value status temperature humidity sensor device id name
	type count reading update set state on off true false none alarm event time date error ok ready done start
	stop player move jump level score room message text hello world channel group key token session version
	model serial firmware sw hw temp volt amp watt pump valve motor speed position axis limit high low open
	closed reset config node gateway cloud home kitchen lamp door window lock camera frame image stream chunk
	part block index size total item list map array data payload body head tail first last next previous`)

func (n noise) word() string {
	w := vocabulary[n.IntN(len(vocabulary))]
	switch n.IntN(8) {
	case 0:
		return strings.ToUpper(w)
	case 1:
		return strings.ToUpper(w[:1]) + w[1:]
	}
	return w
}

func (n noise) words(count int) string {
	var b strings.Builder
	for i := range count {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(n.word())
	}
	return b.String()
}

func (n noise) lineEnd() string { return [...]string{"\n", "\r\n", "\r", ";", "\x00"}[n.IntN(5)] }

func (n noise) lines() []byte {
	var b []byte
	end := n.lineEnd()
	for range 1 + n.IntN(5) {
		b = append(append(b, n.words(1+n.IntN(8))...), end...)
	}
	return b
}

// command is a word, arguments and numbers: a sentence of NMEA, a modem's
// command, a reply with a code.
func (n noise) command() []byte {
	lead := [...]string{"", "$", "AT+", ">", "*", "+", "!", "#", "@", "-", "."}[n.IntN(11)]
	b := []byte(lead + n.word())
	for range n.IntN(6) {
		b = append(b, " ,=:;"[n.IntN(5)])
		if n.IntN(2) == 0 {
			b = fmt.Append(b, n.IntN(10000))
		} else {
			b = append(b, n.word()...)
		}
	}
	return append(b, n.lineEnd()...)
}

func (n noise) settings() []byte {
	var b []byte
	between, end := "=: "[n.IntN(3)], n.lineEnd()
	for range 1 + n.IntN(10) {
		b = fmt.Appendf(b, "%s%c%s%s", n.word(), between, n.words(1+n.IntN(3)), end)
	}
	return b
}

func (n noise) table() []byte {
	var b []byte
	for range 1 + n.IntN(10) {
		for range 1 + n.IntN(6) {
			b = fmt.Appendf(b, "%.2f,", n.NormFloat64()*100)
		}
		b = append(b, '\n')
	}
	return b
}

func (n noise) cStrings() []byte {
	b := n.bytes(n.IntN(4))
	for i := range b {
		b[i] %= 8
	}
	for range 1 + n.IntN(5) {
		b = append(append(b, n.word()...), 0)
	}
	return b
}

func (n noise) compressed() []byte {
	head := [...]string{"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "\x78\x9c", "\x78\x01", "\x28\xb5\x2f\xfd\x24", "\x04\x22\x4d\x18\x64\x40", "BZh91AY&SY", "PK\x03\x04\x14\x00", ""}
	b := bytes.NewBufferString(head[n.IntN(len(head))])
	w, _ := flate.NewWriter(b, flate.BestSpeed)
	_, _ = w.Write([]byte(n.words(200)))
	_ = w.Close()
	return b.Bytes()
}

func (n noise) file() []byte {
	heads := [...]string{
		"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", "\xff\xd8\xff\xe0\x00\x10JFIF\x00", "GIF89a", "%PDF-1.7\n",
		"\x7fELF\x02\x01\x01\x00", "MZ\x90\x00\x03\x00\x00\x00", "RIFF\x24\x08\x00\x00WAVEfmt ", "\x00\x00\x00\x18ftypmp42",
		"ID3\x04\x00", "OggS\x00\x02", "SQLite format 3\x00", "\xca\xfe\xba\xbe", "fLaC\x00", "\x1aE\xdf\xa3",
	}
	return append([]byte(heads[n.IntN(len(heads))]), n.bytes(n.IntN(400))...)
}

// media is RTP, MPEG-TS, H.264, Opus.
func (n noise) media() []byte {
	body := n.bytes(20 + n.IntN(1200))
	switch n.IntN(4) {
	case 0:
		return append(append([]byte{0x80, byte(n.Uint32())}, n.bytes(10)...), body...)
	case 1:
		return append(append([]byte{0x47, byte(n.IntN(2)) << 6, byte(n.Uint32()), 0x10}, body...), body...)
	case 2:
		return append([]byte{0, 0, 0, 1, [...]byte{0x67, 0x68, 0x65, 0x41, 0x06}[n.IntN(5)]}, body...)
	}
	return append([]byte{0x78 | byte(n.IntN(8))}, body...)
}

// TestNoiseIsNotRecognised: hardly anything of what programs say that no row
// knows is taken for a protocol. On its port a protocol may believe more, since
// somebody meant it: the modes of NTP and the packets of HSRP are a few small
// numbers, of which one record in twelve has the right ones.
func TestNoiseIsNotRecognised(t *testing.T) {
	const (
		rounds = 5_000
		atPort = rounds / 10
		other  = rounds / 500
	)
	for i, kind := range noises {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			n := noise{rand.New(rand.NewPCG(1, uint64(i)))}
			table := Table()
			claims, examples := map[claim]int{}, map[claim][]byte{}
			for range rounds {
				b := kind.make(n)
				if len(b) == 0 {
					continue
				}
				eachClaim(table, b, func(c claim) {
					claims[c]++
					examples[c] = b
				})
			}
			for c, count := range claims {
				if limit := map[bool]int{true: atPort, false: other}[c.atPort]; count > limit {
					t.Errorf("%+v: %d of %d, such as %q", c, count, rounds, examples[c][:min(len(examples[c]), 60)])
				}
			}
			t.Log(claims)
		})
	}
}

// claim is a row that takes bytes for its own.
type claim struct {
	row    string
	over   string
	atPort bool
}

// eachClaim calls f for every row that takes b for its own.
func eachClaim(table []Protocol, b []byte, f func(claim)) {
	for i := range table {
		p := &table[i]
		if p.SniffDatagram != nil && (p.LeadByte == nil || p.LeadByte(b[0])) && p.SniffDatagram(b) {
			f(claim{row: p.Name, over: "UDP"})
		}
		switch {
		case p.SniffAtPort != nil:
			if p.SniffAtPort(b) {
				f(claim{row: p.Name, over: "UDP", atPort: true})
			}
		case p.Datagram != nil && len(p.UDPPorts) > 0:
			if m, err := p.Datagram(b); m != nil && err == nil {
				f(claim{row: p.Name, over: "UDP", atPort: true})
			}
		}
		if p.Sniff == nil {
			continue
		}
		for _, dir := range []Dir{FromClient, FromServer} {
			if p.Sniff(dir, b) == Yes {
				f(claim{row: p.Name, over: [...]string{"TCP from the client", "TCP from the server"}[dir]})
			}
		}
		if p.SniffLate != nil && p.SniffLate(b) {
			f(claim{row: p.Name, over: "TCP, late"})
		}
	}
}

// TestNearMisses: what looked like a protocol before somebody looked closer. On
// their own ports, others than the ones below are believed all the same.
func TestNearMisses(t *testing.T) {
	zeros := make([]byte, 60)
	for _, c := range []struct {
		name string
		in   []byte
	}{
		{"a query for nothing", join(zeros[:12])},
		{"a query with an outcome", join(0, 7, 0, 3, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1)},
		{"an update of no zone", join(0, 7, 0x28, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0)},
		{"more records than a message holds", join(0, 7, 0x80, 0, 0, 0, 0x43, 0x33, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0)},
		{"a record of type 0", join(0, 7, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)},
		{"a lease with option 0", join(2, 1, 2, 3, 0, 0, 0, 1, 0)},
		{"a lease of nobody", join(2, 1, 2, 3, 0, 23, 0, 2, 0, 0)},
		{"BOOTP of no hardware", join(1, 'l', 1, 2, make([]byte, 236))},
		{"RADIUS of one byte repeated", bytes.Repeat([]byte{2}, 0x0202)},
		{"RADIUS with a port of two bytes", join(5, 1, 0, 24, make([]byte, 16), 5, 4, 0, 1)},
		{"WireGuard's numbers of 32 bits", join(4, 0, 0, 0, 10, 0, 0, 0, 11, 0, 0, 0, 40, 0, 0, 0, zeros[:16])},
		{"a session of NetBIOS, and zeros", join(0x82, zeros)},
		{"SOCKS 4 to a text", join(4, 1, 2, "is", 0, "level", 0)},
		{"EtherNet/IP, and more zeros", join('d', zeros)},
		{"IEC 104 of another length", join(0x68, 15, 0, 0, 0, 0, 100, 1, 6, 0, 1, 0, 0, 0, 0, 20, 0)},
		{"Modbus that diagnoses six words", join(0, 6, 0, 0, 0, 14, 0, 8, 0, 5, zeros[:10])},
		{"Modbus that diagnoses and ends", []byte{0, 6, 0, 0, 0, 3, 0, 8}},
		{"CoAP of a code that is none", []byte("rIc=")},
		{"CoAP with half a token", []byte("READY")},
		{"a line about size", []byte("size index\r\n")},
		{"a line about a type", []byte("type firmware\r\n")},
	} {
		eachClaim(Table(), c.in, func(by claim) {
			if !by.atPort || slices.Contains([]string{"coap", "dhcp", "dhcpv6", "dns", "enip", "llmnr", "mdns"}, by.row) {
				t.Errorf("%s: %+v", c.name, by)
			}
		})
	}
}
