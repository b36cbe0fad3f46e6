package device

import (
	"slices"
	"strings"
	"unicode"
)

// Type is a guess at what kind of thing a device is.
type Type string

// Types.
const (
	Unknown    Type = "unknown"
	Camera     Type = "camera"
	Hub        Type = "hub"
	Lock       Type = "lock"
	Printer    Type = "printer"
	Phone      Type = "phone"
	Tablet     Type = "tablet"
	Laptop     Type = "laptop"
	Computer   Type = "computer"
	Storage    Type = "storage"
	TV         Type = "tv"
	Thermostat Type = "thermostat"
	Speaker    Type = "speaker"
	Plug       Type = "plug"
	Light      Type = "light"
	Sensor     Type = "sensor"
	Appliance  Type = "appliance"
	Console    Type = "console"
	Router     Type = "router"
	PLC        Type = "plc"
)

// typeOfService maps mDNS service types (registered at
// https://www.iana.org/assignments/service-names-port-numbers) that only one
// kind of device offers. Earlier rows win.
var typeOfService = []struct {
	service string
	typ     Type
}{
	{"_ipp._tcp", Printer},
	{"_ipps._tcp", Printer},
	{"_pdl-datastream._tcp", Printer},
	{"_printer._tcp", Printer},
	{"_scanner._tcp", Printer},
	{"_uscan._tcp", Printer},
	{"_axis-video._tcp", Camera},
	{"_rtsp._tcp", Camera},
	{"_hue._tcp", Hub},
	{"_matterc._udp", Hub},
	{"_androidtvremote._tcp", TV},
	{"_androidtvremote2._tcp", TV},
	{"_amzn-wplay._tcp", TV},
	{"_roku-rcp._tcp", TV},
	{"_webos-second-screen._tcp", TV},
	{"_samsungmsf._tcp", TV},
	{"_sonos._tcp", Speaker},
	{"_spotify-connect._tcp", Speaker},
	{"_raop._tcp", Speaker},
	{"_googlecast._tcp", TV},
	{"_airplay._tcp", TV},
	{"_apple-mobdev2._tcp", Phone},
	{"_companion-link._tcp", Computer},
	{"_adisk._tcp", Storage},
	{"_nfs._tcp", Storage},
	{"_esphomelib._tcp", Sensor},
	{"_shelly._tcp", Plug},
	{"_miio._udp", Appliance},
	{"_nvstream._tcp", Computer},
	{"_workstation._tcp", Computer},
	{"_rfb._tcp", Computer},
	{"_smb._tcp", Computer},
}

