package eve

import (
	"fmt"

	"gatehouse/flow"
	"gatehouse/wire"
)

// rdpClient is what a Remote Desktop client says of itself, in Suricata's words.
type rdpClient struct {
	Version         string   `json:"version"`
	Width           int      `json:"desktop_width"`
	Height          int      `json:"desktop_height"`
	ColorDepth      int      `json:"color_depth,omitempty"`
	KeyboardLayout  string   `json:"keyboard_layout"`
	Build           string   `json:"build"`
	Name            string   `json:"client_name,omitempty"`
	KeyboardType    string   `json:"keyboard_type,omitempty"`
	KeyboardSubtype uint32   `json:"keyboard_subtype,omitempty"`
	FunctionKeys    uint32   `json:"function_keys,omitempty"`
	IME             string   `json:"ime,omitempty"`
	ProductID       *int     `json:"product_id,omitempty"`
	Serial          uint32   `json:"serial_number,omitempty"`
	Capabilities    []string `json:"capabilities,omitempty"`
	DigProductID    string   `json:"id,omitempty"`
	Connection      string   `json:"connection_hint,omitempty"`
	PhysicalWidth   uint32   `json:"physical_width,omitempty"`
	PhysicalHeight  uint32   `json:"physical_height,omitempty"`
	Orientation     uint16   `json:"desktop_orientation,omitempty"`
	ScaleFactor     uint32   `json:"scale_factor,omitempty"`
	DeviceScale     uint32   `json:"device_scale_factor,omitempty"`
}

// rdpConnect writes what the ends say of themselves under RDP's own encryption.
func (w *Writer) rdpConnect(ev *flow.Event, m *wire.RDPConnect) error {
	body := &rdpBody{EventType: "connect_request", Channels: m.Channels}
	if m.Response {
		body.EventType = "connect_response"
	}
	if m.Client != nil {
		body.Client = rdpClientOf(m.Client)
	}
	w.begin("rdp", "rdp", &ev.Record, ev.Time)
	w.line.RDP = body
	return w.put()
}

func rdpClientOf(c *wire.RDPClient) *rdpClient {
	out := &rdpClient{
		Version: rdpVersion(c.Version), Width: c.Width, Height: c.Height, ColorDepth: c.ColorDepth,
		KeyboardLayout: localeName(c.KeyboardLayout), Build: windowsBuild(c.Build), Name: c.Name,
		KeyboardType: rdpKeyboard(c.KeyboardType), KeyboardSubtype: c.KeyboardSubtype, FunctionKeys: c.FunctionKeys, IME: c.IME,
		Serial: c.Serial, Capabilities: wire.RDPCapabilities(c.Capabilities), DigProductID: c.DigProductID,
		Connection: rdpConnection(c.ConnectionType), PhysicalWidth: c.PhysicalWidth, PhysicalHeight: c.PhysicalHeight,
		Orientation: c.Orientation, ScaleFactor: c.ScaleFactor, DeviceScale: c.DeviceScale,
	}
	if c.ProductID >= 0 {
		out.ProductID = &c.ProductID
	}
	return out
}

// unknownWord is what Suricata writes for a number without a name.
const unknownWord = "unknown"

// rdpVersion names the version of a client ([MS-RDPBCGR] section 2.2.1.3.2).
func rdpVersion(v uint32) string {
	const four, five, ten, newest = 0x00080001, 0x00080004, 0x00080005, 0x0008000c
	switch {
	case v == four:
		return "v4"
	case v == five:
		return "v5"
	case v >= ten && v <= newest:
		return fmt.Sprintf("v10.%d", v-ten)
	}
	return unknownWord
}

func rdpKeyboard(kind uint32) string {
	names := [...]string{"", "xt", "ico", "at", "enhanced", "1050", "9140", "jp"}
	if int64(kind) < int64(len(names)) {
		return names[kind]
	}
	return ""
}

func rdpConnection(kind uint8) string {
	names := [...]string{"", "modem", "low_broadband", "satellite", "high_broadband", "wan", "lan", "autodetect"}
	if int(kind) < len(names) {
		return names[kind]
	}
	return ""
}

