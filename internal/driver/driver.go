package driver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// Options say what a driver drives. Engine, Store, Reader and Normalize are
// mandatory; the zero value of all else works.
type Options struct {
	// Engine is restored already, from Store.
	Engine *correlate.Engine
	Store  correlate.Store
	Reader correlate.Reader
	// Estate is the estate that Engine was restored with; nil is the empty one.
	Estate *cmdb.Snapshot
	// Normalize completes and checks an event, see [ingest.Normalizer].
	Normalize func(e *ingest.Event, now time.Time) (ingest.Reason, error)
	// Plan says which notifications are owed for revisions; nil owes none.
	Plan func([]correlate.Incident) []correlate.Delivery
	// Planned is called after planned notifications were stored. It must not block.
	Planned func()
	// AwaySince is when the last run was last known alive; zero for a new store.
	AwaySince time.Time
	// MaxEvents is how many events may wait at once; 0 means 50,000.
	MaxEvents int
	// Logger takes what nobody else hears of; nil discards it.
	Logger *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
	// Accounting are the counts so far, from which the metrics go on.
	Accounting map[string]correlate.Counts
}

const (
	defaultMaxEvents = 50_000
	// maxBatch bounds the events of one tick, and so its time and memory.
	maxBatch = 4_000
	// maxWaiting is how many requests may wait.
	maxWaiting = 4_096
	// heartbeatEvery is how often an idle driver says that it is alive.
	heartbeatEvery = 5 * time.Second
	// awayAtLeast is the absence from which on silence is forgiven.
	awayAtLeast = 3 * heartbeatEvery
	// retryFirst and retryMost bound the back-off while the store refuses.
	retryFirst = 50 * time.Millisecond
	retryMost  = 5 * time.Second
)

// Driver drives an engine. All methods are safe for concurrent use.
type Driver struct {
	opt     Options
	log     *slog.Logger
	metrics *metrics

	queue   chan *request
	waiting atomic.Int64 // events that wait
	estate  atomic.Pointer[cmdb.Snapshot]
	refused atomic.Pointer[error] // why the store refuses, nil while it does not

	// ending is closed when the end begins: nobody waits for a place in the
	// queue any more. stopping then guards the queue against requests after
	// the last look at it.
	ending   chan struct{}
	stopping sync.RWMutex
	stopped  bool
}

// request is one thing asked of the engine. Exactly one of the first five
// fields is set.
type request struct {
	events  []*ingest.Event
	command *correlate.Command
	recall  *correlate.State
	change  func(*cmdb.Snapshot) (cmdb.Change, error)
	ask     func(*correlate.Engine)

	// queued says that the engine will see it, whoever still waits for that.
	queued bool
	reply  correlate.Reply
	err    error
	done   chan struct{} // closed when reply and err are set
}