// typeOfWord maps words of host names and models. A word matches as a whole
// or, with a "*", as a beginning or an ending. Earlier rows win.
var typeOfWord = []struct {
	word string
	typ  Type
}{
	{"doorbell*", Camera},
	{"webcam*", Camera},
	{"ipcam*", Camera},
	{"ipcamera*", Camera},
	{"camera*", Camera},
	{"*cam", Camera},
	{"iotcam*", Camera},
	{"dcs", Camera},
	{"nvr", Camera},
	{"dvr", Camera},
	{"reolink*", Camera},
	{"wyzecam*", Camera},
	{"blink", Camera},
	{"thermostat*", Thermostat},
	{"ecobee*", Thermostat},
	{"tado*", Thermostat},
	{"chromecast*", TV},
	{"roku*", TV},
	{"appletv*", TV},
	{"firetv*", TV},
	{"bravia*", TV},
	{"tv", TV},
	{"smarttv*", TV},
	{"webostv*", TV},
	{"lgwebostv*", TV},
	{"homepod*", Speaker},
	{"echo", Speaker},
	{"sonos*", Speaker},
	{"speaker*", Speaker},
	{"soundbar*", Speaker},
	{"soundtouch*", Speaker},
	{"plc", PLC},
	{"s7", PLC},
	{"simatic*", PLC},
	{"et200*", PLC},
	{"controllogix*", PLC},
	{"compactlogix*", PLC},
	{"micrologix*", PLC},
	{"modicon*", PLC},
	{"plug*", Plug},
	{"smartplug*", Plug},
	{"outlet*", Plug},
	{"hs100", Plug},
	{"hs110", Plug},
	{"hs103", Plug},
	{"hs105", Plug},
	{"kp115", Plug},
	{"dsp", Plug},
	{"wemo*", Plug},
	{"switch", Plug},
	{"hub*", Hub},
	{"bridge*", Hub},
	{"smartthings*", Hub},
	{"dch", Hub},
	{"lock", Lock},
	{"lockly*", Lock},
	{"smartlock*", Lock},
	{"doorlock*", Lock},
	{"bulb*", Light},
	{"lamp*", Light},
	{"light*", Light},
	{"hue", Light},
	{"lifx*", Light},
	{"wled*", Light},
	{"sensor*", Sensor},
	{"weather*", Sensor},
	{"meter*", Sensor},
	{"printer*", Printer},
	{"laserjet*", Printer},
	{"officejet*", Printer},
	{"deskjet*", Printer},
	{"envy", Printer},
	{"npi*", Printer},
	{"brn*", Printer},
	{"brw*", Printer},
	{"epson*", Printer},
	{"ipad*", Tablet},
	{"tablet*", Tablet},
	{"iphone*", Phone},
	{"android*", Phone},
	{"galaxy*", Phone},
	{"pixel*", Phone},
	{"oneplus*", Phone},
	{"phone*", Phone},
	{"redmi*", Phone},
	{"macbook*", Laptop},
	{"mbp", Laptop},
	{"laptop*", Laptop},
	{"notebook*", Laptop},
	{"thinkpad*", Laptop},
	{"chromebook*", Laptop},
	{"nas", Storage},
	{"diskstation*", Storage},
	{"synology*", Storage},
	{"qnap*", Storage},
	{"truenas*", Storage},
	{"desktop*", Computer},
	{"imac*", Computer},
	{"pc", Computer},
	{"raspberrypi*", Computer},
	{"workstation*", Computer},
	{"server*", Computer},
	{"playstation*", Console},
	{"ps4", Console},
	{"ps5", Console},
	{"xbox*", Console},
	{"nintendo*", Console},
	{"kettle*", Appliance},
	{"ikettle*", Appliance},
	{"coffee*", Appliance},
	{"washer*", Appliance},
	{"dryer*", Appliance},
	{"fridge*", Appliance},
	{"oven*", Appliance},
	{"roomba*", Appliance},
	{"vacuum*", Appliance},
	{"roborock*", Appliance},
	{"gateway*", Hub},
	{"router*", Router},
	{"accesspoint*", Router},
	{"ap", Router},
	{"openwrt*", Router},
	{"unifi*", Router},
}

// typeOfClass maps beginnings of DHCP vendor classes (option 60).
var typeOfClass = []struct {
	class string
	typ   Type
}{
	{"MSFT 5.0", Computer}, // every Windows since 2000
	{"android-dhcp", Phone},
	{"dhcpcd", Computer},
	{"Hewlett-Packard JetDirect", Printer},
	{"Mfg=", Printer}, // printers' Mfg=...;Typ=Printer;Mod=...
	{"PXEClient", Computer},
	{"ubnt", Router},
	{"Cisco AP", Router},
	{"ArubaAP", Router},
	{"AAPLBSDPC", Computer},
	{"SIMATIC", PLC},
}

// typeOfVendor maps vendors that make one kind of thing only, or nearly so.
var typeOfVendor = map[string]Type{
	"Amcrest": Camera, "Arlo": Camera, "Axis": Camera, "Dahua": Camera, "Foscam": Camera, "Hikvision": Camera, "Reolink": Camera,
	"Ring": Camera, "Vivotek": Camera, "Mobotix": Camera, "Hanwha": Camera, "GeoVision": Camera, "EZVIZ": Camera, "Wyze": Camera,
	"Blink": Camera, "Uniview": Camera, "Tiandy": Camera, "Xiongmai": Camera,
	"Philips Hue": Hub, "Fibaro": Hub, "eQ-3": Hub, "Insteon": Hub, "Control4": Hub, "Lutron": Hub,
	"Sonos": Speaker, "Bose": Speaker, "Bang & Olufsen": Speaker, "Devialet": Speaker, "Denon Marantz": Speaker,
	"Roku": TV, "Vizio": TV,
	"ecobee": Thermostat, "tado": Thermostat, "Honeywell Home": Thermostat, "Resideo": Thermostat,
	"Brother": Printer, "Epson": Printer, "Lexmark": Printer, "Kyocera": Printer, "Xerox": Printer, "Ricoh": Printer, "Konica Minolta": Printer, "OKI": Printer, "Canon": Printer,
	"Raspberry Pi": Computer, "Dell": Computer, "Lenovo": Computer, "Hardkernel": Computer, "PC Engines": Computer, "VMware": Computer, "VirtualBox": Computer, "Supermicro": Computer,
	"Synology": Storage, "QNAP": Storage, "Drobo": Storage,
	"Nintendo": Console,
	"LIFX":     Light, "Yeelight": Light, "Osram": Light, "Ledvance": Light,
	"Meross": Plug, "Shelly": Plug, "Sonoff": Plug,
	"Netatmo": Sensor, "Fitbit": Sensor, "Withings": Sensor, "Landis+Gyr": Sensor,
	"iRobot": Appliance, "Roborock": Appliance, "Ecovacs": Appliance, "Smarter": Appliance, "Miele": Appliance,
	"August": Lock, "Yale": Lock, "Assa Abloy": Lock,
	"OnePlus": Phone, "Motorola": Phone, "OPPO": Phone, "vivo": Phone,
	"Siemens": PLC, "Rockwell Automation": PLC, "Schneider Electric": PLC, "Phoenix Contact": PLC, "WAGO": PLC, "Beckhoff": PLC, "Omron": PLC, "B&R": PLC, "AutomationDirect": PLC, "Koyo": PLC, "Opto 22": PLC, "Hilscher": PLC,
	"MikroTik": Router, "Juniper": Router, "eero": Router, "DrayTek": Router, "Check Point": Router, "Fortinet": Router, "Ruckus": Router, "Aruba": Router, "AVM": Router, "GL.iNet": Router, "Teltonika": Router, "Turris": Router, "Lancom": Router,
}

