package notify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"gatehouse/alert"
	"gatehouse/device"
	"gatehouse/notify/format"
)

// MQTT publishes notices to a broker of MQTT 5, with the presence of devices
// and the health of the sensor beside them, and makes all of it known to Home
// Assistant. Below its topic:
//
//	status            online, offline (retained, also the will)
//	alert             each notice in the chosen format, likewise
//	incident, digest
//	event             each alert as an event of Home Assistant
//	last              the last alert (retained)
//	sensor            Health as JSON (retained)
//	device/ID/presence   home, not_home (retained)
//	device/ID/alert   the last alert of a device (retained)
type MQTT struct {
	URL       string        `yaml:"url"` // mqtt://host or mqtts://host
	User      string        `yaml:"user"`
	Password  Secret        `yaml:"password"`
	ClientID  string        `yaml:"client_id"`
	Topic     string        `yaml:"topic"`
	Format    string        `yaml:"format"`
	Discovery string        `yaml:"discovery"`  // topic of Home Assistant's discovery, "" for none
	AwayAfter time.Duration `yaml:"away_after"` // silence after which a device is away
	TLS       TLS           `yaml:"tls"`
}

const (
	mqttPort, mqttsPort = "1883", "8883" // registered with IANA
	defaultAwayAfter    = 10 * time.Minute
	mqttKeepAlive       = 60        // seconds
	maxPresences        = 4096      // as many devices as the inventory holds
	maxMQTTPacket       = 256 << 10 // of what the broker may send us
)

// Validate implements Config.
func (c *MQTT) Validate() error {
	if _, _, err := c.server(); err != nil {
		return &FieldError{"url", err}
	}
	if _, err := findFormat(c.Format); err != nil {
		return err
	}
	for key, topic := range map[string]string{"topic": c.Topic, "discovery": c.Discovery} {
		if topic == "" && key == "topic" || len(topic) > 200 || strings.ContainsAny(topic, "+#\x00") || strings.HasPrefix(topic, "$") ||
			topic != strings.Trim(topic, "/") || topic != strings.ToValidUTF8(topic, "") {
			return &FieldError{key, fmt.Errorf("%q is no topic: want a name such as gatehouse/plant3, without + and # and up to 200 bytes", topic)}
		}
	}
	if c.AwayAfter < 2*time.Minute {
		return &FieldError{"away_after", errors.New("has to be 2m or longer: devices are heard of once a minute")}
	}
	return c.TLS.validate()
}

// server reads the URL.
func (c *MQTT) server() (address string, secure bool, err error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "mqtt" && u.Scheme != "mqtts" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", false, errors.New("has to be an address such as mqtt://broker.example.net or mqtts://broker.example.net:8883")
	}
	if u.User != nil {
		return "", false, errors.New("must not hold a user or password: there are keys for them")
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "mqtts":
		port = mqttsPort
	default:
		port = mqttPort
	}
	return net.JoinHostPort(u.Hostname(), port), u.Scheme == "mqtts", nil
}

// Open implements Config.
func (c *MQTT) Open(o Options) (Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &mqtt{config: *c, meta: format.Meta{Site: o.Site, Version: o.Version}, now: o.Now, present: map[string]*presence{}}
	if s.config.ClientID == "" {
		s.config.ClientID = "gatehouse-" + o.Name
	}
	var secure bool
	s.address, secure, _ = c.server()
	s.format, _ = findFormat(c.Format)
	if secure {
		config, err := c.TLS.client()
		if err != nil {
			return nil, err
		}
		if config.ServerName == "" {
			config.ServerName, _, _ = net.SplitHostPort(s.address)
		}
		s.tls = config
	} else if c.TLS != (TLS{}) {
		return nil, &FieldError{"tls", errors.New("is for an address with mqtts://")}
	}
	return s, nil
}

type mqtt struct {
	config  MQTT
	address string
	tls     *tls.Config
	format  format.Format
	meta    format.Meta
	now     func() time.Time

	conn    net.Conn
	client  *paho.Client         // nil while there is no connection
	present map[string]*presence // by slug of the id

	mu         sync.Mutex
	remembered []string // slugs of devices that the broker had as present
}

// Deliver implements Sink. A notice is accepted when the broker has
// acknowledged it.
func (s *mqtt) Deliver(ctx context.Context, notices []alert.Notice) (int, error) {
	for i := range notices {
		n := &notices[i]
		text, err := s.format.Render(n, s.meta)
		if err != nil {
			return i, Rejected(fmt.Errorf("write %s as %s: %w", n.Key(), s.format.Name, err))
		}
		err = s.session(ctx, func() error {
			if n.Alert != nil {
				if err := s.showAlert(ctx, n); err != nil {
					return err
				}
			}
			return s.publish(ctx, noticeTopic(n), text, false, n.Key())
		})
		if err != nil {
			return i, err
		}
	}
	return len(notices), nil
}

func noticeTopic(n *alert.Notice) string {
	switch {
	case n.Alert != nil:
		return "alert"
	case n.Incident != nil:
		return "incident"
	}
	return "digest"
}

