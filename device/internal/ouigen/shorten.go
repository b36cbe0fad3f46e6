package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName bounds a vendor's name in runes; what is longer is cut at a word.
const maxName = 32

// brands are the names by which people know vendors whose registered name is
// something else. The key is a lower-case prefix of the registered name, at a
// word boundary; the longest wins.
var brands = map[string]string{
	"amazon":                       "Amazon",
	"amcrest":                      "Amcrest",
	"apple":                        "Apple",
	"arlo":                         "Arlo",
	"asustek":                      "ASUS",
	"avm":                          "AVM",
	"axis communications":          "Axis",
	"beckhoff":                     "Beckhoff",
	"belkin":                       "Belkin",
	"bose":                         "Bose",
	"broadcom":                     "Broadcom",
	"brother industries":           "Brother",
	"canon":                        "Canon",
	"check point software":         "Check Point",
	"cisco":                        "Cisco",
	"cisco-linksys":                "Linksys",
	"d-link":                       "D-Link",
	"d & m holdings":               "Denon Marantz",
	"dahua":                        "Dahua",
	"zhejiang dahua":               "Dahua",
	"dell":                         "Dell",
	"ecobee":                       "ecobee",
	"edimax":                       "Edimax",
	"eero":                         "eero",
	"espressif":                    "Espressif",
	"fibar":                        "Fibaro",
	"fitbit":                       "Fitbit",
	"google":                       "Google",
	"hangzhou hikvision":           "Hikvision",
	"hewlett packard":              "HP",
	"hewlett packard enterprise":   "Hewlett Packard Enterprise",
	"hon hai precision":            "Hon Hai (Foxconn)",
	"hp":                           "HP",
	"huawei":                       "Huawei",
	"ibm":                          "IBM",
	"ieee registration authority":  "",
	"intel":                        "Intel",
	"irobot":                       "iRobot",
	"juniper networks":             "Juniper",
	"lg electronics":               "LG",
	"lg innotek":                   "LG Innotek",
	"liteon":                       "Lite-On",
	"microsoft":                    "Microsoft",
	"mitsubishi electric":          "Mitsubishi Electric",
	"motorola mobility":            "Motorola",
	"murata":                       "Murata",
	"nest labs":                    "Nest",
	"netatmo":                      "Netatmo",
	"netgear":                      "Netgear",
	"nintendo":                     "Nintendo",
	"omron":                        "Omron",
	"oneplus":                      "OnePlus",
	"philips lighting":             "Philips Hue",
	"phoenix contact":              "Phoenix Contact",
	"private":                      "",
	"qnap":                         "QNAP",
	"raspberry pi":                 "Raspberry Pi",
	"realtek":                      "Realtek",
	"ring":                         "Ring",
	"rockwell automation":          "Rockwell Automation",
	"roku":                         "Roku",
	"samsung":                      "Samsung",
	"schneider electric":           "Schneider Electric",
	"seiko epson":                  "Epson",
	"siemens":                      "Siemens",
	"signify":                      "Philips Hue",
	"sonos":                        "Sonos",
	"sony":                         "Sony",
	"sony mobile":                  "Sony Mobile",
	"synology":                     "Synology",
	"texas instruments":            "Texas Instruments",
	"tp-link":                      "TP-Link",
	"tuya":                         "Tuya",
	"ubiquiti":                     "Ubiquiti",
	"vmware":                       "VMware",
	"wago":                         "WAGO",
	"xiaomi":                       "Xiaomi",
	"zte":                          "ZTE",
	"zyxel":                        "Zyxel",
	"reolink":                      "Reolink",
	"withings":                     "Withings",
	"hui zhou gaoshengda":          "Gaoshengda",
	"azurewave":                    "AzureWave",
	"shenzhen bilian":              "Bilian",
	"pcs systemtechnik":            "VirtualBox",
	"cadmus computer systems":      "VirtualBox",
	"hilscher":                     "Hilscher",
	"gainspan":                     "GainSpan",
	"3com":                         "3Com",
	"hi-flying":                    "Hi-Flying",
	"high-flying":                  "High-Flying",
	"shanghai high-flying":         "High-Flying",
	"eq-3":                         "eQ-3",
	"tado":                         "tado",
	"shenzhen tuya":                "Tuya",
	"sercomm":                      "Sercomm",
	"ademco":                       "Honeywell Home",
	"honeywell":                    "Honeywell",
	"resideo":                      "Resideo",
	"yealink":                      "Yealink",
	"mikrotik":                     "MikroTik",
	"routerboard":                  "MikroTik",
	"lifx":                         "LIFX",
	"lifi labs":                    "LIFX",
	"wyze":                         "Wyze",
	"immedia semiconductor":        "Blink",
	"technicolor":                  "Technicolor",
	"arris":                        "Arris",
	"sagemcom":                     "Sagemcom",
	"universal global scientific":  "USI",
	"wistron neweb":                "Wistron Neweb",
	"quanta":                       "Quanta",
	"compal":                       "Compal",
	"moxa":                         "Moxa",
	"advantech":                    "Advantech",
	"abb":                          "ABB",
	"general electric":             "General Electric",
	"emerson":                      "Emerson",
	"yokogawa":                     "Yokogawa",
	"bosch":                        "Bosch",
	"robert bosch":                 "Bosch",
	"tesla":                        "Tesla",
	"lutron":                       "Lutron",
	"ecolink":                      "Ecolink",
	"silicon laboratories":         "Silicon Labs",
	"nordic semiconductor":         "Nordic",
	"stmicroelectronics":           "STMicroelectronics",
	"microchip":                    "Microchip",
	"lenovo":                       "Lenovo",
	"acer":                         "Acer",
	"msi":                          "MSI",
	"giga-byte":                    "Gigabyte",
	"nvidia":                       "NVIDIA",
	"lexmark":                      "Lexmark",
	"kyocera":                      "Kyocera",
	"xerox":                        "Xerox",
	"ricoh":                        "Ricoh",
	"konica minolta":               "Konica Minolta",
	"oki electric":                 "OKI",
	"guangdong oppo":               "OPPO",
	"vivo mobile":                  "vivo",
	"bbk electronics":              "BBK",
	"htc":                          "HTC",
	"nokia":                        "Nokia",
	"hmd global":                   "Nokia",
	"tcl":                          "TCL",
	"vizio":                        "Vizio",
	"hisense":                      "Hisense",
	"panasonic":                    "Panasonic",
	"sharp":                        "Sharp",
	"toshiba":                      "Toshiba",
	"philips":                      "Philips",
	"dyson":                        "Dyson",
	"miele":                        "Miele",
	"bsh hausgeräte":               "BSH Home Appliances",
	"vorwerk":                      "Vorwerk",
	"roborock":                     "Roborock",
	"ecovacs":                      "Ecovacs",
	"meross":                       "Meross",
	"shelly":                       "Shelly",
	"allterco":                     "Shelly",
	"smarter applications":         "Smarter",
	"ewelink":                      "eWeLink",
	"coolkit":                      "eWeLink",
	"itead":                        "Sonoff",
	"aqara":                        "Aqara",
	"lumi united":                  "Aqara",
	"ikea":                         "IKEA",
	"osram":                        "Osram",
	"ledvance":                     "Ledvance",
	"insteon":                      "Insteon",
	"smartlabs":                    "Insteon",
	"control4":                     "Control4",
	"crestron":                     "Crestron",
	"august home":                  "August",
	"yale":                         "Yale",
	"assa abloy":                   "Assa Abloy",
	"somfy":                        "Somfy",
	"chamberlain":                  "Chamberlain",
	"rachio":                       "Rachio",
	"enphase":                      "Enphase",
	"solaredge":                    "SolarEdge",
	"sma solar":                    "SMA Solar",
	"fronius":                      "Fronius",
	"vivint":                       "Vivint",
	"simplisafe":                   "SimpliSafe",
	"ezviz":                        "EZVIZ",
	"foscam":                       "Foscam",
	"vivotek":                      "Vivotek",
	"hanwha":                       "Hanwha",
	"mobotix":                      "Mobotix",
	"geovision":                    "GeoVision",
	"anker":                        "Anker",
	"eufy":                         "eufy",
	"logitech":                     "Logitech",
	"harman":                       "Harman",
	"bang & olufsen":               "Bang & Olufsen",
	"devialet":                     "Devialet",
	"linn products":                "Linn",
	"valve":                        "Valve",
	"oculus":                       "Oculus",
	"facebook":                     "Meta",
	"meta platforms":               "Meta",
	"peloton":                      "Peloton",
	"garmin":                       "Garmin",
	"western digital":              "Western Digital",
	"seagate":                      "Seagate",
	"buffalo":                      "Buffalo",
	"drobo":                        "Drobo",
	"super micro computer":         "Supermicro",
	"fortinet":                     "Fortinet",
	"palo alto networks":           "Palo Alto Networks",
	"aruba":                        "Aruba",
	"ruckus":                       "Ruckus",
	"extreme networks":             "Extreme Networks",
	"brocade":                      "Brocade",
	"arista":                       "Arista",
	"alcatel-lucent":               "Alcatel-Lucent",
	"ericsson":                     "Ericsson",
	"fiberhome":                    "FiberHome",
	"tenda":                        "Tenda",
	"shenzhen tenda":               "Tenda",
	"mercury":                      "Mercury",
	"shenzhen mercury":             "Mercury",
	"draytek":                      "DrayTek",
	"trendnet":                     "TRENDnet",
	"linksys":                      "Linksys",
	"actiontec":                    "Actiontec",
	"gl technologies":              "GL.iNet",
	"turris":                       "Turris",
	"cz.nic":                       "Turris",
	"lancom":                       "Lancom",
	"teltonika":                    "Teltonika",
	"sierra wireless":              "Sierra Wireless",
	"telit":                        "Telit",
	"u-blox":                       "u-blox",
	"quectel":                      "Quectel",
	"fn-link":                      "FN-Link",
	"ampak":                        "AMPAK",
	"chongqing fugui":              "Foxconn",
	"hongfujin":                    "Foxconn",
	"cloud network technology":     "Foxconn",
	"winstars":                     "Winstars",
	"bouffalo":                     "Bouffalo Lab",
	"beken":                        "Beken",
	"shenzhen four seas":           "Four Seas",
	"hangzhou meari":               "Meari",
	"logic instrument":             "Logic Instrument",
	"b&r industrial automation":    "B&R",
	"pilz":                         "Pilz",
	"turck":                        "Turck",
	"sick":                         "SICK",
	"festo":                        "Festo",
	"keyence":                      "Keyence",
	"fanuc":                        "Fanuc",
	"kuka":                         "KUKA",
	"delta electronics":            "Delta Electronics",
	"koyo electronics":             "Koyo",
	"automationdirect":             "AutomationDirect",
	"lantronix":                    "Lantronix",
	"digi international":           "Digi",
	"red lion controls":            "Red Lion",
	"opto 22":                      "Opto 22",
	"prosoft":                      "ProSoft",
	"hirschmann":                   "Hirschmann",
	"weidmüller":                   "Weidmüller",
	"weidmueller":                  "Weidmüller",
	"endress":                      "Endress+Hauser",
	"johnson controls":             "Johnson Controls",
	"trane":                        "Trane",
	"carrier":                      "Carrier",
	"daikin":                       "Daikin",
	"danfoss":                      "Danfoss",
	"viessmann":                    "Viessmann",
	"vaillant":                     "Vaillant",
	"grundfos":                     "Grundfos",
	"landis":                       "Landis+Gyr",
	"itron":                        "Itron",
	"american power conversion":    "APC",
	"eaton":                        "Eaton",
	"vertiv":                       "Vertiv",
	"raritan":                      "Raritan",
	"axiomtek":                     "Axiomtek",
	"kontron":                      "Kontron",
	"pc engines":                   "PC Engines",
	"hardkernel":                   "Hardkernel",
	"wiznet":                       "WIZnet",
	"arduino":                      "Arduino",
	"adafruit":                     "Adafruit",
	"particle":                     "Particle",
	"beagleboard":                  "BeagleBoard",
	"xensource":                    "Xen",
	"parallels":                    "Parallels",
	"qemu":                         "QEMU",
	"tp link":                      "TP-Link",
	"hangzhou ezviz":               "EZVIZ",
	"new h3c":                      "H3C",
	"h3c":                          "H3C",
	"hangzhou h3c":                 "H3C",
	"ruijie":                       "Ruijie",
	"skyworth":                     "Skyworth",
	"shenzhen skyworth":            "Skyworth",
	"changhong":                    "Changhong",
	"konka":                        "Konka",
	"haier":                        "Haier",
	"qingdao haier":                "Haier",
	"midea":                        "Midea",
	"gd midea":                     "Midea",
	"gree":                         "Gree",
	"beijing xiaomi":               "Xiaomi",
	"xiaomi communications":        "Xiaomi",
	"yeelink":                      "Yeelight",
	"qingdao yeelink":              "Yeelight",
	"zhimi":                        "Smartmi",
	"chuangmi":                     "Chuangmi",
	"shanghai chuangmi":            "Chuangmi",
	"shanghai xiaoyi":              "YI",
	"nanjing qinheng":              "WCH",
	"shenzhen reecam":              "Reecam",
	"shenzhen ogemray":             "Ogemray",
	"hichip":                       "HiChip",
	"shenzhen hichip":              "HiChip",
	"xiongmai":                     "Xiongmai",
	"hangzhou xiongmai":            "Xiongmai",
	"tiandy":                       "Tiandy",
	"uniview":                      "Uniview",
	"zhejiang uniview":             "Uniview",
	"sichuan ai-link":              "Ai-Link",
	"espressif systems (shanghai)": "Espressif",
}

