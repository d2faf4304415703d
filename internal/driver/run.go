package driver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// Run drives the engine until ctx is done; then it finishes what is waiting
// and returns. It is called once. The error says that something decided could
// not be stored before the end.
func (d *Driver) Run(ctx context.Context) error {
	if away := d.opt.AwaySince; !away.IsZero() && time.Since(away) >= awayAtLeast {
		d.log.Info("back after an outage", "since", away, "duration", time.Since(away).Round(time.Second))
		d.opt.Engine.ObserveOutage(away)
	}
	l := &loop{Driver: d, timer: time.NewTimer(0)}
	defer l.timer.Stop()
	for {
		if ctx.Err() != nil { // a select would choose a full queue half of the time
			return l.finish(ctx)
		}
		var first *request
		select {
		case <-ctx.Done():
			return l.finish(ctx)
		case first = <-d.queue:
		case <-l.timer.C:
		}
		if err := l.turn(ctx, first); err != nil {
			l.stop()
			l.refuseRest(err)
			return err
		}
	}
}

// loop is what only the running goroutine touches.
type loop struct {
	*Driver
	timer    *time.Timer
	batch    []*request
	lastBeat time.Time
	lastStat time.Time
}

// turn takes what is waiting, ticks, stores, answers.
func (l *loop) turn(ctx context.Context, first *request) error {
	l.collect(first)
	b := &correlate.Batch{}
	next := l.observe(b)
	now := time.Now()
	b.Output = *l.opt.Engine.Tick(now)
	l.metrics.ticks.Observe(time.Since(now).Seconds())
	// Rejections wait for a batch or a sign of life: a write for each would let
	// garbage keep the store busy. A crash may cost the last seconds of them.
	if len(l.batch) > 0 || now.Sub(l.lastBeat) >= heartbeatEvery || ctx.Err() != nil {
		l.metrics.takeRefused(&b.Output)
	}
	if l.opt.Plan != nil && len(b.Incidents) > 0 {
		b.Deliveries = l.opt.Plan(b.Incidents)
	}
	if !b.Empty() || len(b.CIs)+len(b.Relations) > 0 {
		if err := l.append(ctx, b); err != nil {
			l.answer(nil, err)
			return err
		}
		l.metrics.stored(&b.Output)
		l.logNews(b)
	}
	if next != nil {
		l.estate.Store(next)
	}
	l.answer(b.Replies, nil)
	if len(b.Deliveries) > 0 && l.opt.Planned != nil {
		l.opt.Planned()
	}
	l.idle(ctx)
	return nil
}

// collect takes as much as one tick may.
func (l *loop) collect(first *request) {
	l.batch = l.batch[:0]
	n := 0
	for r := first; r != nil; {
		l.batch = append(l.batch, r)
		if n += len(r.events); n >= maxBatch || r.change != nil {
			return
		}
		select {
		case r = <-l.queue:
		default:
			return
		}
	}
}

// observe hands the requests to the engine. Of a change of the estate, the new
// revisions go into the batch, and the new snapshot is returned.
func (l *loop) observe(b *correlate.Batch) (next *cmdb.Snapshot) {
	for _, r := range l.batch {
		switch {
		case r.events != nil:
			l.waiting.Add(-int64(len(r.events)))
			for _, ev := range r.events {
				l.opt.Engine.ObserveEvent(ev)
			}
		case r.command != nil:
			l.opt.Engine.ObserveCommand(r.command)
		case r.recall != nil:
			l.opt.Engine.Recall(*r.recall)
		case r.ask != nil:
			r.ask(l.opt.Engine)
		case r.change != nil:
			var c cmdb.Change
			if c, next, r.err = change(l.estate.Load(), r.change); r.err == nil && next != nil {
				b.CIs, b.Relations = c.CIs, c.Relations
				l.opt.Engine.ObserveEstate(next)
			}
		}
	}
	return next
}

