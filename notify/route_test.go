package notify

import (
	"testing"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
)

func TestRouteAdmits(t *testing.T) {
	notice := func(s detect.Severity, k detect.Kind, d alert.Device) *alert.Notice {
		return &alert.Notice{Alert: &alert.Alert{Severity: s, Kind: k, Device: d}}
	}
	camera := alert.Device{ID: "mac:02", Name: "Garden Camera", Group: "cameras", MAC: "02:00:00:00:00:01"}
	incident := &alert.Notice{Incident: &alert.Incident{Severity: detect.High}}
	for _, tc := range []struct {
		name  string
		route Route
		n     *alert.Notice
		want  bool
	}{
		{"everything", Route{}, notice(detect.Low, detect.DNSSpike, camera), true},
		{"too low", Route{Severity: detect.Medium}, notice(detect.Low, detect.DNSSpike, camera), false},
		{"high enough", Route{Severity: detect.Medium}, notice(detect.Medium, detect.DNSSpike, camera), true},
		{"kind", Route{Kinds: []detect.Kind{detect.DNSTunnel, detect.DNSSpike}}, notice(detect.Low, detect.DNSSpike, camera), true},
		{"other kind", Route{Kinds: []detect.Kind{detect.DNSTunnel}}, notice(detect.Low, detect.DNSSpike, camera), false},
		{"group in any case", Route{Groups: []string{"Cameras"}}, notice(detect.Low, detect.DNSSpike, camera), true},
		{"other group", Route{Groups: []string{"plc"}}, notice(detect.Low, detect.DNSSpike, camera), false},
		{"device without group", Route{Groups: []string{""}}, notice(detect.Low, detect.DNSSpike, alert.Device{}), false},
		{"device by name", Route{Devices: []string{"garden camera"}}, notice(detect.Low, detect.DNSSpike, camera), true},
		{"device by MAC", Route{Devices: []string{"02:00:00:00:00:01"}}, notice(detect.Low, detect.DNSSpike, camera), true},
		{"right device, other group", Route{Groups: []string{"plc"}, Devices: []string{"mac:02"}}, notice(detect.Low, detect.DNSSpike, camera), false},
		{"incidents are not asked for", Route{}, incident, false},
		{"incidents", Route{Incidents: true}, incident, true},
		{"incident too low", Route{Incidents: true, Severity: detect.Critical}, incident, false},
		{"digest", Route{Kinds: []detect.Kind{detect.DNSSpike}}, &alert.Notice{Digest: &alert.Digest{Severity: detect.Low}}, true},
	} {
		if err := tc.route.Validate(); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if got := tc.route.Admits(tc.n); got != tc.want {
			t.Errorf("%s: got %v", tc.name, got)
		}
	}
	mixed := Route{Incidents: true, Groups: []string{"plc"}}
	if err := mixed.Validate(); err == nil {
		t.Error("incidents by group: no error")
	}
}

func TestQuietHours(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skipf("needs the time zone database: %v", err)
	}
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 3, day, hour, minute, 0, 0, berlin) }
	for _, tc := range []struct {
		quiet string
		now   time.Time
		sev   detect.Severity
		want  time.Time
	}{
		{"22:00-07:00", at(10, 21, 59), detect.Low, at(10, 21, 59)},
		{"22:00-07:00", at(10, 22, 0), detect.Low, at(11, 7, 0)},
		{"22:00-07:00", at(10, 6, 59), detect.High, at(10, 7, 0)},
		{"22:00-07:00", at(10, 7, 0), detect.High, at(10, 7, 0)},
		{"22:00-07:00", at(10, 3, 0), detect.Critical, at(10, 3, 0)},
		{"12:00-13:30", at(10, 12, 30), detect.Medium, at(10, 13, 30)},
		{"12:00-13:30", at(10, 11, 0), detect.Medium, at(10, 11, 0)},
		{"12:00-13:30", at(10, 14, 0), detect.Medium, at(10, 14, 0)},
		// Clocks go forward in the night to the 29th: eight hours, not nine.
		{"22:00-07:00", at(28, 22, 0), detect.Low, at(28, 22, 0).Add(8 * time.Hour)},
	} {
		q, err := ParseQuiet(tc.quiet)
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Until(tc.now, tc.sev); !got.Equal(tc.want) {
			t.Errorf("%s at %v: got %v, want %v", tc.quiet, tc.now, got, tc.want)
		}
		if text, err := q.MarshalText(); err != nil || string(text) != tc.quiet {
			t.Errorf("%s: written as %q, %v", tc.quiet, text, err)
		}
	}
	for _, bad := range []string{"", "22:00", "22-7", "25:00-07:00", "07:00-07:00", "22:00-07:00-08:00"} {
		if _, err := ParseQuiet(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
