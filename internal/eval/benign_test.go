package eval

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/alert"
	"gatehouse/internal/testkit"
)

// benignRow is one line of the table of benign captures.
type benignRow struct {
	name       string
	deviceDays int
	alerts     [3]int // at each of budgets
	most       [3]int // that there may be; docs/evaluation.md explains each of them
}

// iotDevices are those of the real week.
const iotDevices = 4

// TestBenignWeek replays a real week of four devices: nothing in it is to be
// alerted, at any budget.
func TestBenignWeek(t *testing.T) {
	week := testkit.Corpus(t, "iot-week")
	row := benignRow{name: "iot-week, four devices together", deviceDays: 7 * iotDevices}
	for i, b := range budgets {
		sum := replay(t, open(t, listing(t, week)...), b.budget, roots(t))
		row.alerts[i] = len(sum.Changes.Alerts)
		explain(t, "iot-week", b.name, sum.Changes.Alerts)
		if n := len(sum.Devices); n != iotDevices {
			t.Errorf("%d devices, want %d", n, iotDevices)
		}
	}
	rows := []benignRow{row}
	for _, file := range listing(t, week) {
		alone := benignRow{name: "iot-week, " + filepath.Base(file) + " alone", deviceDays: 7}
		for i, b := range budgets {
			sum := replay(t, open(t, file), b.budget, roots(t))
			alone.alerts[i] = len(sum.Changes.Alerts)
			explain(t, file, b.name, sum.Changes.Alerts)
		}
		rows = append(rows, alone)
	}
	publish(t, "benign-week", benignTable(t, rows))
}

// TestBenignSetup replays the setup phases of real devices: each take alone,
// all takes of a model as they were recorded, and, hardest, one take a day, as
// if somebody took a device into service anew three times every morning.
func TestBenignSetup(t *testing.T) {
	slow(t)
	// Three takes of one model show a certificate that had truly expired.
	takes := benignRow{name: "iot-setup, each take alone", most: [3]int{3, 3, 3}}
	recorded := benignRow{name: "iot-setup, all takes of a model as recorded", most: [3]int{1, 1, 1}}
	daily := benignRow{name: "iot-setup, one take of a model a day, thrice", most: [3]int{1, 2, 12}}
	pool := roots(t)
	for _, model := range listing(t, testkit.Corpus(t, "iot-setup")) {
		files := listing(t, model)
		takes.deviceDays += len(files)
		recorded.deviceDays += len(files)
		daily.deviceDays += len(files)
		loaded := make([][]testkit.Frame, len(files))
		for i, f := range files {
			loaded[i] = load(t, f)
		}
		name := filepath.Base(model)
		for i, b := range budgets {
			for j := range files {
				count(t, &takes, i, name+" alone", b.budget, replay(t, play(loaded[j]), b.budget, pool).Changes.Alerts)
			}
			count(t, &recorded, i, name+" as recorded", b.budget, replay(t, open(t, files...), b.budget, pool).Changes.Alerts)
			count(t, &daily, i, name+" daily", b.budget, replay(t, play(everyDay(loaded)...), b.budget, pool).Changes.Alerts)
		}
	}
	publish(t, "benign-setup", benignTable(t, []benignRow{takes, recorded, daily}))
}

// everyDay moves takes to successive days and plays each three times on its
// day, some hours apart: a day of less activity does not count as one. The
// hours differ, so that the copies make no rhythm.
func everyDay(takes [][]testkit.Frame) [][]testkit.Frame {
	var out [][]testkit.Frame
	for i, take := range takes {
		to := time.Duration(takes[0][0].Time-take[0].Time) + time.Duration(i)*25*time.Hour
		for n := range 3 {
			later := time.Duration(n) * (150*time.Minute + time.Duration(37*i%60)*time.Minute)
			out = append(out, shift(take, to+later))
		}
	}
	return out
}

func count(t *testing.T, row *benignRow, i int, name string, b alert.Budget, alerts []alert.Alert) {
	t.Helper()
	row.alerts[i] += len(alerts)
	explain(t, name, fmt.Sprint(float64(b)), alerts)
}

// explain logs alerts that should not be there.
func explain(t *testing.T, name, budget string, alerts []alert.Alert) {
	t.Helper()
	for _, al := range alerts {
		t.Logf("%s at budget %s: %s %s on %s (%.1f bits): %s %v", name, budget, al.Time.Format("01-02 15:04"), al.Kind, al.Device.Name, al.Score, al.Summary, al.Why)
	}
}
