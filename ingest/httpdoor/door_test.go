package httpdoor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"tocsin/ingest"
)

// inbox keeps what it receives, or refuses with err.
type inbox struct {
	mu       sync.Mutex
	err      error
	events   []ingest.Event
	rejected []ingest.Rejection
}

func (in *inbox) Receive(ctx context.Context, _ string, events []ingest.Event, rejected []ingest.Rejection) ([]ingest.Rejection, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	in.rejected = append(in.rejected, rejected...)
	if in.err != nil && len(events) > 0 {
		return nil, in.err
	}
	in.events = append(in.events, events...)
	return rejected, nil
}

// counted are the rejections so far, as "reason: text".
func (in *inbox) counted() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	var out []string
	for _, r := range in.rejected {
		out = append(out, fmt.Sprintf("%d %s: %v", r.Index, r.Reason, r.Err))
	}
	return out
}

// echo answers with the number of bytes read.
func echo(d *Door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, release, err := d.Read(w, r)
		if err != nil {
			d.Refuse(w, r, "test", err)
			return
		}
		defer release()
		fmt.Fprintf(w, "%d %.10s", len(body), body)
	})
}

func zip(b []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	z.Write(b)
	z.Close()
	return buf.Bytes()
}

func TestRead(t *testing.T) {
	const limit = 1000
	f := func(name, encoding string, body []byte, chunked bool, wantStatus int, want string, wantReason ingest.Reason) {
		t.Helper()
		in := &inbox{}
		d := New(in, Options{MaxBodyBytes: limit})
		// Twice: the second time with what the first left in the pools.
		for range 2 {
			in.rejected = nil
			r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
			if chunked {
				r.ContentLength = -1
			}
			if encoding != "" {
				r.Header.Set("Content-Encoding", encoding)
			}
			w := httptest.NewRecorder()
			echo(d).ServeHTTP(w, r)
			if w.Code != wantStatus || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: %d %s; want %d %s", name, w.Code, w.Body, wantStatus, want)
			}
			if wantReason == "" {
				if len(in.rejected) > 0 {
					t.Errorf("%s: counted as rejected: %v", name, in.counted())
				}
			} else if len(in.rejected) != 1 || in.rejected[0].Reason != wantReason || in.rejected[0].Index != -1 {
				t.Errorf("%s: counted %v; want one message rejected as %s", name, in.counted(), wantReason)
			}
		}
	}
	full := bytes.Repeat([]byte("x"), limit)
	f("plain", "", []byte("hello"), false, 200, "5 hello", "")
	f("identity", "identity", []byte("hello"), false, 200, "5 hello", "")
	f("empty", "", nil, false, 200, "0 ", "")
	f("gzip", "gzip", zip([]byte("hello")), false, 200, "5 hello", "")
	f("GZIP, chunked", " GZIP", zip([]byte("hello")), true, 200, "5 hello", "")
	f("up to the limit", "", full, false, 200, "1000 xxx", "")
	f("up to the limit, chunked", "", full, true, 200, "1000 xxx", "")
	f("up to the limit, gzip", "gzip", zip(full), false, 200, "1000 xxx", "")
	f("over it", "", append(full, 'x'), false, 413, "body: 1001 bytes, at most 1000 bytes are taken; send smaller batches", ingest.ReasonTooLarge)
	f("over it, chunked", "", append(full, 'x'), true, 413, "body: more, at most 1000", ingest.ReasonTooLarge)
	f("a bomb", "gzip", zip(make([]byte, 500<<10)), false, 413, "at most 1000", ingest.ReasonTooLarge)
	f("a bomb turned inside out", "gzip", bytes.Repeat(zip(nil), 100), true, 413, "at most 1000", ingest.ReasonTooLarge)
	f("not gzip", "gzip", []byte("hello, I am not compressed"), false, 400, "Content-Encoding: gzip, but the body is not", ingest.ReasonMalformed)
	f("empty gzip", "gzip", nil, false, 400, "unexpected EOF", ingest.ReasonMalformed)
	f("truncated gzip", "gzip", zip([]byte("hello"))[:20], false, 400, "unexpected EOF", ingest.ReasonMalformed)
	f("another encoding", "zstd", []byte("hello"), false, 415, `Content-Encoding: "zstd"`, ingest.ReasonUnsupported)
}

