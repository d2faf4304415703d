package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tocsin/correlate"
)

// The states of a [correlate.Delivery].
const (
	statePending   = "pending"
	stateDelivered = "delivered"
	stateFailed    = "failed"
)

const deliveryColumns = `d.n, d.key, d.receiver, d.incident, d.revision, d.notice, d.at, d.state, d.attempts, d.next_attempt, d.last_error`

func scanDelivery(rows *sql.Rows, n *int64) (d correlate.Delivery, err error) {
	var at, next int64
	var notice string
	err = rows.Scan(n, &d.Key, &d.Receiver, &d.Incident, &d.Revision, &notice, &at, &d.State, &d.Attempts, &next, &d.LastError)
	d.Notice, d.At, d.NextAttempt = correlate.Notice(notice), timeOf(at), timeOf(next)
	return d, err
}

// Due returns the pending deliveries whose next attempt is at or before now,
// oldest first, at most limit. Of each receiver and incident it is only the
// first undelivered, so that news of an incident arrive in their order: the
// second waits until the first is delivered or given up.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (out []correlate.Delivery, err error) {
	err = s.prepared(ctx, `SELECT `+deliveryColumns+` FROM deliveries d WHERE d.state = 'pending' AND d.next_attempt <= ?
		AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.state = 'pending' AND e.receiver = d.receiver AND e.incident = d.incident
			AND (e.revision, e.n) < (d.revision, d.n))
		ORDER BY d.n LIMIT ?`, []any{micros(now), limit}, func(rows *sql.Rows) (bool, error) {
		var n int64
		d, err := scanDelivery(rows, &n)
		out = append(out, d)
		return true, err
	})
	return out, err
}

// Delivered records that the receiver took a delivery. Twice is harmless.
func (s *Store) Delivered(ctx context.Context, d correlate.Delivery, at time.Time) error {
	return s.settle(ctx, d, `UPDATE deliveries SET state = ?, done_at = ?, attempts = attempts + 1, next_attempt = 0, last_error = ''
		WHERE key = ? AND state = 'pending'`, stateDelivered, micros(at), d.Key)
}

// Failed records a failed attempt and what was wrong with it. The next attempt
// is due at next; with giveUp there is none, and what follows for the incident
// goes on without it.
func (s *Store) Failed(ctx context.Context, d correlate.Delivery, at, next time.Time, giveUp bool, msg string) error {
	state, done, due := statePending, int64(0), micros(next)
	if giveUp {
		state, done, due = stateFailed, micros(at), 0
	}
	return s.settle(ctx, d, `UPDATE deliveries SET state = ?, done_at = ?, attempts = attempts + 1, next_attempt = ?, last_error = ?
		WHERE key = ? AND state = 'pending'`, state, done, due, msg, d.Key)
}

func (s *Store) settle(ctx context.Context, d correlate.Delivery, query string, args ...any) error {
	err := s.update(ctx, opDelivery, func() error {
		_, err := s.w.conn.ExecContext(ctx, query, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("delivery %s: %w", d.Key, err)
	}
	return nil
}

// Deliveries lists those in one state, or all when state is empty, newest
// first.
func (s *Store) Deliveries(ctx context.Context, state string, p correlate.Page) (items []correlate.Delivery, next string, err error) {
	const list = "deliveries"
	var w where
	if p.Cursor != "" {
		n, err := numbers(p.Cursor, list, 1)
		if err != nil {
			return nil, "", err
		}
		w.add("d.n < ?", n[0])
	}
	if state != "" {
		w.add("d.state = ?", state)
	}
	limit, more, last := limitOf(p), false, int64(0)
	err = s.each(ctx, s.readDB, `SELECT `+deliveryColumns+` FROM deliveries d WHERE `+w.String()+` ORDER BY d.n DESC LIMIT ?`, append(w.args, limit+1),
		func(rows *sql.Rows) (bool, error) {
			if more = len(items) == limit; more {
				return false, nil
			}
			d, err := scanDelivery(rows, &last)
			items = append(items, d)
			return true, err
		})
	if err != nil || !more {
		return items, "", err
	}
	return items, makeCursor(list, text(last)), nil
}
