package eve

import (
	"encoding/hex"
	"fmt"

	"gatehouse/flow"
	"gatehouse/wire"
)

// dcerpcBody is Suricata's dcerpc object: an event of its own over TCP and UDP,
// part of the smb object for calls within a pipe.
type dcerpcBody struct {
	Request    string            `json:"request"`
	Response   string            `json:"response"`
	Opnum      *uint16           `json:"opnum,omitempty"` // in smb; else of req
	Req        *dcerpcReq        `json:"req,omitempty"`
	Res        *dcerpcRes        `json:"res,omitempty"`
	Interfaces []dcerpcInterface `json:"interfaces,omitempty"`
	Status     string            `json:"fault,omitempty"` // hex
	CallID     *uint32           `json:"call_id,omitempty"`
	Activity   string            `json:"activityuuid,omitempty"` // over UDP, as seqnum
	Sequence   *uint32           `json:"seqnum,omitempty"`
	Version    string            `json:"rpc_version,omitempty"`
}

type dcerpcReq struct {
	Opnum     *uint16 `json:"opnum,omitempty"`
	Fragments int     `json:"frag_cnt"`
	Size      int     `json:"stub_data_size"`
}

type dcerpcRes struct {
	Fragments int `json:"frag_cnt"`
	Size      int `json:"stub_data_size"`
}

type dcerpcInterface struct {
	UUID    string  `json:"uuid"`
	Version string  `json:"version"`
	Service string  `json:"service,omitempty"`
	Result  *uint16 `json:"ack_result,omitempty"`
	Reason  *uint16 `json:"ack_reason,omitempty"`
}

func (w *Writer) dcerpc(ev *flow.Event, m *wire.DCERPC) error {
	const extra = 8 // Suricata counts the header of an answer too, but within smb
	body := dcerpcOf(m)
	body.Version = fmt.Sprintf("%d.%d", m.Major, m.Minor)
	if body.Req != nil {
		body.Req.Opnum, body.Opnum = body.Opnum, nil
	}
	if m.Major == 4 {
		body.Activity, body.Sequence, body.CallID = uuidText(m.Activity), &m.CallID, nil
	} else if body.Res != nil {
		body.Res.Size += extra * body.Res.Fragments
	}
	w.begin("dcerpc", "dcerpc", &ev.Record, ev.Time)
	w.line.DCERPC = body
	return w.put()
}

// dcerpcOf is what a call within a pipe and one over TCP or UDP have in common.
func dcerpcOf(m *wire.DCERPC) *dcerpcBody {
	const call, response = 0, 2
	body := &dcerpcBody{Request: "REQUEST_LOST", Response: "UNREPLIED", CallID: &m.CallID}
	if m.Asked {
		body.Request = wire.DCERPCTypeName(m.Request)
	}
	if m.Answered {
		body.Response = wire.DCERPCTypeName(m.Response)
	}
	if m.Fault != 0 {
		body.Status = fmt.Sprintf("0x%x", m.Fault)
	}
	if m.Asked && m.Request == call {
		body.Opnum, body.Req = &m.Opnum, &dcerpcReq{Fragments: m.Sent.Fragments, Size: m.Sent.Size}
	}
	if m.Answered && m.Response == response {
		body.Res = &dcerpcRes{m.Received.Fragments, m.Received.Size}
	}
	for i := range m.Interfaces {
		body.Interfaces = append(body.Interfaces, dcerpcInterfaceOf(&m.Interfaces[i]))
	}
	return body
}

func dcerpcInterfaceOf(i *wire.DCERPCInterface) dcerpcInterface {
	id := uuidText(i.UUID)
	out := dcerpcInterface{UUID: id, Version: fmt.Sprintf("%d.%d", i.Major, i.Minor), Service: dcerpcService(id)}
	if i.Acked {
		out.Result, out.Reason = &i.Result, &i.Reason
	}
	return out
}

// uuidText writes a UUID in its usual form (RFC 9562 section 4).
func uuidText(id [16]byte) string {
	s := hex.EncodeToString(id[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// dcerpcService names an interface as its specification does ([MS-SAMR] and so
// on, IEC 61158-6-10 for PROFINET); "" for another.
func dcerpcService(id string) string {
	switch id {
	case "e1af8308-5d1f-11c9-91a4-08002b14a0fa":
		return "epmapper"
	case "afa8bd80-7d8a-11c9-bef4-08002b102989":
		return "mgmt"
	case "12345778-1234-abcd-ef00-0123456789ac":
		return "samr"
	case "12345778-1234-abcd-ef00-0123456789ab":
		return "lsarpc"
	case "12345678-1234-abcd-ef00-01234567cffb":
		return "netlogon"
	case "e3514235-4b06-11d1-ab04-00c04fc2dcd2":
		return "drsuapi"
	case "3919286a-b10c-11d0-9ba8-00c04fd92ef5":
		return "dssetup"
	case "4b324fc8-1670-01d3-1278-5a47bf6ee188":
		return "srvsvc"
	case "6bffd098-a112-3610-9833-46c3f87e345a":
		return "wkssvc"
	case "367abb81-9844-35f1-ad32-98f038001003":
		return "svcctl"
	case "1ff70682-0a51-30e8-076d-740be8cee98b":
		return "atsvc"
	case "86d35949-83c9-4044-b424-db363231fd0c":
		return "ITaskSchedulerService"
	case "338cd001-2244-31f1-aaaa-900038001003":
		return "winreg"
	case "12345678-1234-abcd-ef00-0123456789ab":
		return "spoolss"
	case "82273fdc-e32a-18c3-3f78-827929dc23ea":
		return "eventlog"
	case "f6beaff7-1e19-4fbb-9f8f-b89e2018337c":
		return "IEventService"
	case "c681d488-d850-11d0-8c52-00c04fd90f7e", "df1941c5-fe89-4e79-bf10-463657acf44d":
		return "efsrpc"
	case "4fc742e0-4a10-11cf-8273-00aa004ae673":
		return "netdfs"
	case "99fcfec4-5260-101b-bbcb-00aa0021347a":
		return "IObjectExporter"
	case "000001a0-0000-0000-c000-000000000046":
		return "IRemoteSCMActivator"
	case "4d9f4ab8-7d1c-11cf-861e-0020af6e7c57":
		return "IActivation"
	case "00000131-0000-0000-c000-000000000046":
		return "IRemUnknown"
	case "9556dc99-828c-11cf-a37e-00aa003240c7":
		return "IWbemServices"
	case "f309ad18-d86a-11d0-a075-00c04fb68820":
		return "IWbemLevel1Login"
	case "5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc":
		return "msgsvc"
	case "dea00001-6c97-11d1-8271-00a02442df7d":
		return "pnio_device"
	case "dea00002-6c97-11d1-8271-00a02442df7d":
		return "pnio_controller"
	}
	return ""
}
