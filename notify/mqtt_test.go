package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"gatehouse/alert"
	"gatehouse/device"
)

func mqttTo(url string) *MQTT {
	return &MQTT{URL: url, Topic: "gatehouse/home", Format: "json", Discovery: "homeassistant", AwayAfter: defaultAwayAfter}
}

// mosquitto starts a broker with more lines of configuration.
func mosquitto(t *testing.T, more string) (port string) {
	t.Helper()
	port = freePort(t)
	config := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := "user root\npersistence false\nlistener " + port + " 127.0.0.1\n" + more
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	startServer(t, "mosquitto", "-c", config)
	awaitPort(t, port)
	return port
}

// subscriber is a subscriber to everything.
type subscriber struct {
	mu     sync.Mutex
	last   map[string]string // by topic
	order  []string          // "topic payload"
	retain map[string]bool
	client *paho.Client
}

func listen(t *testing.T, port, user, password string) *subscriber {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	l := &subscriber{last: map[string]string{}, retain: map[string]bool{}}
	l.client = paho.NewClient(paho.ClientConfig{Conn: packets.NewThreadSafeConn(conn), OnPublishReceived: []func(paho.PublishReceived) (bool, error){
		func(p paho.PublishReceived) (bool, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.last[p.Packet.Topic] = string(p.Packet.Payload)
			l.retain[p.Packet.Topic] = p.Packet.Retain
			l.order = append(l.order, p.Packet.Topic+" "+string(p.Packet.Payload))
			return true, nil
		},
	}})
	if _, err := l.client.Connect(t.Context(), &paho.Connect{
		ClientID: "subscriber" + t.Name(), CleanStart: true, KeepAlive: 60,
		Username: user, UsernameFlag: user != "", Password: []byte(password), PasswordFlag: user != "",
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.client.Subscribe(t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "#", QoS: 1, RetainAsPublished: true}}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.client.Disconnect(&paho.Disconnect{}) })
	return l
}

func (l *subscriber) get(topic string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last[topic]
}

func (l *subscriber) await(t *testing.T, topic, payload string) {
	t.Helper()
	await(t, fmt.Sprintf("%s is %q", topic, payload), func() bool { return l.get(topic) == payload })
}

// TestMQTTReachesHomeAssistant plays Home Assistant: it follows the discovery
// messages, and finds a state for each entity.
func TestMQTTReachesHomeAssistant(t *testing.T) {
	port := mosquitto(t, "allow_anonymous true\n")
	ear := listen(t, port, "", "")
	s := open(t, mqttTo("mqtt://127.0.0.1:"+port)).(*mqtt)
	now := testMinute.Add(time.Minute)
	s.now = func() time.Time { return now }
	notices := testNotices(t)
	deliverAll(t, s, notices)
	minute := device.Minute{Time: testMinute, Device: "mac:f4b85eff2b1b", Name: "kitchen-cam"}
	old := device.Minute{Time: testMinute.Add(-time.Hour), Device: "mac:000000000001", Name: "long gone"}
	if err := s.DeliverSeries(t.Context(), []device.Minute{old, minute, minute}); err != nil {
		t.Fatal(err)
	}
	if err := s.DeliverHealth(t.Context(), Health{Time: now, Visibility: .987}); err != nil {
		t.Fatal(err)
	}
	const base = "gatehouse/home/"
	ear.await(t, base+"device/mac_f4b85eff2b1b/presence", "home")
	await(t, "the health arrives", func() bool { return ear.get(base+"sensor") != "" })
	ear.mu.Lock()
	defer ear.mu.Unlock()
	for topic, notice := range map[string]alert.Notice{base + "alert": notices[0], base + "incident": notices[1], base + "digest": notices[2]} {
		var got alert.Notice
		if err := json.Unmarshal([]byte(ear.last[topic]), &got); err != nil || got.Key() != notice.Key() || ear.retain[topic] {
			t.Errorf("%s: %v, retained %v, %s", topic, err, ear.retain[topic], ear.last[topic])
		}
	}
	found := map[string]bool{}
	for topic, text := range ear.last {
		rest, ok := strings.CutPrefix(topic, "homeassistant/")
		if !ok {
			continue
		}
		parts := strings.Split(rest, "/")
		var e entity
		if err := json.Unmarshal([]byte(text), &e); err != nil || len(parts) != 4 || parts[3] != "config" || !ear.retain[topic] {
			t.Errorf("%s: %v, retained %v", topic, err, ear.retain[topic])
			continue
		}
		if _, ok := ear.last[e.State]; !ok || ear.last[e.Available] != "online" || e.UniqueID == "" || len(e.Device.Identifiers) == 0 {
			t.Errorf("%s has no state or is not available: %s", topic, text)
		}
		if strings.Contains(e.Template, "value_json") && !json.Valid([]byte(ear.last[e.State])) {
			t.Errorf("%s: its state is no JSON: %s", topic, ear.last[e.State])
		}
		if e.Attributes != "" && !json.Valid([]byte(ear.last[e.Attributes])) {
			t.Errorf("%s: its attributes are no JSON", topic)
		}
		if parts[0] == "event" {
			var event struct {
				Type string `json:"event_type"`
			}
			if err := json.Unmarshal([]byte(ear.last[e.State]), &event); err != nil || !slices.Contains(e.EventTypes, event.Type) {
				t.Errorf("event %q is none of %q", event.Type, e.EventTypes)
			}
		}
		if parts[0] == "device_tracker" && (len(e.Device.Connections) != 1 || e.Device.Connections[0] != [2]string{"mac", "f4:b8:5e:ff:2b:1b"} || e.Device.Name != "kitchen-cam") {
			t.Errorf("the device is %+v", e.Device)
		}
		found[parts[0]+" "+parts[2]] = true
	}
	if got, want := slices.Sorted(maps.Keys(found)), []string{"binary_sensor problem", "device_tracker presence", "event alert", "sensor alert", "sensor last", "sensor visibility"}; !slices.Equal(got, want) {
		t.Errorf("entities %q, want %q", got, want)
	}
	for _, line := range ear.order {
		if strings.Contains(line, "000000000001") {
			t.Errorf("a device of an hour ago is told of: %s", line)
		}
	}
}

