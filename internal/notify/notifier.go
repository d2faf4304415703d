package notify

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Options say what a notifier sends, from where, to whom.
type Options struct {
	Outbox    Outbox // mandatory
	Receivers []Receiver
	// Logger takes failures; nil discards it.
	Logger *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
}

const (
	// pollEvery is when a loop looks into the outbox although nobody woke it.
	pollEvery = 30 * time.Second
	// storePause is how long a loop leaves a store alone that refused.
	storePause = 5 * time.Second
	// duePage is how many deliveries are read at first, dueMost at most.
	duePage = 256
	dueMost = 1 << 17
	// parallel is how many incidents one receiver is told of at once.
	parallel = 4
)

// farFuture is after every next attempt.
var farFuture = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// Notifier sends what the outbox holds.
type Notifier struct {
	opt   Options
	loops []*loop
}

// New makes a notifier. Nothing happens until [Notifier.Run].
func New(opt Options) (*Notifier, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	n := &Notifier{opt: opt}
	m := newMetrics(opt.Registerer, opt.Receivers)
	seen := map[string]bool{}
	for _, r := range opt.Receivers {
		if r.Name == "" || r.Sender == nil || seen[r.Name] {
			return nil, fmt.Errorf("receiver %q: each needs a sender and a name of its own", r.Name)
		}
		seen[r.Name] = true
		if r.Timeout <= 0 {
			r.Timeout = 10 * time.Second
		}
		if r.GiveUpAfter <= 0 {
			r.GiveUpAfter = 24 * time.Hour
		}
		n.loops = append(n.loops, &loop{
			Receiver: r, outbox: opt.Outbox, metrics: m,
			log:  opt.Logger.With("receiver", r.Name),
			wake: make(chan struct{}, 1), later: map[string]time.Time{}, taken: map[string]time.Time{},
		})
	}
	return n, nil
}

// Wake says that there may be something due. It never blocks, and is safe for
// concurrent use, also before and after Run.
func (n *Notifier) Wake() {
	for _, l := range n.loops {
		select {
		case l.wake <- struct{}{}:
		default: // it is about to look anyway
		}
	}
}

// Run sends until ctx is done, and returns nil after the attempts under way are
// finished and recorded. Call it once.
func (n *Notifier) Run(ctx context.Context) error {
	if err := n.sweep(ctx); err != nil {
		n.opt.Logger.Warn("notifications for removed receivers stay pending", "err", err)
	}
	var g errgroup.Group
	for _, l := range n.loops {
		g.Go(func() error {
			l.run(ctx)
			return nil
		})
	}
	return g.Wait()
}

// sweep gives up what waits for receivers that are no longer configured, and
// tells the loops what waits for a time to come: a store knows it, a new
// process does not.
func (n *Notifier) sweep(ctx context.Context) error {
	known := map[string]*loop{}
	for _, l := range n.loops {
		known[l.Name] = l
	}
	for {
		all, err := due(ctx, n.opt.Outbox, farFuture, "")
		if err != nil {
			return err
		}
		gone := 0
		for _, d := range all {
			if l := known[d.Receiver]; l != nil {
				l.later[d.Key] = d.NextAttempt
				continue
			}
			gone++
			now := time.Now()
			if err := n.opt.Outbox.Failed(ctx, d, now, now, true, errGone(d.Receiver).Error()); err != nil {
				return err
			}
			n.opt.Logger.Warn("notification given up", "delivery", d.Key, "err", errGone(d.Receiver))
		}
		if gone == 0 { // only first ones are listed, so giving up shows the next
			return nil
		}
	}
}