// legal are the words that say what kind of company it is: noise to a reader
// who wants to know whose device it is. They are dropped from the end only.
var legal = map[string]bool{
	"inc": true, "incorporated": true, "corp": true, "corporation": true, "co": true, "company": true,
	"ltd": true, "limited": true, "llc": true, "lc": true, "lp": true, "llp": true, "plc": true, "pte": true, "pty": true,
	"gmbh": true, "ag": true, "kg": true, "mbh": true, "ug": true, "ohg": true, "se": true, "ev": true, "&": true, "und": true, "and": true,
	"sa": true, "sas": true, "sarl": true, "spa": true, "srl": true, "sro": true, "as": true, "a/s": true, "aps": true, "asa": true,
	"bv": true, "nv": true, "ab": true, "oy": true, "oyj": true, "kft": true, "zrt": true, "doo": true, "ooo": true, "jsc": true, "kk": true,
	"sdn": true, "bhd": true, "sl": true, "slu": true, "sau": true, "ltda": true, "sp": true, "zoo": true, "ind": true, "int'l": true, "pvt": true, "private": true,
	"international": true, "technologies": true, "technology": true, "holdings": true, "holding": true, "group": true, "foundation": true, "trading": true,
}

// shorten turns a registered organisation into a name for people:
// "Texas Instruments Incorporated" -> "Texas Instruments", "TP-LINK
// TECHNOLOGIES CO.,LTD." -> "TP-Link". It returns "" for a private assignment
// and for prefixes that were handed on to smaller blocks.
func shorten(org string) string {
	org = strings.Join(strings.Fields(clean(org)), " ")
	if name, ok := brand(strings.ToLower(org)); ok {
		return name
	}
	if i := strings.IndexAny(org, "(["); i > 0 {
		org = org[:i]
	}
	words := strings.FieldsFunc(org, func(r rune) bool { return r == ' ' || r == ',' || r == ';' })
	for len(words) > 1 {
		last := words[len(words)-1]
		bare := strings.ReplaceAll(strings.ToLower(last), ".", "")
		if bare != "" && !legal[bare] && !allLegal(last) {
			break
		}
		words = words[:len(words)-1]
	}
	for i, w := range words {
		words[i] = calm(w)
	}
	return cut(strings.Trim(strings.Join(words, " "), " .,-&"))
}

