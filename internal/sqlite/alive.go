package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Heartbeat implements [correlate.Store].
func (s *Store) Heartbeat(ctx context.Context, at time.Time) error {
	err := s.update(ctx, opHeartbeat, func() error {
		_, err := s.w.conn.ExecContext(ctx, `UPDATE state SET alive = max(alive, ?)`, micros(at))
		return err
	})
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	return nil
}

// LastAlive is when the engine is last known to have been alive: the newest
// heartbeat or batch; the zero time of a new store.
func (s *Store) LastAlive(ctx context.Context) (time.Time, error) {
	var at int64
	err := s.prepared(ctx, `SELECT max(alive, at) FROM state`, nil, func(rows *sql.Rows) (bool, error) {
		return false, rows.Scan(&at)
	})
	return timeOf(at), err
}
