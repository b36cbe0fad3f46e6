package format

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/alert"
)

// readLEEF reads an event as IBM's "Log Event Extended Format, version 2" says,
// from which it is written, and not from what we write. There is no escape: a
// pipe ends a field of the header, and the delimiter that the header names ends
// an attribute.
func readLEEF(line string) (header []string, attributes map[string]string, err error) {
	rest, ok := strings.CutPrefix(line, "LEEF:2.0|")
	if !ok || strings.ContainsAny(line, "\r\n") {
		return nil, nil, errors.New("is no line of LEEF 2.0")
	}
	for range 5 { // vendor, product, version, event id, delimiter
		field, after, ok := strings.Cut(rest, "|")
		if !ok || field == "" {
			return nil, nil, fmt.Errorf("field %d of the header is empty or missing", len(header)+1)
		}
		header, rest = append(header, field), after
	}
	delimiter, err := leefDelimiter(header[4])
	if err != nil {
		return nil, nil, err
	}
	attributes = make(map[string]string)
	for pair := range strings.SplitSeq(rest, delimiter) {
		key, value, ok := strings.Cut(pair, "=")
		switch _, repeated := attributes[key]; {
		case !ok || value == "":
			return nil, nil, fmt.Errorf("attribute %q has no value", pair)
		case repeated:
			return nil, nil, fmt.Errorf("attribute %s comes twice", key)
		}
		attributes[key] = value
	}
	return header, attributes, nil
}

// leefDelimiter is one character, or x or 0x and up to four hexadecimal digits.
func leefDelimiter(text string) (string, error) {
	if len([]rune(text)) == 1 {
		return text, nil
	}
	digits, ok := strings.CutPrefix(strings.TrimPrefix(text, "0"), "x")
	n, err := strconv.ParseUint(digits, 16, 16)
	if !ok || err != nil || len(digits) > 4 {
		return "", fmt.Errorf("delimiter %q", text)
	}
	return string(rune(n)), nil
}

// leefKeys are the keys that the guide defines, with what their values have to
// be; nil for any text.
var leefKeys = map[string]func(string) error{
	"cat": nil, "devTimeFormat": nil, "usrName": nil, "identHostName": nil, "identNetBios": nil, "identGrpName": nil,
	"vSrcName": nil, "accountName": nil, "role": nil, "realm": nil, "policy": nil, "resource": nil, "url": nil, "groupID": nil,
	"domain": nil, "isLoginEvent": nil, "isLogoutEvent": nil, "calLanguage": nil, "calCountryOrRegion": nil, "proto": nil,
	"devTime": leefTime, "sev": leefInteger(1, 10),
	"src": leefAddress, "dst": leefAddress, "srcPreNAT": leefAddress, "dstPreNAT": leefAddress, "srcPostNAT": leefAddress, "dstPostNAT": leefAddress,
	"identSrc": leefAddress, "identSecondlp": leefAddress, "vSrc": leefAddress,
	"srcPort": leefPort, "dstPort": leefPort, "srcPreNATPort": leefPort, "dstPreNATPort": leefPort, "srcPostNATPort": leefPort, "dstPostNATPort": leefPort,
	"srcMAC": leefMAC, "dstMAC": leefMAC, "identMAC": leefMAC,
	"srcBytes": nil, "dstBytes": nil, "srcPackets": nil, "dstPackets": nil, "totalPackets": nil,
}

var leefPort = leefInteger(0, 65535)

func leefInteger(from, to int) func(string) error {
	return func(s string) error {
		if n, err := strconv.Atoi(s); err != nil || n < from || n > to {
			return fmt.Errorf("%q is not %d to %d", s, from, to)
		}
		return nil
	}
}

// leefTime is milliseconds since the epoch, which is what a time without a
// devTimeFormat may be.
func leefTime(s string) error {
	_, err := strconv.ParseInt(s, 10, 64)
	return err
}

func leefAddress(s string) error {
	_, err := netip.ParseAddr(s)
	return err
}

