package eve

import (
	"cmp"
	"fmt"

	"gatehouse/flow"
	"gatehouse/wire"
)

// smbBody is Suricata's smb object. Which of the two directions a name comes
// from is the client's in all of them.
type smbBody struct {
	ID         uint32      `json:"id"`
	Command    string      `json:"command"` // SMB1_COMMAND_..., SMB2_COMMAND_...
	Status     string      `json:"status,omitempty"`
	StatusCode string      `json:"status_code,omitempty"`
	Dialect    string      `json:"dialect,omitempty"`
	SessionID  uint64      `json:"session_id"`
	TreeID     uint32      `json:"tree_id"`
	Dialects   []string    `json:"client_dialects,omitempty"`
	Signing    bool        `json:"signing_required,omitempty"`
	Share      string      `json:"share,omitempty"`
	Pipe       string      `json:"named_pipe,omitempty"`
	ShareType  string      `json:"share_type,omitempty"`
	Service    *smbService `json:"service,omitempty"` // SMB 1
	ClientGUID string      `json:"client_guid,omitempty"`
	ServerGUID string      `json:"server_guid,omitempty"`
	MaxRead    uint32      `json:"max_read_size,omitempty"`
	MaxWrite   uint32      `json:"max_write_size,omitempty"`
	smbFile
	Function string      `json:"function,omitempty"`
	SetInfo  *smbSetInfo `json:"set_info,omitempty"`
	Rename   *smbRename  `json:"rename,omitempty"`
	DCERPC   *dcerpcBody `json:"dcerpc,omitempty"`
	Ticket   *smbTicket  `json:"kerberos,omitempty"`
	Request  *smbEnd     `json:"request,omitempty"`
	Response *smbEnd     `json:"response,omitempty"`
	NTLMSSP  *ntlmBody   `json:"ntlmssp,omitempty"`
	Kerberos bool        `json:"kerberos_ticket,omitempty"`
	Guest    bool        `json:"guest,omitempty"`
}

// smbEnd is what an end of SMB 1 says that it runs.
type smbEnd struct {
	OS       string `json:"native_os"`
	Software string `json:"native_lm"`
}

// smbService is the kind of share that is asked for, and the one that it is.
type smbService struct {
	Request  string `json:"request,omitempty"`
	Response string `json:"response,omitempty"`
}

// smbFile is a file that is opened; times are in seconds since 1970, absent if it
// was refused.
type smbFile struct {
	Name        string  `json:"filename,omitempty"`
	Folder      string  `json:"directory,omitempty"`
	Disposition string  `json:"disposition,omitempty"`
	Access      string  `json:"access,omitempty"` // normal or delete on close
	Created     *int64  `json:"created,omitempty"`
	Accessed    *int64  `json:"accessed,omitempty"`
	Modified    *int64  `json:"modified,omitempty"`
	Changed     *int64  `json:"changed,omitempty"`
	Size        *uint64 `json:"size,omitempty"`
	ID          string  `json:"fuid,omitempty"`
}

// smbSetInfo and smbRename are a change of a file's name.
type smbSetInfo struct {
	Class string `json:"class"`
	Level string `json:"info_level"`
}

type smbRename struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// smbTicket is for whom a Kerberos ticket is.
type smbTicket struct {
	Realm    string   `json:"realm"`
	Services []string `json:"snames"`
}

// ntlmBody is who an NTLM message says to be.
type ntlmBody struct {
	Host    string `json:"host"`
	Domain  string `json:"domain"`
	User    string `json:"user"`
	Version string `json:"version,omitempty"`
}