// brand finds the longest known beginning of a lower-case name.
func brand(org string) (name string, ok bool) {
	best := -1
	for k, v := range brands {
		if len(k) <= best || !strings.HasPrefix(org, k) {
			continue
		}
		if rest := org[len(k):]; rest != "" {
			if r, _ := utf8.DecodeRuneInString(rest); unicode.IsLetter(r) || unicode.IsDigit(r) {
				continue
			}
		}
		best, name = len(k), v
	}
	return name, best >= 0
}

// allLegal tells compounds such as "Co.Ltd".
func allLegal(word string) bool {
	for part := range strings.SplitSeq(strings.Trim(strings.ToLower(word), "."), ".") {
		if !legal[part] {
			return false
		}
	}
	return true
}

// calm lowers a word that shouts: five letters or more in capitals are a name,
// fewer are likely an abbreviation.
func calm(word string) string {
	letters := 0
	for _, r := range word {
		switch {
		case unicode.IsUpper(r):
			letters++
		case unicode.IsLower(r), unicode.IsDigit(r):
			return word
		}
	}
	if letters < 5 {
		return word
	}
	out := []rune(strings.ToLower(word))
	up := true
	for i, r := range out {
		if up {
			out[i] = unicode.ToUpper(r)
		}
		up = r == '-' || r == '/' || r == '&'
	}
	return string(out)
}

func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

func cut(s string) string {
	if utf8.RuneCountInString(s) <= maxName {
		return s
	}
	short := string([]rune(s)[:maxName])
	if i := strings.LastIndexByte(short, ' '); i > maxName/2 {
		short = short[:i]
	}
	return strings.TrimRight(short, " .,-&")
}
