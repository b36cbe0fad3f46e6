package eve

// modbusFunctionCode names a function as Suricata does, and what of the device
// it accesses; "Unknown" and "NONE" if there is nothing to say.
func modbusFunctionCode(function uint8) (code, access string) {
	switch function {
	case 1:
		return "RdCoils", "READ | COILS"
	case 2:
		return "RdDiscreteInputs", "READ | DISCRETES"
	case 3:
		return "RdHoldRegs", "READ | HOLDING"
	case 4:
		return "RdInputRegs", "READ | INPUT"
	case 5:
		return "WrSingleCoil", "WRITE | COILS | SINGLE | WRITE_SINGLE"
	case 6:
		return "WrSingleReg", "WRITE | HOLDING | SINGLE | WRITE_SINGLE"
	case 15:
		return "WrMultCoils", "WRITE | COILS | MULTIPLE | WRITE_MULTIPLE"
	case 16:
		return "WrMultRegs", "WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE"
	case 22:
		return "MaskWrReg", "WRITE | HOLDING"
	case 23:
		return "RdWrMultRegs", "READ | WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE"
	case 43:
		return "MEI", "NONE"
	}
	names := [...]string{
		7: "RdExcStatus", 8: "Diagnostic", 9: "Program484", 10: "Poll484", 11: "GetCommEventCtr",
		12: "GetCommEventLog", 13: "ProgramController", 14: "PollController", 17: "ReportServerID",
		18: "Program884", 19: "ResetCommLink", 20: "RdFileRec", 21: "WrFileRec", 24: "RdFIFOQueue",
	}
	if int(function) < len(names) && names[function] != "" {
		return names[function], "NONE"
	}
	return "Unknown", "NONE"
}

// modbusDiagnosticCode names the sub-functions of function 8 as Suricata does.
func modbusDiagnosticCode(sub uint16) string {
	names := [...]string{
		0: "RetQueryData", 1: "RestartCommOpt", 2: "RetDiagReg", 3: "ChangeInputDelimiter",
		4: "ForceListenOnlyMode", 10: "ClearCtrDiagReg", 11: "RetBusMsgCount", 12: "RetBusCommErrCount",
		13: "RetBusExcErrCount", 14: "RetServerMsgCount", 15: "RetServerNoRespCount", 16: "RetServerNAKCount",
		17: "RetServerBusyCount", 18: "RetBusCharOverrunCount", 19: "RetOverrunErrCount",
		20: "ClearOverrunCounterFlag", 21: "GetClearPlusStats",
	}
	if int(sub) < len(names) && names[sub] != "" {
		return names[sub]
	}
	return "Reserved"
}

// modbusExceptionCode names exceptions as Suricata does.
func modbusExceptionCode(code uint8) string {
	names := [...]string{
		1: "IllegalFunction", 2: "IllegalDataAddr", 3: "IllegalDataValue", 4: "ServerDeviceFail", 5: "Ack",
		6: "ServerDeviceBusy", 7: "NegAck", 8: "MemParityErr", 10: "GatewayPathUnavailable", 11: "GatewayTargetFailToResp",
	}
	if int(code) < len(names) && names[code] != "" {
		return names[code]
	}
	return "Unknown"
}

// modbusInterfaceCode names encapsulated interfaces as Suricata does.
func modbusInterfaceCode(kind uint16) string {
	switch kind {
	case 13:
		return "CANOpenGenRefReqResp"
	case 14:
		return "RdDevId"
	}
	return "Unknown"
}
