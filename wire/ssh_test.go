package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

// sshEndOf is an end of a recorded connection that has addresses, which
// x/crypto/ssh asks for.
type sshEndOf struct{ end }

func (sshEndOf) LocalAddr() net.Addr  { return &net.TCPAddr{} }
func (sshEndOf) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// sshSession lets Go's own SSH client log in to Go's own server, which knows
// the password "right", and returns what crossed and how it ended.
func sshSession(tb testing.TB, config ssh.Config, passwords ...string) ([]chunk, error) {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	server := &ssh.ServerConfig{Config: config, ServerVersion: "SSH-2.0-Camera_1.2 build 7"}
	server.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		if string(password) != "right" {
			return nil, errors.New("wrong password")
		}
		return nil, nil
	}
	server.AddHostKey(signer)
	next := 0
	client := &ssh.ClientConfig{
		Config: config, User: "admin", ClientVersion: "SSH-2.0-Tool_3", HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Auth: []ssh.AuthMethod{ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
			next++
			return passwords[next-1], nil
		}), len(passwords))},
	}
	log := &wireLog{}
	log.moved = sync.NewCond(&log.mu)
	ends := [2]sshEndOf{{end{dir: FromClient, log: log}}, {end{dir: FromServer, log: log}}}
	var wg sync.WaitGroup
	wg.Go(func() {
		if conn, _, _, err := ssh.NewServerConn(ends[FromServer], server); err == nil {
			conn.Close()
		}
		ends[FromServer].Close()
	})
	conn, _, _, err := ssh.NewClientConn(ends[FromClient], "", client)
	if err == nil {
		conn.Close()
	}
	ends[FromClient].Close()
	wg.Wait()
	return log.chunks, err
}

// TestSSHSession infers from the sizes of packets what Go's own server decided,
// with ciphers and MACs of every kind.
func TestSSHSession(t *testing.T) {
	for _, config := range []ssh.Config{
		{},
		{Ciphers: []string{"chacha20-poly1305@openssh.com"}},
		{Ciphers: []string{"aes256-gcm@openssh.com"}},
		{Ciphers: []string{"aes128-ctr"}, MACs: []string{"hmac-sha2-256-etm@openssh.com"}},
		{Ciphers: []string{"aes128-ctr"}, MACs: []string{"hmac-sha2-512"}},
		{Ciphers: []string{"aes256-ctr"}, MACs: []string{"hmac-sha1-96"}, KeyExchanges: []string{"diffie-hellman-group14-sha256"}},
	} {
		for _, passwords := range [][]string{{"right"}, {"wrong"}, {"wrong", "wronger", "right"}} {
			t.Run(fmt.Sprint(config.Ciphers, config.MACs, passwords), func(t *testing.T) {
				chunks, sessionErr := sshSession(t, config, passwords...)
				msgs, _ := play(t, newSSHStream(), chunks, 0)
				var got, want []Outcome
				for _, p := range passwords {
					want = append(want, map[bool]Outcome{true: Succeeded, false: Failed}[p == "right"])
				}
				for _, m := range msgs[1:] {
					login, ok := m.(*Login)
					if !ok || !login.Inferred || login.Clear || login.Service != "ssh" {
						t.Fatalf("got %+v", m)
					}
					got = append(got, login.Outcome)
				}
				if !slices.Equal(got, want) || (sessionErr == nil) != slices.Contains(got, Succeeded) {
					t.Errorf("got %v, want %v; the client says: %v", got, want, sessionErr)
				}
				m := msgs[0].(*SSH)
				if m.Client.Software != "Tool_3" || m.Server.Software != "Camera_1.2" || m.Server.Comments != "build 7" ||
					m.Client.Version != "2.0" || len(m.Client.HASSH) != 32 || len(m.Server.HASSH) != 32 ||
					m.HostKey != "ssh-ed25519" || m.KEX == "" ||
					config.Ciphers != nil && m.Cipher != config.Ciphers[0] || config.MACs != nil && m.MAC != config.MACs[0] {
					t.Errorf("got %+v", m)
				}
			})
		}
	}
}

