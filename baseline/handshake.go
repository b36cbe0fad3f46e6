package baseline

import (
	"cmp"
	"math"
)

// Endpoint identifies a TLS server as one client sees it. Levels are compared
// within it only: a device that speaks TLS 1.3 to one server and 1.0 to
// another has not been downgraded.
type Endpoint struct {
	Name string `json:"n"` // SNI, else the name it was looked up by, else the address
	Port uint16 `json:"o"`
}

func compareEndpoints(a, b Endpoint) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port))
}

// Client is an Endpoint as met by one TLS stack of the device.
type Client struct {
	Endpoint
	JA4 string `json:"j"`
}

func compareClients(a, b Client) int {
	return cmp.Or(compareEndpoints(a.Endpoint, b.Endpoint), cmp.Compare(a.JA4, b.JA4))
}

// Handshakes is what was learned from the handshakes of one Client.
type Handshakes struct {
	Count   uint16 `json:"c"` // saturating
	Version uint16 `json:"v"` // lowest version negotiated
	Cipher  uint8  `json:"k"` // lowest cipher class negotiated
	Suite   uint16 `json:"s"` // a cipher suite of that class, for the explanation
	Last    uint16 `json:"l"` // active day
}

// Chain is what was learned from the certificates of one Endpoint.
type Chain struct {
	Valid   uint16 `json:"v"` // handshakes with a valid chain, saturating
	Invalid uint16 `json:"i"` // handshakes with any other
	Issuer  string `json:"u"` // issuer of the last valid leaf
	Last    uint16 `json:"l"` // active day
}

// Clarity is what was learned of how a name is spoken to.
type Clarity struct {
	Encrypted uint16 `json:"e"` // flows with TLS, saturating
	Clear     uint16 `json:"c"` // flows without
	First     uint16 `json:"f"` // active day of the first flow with TLS
	Last      uint16 `json:"l"` // active day
}

// downgradePrior is the pseudo-count of device-days without a downgrade: per
// (destination, port, JA4) none was seen in 674 handshakes of real devices.
const downgradePrior = 125

// DowngradeP is the p-value of a level below the learned minimum after a
// number of active days.
func DowngradeP(days int) float64 { return 0.5 / float64(downgradePrior+days) }

// clearTextFactor is how much rarer clear text to a name that was always
// encrypted is than a lower TLS level.
const clearTextFactor = 0.1

// ClearTextP is the p-value of clear text to a name once encrypted, on a
// device that has done so before to other names a number of times: a browser
// follows old links, a camera does not.
func ClearTextP(before, days int) float64 {
	return min(1, clearTextFactor*(0.5+float64(before))/float64(downgradePrior+days))
}

// Bump adds one to a counter that stays at its maximum.
func Bump(n *uint16) {
	if *n < math.MaxUint16 {
		*n++
	}
}
