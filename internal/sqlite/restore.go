package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/correlate"
	"tocsin/ingest"
)

// Restore implements [correlate.Store]. It reads one consistent moment, the
// alerts, what was learned and the rest at the same time: most of the work is
// decoding.
func (s *Store) Restore(ctx context.Context, horizon time.Duration) (correlate.State, error) {
	s.restore.Lock() // one at a time: it needs most of the few connections
	defer s.restore.Unlock()
	conns, done, err := s.moment(ctx, 3)
	if err != nil {
		return correlate.State{}, fmt.Errorf("restore: %w", explain(err))
	}
	defer done()
	r := restoring{s: s, conn: conns[0], horizon: horizon, known: map[ingest.Fingerprint]bool{}}
	if err := r.numbers(ctx); err != nil {
		return correlate.State{}, fmt.Errorf("restore: %w", explain(err))
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.alerts(gctx, conns[1]) })
	g.Go(func() error { return r.learned(gctx, conns[2]) })
	g.Go(func() error {
		for _, step := range []func(context.Context) error{r.incidents, r.attachments, r.events, r.estate} {
			if err := step(gctx); err != nil {
				return err
			}
		}
		return nil
	})
	err = g.Wait()
	if err == nil {
		err = r.named(ctx)
	}
	if err != nil {
		return correlate.State{}, fmt.Errorf("restore: %w", explain(err))
	}
	return r.st, nil
}

// moment begins n transactions that all see the same moment.
func (s *Store) moment(ctx context.Context, n int) (conns []*sql.Conn, done func(), err error) {
	done = func() {
		for _, c := range conns {
			_, _ = c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // nothing to keep
			_ = c.Close()
		}
	}
	// Connections are waited for without the lock: whoever has one may need it.
	for range n {
		c, err := s.readDB.Conn(ctx)
		if err != nil {
			done()
			return nil, nil, err
		}
		conns = append(conns, c)
	}
	s.write.Lock() // nothing is committed between the first and the last
	defer s.write.Unlock()
	for _, c := range conns {
		// The first read fixes the moment, not BEGIN.
		for _, query := range []string{"BEGIN", "SELECT at FROM state"} {
			if _, err := c.ExecContext(ctx, query); err != nil {
				done()
				return nil, nil, err
			}
		}
	}
	return conns, done, nil
}

type restoring struct {
	s       *Store
	conn    *sql.Conn
	horizon time.Duration
	cutoff  int64 // what ended at or before it is no part of the state
	st      correlate.State
	known   map[ingest.Fingerprint]bool
}

func (r *restoring) numbers(ctx context.Context) error {
	var at int64
	err := r.conn.QueryRowContext(ctx, `SELECT at, event_seq, revision FROM state`).Scan(&at, &r.st.EventSeq, &r.st.Revision)
	r.st.At = timeOf(at)
	r.cutoff = at - r.horizon.Microseconds()
	return err
}

func (r *restoring) incidents(ctx context.Context) error {
	day := r.st.At.Truncate(24 * time.Hour) // days are those of UTC
	const ids = `SELECT id FROM incidents_latest WHERE status NOT IN ('closed', 'merged')
		UNION SELECT id FROM incidents_latest WHERE at > ?1 AND iif(closed_at <> 0, closed_at, at) > ?1
		UNION SELECT id FROM incidents_latest WHERE opened_at >= ?2 AND opened_at < ?3`
	return r.s.each(ctx, r.conn, `SELECT l.id, i.body FROM incidents_latest l JOIN incidents i ON i.id = l.id AND i.revision = l.revision
		WHERE l.id IN (`+ids+`) ORDER BY l.id`, []any{r.cutoff, micros(day), micros(day.Add(24 * time.Hour))},
		func(rows *sql.Rows) (bool, error) {
			var id string
			var inc correlate.Incident
			err := scanBody(rows, "incident", &inc, &id)
			inc.ID = id // its bytes as they were, by which attachments are found
			r.st.Incidents = append(r.st.Incidents, inc)
			return true, err
		})
}