// TestMQTTPresence: who is silent for long is away, also if that began before
// we were started; the sensor itself is offline when it ends or dies.
func TestMQTTPresence(t *testing.T) {
	port := mosquitto(t, "allow_anonymous true\n")
	ear := listen(t, port, "", "")
	const presence, status = "gatehouse/home/device/mac_02/presence", "gatehouse/home/status"
	var now time.Time
	start := func() *mqtt {
		s := open(t, mqttTo("mqtt://127.0.0.1:"+port)).(*mqtt)
		s.now = func() time.Time { return now }
		return s
	}
	health := func(s *mqtt) {
		t.Helper()
		if err := s.DeliverHealth(t.Context(), Health{Time: now}); err != nil {
			t.Fatal(err)
		}
	}
	now = testMinute.Add(time.Minute)
	s := start()
	if err := s.DeliverSeries(t.Context(), []device.Minute{{Time: testMinute, Device: "mac:02"}}); err != nil {
		t.Fatal(err)
	}
	ear.await(t, presence, "home")
	now = now.Add(9 * time.Minute)
	if health(s); ear.get(presence) != "home" {
		t.Error("away too early")
	}
	now = now.Add(time.Minute)
	health(s)
	ear.await(t, presence, "not_home")
	if err := s.DeliverSeries(t.Context(), []device.Minute{{Time: now, Device: "mac:02"}}); err != nil {
		t.Fatal(err)
	}
	ear.await(t, presence, "home")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ear.await(t, status, "offline")

	again := start()
	health(again)
	ear.await(t, status, "online")
	await(t, "the broker has told who was there", func() bool {
		again.mu.Lock()
		defer again.mu.Unlock()
		return len(again.remembered)+len(again.present) > 0
	})
	health(again)
	now = now.Add(11 * time.Minute)
	health(again)
	ear.await(t, presence, "not_home")
	_ = again.conn.(*net.TCPConn).SetLinger(0)
	again.hangUp()
	ear.await(t, status, "offline")
	// The next delivery connects again.
	deliverAll(t, again, testNotices(t)[:1])
	ear.await(t, status, "online")
}

