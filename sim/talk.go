package sim

import (
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// SSH message numbers (RFC 4253 section 12, RFC 5656 section 7.1).
const (
	sshKexInit   = 20
	sshNewKeys   = 21
	sshKexECDH   = 30
	sshKexAnswer = 31
)

// sshSession is a login by SSH (RFC 4253): in clear up to the new keys.
func (p *program) sshSession(c *conn) {
	c.send(client, []byte("SSH-2.0-dropbear_2019.78\r\n"))
	c.send(server, []byte("SSH-2.0-OpenSSH_9.6\r\n"))
	c.send(client, p.sshPacket(p.sshKexInit("curve25519-sha256,ecdh-sha2-nistp256", "aes128-ctr,aes256-ctr", "hmac-sha2-256,hmac-sha1")))
	c.send(server, p.sshPacket(p.sshKexInit("sntrup761x25519-sha512@openssh.com,curve25519-sha256", "chacha20-poly1305@openssh.com,aes128-ctr", "umac-64-etm@openssh.com,hmac-sha2-256")))
	c.send(client, p.sshPacket(func(b *cryptobyte.Builder) {
		b.AddUint8(sshKexECDH)
		addString(b, p.rnd.bytes(32))
	}))
	answer := p.sshPacket(func(b *cryptobyte.Builder) {
		b.AddUint8(sshKexAnswer)
		b.AddUint32LengthPrefixed(func(b *cryptobyte.Builder) {
			addString(b, []byte("ssh-ed25519"))
			addString(b, p.rnd.bytes(32))
		})
		addString(b, p.rnd.bytes(32))
		b.AddUint32LengthPrefixed(func(b *cryptobyte.Builder) {
			addString(b, []byte("ssh-ed25519"))
			addString(b, p.rnd.bytes(64))
		})
	})
	newKeys := func(b *cryptobyte.Builder) { b.AddUint8(sshNewKeys) }
	c.send(server, append(answer, p.sshPacket(newKeys)...))
	c.send(client, p.sshPacket(newKeys))
	for range p.rnd.between(6, 30) {
		c.send(client, p.rnd.bytes(16*p.rnd.between(2, 7)+32)) // AES blocks and a MAC
		c.send(server, p.rnd.bytes(16*p.rnd.between(2, 22)+32))
		c.t = c.t.add(p.rnd.span(20*time.Millisecond, 3*time.Second))
	}
}

// sshPacket is an unencrypted binary packet (RFC 4253 section 6).
func (p *program) sshPacket(body func(b *cryptobyte.Builder)) []byte {
	var payload cryptobyte.Builder
	body(&payload)
	content, err := payload.Bytes()
	p.w.lan.check(err)
	pad := 8 - (5+len(content))%8
	if pad < 4 {
		pad += 8
	}
	size := 1 + len(content) + pad
	out := []byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size), byte(pad)}
	return append(append(out, content...), make([]byte, pad)...)
}

// sshKexInit lists algorithms for key exchange, encryption and integrity.
func (p *program) sshKexInit(exchange, encryption, integrity string) func(b *cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddUint8(sshKexInit)
		b.AddBytes(p.rnd.bytes(16))
		for _, list := range []string{
			exchange, "ssh-ed25519,rsa-sha2-256", encryption, encryption, integrity, integrity, "none", "none", "", "",
		} {
			addString(b, []byte(list))
		}
		b.AddUint8(0)
		b.AddUint32(0)
	}
}

func addString(b *cryptobyte.Builder, s []byte) {
	b.AddUint32LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(s) })
}

func (p *program) ircSession(c *conn) {
	nick := "lh" + p.rnd.letters("0123456789", 6)
	c.send(client, []byte("NICK "+nick+"\r\nUSER "+nick+" 8 * :"+nick+"\r\n"))
	c.send(server, []byte(":hive.invalid 001 "+nick+" :Welcome\r\n:hive.invalid 376 "+nick+" :End of MOTD\r\n"))
	c.send(client, []byte("JOIN #hive x7\r\n"))
	c.send(server, []byte(":"+nick+" JOIN #hive\r\n:hive.invalid 332 "+nick+" #hive :.idle\r\n"))
	for range p.rnd.between(2, 5) {
		c.t = c.t.add(p.rnd.span(15*time.Second, 30*time.Second))
		c.send(server, []byte("PING :hive.invalid\r\n"))
		c.send(client, []byte("PONG :hive.invalid\r\n"))
	}
	c.settle()
}

func (p *program) telnetSession(c *conn) {
	c.send(server, []byte{255, 253, 24, 255, 253, 32, 255, 253, 35, 255, 253, 39}) // DO terminal type, speed ...
	c.send(client, []byte{255, 252, 24, 255, 252, 32, 255, 252, 35, 255, 252, 39}) // WON'T
	c.send(server, []byte("\r\nlogin: "))
	for _, line := range []string{"root\r\n", "xc3511\r\n", "enable\r\n", "shell\r\n", "cat /proc/mounts\r\n"} {
		c.t = c.t.add(p.rnd.span(100*time.Millisecond, 900*time.Millisecond))
		c.send(client, []byte(line))
		c.send(server, []byte("\r\n"+strings.Repeat(".", p.rnd.between(2, 60))+"# "))
	}
}

// smbSession negotiates SMB 2 and asks to log in ([MS-SMB2] 2.2.3, 2.2.5).
func (p *program) smbSession(c *conn) {
	header := func(command byte, id byte, response bool) []byte {
		b := make([]byte, 64)
		copy(b, []byte{0xfe, 'S', 'M', 'B', 64, 0})
		b[12], b[14], b[24] = command, 31, id
		if response {
			b[16] = 1
		}
		return b
	}
	frame := func(b []byte) []byte {
		return append([]byte{0, 0, byte(len(b) >> 8), byte(len(b))}, b...)
	}
	negotiate := append(header(0, 0, false), 36, 0, 2, 0, 1, 0, 0, 0, 0x7f, 0, 0, 0)
	negotiate = append(negotiate, p.rnd.bytes(16)...)                             // client GUID
	negotiate = append(negotiate, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x02, 0x10, 0x02) // dialects 2.0.2, 2.1
	c.send(client, frame(negotiate))
	answer := append(header(0, 0, true), 65, 0, 1, 0, 0x10, 0x02, 0, 0)
	answer = append(answer, p.rnd.bytes(16)...) // server GUID
	answer = append(answer, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0)
	answer = append(answer, make([]byte, 16)...)      // times
	answer = append(answer, 128, 0, 0, 0, 0, 0, 0, 0) // no security blob
	c.send(server, frame(answer))
	setup := append(header(1, 1, false), 25, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 88, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	token := append([]byte("NTLMSSP\x00\x01\x00\x00\x00\x07\x82\x08\xa2"), make([]byte, 16)...)
	c.send(client, frame(append(setup, token...)))
	refused := append(header(1, 1, true), 9, 0, 0, 0, 0, 0, 0, 0)
	copy(refused[8:], []byte{0x6d, 0, 0, 0xc0}) // STATUS_LOGON_FAILURE
	c.send(server, frame(refused))
}
