package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// stream is a connection to a server that never answers, as with syslog over
// TCP. The first write to a connection that the other end has left succeeds,
// and its bytes are lost. So a reader waits for the end of the connection all
// the time, and send does not return before the other system has acknowledged
// what it was sent.
type stream struct {
	tcp  *net.TCPConn
	conn net.Conn // tcp, or TLS over it
	end  chan struct{}
	err  error // why it ended; to be read after end
}

// refusal is how long a new connection with a certificate of ours is watched
// before anything is sent. In TLS 1.3 the handshake is over for us before the
// server has looked at the certificate; its refusal arrives after that, and
// everything sent in between would count as accepted.
const refusal = 250 * time.Millisecond

// dialStream connects; with TLS if config is not nil.
func dialStream(ctx context.Context, address string, config *tls.Config) (*stream, error) {
	d := net.Dialer{Timeout: 10 * time.Second, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4,
	}}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	s := &stream{tcp: c.(*net.TCPConn), conn: c, end: make(chan struct{})}
	if config != nil {
		t := tls.Client(c, config)
		if err := t.HandshakeContext(ctx); err != nil {
			_ = c.Close() // the handshake's error says more
			return nil, fmt.Errorf("agree on TLS: %w", err)
		}
		s.conn = t
	}
	go s.watch()
	if config != nil && config.GetClientCertificate != nil {
		select {
		case <-s.end:
			_ = s.close() // its end is the error
			return nil, s.err
		case <-time.After(refusal):
		case <-ctx.Done():
			_ = s.close() // the end of time is the error
			return nil, ctx.Err()
		}
	}
	return s, nil
}

// watch reads until the connection ends. What the other end says is dropped.
func (s *stream) watch() {
	_, s.err = io.Copy(io.Discard, s.conn)
	if s.err == nil {
		s.err = errors.New("the other end closed the connection")
	}
	close(s.end)
}

// broken reports why the connection has ended, nil while it has not.
func (s *stream) broken() error {
	select {
	case <-s.end:
		return s.err
	default:
		return nil
	}
}

// send writes and waits until all of it has been acknowledged. After an error
// the stream is of no use.
func (s *stream) send(ctx context.Context, data []byte) error {
	stop := context.AfterFunc(ctx, func() { _ = s.tcp.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := s.conn.Write(data); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	// Mostly a round trip: 1 ms on a local network, a second to a satellite.
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		left, err := unacknowledged(s.tcp)
		switch {
		case s.broken() != nil:
			return s.err
		case err != nil:
			return err
		case left == 0:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d bytes are not acknowledged: %w", left, ctx.Err())
		case <-s.end:
		case <-time.After(wait):
		}
	}
}

// close ends the connection and waits for the reader.
func (s *stream) close() error {
	_ = s.tcp.SetDeadline(time.Now().Add(time.Second)) // for what TLS says as a farewell
	err := s.conn.Close()
	<-s.end
	return err
}
