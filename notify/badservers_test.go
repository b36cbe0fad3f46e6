package notify

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/alert"
)

// badServers are the ways in which a TCP service can fail, for every sink.
// Each serves one connection.
func badServers() map[string]func(ctx context.Context, c net.Conn) {
	return map[string]func(context.Context, net.Conn){
		"closes at once": func(_ context.Context, c net.Conn) { _ = c.Close() },
		"resets": func(_ context.Context, c net.Conn) {
			_, _ = c.Read(make([]byte, 1))
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		},
		"hangs": func(ctx context.Context, c net.Conn) { <-ctx.Done() },
		"one byte a second": func(ctx context.Context, c net.Conn) {
			_ = c.(*net.TCPConn).SetReadBuffer(1)
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for one := make([]byte, 1); ; {
				if _, err := c.Read(one); err != nil {
					return
				}
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		},
		"talks nonsense": func(ctx context.Context, c net.Conn) {
			for ctx.Err() == nil {
				if _, err := c.Write([]byte("\x00\xffnonsense 999 \r\n\r\n")); err != nil {
					return
				}
			}
		},
	}
}

// misbehave serves connections badly until the test ends, and returns where.
func misbehave(t testing.TB, serve func(context.Context, net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				stop := context.AfterFunc(ctx, func() { _ = c.Close() })
				defer stop()
				serve(ctx, c)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

// refusing is an address where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// checkBadServers holds a sink to what a Courier needs of every server that
// fails: an error, nothing accepted, no dead letter, in time.
func checkBadServers(t *testing.T, make func(addr string) Config) {
	t.Helper()
	big := testNotices(t)[:1]
	a := *big[0].Alert
	a.Summary = strings.Repeat("long ", 2_000_000) // more than what systems buffer
	big[0].Alert = &a
	addrs := map[string]string{"refuses": refusing(t)}
	for name, serve := range badServers() {
		addrs[name] = misbehave(t, serve)
	}
	for name, addr := range addrs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, notices := range [][]alert.Notice{testNotices(t), big} {
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				start := time.Now()
				s := open(t, make(addr))
				n, err := s.Deliver(ctx, notices)
				cancel()
				if n != 0 || err == nil || errors.Is(err, ErrRejected) {
					t.Errorf("accepted %d, %v", n, err)
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("took %v", took)
				}
			}
		})
	}
}
