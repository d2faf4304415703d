// Package httpdoor is what all HTTP doors share: reading a body within limits,
// decompressing it, handing events on, and the answers that senders understand.
//
// It exists so that the limits and the accounting are the same at every door:
// whatever a client sends is read at most once, never beyond the limits, and
// ends in exactly one count, also when it is no event at all. A Door is safe
// for concurrent use.
package httpdoor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"tocsin/ingest"
)

// Options bound what a request may take. The zero value has the defaults.
type Options struct {
	// MaxBodyBytes is the largest body, before and after decompression;
	// 0 means 16 MiB.
	MaxBodyBytes int64
	// Timeout is how long the body may take to come in, and after that the
	// store to take it; 0 means 10 s.
	Timeout time.Duration
	// KeepRaw says whether events of a source are to carry their payload; nil
	// means never.
	KeepRaw func(source string) bool
	// Logger takes refusals, at level debug: a client is told already. Nil
	// discards them.
	Logger *slog.Logger
}

const (
	defaultMaxBody = 16 << 20
	defaultTimeout = 10 * time.Second
	// keepBuffer is the largest buffer that is kept for the next request.
	keepBuffer = 1 << 20
	// retryAfter is how many seconds an overloaded server asks for.
	retryAfter = 5
)

// Door receives events over HTTP.
type Door struct {
	receiver ingest.Receiver
	opt      Options
	buffers  sync.Pool
	readers  sync.Pool
}