func leefMAC(s string) error {
	_, err := net.ParseMAC(s)
	return err
}

// leefWord is what the guide wants of a key.
var leefWord = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// checkLEEF holds an event to the guide: its keys and what they stand for, and
// that ours are not taken for those that it defines.
func checkLEEF(attributes map[string]string) error {
	for _, key := range []string{"devTime", "sev"} {
		if attributes[key] == "" {
			return fmt.Errorf("%s is missing", key)
		}
	}
	for key, value := range attributes {
		check, defined := leefKeys[key]
		if check != nil {
			if err := check(value); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
		if !leefWord.MatchString(key) {
			return fmt.Errorf("key %q is not one word of letters and digits", key)
		}
		for name := range leefKeys {
			if !defined && strings.EqualFold(name, key) {
				return fmt.Errorf("key %s is easily taken for %s", key, name)
			}
		}
	}
	return nil
}

func TestReadLEEF(t *testing.T) {
	for _, good := range []string{
		"LEEF:2.0|Lancope|StealthWatch|1.0|41|^|src=10.0.1.8^dst=10.0.0.5^sev=5^srcPort=81^dstPort=21",
		"LEEF:2.0|Vendor|Product|Version|Event|0x5E|src=10.0.1.8^msg=a=b",
		"LEEF:2.0|Vendor|Product|Version|Event|x9|src=10.0.1.8\tmsg=a|b",
	} {
		if _, got, err := readLEEF(good); err != nil || got["src"] != "10.0.1.8" {
			t.Errorf("%s: %q, %v", good, got, err)
		}
	}
	for _, bad := range []string{
		"", "LEEF:1.0|V|P|1|E|src=10.0.1.8", "LEEF:2.0|V|P|1|E", "LEEF:2.0|V|P||E|^|a=b", "LEEF:2.0|V|P|1|E|xx|a=b",
		"LEEF:2.0|V|P|1|E|^|a=b^a=c", "LEEF:2.0|V|P|1|E|^|a", "LEEF:2.0|V|P|1|E|^|a=b\nc",
	} {
		if _, _, err := readLEEF(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// TestLEEFReadsBack also holds that nothing that a name contains ends a field
// or an attribute.
func TestLEEFReadsBack(t *testing.T) {
	notices := revised(t)
	for _, text := range []string{"x| y=z", "tab\there=1", `back\slash \t`, "a^b", "line\nbreak\r", "ümläut €", "|||||||", "\x00\x1f\u0085\u2028"} {
		n := hostile(text)
		n.Alert.LastSeen = time.Unix(1, 0)
		n.Alert.Class, n.Alert.Kind = "novelty", "kind|of\talert"
		notices["hostile "+text] = n
	}
	for name, n := range notices {
		text, err := LEEF(n, Meta{Site: "a|b\tc", Version: "1.2|3"})
		if err != nil {
			t.Fatal(err)
		}
		header, got, err := readLEEF(string(text))
		if err != nil {
			t.Errorf("%s: %v in %s", name, err, text)
			continue
		}
		if n.Alert != nil && strings.HasPrefix(name, "hostile") {
			// What is no address is left out, because QRadar makes one of it.
			if got["src"] != "" || got["dst"] != "" || got["srcMAC"] != "" {
				t.Errorf("%s: read %q", name, got)
			}
		}
		if err := checkLEEF(got); err != nil {
			t.Errorf("%s: %v in %s", name, err, text)
		}
		if !slices.Equal(header[:3], []string{vendor, product, "1.2/3"}) || got["msg"] != oneLine(Summary(n)) || got["externalId"] != n.ID() || got["site"] != "a|b c" {
			t.Errorf("%s: read %q and %q", name, header, got)
		}
		if n.Alert != nil && n.Alert.Peer != (alert.Alert{}).Peer && !strings.HasPrefix(name, "hostile") && got["dst"] != n.Alert.Peer.IP {
			t.Errorf("%s: peer reads %q", name, got["dst"])
		}
	}
}
