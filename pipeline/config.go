package pipeline

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/device"
	"gatehouse/flow"
	"gatehouse/store"
)

// maxWorkers bounds Config.Workers: more than this has no use on a gateway.
const maxWorkers = 64

// Config sets up a run. Its results do not depend on Workers.
type Config struct {
	Workers int // flow shards, 1 to 64
	Flow    flow.Config
	Device  device.Config
	Detect  detect.Config
	Alert   alert.Config
	// CheckpointEvery is how much wall-clock time passes between two
	// checkpoints as long as the medium can bear it. New alerts do not wait for
	// the next one. What came after the last one is lost with the process.
	CheckpointEvery time.Duration
	// WearPerDay is how many bytes a day may be written to the state. Close to
	// it, what was learned is stored less often, at least every six hours;
	// alerts of a flood are, at least every minute. 0 does not limit.
	WearPerDay int64
	Retention  store.Retention // of what is stored
	// EveryMinute stores each minute of each device, however fast a replay
	// brings them, because somebody wants to be told of each. Otherwise those
	// that cannot wait are stored as hours.
	EveryMinute bool
	Log         *slog.Logger
	// Now tells wall-clock time; nil means time.Now.
	Now func() time.Time
	// Progress is told, from time to time, how much of the input was read. May
	// be nil.
	Progress func(done, total int64)
	// Status is told, about once a second of wall-clock time and at the end,
	// how the run stands, without its devices and changes. May be nil.
	Status func(Summary)
}

// DefaultConfig leaves one processor to the analyst. It has the balanced budget
// and no root authorities.
func DefaultConfig() Config {
	return Config{
		Workers:         min(max(1, runtime.NumCPU()-1), maxWorkers),
		Flow:            flow.DefaultConfig(),
		Device:          device.DefaultConfig(),
		Alert:           alert.Config{Budget: alert.Balanced},
		CheckpointEvery: time.Minute,
		WearPerDay:      50 << 20,
		Retention:       store.DefaultRetention(),
		Log:             slog.New(slog.DiscardHandler),
	}
}

// Validate reports the first setting that makes no sense.
func (c *Config) Validate() error {
	if c.Workers < 1 || c.Workers > maxWorkers {
		return fmt.Errorf("workers: %d, must be 1 to %d", c.Workers, maxWorkers)
	}
	if c.Alert.Budget <= 0 {
		return errors.New("alert budget: must be above 0")
	}
	if c.WearPerDay < 0 {
		return errors.New("bytes written per day: must not be negative")
	}
	if c.Detect.Learn < 0 {
		return errors.New("learning time: must not be negative")
	}
	if err := c.Flow.Validate(); err != nil {
		return err
	}
	return c.Device.Validate()
}
