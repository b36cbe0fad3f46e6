package eve

import (
	"strconv"
	"strings"
)

// industrialKinds are those of industrial protocols. Numbers are compared in
// decimal.
func industrialKinds() []compared {
	return []compared{
		sameValues("Modbus functions", "modbus.func_code", "modbus.*.function_raw", func(v string) string {
			n, _ := strconv.Atoi(v)
			return strconv.Itoa(n &^ 0x80) // an exception
		}),
		sameValues("Modbus units", "mbtcp.unit_id", "modbus.*.unit_id", nil),
		sameValues("Modbus transactions", "mbtcp.trans_id", "modbus.*.transaction_id", nil),
		sameValues("S7 kinds", "s7comm.header.rosctr", "s7comm.kind", func(v string) string {
			return map[string]string{"1": "job", "2": "ack", "3": "ack_data", "7": "userdata"}[v]
		}),
		sameValues("S7 functions", "s7comm.param.func", "s7comm.function_raw", nil),
		sameValues("S7 groups", "s7comm.param.userdata.funcgroup", "s7comm.group", nil),
		sameValues("S7 data blocks", "s7comm.param.item.db", "s7comm.items.db", nil),
		sameValues("S7 services", "s7comm.param.pistart.servicename", "s7comm.service", nil),
		sameValues("MMS services", "mms.confirmedServiceRequest", "mms.service_raw", nil),
		sameValues("MMS invoke identifiers", "mms.invokeID", "mms.invoke_id", nil),
		sameValues("CIP services", "cip.sc", "enip.*.cip.service_raw", func(v string) string {
			n, _ := strconv.Atoi(v)
			return strconv.Itoa(n &^ 0x80) // a response
		}),
		sameValues("CIP classes", "cip.class", "enip.*.cip.class_id", nil),
		sameValues("CIP instances", "cip.instance", "enip.*.cip.instance_id", nil),
		sameValues("CIP status", "cip.genstat", "enip.*.cip.status", nil),
		sameValues("EtherNet/IP sessions", "enip.session", "enip.*.session", nil),
		sameValues("DNP3 functions", "dnp3.al.func", "dnp3.application.function_code", nil),
		sameValues("DNP3 sources", "dnp3.src", "dnp3.src", nil),
		sameValues("DNP3 destinations", "dnp3.dst", "dnp3.dst", nil),
		sameValues("IEC 104 types", "iec60870_asdu.typeid", "iec104.type_id", nil),
		sameValues("IEC 104 causes", "iec60870_asdu.causetx", "iec104.cause", nil),
		sameValues("IEC 104 stations", "iec60870_asdu.addr", "iec104.common_address", nil),
		sameValues("BACnet instances", "bacapp.instance_number", "bacnet.object.instance", nil),
		sameValues("DCP stations", "pn_dcp.suboption_device_nameofstation", "profinet_dcp.station", nil),
		sameValues("GOOSE control blocks", "goose.gocbRef", "goose.control_block", nil),
		sameValues("GOOSE states", "goose.stNum", "goose.st_num", nil),
		sameValues("LLDP system names", "lldp.tlv.system.name", "lldp:neighbor.system_name", nil),
		sameValues("CDP devices", "cdp.deviceid", "cdp:neighbor.system_name", nil),
		sameValues("DHCPv6 names", "dhcpv6.client_domain", "dhcpv6.fqdn", nil),
		sameValues("DHCPv6 transactions", "dhcpv6.xid", "dhcpv6.id", nil),
		sameValues("NDP targets", "icmpv6.nd.ns.target_address", "ndp.target", nil),
		sameValues("IGMP groups", "igmp.maddr", "igmp:membership.groups.group", func(v string) string {
			return strings.TrimPrefix(v, "0.0.0.0") // a general query names no group
		}),
		sameValues("NBNS transactions", "nbns.id", "nbns.id", nil),
	}
}

// sameValues compares a field of tshark with a member of our log; change
// brings tshark's form into ours, after numbers have become decimal. Where
// several kinds of events share an object, the path begins with one of them.
func sameValues(name, field, path string, change func(string) string) compared {
	return compared{
		name: name, filter: field, fields: []string{field},
		theirs: func(row map[string][]string, add func(string)) {
			for _, v := range row[field] {
				if v = decimal(v); change != nil {
					v = change(v)
				}
				if v != "" {
					add(v)
				}
			}
		},
		ours: func(l *line, add func(string)) {
			path := path
			if kind, rest, ok := strings.Cut(path, ":"); ok {
				if path = rest; l.EventType != kind {
					return
				}
			}
			object, _, _ := strings.Cut(path, ".")
			if !strings.Contains(string(l.text), `"`+object+`":{`) {
				return
			}
			for _, v := range l.values(path) {
				add(v)
			}
		},
	}
}

// decimal turns tshark's hexadecimal numbers into decimal ones.
func decimal(v string) string {
	if !strings.HasPrefix(v, "0x") {
		return v
	}
	n, err := strconv.ParseUint(v[2:], 16, 64)
	if err != nil {
		return v
	}
	return strconv.FormatUint(n, 10)
}
