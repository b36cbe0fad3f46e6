package eve

import (
	"cmp"
	"slices"

	"gatehouse/flow"
	"gatehouse/wire"
)

// kerberosBody is Suricata's krb5 object.
type kerberosBody struct {
	Type       string `json:"msg_type"`
	CName      string `json:"cname"`
	Realm      string `json:"realm"`
	SName      string `json:"sname"`
	Encryption string `json:"encryption"`
	Weak       bool   `json:"weak_encryption"`
	Ticket     string `json:"ticket_encryption,omitempty"`
	WeakTicket *bool  `json:"ticket_weak_encryption,omitempty"`
	Failed     string `json:"failed_request,omitempty"`
	ErrorCode  string `json:"error_code,omitempty"`
}

func (w *Writer) kerberos(ev *flow.Event, m *wire.Kerberos) error {
	// What a message does not have, Suricata says in words.
	const empty, none = "<empty>", "<none>"
	body := kerberosBody{
		Type: m.Type, CName: cmp.Or(m.CName, empty), Realm: cmp.Or(m.Realm, empty), SName: cmp.Or(m.SName, empty),
		Encryption: none, Failed: m.Failed,
	}
	if m.Encryption != 0 {
		body.Encryption, body.Weak = kerberosEncryption(m.Encryption)
	}
	if m.Ticket != 0 {
		name, weak := kerberosEncryption(m.Ticket)
		body.Ticket, body.WeakTicket = name, &weak
	}
	if m.Type == "KRB_ERROR" {
		body.ErrorCode = kerberosError(m.ErrorCode)
	}
	w.begin("krb5", "krb5", &ev.Record, ev.Time)
	w.line.Kerberos = &body
	return w.put()
}

// kerberosEncryption names an encryption type by the IANA's registry and, below
// zero, by Microsoft ([MS-KILE] section 3.1.5.2). Only AES and Camellia are not
// weak: RFC 6649 and RFC 8429 deprecate DES, 3DES and RC4.
func kerberosEncryption(etype int) (name string, weak bool) {
	weak = !slices.Contains([]int{17, 18, 19, 20, 25, 26}, etype)
	switch etype {
	case -128:
		return "rc4-md4", weak
	case -133:
		return "rc4-hmac-OLD", weak
	case -135:
		return "rc4-hmac-OLD-exp", weak
	case 65:
		return "subkey-keymaterial", weak
	}
	return named([]string{
		1: "des-cbc-crc", 2: "des-cbc-md4", 3: "des-cbc-md5", 5: "des3-cbc-md5", 7: "des3-cbc-sha1",
		9: "dsaWithSHA1-CmsOID", 10: "md5WithRSAEncryption-CmsOID", 11: "sha1WithRSAEncryption-CmsOID",
		12: "rc2CBC-EnvOID", 13: "rsaEncryption-EnvOID", 14: "rsaES-OAEP-ENV-OID", 15: "des-ede3-cbc-Env-OID",
		16: "des3-cbc-sha1-kd", 17: "aes128-cts-hmac-sha1-96", 18: "aes256-cts-hmac-sha1-96",
		19: "aes128-cts-hmac-sha256-128", 20: "aes256-cts-hmac-sha384-192", 23: "rc4-hmac", 24: "rc4-hmac-exp",
		25: "camellia128-cts-cmac", 26: "camellia256-cts-cmac",
	}, etype), weak
}

// kerberosError names errors (RFC 4120 section 7.5.9; from 62 on RFC 4556 and
// RFC 6111), the number if it has no name.
func kerberosError(code int) string {
	return named([]string{
		"KDC_ERR_NONE", "KDC_ERR_NAME_EXP", "KDC_ERR_SERVICE_EXP", "KDC_ERR_BAD_PVNO", "KDC_ERR_C_OLD_MAST_KVNO",
		"KDC_ERR_S_OLD_MAST_KVNO", "KDC_ERR_C_PRINCIPAL_UNKNOWN", "KDC_ERR_S_PRINCIPAL_UNKNOWN",
		"KDC_ERR_PRINCIPAL_NOT_UNIQUE", "KDC_ERR_NULL_KEY", "KDC_ERR_CANNOT_POSTDATE", "KDC_ERR_NEVER_VALID",
		"KDC_ERR_POLICY", "KDC_ERR_BADOPTION", "KDC_ERR_ETYPE_NOSUPP", "KDC_ERR_SUMTYPE_NOSUPP",
		"KDC_ERR_PADATA_TYPE_NOSUPP", "KDC_ERR_TRTYPE_NOSUPP", "KDC_ERR_CLIENT_REVOKED", "KDC_ERR_SERVICE_REVOKED",
		"KDC_ERR_TGT_REVOKED", "KDC_ERR_CLIENT_NOTYET", "KDC_ERR_SERVICE_NOTYET", "KDC_ERR_KEY_EXPIRED",
		"KDC_ERR_PREAUTH_FAILED", "KDC_ERR_PREAUTH_REQUIRED", "KDC_ERR_SERVER_NOMATCH", "KDC_ERR_MUST_USE_USER2USER",
		"KDC_ERR_PATH_NOT_ACCEPTED", "KDC_ERR_SVC_UNAVAILABLE",
		31: "KRB_AP_ERR_BAD_INTEGRITY", 32: "KRB_AP_ERR_TKT_EXPIRED", 33: "KRB_AP_ERR_TKT_NYV", 34: "KRB_AP_ERR_REPEAT",
		35: "KRB_AP_ERR_NOT_US", 36: "KRB_AP_ERR_BADMATCH", 37: "KRB_AP_ERR_SKEW", 38: "KRB_AP_ERR_BADADDR",
		39: "KRB_AP_ERR_BADVERSION", 40: "KRB_AP_ERR_MSG_TYPE", 41: "KRB_AP_ERR_MODIFIED", 42: "KRB_AP_ERR_BADORDER",
		44: "KRB_AP_ERR_BADKEYVER", 45: "KRB_AP_ERR_NOKEY", 46: "KRB_AP_ERR_MUT_FAIL", 47: "KRB_AP_ERR_BADDIRECTION",
		48: "KRB_AP_ERR_METHOD", 49: "KRB_AP_ERR_BADSEQ", 50: "KRB_AP_ERR_INAPP_CKSUM", 51: "KRB_AP_PATH_NOT_ACCEPTED",
		52: "KRB_ERR_RESPONSE_TOO_BIG",
		60: "KRB_ERR_GENERIC", "KRB_ERR_FIELD_TOOLONG", "KDC_ERROR_CLIENT_NOT_TRUSTED", "KDC_ERROR_KDC_NOT_TRUSTED",
		"KDC_ERROR_INVALID_SIG", "KDC_ERR_KEY_TOO_WEAK", "KDC_ERR_CERTIFICATE_MISMATCH", "KRB_AP_ERR_NO_TGT",
		"KDC_ERR_WRONG_REALM", "KRB_AP_ERR_USER_TO_USER_REQUIRED", "KDC_ERR_CANT_VERIFY_CERTIFICATE",
		"KDC_ERR_INVALID_CERTIFICATE", "KDC_ERR_REVOKED_CERTIFICATE", "KDC_ERR_REVOCATION_STATUS_UNKNOWN",
		"KDC_ERR_REVOCATION_STATUS_UNAVAILABLE", "KDC_ERR_CLIENT_NAME_MISMATCH", "KDC_ERR_KDC_NAME_MISMATCH",
	}, code)
}
