package eve

import (
	"fmt"

	"gatehouse/flow"
	"gatehouse/wire"
)

// smbBody is Suricata's smb object. Which of the two directions a name comes
// from is the client's in all of them.
type smbBody struct {
	Command    string    `json:"command"` // SMB1_COMMAND_..., SMB2_COMMAND_...
	Status     string    `json:"status,omitempty"`
	StatusCode string    `json:"status_code,omitempty"`
	Dialect    string    `json:"dialect,omitempty"`
	SessionID  uint64    `json:"session_id"`
	TreeID     uint32    `json:"tree_id"`
	Dialects   []string  `json:"client_dialects,omitempty"`
	Signing    bool      `json:"signing_required,omitempty"`
	Share      string    `json:"share,omitempty"`
	Pipe       string    `json:"named_pipe,omitempty"`
	ShareType  string    `json:"share_type,omitempty"`
	Request    *smbEnd   `json:"request,omitempty"`
	Response   *smbEnd   `json:"response,omitempty"`
	NTLMSSP    *ntlmBody `json:"ntlmssp,omitempty"`
	Kerberos   bool      `json:"kerberos_ticket,omitempty"`
	Guest      bool      `json:"guest,omitempty"`
}

// smbEnd is what an end of SMB 1 says that it runs.
type smbEnd struct {
	OS       string `json:"native_os"`
	Software string `json:"native_lm"`
}

// ntlmBody is who an NTLM message says to be.
type ntlmBody struct {
	Host   string `json:"host"`
	Domain string `json:"domain"`
	User   string `json:"user"`
}

func (w *Writer) smb(ev *flow.Event, m *wire.SMB) error {
	body := smbBody{
		Command: fmt.Sprintf("SMB%d_COMMAND_%s", m.Version, m.Command),
		Dialect: m.Dialect, Dialects: m.Dialects, Signing: m.Signing,
		SessionID: m.SessionID, TreeID: m.TreeID,
		Share: m.Share, ShareType: smbShareType(m.ShareType), Kerberos: m.Kerberos, Guest: m.Guest,
		Request: smbEndOf(m.ClientOS, m.ClientLM), Response: smbEndOf(m.ServerOS, m.ServerLM),
	}
	switch {
	case m.Version == 1 && m.Command == "NEGOTIATE":
		body.Command += "_PROTOCOL"
	case m.Version == 1:
		body.Command += "_ANDX"
	}
	if m.ShareType == "pipe" {
		body.Pipe = m.Share
	}
	if m.Answered {
		body.Status, body.StatusCode = ntStatusName(m.Status), fmt.Sprintf("0x%x", m.Status)
	}
	if m.NTLM != nil {
		body.NTLMSSP = &ntlmBody{Host: m.NTLM.Host, Domain: m.NTLM.Domain, User: m.NTLM.User}
	}
	w.begin("smb", "smb", &ev.Record, ev.Time)
	w.line.SMB = &body
	return w.put()
}

func smbEndOf(os, software string) *smbEnd {
	if os == "" && software == "" {
		return nil
	}
	return &smbEnd{os, software}
}

// smbShareType is Suricata's name for a kind of share.
func smbShareType(kind string) string {
	switch kind {
	case "disk":
		return "FILE"
	case "pipe":
		return "PIPE"
	case "print":
		return "PRINT"
	}
	return ""
}

// ntStatusName names the values that logins and shares end with ([MS-ERREF]
// 2.3.1); UNKNOWN is what Suricata writes for others.
func ntStatusName(code uint32) string {
	switch code {
	case 0:
		return "STATUS_SUCCESS"
	case 0xc000000d:
		return "STATUS_INVALID_PARAMETER"
	case 0xc0000016:
		return "STATUS_MORE_PROCESSING_REQUIRED"
	case 0xc0000022:
		return "STATUS_ACCESS_DENIED"
	case 0xc0000064:
		return "STATUS_NO_SUCH_USER"
	case 0xc000006a:
		return "STATUS_WRONG_PASSWORD"
	case 0xc000006d:
		return "STATUS_LOGON_FAILURE"
	case 0xc000006e:
		return "STATUS_ACCOUNT_RESTRICTION"
	case 0xc0000071:
		return "STATUS_PASSWORD_EXPIRED"
	case 0xc0000072:
		return "STATUS_ACCOUNT_DISABLED"
	case 0xc00000bb:
		return "STATUS_NOT_SUPPORTED"
	case 0xc00000cc:
		return "STATUS_BAD_NETWORK_NAME"
	case 0xc0000193:
		return "STATUS_ACCOUNT_EXPIRED"
	case 0xc0000203:
		return "STATUS_USER_SESSION_DELETED"
	case 0xc0000224:
		return "STATUS_PASSWORD_MUST_CHANGE"
	case 0xc0000234:
		return "STATUS_ACCOUNT_LOCKED_OUT"
	}
	return "UNKNOWN"
}
