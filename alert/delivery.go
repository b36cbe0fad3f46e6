package alert

import "time"

// Letter is a notice that one place has not taken yet while others after it
// were. It belongs to a place and is kept until it is taken or given up.
type Letter struct {
	Seq      int64     `json:"seq"`           // of the notice
	Ref      string    `json:"id"`            // Notice.ID
	Dead     bool      `json:"dead"`          // given up: only a person brings it back
	Attempts int       `json:"attempts"`      // failures while the place took other notices
	Since    time.Time `json:"since"`         // wall-clock time of the first failure
	Next     time.Time `json:"next,omitzero"` // wall-clock time before which it is not tried again
	Error    string    `json:"error"`         // why it was not taken
	Notice   Notice    `json:"notice"`        // as it is now; empty if what it is about is no longer kept
}

// Standing is where one place is with its notices.
type Standing struct {
	Cursor  int64    // all notices up to this Seq are settled, but for Letters
	Series  int64    // all minutes up to this position are
	Letters []Letter // not dead, by Seq
}

// Settlement is what became of notices at one place. It is written down as a
// whole.
type Settlement struct {
	Place     string
	Cursor    int64    // new cursor; a lower one than before changes nothing
	Series    int64    // likewise
	Delivered int      // notices taken since the last settlement
	Dropped   int      // notices given up for want of room since then
	Hold      []Letter // new or changed
	Release   []int64  // letters that were taken, or are no longer wanted
	// Failing since when, and why; zero if the last attempt succeeded. Both are
	// left as they are if Idle is set: nothing was attempted.
	Failing time.Time
	Error   string
	Idle    bool
	At      time.Time // wall-clock time
}
