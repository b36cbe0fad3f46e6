package eval

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"gatehouse/flow"
	"gatehouse/internal/testkit"
	"gatehouse/pipeline"
	"gatehouse/wire"
)

// realHandshake is a TLS 1.2 handshake of the Amazon Alexa app with its cloud,
// with everything that crosses in clear.
type realHandshake struct {
	frames []testkit.Frame
	client netip.AddrPort
	server netip.AddrPort
	at     time.Time
}

const (
	handshakeFile = "alexa-app.pcapng"
	handshakeName = "firs-ta-g7g.amazon.com"
)

// loadHandshake finds the connection whose client says handshakeName.
func loadHandshake(tb testing.TB) *realHandshake {
	tb.Helper()
	all := load(tb, testkit.Corpus(tb, "protocols", "nDPI", handshakeFile))
	i := slices.IndexFunc(all, func(f testkit.Frame) bool { return bytes.Contains(f.Data, []byte(handshakeName)) && f.Data[23] == 6 })
	if i < 0 {
		tb.Fatalf("nobody says %s in %s", handshakeName, handshakeFile)
	}
	h := &realHandshake{at: time.Unix(0, all[i].Time).UTC()}
	h.client, h.server = ends(all[i].Data)
	for _, f := range all {
		if len(f.Data) < etherHeader+2*ipv4Header || f.Data[12] != 8 || f.Data[23] != 6 {
			continue
		}
		if from, to := ends(f.Data); from == h.client && to == h.server || from == h.server && to == h.client {
			h.frames = append(h.frames, f)
		}
	}
	return h
}

// ends are both ends of a TCP segment in an IPv4 packet without options.
func ends(frame []byte) (from, to netip.AddrPort) {
	port := func(at int) uint16 { return binary.BigEndian.Uint16(frame[etherHeader+ipv4Header+at:]) }
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(frame[ipv4Source:])), port(0)),
		netip.AddrPortFrom(netip.AddrFrom4([4]byte(frame[ipv4Dest:])), port(2))
}

// by makes the handshake that of a device at a time, from a client port of its
// own, with edit applied to the frames of the server.
func (h *realHandshake) by(d station, at int64, port uint16, edit func([]byte)) []testkit.Frame {
	frames := slices.Clone(h.frames)
	for i := range frames {
		data := slices.Clone(frames[i].Data)
		field := 0 // of the source port
		if from, _ := ends(data); from == h.server {
			field = 2
			edit(data)
		}
		binary.BigEndian.PutUint16(data[etherHeader+ipv4Header+field:], port)
		frames[i].Data = data
	}
	return casting{attacker: h.client.Addr()}.splice(frames, d, at)
}

// asIs leaves a handshake alone.
func asIs([]byte) {}

// downgrade makes the server choose TLS 1.0 and 3DES: it lowers the versions
// in the record and the ServerHello (RFC 5246 section 7.4.1.3) and changes the
// cipher suite behind the session id.
func downgrade(data []byte) {
	const hello = 2 // handshake type
	for i := etherHeader + 2*ipv4Header; i+44 < len(data); i++ {
		record := data[i:]
		if record[0] != 22 || record[1] != 3 || record[2] != 3 || record[5] != hello || record[9] != 3 || record[10] != 3 {
			continue
		}
		record[2], record[10] = 1, 1
		suite := 44 + int(record[43])
		binary.BigEndian.PutUint16(record[suite:], 0x000a) // TLS_RSA_WITH_3DES_EDE_CBC_SHA
		return
	}
}

// forge returns an edit that breaks the signature of the leaf certificate.
func (h *realHandshake) forge(tb testing.TB) func([]byte) {
	tb.Helper()
	part := h.signature(tb)
	return func(data []byte) {
		if i := bytes.Index(data, part); i >= 0 {
			data[i] ^= 0xff
		}
	}
}

// signature is some bytes of the leaf's signature, which is what a certificate
// ends with, that lie within one frame.
func (h *realHandshake) signature(tb testing.TB) []byte {
	tb.Helper()
	const size, within = 16, 128 // an RSA signature has 256 bytes
	leaf := h.chain(tb)[0]
	for end := len(leaf); end > len(leaf)-within; end -= size {
		part := leaf[end-size : end]
		if slices.ContainsFunc(h.frames, func(f testkit.Frame) bool { return bytes.Contains(f.Data, part) }) {
			return part
		}
	}
	tb.Fatal("no frame holds a part of the leaf's signature")
	return nil
}

// authority is the highest certificate that the server showed: of 2017, when
// roots were trusted that no longer are.
func (h *realHandshake) authority(tb testing.TB) []byte {
	tb.Helper()
	chain := h.chain(tb)
	return chain[len(chain)-1]
}

// chain is the certificate chain that the server showed.
func (h *realHandshake) chain(tb testing.TB) [][]byte {
	tb.Helper()
	var chain [][]byte
	err := pipeline.Flows(tb.Context(), play(h.frames), pipeline.DefaultConfig(), func(events []flow.Event, _ pipeline.Progress) error {
		for i := range events {
			for _, m := range events[i].Messages {
				if c, ok := m.(*wire.Certificate); ok && !c.FromClient {
					chain = c.Raw
				}
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	if len(chain) == 0 {
		tb.Fatal("the server showed no certificate")
	}
	return chain
}
