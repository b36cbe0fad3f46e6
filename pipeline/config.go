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
	// CheckpointEvery is how much wall-clock time may pass between two
	// checkpoints; what came after the last one is lost with the process.
	CheckpointEvery time.Duration
	Log             *slog.Logger
	// Now tells wall-clock time; nil means time.Now.
	Now func() time.Time
	// Progress is told, from time to time, how much of the input was read. May
	// be nil.
	Progress func(done, total int64)
	// Status is told, about once a second of wall-clock time and at the end,
	// how the run stands, without its devices and changes. May be nil.
	Status func(Summary)
}

// DefaultConfig leaves one processor to the reader and the analyst, which do
// about as much together as a shard on each of the others: on two, two shards
// take a tenth longer than one. It has the balanced budget and no root
// authorities.
func DefaultConfig() Config {
	return Config{
		Workers:         min(max(1, runtime.NumCPU()-1), maxWorkers),
		Flow:            flow.DefaultConfig(),
		Device:          device.DefaultConfig(),
		Alert:           alert.Config{Budget: alert.Balanced},
		CheckpointEvery: time.Minute,
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
	if c.Detect.Learn < 0 {
		return errors.New("learning time: must not be negative")
	}
	if err := c.Flow.Validate(); err != nil {
		return err
	}
	return c.Device.Validate()
}
