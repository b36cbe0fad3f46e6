package notify

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// ErrRejected marks an error of Sink.Deliver that the notice itself has caused
// and that trying again will not change.
var ErrRejected = errors.New("rejected")

// Rejected makes err match ErrRejected.
func Rejected(err error) error { return fmt.Errorf("%w: %w", ErrRejected, err) }

// RetryAfterError says that a sink wants to be left alone for a while.
type RetryAfterError struct {
	After time.Duration // the Courier keeps it within 1 s and 1 h
	Err   error         // what the sink has answered
}

func (e *RetryAfterError) Error() string {
	return fmt.Sprintf("%v (try again in %s)", e.Err, e.After.Round(time.Second))
}

func (e *RetryAfterError) Unwrap() error { return e.Err }

// RetryAfter reads the header of that name (RFC 9110, section 10.2.3), seconds
// or a date, and wraps err in a *RetryAfterError if it has one that makes
// sense. Otherwise it returns err.
func RetryAfter(h http.Header, now time.Time, err error) error {
	text := h.Get("Retry-After")
	if text == "" {
		return err
	}
	after := time.Duration(-1)
	if s, convErr := strconv.ParseUint(text, 10, 31); convErr == nil {
		after = time.Duration(s) * time.Second
	} else if at, dateErr := http.ParseTime(text); dateErr == nil {
		after = at.Sub(now)
	}
	if after < 0 {
		return err
	}
	return &RetryAfterError{After: after, Err: err}
}
