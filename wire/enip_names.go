package wire

// ENIPCommandName is the name of an encapsulation command, "" if it is unknown.
func ENIPCommandName(command uint16) string {
	switch command {
	case 0:
		return "NOP"
	case enipListServices:
		return "ListServices"
	case enipListIdentity:
		return "ListIdentity"
	case enipListInterfaces:
		return "ListInterfaces"
	case enipRegister:
		return "RegisterSession"
	case enipUnregister:
		return "UnregisterSession"
	case enipRRData:
		return "SendRRData"
	case enipUnitData:
		return "SendUnitData"
	case 0x72:
		return "IndicateStatus"
	case 0x73:
		return "Cancel"
	}
	return ""
}

// ServiceName is the name of the service; "" if it is unknown, as most are that
// are specific to an object.
func (r *CIP) ServiceName() string {
	name, _ := r.name()
	return name
}

// ServiceClass is what the service does to the device.
func (r *CIP) ServiceClass() CommandClass {
	_, class := r.name()
	return class
}

// name names and classes a service (volume 1, appendix A). From 0x4b on
// services belong to their object.
func (r *CIP) name() (string, CommandClass) {
	switch r.Service {
	case 0x01:
		return "Get_Attributes_All", CommandRead
	case 0x02:
		return "Set_Attributes_All", CommandWrite
	case 0x03:
		return "Get_Attribute_List", CommandRead
	case 0x04:
		return "Set_Attribute_List", CommandWrite
	case 0x05:
		return "Reset", CommandControl
	case 0x06:
		return "Start", CommandControl
	case 0x07:
		return "Stop", CommandControl
	case 0x08:
		return "Create", CommandControl
	case 0x09:
		return "Delete", CommandControl
	case cipMultiple:
		return "Multiple_Service_Packet", CommandOther
	case 0x0d:
		return "Apply_Attributes", CommandControl
	case 0x0e:
		return "Get_Attribute_Single", CommandRead
	case 0x10:
		return "Set_Attribute_Single", CommandWrite
	case 0x11:
		return "Find_Next_Object_Instance", CommandRead
	case 0x15:
		return "Restore", CommandControl
	case 0x16:
		return "Save", CommandControl
	case 0x17:
		return "No_Operation", CommandOther
	case 0x18:
		return "Get_Member", CommandRead
	case 0x19:
		return "Set_Member", CommandWrite
	case 0x1a:
		return "Insert_Member", CommandControl
	case 0x1b:
		return "Remove_Member", CommandControl
	}
	switch {
	case r.Response:
		return "", CommandOther // which object answers is not said
	case r.Class == classConnection:
		return connectionService(r.Service), CommandOther
	case r.Class == classPCCC && r.Service == cipExecutePCCC:
		return pcccName(r.PCCC)
	case r.Symbol != "" || r.Class == 0x6b: // tags of Logix controllers
		return tagService(r.Service)
	}
	return "", CommandOther
}

// connectionService names the services of the connection manager.
func connectionService(service uint8) string {
	switch service {
	case 0x4e:
		return "Forward_Close"
	case cipUnconnectedSend:
		return "Unconnected_Send"
	case 0x54:
		return "Forward_Open"
	case 0x5b:
		return "Large_Forward_Open"
	}
	return ""
}

// tagService names the services for tags (Rockwell, Logix 5000 Controllers
// Data Access, 1756-PM020).
func tagService(service uint8) (string, CommandClass) {
	switch service {
	case 0x4c:
		return "Read_Tag", CommandRead
	case 0x4d:
		return "Write_Tag", CommandWrite
	case 0x4e:
		return "Read_Modify_Write_Tag", CommandWrite
	case 0x52:
		return "Read_Tag_Fragmented", CommandRead
	case 0x53:
		return "Write_Tag_Fragmented", CommandWrite
	case 0x55:
		return "Get_Instance_Attribute_List", CommandRead
	}
	return "", CommandOther
}

// pcccName names PCCC commands (Rockwell, DF1 Protocol and Command Set,
// 1770-6.5.16).
func pcccName(pccc uint16) (string, CommandClass) {
	if pccc&0xff != 0x0f {
		return "PCCC", CommandOther
	}
	switch pccc >> 8 {
	case 0x00, 0x02, 0x03:
		return "PCCC Write", CommandWrite
	case 0x01, 0x04, 0x05, 0x06, 0x29, 0x68, 0xa1, 0xa2:
		return "PCCC Read", CommandRead
	case 0x26, 0x67, 0x79, 0xa9, 0xaa, 0xab:
		return "PCCC Write", CommandWrite
	case 0x3a, 0x80:
		return "PCCC Change Mode", CommandControl
	case 0x41:
		return "PCCC Disable Forces", CommandControl
	case 0x50, 0x52, 0x57, 0x8f, 0xaf:
		return "PCCC Download", CommandControl
	case 0x53, 0x55:
		return "PCCC Upload", CommandRead
	}
	return "PCCC", CommandOther
}
