package wire

// ServiceName is the name of the service in the standard, "" if there is none
// or it is unknown.
func (m *BACnet) ServiceName() string {
	name, _ := m.service()
	return name
}

// Class is what the service does to the device, for an answer too.
func (m *BACnet) Class() CommandClass {
	_, class := m.service()
	return class
}

func (m *BACnet) service() (string, CommandClass) {
	const (
		o = CommandOther
		r = CommandRead
		w = CommandWrite
		c = CommandControl
	)
	type row struct {
		name  string
		class CommandClass
	}
	switch m.PDU {
	case BACnetUnconfirmed:
		table := [...]row{
			{"i-Am", o},
			{"i-Have", o},
			{"unconfirmedCOVNotification", o},
			{"unconfirmedEventNotification", o},
			{"unconfirmedPrivateTransfer", o},
			{"unconfirmedTextMessage", o},
			{"timeSynchronization", c},
			{"who-Has", r},
			{"who-Is", r},
			{"utcTimeSynchronization", c},
			{"writeGroup", w},
			{"unconfirmedCOVNotificationMultiple", o},
		}
		if int(m.Service) < len(table) {
			return table[m.Service].name, table[m.Service].class
		}
	case BACnetConfirmed, BACnetSimpleAck, BACnetComplexAck, BACnetError:
		table := [...]row{
			{"acknowledgeAlarm", w},
			{"confirmedCOVNotification", o},
			{"confirmedEventNotification", o},
			{"getAlarmSummary", r},
			{"getEnrollmentSummary", r},
			{"subscribeCOV", r},
			{"atomicReadFile", r},
			{"atomicWriteFile", c},
			{"addListElement", w},
			{"removeListElement", w},
			{"createObject", c},
			{"deleteObject", c},
			{"readProperty", r},
			{"readPropertyConditional", r},
			{"readPropertyMultiple", r},
			{"writeProperty", w},
			{"writePropertyMultiple", w},
			{"deviceCommunicationControl", c},
			{"confirmedPrivateTransfer", o},
			{"confirmedTextMessage", o},
			{"reinitializeDevice", c},
			{"vtOpen", c},
			{"vtClose", c},
			{"vtData", c},
			{"authenticate", o},
			{"requestKey", o},
			{"readRange", r},
			{"lifeSafetyOperation", c},
			{"subscribeCOVProperty", r},
			{"getEventInformation", r},
			{"subscribeCOVPropertyMultiple", r},
			{"confirmedCOVNotificationMultiple", o},
		}
		if int(m.Service) < len(table) {
			return table[m.Service].name, table[m.Service].class
		}
	}
	return "", o
}

// BVLCName is the name of the function of the virtual link (annex J.2).
func (m *BACnet) BVLCName() string {
	name, _ := bvlcFunction(m.BVLC)
	return name
}

func bvlcFunction(f uint8) (string, CommandClass) {
	switch f {
	case 0:
		return "BVLC-Result", CommandOther
	case 1:
		return "Write-Broadcast-Distribution-Table", CommandControl
	case 2:
		return "Read-Broadcast-Distribution-Table", CommandRead
	case 3:
		return "Read-Broadcast-Distribution-Table-Ack", CommandOther
	case bvlcForwarded:
		return "Forwarded-NPDU", CommandOther
	case 5:
		return "Register-Foreign-Device", CommandControl
	case 6:
		return "Read-Foreign-Device-Table", CommandRead
	case 7:
		return "Read-Foreign-Device-Table-Ack", CommandOther
	case 8:
		return "Delete-Foreign-Device-Table-Entry", CommandControl
	case 9:
		return "Distribute-Broadcast-To-Network", CommandOther
	case 10:
		return "Original-Unicast-NPDU", CommandOther
	case 11:
		return "Original-Broadcast-NPDU", CommandOther
	case bvlcSecure:
		return "Secure-BVLL", CommandOther
	}
	return "", CommandOther
}
