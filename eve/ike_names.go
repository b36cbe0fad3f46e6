package eve

import "strconv"

// named looks a number of a registry up: its name as Suricata spells it, the
// number itself if it has none.
func named(names []string, n int) string {
	if n >= 0 && n < len(names) && names[n] != "" {
		return names[n]
	}
	return strconv.Itoa(n)
}

// Transforms of IKEv2 (RFC 7296 section 3.3.2 and the IANA's registry).

func ikeEncryption(n int) string {
	return named([]string{
		1: "ENCR_DES_IV64", 2: "ENCR_DES", 3: "ENCR_3DES", 4: "ENCR_RC5", 5: "ENCR_IDEA", 6: "ENCR_CAST",
		7: "ENCR_BLOWFISH", 8: "ENCR_3IDEA", 9: "ENCR_DES_IV32", 11: "ENCR_NULL", 12: "ENCR_AES_CBC",
		13: "ENCR_AES_CTR", 14: "ENCR_AES_CCM_8", 15: "ENCR_AES_CCM_12", 16: "ENCR_AES_CCM_16",
		18: "ENCR_AES_GCM_8", 19: "ENCR_AES_GCM_12", 20: "ENCR_AES_GCM_16", 21: "ENCR_NULL_AUTH_AES_GMAC",
		23: "ENCR_CAMELLIA_CBC", 24: "ENCR_CAMELLIA_CTR", 25: "ENCR_CAMELLIA_CCM_8", 26: "ENCR_CAMELLIA_CCM_12",
		27: "ENCR_CAMELLIA_CCM_16", 28: "ENCR_CHACHA20_POLY1305",
	}, n)
}

func ikeIntegrity(n int) string {
	return named([]string{
		"NONE", "AUTH_HMAC_MD5_96", "AUTH_HMAC_SHA1_96", "AUTH_DES_MAC", "AUTH_KPDK_MD5", "AUTH_AES_XCBC_96",
		"AUTH_HMAC_MD5_128", "AUTH_HMAC_SHA1_160", "AUTH_AES_CMAC_96", "AUTH_AES_128_GMAC", "AUTH_AES_192_GMAC",
		"AUTH_AES_256_GMAC", "AUTH_HMAC_SHA2_256_128", "AUTH_HMAC_SHA2_384_192", "AUTH_HMAC_SHA2_512_256",
	}, n)
}

func ikePRF(n int) string {
	return named([]string{
		1: "PRF_HMAC_MD5", 2: "PRF_HMAC_SHA1", 3: "PRF_HMAC_TIGER", 4: "PRF_AES128_XCBC", 5: "PRF_HMAC_SHA2_256",
		6: "PRF_HMAC_SHA2_384", 7: "PRF_HMAC_SHA2_512", 8: "PRF_AES128_CMAC",
	}, n)
}

func ikeGroup(n int) string {
	return named([]string{
		0: "None", 1: "Modp768", 2: "Modp1024", 5: "Modp1536", 14: "Modp2048", 15: "Modp3072", 16: "Modp4096",
		17: "Modp6144", 18: "Modp8192", 19: "Ecp256", 20: "Ecp384", 21: "Ecp521", 22: "Modp1024s160",
		23: "Modp2048s224", 24: "Modp2048s256", 25: "Ecp192", 26: "Ecp224", 27: "BrainpoolP224r1",
		28: "BrainpoolP256r1", 29: "BrainpoolP384r1", 30: "BrainpoolP512r1", 31: "Curve25519", 32: "Curve448",
	}, n)
}

func ikeESN(n int) string { return named([]string{"NoESN", "ESN"}, n) }

