// Package notify tells what was found: it owns the sinks (one file each), the
// formats that they speak, the routes that choose what goes where, and the
// Courier that brings every notice from the outbox to every sink.
//
// It promises that a notice reaches each sink at least once, those of one
// alert in order, that one slow or broken sink never delays another, and that
// no secret appears in an error or a log. It must not judge or change alerts,
// nor keep anything itself: what was delivered is written down in the outbox
// of the store.
package notify

import (
	"context"
	"log/slog"
	"time"

	"gatehouse/alert"
	"gatehouse/device"
)

// Sink is one place to which notices go. A Courier calls it from one goroutine
// at a time.
type Sink interface {
	// Deliver hands over notices, in order. Like io.Writer it returns how many
	// from the front were accepted, and an error if that is not all of them:
	// why the first of the others was not. It returns when ctx ends.
	//
	// An error that matches ErrRejected says that this very notice will never
	// be accepted (too large, 400, 413, 422): it becomes a dead letter, and the
	// others go on. A *RetryAfterError says when to come back. Every other
	// error (refused, reset, timeout, 401, 403, 404, 408, 429, 5xx) is taken
	// as the condition of the sink, and the notice is tried again.
	//
	// The same notice may come again, after a crash or an error: who can
	// recognise it does so by Notice.Key. The notices belong to the caller.
	Deliver(ctx context.Context, notices []alert.Notice) (accepted int, err error)

	// Close ends connections. It is not called during another method.
	Close() error
}

// SeriesSink is a Sink that also takes what each device did in each minute.
// They come in order of time; the same minute of a device may come again, with
// higher counts, and then replaces the earlier one.
type SeriesSink interface {
	Sink
	// DeliverSeries hands over all of the minutes or none of them; errors are
	// those of Deliver.
	DeliverSeries(ctx context.Context, minutes []device.Minute) error
}

// CappedSink is a Sink that makes only so many series in a database.
type CappedSink interface {
	Sink
	// Capped returns how many series were made since the start, and how many
	// points were left out, or put into another series, for want of more.
	Capped() (series int, points uint64)
}

// HealthSink is a Sink that also wants to know how the sensor is, about once a
// minute. What cannot be delivered then is not kept.
type HealthSink interface {
	Sink
	DeliverHealth(ctx context.Context, h Health) error
}

// Health is how the sensor is.
type Health struct {
	Time       time.Time `json:"time"`       // wall-clock time
	Visibility float64   `json:"visibility"` // 0 to 1: share of the frames that ended up in flows
	Packets    uint64    `json:"packets"`    // since the start, like all counts here
	Bytes      uint64    `json:"bytes"`
	Lost       uint64    `json:"lost"` // frames that were on the wire and never decoded
	Flows      uint64    `json:"flows"`
	Devices    int       `json:"devices"`
	Alerts     uint64    `json:"alerts"`
	Problems   []string  `json:"problems"` // plain sentences, empty if all is well: "state is not being kept: disk full"
}

// Spec describes a type of sink: all that the configuration, the commands and
// the documentation need to know. It is one line in Table.
type Spec struct {
	Type    string        // as the configuration names it: "webhook"
	Doc     string        // half a sentence: "POST to an HTTP endpoint"
	Default func() Config // settings with their defaults, a pointer to a struct with yaml tags
}

// Config is the settings of one sink. The configuration file is decoded into
// it strictly: an unknown key is an error. Secrets have the type Secret; a key
// "token" of that type can also be given as "token_file", which the loader
// resolves.
type Config interface {
	// Validate reports the first setting that makes no sense, as a *FieldError
	// where it concerns one key.
	Validate() error
	// Open makes the sink. It does not wait for the network: a sink that is
	// down is found out by Deliver.
	Open(o Options) (Sink, error)
}

// Options is what a sink needs besides its own settings.
type Options struct {
	Name string // of the sink in the configuration, unique
	Site string // name of this sensor, "" if not set
	// Version is that of the program, "" if not known.
	Version string
	Log     *slog.Logger
	Now     func() time.Time // wall-clock time
}

// FieldError is an error in one setting. The loader of the configuration adds
// the file and the line.
type FieldError struct {
	Key string // as in the file; of a nested one "tls.ca_file"
	Err error  // says what is wrong and what is allowed
}

func (e *FieldError) Error() string { return e.Key + ": " + e.Err.Error() }
func (e *FieldError) Unwrap() error { return e.Err }
