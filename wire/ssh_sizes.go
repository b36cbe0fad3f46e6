package wire

import "strings"

// sshSizes is how long the packets of one direction are (RFC 4253 section 6):
// what is known once the cipher and the MAC are. The zero value knows nothing.
type sshSizes struct {
	block int // that the padded part is a multiple of
	apart int // bytes of the length field that stand outside of it
	mac   int // bytes behind it
}

const (
	sshMinPadding = 4  // section 6
	sshMinPacket  = 16 // section 6; Dropbear pads up to it, OpenSSH does not

	etmSuffix = "-etm@openssh.com"
)

// sshMACs is how long MACs are, without "-etm@openssh.com" and "@openssh.com".
var sshMACs = map[string]int{
	"hmac-sha1": 20, "hmac-sha1-96": 12, "hmac-md5": 16, "hmac-md5-96": 12, "hmac-ripemd160": 20,
	"hmac-sha2-256": 32, "hmac-sha2-512": 64, "umac-64": 8, "umac-128": 16,
}

// sshSizesOf returns the sizes that a cipher and a MAC lead to. An AEAD has no
// MAC of its own; its length field, as that of encrypt-then-MAC, is not padded.
func sshSizesOf(cipher, mac string) sshSizes {
	switch {
	case strings.HasPrefix(cipher, "chacha20-poly1305"):
		return sshSizes{block: 8, apart: 4, mac: 16}
	case strings.Contains(cipher, "-gcm"):
		return sshSizes{block: 16, apart: 4, mac: 16}
	}
	z := sshSizes{block: 16}
	switch name, _, _ := strings.Cut(cipher, "-"); name {
	case "aes128", "aes192", "aes256", "rijndael", "twofish", "twofish128", "twofish256", "serpent128", "serpent256":
	case "3des", "blowfish", "cast128", "idea", "arcfour", "arcfour128", "arcfour256":
		z.block = 8
	default:
		return sshSizes{}
	}
	name, etm := strings.CutSuffix(mac, etmSuffix)
	if etm {
		z.apart = 4
	}
	length, ok := sshMACs[strings.TrimSuffix(name, "@openssh.com")]
	if !ok {
		return sshSizes{}
	}
	z.mac = length
	return z
}

// of is how long the packet of a payload is, with the shortest padding.
func (z sshSizes) of(payload int) int {
	if z.block == 0 {
		return 0
	}
	padded := 5 - z.apart + payload + sshMinPadding
	padded += (z.block - padded%z.block) % z.block
	return z.apart + padded + z.mac
}

// payload is how long the payload of a packet of n bytes can be if its padding
// is the shortest; ok is false if n bytes are no packet, or nothing is known.
func (z sshSizes) payload(n int) (shortest, longest int, ok bool) {
	padded := n - z.apart - z.mac
	if z.block == 0 || padded <= 0 || padded%z.block != 0 {
		return 0, 0, false
	}
	longest = padded - (5 - z.apart) - sshMinPadding
	return longest - z.block + 1, longest, true
}
