package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/correlate"
	"tocsin/ingest"
)

const (
	flagSuppressed = 1 << iota
	flagUnbound
	flagAmbiguous
	flagReused
)

// Append implements [correlate.Store]. When it fails, whatever the reason,
// nothing of the batch is stored and it can be sent again.
func (s *Store) Append(ctx context.Context, b *correlate.Batch) error {
	start := time.Now()
	s.write.Lock()
	defer s.write.Unlock()
	err := s.updateLocked(ctx, opAppend, func() error { return s.w.append(ctx, b, &s.live) })
	if err != nil {
		return fmt.Errorf("append batch of %s: %w", b.At.UTC().Format(time.RFC3339Nano), err)
	}
	s.w.publish(&s.live)
	s.metrics.appendSeconds.Observe(time.Since(start).Seconds())
	return nil
}

func (w *writer) append(ctx context.Context, b *correlate.Batch, live *liveAlerts) error {
	w.staged.alertRevision = w.alertRevision
	if w.seen.full() {
		if err := w.loadSeen(ctx, 2*64*len(w.seen.bits)); err != nil {
			return err
		}
	}
	steps := []func(context.Context, *correlate.Batch) error{
		w.appendEvents, w.appendAlerts, w.appendAttachments, w.appendIncidents, w.appendLinks, w.appendMemories, w.appendLessons,
		w.appendEstate, w.appendDeliveries,
	}
	for _, step := range steps {
		if err := step(ctx, b); err != nil {
			return err
		}
	}
	slices.SortFunc(w.tracing, compareTraces)
	newest, attached, err := w.stored(ctx, live)
	if err != nil {
		return err
	}
	if err := w.supersede(ctx, live, newest); err != nil {
		return err
	}
	if err := w.appendTraces(ctx, micros(b.At)); err != nil {
		return err
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	if err := w.lineUp(ctx, attached); err != nil {
		return err
	}
	if err := w.markFiring(ctx, live); err != nil {
		return err
	}
	if err := w.appendTick(ctx, b, live); err != nil {
		return err
	}
	return w.flush(ctx)
}

func (w *writer) appendEvents(ctx context.Context, b *correlate.Batch) error {
	in := w.events
	clear(w.madeOf)
	for i := range b.Alerts {
		w.madeOf[b.Alerts[i].EventSeq] = -b.Alerts[i].Revision
	}
	for i := range b.Events {
		e := &b.Events[i]
		var raw any // has a column of its own
		if e.Raw != nil {
			raw = []byte(e.Raw)
		}
		made := -w.madeOf[e.Seq]
		if made != 0 && e.Seq > w.eventSeq {
			w.madeOf[e.Seq] = made // surely in the row below
		}
		body, err := in.bodies.event(e)
		if err != nil {
			return fmt.Errorf("event %d: %w", e.Seq, err)
		}
		in.args = append(in.args, e.Seq, micros(e.ReceivedAt), string(e.Kind), e.Source, signed(e.Fingerprint), made, body, raw)
		if err := in.added(ctx); err != nil {
			return fmt.Errorf("event %d: %w", e.Seq, err)
		}
		if e.Fingerprint != 0 {
			w.trace(e.Fingerprint, traceEvent, e.Seq)
		}
		w.staged.eventSeq = max(w.staged.eventSeq, e.Seq)
	}
	return nil
}

func (w *writer) appendAlerts(ctx context.Context, b *correlate.Batch) error {
	in := w.alerts
	for i := range b.Alerts {
		a := &b.Alerts[i]
		body, err := in.bodies.alert(a)
		if err != nil {
			return fmt.Errorf("alert %s revision %d: %w", a.Fingerprint, a.Revision, err)
		}
		firing, flags := 0, 0
		if a.Status == ingest.Firing {
			firing = 1
		}
		if a.Suppression != "" {
			flags |= flagSuppressed
		}
		if a.CI == "" {
			flags |= flagUnbound
		}
		if len(a.Ambiguous) > 0 {
			flags |= flagAmbiguous
		}
		// The retention keeps the events of alerts. A new event names one alert
		// that needs it, all others have to be found by an index.
		if w.madeOf[a.EventSeq] != a.Revision {
			flags |= flagReused
		}
		in.args = append(in.args, a.Revision, micros(a.At), signed(a.Fingerprint), firing, micros(a.StartsAt), micros(a.DecidedAt),
			int(a.Severity), flags, a.Source, a.CI, a.Incident, a.EventSeq, body)
		if err := in.added(ctx); err != nil {
			return fmt.Errorf("alert %s revision %d: %w", a.Fingerprint, a.Revision, err)
		}
		w.trace(a.Fingerprint, traceAlert, a.Revision)
		w.staged.alert(a, w.alertRevision)
	}
	return nil
}

func (w *writer) appendAttachments(ctx context.Context, b *correlate.Batch) error {
	in := w.attachments
	for i := range b.Attachments {
		a := &b.Attachments[i]
		in.args = append(in.args, a.Revision, micros(a.At), signed(a.Fingerprint), a.Detached, a.Incident, a.CI, in.bodies.attachment(a))
		if err := in.added(ctx); err != nil {
			return fmt.Errorf("attachment %d: %w", a.Revision, err)
		}
		w.trace(a.Fingerprint, traceAttachment, a.Revision)
		w.staged.revision = max(w.staged.revision, a.Revision)
	}
	return nil
}

func (w *writer) appendIncidents(ctx context.Context, b *correlate.Batch) error {
	in := w.incidents
	for i := range b.Incidents {
		inc := &b.Incidents[i]
		body, err := in.bodies.add(inc)
		if err != nil {
			return fmt.Errorf("incident %s revision %d: %w", inc.ID, inc.Revision, err)
		}
		in.args = append(in.args, inc.ID, inc.Revision, micros(inc.At), body)
		if err := in.added(ctx); err != nil {
			return fmt.Errorf("incident %s revision %d: %w", inc.ID, inc.Revision, err)
		}
		if _, err := w.latest.ExecContext(ctx, inc.ID, inc.Revision, micros(inc.At), micros(inc.OpenedAt), micros(inc.ClosedAt),
			string(inc.Status), int(inc.Severity), int(inc.Priority), inc.Assignee, inc.MergedInto, inc.Title); err != nil {
			return fmt.Errorf("incident %s revision %d: %w", inc.ID, inc.Revision, err)
		}
	}
	return nil
}

func (w *writer) appendLinks(ctx context.Context, b *correlate.Batch) error {
	for i := range b.Links {
		l := &b.Links[i]
		w.links.args = append(w.links.args, l.Revision, micros(l.At), l.From, l.To, l.Kind, l.By, l.Removed)
		if err := w.links.added(ctx); err != nil {
			return fmt.Errorf("link from %s to %s: %w", l.From, l.To, err)
		}
		w.staged.revision = max(w.staged.revision, l.Revision)
	}
	return nil
}

func (w *writer) appendEstate(ctx context.Context, b *correlate.Batch) error {
	for i := range b.CIs {
		c := &b.CIs[i]
		body, err := w.cis.bodies.add(c)
		if err != nil {
			return fmt.Errorf("CI %s: %w", c.ID, err)
		}
		w.cis.args = append(w.cis.args, c.ID, c.Revision, micros(c.At), body)
		if err := w.cis.added(ctx); err != nil {
			return fmt.Errorf("CI %s: %w", c.ID, err)
		}
	}
	for i := range b.Relations {
		r := &b.Relations[i]
		body, err := w.relations.bodies.add(r)
		if err != nil {
			return fmt.Errorf("relation from %s to %s: %w", r.From, r.To, err)
		}
		w.relations.args = append(w.relations.args, r.From, r.To, r.Type, r.Revision, micros(r.At), body)
		if err := w.relations.added(ctx); err != nil {
			return fmt.Errorf("relation from %s to %s: %w", r.From, r.To, err)
		}
	}
	return nil
}

func (w *writer) appendDeliveries(ctx context.Context, b *correlate.Batch) error {
	for i := range b.Deliveries {
		d := &b.Deliveries[i]
		state := d.State
		if state == "" {
			state = statePending
		}
		w.deliveries.args = append(w.deliveries.args, d.Key, d.Receiver, d.Incident, d.Revision, string(d.Notice), micros(d.At),
			state, d.Attempts, micros(d.NextAttempt), 0, d.LastError)
		if err := w.deliveries.added(ctx); err != nil {
			return fmt.Errorf("delivery %s: %w", d.Key, err)
		}
	}
	return nil
}

// appendTick stores what has no number of its own, once for each batch.
func (w *writer) appendTick(ctx context.Context, b *correlate.Batch, live *liveAlerts) error {
	at := micros(b.At)
	if _, err := w.state.ExecContext(ctx, at, w.staged.eventSeq, max(w.staged.revision, w.staged.alertRevision)); err != nil {
		return err
	}
	res, err := w.tick.ExecContext(ctx, at)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	for _, source := range slices.Sorted(maps.Keys(b.Counts)) {
		c := b.Counts[source]
		if _, err := w.counts.ExecContext(ctx, source, c.Stored, c.Deduplicated, c.Rejected); err != nil {
			return fmt.Errorf("counts of %s: %w", source, err)
		}
	}
	return w.appendSightings(ctx, at, b.Sightings, live)
}

// supersede says which revisions the new ones follow. Alerts of which an old
// revision came again or late are left to [writer.reorder].
func (w *writer) supersede(ctx context.Context, live *liveAlerts, newest map[ingest.Fingerprint]int64) error {
	for fp, st := range w.staged.alerts {
		if st.again {
			continue
		}
		if old := live.firing[fp]; old != 0 { // only the writer changes it, so no lock
			w.staged.follow(old, st.first)
		} else if old := newest[fp]; old != 0 {
			w.staged.follow(old, st.first)
		}
	}
	slices.SortFunc(w.staged.follows, func(a, b [2]int64) int { return cmp.Compare(a[0], b[0]) })
	for _, pair := range w.staged.follows {
		w.superseded.args = append(w.superseded.args, pair[0], pair[1])
		if err := w.superseded.added(ctx); err != nil {
			return err
		}
	}
	return nil
}

// reorder lines up the revisions of an alert of which one came again or late,
// after all are stored: what is stored decides.
func (w *writer) reorder(ctx context.Context, fp ingest.Fingerprint) (st stagedAlert, err error) {
	var numbers []int64
	err = eachTraceOf(ctx, w.conn, []int64{signed(fp)}, func(t trace) {
		if t.kind() == traceAlert {
			numbers = append(numbers, t.number())
		}
	})
	if err != nil {
		return st, err
	}
	slices.Sort(numbers)
	for _, n := range slices.Compact(numbers) {
		var firing bool
		err := w.firingAt.QueryRowContext(ctx, n).Scan(&firing)
		if errors.Is(err, sql.ErrNoRows) {
			continue // deleted, the retention is over
		}
		if err == nil && st.revision != 0 {
			_, err = w.superseded.one.ExecContext(ctx, st.revision, n)
		}
		if err != nil {
			return st, err
		}
		st.revision, st.firing = n, firing
	}
	return st, nil
}

// markFiring brings the list of firing alerts up to date.
func (w *writer) markFiring(ctx context.Context, live *liveAlerts) error {
	for fp, st := range w.staged.alerts {
		old := live.firing[fp]
		if st.again {
			var err error
			if st, err = w.reorder(ctx, fp); err != nil {
				return err
			}
			w.staged.alerts[fp] = st
		}
		if old != 0 && old != st.revision {
			if _, err := w.unfire.ExecContext(ctx, old); err != nil {
				return err
			}
		}
		if st.firing && old != st.revision {
			w.firing.args = append(w.firing.args, st.revision, signed(fp))
			if err := w.firing.added(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// staged is what a batch in hand changes in memory once it is durable.
type staged struct {
	alerts                            map[ingest.Fingerprint]stagedAlert
	sights                            []ingest.Sighting
	alertRevision, revision, eventSeq int64
	checkpoint                        bool
	dropped                           []ingest.Fingerprint
	follows                           [][2]int64 // revisions and their successors
	at                                int64
	bytes                             int
}

type stagedAlert struct {
	first, revision int64 // lowest and highest in the batch
	firing          bool
	again           bool // one of them came again or late
}

func (st *staged) reset() {
	clear(st.alerts)
	*st = staged{alerts: st.alerts, dropped: st.dropped[:0], follows: st.follows[:0]}
}

// follow says that a revision of an alert has a newer one.
func (st *staged) follow(old, by int64) { st.follows = append(st.follows, [2]int64{old, by}) }

// alert notes a revision; stored is the highest there was before the batch.
func (st *staged) alert(a *ingest.Alert, stored int64) {
	if st.alerts == nil {
		st.alerts = map[ingest.Fingerprint]stagedAlert{}
	}
	next := stagedAlert{first: a.Revision, revision: a.Revision, firing: a.Status == ingest.Firing, again: a.Revision <= stored}
	if old, ok := st.alerts[a.Fingerprint]; ok {
		next.first = old.first
		next.again = next.again || old.again || a.Revision <= old.revision
		if !next.again {
			st.follow(old.revision, a.Revision)
		}
	}
	st.alerts[a.Fingerprint] = next
	st.alertRevision = max(st.alertRevision, a.Revision)
}
