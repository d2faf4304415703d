package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"tocsin/correlate"
)

// loop sends to one receiver.
type loop struct {
	Receiver
	outbox  Outbox
	metrics *metrics
	log     *slog.Logger
	wake    chan struct{}

	mu sync.Mutex
	// later is when the failed ones are due again, by key.
	later map[string]time.Time
	// taken are those that the receiver took and the store did not yet record,
	// so that a full disk does not become a message every five seconds.
	taken map[string]time.Time
}

func (l *loop) run(ctx context.Context) {
	for ctx.Err() == nil {
		worked, err := l.turn(ctx)
		pause := l.pause(time.Now())
		switch {
		case err != nil && ctx.Err() == nil:
			l.log.Warn("outbox refuses", "err", err)
			pause = storePause
		case worked:
			continue // the next news of the same incidents may be due now
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-l.wake:
			if err != nil {
				// Those who store wake us with every tick; the store needs rest.
				select {
				case <-ctx.Done():
				case <-t.C:
				}
			}
		}
		t.Stop()
	}
}

// pause is how long nothing will be due, as far as the loop knows.
func (l *loop) pause(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	pause := pollEvery
	for _, at := range l.later {
		pause = min(pause, max(at.Sub(now), 0))
	}
	return pause
}

// due lists what is due for one receiver, or for all with "". The outbox lists
// all receivers together, so the page grows until somebody else's backlog does
// not hide our own.
func due(ctx context.Context, o Outbox, now time.Time, receiver string) ([]correlate.Delivery, error) {
	for limit := duePage; ; limit *= 4 {
		all, err := o.Due(ctx, now, limit)
		if err != nil {
			return nil, fmt.Errorf("read the outbox: %w", err)
		}
		var own []correlate.Delivery
		for _, d := range all {
			if receiver == "" || d.Receiver == receiver {
				own = append(own, d)
			}
		}
		if len(all) < limit || limit >= dueMost || receiver != "" && len(own) >= parallel {
			return own, nil
		}
	}
}

// turn sends what is due now and says whether there was anything.
func (l *loop) turn(ctx context.Context) (worked bool, err error) {
	now := time.Now()
	list, err := due(ctx, l.outbox, now, l.Name)
	if err != nil {
		return false, err
	}
	l.mu.Lock()
	// Also what was not listed, for retention may have removed it.
	maps.DeleteFunc(l.later, func(_ string, at time.Time) bool { return !at.After(now) })
	l.metrics.pending.WithLabelValues(l.Name).Set(float64(len(list) + len(l.later)))
	l.mu.Unlock()

	work := make(chan correlate.Delivery)
	errs := make([]error, min(parallel, len(list)))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for d := range work {
				if ctx.Err() != nil {
					continue // handed over when it was about to stop
				}
				if err := l.attempt(ctx, d); err != nil {
					errs[i] = err
				}
			}
		})
	}
	for _, d := range list {
		work <- d
	}
	close(work)
	wg.Wait()
	l.mu.Lock()
	l.metrics.pending.WithLabelValues(l.Name).Set(float64(len(l.later) + len(l.taken)))
	l.mu.Unlock()
	return len(list) > 0, errors.Join(errs...)
}

// attempt sends one and records what came of it. The error is that of the
// store; the receiver's is recorded.
func (l *loop) attempt(ctx context.Context, d correlate.Delivery) error {
	// What was begun is finished: an attempt cut off by a shutdown would come
	// again after the restart, although the receiver may have taken it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.Timeout)
	defer cancel()
	l.mu.Lock()
	at, already := l.taken[d.Key]
	l.mu.Unlock()
	if already {
		return l.delivered(ctx, d, at)
	}
	m, err := l.message(ctx, &d)
	if err != nil && !permanent(err) {
		return err
	}
	if err == nil && m == nil {
		l.metrics.count(&d, resultSkipped)
		return l.delivered(ctx, d, time.Now())
	}
	if err == nil {
		err = l.Sender.Send(ctx, m)
	}
	now := time.Now()
	if err == nil {
		l.metrics.count(&d, resultDelivered)
		l.metrics.delay.Observe(max(now.Sub(d.At), 0).Seconds())
		l.mu.Lock()
		l.taken[d.Key] = now
		l.mu.Unlock()
		return l.delivered(ctx, d, now)
	}
	return l.failed(ctx, d, now, err)
}