// classify guesses the type anew from the best evidence at hand: what it does,
// what it offers, what it is called, its DHCP client, its maker. A device can
// lie about any of it; the first two are merely harder to get wrong by
// accident.
func (v *Inventory) classify(d *Device) {
	d.Type, d.TypeEvidence = d.guessType()
}

// guessType goes through the evidence from best to worst.
func (d *Device) guessType() (t Type, evidence string) {
	switch {
	case d.Gateway:
		return Router, "forwards to the WAN"
	case d.Router:
		return Router, "forwards for other addresses"
	}
	for _, row := range typeOfService {
		if !slices.Contains(d.Services, row.service) {
			continue
		}
		if row.typ == TV && d.isSpeaker() {
			return Speaker, "mDNS " + row.service + ", model " + d.Model
		}
		return row.typ, "mDNS " + row.service
	}
	if t, w := typeFromWords(d.Model); t != Unknown {
		return t, "model " + w
	}
	for _, h := range d.Hostnames {
		if t, w := typeFromWords(h.Name); t != Unknown {
			return t, "name " + w
		}
	}
	if d.DHCP != nil {
		for _, row := range typeOfClass {
			if strings.HasPrefix(d.DHCP.Vendor, row.class) {
				return row.typ, "DHCP vendor class " + row.class
			}
		}
	}
	if t, ok := typeOfVendor[d.Vendor]; ok {
		return t, "vendor " + d.Vendor
	}
	return Unknown, ""
}

// isSpeaker tells the speakers among what can be cast to.
func (d *Device) isSpeaker() bool {
	t, _ := typeFromWords(d.Model)
	m := strings.ToLower(d.Model)
	return t == Speaker || strings.Contains(m, "home mini") || strings.Contains(m, "nest mini") || strings.Contains(m, "google home") || strings.HasPrefix(m, "audioaccessory")
}

// typeFromWords looks for telling words in a host name or model.
func typeFromWords(name string) (Type, string) {
	if name == "" {
		return Unknown, ""
	}
	words := splitWords(name)
	for _, row := range typeOfWord {
		beginning, isBeginning := strings.CutSuffix(row.word, "*")
		ending, isEnding := strings.CutPrefix(row.word, "*")
		for _, w := range words {
			if w == row.word || isBeginning && strings.HasPrefix(w, beginning) || isEnding && strings.HasSuffix(w, ending) {
				return row.typ, w
			}
		}
	}
	return Unknown, ""
}

// splitWords splits a name into lower-case words at everything that is neither
// letter nor digit, and where "DoorCam" changes case.
func splitWords(name string) []string {
	var words []string
	var cur []rune
	flush := func() {
		if len(cur) > 0 {
			words = append(words, strings.ToLower(string(cur)))
			cur = cur[:0]
		}
	}
	var prev rune
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
		case unicode.IsUpper(r) && unicode.IsLower(prev) && len(cur) > 2:
			flush()
			cur = append(cur, r)
		default:
			cur = append(cur, r)
		}
		prev = r
	}
	flush()
	return words
}
