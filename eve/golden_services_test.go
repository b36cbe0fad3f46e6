package eve

import (
	"strings"
	"testing"

	"gatehouse/internal/testkit"
)

// said is one payload of a dialogue, from the client unless server is set.
type said struct {
	server  bool
	payload string
}

func client(payload string) said { return said{payload: payload} }
func server(payload string) said { return said{server: true, payload: payload} }

func zeros(n int) string { return strings.Repeat("\x00", n) }

// TestGoldenServices plays a dialogue over TCP, or over UDP, of each service.
func TestGoldenServices(t *testing.T) {
	for _, c := range []struct {
		name     string
		port     uint16
		udp      bool
		dialogue []said
	}{
		{"mqtt", 1883, false, []said{
			client("\x10\x1d\x00\x04MQTT\x04\xc2\x00\x3c\x00\x04cam1\x00\x04root\x00\x05vizxv\x82\x08\x00\x01\x00\x03a/#\x00"),
			server("\x20\x02\x00\x00"),
			client("\x30\x09\x00\x05t/tmp21"),
			client("\x30\x09\x00\x05t/tmp22"),
		}},
		{"ftp", 21, false, []said{
			server("220 plc.example FTP ready\r\n"),
			client("USER ftpuser\r\n"),
			server("331 Password?\r\n"),
			client("PASS password\r\n"),
			server("230 Welcome\r\n"),
			client("RETR firmware.bin\r\n"),
			server("150 Here it comes\r\n226 Done\r\n"),
			client("AUTH TLS\r\n"),
			server("234 Go ahead\r\n"),
			client(string(clientHello("plc.example"))),
		}},
		{"smtp", 25, false, []said{
			server("220 mx.example ESMTP\r\n"),
			client("EHLO camera.example\r\n"),
			server("250-mx.example\r\n250 AUTH PLAIN LOGIN\r\n"),
			client("AUTH LOGIN\r\n"),
			server("334 VXNlcm5hbWU6\r\n"),
			client("Y2FtZXJh\r\n"), // camera
			server("334 UGFzc3dvcmQ6\r\n"),
			client("c2VjcmV0\r\n"), // secret
			server("535 5.7.8 Authentication failed\r\n"),
			client("MAIL FROM:<camera@example.com>\r\n"),
			server("250 OK\r\n"),
			client("RCPT TO:<owner@example.com>\r\n"),
			server("250 OK\r\n"),
			client("DATA\r\n"),
			server("354 Go ahead\r\n"),
		}},
		{"pop3", 110, false, []said{
			server("+OK POP3 ready\r\n"),
			client("USER anna\r\n"),
			server("+OK\r\n"),
			client("PASS secret\r\n"),
			server("-ERR wrong\r\n"),
		}},
		{"imap", 143, false, []said{
			server("* OK IMAP4rev1 ready\r\n"),
			client("a1 LOGIN anna \"a secret\"\r\n"),
			server("a1 OK done\r\n"),
		}},
		{"telnet", 23, false, []said{
			server("\xff\xfd\x18\xff\xfb\x01"),
			client("\xff\xfc\x18\xff\xfd\x01"),
			server("\r\ndvr login: "),
			client("root\r\n"),
			server("root\r\nPassword: "),
			client("xc3511\r\n"),
			server("\r\n\r\nBusyBox v1.16.1\r\n~ # "),
		}},
		{"snmp", 161, true, []said{
			client("\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x01\x07\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x05\x00\x05\x00"),
			server("\x30\x29\x02\x01\x01\x04\x06public\xa2\x1c\x02\x01\x07\x02\x01\x00\x02\x01\x00\x30\x11\x30\x0f\x06\x08\x2b\x06\x01\x02\x01\x01\x05\x00\x04\x03nas"),
		}},
		{"ldap", 389, false, []said{
			client("0!\x02\x01\x01`\x1c\x02\x01\x03\x04\x0fcn=admin,dc=lan\x80\x06secret"),
			server("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x31\x04\x00\x04\x00"),
		}},
		{"krb5", 88, true, []said{
			client("jM0K\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\xa4?0=\xa0\x07\x03\x05\x00\x00\x00\x00\x00\xa1\x110\x0f\xa0\x03\x02\x01\x01\xa1\x080\x06\x1b\x04anna\xa2\x05\x1b\x03LAN\xa3\x180\x16\xa0\x03\x02\x01\x01\xa1\x0f0\x0d\x1b\x06krbtgt\x1b\x03LAN"),
			server("~]0[\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e\xa4\x11\x18\x0f20260314092653Z\xa5\x03\x02\x01\x00\xa6\x03\x02\x01\x18\xa8\x110\x0f\xa0\x03\x02\x01\x01\xa1\x080\x06\x1b\x04anna\xa9\x05\x1b\x03LAN\xaa\x180\x16\xa0\x03\x02\x01\x01\xa1\x0f0\x0d\x1b\x06krbtgt\x1b\x03LAN"),
		}},
		{"coap", 5683, true, []said{
			client("\x40\x01\x00\x01\x60\x57sensors\x04temp"),
			server("\x60\x45\x00\x01\xc0\xff21"),
		}},
		{"rtsp", 554, false, []said{
			client("DESCRIBE rtsp://cam.example/1 RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: nvr/2\r\n\r\n"),
			server("RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n"),
			client("DESCRIBE rtsp://admin:12345@cam.example/1 RTSP/1.0\r\nCSeq: 2\r\nAuthorization: Basic YWRtaW46MTIzNDU=\r\n\r\n"),
			server("RTSP/1.0 200 OK\r\nCSeq: 2\r\nServer: cam\r\nContent-Length: 3\r\n\r\nv=0"),
		}},
		{"sip", 5060, true, []said{
			client("REGISTER sip:pbx.example SIP/2.0\r\nFrom: <sip:42@pbx.example>;tag=1\r\nTo: <sip:42@pbx.example>\r\n" +
				"User-Agent: phone/1\r\nAuthorization: Digest username=\"42\", realm=\"x\", response=\"0\"\r\n\r\n"),
			server("SIP/2.0 403 Forbidden\r\nFrom: <sip:42@pbx.example>;tag=1\r\nTo: <sip:42@pbx.example>;tag=2\r\n\r\n"),
		}},
		{"mysql", 3306, false, []said{
			server("\x1e\x00\x00\x00\x0a8.0.36\x00" + zeros(22)),
			client("\x27\x00\x00\x01\x00\x82\x08\x00" + zeros(28) + "root\x00\x00\x00"),
			server("\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00"),
		}},
		{"pgsql", 5432, false, []said{
			client("\x00\x00\x00\x22\x00\x03\x00\x00user\x00postgres\x00database\x00a\x00\x00"),
			server("R\x00\x00\x00\x08\x00\x00\x00\x03"),
			client("p\x00\x00\x00\x0dpostgres\x00"),
			server("E\x00\x00\x00\x0cC28P01\x00\x00"),
		}},
		{"pgsql_queries", 5432, false, []said{
			client("\x00\x00\x00\x08\x04\xd2\x16\x2f"),
			server("N"),
			client("\x00\x00\x00\x12\x00\x03\x00\x00user\x00plc\x00\x00"),
			server("R\x00\x00\x00\x08\x00\x00\x00\x00S\x00\x00\x00\x11TimeZone\x00UTC\x00K\x00\x00\x00\x0c\x00\x00\x02\x01key!Z\x00\x00\x00\x05I"),
			client("Q\x00\x00\x00\x2aSELECT id FROM users WHERE n = 'anna'\x00"),
			server("T\x00\x00\x00\x06\x00\x01D\x00\x00\x00\x0b\x00\x01\x00\x00\x00\x017C\x00\x00\x00\x0dSELECT 1\x00Z\x00\x00\x00\x05I"),
			client("X\x00\x00\x00\x04"),
		}},
		{"amqp", 5672, false, []said{
			client("AMQP\x00\x00\x09\x01"),
			server("\x01\x00\x00\x00\x00\x00D\x00\x0a\x00\x0a\x00\x09\x00\x00\x00(\x07productS\x00\x00\x00\x08RabbitMQ\x07versionS\x00\x00\x00\x063.12.1\x00\x00\x00\x05PLAIN\x00\x00\x00\x05en_US\xce"),
			client("\x01\x00\x00\x00\x00\x00I\x00\x0a\x00\x0b\x00\x00\x00%\x07productS\x00\x00\x00\x0aplc-bridge\x07versionS\x00\x00\x00\x012\x05PLAIN\x00\x00\x00\x0c\x00guest\x00guest\x05en_US\xce"),
			server("\x01\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x1e\x07\xff\x00\x02\x00\x00\x00<\xce"),
			client("\x01\x00\x00\x00\x00\x00\x0d\x00\x0a\x00(\x06/plant\x00\x00\xce"),
			server("\x01\x00\x00\x00\x00\x00\x05\x00\x0a\x00)\x00\xce"),
			client("\x01\x00\x00\x00\x00\x00\x15\x00<\x00(\x00\x00\x06alarms\x06line.7\x00\xce"),
		}},
		{"redis", 6379, false, []said{
			client("*2\r\n$4\r\nKEYS\r\n$1\r\n*\r\n"),
			server("-NOAUTH Authentication required.\r\n"),
			client("*3\r\n$4\r\nAUTH\r\n$5\r\nadmin\r\n$5\r\nadmin\r\n*2\r\n$4\r\nKEYS\r\n$1\r\n*\r\n"),
			server("+OK\r\n*0\r\n"),
			client("*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$3\r\ndir\r\n$10\r\n/root/.ssh\r\n"),
		}},
		{"radius", 1812, true, []said{
			client("\x01\x07\x00\x43" + zeros(16) + "\x01\x06anna\x02\x12" + zeros(16) + "\x04\x06\xc0\xa8\x07\x2a\x1e\x07plant\x1f\x0aoffice-7"),
			server("\x03\x07\x00\x14" + zeros(16)),
		}},
		{"ntp", 123, true, []said{
			client("\x16\x02\x00\x01" + zeros(8)), // read variables
			client("\x17\x00\x03\x2a" + zeros(4)), // monlist
			client("\x23" + zeros(47)),
			server("\x24\x02\x06\xe9" + zeros(8) + "\xc0\x00\x02\x01" + zeros(32)),
		}},
		{"syslog", 514, true, []said{client("<34>Oct 11 22:14:15 camera su: 'su root' failed")}},
		{"tftp", 69, true, []said{client("\x00\x01firmware.bin\x00octet\x00")}},
		{"smb", 445, false, []said{
			client("\x00\x00\x00\x68\xfeSMB\x40\x00" + zeros(58) + "\x24\x00\x02\x00\x01" + zeros(31) + "\x10\x02\x11\x03"),
			server("\x00\x00\x00\x80\xfeSMB\x40\x00" + zeros(10) + "\x01" + zeros(47) + "\x41\x00\x01\x00\x11\x03" + zeros(58)),
			client("\x00\x00\x00\xaa\xfeSMB\x40\x00" + zeros(6) + "\x01" + zeros(51) +
				"\x19\x00\x00\x01" + zeros(8) + "\x58\x00\x52\x00" + zeros(8) +
				"NTLMSSP\x00\x03\x00\x00\x00" + zeros(8) + "\x00\x00\x00\x00\x40\x00\x00\x00" +
				"\x08\x00\x08\x00\x40\x00\x00\x00\x08\x00\x08\x00\x48\x00\x00\x00\x02\x00\x02\x00\x50\x00\x00\x00" +
				zeros(8) + "\x05\x02\x08\x00" + "H\x00O\x00M\x00E\x00a\x00n\x00n\x00a\x00P\x00"),
			server("\x00\x00\x00\x48\xfeSMB\x40\x00" + zeros(2) + "\x6d\x00\x00\xc0\x01\x00\x00\x00\x01" + zeros(47) + "\x09\x00\x00\x00\x48\x00\x00\x00"),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScenario(t)
			to := cloud(c.port)
			if !c.udp {
				s.connect(camera, to)
			}
			for _, p := range c.dialogue {
				a, b := camera, to
				if p.server {
					a, b = to, camera
				}
				if c.udp {
					s.udp(a, b, []byte(p.payload))
				} else {
					s.tcp(a, b, "PA", []byte(p.payload))
				}
			}
			if !c.udp {
				s.disconnect(camera, to)
			}
			testkit.Golden(t, s.log(), "testdata/"+c.name+".jsonl")
		})
	}
}
