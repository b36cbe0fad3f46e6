package eve

import (
	"strconv"

	"gatehouse/wire"
)

// undetermined is Suricata's word for a version that was not negotiated.
const undetermined = "UNDETERMINED"

// versionName spells a TLS version as Suricata does, which has two oddities.
func versionName(v uint16) string {
	switch v {
	case 0x0301:
		return "TLSv1"
	case 0xfb1a: // Facebook's variant
		return "TLS 1.3 draft-26-fb"
	default:
		return wire.VersionName(v)
	}
}

// alertName returns the name of a TLS alert from the IANA registry
// (https://www.iana.org/assignments/tls-parameters), the number if it is
// unassigned.
func alertName(description uint8) string {
	switch description {
	case 0:
		return "close_notify"
	case 10:
		return "unexpected_message"
	case 20:
		return "bad_record_mac"
	case 21:
		return "decryption_failed"
	case 22:
		return "record_overflow"
	case 30:
		return "decompression_failure"
	case 40:
		return "handshake_failure"
	case 41:
		return "no_certificate"
	case 42:
		return "bad_certificate"
	case 43:
		return "unsupported_certificate"
	case 44:
		return "certificate_revoked"
	case 45:
		return "certificate_expired"
	case 46:
		return "certificate_unknown"
	case 47:
		return "illegal_parameter"
	case 48:
		return "unknown_ca"
	case 49:
		return "access_denied"
	case 50:
		return "decode_error"
	case 51:
		return "decrypt_error"
	case 52:
		return "too_many_cids_requested"
	case 60:
		return "export_restriction"
	case 70:
		return "protocol_version"
	case 71:
		return "insufficient_security"
	default:
		return alertNameFrom80(description)
	}
}

func alertNameFrom80(description uint8) string {
	switch description {
	case 80:
		return "internal_error"
	case 86:
		return "inappropriate_fallback"
	case 90:
		return "user_canceled"
	case 100:
		return "no_renegotiation"
	case 109:
		return "missing_extension"
	case 110:
		return "unsupported_extension"
	case 111:
		return "certificate_unobtainable"
	case 112:
		return "unrecognized_name"
	case 113:
		return "bad_certificate_status_response"
	case 114:
		return "bad_certificate_hash_value"
	case 115:
		return "unknown_psk_identity"
	case 116:
		return "certificate_required"
	case 120:
		return "no_application_protocol"
	case 121:
		return "ech_required"
	default:
		return strconv.Itoa(int(description))
	}
}

// tlsExtensionName returns the name of an extension of a hello from the IANA
// registry (https://www.iana.org/assignments/tls-extensiontype-values), in
// lower case and shortened as Suricata does, "" if it has none.
func tlsExtensionName(id uint16) string {
	names := [...]string{
		"server_name", "max_fragment_length", "client_certificate_url", "trusted_ca_keys", "truncated_hmac",
		"status_request", "user_mapping", "client_authz", "server_authz", "cert_type",
		"supported_groups", "ec_point_formats", "srp", "signature_algorithms", "use_srtp",
		"heartbeat", "alpn", "status_request_v2", "signed_certificate_timestamp", "client_certificate_type",
		"server_certificate_type", "padding", "encrypt_then_mac", "extended_master_secret", "token_binding",
		"cached_info", "tls_lts", "compress_certificate", "record_size_limit", "pwd_protect",
		"pwd_clear", "password_salt", "ticket_pinning", "tls_cert_with_extern_psk", "delegated_credentials",
		"session_ticket", "tlmsp", "tlmsp_proxying", "tlmsp_delegate", "supported_ekt_ciphers",
		41: "pre_shared_key", 42: "early_data", 43: "supported_versions", 44: "cookie",
		45: "psk_key_exchange_modes", 47: "certificate_authorities", 48: "oid_filters", 49: "post_handshake_auth",
		50: "signature_algorithms_cert", 51: "key_share", 52: "transparency_info", 53: "connection_id_deprecated",
		54: "connection_id", 55: "external_id_hash", 56: "external_session_id", 57: "quic_transport_parameters",
		58: "ticket_request", 59: "dnssec_chain",
	}
	const renegotiationInfo = 0xff01
	switch {
	case int(id) < len(names):
		return names[id]
	case id == renegotiationInfo:
		return "renegotiation_info"
	}
	return ""
}
