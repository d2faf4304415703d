package bench

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// Kind is what a target understands.
type Kind string

// The kinds of target.
const (
	KindAPI     Kind = "api"     // an array of alerts, POST /api/v2/alerts
	KindWebhook Kind = "webhook" // Alertmanager's webhook, version 4
)

// Options say what to send, where and how fast. Only URL is needed.
type Options struct {
	// URL is the whole address to post to; plain HTTP on loopback.
	URL string
	// Kind defaults to KindAPI.
	Kind Kind
	// Alerts is how many are sent in all, at least Unique; default 100,000.
	Alerts int
	// Unique is how many distinct alerts there are; default 1,000, at most
	// Alerts. New makes it Alerts: nothing is sent again.
	Unique int
	New    bool
	// Batch is the number of alerts in a request; default 100.
	Batch int
	// Concurrency is the number of connections, each with one request at a
	// time; default 4.
	Concurrency int
	// Rate limits the alerts of all connections per second; 0 is no limit.
	Rate float64
	// Duration limits each phase; 0 is no limit.
	Duration time.Duration
	// Changing is the share of re-sends, 0 to 1, whose annotations have another
	// value than before.
	Changing float64
	// FirstID numbers the first alert; runs whose numbers do not overlap send
	// different alerts.
	FirstID int
	// StartsAt is the alerts' start; default ten minutes ago. A later run with
	// the same value and numbers sends the same alerts again.
	StartsAt time.Time
	// PID is the server's process; 0 leaves its figures out.
	PID int
	// ReadURL is a Tocsin's base address. If it is set, requests are sampled:
	// how long from before the POST until the incident of the request's last
	// alert can be read.
	ReadURL string
	// Progress, if set, is told about once a second how far a phase is.
	Progress func(phase string, sent, total int)
}

// complete fills in defaults and reports all mistakes at once.
func (o Options) complete() (Options, error) {
	o.Kind = cmp.Or(o.Kind, KindAPI)
	o.Alerts = cmp.Or(o.Alerts, 100_000)
	o.Batch = cmp.Or(o.Batch, 100)
	o.Concurrency = cmp.Or(o.Concurrency, 4)
	if o.New {
		o.Unique = o.Alerts
	}
	o.Unique = min(cmp.Or(o.Unique, 1000), o.Alerts)
	if o.StartsAt.IsZero() {
		o.StartsAt = time.Now().Add(-10 * time.Minute)
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Kind != KindAPI && o.Kind != KindWebhook {
		bad("target kind %q: want %s or %s", o.Kind, KindAPI, KindWebhook)
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"alerts", o.Alerts}, {"unique", o.Unique}, {"batch", o.Batch}, {"concurrency", o.Concurrency}} {
		if n.value < 1 {
			bad("%s %d: want at least 1", n.name, n.value)
		}
	}
	// Numbers become addresses of three bytes in the instance label.
	if o.FirstID < 0 || o.FirstID+o.Unique > 1<<24 {
		bad("first id %d with %d unique alerts: want numbers from 0 to %d", o.FirstID, o.Unique, 1<<24)
	}
	if o.Rate < 0 {
		bad("rate %v: want 0 (no limit) or more", o.Rate)
	}
	if !(o.Changing >= 0 && o.Changing <= 1) {
		bad("changing annotations %v: want a share from 0 to 1", o.Changing)
	}
	if _, err := loopback(o.URL); err != nil {
		bad("url: %w", err)
	}
	if o.ReadURL != "" {
		if _, err := loopback(o.ReadURL); err != nil {
			bad("read url: %w", err)
		}
	}
	return o, errors.Join(errs...)
}

// loopback parses an address and refuses what is not on this machine.
func loopback(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("%q: want http://127.0.0.1:PORT/path", s)
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%q is not on loopback; run the benchmark on the server's own machine", s)
	}
	return u, nil
}
