package sim

import (
	"fmt"
	"strings"
	"time"
)

// plainHTTP is one HTTP/1.1 exchange in clear on port 80.
func (p *program) plainHTTP(now instant, host, method, path string, up, down int) {
	c := p.reach(now, host, 80)
	if c == nil || c.dead {
		return
	}
	p.httpOn(c, host, method, path, up, down)
	c.close(client)
}

// httpOn performs one request on an open connection.
func (p *program) httpOn(c *conn, host, method, path string, up, down int) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: */*\r\n", method, path, host, p.agent)
	if method == "POST" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", up, jsonText(up))
	} else {
		b.WriteString("Connection: close\r\n\r\n")
	}
	c.send(client, []byte(b.String()))
	c.t = c.t.add(p.rnd.span(3*time.Millisecond, 40*time.Millisecond))
	b.Reset()
	if down == 0 {
		b.WriteString("HTTP/1.1 204 No Content\r\nServer: nginx\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	} else {
		fmt.Fprintf(&b, "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", down)
	}
	if down <= most {
		b.WriteString(jsonText(down))
		c.send(server, []byte(b.String()))
		return
	}
	c.send(server, []byte(b.String()))
	c.bulk(server, down, 0)
}

// jsonText is a JSON string of n bytes, for n of at least 2.
func jsonText(n int) string {
	if n < 2 {
		return strings.Repeat("0", n)
	}
	return `"` + strings.Repeat("state=1;", n/8+1)[:n-2] + `"`
}
