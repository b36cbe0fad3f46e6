package eve

import (
	"container/list"

	"gatehouse/flow"
	"gatehouse/wire"
)

// maxHeld bounds the handshakes and requests that wait for their other half.
// At up to 4 KiB for one with the longest target and header fields that wire
// keeps, that is 16 MiB at the very worst and below 2 MiB with real traffic.
const maxHeld = 4096

// conversation is what is held of one flow.
type conversation struct {
	record      flow.Record // as of the last message
	handshake   *tlsBody
	handshakeAt int64
	requests    []request
	answered    *answered
}

// answered is a transaction of HTTP/1 whose body has not ended and did not say
// how long it would be.
type answered struct {
	request *request // nil if it was not seen
	head    *wire.HTTPResponse
	at      int64
}

// request is an HTTP request that waits for its response.
type request struct {
	head *wire.HTTPRequest
	at   int64
}

func (c *conversation) size() int {
	n := len(c.requests)
	if c.handshake != nil {
		n++
	}
	if c.answered != nil {
		n++
	}
	return n
}

// holder keeps conversations by flow, in the order of last use.
type holder struct {
	byFlow map[uint64]*list.Element
	order  list.List // of *conversation
	count  int       // sum of size
}

// use returns the conversation of an event's flow, a new one if there is none.
// The caller adds to it and calls settle.
func (h *holder) use(ev *flow.Event) *conversation {
	e, ok := h.byFlow[ev.Record.ID]
	if !ok {
		if h.byFlow == nil {
			h.byFlow = make(map[uint64]*list.Element)
		}
		e = h.order.PushBack(&conversation{})
		h.byFlow[ev.Record.ID] = e
	}
	h.order.MoveToBack(e)
	c := e.Value.(*conversation)
	c.record = ev.Record
	return c
}

// find returns the conversation of a flow, nil if nothing of it is held.
func (h *holder) find(id uint64) *conversation {
	if e, ok := h.byFlow[id]; ok {
		return e.Value.(*conversation)
	}
	return nil
}

// settle accounts for a change of size of c, and forgets c if it is empty.
func (h *holder) settle(c *conversation, before int) {
	h.count += c.size() - before
	if c.size() == 0 {
		h.remove(c.record.ID)
	}
}

// take gives out what is held of a flow, nil if nothing is.
func (h *holder) take(id uint64) *conversation {
	c := h.find(id)
	if c != nil {
		h.count -= c.size()
		h.remove(id)
	}
	return c
}

// takeOldest gives out the conversation that was not used for longest.
func (h *holder) takeOldest() *conversation {
	e := h.order.Front()
	if e == nil {
		return nil
	}
	return h.take(e.Value.(*conversation).record.ID)
}

func (h *holder) remove(id uint64) {
	h.order.Remove(h.byFlow[id])
	delete(h.byFlow, id)
}

// hold lets change add to the conversation of an event's flow, and writes the
// oldest conversation if there are too many.
func (w *Writer) hold(ev *flow.Event, change func(*conversation)) error {
	c := w.held.use(ev)
	before := c.size()
	change(c)
	w.held.settle(c, before)
	if w.held.count <= maxHeld {
		return nil
	}
	return w.release(w.held.takeOldest())
}