// New makes a driver. Nothing happens until [Driver.Run].
func New(opt Options) *Driver {
	if opt.MaxEvents <= 0 {
		opt.MaxEvents = defaultMaxEvents
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Driver{opt: opt, log: opt.Logger, queue: make(chan *request, maxWaiting), ending: make(chan struct{})}
	d.metrics = newMetrics(opt.Registerer, opt.Accounting, func() float64 { return float64(d.waiting.Load()) })
	estate := opt.Estate
	if estate == nil {
		estate, _ = cmdb.New(nil, nil) // nothing can be wrong with nothing
	}
	d.estate.Store(estate)
	return d
}

// Receive implements [ingest.Receiver].
func (d *Driver) Receive(ctx context.Context, source string, events []ingest.Event, rejected []ingest.Rejection) ([]ingest.Rejection, error) {
	m := d.metrics
	s := m.of(source)
	s.received.Add(float64(len(events) + len(rejected)))
	for _, r := range rejected {
		m.reject(s, r.Reason, 1)
	}
	now := time.Now()
	good := make([]*ingest.Event, 0, len(events))
	for i := range events {
		ev := &events[i]
		ev.Source = source
		if reason, err := d.opt.Normalize(ev, now); err != nil {
			m.reject(s, reason, 1)
			rejected = append(rejected, ingest.Rejection{Index: i, Reason: reason, Err: err})
			continue
		}
		good = append(good, ev)
	}
	if len(good) == 0 {
		return rejected, nil
	}
	if err := d.admit(len(good)); err != nil {
		reason := ingest.ReasonOverloaded
		if errors.Is(err, ingest.ErrStore) {
			reason = ingest.ReasonStore
		}
		m.reject(s, reason, len(good))
		return rejected, err
	}
	r := &request{events: good}
	err := d.submit(ctx, r)
	if err != nil && !r.queued {
		m.reject(s, ingest.ReasonOverloaded, len(good))
	}
	return rejected, err
}

// admit counts events in, or says why not.
func (d *Driver) admit(events int) error {
	if err := d.refused.Load(); err != nil {
		return fmt.Errorf("%w: %w", ingest.ErrStore, *err)
	}
	if n := d.waiting.Add(int64(events)); n > int64(d.opt.MaxEvents) && n > int64(events) {
		d.waiting.Add(-int64(events))
		return fmt.Errorf("%d events wait already, at most %d may: %w", n-int64(events), d.opt.MaxEvents, ingest.ErrOverloaded)
	}
	return nil
}

// submit queues a request and waits for the answer.
func (d *Driver) submit(ctx context.Context, r *request) error {
	r.done = make(chan struct{})
	if err := d.enqueue(ctx, r); err != nil {
		d.waiting.Add(-int64(len(r.events)))
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		// It is in the queue and will be stored: the sender, told to try
		// again, is deduplicated.
		return fmt.Errorf("wait for the store: %w", ctx.Err())
	}
}

// errEnding turns a request away at the end; its sender will find the next run.
var errEnding = fmt.Errorf("shutting down: %w", ingest.ErrOverloaded)

func (d *Driver) enqueue(ctx context.Context, r *request) error {
	// Held while waiting for a place, which is why the end closes ending first.
	d.stopping.RLock()
	defer d.stopping.RUnlock()
	if d.stopped {
		return errEnding
	}
	select {
	case d.queue <- r:
		r.queued = true
		return nil
	case <-d.ending:
		return errEnding
	case <-ctx.Done():
		return fmt.Errorf("wait for the engine: %w", ctx.Err())
	}
}

// Do carries out an operator command and returns the incident after it, once
// that is durable. An incident that the engine has forgotten is read back
// first.
func (d *Driver) Do(ctx context.Context, c correlate.Command) (correlate.Incident, error) {
	if err := c.Validate(); err != nil {
		return correlate.Incident{}, err
	}
	if err := d.refused.Load(); err != nil {
		return correlate.Incident{}, fmt.Errorf("%w: %w", ingest.ErrStore, *err)
	}
	r := &request{command: &c}
	err := d.submit(ctx, r)
	if !errors.Is(err, correlate.ErrForgotten) {
		return r.reply.Incident, err
	}
	if err := d.recall(ctx, &c); err != nil {
		return correlate.Incident{}, err
	}
	r = &request{command: &c}
	err = d.submit(ctx, r)
	return r.reply.Incident, err
}

// Estate is the newest snapshot, never nil.
func (d *Driver) Estate() *cmdb.Snapshot { return d.estate.Load() }

// ChangeEstate calls change with the newest snapshot, while no other change
// runs, and returns once its result is durable and in use. An error of change
// is returned as it is and nothing is changed; so is the error of a change
// that would leave the estate invalid.
func (d *Driver) ChangeEstate(ctx context.Context, change func(*cmdb.Snapshot) (cmdb.Change, error)) error {
	if err := d.refused.Load(); err != nil {
		return fmt.Errorf("%w: %w", ingest.ErrStore, *err)
	}
	return d.submit(ctx, &request{change: change})
}

// Counts are numbers for a status page: alerts and incidents in memory.
func (d *Driver) Counts(ctx context.Context) (map[string]int64, error) {
	var s correlate.Stats
	if err := d.submit(ctx, &request{ask: func(e *correlate.Engine) { s = e.Stats() }}); err != nil {
		return nil, err
	}
	out := map[string]int64{"alerts_resolved": int64(s.Remembered), "cis": int64(d.Estate().Len()), "relations": int64(d.Estate().Relations())}
	for by, n := range s.Firing {
		out["alerts_firing"] += int64(n)
		if by != "" {
			out["alerts_suppressed"] += int64(n)
		}
	}
	for status, n := range s.Incidents {
		out["incidents_"+string(status)] = int64(n)
	}
	return out, nil
}

// Ready says why events are not being taken, nil when they are.
func (d *Driver) Ready() error {
	if err := d.refused.Load(); err != nil {
		return fmt.Errorf("%w: %w", ingest.ErrStore, *err)
	}
	return nil
}
