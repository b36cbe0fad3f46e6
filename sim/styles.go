package sim

// The TLS client libraries of the home, with the cipher suites and extensions
// that they really send. Two devices with the same library still differ in
// what their makers configured.
var (
	// mbedTLS 2.x as found in cameras.
	styleCamera = &helloStyle{
		record:     tls12,
		ciphers:    []uint16{0xc02c, 0xc030, 0xc02b, 0xc02f, 0xc024, 0xc028, 0xc00a, 0xc014, 0x009d, 0x009c, 0x00ff},
		extensions: []uint16{extServerName, extSignatures, extGroups, extPointFormats, extEncryptMAC, extMasterSecret, extTicket},
		groups:     []uint16{24, groupP256, groupX25519}, signatures: []uint16{0x0603, 0x0601, 0x0503, 0x0501, 0x0403, 0x0401},
		resume: true,
	}
	// wolfSSL in a lighting bridge.
	styleHub = &helloStyle{
		record:     tls12,
		ciphers:    []uint16{0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8},
		extensions: []uint16{extServerName, extGroups, extPointFormats, extSignatures, extMasterSecret, extALPN},
		groups:     []uint16{groupP256, 24, groupX25519}, signatures: []uint16{0x0403, 0x0503, 0x0804, 0x0401, 0x0501},
		alpn: []string{"http/1.1"},
	}
	// OpenSSL 1.0.2 with its whole list, 3DES included, in a thermostat.
	styleThermostat = &helloStyle{
		record:     0x0301,
		ciphers:    []uint16{0xc030, 0xc02c, 0xc028, 0xc024, 0xc014, 0xc00a, 0x009d, 0x003d, 0x0035, 0xc02f, 0xc02b, 0xc027, 0xc023, 0xc013, 0xc009, 0x009c, 0x003c, 0x002f, 0xc012, weak, 0x000a, 0x00ff},
		extensions: []uint16{extServerName, extPointFormats, extGroups, extTicket, extSignatures},
		groups:     []uint16{groupP256, 25, 28, 27, 24, 26, 22, 14, 13, 11, 12, 9, 10, groupX25519},
		signatures: []uint16{0x0601, 0x0602, 0x0603, 0x0501, 0x0502, 0x0503, 0x0401, 0x0402, 0x0403, 0x0301, 0x0302, 0x0303, 0x0201, 0x0202, 0x0203},
	}
	// The same thermostat after its update to OpenSSL 1.1.1.
	styleThermostatNew = &helloStyle{
		record:     0x0301,
		ciphers:    []uint16{0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc02b, 0xc02f, 0xc024, 0xc028, 0xc00a, 0xc014, weak, 0x00ff},
		extensions: []uint16{extServerName, extPointFormats, extGroups, extTicket, extEncryptMAC, extMasterSecret, extSignatures, extVersions, extPSKModes, extKeyShare},
		groups:     []uint16{groupX25519, groupP256, 30, 25, 24}, shares: []uint16{groupX25519},
		signatures: []uint16{0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601},
		versions:   []uint16{tls13, tls12, 0x0302, tls10}, sessionID: true,
	}
	// BoringSSL without GREASE in a television.
	styleTV = &helloStyle{
		record:     0x0301,
		ciphers:    []uint16{0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc009, 0xc013, 0xc00a, 0xc014, 0x009c, 0x009d},
		extensions: []uint16{extServerName, extMasterSecret, extRenegotiation, extGroups, extPointFormats, extTicket, extALPN, extStatusRequest, extSignatures, extKeyShare, extPSKModes, extVersions},
		groups:     []uint16{groupX25519, groupP256, 24}, shares: []uint16{groupX25519},
		signatures: []uint16{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601},
		alpn:       []string{"h2", "http/1.1"}, versions: []uint16{tls13, tls12}, sessionID: true,
	}
	// A printer's old GnuTLS.
	stylePrinter = &helloStyle{
		record:     tls12,
		ciphers:    []uint16{0xc02b, 0xc02c, 0xc009, 0xc00a, 0xc02f, 0xc030, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035},
		extensions: []uint16{extMasterSecret, extServerName, extRenegotiation, extTicket, extGroups, extPointFormats, extSignatures},
		groups:     []uint16{groupP256, 24, 25, groupX25519}, signatures: []uint16{0x0401, 0x0403, 0x0501, 0x0503, 0x0601, 0x0603},
	}
	// A speaker's libcurl with OpenSSL 3.
	styleSpeaker = &helloStyle{
		record:     0x0301,
		ciphers:    []uint16{0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0x009f, 0xcca9, 0xcca8, 0xccaa, 0xc02b, 0xc02f, 0x009e, 0x00ff},
		extensions: []uint16{extServerName, extPointFormats, extGroups, extALPN, extEncryptMAC, extMasterSecret, extPostAuth, extSignatures, extVersions, extPSKModes, extKeyShare},
		groups:     []uint16{groupX25519, groupP256, 30, 25, 24}, shares: []uint16{groupX25519},
		signatures: []uint16{0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601},
		alpn:       []string{"http/1.1"}, versions: []uint16{tls13, tls12}, sessionID: true,
	}
	// The smallest mbedTLS that works, in a plug.
	stylePlug = &helloStyle{
		record:     tls12,
		ciphers:    []uint16{0xc02b, 0xc023, 0xc009, 0x00ff},
		extensions: []uint16{extServerName, extSignatures, extGroups, extPointFormats, extMasterSecret},
		groups:     []uint16{groupP256, groupX25519}, signatures: []uint16{0x0403, 0x0401},
	}
	// Apple's network framework.
	stylePhone = &helloStyle{
		record:     0x0301,
		ciphers:    []uint16{0x1302, 0x1303, 0x1301, 0xc02c, 0xc02b, 0xcca9, 0xc030, 0xc02f, 0xcca8, 0xc00a, 0xc009, 0xc014, 0xc013},
		extensions: []uint16{extServerName, extMasterSecret, extRenegotiation, extGroups, extPointFormats, extALPN, extStatusRequest, extSignatures, extSCT, extKeyShare, extPSKModes, extVersions, extCompressCert},
		groups:     []uint16{groupMLKEM, groupX25519, groupP256, 24, 25}, shares: []uint16{groupMLKEM, groupX25519},
		signatures: []uint16{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201},
		alpn:       []string{"h2", "http/1.1"}, versions: []uint16{tls13, tls12}, grease: true, sessionID: true, resume: true,
	}
	// Chromium on a laptop.
	styleBrowser = &helloStyle{
		record:     0x0301,
		ciphers:    []uint16{0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035},
		extensions: []uint16{extServerName, extMasterSecret, extRenegotiation, extGroups, extPointFormats, extTicket, extALPN, extStatusRequest, extSignatures, extSCT, extKeyShare, extPSKModes, extVersions, extCompressCert, extALPS, extECH},
		groups:     []uint16{groupMLKEM, groupX25519, groupP256, 24}, shares: []uint16{groupMLKEM, groupX25519},
		signatures: []uint16{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601},
		alpn:       []string{"h2", "http/1.1"}, versions: []uint16{tls13, tls12}, grease: true, permute: true, sessionID: true, resume: true,
	}
	// Windows' own Schannel, for updates and mail.
	styleSchannel = &helloStyle{
		record:     tls12,
		ciphers:    []uint16{0x1302, 0x1301, 0xc02c, 0xc02b, 0xc030, 0xc02f, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x009d, 0x009c},
		extensions: []uint16{extServerName, extStatusRequest, extGroups, extPointFormats, extSignatures, extTicket, extALPN, extMasterSecret, extVersions, extPSKModes, extKeyShare, extRenegotiation},
		groups:     []uint16{groupX25519, groupP256, 24}, shares: []uint16{groupX25519},
		signatures: []uint16{0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0201, 0x0403, 0x0503, 0x0203},
		alpn:       []string{"h2", "http/1.1"}, versions: []uint16{tls13, tls12}, sessionID: true,
	}
	// Conscrypt on an Android phone.
	styleAndroid = &helloStyle{
		record:     0x0301,
		ciphers:    []uint16{0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xcca9, 0xc02f, 0xc030, 0xcca8},
		extensions: []uint16{extServerName, extMasterSecret, extRenegotiation, extGroups, extPointFormats, extTicket, extALPN, extStatusRequest, extSignatures, extKeyShare, extPSKModes, extVersions},
		groups:     []uint16{groupX25519, groupP256, 24}, shares: []uint16{groupX25519},
		signatures: []uint16{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601},
		alpn:       []string{"h2", "http/1.1"}, versions: []uint16{tls13, tls12}, sessionID: true, resume: true,
	}
	// Firefox on the visitor's laptop.
	styleFirefox = &helloStyle{
		record:     0x0301,
		ciphers:    []uint16{0x1301, 0x1303, 0x1302, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0xc02c, 0xc030, 0xc00a, 0xc009, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035},
		extensions: []uint16{extServerName, extMasterSecret, extRenegotiation, extGroups, extPointFormats, extALPN, extStatusRequest, extKeyShare, extVersions, extSignatures, extPSKModes, extRecordLimit, extCompressCert, extECH},
		groups:     []uint16{groupMLKEM, groupX25519, groupP256, 24, 25}, shares: []uint16{groupMLKEM, groupX25519},
		signatures: []uint16{0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201},
		alpn:       []string{"h2", "http/1.1"}, versions: []uint16{tls13, tls12}, sessionID: true, resume: true,
	}
	// A small statically linked client, as malware carries one.
	styleImplant = &helloStyle{
		record:     0x0301,
		ciphers:    []uint16{0xc02f, 0xc030, 0xc02b, 0xc02c, 0xcca8, 0xcca9, 0xc013, 0xc009, 0xc014, 0xc00a, 0x1301, 0x1302, 0x1303},
		extensions: []uint16{extServerName, extStatusRequest, extGroups, extPointFormats, extSignatures, extRenegotiation, extSCT, extVersions, extKeyShare},
		groups:     []uint16{groupX25519, groupP256, 24, 25}, shares: []uint16{groupX25519},
		signatures: []uint16{0x0804, 0x0403, 0x0807, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0503, 0x0603, 0x0201, 0x0203},
		versions:   []uint16{tls13, tls12}, sessionID: true,
	}
)
