package wire

import (
	"encoding/hex"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxNameText bounds the text form of a distinguished name.
const maxNameText = 1024

// distinguishedName renders a DER name in the form of RFC 2253: the most
// specific part first. What cannot be read ends the text.
func distinguishedName(der []byte) string {
	input := cryptobyte.String(der)
	var sequence cryptobyte.String
	if !input.ReadASN1(&sequence, cbasn1.SEQUENCE) {
		return ""
	}
	var parts []cryptobyte.String
	var set cryptobyte.String
	for sequence.ReadASN1(&set, cbasn1.SET) {
		parts = append(parts, set)
	}
	var b []byte
	for i := len(parts) - 1; i >= 0 && len(b) < maxNameText; i-- {
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = appendRelativeName(b, parts[i])
	}
	if len(b) > maxNameText {
		b = b[:maxNameText]
		for len(b) > 0 && !utf8.Valid(b) { // cut between characters
			b = b[:len(b)-1]
		}
	}
	return string(b)
}

func appendRelativeName(b []byte, set cryptobyte.String) []byte {
	var pair, oid, value cryptobyte.String
	var tag cbasn1.Tag
	for first := true; len(b) < maxNameText && set.ReadASN1(&pair, cbasn1.SEQUENCE); first = false {
		if !pair.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) || !pair.ReadAnyASN1(&value, &tag) {
			break
		}
		if !first {
			b = append(b, '+')
		}
		b = append(appendAttribute(b, oid), '=')
		b = appendNameValue(b, tag, value[:min(len(value), maxNameText)])
	}
	return b
}

// appendAttribute appends the short name of an attribute type (RFC 2253
// section 2.3, and those that every tool knows), else its number.
func appendAttribute(b []byte, oid []byte) []byte {
	switch string(oid) {
	case "\x55\x04\x03":
		return append(b, "CN"...)
	case "\x55\x04\x05":
		return append(b, "serialNumber"...)
	case "\x55\x04\x06":
		return append(b, 'C')
	case "\x55\x04\x07":
		return append(b, 'L')
	case "\x55\x04\x08":
		return append(b, "ST"...)
	case "\x55\x04\x09":
		return append(b, "STREET"...)
	case "\x55\x04\x0a":
		return append(b, 'O')
	case "\x55\x04\x0b":
		return append(b, "OU"...)
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01":
		return append(b, "emailAddress"...)
	case "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01":
		return append(b, "UID"...)
	case "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19":
		return append(b, "DC"...)
	}
	return appendOID(b, oid)
}

// appendOID renders an object identifier in dotted decimal; its bytes in hex
// if a number does not fit.
func appendOID(b []byte, oid []byte) []byte {
	start, v := len(b), uint64(0)
	for i, c := range oid {
		if v > 1<<56 || len(b)-start > 256 {
			return hex.AppendEncode(b[:start], oid[:min(len(oid), 64)])
		}
		v = v<<7 | uint64(c&0x7f)
		if c&0x80 != 0 {
			if i == len(oid)-1 {
				break
			}
			continue
		}
		if len(b) == start { // the first two numbers share one
			top := min(v/40, 2)
			b = strconv.AppendUint(b, top, 10)
			v -= 40 * top
		}
		b = strconv.AppendUint(append(b, '.'), v, 10)
		v = 0
	}
	return b
}

// appendNameValue appends an attribute value with the escapes of RFC 2253
// section 2.4, or as #hex if it is not a string.
func appendNameValue(b []byte, tag cbasn1.Tag, value []byte) []byte {
	var text []rune
	switch tag {
	case cbasn1.UTF8String, cbasn1.PrintableString, cbasn1.IA5String, 18: // 18: NumericString
		text = []rune(string(value))
	case cbasn1.T61String: // in practice Latin-1
		for _, c := range value {
			text = append(text, rune(c))
		}
	case 30: // BMPString: UTF-16
		units := make([]uint16, 0, len(value)/2)
		for ; len(value) >= 2; value = value[2:] {
			units = append(units, uint16(value[0])<<8|uint16(value[1]))
		}
		text = utf16.Decode(units)
	default:
		return hex.AppendEncode(append(b, '#'), value)
	}
	for i, r := range text {
		switch {
		case r < ' ' || r == 0x7f:
			b = append(b, '\\', "0123456789ABCDEF"[r>>4], "0123456789ABCDEF"[r&15])
			continue
		case r == ',' || r == '+' || r == '"' || r == '\\' || r == '<' || r == '>' || r == ';',
			i == 0 && (r == '#' || r == ' '), i == len(text)-1 && r == ' ':
			b = append(b, '\\')
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}
