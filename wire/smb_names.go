package wire

import "strconv"

// SMBCommandName is the name of a command of SMB 1 or 2 as Suricata spells it,
// without what stands before it, the number if it has none. Those of which the
// content is read (negotiate, session setup, tree connect) have the same name
// in both.
func SMBCommandName(version uint8, command uint16) string {
	one := [...]string{
		0x00: "CREATE_DIRECTORY", 0x01: "DELETE_DIRECTORY", 0x02: "OPEN", 0x03: "CREATE", 0x04: "CLOSE",
		0x05: "FLUSH", 0x06: "DELETE", 0x07: "RENAME", 0x08: "QUERY_INFORMATION", 0x09: "SET_INFORMATION",
		0x0a: "READ", 0x0b: "WRITE", 0x0c: "LOCK_BYTE_RANGE", 0x0d: "UNLOCK_BYTE_RANGE", 0x0e: "CREATE_TEMPORARY",
		0x0f: "CREATE_NEW", 0x10: "CHECK_DIRECTORY", 0x11: "PROCESS_EXIT", 0x12: "SEEK", 0x13: "LOCK_AND_READ",
		0x14: "WRITE_AND_UNLOCK", 0x24: "LOCKING_ANDX", 0x25: "TRANS", 0x2b: "ECHO", 0x2c: "WRITE_AND_CLOSE",
		0x2d: "OPEN_ANDX", 0x2e: "READ_ANDX", 0x2f: "WRITE_ANDX", 0x32: "TRANS2", 0x33: "TRANS2_SECONDARY",
		0x34: "FIND_CLOSE2", 0x71: "TREE_DISCONNECT", 0x72: smbNegotiate, 0x73: smbSessionSetup, 0x74: "LOGOFF_ANDX",
		0x75: smbTreeConnect, 0x80: "QUERY_INFO_DISK", 0xa0: "NT_TRANS", 0xa1: "NT_TRANS_SECONDARY",
		0xa2: "NT_CREATE_ANDX", 0xa4: "NT_CANCEL",
	}
	two := [...]string{
		smbNegotiate, smbSessionSetup, "SESSION_LOGOFF", smbTreeConnect, "TREE_DISCONNECT", smbCreate, "CLOSE", "FLUSH",
		"READ", "WRITE", "LOCK", "IOCTL", "CANCEL", "KEEPALIVE", "FIND", "CHANGE_NOTIFY", "GET_INFO", "SET_INFO", "OPLOCK_BREAK",
	}
	names := one[:]
	if version == 2 {
		names = two[:]
	}
	if int(command) < len(names) && names[command] != "" {
		return names[command]
	}
	return strconv.Itoa(int(command))
}
