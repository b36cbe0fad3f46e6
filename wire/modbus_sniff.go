package wire

// sniffModbus recognises a header with protocol identifier 0 and a function
// whose fields add up to the length in the header.
func sniffModbus(_ Dir, b []byte) Match {
	for i, c := range b[:min(len(b), 6)] {
		if (i == 2 || i == 3 || i == 4) && c != 0 || i == 5 && c < 2 {
			return No
		}
	}
	if len(b) <= modbusHeader {
		return Maybe
	}
	pdu := b[modbusHeader:min(len(b), 6+int(b[5]))]
	return modbusFits(pdu, int(b[5])-1)
}

// modbusFIFODepth is the most registers that a FIFO queue holds (section 6.18).
const modbusFIFODepth = 31

// modbusFits judges a PDU of n bytes, of which the first ones are there, by
// the lengths that its function allows.
func modbusFits(pdu []byte, n int) Match {
	counted := func(at, extra int) Match { // a byte at pdu[at] counts what follows it and extra bytes
		switch {
		case n <= at:
			return No
		case len(pdu) <= at:
			return Maybe
		}
		return matchIf(pdu[at] > 0 && n == at+1+int(pdu[at])+extra)
	}
	switch f := pdu[0]; f {
	case modbusReadCoils, modbusReadDiscrete, modbusReadHolding, modbusReadInput:
		if n == 5 && len(pdu) < 5 {
			return Maybe
		}
		if n == 5 && modbusQuantity(pdu, f <= modbusReadDiscrete) {
			return Yes
		}
		if m := counted(1, 0); m != Yes || f <= modbusReadDiscrete {
			return m
		}
		return matchIf(n%2 == 0)
	case modbusWriteCoil:
		if n == 5 && len(pdu) < 5 {
			return Maybe
		}
		return matchIf(n == 5 && (pdu[3] == 0 || pdu[3] == 0xff) && pdu[4] == 0)
	case modbusWriteRegister:
		return matchIf(n == 5)
	case modbusDiagnostics:
		if n >= 3 && len(pdu) < 3 {
			return Maybe
		}
		// A word of data, but for what is to be sent back, which is any number.
		return matchIf(n >= 3 && pdu[1] == 0 && pdu[2] <= 20 && (n == 5 || n&1 == 1 && pdu[2] == 0))
	case modbusWriteCoils, modbusWriteRegs:
		if n == 5 && len(pdu) < 5 {
			return Maybe
		}
		if n == 5 {
			return matchIf(modbusQuantity(pdu, f == modbusWriteCoils))
		}
		return counted(5, 0)
	case modbusExcStatus:
		return matchIf(n <= 2)
	case modbusServerID, modbusEventLog:
		if n == 1 {
			return Yes
		}
		return counted(1, 0)
	case modbusReadFile, modbusWriteFile:
		return counted(1, 0)
	case modbusEventCounter:
		return matchIf(n == 1 || n == 5)
	case modbusMaskWrite:
		return matchIf(n == 7)
	case modbusReadWriteRegs:
		if m := counted(1, 0); m != No {
			return m
		}
		return counted(9, 0)
	case modbusReadFIFO:
		if n == 3 {
			return Yes
		}
		if n >= 5 && len(pdu) < 5 {
			return Maybe
		}
		return matchIf(n >= 5 && n <= 5+2*modbusFIFODepth && int(pdu[1])<<8|int(pdu[2]) == n-3 && 2*(int(pdu[3])<<8|int(pdu[4])) == n-5)
	case modbusMEI:
		if n >= 3 && len(pdu) < 2 {
			return Maybe
		}
		return matchIf(n >= 3 && (pdu[1] == 13 || pdu[1] == meiDeviceID))
	case modbusUMAS:
		return matchIf(n >= 3)
	default:
		if n == 2 && f&modbusException != 0 && f != modbusException && len(pdu) < 2 {
			return Maybe
		}
		return matchIf(n == 2 && f&modbusException != 0 && f != modbusException && pdu[1] > 0 && pdu[1] <= 11)
	}
}

// modbusQuantity reports whether a range is one that a message may ask for: at
// most 2,000 coils or 125 registers.
func modbusQuantity(pdu []byte, bits bool) bool {
	n := int(pdu[3])<<8 | int(pdu[4])
	return n > 0 && (n <= 125 || bits && n <= 2000)
}
