package wire

// sniffLateTLS recognises a ClientHello: record header, handshake header and
// version, of which eight bytes are all but fixed.
func sniffLateTLS(b []byte) bool {
	const enough = recordHeaderLen + handshakeHeaderLen + 2
	return len(b) >= enough && b[0] == recordHandshake && b[recordHeaderLen] == handshakeClientHello &&
		sniffTLS(FromClient, b) == Yes
}

// sniffLateHTTP recognises a complete request line or the preface of HTTP/2.
func sniffLateHTTP(b []byte) bool {
	if sniffHTTP2(FromClient, b) == Yes {
		return true
	}
	return sniffStatusLine(b) == No && sniffHTTP(FromClient, b) == Yes
}