func (w *Writer) smb(ev *flow.Event, m *wire.SMB) error {
	body := smbBody{
		ID: m.Number, ClientGUID: smbGUID(m.ClientGUID), ServerGUID: smbGUID(m.ServerGUID), MaxRead: m.MaxRead, MaxWrite: m.MaxWrite,
		Command: smbCommand(m),
		Dialect: m.Dialect, Dialects: m.Dialects, Signing: m.Signing,
		SessionID: m.SessionID, TreeID: m.TreeID,
		Share: m.Share, ShareType: smbShareType(m), Kerberos: m.Kerberos != nil, Guest: m.Guest,
		Request: smbEndOf(m.ClientOS, m.ClientLM), Response: smbEndOf(m.ServerOS, m.ServerLM),
	}
	if m.Service != "" || m.Granted != "" {
		body.Service = &smbService{m.Service, m.Granted}
	}
	if f := m.File; f != nil {
		body.smbFile = smbFileOf(f, m.Version)
	}
	body.use(m)
	if m.Kerberos != nil && m.Kerberos.Realm != "" {
		body.Ticket = &smbTicket{m.Kerberos.Realm, m.Kerberos.Services}
	}
	if m.Call != nil {
		body.DCERPC = dcerpcOf(m.Call)
	}
	if m.Function != 0 {
		body.Function = smbFunction(m.Function)
	}
	if m.ShareType == "pipe" {
		body.Pipe = m.Share
	}
	if m.Answered {
		body.Status, body.StatusCode = ntStatusName(m.Status), fmt.Sprintf("0x%x", m.Status)
	}
	if m.NTLM != nil {
		body.NTLMSSP = &ntlmBody{Host: m.NTLM.Host, Domain: m.NTLM.Domain, User: m.NTLM.User}
		if v := m.NTLM.Version; v != (wire.NTLMVersion{}) {
			body.NTLMSSP.Version = fmt.Sprintf("%d.%d build %d rev %d", v.Major, v.Minor, v.Build, v.Revision)
		}
	}
	w.begin("smb", "smb", &ev.Record, ev.Time)
	w.line.SMB = &body
	return w.put()
}

// smbCommand spells a command as Suricata does; one without a name is its
// number.
func smbCommand(m *wire.SMB) string {
	name := m.Command
	switch {
	case name == "NEGOTIATE":
		name += "_PROTOCOL"
	case m.Version == 1 && (name == "SESSION_SETUP" || name == "TREE_CONNECT"):
		name += "_ANDX"
	case name[0] >= '0' && name[0] <= '9':
		return name
	}
	return fmt.Sprintf("SMB%d_COMMAND_%s", m.Version, name)
}

func smbFileOf(f *wire.SMBFile, version uint8) smbFile {
	const root = "<share_root>" // in Suricata's words
	out := smbFile{Disposition: smbDisposition(f.Disposition), Access: "normal"}
	if f.DeleteOnClose {
		out.Access = "delete on close"
	}
	if f.Folder && f.Name != "" {
		out.Folder = f.Name
	} else {
		out.Name = cmp.Or(f.Name, root)
	}
	if f.Opened {
		out.Created, out.Accessed, out.Modified, out.Changed, out.Size = &f.Created, &f.Accessed, &f.Modified, &f.Changed, &f.Size
		out.ID = smbFileID(f.ID, version)
	}
	return out
}

// use adds the file that is read, written or renamed.
func (body *smbBody) use(m *wire.SMB) {
	if m.Used != nil {
		body.Name, body.smbFile.ID = m.Used.Name, smbFileID(m.Used.ID, m.Version)
	}
	if m.Rename == nil {
		return
	}
	body.Rename = &smbRename{m.Rename.From, m.Rename.To}
	if m.Version == 2 {
		body.SetInfo = &smbSetInfo{"FILE_INFO", "SMB2_FILE_RENAME_INFO"}
	}
}

// smbFileID writes the identifier of a file, which has two bytes in SMB 1.
func smbFileID(id [16]byte, version uint8) string {
	if version == 1 {
		return fmt.Sprintf("%02x%02x", id[1], id[0])
	}
	return smbGUID(id)
}

// smbGUID writes a GUID as Suricata does, which turns around the first four
// bytes and every pair behind them; "" for zeros.
func smbGUID(b [16]byte) string {
	if b == ([16]byte{}) {
		return ""
	}
	return fmt.Sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[9], b[8], b[11], b[10], b[15], b[14], b[13], b[12])
}

func smbEndOf(os, software string) *smbEnd {
	if os == "" && software == "" {
		return nil
	}
	return &smbEnd{os, software}
}

// smbShareType is Suricata's name for a kind of share, and for that of a refused
// one.
func smbShareType(m *wire.SMB) string {
	switch m.ShareType {
	case "disk":
		return "FILE"
	case "pipe":
		return "PIPE"
	case "print":
		return "PRINT"
	}
	if m.Version == 2 && m.Command == "TREE_CONNECT" && m.Answered {
		return "UNKNOWN"
	}
	return ""
}