// windowsBuild names a system by its build, with the release that Suricata adds.
func windowsBuild(build uint32) string {
	switch build {
	case 1381:
		return "Windows NT 4.0"
	case 2195:
		return "Windows 2000"
	case 2600:
		return "Windows XP"
	case 3790:
		return "Windows Server 2003"
	case 6000:
		return "Windows Vista RTM"
	case 6001:
		return "Windows Vista SP1"
	case 6002:
		return "Windows Vista SP2"
	case 7600:
		return "Windows 7 RTM"
	case 7601:
		return "Windows 7 SP1"
	case 9200:
		return "Windows 8"
	case 9600:
		return "Windows 8.1"
	case 10240:
		return "Windows 10 TH1"
	case 10586:
		return "Windows 10 TH2"
	case 14393:
		return "Windows 10 RS1"
	case 15063:
		return "Windows 10 RS2"
	case 16299:
		return "Windows 10 RS3"
	case 17134:
		return "Windows 10 RS4"
	case 17763:
		return "Windows 10 RS5"
	}
	return unknownWord
}

// localeName names the locale of a keyboard ([MS-LCID] section 2.2), of those
// that keyboards are sold for.
func localeName(id uint32) string {
	if regions := localeRegions(id >> 10); id < 1<<16 && regions != nil {
		if name := regions[id&0x3ff]; name != "" {
			return name
		}
	}
	return unknownWord
}

// localeRegions are the names by their language, for a region: the upper bits of
// a locale identifier.
func localeRegions(region uint32) map[uint32]string {
	switch region {
	case 1:
		return map[uint32]string{
			1: "ar-SA", 2: "bg-BG", 3: "ca-ES", 4: "zh-TW", 5: "cs-CZ", 6: "da-DK", 7: "de-DE", 8: "el-GR", 9: "en-US",
			10: "es-ES_tradnl", 11: "fi-FI", 12: "fr-FR", 13: "he-IL", 14: "hu-HU", 15: "is-IS", 16: "it-IT", 17: "ja-JP",
			18: "ko-KR", 19: "nl-NL", 20: "nb-NO", 21: "pl-PL", 22: "pt-BR", 24: "ro-RO", 25: "ru-RU", 26: "hr-HR",
			27: "sk-SK", 28: "sq-AL", 29: "sv-SE", 30: "th-TH", 31: "tr-TR", 32: "ur-PK", 33: "id-ID", 34: "uk-UA",
			35: "be-BY", 36: "sl-SI", 37: "et-EE", 38: "lv-LV", 39: "lt-LT", 41: "fa-IR", 42: "vi-VN", 43: "hy-AM",
			47: "mk-MK", 54: "af-ZA", 55: "ka-GE", 57: "hi-IN", 58: "mt-MT", 62: "ms-MY", 63: "kk-KZ", 69: "bn-IN", 73: "ta-IN",
			82: "cy-GB", 86: "gl-ES", 110: "lb-LU",
		}
	case 2:
		return map[uint32]string{
			1: "ar-IQ", 4: "zh-CN", 7: "de-CH", 9: "en-GB", 10: "es-MX", 12: "fr-BE", 16: "it-CH", 19: "nl-BE", 20: "nn-NO",
			22: "pt-PT", 26: "sr-Latn-CS", 29: "sv-FI", 60: "ga-IE",
		}
	case 3:
		return map[uint32]string{1: "ar-EG", 4: "zh-HK", 7: "de-AT", 9: "en-AU", 10: "es-ES", 12: "fr-CA", 26: "sr-Cyrl-CS"}
	case 4:
		return map[uint32]string{4: "zh-SG", 7: "de-LU", 9: "en-CA", 10: "es-GT", 12: "fr-CH", 26: "hr-BA"}
	case 5:
		return map[uint32]string{4: "zh-MO", 7: "de-LI", 9: "en-NZ", 10: "es-CR", 12: "fr-LU"}
	case 6:
		return map[uint32]string{1: "ar-MA", 9: "en-IE", 10: "es-PA", 12: "fr-MC"}
	case 7:
		return map[uint32]string{9: "en-ZA", 10: "es-DO"}
	case 11:
		return map[uint32]string{10: "es-AR"}
	case 13:
		return map[uint32]string{9: "en-PH", 10: "es-CL"}
	case 16:
		return map[uint32]string{9: "en-IN"}
	case 18:
		return map[uint32]string{9: "en-SG"}
	}
	return nil
}