// zeros is a body without an end.
type zeros struct{ read int64 }

func (z *zeros) Read(p []byte) (int, error) {
	clear(p)
	z.read += int64(len(p))
	return len(p), nil
}

func TestReadStopsAtTheLimit(t *testing.T) {
	d := New(&inbox{}, Options{})
	endless := &zeros{}
	r := httptest.NewRequest("POST", "/", io.LimitReader(endless, 100<<20))
	r.ContentLength = -1
	w := httptest.NewRecorder()
	echo(d).ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge || endless.read > 17<<20 {
		t.Errorf("100 MB: %d after %d bytes; want 413 after 16 MiB", w.Code, endless.read)
	}
	endless = &zeros{}
	r = httptest.NewRequest("POST", "/", endless)
	r.ContentLength = 100 << 20
	w = httptest.NewRecorder()
	echo(d).ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge || endless.read > 0 {
		t.Errorf("100 MB, announced: %d after %d bytes; want 413 at once", w.Code, endless.read)
	}
}

func TestReadWaitsOnlySoLong(t *testing.T) {
	in := &inbox{}
	srv := httptest.NewServer(echo(New(in, Options{Timeout: 50 * time.Millisecond})))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhell")
	answer, err := io.ReadAll(conn)
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 503")) || !bytes.Contains(answer, []byte("not complete within 50ms")) {
		t.Errorf("a body that does not come: %s, %v; want 503", answer, err)
	}
	if len(in.counted()) != 1 {
		t.Errorf("counted %v, want one rejection", in.counted())
	}
}

// The read deadline of a body must not end the wait for the store: here the
// handler waits until long after it.
func TestDeadlineEndsWithTheBody(t *testing.T) {
	d := New(&inbox{}, Options{Timeout: 30 * time.Millisecond})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, release, err := d.Read(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		release()
		select {
		case <-r.Context().Done():
			http.Error(w, "cancelled", http.StatusTeapot)
		case <-time.After(120 * time.Millisecond):
		}
	}))
	defer srv.Close()
	res, err := http.Post(srv.URL, "", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("status %s, want 200", res.Status)
	}
}

func TestCountsWhenTheClientHasGone(t *testing.T) {
	in := &inbox{}
	d := New(in, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.Refuse(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "POST", "/", nil), "test", errors.New("garbage"))
	if diff := cmp.Diff([]string{"-1 malformed: garbage"}, in.counted()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReceive(t *testing.T) {
	f := func(err error, wantOK bool, wantStatus int) {
		t.Helper()
		in := &inbox{err: err}
		w := httptest.NewRecorder()
		_, ok := New(in, Options{}).Receive(w, httptest.NewRequest("POST", "/", nil), "test", make([]ingest.Event, 1), nil)
		if ok != wantOK || w.Code != wantStatus || !ok && (w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), err.Error())) {
			t.Errorf("%v: %v, %d %s, Retry-After %q", err, ok, w.Code, w.Body, w.Header().Get("Retry-After"))
		}
	}
	f(nil, true, 200)
	f(fmt.Errorf("17 wait: %w", ingest.ErrOverloaded), false, 503)
	f(errors.New("disk full"), false, 503)
}

func TestSourceOf(t *testing.T) {
	f := func(query, want string, wantErr bool) {
		t.Helper()
		got, err := SourceOf(httptest.NewRequest("POST", "/x"+query, nil), "door")
		var p *Problem
		if got != want || (err != nil) != wantErr || err != nil && (!errors.As(err, &p) || p.Status != 400) {
			t.Errorf("%s: %q, %v; want %q, error %v", query, got, err, want, wantErr)
		}
	}
	f("", "door", false)
	f("?x=y", "door", false)
	f("?source=", "door", false)
	f("?source=eu-1_B", "eu-1_B", false)
	f("?source="+strings.Repeat("x", 64), strings.Repeat("x", 64), false)
	f("?source="+strings.Repeat("x", 65), "door", true)
	f("?source=a%20b", "door", true)
	f("?source=a%0a", "door", true)
	f("?source=%C3%A9", "door", true)
}