func change(now *cmdb.Snapshot, f func(*cmdb.Snapshot) (cmdb.Change, error)) (cmdb.Change, *cmdb.Snapshot, error) {
	c, err := f(now)
	if err != nil {
		return c, nil, err
	}
	if len(c.CIs)+len(c.Relations) == 0 {
		return c, nil, nil
	}
	next, err := now.Apply(c)
	if err != nil {
		return c, nil, err
	}
	return c, next, nil
}

// append stores a batch, however long it takes; see the package comment.
func (l *loop) append(ctx context.Context, b *correlate.Batch) error {
	wait := retryFirst
	for {
		// The batch is stored even while shutting down, hence no ctx.
		err := l.opt.Store.Append(context.WithoutCancel(ctx), b)
		if err == nil {
			if l.refused.Swap(nil) != nil {
				l.log.Info("the store takes writes again")
			}
			return nil
		}
		if l.refused.Swap(&err) == nil {
			l.log.Error("the store refuses to write; events are turned away until it does", "err", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("store a tick before the end: %w", err)
		case <-time.After(wait):
			wait = min(2*wait, retryMost)
		}
	}
}

// answer tells everybody of the batch; replies are in the order of command IDs.
func (l *loop) answer(replies []correlate.Reply, err error) {
	byID := make(map[string]correlate.Reply, len(replies))
	for _, r := range replies {
		byID[r.CommandID] = r
	}
	for i, r := range l.batch {
		switch {
		case err != nil:
			r.err = fmt.Errorf("%w: %w", ingest.ErrStore, err)
		case r.command != nil:
			r.reply = byID[r.command.ID]
			r.err = r.reply.Err
		}
		close(r.done)
		l.batch[i] = nil
	}
}

// idle sets the timer for whatever comes next, and shows a sign of life.
func (l *loop) idle(ctx context.Context) {
	now := time.Now()
	if now.Sub(l.lastBeat) >= heartbeatEvery {
		if err := l.opt.Store.Heartbeat(ctx, now); err != nil && !errors.Is(err, context.Canceled) {
			l.log.Warn("heartbeat not stored", "err", err)
		}
		l.lastBeat = now
	}
	if now.Sub(l.lastStat) >= heartbeatEvery {
		l.metrics.stats(l.opt.Engine.Stats())
		l.lastStat = now
	}
	wait := heartbeatEvery
	if due, ok := l.opt.Engine.NextDue(); ok {
		wait = min(wait, max(due.Sub(now), time.Millisecond))
	}
	l.timer.Reset(wait)
}

// finish works off the queue after the last request was let in.
func (l *loop) finish(ctx context.Context) error {
	l.stop()
	for {
		select {
		case r := <-l.queue:
			if err := l.turn(ctx, r); err != nil {
				l.refuseRest(err)
				return err
			}
		default:
			if err := l.turn(ctx, nil); err != nil { // stores what is left to count
				return err
			}
			return l.opt.Store.Heartbeat(context.WithoutCancel(ctx), time.Now())
		}
	}
}

// stop lets no more requests into the queue.
func (l *loop) stop() {
	close(l.ending)
	l.stopping.Lock()
	l.stopped = true
	l.stopping.Unlock()
}

func (l *loop) refuseRest(err error) {
	for {
		select {
		case r := <-l.queue:
			r.err = err
			close(r.done)
		default:
			return
		}
	}
}

// logNews writes what an operator would write in a diary.
func (l *loop) logNews(b *correlate.Batch) {
	if len(b.Incidents) > 20 {
		l.log.Info("incidents revised", "count", len(b.Incidents))
		return
	}
	for i := range b.Incidents {
		inc := &b.Incidents[i]
		if n := correlate.NoticeOf(inc); n != "" && n != correlate.NoticeChanged {
			l.log.Info("incident news", "notice", n, "incident", inc.ID, "priority", inc.Priority, "title", inc.Title)
		}
	}
}

var _ ingest.Receiver = (*Driver)(nil)
