package wire

import "bytes"

// sniffLateTLS recognises a ClientHello: record header, handshake header and
// version, of which eight bytes are all but fixed.
func sniffLateTLS(b []byte) bool {
	const enough = recordHeaderLen + handshakeHeaderLen + 2
	return len(b) >= enough && b[0] == recordHandshake && b[recordHeaderLen] == handshakeClientHello &&
		sniffTLS(FromClient, b) == Yes
}

// sniffLateMQTT recognises a segment of whole packets of which the first
// publishes something: a topic that is text, with a name of three bytes at
// least, and an identifier where there must be one.
func sniffLateMQTT(b []byte) bool {
	const shortest = 3
	if len(b) < 2+2+shortest || MQTTKind(b[0]>>4) != MQTTPublishKind || b[0]>>1&3 == 3 {
		return false
	}
	size, n, ok := mqttLength(b[1:])
	if !ok || n == 0 || 1+n+size > len(b) {
		return false
	}
	r := mqttReader{cursor{b: b[1+n : 1+n+size]}}
	topic := r.text()
	if len(topic) < shortest || !plainASCII(topic) || bytes.ContainsAny(topic, "+#") || b[0]>>1&3 > 0 && r.u16() == 0 || r.short {
		return false
	}
	for b = b[1+n+size:]; len(b) > 0; b = b[1+n+size:] {
		if size, n, ok = mqttLength(b[1:]); !ok || n == 0 || b[0]>>4 == 0 || 1+n+size > len(b) {
			return false
		}
	}
	return true
}

// sniffLateHTTP recognises a complete request line or the preface of HTTP/2.
func sniffLateHTTP(b []byte) bool {
	if sniffHTTP2(FromClient, b) == Yes {
		return true
	}
	return sniffStatusLine(b) == No && sniffHTTP(FromClient, b) == Yes
}
