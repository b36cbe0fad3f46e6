package flow

import (
	"encoding/binary"
	"os"
	"slices"
	"testing"

	"gatehouse/capture"
	"gatehouse/wire"
)

// seeds adds small frames of several kinds, and some of the corpus if it is
// there.
func seeds(f *testing.F, add func(link uint16, frame []byte)) {
	f.Helper()
	for _, s := range []string{
		macs + "08 00" + udp4,
		macs + "86 dd" + udp6,
		macs + "81 00 00 05 88 a8 00 06 08 00" + udp4,
		macs + "88 47 00 02 01 40" + macs + "08 00" + udp4,
		macs + "88 64 11 00 00 01 00 20 00 21" + udp4,
		macs + "08 00" + within(f, 47, 0, "b0 00 86 dd 00 00 00 00 00 00 00 01 00 00 00 02"+udp6),
		macs + "08 00" + within(f, 17, 4789, "08 00 00 00 00 00 2a 00"+macs+"08 00"+udp4),
		macs + "08 00" + within(f, 17, 2152, "34 ff 00 26 00 00 00 01 00 00 00 85 01 10 01 00"+udp4),
	} {
		add(uint16(capture.LinkEthernet), unhex(f, s))
	}
	if os.Getenv("GATEHOUSE_CORPUS") == "" {
		return
	}
	for i, file := range corpusFiles(f, "hostile") {
		if packets := readAll(f, file); i%8 == 0 && len(packets) > 0 && len(packets[0].Data) < 2000 {
			add(uint16(packets[0].Link), packets[0].Data)
		}
	}
}

func FuzzDecode(f *testing.F) {
	seeds(f, func(link uint16, frame []byte) { f.Add(link, frame, uint16(0)) })
	f.Fuzz(func(t *testing.T, link uint16, frame []byte, missing uint16) {
		p := &capture.Packet{Data: frame, Length: len(frame) + int(missing), Link: capture.LinkType(link)}
		agree(t, p)
		var h Headers
		r := h.Decode(p)
		if n := ShardOf(p, 8); n < 0 || n > 7 {
			t.Fatalf("shard %d", n)
		}
		if r != Accepted {
			return
		}
		if h.Length > p.Length || h.PayloadLen < 0 || h.PayloadLen > p.Length ||
			len(h.Payload) > h.PayloadLen || h.Depth > maxTunnels {
			t.Fatalf("%+v", h)
		}
		if h.EtherType == etherARP {
			return
		}
		// The reverse packet has the same key, and what was decoded does not
		// depend on what the Headers held before.
		var k, reversed key
		from := k.set(&h)
		again := h
		if again.Decode(p) != Accepted || k.set(&again) != from {
			t.Fatal("decoding again differs")
		}
		if h.isICMP() {
			return
		}
		h.Src, h.Dst, h.SrcPort, h.DstPort = h.Dst, h.Src, h.DstPort, h.SrcPort
		reversed.set(&h)
		if k != reversed {
			t.Fatalf("key %+v, reversed %+v", k, reversed)
		}
	})
}

// FuzzShard feeds a sequence of frames: each is preceded by two bytes, its
// length and the time since the one before.
func FuzzShard(f *testing.F) {
	var all []byte
	seeds(f, func(link uint16, frame []byte) {
		if link == uint16(capture.LinkEthernet) && len(frame) < 255 {
			all = append(append(all, byte(len(frame)), 9), frame...)
			f.Add(append([]byte{byte(len(frame)), 1}, frame...))
		}
	})
	f.Add(all[:min(len(all), 4000)])
	syn := tcpFrame(f, tcpClient, tcpServer, TCPSyn, 1, 0, "").Data
	get := tcpFrame(f, tcpClient, tcpServer, TCPAck, 2, 0, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n").Data
	f.Add(slices.Concat([]byte{byte(len(syn)), 0}, syn, []byte{byte(len(get)), 0}, get, []byte{byte(len(get)), 255}, get))
	f.Fuzz(func(t *testing.T, input []byte) {
		var packets []capture.Packet
		now := second
		for len(input) >= 2 && len(packets) < 200 {
			n, later := min(int(input[0]), len(input)-2), int64(input[1])
			now += later * later * second / 100
			packets = append(packets, capture.Packet{
				Data: input[2 : 2+n], Length: int(binary.BigEndian.Uint16(input)), Link: capture.LinkEthernet, Time: now,
			})
			input = input[2+n:]
		}
		one, _ := analyse(t, packets, 1, 5)
		checkEvents(t, one)
		three, _ := analyse(t, packets, 3, 1)
		if a, b := fingerprint(one), fingerprint(three); !slices.Equal(a, b) {
			t.Fatalf("1 shard: %d events, 3 shards: %d\n%q\n%q", len(a), len(b), a, b)
		}
		cfg := DefaultConfig()
		cfg.MaxFlows = 16 // under pressure and evicting, as it comes
		s := NewShard(cfg, wire.Table())
		for i := range packets {
			s.Packet(&packets[i], packets[i].Time, uint64(i+1))
		}
		checkStatsBeforeClose(t, s)
		s.Close(now)
		checkEventsUnsorted(t, s)
		ends := uint64(0)
		for _, e := range s.Events() {
			if e.Kind == End {
				ends++
			}
		}
		if st := s.Stats(); ends+st.Unannounced != st.Flows || st.Unannounced+st.Evicted < st.Flood.Flows {
			t.Fatalf("%d flows told of, %+v", ends, st)
		}
	})
}
