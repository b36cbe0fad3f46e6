package store

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"gatehouse/alert"
)

// Filter says which rows to list. The zero value lists all of them, newest
// first. A field that rows of a kind do not have is named at the method that
// lists them.
type Filter struct {
	Since, Until time.Time // rows of [Since, Until); a zero time leaves that end open

	Kind        string      // a detect.Kind; "" for any
	MinSeverity uint8       // a detect.Severity, 1 (low) to 4 (critical); 0 for any
	State       alert.State // "" for any
	Incident    string      // incident id; "" for any

	// Device is an id, a name (in any case), a MAC or an IP address: as the
	// device was known at the time, or as it is known now. "" for any.
	Device string

	OldestFirst bool
	Limit       int // at most so many rows; 0 for all
}

// clauses collects the conditions of a query and their parameters.
type clauses struct {
	terms []string
	args  []any
}

func (c *clauses) add(term string, args ...any) {
	c.terms = append(c.terms, "("+term+")")
	c.args = append(c.args, args...)
}

// sql completes a query with its conditions and its order. Every list ends
// with the key of the row, so that the order is the same each time.
func (c *clauses) sql(head string, f Filter, orderBy ...string) string {
	var b strings.Builder
	b.WriteString(head)
	if len(c.terms) > 0 {
		b.WriteString(" WHERE " + strings.Join(c.terms, " AND "))
	}
	direction := " DESC"
	if f.OldestFirst {
		direction = " ASC"
	}
	b.WriteString(" ORDER BY " + strings.Join(orderBy, direction+", ") + direction)
	if f.Limit > 0 {
		fmt.Fprintf(&b, " LIMIT %d", f.Limit)
	}
	return b.String()
}

// knownDevices is a subquery for the ids of the devices that a term stands for
// now; its parameters are deviceTerm.args.
const knownDevices = `SELECT id FROM device
	WHERE id = ? OR name = ? COLLATE NOCASE OR ` + hasAddress

// hasAddress is the condition that a device has the address of a parameter. A
// bent row has none, instead of making the query fail.
const hasAddress = `EXISTS (SELECT 1 FROM json_each(iif(json_valid(addresses), addresses, '[]')) WHERE value = ? COLLATE NOCASE)`

// deviceTerm is a device as somebody has typed it.
type deviceTerm struct {
	text    string // as typed
	address string // in the form in which addresses are stored, else as typed
}

func parseDeviceTerm(s string) deviceTerm {
	s = strings.TrimSpace(s)
	if ip, err := netip.ParseAddr(s); err == nil {
		return deviceTerm{s, ip.Unmap().String()}
	}
	if mac, err := net.ParseMAC(s); err == nil {
		return deviceTerm{s, mac.String()}
	}
	return deviceTerm{s, s}
}

// args are the parameters of knownDevices: id, name, address.
func (t deviceTerm) args() []any { return []any{t.text, t.text, t.address} }
