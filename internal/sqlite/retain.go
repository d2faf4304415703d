package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

const (
	// minRetention is the least that is kept: a restart needs the incidents
	// of the day, lest an ID is given twice.
	minRetention = 24 * time.Hour
	// ticksKept is how long a batch is known by its time. A batch whose
	// outcome is unknown is sent again at once, not days later.
	ticksKept = 24 * time.Hour
	// retainRows is how many rows one transaction deletes, so that Append
	// waits some milliseconds for it at most.
	retainRows = 500
)

// Retain deletes what is older than Options.Retention at now and returns how
// many records these were. It is called now and then, at most by one at a time.
//
// Kept, however old, is what something still needs: incidents that are not
// closed or merged, or merged into one that is kept, or with a pending
// delivery, with their whole timeline and attachments; the newest revision of
// alerts that fire or belong to such an incident, and the events of what is
// kept. The estate is kept whole: its history is small and says what an old
// explanation meant.
//
// What was learned is not for people, so no retention is set for it and it is not
// counted: see [Store.forget].
func (s *Store) Retain(ctx context.Context, now time.Time) (deleted int64, err error) {
	if err := s.forget(ctx); err != nil {
		return 0, err
	}
	if s.opt.Retention <= 0 {
		return 0, nil
	}
	cut := micros(now.Add(-max(s.opt.Retention, minRetention)))
	start := time.Now()
	defer func() {
		s.metrics.deleted.Add(float64(deleted))
		if deleted > 0 {
			s.log.Info("deleted old records", "records", deleted, "before", timeOf(cut), "duration", time.Since(start))
		}
	}()
	for _, p := range retentions {
		if p.table == "alerts" {
			if err := s.nameOld(ctx, cut); err != nil {
				return deleted, fmt.Errorf("list old attachments: %w", err)
			}
		}
		n, err := s.retain(ctx, p, cut)
		deleted += n
		if err != nil {
			return deleted, fmt.Errorf("delete old %s: %w", p.table, err)
		}
	}
	err = s.update(ctx, opRetain, func() error {
		for query, arg := range map[string]any{
			`DELETE FROM ticks WHERE at < (SELECT at FROM state) - ?`: ticksKept.Microseconds(),
			// Of an alert that was revised since then they say nothing more.
			`DELETE FROM last_sightings WHERE last_seen < ? AND fingerprint NOT IN (SELECT fingerprint FROM named)`: cut,
		} {
			if _, err := s.w.conn.ExecContext(ctx, query, arg); err != nil {
				return err
			}
		}
		if _, err := s.w.conn.ExecContext(ctx, `DELETE FROM named`); err != nil {
			return err
		}
		return s.w.retainTraces(ctx, cut)
	})
	return deleted, err
}

// nameOld lists the alerts that old attachments still name.
func (s *Store) nameOld(ctx context.Context, cut int64) error {
	return s.update(ctx, opRetain, func() error {
		if _, err := s.w.conn.ExecContext(ctx, `DELETE FROM named`); err != nil {
			return err
		}
		_, err := s.w.conn.ExecContext(ctx, `INSERT OR IGNORE INTO named SELECT fingerprint FROM attachments
			WHERE revision < coalesce((SELECT revision FROM attachments WHERE at >= ? ORDER BY revision LIMIT 1), 1 << 62)`, cut)
		return err
	})
}

// retainTraces goes through the runs in which all is old, drops the traces of
// deleted records and puts the rest into a run of today, which is not looked
// at again until it is old.
func (w *writer) retainTraces(ctx context.Context, cut int64) error {
	runs, _, err := w.runsOf(ctx, `SELECT n, at FROM runs WHERE at < ?`, cut)
	if err != nil || len(runs) == 0 {
		return err
	}
	var bounds [3]int64
	kept := map[[2]int64]bool{}
	for kind, table := range []string{traceEvent: "events", traceAlert: "alerts", traceAttachment: "attachments"} {
		bound := `SELECT coalesce((SELECT rowid FROM ` + table + ` WHERE at >= ? ORDER BY rowid LIMIT 1), 1 << 62)`
		if err := w.conn.QueryRowContext(ctx, bound, cut).Scan(&bounds[kind]); err != nil {
			return err
		}
		rows, err := w.conn.QueryContext(ctx, `SELECT rowid FROM `+table+` WHERE rowid < ?`, bounds[kind])
		if err != nil {
			return err
		}
		err = func() error {
			defer rows.Close()
			for rows.Next() {
				var n int64
				if err := rows.Scan(&n); err != nil {
					return err
				}
				kept[[2]int64{int64(kind), n}] = true
			}
			return rows.Err()
		}()
		if err != nil {
			return err
		}
	}
	var now int64
	if err := w.conn.QueryRowContext(ctx, `SELECT at FROM state`).Scan(&now); err != nil {
		return err
	}
	return w.rewriteRuns(ctx, runs, now, func(t trace) bool {
		return t.number() >= bounds[t.kind()] || kept[[2]int64{int64(t.kind()), t.number()}]
	})
}