// sshLists is a KEXINIT packet with the given kex algorithms.
func sshKexInitOf(kex string) []byte {
	list := func(s string) []byte { return join(0, 0, 0, len(s), s) }
	payload := join(sshKexInit, make([]byte, 16), list(kex), list("ssh-rsa"),
		list("aes1"), list("aes2"), list("mac1"), list("mac2"), list("none"), list("zlib"), list(""), list(""), 0, 0, 0, 0, 0)
	return join(0, 0, (len(payload)+5)>>8, len(payload)+5, 4, payload, make([]byte, 4))
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestSSHStream(t *testing.T) {
	banner := "SSH-2.0-dropbear_2022.83\r\n"
	init := sshKexInitOf("a,b")
	const clientText = "a,b;aes1;mac1;none"
	for _, tt := range []struct {
		name string
		in   []chunk
		want []Message
		err  error
	}{
		{
			"both ends",
			[]chunk{{FromServer, join(banner, sshKexInitOf("c,b"))}, {FromClient, join("SSH-1.99-x y z\r\n", init)}},
			[]Message{&SSH{
				Client: SSHEnd{"1.99", "x", "y z", md5Hex(clientText), clientText},
				Server: SSHEnd{"2.0", "dropbear_2022.83", "", md5Hex("c,b;aes2;mac2;zlib"), "c,b;aes2;mac2;zlib"},
				KEX:    "b", HostKey: "ssh-rsa", Cipher: "aes1", MAC: "mac1",
			}},
			nil,
		},
		{"nothing in common", []chunk{{FromServer, join(banner, sshKexInitOf("c"))}, {FromClient, join("SSH-2.0-x\r\n", init)}}, []Message{&SSH{
			Client:  SSHEnd{"2.0", "x", "", md5Hex(clientText), clientText},
			Server:  SSHEnd{"2.0", "dropbear_2022.83", "", md5Hex("c;aes2;mac2;zlib"), "c;aes2;mac2;zlib"},
			HostKey: "ssh-rsa", Cipher: "aes1", MAC: "mac1",
		}}, nil},
		{"version 1", []chunk{{FromServer, []byte("SSH-1.5-1.2.26\n")}, {FromClient, []byte("SSH-1.5-1.2.26\n")}}, []Message{&SSH{
			Client: SSHEnd{Version: "1.5", Software: "1.2.26"}, Server: SSHEnd{Version: "1.5", Software: "1.2.26"},
		}}, ErrDone},
		{"one end alone", []chunk{{FromServer, []byte(banner)}}, []Message{&SSH{
			Server: SSHEnd{Version: "2.0", Software: "dropbear_2022.83"},
		}}, nil},
		{"no software", []chunk{{FromServer, []byte("SSH-2.0\r\n")}}, nil, ErrNotMine},
		{"a line of 300 bytes", []chunk{{FromServer, []byte("SSH-2.0-" + strings.Repeat("x", 300) + "\r\n")}}, []Message{&SSH{
			Server: SSHEnd{Version: "2.0", Software: strings.Repeat("x", maxSSHBanner-len("SSH-2.0-"))},
		}}, nil},
		{"a line of 1100 bytes", []chunk{{FromServer, []byte("SSH-2.0-" + strings.Repeat("x", 1100))}}, nil, ErrNotMine},
		{"lines of text before it", []chunk{{FromServer, join("Keep out.\r\n\n", "Tschüß\r\n", banner)}}, []Message{&SSH{
			Server: SSHEnd{Version: "2.0", Software: "dropbear_2022.83"},
		}}, nil},
		{"lines of text without end", []chunk{{FromServer, bytes.Repeat([]byte("a\n"), maxSSHLines+1)}}, nil, ErrNotMine},
		{"bytes that are no text before it", []chunk{{FromServer, join("a\x00\n", banner)}}, nil, ErrNotMine},
		{"a client sends no text before it", []chunk{{FromClient, join("a\n", banner)}}, nil, ErrNotMine},
		{"another protocol", []chunk{{FromServer, []byte("220 SSH-2.0")}}, nil, nil},
		{"a packet of 64 KiB", []chunk{{FromServer, join(banner, 0, 1, 0, 0, 4, 20)}}, []Message{&SSH{
			Server: SSHEnd{Version: "2.0", Software: "dropbear_2022.83"},
		}}, ErrMalformed},
		{"more padding than packet", []chunk{{FromServer, join(banner, 0, 0, 0, 8, 7, 20)}}, []Message{&SSH{
			Server: SSHEnd{Version: "2.0", Software: "dropbear_2022.83"},
		}}, ErrMalformed},
		{"a list longer than its packet", []chunk{{FromServer, join(banner, 0, 0, 0, 24, 2, 20, make([]byte, 16), 0, 0, 255, 255, 0, 0)}}, []Message{&SSH{
			Server: SSHEnd{Version: "2.0", Software: "dropbear_2022.83"},
		}}, ErrMalformed},
	} {
		for _, step := range []int{0, 1} {
			s := newSSHStream()
			msgs, err := play(t, s, tt.in, step)
			for dir := range Dir(2) {
				msgs = s.(Flusher).Flush(dir, nil, msgs)
			}
			if !errors.Is(err, tt.err) {
				t.Errorf("%s, step %d: got error %v, want %v", tt.name, step, err, tt.err)
			}
			if diff := cmp.Diff(tt.want, msgs); diff != "" {
				t.Errorf("%s, step %d: messages differ (-want +got):\n%s", tt.name, step, diff)
			}
		}
	}
}

// TestSSHAuthSizes: what sizes mean, and what they do not.
func TestSSHAuthSizes(t *testing.T) {
	const c, s = FromClient, FromServer
	type turn struct {
		dir Dir
		n   int
	}
	for _, tt := range []struct {
		name string
		in   []turn
		want []Outcome
	}{
		{"accepted, refused, success", []turn{{c, 44}, {s, 44}, {c, 68}, {s, 52}, {c, 148}, {s, 28}}, []Outcome{Succeeded}},
		{"extensions first", []turn{{s, 300}, {c, 44}, {s, 44}, {c, 68}, {s, 52}, {c, 148}, {s, 28}}, []Outcome{Succeeded}},
		{"extensions after the question", []turn{{c, 44}, {s, 300}, {s, 44}, {c, 68}, {s, 52}, {c, 148}, {s, 52}}, []Outcome{Failed}},
		{"a banner before the refusal", []turn{{c, 44}, {s, 44}, {c, 68}, {s, 200}, {s, 52}, {c, 148}, {s, 28}}, []Outcome{Succeeded}},
		{"a key that is known, then signed", []turn{{c, 44}, {s, 44}, {c, 68}, {s, 52}, {c, 372}, {s, 332}, {c, 644}, {s, 28}}, []Outcome{Succeeded}},
		{"success, then host keys", []turn{{c, 44}, {s, 44}, {c, 68}, {s, 28}, {s, 500}, {c, 60}, {s, 28}}, []Outcome{Succeeded}},
		{"only none", []turn{{c, 44}, {s, 44}, {c, 68}, {s, 52}}, nil},
		{"server alone", []turn{{s, 44}, {s, 28}, {s, 28}}, nil},
	} {
		var a sshAuth
		var got []Outcome
		for _, turn := range tt.in {
			if a.over() != nil {
				break
			}
			if o := a.judge(turn.dir, turn.n); o != OutcomeUnknown {
				got = append(got, o)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	var a sshAuth
	n := 0
	for ; a.over() == nil; n++ {
		a.judge(c, 100)
		a.judge(s, 50)
	}
	if n > maxSSHTurns+1 {
		t.Errorf("%d answers judged", n)
	}
}

// TestSSHAuthImplementations: what clients and servers really exchange, in
// bytes, with ciphers and MACs of which the sizes are known. Each session is
// that of an account "labu", from the answer that accepts the service on.
func TestSSHAuthImplementations(t *testing.T) {
	chacha := sshSizesOf("chacha20-poly1305@openssh.com", "")
	gcm := sshSizesOf("aes256-gcm@openssh.com", "")
	umac := sshSizesOf("aes128-ctr", "umac-64@openssh.com")
	sha512 := sshSizesOf("aes128-ctr", "hmac-sha2-512")
	const openSSH, paramiko, dropbear = "OpenSSH_9.2p1", "paramiko_2.12.0", "dropbear_2022.83"
	for _, tt := range []struct {
		name   string
		client string
		sizes  sshSizes
		// Sizes of requests and answers in turn.
		in   []int
		want []Outcome
	}{
		{"a dialogue that the server has no questions for", openSSH, chacha, []int{44, 44, 60, 76, 84, 76, 148, 28}, []Outcome{Succeeded}},
		{"the same, then a short password", openSSH, chacha, []int{44, 44, 60, 76, 84, 76, 84, 76}, []Outcome{Failed}},
		{"a question and its answer", openSSH, chacha, []int{44, 44, 60, 68, 84, 60, 84, 44, 84, 28}, []Outcome{Succeeded}},
		{"a question and a wrong answer", openSSH, chacha, []int{44, 44, 60, 68, 84, 60, 84, 68}, []Outcome{Failed}},
		{"passwords where there are no dialogues", openSSH, chacha, []int{44, 44, 60, 52, 84, 52, 84, 52, 84, 28}, []Outcome{Failed, Failed, Succeeded}},
		{"a banner with the first refusal", openSSH, umac, []int{40, 40, 56, 128, 136, 72, 136, 24}, []Outcome{Failed, Succeeded}},
		{"a banner, and no questions", openSSH, umac, []int{40, 40, 56, 128, 88, 72, 136, 72}, []Outcome{Failed}},
		{"a long banner", openSSH, chacha, []int{44, 44, 60, 1448, 140, 76}, []Outcome{Failed}},
		{"a key is accepted, then a password is asked for", openSSH, gcm, []int{52, 52, 68, 52, 148, 100, 308, 52, 148, 52}, []Outcome{Failed}},
		{"Dropbear pads success", dropbear, chacha, []int{44, 44, 60, 52, 148, 36}, []Outcome{Succeeded}},
		{"the service is asked for each time", paramiko, umac, []int{40, 40, 72, 72, 40, 40, 72, 72, 40, 40, 72, 24}, []Outcome{Failed, Failed, Succeeded}},
		{"none, of a client that rarely asks so", paramiko, umac, []int{40, 40, 56, 72, 40, 40, 72, 24}, []Outcome{Succeeded}},
		{"success with a banner", paramiko, sha512, []int{96, 96, 128, 192, 112, 688}, []Outcome{Succeeded}},
		{"a refusal with a banner, which may be success", paramiko, sha512, []int{96, 96, 128, 240, 96, 96, 128, 128, 96, 96, 128, 80}, []Outcome{Failed, Succeeded}},
	} {
		var a sshAuth
		a.in, a.out = tt.sizes, tt.sizes
		a.openSSH, a.paramiko = tt.client == openSSH, tt.client == paramiko
		var got []Outcome
		for i, n := range tt.in {
			if o := a.judge(Dir(i&1), n); o != OutcomeUnknown {
				got = append(got, o)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestSSHSizes: packets of ciphers and MACs of every kind, and of none that is
// known.
func TestSSHSizes(t *testing.T) {
	for _, tt := range []struct {
		cipher, mac       string
		accepted, success int // packets of 17 bytes and of one
	}{
		{"chacha20-poly1305@openssh.com", "hmac-md5", 24 + 4 + 16, 8 + 4 + 16},
		{"aes128-gcm@openssh.com", "", 32 + 4 + 16, 16 + 4 + 16},
		{"aes128-ctr", "hmac-sha1", 32 + 20, 16 + 20},
		{"aes256-cbc", "hmac-sha2-256-etm@openssh.com", 32 + 4 + 32, 16 + 4 + 32},
		{"3des-cbc", "hmac-sha1-96", 32 + 12, 16 + 12},
		{"aes128-ctr", "umac-128@openssh.com", 32 + 16, 16 + 16},
		{"aes128-ctr", "umac-64-etm@openssh.com", 32 + 4 + 8, 16 + 4 + 8},
		{"aes128-ctr", "hmac-of-tomorrow", 0, 0},
		{"cipher-of-tomorrow", "hmac-sha1", 0, 0},
		{"", "", 0, 0},
	} {
		z := sshSizesOf(tt.cipher, tt.mac)
		if z.of(17) != tt.accepted || z.of(1) != tt.success {
			t.Errorf("%s, %s: %d and %d bytes", tt.cipher, tt.mac, z.of(17), z.of(1))
		}
		for n := range 200 {
			shortest, longest, ok := z.payload(n)
			if ok && (z.of(shortest) != n || z.of(longest) != n || z.of(longest+1) == n || z.of(shortest-1) == n) {
				t.Errorf("%s, %s: %d bytes hold %d to %d", tt.cipher, tt.mac, n, shortest, longest)
			}
			if ok && tt.accepted == 0 {
				t.Errorf("%s, %s: %d bytes are a packet", tt.cipher, tt.mac, n)
			}
		}
	}
}

func FuzzSSH(f *testing.F) {
	chunks, err := sshSession(f, ssh.Config{}, "right")
	if err != nil {
		f.Fatal(err)
	}
	var all []byte
	for _, c := range chunks {
		all = append(all, c.b...)
	}
	f.Add(append([]byte{20}, all[:min(len(all), 4000)]...))
	f.Add(join(4, "SSH-2.0-x\r\n", sshKexInitOf("a")))
	f.Add([]byte("\xffSSH-1.5-1.2.26\n"))
	corpusPayloads(f, func(p transport) {
		if !p.udp && (p.srcPort == 22 || p.dstPort == 22) {
			f.Add(append([]byte{255}, p.payload...))
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, func() Stream { return clearSSH{newSSHStream()} }, b) })
}

// clearSSH leaves out logins, which depend on how the bytes are divided.
type clearSSH struct{ Stream }

func (s clearSSH) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	n, out, err := s.Stream.Feed(dir, b, msgs)
	out = slices.DeleteFunc(out, func(m Message) bool { _, login := m.(*Login); return login })
	if errors.Is(err, ErrDone) {
		err = nil
	}
	return n, out, err
}

func BenchmarkSSH(b *testing.B) {
	chunks, err := sshSession(b, ssh.Config{}, "right")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s := newSSHStream()
		for _, c := range chunks {
			if _, _, err := s.Feed(c.dir, c.b, nil); err != nil {
				if !errors.Is(err, ErrDone) {
					b.Fatal(err)
				}
				break
			}
		}
	}
}

// TestSniffSSH: lines of text may stand before what a server says, not before
// what a client does.
func TestSniffSSH(t *testing.T) {
	for _, tt := range []struct {
		in             string
		client, server Match
	}{
		{"SSH-2.0-x", Yes, Yes},
		{"SSH-1.5-x", Yes, Yes},
		{"SSH-", Maybe, Maybe},
		{"SSH-3.0-x", No, No},
		{"hello\nSSH-3.0-x", No, No},
		{"hello\r\nSSH-2.0-x", No, Yes},
		{"hello\r\n\r\nSSH-1.99-x", No, Yes},
		{"hello\r\nSSH", No, Maybe},
		{"hello\r\n", No, Maybe},
		{"hello", No, Maybe},
		{"hello\x00", No, No},
		{"hello\r\nworld\x00\r\nSSH-2.0-x", No, No},
		{"\x16\x03\x01", No, No},
	} {
		if got := sniffSSH(FromClient, []byte(tt.in)); got != tt.client {
			t.Errorf("%q of a client: %v, want %v", tt.in, got, tt.client)
		}
		if got := sniffSSH(FromServer, []byte(tt.in)); got != tt.server {
			t.Errorf("%q of a server: %v, want %v", tt.in, got, tt.server)
		}
	}
}