// ikeNotify names types of notifications (RFC 7296 section 3.10.1): errors,
// and from 16384 on what is no error.
func ikeNotify(code uint16) string {
	const status, fragmentation, hashes = 16384, 16430, 16431
	switch code {
	case fragmentation:
		return "IKEV2_FRAGMENTATION_SUPPORTED"
	case hashes:
		return "SIGNATURE_HASH_ALGORITHMS"
	}
	if code >= status {
		names := [...]string{
			"INITIAL_CONTACT", "SET_WINDOW_SIZE", "ADDITIONAL_TS_POSSIBLE", "IPCOMP_SUPPORTED",
			"NAT_DETECTION_SOURCE_IP", "NAT_DETECTION_DESTINATION_IP", "COOKIE", "USE_TRANSPORT_MODE",
			"HTTP_CERT_LOOKUP_SUPPORTED", "REKEY_SA", "ESP_TFC_PADDING_NOT_SUPPORTED", "NON_FIRST_FRAGMENTS_ALSO",
			20: "MULTIPLE_AUTH_SUPPORTED", 21: "ANOTHER_AUTH_FOLLOWS", 22: "REDIRECT_SUPPORTED",
		}
		if n := int(code - status); n < len(names) && names[n] != "" {
			return names[n]
		}
		return strconv.Itoa(int(code))
	}
	return named([]string{
		1: "UNSUPPORTED_CRITICAL_PAYLOAD", 4: "INVALID_IKE_SPI", 5: "INVALID_MAJOR_VERSION", 7: "INVALID_SYNTAX",
		9: "INVALID_MESSAGE_ID", 11: "INVALID_SPI", 14: "NO_PROPOSAL_CHOSEN", 17: "INVALID_KE_PAYLOAD",
		24: "AUTHENTICATION_FAILED", 34: "SINGLE_PAIR_REQUIRED", 35: "NO_ADDITIONAL_SAS",
		36: "INTERNAL_ADDRESS_FAILURE", 37: "FAILED_CP_REQUIRED", 38: "TS_UNACCEPTABLE", 39: "INVALID_SELECTORS",
		43: "TEMPORARY_FAILURE", 44: "CHILD_SA_NOT_FOUND",
	}, int(code))
}

// Attributes of IKEv1 (RFC 2409 appendix A and the IANA's registry).

// known is Suricata's word for a number, which stands in the field with _raw.
func known(names []string, n int) string {
	if n < len(names) && names[n] != "" {
		return names[n]
	}
	return "Unknown"
}

func ike1Encryption(n int) string {
	return known([]string{
		1: "EncDesCbc", 2: "EncIdeaCbc", 3: "EncBlowfishCbc", 4: "EncRc5R16B64Cbc", 5: "EncTripleDesCbc",
		6: "EncCastCbc", 7: "EncAesCbc", 8: "EncCamelliaCbc",
	}, n)
}

func ike1Hash(n int) string {
	return known([]string{1: "HashMd5", 2: "HashSha", 3: "HashTiger", 4: "HashSha2_256", 5: "HashSha2_384", 6: "HashSha2_512"}, n)
}

func ike1Auth(n int) string {
	return known([]string{
		1: "AuthPreSharedKey", 2: "AuthDssSignatures", 3: "AuthRsaSignatures", 4: "AuthEncryptionWithRsa",
		5: "AuthRevisedEncryptionWithRsa", 6: "AuthReserved", 7: "AuthReserved", 8: "AuthReserved", 9: "AuthEcdsaSha256", 10: "AuthEcdsaSha384", 11: "AuthEcdsaSha512",
	}, n)
}

func ike1Group(n int) string {
	return known([]string{
		1: "GroupDefault768BitModp", 2: "GroupAlternate1024BitModpGroup", 3: "GroupEc2nOnGp2p155",
		4: "GroupEc2nOnGp2p185", 5: "GroupModp1536Bit", 6: "GroupEc2nOverGf2p163", 7: "GroupEc2nOverGf2p163",
		8: "GroupEc2nOverGf2p283", 9: "GroupEc2nOverGf2p283", 10: "GroupEc2nOverGf2p409", 11: "GroupEc2nOverGf2p409",
		12: "GroupEc2nOverGf2p571", 13: "GroupEc2nOverGf2p571", 14: "GroupModp2048Bit", 15: "GroupModp3072Bit",
		16: "GroupModp4096Bit", 17: "GroupModp6144Bit", 18: "GroupModp8192Bit", 19: "GroupRandomEcp256",
		20: "GroupRandomEcp384", 21: "GroupRandomEcp521", 22: "GroupModp1024With160BitPrime",
		23: "GroupModp2048With224BitPrime", 24: "GroupModp2048With256BitPrime", 25: "GroupRandomEcp192",
		26: "GroupRandomEcp224", 27: "GroupBrainpoolEcp224", 28: "GroupBrainpoolEcp256",
		29: "GroupBrainpoolEcp384", 30: "GroupBrainpoolEcp512",
	}, n)
}

func ike1Life(n int) string { return known([]string{1: "LifeTypeSeconds", 2: "LifeTypeKilobytes"}, n) }