func (r *restoring) attachments(ctx context.Context) error {
	st, err := r.conn.PrepareContext(ctx, `SELECT a.body FROM attachments a WHERE a.incident = ? AND a.detached = 0 AND NOT EXISTS (
		SELECT 1 FROM superseded_attachments n WHERE n.revision = a.revision)`)
	if err != nil {
		return err
	}
	defer st.Close()
	for i := range r.st.Incidents {
		err := r.s.each(ctx, stmtQuerier{st}, "", []any{r.st.Incidents[i].ID}, func(rows *sql.Rows) (bool, error) {
			var a correlate.Attachment
			err := scanBody(rows, "attachment", &a)
			r.st.Attachments = append(r.st.Attachments, a)
			return true, err
		})
		if err != nil {
			return err
		}
	}
	slices.SortFunc(r.st.Attachments, func(a, b correlate.Attachment) int { return cmp.Compare(a.Revision, b.Revision) })
	return nil
}

func (r *restoring) take(rows *sql.Rows) (bool, error) {
	var row alertRow
	if err := row.scan(rows); err != nil {
		return false, err
	}
	a, err := r.s.joinAlert(row.body, row.event, row.kept())
	if err == nil && !r.known[a.Fingerprint] {
		r.known[a.Fingerprint] = true
		r.st.Alerts = append(r.st.Alerts, a)
	}
	return true, err
}

// alerts reads those that fire or ended lately. It runs beside the other
// steps and has known and st.Alerts to itself.
func (r *restoring) alerts(ctx context.Context, conn *sql.Conn) error {
	r.s.live.RLock()
	firing := len(r.s.live.firing) // about as many will come
	r.s.live.RUnlock()
	r.st.Alerts = make([]ingest.Alert, 0, firing)
	if err := r.s.each(ctx, conn, `SELECT `+alertColumns+` FROM firing f CROSS JOIN alerts a ON a.revision = f.revision`+alertJoins, nil, r.take); err != nil {
		return err
	}
	return r.s.each(ctx, conn, `SELECT `+alertColumns+` FROM alerts a INDEXED BY alerts_ended`+alertJoins+
		`WHERE a.firing = 0 AND a.decided_at > ? AND NOT EXISTS (SELECT 1 FROM superseded n WHERE n.revision = a.revision)`, []any{r.cutoff}, r.take)
}

// named reads the alerts that attachments name and alerts did not find.
func (r *restoring) named(ctx context.Context) error {
	var fps []ingest.Fingerprint
	for i := range r.st.Attachments {
		if fp := r.st.Attachments[i].Fingerprint; !r.known[fp] {
			fps = append(fps, fp)
		}
	}
	revisions, err := traced(ctx, r.conn, traceAlert, fps...)
	if err != nil {
		return err
	}
	if err := r.s.each(ctx, r.conn, newestAlerts, []any{revisions}, r.take); err != nil {
		return err
	}
	slices.SortFunc(r.st.Alerts, func(a, b ingest.Alert) int { return cmp.Compare(a.Revision, b.Revision) })
	return nil
}

func (r *restoring) events(ctx context.Context) error {
	return r.s.each(ctx, r.conn, `SELECT kind, raw, body FROM events INDEXED BY events_kind
		WHERE kind <> 'alert' AND kind IN (?, ?) AND at > ? ORDER BY seq`,
		[]any{string(ingest.KindChange), string(ingest.KindCommand), r.cutoff}, func(rows *sql.Rows) (bool, error) {
			var kind string
			var raw []byte
			var e ingest.Event
			if err := scanBody(rows, "event", &e, &kind, &raw); err != nil {
				return false, err
			}
			e.Raw = raw
			if e.Kind == ingest.KindCommand {
				r.st.Commands = append(r.st.Commands, e)
			} else {
				r.st.Changes = append(r.st.Changes, e)
			}
			return true, nil
		})
}

func (r *restoring) estate(ctx context.Context) (err error) {
	r.st.Topology, err = r.s.topology(ctx, r.conn)
	return err
}
