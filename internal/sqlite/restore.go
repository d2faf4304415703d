package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/correlate"
	"tocsin/ingest"
)

// Restore implements [correlate.Store]. It reads one consistent moment.
func (s *Store) Restore(ctx context.Context, horizon time.Duration) (st correlate.State, err error) {
	conn, err := s.readDB.Conn(ctx)
	if err != nil {
		return st, fmt.Errorf("restore: %w", explain(err))
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return st, fmt.Errorf("restore: %w", explain(err))
	}
	defer func() { // nothing to keep
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	}()
	r := restoring{s: s, conn: conn, horizon: horizon, known: map[ingest.Fingerprint]bool{}}
	for _, step := range []func(context.Context) error{r.numbers, r.incidents, r.attachments, r.alerts, r.events, r.estate} {
		if err := step(ctx); err != nil {
			return correlate.State{}, fmt.Errorf("restore: %w", explain(err))
		}
	}
	return r.st, nil
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
		SELECT 1 FROM attachments b WHERE b.incident = a.incident AND b.fingerprint = a.fingerprint AND b.revision > a.revision)`)
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

func (r *restoring) alerts(ctx context.Context) error {
	take := func(rows *sql.Rows) (bool, error) {
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
	if err := r.s.each(ctx, r.conn, `SELECT `+alertColumns+` FROM firing f CROSS JOIN alerts a ON a.revision = f.revision`+alertJoins, nil, take); err != nil {
		return err
	}
	if err := r.s.each(ctx, r.conn, `SELECT `+alertColumns+` FROM alerts a INDEXED BY alerts_ended`+alertJoins+
		`WHERE a.firing = 0 AND a.decided_at > ? AND NOT EXISTS (SELECT 1 FROM by_fingerprint t
			WHERE t.fingerprint = a.fingerprint AND t.kind = 1 AND t.number > a.revision)`, []any{r.cutoff}, take); err != nil {
		return err
	}
	st, err := r.conn.PrepareContext(ctx, newestAlert)
	if err != nil {
		return err
	}
	defer st.Close()
	for i := range r.st.Attachments {
		fp := r.st.Attachments[i].Fingerprint
		if r.known[fp] {
			continue
		}
		if err := r.s.each(ctx, stmtQuerier{st}, "", []any{signed(fp)}, take); err != nil {
			return err
		}
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
