package eve

import (
	"testing"

	"gatehouse/wire"
)

// TestMQTTSkipped: what Suricata counts as skipped of a packet that is larger
// than it reads.
func TestMQTTSkipped(t *testing.T) {
	for length, want := range map[int]int{
		0: 0, 1 << 20: 0,
		1_500_009:     1_500_013, // as measured with Suricata 7.0.10
		1<<21 - 1:     1<<21 + 3,
		1 << 21:       1<<21 + 5,
		268_435_455:   268_435_460,
		(1 << 20) + 1: (1 << 20) + 5,
	} {
		h := mqttHeaderOf(&wire.MQTTPacket{Kind: wire.MQTTPublishKind, Length: length})
		if h.Skipped != want || h.Truncated != (want > 0) {
			t.Errorf("length %d: skipped %d, truncated %v, want %d", length, h.Skipped, h.Truncated, want)
		}
	}
}
