package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A conn posts requests one after the other on a connection that is kept. It
// writes HTTP/1.1 by hand: with net/http the client would use as much CPU for
// a small request as the server.
type conn struct {
	addr string
	head []byte // up to the content length
	buf  []byte // head of the current request
	c    net.Conn
	r    *bufio.Reader
}

func newConn(u *url.URL) *conn {
	addr := u.Host
	if u.Port() == "" {
		addr = net.JoinHostPort(u.Hostname(), "80")
	}
	return &conn{addr: addr, head: fmt.Appendf(nil,
		"POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: tocsin-bench\r\nContent-Type: application/json\r\nContent-Length: ", u.RequestURI(), u.Host)}
}

func (c *conn) close() {
	if c.c != nil {
		c.c.Close()
		c.c = nil
	}
}

// A statusError is an answer that is not a success.
type statusError struct {
	code int
	text string
}

func (e statusError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.code, http.StatusText(e.code), e.text)
}

// post sends a body and reads the answer to its end. A kept connection that
// the server has closed is opened again once: to send an alert twice is harmless.
func (c *conn) post(ctx context.Context, body []byte) error {
	kept := c.c != nil
	err := c.try(ctx, body)
	var answered statusError
	if err != nil && kept && !errors.As(err, &answered) && ctx.Err() == nil {
		err = c.try(ctx, body)
	}
	return err
}

func (c *conn) try(ctx context.Context, body []byte) (err error) {
	if c.c == nil {
		var d net.Dialer
		if c.c, err = d.DialContext(ctx, "tcp", c.addr); err != nil {
			c.c = nil
			return err
		}
		c.r = bufio.NewReader(c.c)
	}
	reusable := false
	defer func() {
		if !reusable {
			c.close()
		}
	}()
	if err := c.c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	// A signal must not wait for a server that hangs.
	nc := c.c
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // a closed connection ends the read as well
	defer stop()

	c.buf = strconv.AppendInt(append(c.buf[:0], c.head...), int64(len(body)), 10)
	c.buf = append(c.buf, "\r\n\r\n"...)
	bufs := net.Buffers{c.buf, body}
	if _, err := bufs.WriteTo(c.c); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	const shown = 300
	text, err := io.ReadAll(io.LimitReader(resp.Body, shown))
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	reusable = !resp.Close
	if resp.StatusCode/100 != 2 {
		return statusError{resp.StatusCode, string(text)}
	}
	return nil
}
