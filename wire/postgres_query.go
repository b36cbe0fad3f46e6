package wire

import (
	"encoding/binary"
	"fmt"
)

const (
	maxPgPipeline  = 32 // requests that wait for their answer
	maxPgStatement = 1 << 10
	// A data row that is only counted: type, length, number of columns.
	pgRowHead = 1 + 4 + 2
)

var errPgPipeline = fmt.Errorf("read pgsql: too many requests at once: %w", ErrDone)

// pgQueries follows the statements of a session that is ready. Each simple
// query, and each batch of the extended protocol up to its Sync, is answered by
// messages up to ReadyForQuery.
type pgQueries struct {
	waiting []pgQuery // in order; their buffers are used again
	batch   bool      // a request of the extended protocol waits for its Sync
	told    topicSet
}

// pgQuery is a request that waits for its answer.
type pgQuery struct {
	statement []byte // masked; empty if there is nothing to tell
	prepared  bool
	cut       bool

	columns, rows int
	size          int64
	copied        PgCopy
	copyDone      bool
	tag           [maxPgName]byte // of the command that is done
	tagLen        int
	failure       *PgError
}

// wants is how many bytes of a message are looked at.
func (q *pgQueries) wants(kind byte) int {
	switch kind {
	case 'D': // a row, or the description of a portal
		return pgRowHead
	case 'd', 'T':
		return pgRowHead
	case 'G', 'H': // bulk data follows: its format, how many columns it has; from the client 'H' is a flush
		return 1 + 4 + 1 + 2
	case 'Q', 'P', 'E', 'C':
		return maxPgMessage
	}
	return 1 + 4
}

// request reads a message of the client.
func (q *pgQueries) request(b []byte, cut bool) error {
	switch b[0] {
	case 'Q':
		return q.push(b[5:], false, cut)
	case 'P':
		if q.batch {
			return nil // of several in a batch the first is told
		}
		q.batch = true
		c := cursor{b: b[5:]}
		for c.u8() != 0 {
		}
		return q.push(c.b, true, cut || c.short)
	case 'B', 'E', 'D', 'C', 'H':
		if !q.batch {
			q.batch = true
			return q.push(nil, true, false)
		}
	case 'S':
		if !q.batch {
			return q.push(nil, true, false)
		}
		q.batch = false
	case 'F':
		return q.push(nil, false, false)
	case 'd':
		if len(q.waiting) > 0 {
			q.waiting[0].copy(PgCopyIn, b)
		}
	case 'c':
		if len(q.waiting) > 0 {
			q.waiting[0].copied, q.waiting[0].copyDone = PgCopyIn, true
		}
	}
	return nil
}

// push notes a request; of its statement, up to the zero behind it.
func (q *pgQueries) push(statement []byte, prepared, cut bool) error {
	if len(q.waiting) == maxPgPipeline {
		return errPgPipeline
	}
	for i, c := range statement {
		if c == 0 {
			statement, cut = statement[:i], false
			break
		}
	}
	n := len(q.waiting)
	if n < cap(q.waiting) {
		q.waiting = q.waiting[:n+1]
	} else {
		q.waiting = append(q.waiting, pgQuery{})
	}
	w := &q.waiting[n]
	buf := maskSQL(w.statement[:0], statement)
	*w = pgQuery{statement: buf[:min(len(buf), maxPgStatement)], prepared: prepared, cut: cut || len(buf) > maxPgStatement}
	return nil
}

// answer reads a message of the server.
func (q *pgQueries) answer(b []byte, msgs []Message) []Message {
	if len(q.waiting) == 0 {
		return msgs // notices and notifications
	}
	w := &q.waiting[0]
	if w.prepared && w.tagLen > 0 && b[0] != 'Z' {
		return msgs // to others of the same batch
	}
	switch b[0] {
	case 'T':
		c := cursor{b: b[5:]}
		w.columns = int(c.u16())
	case 'D':
		c := cursor{b: b[5:]}
		columns := int64(c.u16())
		w.rows++
		w.size += max(0, int64(binary.BigEndian.Uint32(b[1:]))-4-2-4*columns)
	case 'G', 'H':
		w.copied = PgCopyIn
		if b[0] == 'H' {
			w.copied = PgCopyOut
		}
		c := cursor{b: b[5:]}
		c.skip(1)
		w.columns = int(c.u16())
	case 'd':
		w.copy(PgCopyOut, b)
	case 'c':
		w.copyDone = true
	case 'C':
		w.tagLen = copy(w.tag[:], b[5:max(5, len(b)-1)])
	case 'E':
		w.failure = pgErrorOf(b[5:], true)
	case 'Z':
		return q.pop(msgs)
	}
	return msgs
}

// copy counts bulk data.
func (w *pgQuery) copy(direction PgCopy, b []byte) {
	w.copied = direction
	w.rows++
	w.size += int64(binary.BigEndian.Uint32(b[1:])) - 4
}

// pop ends the request that is answered.
func (q *pgQueries) pop(msgs []Message) []Message {
	w := q.waiting[0]
	n := copy(q.waiting, q.waiting[1:])
	q.waiting[n] = pgQuery{statement: w.statement[:0]}
	q.waiting = q.waiting[:n]
	if len(w.statement) == 0 && w.failure == nil {
		return msgs
	}
	kind := append(w.statement, 0)
	if w.failure != nil {
		kind = append(kind, w.failure.Code...)
	}
	if !q.told.add(kind) {
		return msgs
	}
	m := &PostgreSQL{
		Request: PgQuery, Statement: string(w.statement), Truncated: w.cut,
		Columns: w.columns, Rows: w.rows, Size: w.size, Copy: w.copied, CopyDone: w.copyDone, Completed: string(w.tag[:w.tagLen]), Error: w.failure,
	}
	if w.prepared {
		m.Request = PgPrepared
	}
	return append(msgs, m)
}

// end tells what waits, as far as it was answered.
func (q *pgQueries) end(msgs []Message) []Message {
	for len(q.waiting) > 0 {
		msgs = q.pop(msgs)
	}
	return msgs
}

func (q *pgQueries) retained() int {
	n := 0
	for _, w := range q.waiting[:cap(q.waiting)] {
		n += cap(w.statement)
	}
	return n
}
