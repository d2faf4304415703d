package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// readers ask at the same time; more than this many samples that wait say
	// little that the others do not.
	readers = 16
	// samplesPerSecond is about how many requests are followed: enough for a
	// p99 in a minute, few enough not to become the load.
	samplesPerSecond = 100
	// readEvery is the time between two questions, and so the error of a delay.
	readEvery = time.Millisecond
	// readLimit is when a sample counts as never seen.
	readLimit = 10 * time.Second
)

// A reader follows some of the alerts that were sent until their incident can
// be read over HTTP, as a page or a script would.
type reader struct {
	base   string
	every  int // every which request is followed
	client *http.Client

	mu      sync.Mutex
	count   int
	delay   Delay
	delays  []time.Duration
	samples chan sample
	running sync.WaitGroup
}

type sample struct {
	id   int
	sent time.Time
}

func newReader(o Options) *reader {
	r := &reader{base: strings.TrimSuffix(o.ReadURL, "/"), every: 10,
		client: &http.Client{Timeout: readLimit, Transport: &http.Transport{MaxIdleConnsPerHost: readers}}}
	if o.Rate > 0 {
		r.every = max(1, int(o.Rate/float64(o.Batch)/samplesPerSecond))
	}
	return r
}

func (r *reader) start(ctx context.Context) {
	r.count, r.delay, r.delays = 0, Delay{}, nil
	r.samples = make(chan sample, 10*readers)
	for range readers {
		r.running.Go(func() {
			for s := range r.samples {
				r.follow(ctx, s)
			}
		})
	}
}

// sample follows an alert if it is the turn of its request. It never waits.
func (r *reader) sample(id int, sent time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count++; r.count%r.every != 0 {
		return
	}
	select {
	case r.samples <- sample{id, sent}:
	default:
		r.delay.Skipped++
	}
}

// finish waits for the samples that are still followed.
func (r *reader) finish() *Delay {
	close(r.samples)
	r.running.Wait()
	r.client.CloseIdleConnections()
	d := r.delay
	d.Samples = len(r.delays)
	d.Quantiles = quantiles(r.delays)
	return &d
}

func (r *reader) follow(ctx context.Context, s sample) {
	fp := fingerprint(s.id).String()
	for {
		err := r.visible(ctx, fp)
		elapsed := time.Since(s.sent)
		if err != nil && elapsed < readLimit && pause(ctx, readEvery) {
			continue
		}
		if ctx.Err() != nil {
			return
		}
		r.mu.Lock()
		if err == nil {
			r.delays = append(r.delays, elapsed)
		} else {
			r.delay.Never++
			r.delay.LastError = err.Error()
		}
		r.mu.Unlock()
		return
	}
}

// visible returns nil if the alert has an incident and that can be read.
func (r *reader) visible(ctx context.Context, fp string) error {
	var alert struct {
		Incident string `json:"incident"`
	}
	if err := r.get(ctx, "/api/v1/alerts/"+fp, &alert); err != nil {
		return err
	}
	if alert.Incident == "" {
		return fmt.Errorf("alert %s has no incident", fp)
	}
	var incident struct {
		ID string `json:"id"`
	}
	if err := r.get(ctx, "/api/v1/incidents/"+alert.Incident, &incident); err != nil {
		return err
	}
	if incident.ID != alert.Incident {
		return fmt.Errorf("incident %s calls itself %q", alert.Incident, incident.ID)
	}
	return nil
}

func (r *reader) get(ctx context.Context, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+path, nil)
	if err != nil {
		return err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s", path, resp.Status)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("get %s: %w", path, err)
	}
	return nil
}
