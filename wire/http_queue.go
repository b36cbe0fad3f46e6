package wire

// httpQueue remembers, for the requests under way, what their responses
// depend on.
type httpQueue struct {
	kind  [maxHTTPQueue]httpKind
	first uint8
	count uint8
	// popped counts the requests that were answered: the number of the first in
	// the queue.
	popped uint32
}

type httpKind uint8

const (
	kindPlain httpKind = iota
	kindHead
	kindConnect
	kindSimple // of HTTP/0.9: what is answered has no head
)

func (q *httpQueue) push(k httpKind) {
	if q.count < maxHTTPQueue {
		q.kind[(q.first+q.count)%maxHTTPQueue] = k
		q.count++
	}
}

// waiting is how many requests wait, -1 if there may be more than were counted.
func (q *httpQueue) waiting() int {
	if q.count == maxHTTPQueue {
		return -1
	}
	return int(q.count)
}

// next is the kind of the request that is to be answered next.
func (q *httpQueue) next() httpKind {
	if q.count == 0 {
		return kindPlain
	}
	return q.kind[q.first]
}

// pop returns kindPlain for a response to a request that was not seen.
func (q *httpQueue) pop() httpKind {
	if q.count == 0 {
		return kindPlain
	}
	k := q.kind[q.first]
	q.first = (q.first + 1) % maxHTTPQueue
	q.count--
	q.popped++
	return k
}