// New makes a door in front of a receiver.
func New(receiver ingest.Receiver, opt Options) *Door {
	if opt.MaxBodyBytes <= 0 {
		opt.MaxBodyBytes = defaultMaxBody
	}
	if opt.Timeout <= 0 {
		opt.Timeout = defaultTimeout
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	return &Door{receiver: receiver, opt: opt}
}

// Problem is why a body could not be read: the answer's status, the reason to
// count, and the text for the sender.
type Problem struct {
	Status int
	Reason ingest.Reason
	Err    error
}

func (p *Problem) Error() string { return p.Err.Error() }
func (p *Problem) Unwrap() error { return p.Err }

// Read reads the body, decompressed. release gives its memory back: nothing
// may refer to body after that. Every error is a *[Problem], to be answered
// with [Door.Refuse].
func (d *Door) Read(w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	// A deadline that cannot be set is one that a test's recorder lacks.
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(d.opt.Timeout))
	if r.ContentLength > d.opt.MaxBodyBytes {
		return nil, nil, d.tooLarge(fmt.Sprintf("%d bytes", r.ContentLength))
	}
	buf, _ := d.buffers.Get().(*bytes.Buffer)
	if buf == nil {
		buf = new(bytes.Buffer)
	}
	buf.Reset()
	release = func() {
		if buf.Cap() <= keepBuffer {
			d.buffers.Put(buf)
		}
	}
	sent := &io.LimitedReader{R: r.Body, N: d.opt.MaxBodyBytes + 1}
	var src io.Reader = sent
	switch enc := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); enc {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := d.gzip(src)
		if err != nil {
			release()
			return nil, nil, d.unreadable("Content-Encoding: gzip, but the body is not", err)
		}
		defer d.readers.Put(z)
		src = io.LimitReader(z, d.opt.MaxBodyBytes+1)
	default:
		release()
		return nil, nil, &Problem{http.StatusUnsupportedMediaType, ingest.ReasonUnsupported, fmt.Errorf("Content-Encoding: %q: send gzip or nothing", enc)}
	}
	if n := r.ContentLength; n > 0 && n <= keepBuffer {
		buf.Grow(int(n) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(src)
	switch {
	case n > d.opt.MaxBodyBytes || sent.N <= 0:
		release()
		return nil, nil, d.tooLarge("more")
	case err != nil:
		release()
		return nil, nil, d.unreadable(fmt.Sprintf("read the body after %d bytes", n), err)
	}
	// The server goes on reading, to learn whether the client is still there:
	// left in place, the deadline would end the wait for the store.
	_ = rc.SetReadDeadline(time.Time{})
	return buf.Bytes(), release, nil
}

// unreadable says why a body broke off. One that was too slow may be sent
// again: that is the network's fault, and Alertmanager repeats only after 5xx.
func (d *Door) unreadable(doing string, err error) *Problem {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &Problem{http.StatusServiceUnavailable, ingest.ReasonMalformed,
			fmt.Errorf("%s: not complete within %v; send it again, or raise limits.request_timeout", doing, d.opt.Timeout)}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &Problem{http.StatusBadRequest, ingest.ReasonMalformed, fmt.Errorf("%s: %w", doing, err)}
}

func (d *Door) tooLarge(size string) *Problem {
	return &Problem{http.StatusRequestEntityTooLarge, ingest.ReasonTooLarge,
		fmt.Errorf("body: %s, at most %d bytes are taken; send smaller batches, or raise limits.max_body_bytes", size, d.opt.MaxBodyBytes)}
}

func (d *Door) gzip(src io.Reader) (*gzip.Reader, error) {
	if z, _ := d.readers.Get().(*gzip.Reader); z != nil {
		return z, z.Reset(src)
	}
	return gzip.NewReader(src)
}

// Refuse answers a [Problem] in plain text and counts the message as one
// rejected event.
func (d *Door) Refuse(w http.ResponseWriter, r *http.Request, source string, err error) {
	d.Reject(w, r, source, ProblemOf(err))
}

// ProblemOf makes a [Problem] of any error: a malformed message, unless it
// says otherwise.
func ProblemOf(err error) *Problem {
	var p *Problem
	if !errors.As(err, &p) {
		p = &Problem{http.StatusBadRequest, ingest.ReasonMalformed, err}
	}
	return p
}

// KeepsRaw says whether events of a source are to carry their payload.
func (d *Door) KeepsRaw(source string) bool { return d.opt.KeepRaw != nil && d.opt.KeepRaw(source) }

// Reject counts the message as one rejected event and answers in plain text.
func (d *Door) Reject(w http.ResponseWriter, r *http.Request, source string, p *Problem) {
	d.Count(r, source, p)
	http.Error(w, p.Error(), p.Status)
}

// Count counts the message as one rejected event, for doors that answer in a
// form of their own.
func (d *Door) Count(r *http.Request, source string, p *Problem) {
	d.opt.Logger.Debug("message refused", "source", source, "path", r.URL.Path, "status", p.Status, "err", p.Err)
	// Nothing is stored, so nothing can go wrong; and it counts although the
	// client may have gone.
	_, _ = d.receiver.Receive(context.WithoutCancel(r.Context()), source, nil, []ingest.Rejection{{Index: -1, Reason: p.Reason, Err: p.Err}})
}

// Receive hands events on and waits until they are durable. When they are not,
// it answers 503, which senders take for "try again", and returns false.
func (d *Door) Receive(w http.ResponseWriter, r *http.Request, source string, events []ingest.Event, rejected []ingest.Rejection) ([]ingest.Rejection, bool) {
	ctx, cancel := context.WithTimeout(r.Context(), d.opt.Timeout)
	defer cancel()
	rejections, err := d.receiver.Receive(ctx, source, events, rejected)
	if err != nil {
		d.Unavailable(w, err)
		return nil, false
	}
	return rejections, true
}

// Unavailable answers 503 with a Retry-After. Alertmanager retries on nothing
// but 5xx, so 429 would be a loss.
func (d *Door) Unavailable(w http.ResponseWriter, err error) {
	w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	http.Error(w, "not stored, try again: "+err.Error(), http.StatusServiceUnavailable)
}

var sourceName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// SourceOf is the name of the source: the query parameter source, or the
// door's own name. An error is a *[Problem].
func SourceOf(r *http.Request, door string) (string, error) {
	if r.URL.RawQuery == "" {
		return door, nil
	}
	s := r.URL.Query().Get("source")
	switch {
	case s == "":
		return door, nil
	case !sourceName.MatchString(s):
		return door, &Problem{http.StatusBadRequest, ingest.ReasonInvalid,
			fmt.Errorf("query parameter source: %.80q: use up to 64 letters, digits, _ and -", s)}
	default:
		return s, nil
	}
}
