package eve

import (
	"fmt"

	"gatehouse/flow"
	"gatehouse/wire"
)

// serviceBodies are the objects of the services that people and devices log in
// to, or run beside them.
type serviceBodies struct {
	AMQP     *amqpBody     `json:"amqp,omitempty"`
	CoAP     *coapBody     `json:"coap,omitempty"`
	DCERPC   *dcerpcBody   `json:"dcerpc,omitempty"`
	Kerberos *kerberosBody `json:"krb5,omitempty"`
	LDAP     *ldapBody     `json:"ldap,omitempty"`
	SNMP     *snmpBody     `json:"snmp,omitempty"`
	FTP      *ftpBody      `json:"ftp,omitempty"`
	FTPData  *ftpDataBody  `json:"ftp_data,omitempty"`
	IMAP     *imapBody     `json:"imap,omitempty"`
	MQTT     *mqttBody     `json:"mqtt,omitempty"`
	NATS     *natsBody     `json:"nats,omitempty"`
	POP3     *pop3Body     `json:"pop3,omitempty"`
	Radius   *radiusBody   `json:"radius,omitempty"`
	Redis    *redisBody    `json:"redis,omitempty"`
	MongoDB  *mongoBody    `json:"mongodb,omitempty"`
	Socks    *socksBody    `json:"socks,omitempty"`
	TDS      *tdsBody      `json:"tds,omitempty"`
	RTSP     *rtspBody     `json:"rtsp,omitempty"`
	SIP      *sipBody      `json:"sip,omitempty"`
	MySQL    *mysqlBody    `json:"mysql,omitempty"`
	PgSQL    *pgsqlBody    `json:"pgsql,omitempty"`
	NTP      *ntpBody      `json:"ntp,omitempty"`
	Syslog   *syslogBody   `json:"syslog,omitempty"`
	TFTP     *tftpBody     `json:"tftp,omitempty"`
	SMTP     *smtpBody     `json:"smtp,omitempty"`
	Telnet   *telnetBody   `json:"telnet,omitempty"`
	SMB      *smbBody      `json:"smb,omitempty"`
	Login    *loginBody    `json:"login,omitempty"`
}

// service writes one message of a service.
func (w *Writer) service(ev *flow.Event, m wire.Message) error {
	switch m := m.(type) {
	case *wire.Login:
		return w.login(ev, m)
	case *wire.MQTT:
		return w.mqtt(ev, m)
	case *wire.NATS:
		return w.nats(ev, natsSessionBody(m))
	case *wire.NATSSubject:
		return w.nats(ev, natsSubjectBody(m))
	case *wire.AMQP:
		return w.amqp(ev, amqpSessionBody(m))
	case *wire.AMQPPublish:
		return w.amqp(ev, &amqpBody{Publish: &amqpPublish{sideName(m.From), m.Exchange, m.RoutingKey}})
	case *wire.CoAP:
		return w.coap(ev, m)
	case *wire.DCERPC:
		return w.dcerpc(ev, m)
	case *wire.Kerberos:
		return w.kerberos(ev, m)
	case *wire.LDAP:
		return w.ldap(ev, m)
	case *wire.SNMP:
		return w.snmp(ev, m)
	case *wire.MongoDB:
		return w.mongodb(ev, m)
	case *wire.Socks:
		return w.socks(ev, m)
	case *wire.TDS:
		return w.tds(ev, m)
	case *wire.RTSP:
		return w.rtsp(ev, m)
	case *wire.SIP:
		return w.sip(ev, m)
	case *wire.MySQL:
		return w.mysql(ev, m)
	case *wire.PostgreSQL:
		return w.pgsql(ev, m)
	case *wire.Radius:
		return w.radius(ev, m)
	case *wire.Redis:
		return w.redis(ev, m)
	case *wire.NTP:
		return w.ntp(ev, m)
	case *wire.Syslog:
		return w.syslog(ev, m)
	case *wire.TFTP:
		return w.tftp(ev, m)
	case *wire.FTP:
		return w.ftp(ev, m)
	case *wire.FTPData:
		return w.ftpData(ev, m)
	case *wire.SMTP:
		return w.smtp(ev, m)
	case *wire.POP3:
		return w.pop3(ev, m)
	case *wire.IMAP:
		return w.imap(ev, m)
	case *wire.Telnet:
		return w.telnet(ev, m)
	case *wire.SMB:
		return w.smb(ev, m)
	default:
		return fmt.Errorf("write event: no vocabulary for %T", m)
	}
}
