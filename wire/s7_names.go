package wire

// FunctionName is the name of the function, or of group and sub-function; ""
// if it is unknown.
func (m *S7) FunctionName() string {
	name, _ := m.name()
	return name
}

// Class is what the function does to the controller, for an answer too.
func (m *S7) Class() CommandClass {
	_, class := m.name()
	return class
}

func (m *S7) name() (string, CommandClass) {
	if m.Kind == S7Userdata {
		return s7UserdataName(m.Group, m.Sub)
	}
	switch m.Function {
	case s7Setup:
		return "Setup Communication", CommandOther
	case s7Read:
		return "Read Var", CommandRead
	case s7Write:
		return "Write Var", CommandWrite
	case s7RequestDownload:
		return "Request Download", CommandControl
	case s7DownloadBlock:
		return "Download Block", CommandControl
	case s7DownloadEnded:
		return "Download Ended", CommandControl
	case s7StartUpload:
		return "Start Upload", CommandRead
	case s7Upload:
		return "Upload", CommandRead
	case s7EndUpload:
		return "End Upload", CommandRead
	case s7PIService:
		return "PI Service", CommandControl
	case s7Stop:
		return "PLC Stop", CommandControl
	case s7CPUServices:
		return "CPU Services", CommandOther
	}
	return "", CommandOther
}

// s7UserdataName names the functions of a Userdata message.
func s7UserdataName(group, sub uint8) (string, CommandClass) {
	switch group {
	case 0:
		return "Mode Transition", CommandControl
	case 1:
		switch sub {
		case 0x0c:
			return "Erase", CommandControl
		}
		return "Programmer Commands", CommandRead
	case 2:
		return "Cyclic Data", CommandRead
	case 3:
		switch sub {
		case 1:
			return "List Blocks", CommandRead
		case 2:
			return "List Blocks Of Type", CommandRead
		case 3:
			return "Get Block Info", CommandRead
		}
		return "Block Functions", CommandRead
	case 4:
		switch sub {
		case 1:
			return "Read SZL", CommandRead
		case 2:
			return "Message Service", CommandOther
		}
		return "CPU Functions", CommandOther
	case s7GroupSecurity:
		switch sub {
		case s7Password:
			return "PLC Password", CommandOther
		case 2:
			return "Clear Password", CommandOther
		}
		return "Security", CommandOther
	case 6:
		return "BSEND", CommandWrite
	case 7:
		switch sub {
		case 1, 3:
			return "Read Clock", CommandRead
		}
		return "Set Clock", CommandControl
	case 15:
		return "NC Programming", CommandControl
	}
	return "", CommandOther
}
