package wire

// FunctionName is the name of the function in the words of the specification,
// "" if it is unknown; Class is what it does.
func (m *Modbus) FunctionName() string {
	name, _ := modbusFunction(m.Function, m.Sub)
	return name
}

// Class is what the function does to the device, for a response too.
func (m *Modbus) Class() CommandClass {
	_, class := modbusFunction(m.Function, m.Sub)
	return class
}

// modbusFunction names and classes a function (section 6 of the application
// protocol).
func modbusFunction(function uint8, sub uint16) (string, CommandClass) {
	switch function {
	case modbusReadCoils:
		return "Read Coils", CommandRead
	case modbusReadDiscrete:
		return "Read Discrete Inputs", CommandRead
	case modbusReadHolding:
		return "Read Holding Registers", CommandRead
	case modbusReadInput:
		return "Read Input Registers", CommandRead
	case modbusWriteCoil:
		return "Write Single Coil", CommandWrite
	case modbusWriteRegister:
		return "Write Single Register", CommandWrite
	case modbusExcStatus:
		return "Read Exception Status", CommandRead
	case modbusDiagnostics:
		return modbusDiagnostic(sub)
	case modbusEventCounter:
		return "Get Comm Event Counter", CommandRead
	case modbusEventLog:
		return "Get Comm Event Log", CommandRead
	case modbusWriteCoils:
		return "Write Multiple Coils", CommandWrite
	case modbusWriteRegs:
		return "Write Multiple Registers", CommandWrite
	case modbusServerID:
		return "Report Server ID", CommandRead
	case modbusReadFile:
		return "Read File Record", CommandRead
	case modbusWriteFile:
		return "Write File Record", CommandWrite
	case modbusMaskWrite:
		return "Mask Write Register", CommandWrite
	case modbusReadWriteRegs:
		return "Read/Write Multiple Registers", CommandWrite
	case modbusReadFIFO:
		return "Read FIFO Queue", CommandRead
	case modbusMEI:
		switch sub {
		case 13:
			return "CANopen General Reference", CommandOther
		case meiDeviceID:
			return "Read Device Identification", CommandRead
		}
		return "Encapsulated Interface Transport", CommandOther
	case modbusUMAS:
		return umasFunction(sub)
	}
	return "", CommandOther
}

// modbusDiagnostic names the sub-functions of function 8.
func modbusDiagnostic(sub uint16) (string, CommandClass) {
	switch sub {
	case 0:
		return "Return Query Data", CommandRead
	case 1:
		return "Restart Communications Option", CommandControl
	case 2:
		return "Return Diagnostic Register", CommandRead
	case 3:
		return "Change ASCII Input Delimiter", CommandControl
	case 4:
		return "Force Listen Only Mode", CommandControl
	case 10:
		return "Clear Counters and Diagnostic Register", CommandControl
	case 20:
		return "Clear Overrun Counter and Flag", CommandControl
	}
	if sub >= 11 && sub <= 18 {
		return "Return Diagnostic Counter", CommandRead
	}
	return "Diagnostics", CommandOther
}

// umasFunction names the functions of UMAS that change how a controller runs
// or what is in its memory. Schneider Electric has not published them; they
// are as several independent analyses of its programming software agree.
func umasFunction(sub uint16) (string, CommandClass) {
	switch sub {
	case 0x01, 0x02, 0x03, 0x04, 0x06, 0x58, 0x73:
		return "UMAS Read State", CommandRead
	case 0x10:
		return "UMAS Take Reservation", CommandOther
	case 0x11:
		return "UMAS Release Reservation", CommandOther
	case 0x12:
		return "UMAS Keep Alive", CommandOther
	case 0x20, 0x22, 0x24, 0x50, 0x70:
		return "UMAS Read Memory", CommandRead
	case 0x21, 0x23, 0x25, 0x71:
		return "UMAS Write Memory", CommandWrite
	case 0x30, 0x31, 0x32:
		return "UMAS Upload Program", CommandRead
	case 0x33, 0x34, 0x35:
		return "UMAS Download Program", CommandControl
	case 0x40:
		return "UMAS Start PLC", CommandControl
	case 0x41:
		return "UMAS Stop PLC", CommandControl
	case umasOK:
		return "UMAS Success", CommandOther
	case umasError:
		return "UMAS Error", CommandOther
	}
	return "UMAS", CommandOther
}
