// Package eve writes flow events as JSON lines in the vocabulary of Suricata's
// EVE log (https://docs.suricata.io/en/latest/output/eve/eve-json-format.html),
// which SIEMs, dashboards and scripts already read. It owns field names,
// spellings and what makes one line: a DNS message, a TLS handshake, an HTTP
// transaction, a finished flow. docs/events.md is its reference.
//
// It promises one complete JSON object per line, valid UTF-8 whatever was on
// the wire, the same bytes for the same events, bounded memory, and that
// nothing the parsers saw of a handshake or a request is dropped because the
// rest of it never came. It must not judge events or look into packets.
package eve

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"gatehouse/flow"
	"gatehouse/wire"
)

// Writer turns flow events into lines. It belongs to one goroutine.
type Writer struct {
	out   *bufio.Writer
	enc   *json.Encoder
	iface func(index uint16) string
	line  record // scratch
	held  holder
}

// NewWriter returns a Writer that appends to w, through a buffer: call Close
// in the end, Flush in between.
func NewWriter(w io.Writer) *Writer {
	e := &Writer{out: bufio.NewWriterSize(w, 64<<10)}
	e.enc = json.NewEncoder(e.out)
	e.enc.SetEscapeHTML(false) // the reader is no browser, and URLs are full of ampersands
	return e
}

// NameInterfaces lets events carry in_iface. name returns the name of a
// capture interface by its index, "" if it has none; Write calls it.
func (w *Writer) NameInterfaces(name func(index uint16) string) { w.iface = name }

// Write appends the lines that ev completes, often none: a Start and an Update
// without messages have no line. Events come in the order of flow.Compare, and
// every flow with its End. ev is not kept. After an error of the underlying
// writer, every further Write returns it.
func (w *Writer) Write(ev *flow.Event) error {
	for _, m := range ev.Messages {
		if err := w.message(ev, m); err != nil {
			return err
		}
	}
	if ev.Kind != flow.End {
		return nil
	}
	if c := w.held.take(ev.Record.ID); c != nil {
		if err := w.release(c); err != nil {
			return err
		}
	}
	return w.flow(ev)
}

// Flush hands what has been written to the underlying writer. Handshakes and
// requests that are not complete stay held.
func (w *Writer) Flush() error {
	if err := w.out.Flush(); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}

// Close writes what is still held, the oldest first, and flushes. It does not
// close the underlying writer.
func (w *Writer) Close() error {
	for c := w.held.takeOldest(); c != nil; c = w.held.takeOldest() {
		if err := w.release(c); err != nil {
			return err
		}
	}
	return w.Flush()
}

// message writes or holds one message.
func (w *Writer) message(ev *flow.Event, m wire.Message) error {
	switch m := m.(type) {
	case *wire.DNS:
		return w.dns(ev, m)
	case *wire.ClientHello:
		return w.clientHello(ev, m)
	case *wire.ServerHello:
		return w.serverHello(ev, m)
	case *wire.Certificate:
		return w.certificate(ev, m)
	case *wire.TLSAlert:
		return w.alert(ev, m)
	case *wire.HTTPRequest:
		return w.request(ev, m)
	case *wire.HTTPResponse:
		return w.response(ev, m)
	case *wire.HTTPBody:
		return w.body(ev, m.Length)
	case *wire.DHCPv4:
		return w.dhcp(ev, m)
	case *wire.ARP:
		return w.arp(ev, m)
	default:
		return w.secure(ev, m)
	}
}

// release writes what a conversation was held for.
func (w *Writer) release(c *conversation) error {
	if a := c.answered; a != nil {
		if err := w.transaction(&c.record, a.request, a.head, a.at, -1); err != nil {
			return err
		}
	}
	for i := range c.requests {
		if err := w.transaction(&c.record, &c.requests[i], nil, c.requests[i].at, -1); err != nil {
			return err
		}
	}
	if c.handshake == nil {
		return nil
	}
	return w.tls(&c.record, c.handshake, c.handshakeAt)
}

// put writes w.line.
func (w *Writer) put() error {
	if err := w.enc.Encode(&w.line); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}
