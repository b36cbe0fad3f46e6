package wire

import (
	"encoding/binary"
	"fmt"
)

// Cyclic input and output of CIP over UDP (ODVA volume 2, section 2-6, port
// 2222): two items, the connection with a sequence number and its data. It
// has nothing to tell beyond being there.

const (
	cipIOHeader   = 18
	itemSequenced = 0x8002
)

var errCIPIO = fmt.Errorf("read cip i/o: %w", ErrNotMine)

// cipIOFlow names a flow.
type cipIOFlow struct{}

func newCIPIOFlow() Datagrams { return cipIOFlow{} }

// sniffCIPIO recognises both items, of which the second fills the datagram.
func sniffCIPIO(b []byte) bool {
	if len(b) < cipIOHeader {
		return false
	}
	u16 := binary.LittleEndian.Uint16
	return u16(b) == 2 && u16(b[2:]) == itemSequenced && u16(b[4:]) == 8 &&
		u16(b[14:]) == itemConnected && int(u16(b[16:])) == len(b)-cipIOHeader
}

// Datagram implements Datagrams.
func (cipIOFlow) Datagram(_ Dir, b []byte, msgs []Message) ([]Message, error) {
	if !sniffCIPIO(b) {
		return msgs, errCIPIO
	}
	return msgs, nil
}