// purge says what of a table may go. Rows are visited by ascending key.
type purge struct {
	table string
	key   string // an integer column
	// old bounds the rows to look at, with one parameter, the time; spare are
	// those of them that nothing needs. Both speak of the table as r.
	old, spare string
	// with is deleted with each row, given the two columns of parts.
	parts, with string
}

// The order matters: what falls with an incident is spared as long as it stands.
var retentions = []purge{
	{
		table: "deliveries", key: "n", parts: "n, n",
		old:   `r.at < ?1 AND r.state <> 'pending'`,
		spare: `1`,
	}, {
		table: "incidents", key: "n", parts: "id, revision",
		old: `r.at < ?1`,
		spare: `EXISTS (SELECT 1 FROM incidents_latest l WHERE l.id = r.id AND l.at < ?1 AND l.status IN ('closed', 'merged')
			AND NOT EXISTS (SELECT 1 FROM incidents_latest m WHERE l.merged_into <> '' AND m.id = l.merged_into))
			AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.state = 'pending' AND d.incident = r.id)`,
		with: `DELETE FROM incidents_latest WHERE id = ? AND revision = ?`,
	}, {
		table: "attachments", key: "revision", parts: "revision, revision",
		old:   `r.at < ?1`,
		spare: `NOT EXISTS (SELECT 1 FROM incidents_latest l WHERE l.id = r.incident)`,
		with:  `DELETE FROM superseded_attachments WHERE revision = ?1`,
	}, {
		table: "links", key: "revision", parts: "revision, revision",
		old: `r.at < ?1`,
		spare: `(r.removed = 1 OR EXISTS (SELECT 1 FROM links n WHERE n."from" = r."from" AND n."to" = r."to" AND n.kind = r.kind
				AND n.revision > r.revision)
			OR r."from" LIKE 'incident:%' AND NOT EXISTS (SELECT 1 FROM incidents_latest l WHERE 'incident:' || l.id = r."from"))`,
	}, {
		table: "alerts", key: "revision", parts: "revision, at",
		old: `r.at < ?1`,
		spare: `r.revision NOT IN (SELECT revision FROM firing) AND (
			EXISTS (SELECT 1 FROM superseded n WHERE n.revision = r.revision)
			OR NOT EXISTS (SELECT 1 FROM named n WHERE n.fingerprint = r.fingerprint))`,
		with: `DELETE FROM superseded WHERE revision = ?1`,
	}, {
		table: "events", key: "seq", parts: "seq, seq",
		old: `r.at < ?1`,
		spare: `NOT EXISTS (SELECT 1 FROM alerts a WHERE a.revision = r.alert)
			AND NOT EXISTS (SELECT 1 FROM alerts a INDEXED BY alerts_reused WHERE a.flags & 8 AND a.event_seq = r.seq)`,
	},
}

func (s *Store) retain(ctx context.Context, p purge, cut int64) (deleted int64, err error) {
	// Looking for rows holds up nobody; only deleting them takes the lock, and
	// there the conditions are looked at again.
	fill := strings.NewReplacer("$table", p.table, "$key", p.key, "$old", p.old, "$spare", p.spare, "$parts", p.parts, "$limit", text(retainRows)).Replace
	find := fill(`SELECT max(k) FROM (SELECT r.$key AS k FROM $table r
		WHERE $old AND r.$key > ?2 AND r.$key < ?3 AND $spare ORDER BY r.$key LIMIT $limit)`)
	remove := fill(`DELETE FROM $table AS r WHERE $old AND r.$key > ?2 AND r.$key <= ?3 AND $spare RETURNING $parts`)
	first := fill(`SELECT $key FROM $table WHERE at >= ? ORDER BY $key LIMIT 1`)
	// Numbers rise with time, so nothing beyond the first young row is old.
	end := int64(1<<63 - 1)
	err = s.each(ctx, s.readDB, first, []any{cut},
		func(rows *sql.Rows) (bool, error) { return false, rows.Scan(&end) })
	for low := int64(-1 << 62); err == nil; {
		var high sql.NullInt64
		err = s.each(ctx, s.readDB, find, []any{cut, low, end}, func(rows *sql.Rows) (bool, error) { return false, rows.Scan(&high) })
		if err != nil || !high.Valid {
			break
		}
		var n int64
		err = s.update(ctx, opRetain, func() (err error) {
			n, err = s.remove(ctx, p, remove, []any{cut, low, high.Int64})
			return err
		})
		deleted += n
		low = high.Int64
	}
	return deleted, err
}

func (s *Store) remove(ctx context.Context, p purge, query string, args []any) (int64, error) {
	var gone [][2]any
	err := s.each(ctx, s.w.conn, query, args, func(rows *sql.Rows) (bool, error) {
		var parts [2]any
		err := rows.Scan(&parts[0], &parts[1])
		gone = append(gone, parts)
		return true, err
	})
	if err != nil || p.with == "" {
		return int64(len(gone)), err
	}
	st, err := s.w.conn.PrepareContext(ctx, p.with)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	for _, parts := range gone {
		if _, err := st.ExecContext(ctx, parts[:]...); err != nil {
			return 0, err
		}
	}
	return int64(len(gone)), nil
}
