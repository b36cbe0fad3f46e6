package wire

import "encoding/binary"

// sslv2 reads a ClientHello in SSL 2.0 format (RFC 5246 appendix E.2), of
// which only the version is of interest.
func (s *tlsStream) sslv2(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	switch sniffSSLv2(b) {
	case No:
		return 0, msgs, errTLSKind
	case Maybe:
		return 0, msgs, nil
	}
	end := 2 + sslv2Len(b)
	if len(b) < end {
		return 0, msgs, nil
	}
	version := binary.BigEndian.Uint16(b[3:])
	s.half[dir].role, s.known = roleClient, true
	msgs = append(msgs, &ClientHello{RecordVersion: versionSSL2, Version: version})
	if version == versionSSL2 {
		return end, msgs, ErrDone // the server answers in a format of its own
	}
	return end, msgs, nil
}

func sslv2Len(b []byte) int { return int(b[0]&0x7f)<<8 | int(b[1]) }

// sniffSSLv2 recognises an SSL 2.0 ClientHello: length with the top bit set,
// type 1, version, then three lengths that must add up.
func sniffSSLv2(b []byte) Match {
	if b[0]&0x80 == 0 || len(b) >= 3 && b[2] != 1 {
		return No
	}
	if len(b) >= 5 {
		if v := binary.BigEndian.Uint16(b[3:]); v != versionSSL2 && v>>8 != 3 || v&0xff > 4 {
			return No
		}
	}
	if len(b) < 11 {
		return Maybe
	}
	ciphers := int(binary.BigEndian.Uint16(b[5:]))
	session := int(binary.BigEndian.Uint16(b[7:]))
	challenge := int(binary.BigEndian.Uint16(b[9:]))
	if ciphers == 0 || ciphers%3 != 0 || session != 0 && session != 16 ||
		challenge < 16 || challenge > 32 || 9+ciphers+session+challenge != sslv2Len(b) {
		return No
	}
	return Yes
}

// sniffTLS recognises the first record of a connection: a hello or, from a
// server that declines, an alert.
func sniffTLS(_ Dir, b []byte) Match {
	if len(b) == 0 {
		return Maybe
	}
	if b[0]&0x80 != 0 {
		return sniffSSLv2(b)
	}
	if b[0] != recordHandshake && b[0] != recordAlert || !plausibleRecord(b) {
		return No
	}
	if len(b) < recordHeaderLen+1 {
		return Maybe
	}
	size := int(binary.BigEndian.Uint16(b[3:]))
	body := b[recordHeaderLen:min(len(b), recordHeaderLen+size)]
	if b[0] == recordAlert {
		return sniffAlert(body, size)
	}
	if body[0] > handshakeServerHello || body[0] == handshakeHelloRequest && size > handshakeHeaderLen {
		return No
	}
	// Within this record: a 24-bit length, of which hellos need 17 bits at
	// the very most, and the version.
	if len(body) >= 2 && body[1] > 1 || len(body) >= 5 && body[4] != 3 || len(body) >= 6 && body[5] > 4 {
		return No
	}
	if len(body) < min(size, 6) {
		return Maybe
	}
	return Yes
}

func sniffAlert(body []byte, size int) Match {
	switch {
	case size != 2 || body[0] < 1 || body[0] > 2:
		return No
	case len(body) < 2:
		return Maybe
	}
	return Yes
}
