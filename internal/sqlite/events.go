package sqlite

import (
	"context"
	"database/sql"

	"tocsin/correlate"
	"tocsin/ingest"
)

// Events implements [correlate.Reader].
func (s *Store) Events(ctx context.Context, q correlate.EventQuery) (items []ingest.Event, next string, err error) {
	const list = "events"
	var w where
	if q.Cursor != "" {
		n, err := numbers(q.Cursor, list, 2)
		if err != nil {
			return nil, "", err
		}
		w.add("(e.at, e.seq) < (?, ?)", n[0], n[1])
	}
	from := "events e INDEXED BY events_at"
	if q.Kind != "" && q.Kind != ingest.KindAlert {
		from = "events e INDEXED BY events_kind"
		w.add("e.kind <> 'alert'")
	}
	if q.Kind != "" {
		w.add("e.kind = ?", string(q.Kind))
	}
	if q.Fingerprint != 0 {
		numbers, err := traced(ctx, s.readDB, traceEvent, q.Fingerprint)
		if err != nil {
			return nil, "", err
		}
		from = "events e"
		w.add("e.seq IN (SELECT value FROM json_each(?))", numbers)
	}
	if q.Source != "" {
		w.add("e.source = ?", q.Source)
	}
	if !q.From.IsZero() {
		w.add("e.at >= ?", micros(q.From))
	}
	if !q.To.IsZero() {
		w.add("e.at < ?", micros(q.To))
	}
	limit, scanned, more := limitOf(q.Page), 0, false
	err = s.each(ctx, s.readDB, "SELECT e.at, e.seq, e.raw, e.body FROM "+from+" WHERE "+w.String()+" ORDER BY e.at DESC, e.seq DESC",
		w.args, func(rows *sql.Rows) (bool, error) {
			if more = len(items) == limit || scanned == maxScan; more {
				return false, nil
			}
			scanned++
			var at, seq int64
			var raw []byte
			var e ingest.Event
			if err := scanBody(rows, "event", &e, &at, &seq, &raw); err != nil {
				return false, err
			}
			next = makeCursor(list, text(at), text(seq))
			e.Raw = raw
			if matches(e.Labels, q.Match) {
				items = append(items, e)
			}
			return true, nil
		})
	if err != nil || !more {
		next = ""
	}
	return items, next, err
}

// Accounting implements [correlate.Reader].
func (s *Store) Accounting(ctx context.Context) (map[string]correlate.Counts, error) {
	out := map[string]correlate.Counts{}
	err := s.prepared(ctx, `SELECT source, stored, deduplicated, rejected FROM accounting`, nil, func(rows *sql.Rows) (bool, error) {
		var source string
		var c correlate.Counts
		err := rows.Scan(&source, &c.Stored, &c.Deduplicated, &c.Rejected)
		out[source] = c
		return true, err
	})
	return out, err
}