// TestMQTTCertificatesAndPasswords against a broker that asks for both.
func TestMQTTCertificatesAndPasswords(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	cert, key := ca.server(t, "broker")
	clientCert, clientKey := ca.client(t, "gate")
	passwords := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(passwords, []byte("gate:"+mosquittoHash("brokersecret")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	port := mosquitto(t, fmt.Sprintf("allow_anonymous false\npassword_file %s\ncafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate true\n", passwords, ca.caFile, cert, key))
	for name, tc := range map[string]struct {
		tls      TLS
		password string
		ok       bool
	}{
		"right":          {TLS{CAFile: ca.caFile, CertFile: clientCert, KeyFile: clientKey}, "brokersecret", true},
		"wrong password": {TLS{CAFile: ca.caFile, CertFile: clientCert, KeyFile: clientKey}, "othersecret", false},
		"no certificate": {TLS{CAFile: ca.caFile}, "brokersecret", false},
		"another CA":     {TLS{CAFile: other.caFile, CertFile: clientCert, KeyFile: clientKey}, "brokersecret", false},
		"unknown CA":     {TLS{CertFile: clientCert, KeyFile: clientKey}, "brokersecret", false},
		"wrong name":     {TLS{CAFile: ca.caFile, CertFile: clientCert, KeyFile: clientKey, ServerName: "x"}, "brokersecret", false},
	} {
		c := mqttTo("mqtts://127.0.0.1:" + port)
		c.TLS, c.User, c.Password = tc.tls, "gate", NewSecret(tc.password)
		n, err := open(t, c).Deliver(t.Context(), testNotices(t))
		if (err == nil) != tc.ok || tc.ok && n != 3 || errors.Is(err, ErrRejected) || strings.Contains(fmt.Sprint(err), tc.password) {
			t.Errorf("%s: accepted %d, %v", name, n, err)
		}
	}
}

// TestMQTTPacketLimit: what the broker does not take is this notice's fault.
func TestMQTTPacketLimit(t *testing.T) {
	port := mosquitto(t, "allow_anonymous true\nmessage_size_limit 4000\n")
	c := mqttTo("mqtt://127.0.0.1:" + port)
	c.Discovery = ""
	notices := testNotices(t)
	big := *notices[0].Alert
	big.Summary = strings.Repeat("x", 5000)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	s := open(t, c)
	if n, err := s.Deliver(ctx, []alert.Notice{notices[1], {Alert: &big}}); n != 1 || !errors.Is(err, ErrRejected) {
		t.Errorf("accepted %d, %v", n, err)
	}
	deliverAll(t, s, notices)
}

func TestMQTTBadServers(t *testing.T) {
	checkBadServers(t, func(addr string) Config { return mqttTo("mqtt://" + addr) })
}

func TestMQTTValidate(t *testing.T) {
	for _, tc := range []struct {
		key    string
		change func(*MQTT)
	}{
		{"", func(*MQTT) {}},
		{"", func(c *MQTT) { c.Discovery = "" }},
		{"url", func(c *MQTT) { c.URL = "broker" }},
		{"url", func(c *MQTT) { c.URL = "http://broker" }},
		{"url", func(c *MQTT) { c.URL = "mqtt://me:pw@broker" }},
		{"url", func(c *MQTT) { c.URL = "mqtt://broker/topic" }},
		{"format", func(c *MQTT) { c.Format = "xml" }},
		{"topic", func(c *MQTT) { c.Topic = "" }},
		{"topic", func(c *MQTT) { c.Topic = "a/#" }},
		{"topic", func(c *MQTT) { c.Topic = "$SYS" }},
		{"topic", func(c *MQTT) { c.Topic = "/a" }},
		{"discovery", func(c *MQTT) { c.Discovery = "a+b" }},
		{"away_after", func(c *MQTT) { c.AwayAfter = time.Second }},
		{"tls.cert_file", func(c *MQTT) { c.URL, c.TLS.KeyFile = "mqtts://broker", "x" }},
		{"tls", func(c *MQTT) { c.TLS.CAFile = "x" }},
	} {
		c := mqttTo("mqtt://broker")
		tc.change(c)
		var field *FieldError
		if _, err := c.Open(testOptions()); tc.key == "" && err != nil || tc.key != "" && (!errors.As(err, &field) || field.Key != tc.key) {
			t.Errorf("%+v: got %v, want one about %q", c, err, tc.key)
		}
	}
	for url, want := range map[string]string{
		"mqtt://broker": "broker:1883", "mqtts://broker": "broker:8883", "mqtt://broker:1884/": "broker:1884", "mqtts://[2001:db8::1]": "[2001:db8::1]:8883",
	} {
		if got, secure, err := (&MQTT{URL: url}).server(); err != nil || got != want || secure != strings.HasPrefix(url, "mqtts") {
			t.Errorf("%s: %s, %v, %v", url, got, secure, err)
		}
	}
}

func TestMACOf(t *testing.T) {
	for id, want := range map[string]string{
		"mac:f4b85eff2b1b": "f4:b8:5e:ff:2b:1b", "mac:F4B85EFF2B1B": "", "mac:f4b8": "", "ip:192.0.2.1": "", "": "", "mac:f4b85eff2b1bff": "",
	} {
		if got := macOf(id); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}
