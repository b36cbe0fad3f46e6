package wire

// AppendCommands implements Commander.
func (m *OPCUA) AppendCommands(dst []Command) []Command {
	s := opcuaService(m.Service)
	if m.Response || s.name == "" {
		return dst
	}
	return append(dst, Command{Protocol: "opcua", Function: m.Service, Name: s.name, Class: s.class})
}

var _ Commander = (*OPCUA)(nil)

// ServiceName is the name of the request or response, "" if it cannot be read.
func (m *OPCUA) ServiceName() string { return opcuaService(m.Service).name }

// Class is what the service does to the server, for a response too.
func (m *OPCUA) Class() CommandClass { return opcuaService(m.Service).class }

// opcuaServiceInfo describes a service by the identifier of a message.
type opcuaServiceInfo struct {
	name   string
	class  CommandClass
	answer bool
}

// opcuaService knows the messages of OPC 10000-4; a response is numbered three
// above its request.
func opcuaService(id uint32) opcuaServiceInfo {
	const (
		o = CommandOther
		r = CommandRead
		w = CommandWrite
		c = CommandControl
	)
	if id == opcuaFault {
		return opcuaServiceInfo{"ServiceFault", o, true}
	}
	name, class := opcuaRequest(id)
	if name != "" {
		return opcuaServiceInfo{name + "Request", class, false}
	}
	if name, class = opcuaRequest(id - 3); name != "" && id > 3 {
		return opcuaServiceInfo{name + "Response", class, true}
	}
	return opcuaServiceInfo{}
}

func opcuaRequest(id uint32) (string, CommandClass) {
	switch id {
	case 422:
		return "FindServers", CommandRead
	case 428:
		return "GetEndpoints", CommandRead
	case 437:
		return "RegisterServer", CommandOther
	case opcuaOpen:
		return "OpenSecureChannel", CommandOther
	case 452:
		return "CloseSecureChannel", CommandOther
	case 461:
		return "CreateSession", CommandOther
	case opcuaActivate:
		return "ActivateSession", CommandOther
	case 473:
		return "CloseSession", CommandOther
	case 479:
		return "Cancel", CommandOther
	case 488:
		return "AddNodes", CommandControl
	case 494:
		return "AddReferences", CommandControl
	case 500:
		return "DeleteNodes", CommandControl
	case 506:
		return "DeleteReferences", CommandControl
	case 527:
		return "Browse", CommandRead
	case 533:
		return "BrowseNext", CommandRead
	case 554:
		return "TranslateBrowsePathsToNodeIds", CommandRead
	case 560:
		return "RegisterNodes", CommandRead
	case 566:
		return "UnregisterNodes", CommandRead
	case 615:
		return "QueryFirst", CommandRead
	case 621:
		return "QueryNext", CommandRead
	case 631:
		return "Read", CommandRead
	case 664:
		return "HistoryRead", CommandRead
	case 673:
		return "Write", CommandWrite
	case 700:
		return "HistoryUpdate", CommandWrite
	case 712:
		return "Call", CommandControl
	case 751:
		return "CreateMonitoredItems", CommandRead
	case 763:
		return "ModifyMonitoredItems", CommandRead
	case 769:
		return "SetMonitoringMode", CommandRead
	case 775:
		return "SetTriggering", CommandRead
	case 781:
		return "DeleteMonitoredItems", CommandRead
	case 787:
		return "CreateSubscription", CommandRead
	case 793:
		return "ModifySubscription", CommandRead
	case 799:
		return "SetPublishingMode", CommandRead
	case 826:
		return "Publish", CommandRead
	case 832:
		return "Republish", CommandRead
	case 841:
		return "TransferSubscriptions", CommandRead
	case 847:
		return "DeleteSubscriptions", CommandRead
	}
	return "", CommandOther
}