// DeliverSeries implements SeriesSink: who was heard of is present.
func (s *mqtt) DeliverSeries(ctx context.Context, minutes []device.Minute) error {
	return s.session(ctx, func() error {
		for i := range minutes {
			if err := s.heard(ctx, &minutes[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeliverHealth implements HealthSink. It is also when devices that have been
// silent for long are noticed.
func (s *mqtt) DeliverHealth(ctx context.Context, h Health) error {
	return s.session(ctx, func() error {
		if h.Problems == nil {
			h.Problems = []string{}
		}
		text, err := json.Marshal(h)
		if err != nil {
			return Rejected(err)
		}
		if err := s.publish(ctx, "sensor", text, true, ""); err != nil {
			return err
		}
		return s.missed(ctx, h.Time)
	})
}

// session does something with a connection, which it makes if there is none and
// gives up after an error that is the connection's.
func (s *mqtt) session(ctx context.Context, do func() error) error {
	err := s.connect(ctx)
	if err == nil {
		// Nothing but this ends a write that the broker does not take.
		stop := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) })
		err = do()
		stop()
	}
	if err == nil || errors.Is(err, ErrRejected) {
		return err
	}
	s.hangUp()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return scrub(fmt.Errorf("publish to %s: %w", s.address, err), s.config.Password)
}

func (s *mqtt) connect(ctx context.Context) error {
	if s.client != nil {
		select {
		case <-s.client.Done():
			s.hangUp()
		default:
			return nil
		}
	}
	d := net.Dialer{Timeout: 10 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	if s.tls != nil {
		t := tls.Client(conn, s.tls)
		if err := t.HandshakeContext(ctx); err != nil {
			_ = conn.Close() // the handshake's error says more
			return fmt.Errorf("agree on TLS: %w", err)
		}
		conn = t
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	client := paho.NewClient(paho.ClientConfig{
		Conn:               packets.NewThreadSafeConn(&boundedPackets{Conn: conn, limit: maxMQTTPacket}),
		PacketTimeout:      time.Minute, // ctx ends sooner
		OnServerDisconnect: func(*paho.Disconnect) {},
		OnPublishReceived:  []func(paho.PublishReceived) (bool, error){s.recall},
	})
	ack, err := client.Connect(ctx, s.hello())
	if err != nil {
		_ = conn.Close() // as above
		if ack != nil {
			return refused(ack)
		}
		return err
	}
	s.conn, s.client = conn, client
	return s.greet(ctx)
}

// refused says why a broker does not want us (MQTT 5, section 3.2.2.2).
func refused(ack *paho.Connack) error {
	why := "reason code " + fmt.Sprintf("0x%02x", ack.ReasonCode)
	switch ack.ReasonCode {
	case 0x84:
		why = "it does not speak MQTT 5"
	case 0x86, 0x87:
		why = "wrong user or password, or not allowed"
	}
	if ack.Properties != nil && ack.Properties.ReasonString != "" {
		why += reason([]byte(ack.Properties.ReasonString))
	}
	return errors.New("the broker refuses the connection: " + why)
}

// hello is the CONNECT packet. The session ends with the connection: what was
// not acknowledged is published again from the outbox.
func (s *mqtt) hello() *paho.Connect {
	receive, size := uint16(16), uint32(maxMQTTPacket)
	c := &paho.Connect{
		ClientID: s.config.ClientID, CleanStart: true, KeepAlive: mqttKeepAlive,
		WillMessage: &paho.WillMessage{Topic: s.topic("status"), Payload: []byte("offline"), QoS: 1, Retain: true},
		Properties:  &paho.ConnectProperties{ReceiveMaximum: &receive, MaximumPacketSize: &size, RequestProblemInfo: true},
	}
	if s.config.User != "" {
		c.Username, c.UsernameFlag = s.config.User, true
	}
	if !s.config.Password.IsZero() {
		c.Password, c.PasswordFlag = []byte(s.config.Password.Reveal()), true
	}
	return c
}

// greet says who is there, to a broker that may know nothing yet.
func (s *mqtt) greet(ctx context.Context) error {
	for _, p := range s.present {
		p.known = false
	}
	if s.config.Discovery != "" {
		if err := s.introduceSensor(ctx); err != nil {
			return err
		}
	}
	if err := s.publish(ctx, "status", []byte("online"), true, ""); err != nil {
		return err
	}
	// What the broker has kept of an earlier run comes back once.
	_, err := s.client.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{
		{Topic: s.topic("device/+/presence"), QoS: 0, NoLocal: true},
	}})
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}

func (s *mqtt) topic(below string) string { return s.config.Topic + "/" + below }

func (s *mqtt) publish(ctx context.Context, below string, text []byte, retain bool, key string) error {
	p := &paho.Publish{Topic: s.topic(below), Payload: text, QoS: 1, Retain: retain}
	if key != "" {
		p.Properties = &paho.PublishProperties{ContentType: s.format.MediaType, User: paho.UserProperties{{Key: "key", Value: key}}}
	}
	return s.send(ctx, p)
}

// Reason codes of MQTT 5 (section 2.4) that are about the message.
const (
	reasonPacketTooLarge       = 0x95
	reasonPayloadFormatInvalid = 0x99
)

func (s *mqtt) send(ctx context.Context, p *paho.Publish) error {
	answer, err := s.client.Publish(ctx, p)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", p.Topic, err)
	if answer != nil {
		err = fmt.Errorf("%w (reason code 0x%02x)", err, answer.ReasonCode)
	}
	if answer != nil && (answer.ReasonCode == reasonPacketTooLarge || answer.ReasonCode == reasonPayloadFormatInvalid) {
		return Rejected(err)
	}
	return err
}

// hangUp ends a connection without a word, so that the broker publishes the
// will.
func (s *mqtt) hangUp() {
	if s.conn != nil {
		_ = s.conn.Close() // there is nothing left to lose
		<-s.client.Done()
	}
	s.conn, s.client = nil, nil
}

// Close implements Sink.
func (s *mqtt) Close() error {
	if s.client == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := s.session(ctx, func() error { return s.publish(ctx, "status", []byte("offline"), true, "") })
	if err == nil {
		err = s.client.Disconnect(&paho.Disconnect{})
	}
	s.hangUp()
	return err
}