// settle is for the store, which the receiver's timeout does not concern.
func settle(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}

func (l *loop) delivered(ctx context.Context, d correlate.Delivery, at time.Time) error {
	ctx, cancel := settle(ctx)
	defer cancel()
	if err := l.outbox.Delivered(ctx, d, at); err != nil {
		return fmt.Errorf("record the delivery: %w", err)
	}
	l.mu.Lock()
	delete(l.taken, d.Key)
	l.mu.Unlock()
	return nil
}

func (l *loop) failed(ctx context.Context, d correlate.Delivery, now time.Time, cause error) error {
	n := d.Attempts + 1
	next := now.Add(wait(d.Key, n, askedFor(cause)))
	giveUp := permanent(cause) || l.MaxAttempts > 0 && n >= l.MaxAttempts || next.Sub(d.At) > l.GiveUpAfter
	if giveUp {
		l.metrics.count(&d, resultFailed)
		l.log.Error("notification given up", "delivery", d.Key, "attempts", n, "err", cause)
	} else {
		l.metrics.count(&d, resultRetry)
		l.log.Warn("notification failed", "delivery", d.Key, "attempts", n, "next", next, "err", cause)
	}
	ctx, cancel := settle(ctx)
	defer cancel()
	if err := l.outbox.Failed(ctx, d, now, next, giveUp, cause.Error()); err != nil {
		return fmt.Errorf("record the failure: %w", err)
	}
	if !giveUp {
		l.mu.Lock()
		l.later[d.Key] = next
		l.mu.Unlock()
	}
	return nil
}

// message puts together what to send; nil when the receiver is not to be told.
// The error is permanent when the incident is gone, else that of the store.
func (l *loop) message(ctx context.Context, d *correlate.Delivery) (*Message, error) {
	inc, err := l.outbox.Revision(ctx, d.Incident, d.Revision)
	if errors.Is(err, correlate.ErrNotFound) {
		return nil, &PermanentError{fmt.Errorf("the incident was removed by retention before it could be told: %w", err)}
	}
	if err != nil {
		return nil, fmt.Errorf("read the incident: %w", err)
	}
	if !l.presses(&inc) {
		if told, err := l.told(ctx, &inc); err != nil || !told {
			return nil, err
		}
	}
	alerts, _, err := l.outbox.Alerts(ctx, correlate.AlertQuery{Page: correlate.Page{Limit: MaxAlerts}, Incident: inc.ID})
	if err != nil {
		return nil, fmt.Errorf("read the incident's alerts: %w", err)
	}
	return &Message{
		Key: d.Key, Receiver: l.Name, Notice: d.Notice, Incident: inc,
		Alerts: alerts, Truncated: max(inc.Alerts.Total-len(alerts), 0), At: time.Now(),
	}, nil
}

// told says whether the receiver heard of the incident before this revision.
func (l *loop) told(ctx context.Context, inc *correlate.Incident) (bool, error) {
	page := correlate.Page{Limit: 1000}
	for {
		items, next, err := l.outbox.Timeline(ctx, inc.ID, page)
		if err != nil {
			return false, fmt.Errorf("read the incident's timeline: %w", err)
		}
		for i := range items {
			if items[i].Revision >= inc.Revision {
				return false, nil
			}
			if n := correlate.NoticeOf(&items[i]); n != "" && l.wants(n) && l.presses(&items[i]) {
				return true, nil
			}
		}
		if page.Cursor = next; next == "" {
			return false, nil
		}
	}
}
