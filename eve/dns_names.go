package eve

import "strconv"

const (
	typeSRV   = 33
	typeSSHFP = 44
)

// rrtypeName returns the name of a DNS record type from the IANA registry
// (https://www.iana.org/assignments/dns-parameters), the number if it is not
// in common use.
func rrtypeName(t uint16) string {
	switch t {
	case 1:
		return "A"
	case 2:
		return "NS"
	case 5:
		return "CNAME"
	case 6:
		return "SOA"
	case 10:
		return "NULL"
	case 11:
		return "WKS"
	case 12:
		return "PTR"
	case 13:
		return "HINFO"
	case 14:
		return "MINFO"
	case 15:
		return "MX"
	case 16:
		return "TXT"
	case 17:
		return "RP"
	case 18:
		return "AFSDB"
	case 24:
		return "SIG"
	case 25:
		return "KEY"
	case 28:
		return "AAAA"
	case 29:
		return "LOC"
	case typeSRV:
		return "SRV"
	case 35:
		return "NAPTR"
	case 36:
		return "KX"
	case 37:
		return "CERT"
	case 38:
		return "A6"
	case 39:
		return "DNAME"
	default:
		return rrtypeSince1999(t)
	}
}

// rrtypeSince1999 goes on from EDNS.
func rrtypeSince1999(t uint16) string {
	switch t {
	case 41:
		return "OPT"
	case 42:
		return "APL"
	case 43:
		return "DS"
	case typeSSHFP:
		return "SSHFP"
	case 45:
		return "IPSECKEY"
	case 46:
		return "RRSIG"
	case 47:
		return "NSEC"
	case 48:
		return "DNSKEY"
	case 49:
		return "DHCID"
	case 50:
		return "NSEC3"
	case 51:
		return "NSEC3PARAM"
	case 52:
		return "TLSA"
	case 55:
		return "HIP"
	case 59:
		return "CDS"
	case 60:
		return "CDNSKEY"
	case 64:
		return "SVCB"
	case 65:
		return "HTTPS"
	case 99:
		return "SPF"
	case 249:
		return "TKEY"
	case 250:
		return "TSIG"
	case 251:
		return "IXFR"
	case 252:
		return "AXFR"
	case 255:
		return "ANY"
	case 256:
		return "URI"
	case 257:
		return "CAA"
	default:
		return strconv.Itoa(int(t))
	}
}

// rcodeName returns the name of a DNS response code from the IANA registry,
// the number if it is unassigned.
func rcodeName(c uint8) string {
	names := [...]string{
		0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP",
		5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH",
		10: "NOTZONE", 11: "DSOTYPENI",
		16: "BADVERS", 17: "BADKEY", 18: "BADTIME", 19: "BADMODE", 20: "BADNAME",
		21: "BADALG", 22: "BADTRUNC", 23: "BADCOOKIE",
	}
	if int(c) < len(names) && names[c] != "" {
		return names[c]
	}
	return strconv.Itoa(int(c))
}
