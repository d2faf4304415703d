package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"tocsin/correlate"
	"tocsin/ingest"
)

// described is the part of an event that an alert shows.
type described struct {
	Labels       ingest.Labels `json:"labels"`
	Annotations  ingest.Labels `json:"annotations"`
	GeneratorURL string        `json:"generator_url"`
}

// joinAlert makes an alert of its row, of its event's row (nil when it has
// none) and of what re-sends said.
func (s *Store) joinAlert(body, event []byte, kept sql.Null[sighting]) (a ingest.Alert, err error) {
	var d described
	if event != nil {
		if err := decode(event, &d); err != nil {
			return a, damaged("event of an alert", err)
		}
	}
	return s.joinDescribed(body, d, kept)
}

func (s *Store) joinDescribed(body []byte, d described, kept sql.Null[sighting]) (a ingest.Alert, err error) {
	if err := decode(body, &a); err != nil {
		return a, damaged("alert", err)
	}
	a.Labels, a.Annotations, a.GeneratorURL = d.Labels, d.Annotations, d.GeneratorURL
	if kept.Valid {
		kept.V.apply(&a)
	}
	s.live.RLock()
	x, ok := s.live.sights[a.Fingerprint]
	s.live.RUnlock()
	if ok {
		x.apply(&a)
	}
	return a, nil
}

// alertColumns are what [scanAlert] reads, in front of the columns of a query.
const (
	alertColumns = `a.body, e.body, k.revision, k.last_seen, k.expires_at, k.count`
	alertJoins   = ` LEFT JOIN events e ON e.seq = a.event_seq LEFT JOIN last_sightings k ON k.fingerprint = a.fingerprint `
)

type alertRow struct {
	body, event                     sql.RawBytes
	revision, seen, expires, counts sql.NullInt64
}

func (r *alertRow) scan(rows *sql.Rows, more ...any) error {
	return rows.Scan(append([]any{&r.body, &r.event, &r.revision, &r.seen, &r.expires, &r.counts}, more...)...)
}

func (r *alertRow) kept() sql.Null[sighting] {
	return sql.Null[sighting]{Valid: r.revision.Valid,
		V: sighting{lastSeen: r.seen.Int64, expiresAt: r.expires.Int64, count: r.counts.Int64, revision: r.revision.Int64}}
}

// newestAlerts are the newest of those revisions, given as what traced returns.
const newestAlerts = `SELECT ` + alertColumns + ` FROM json_each(?1) j CROSS JOIN alerts a ON a.revision = j.value ` + alertJoins +
	`WHERE NOT EXISTS (SELECT 1 FROM superseded n WHERE n.revision = a.revision AND n.by <= (SELECT max(value) FROM json_each(?1)))`

// Alert implements [correlate.Reader].
func (s *Store) Alert(ctx context.Context, fp ingest.Fingerprint) (a ingest.Alert, err error) {
	found := false
	revisions, err := traced(ctx, s.readDB, traceAlert, fp)
	if err != nil {
		return a, err
	}
	err = s.prepared(ctx, newestAlerts, []any{revisions}, func(rows *sql.Rows) (bool, error) {
		var r alertRow
		if err := r.scan(rows); err != nil {
			return false, err
		}
		found = true
		a, err = s.joinAlert(r.body, r.event, r.kept())
		return false, err
	})
	if err == nil && !found {
		err = fmt.Errorf("alert %s: %w", fp, correlate.ErrNotFound)
	}
	return a, err
}

// Alerts implements [correlate.Reader]. The first page's cursor remembers the
// newest revision of that moment, and the following pages show the alerts as
// of then; otherwise one that is revised in between would move to a page
// already read and never be seen.
func (s *Store) Alerts(ctx context.Context, q correlate.AlertQuery) (items []ingest.Alert, next string, err error) {
	const list = "alerts"
	pin, last, err := s.pinned(ctx, list, "alerts", q.Cursor)
	if err != nil {
		return nil, "", err
	}
	var w where
	w.add("a.revision <= ? AND a.revision < ?", pin, last)
	from := "alerts a NOT INDEXED"
	if q.Incident != "" {
		from = "alerts a INDEXED BY alerts_incident"
		w.add("a.incident = ? AND a.incident <> ''", q.Incident)
	}
	if len(q.Fingerprint) > 0 {
		revisions, err := traced(ctx, s.readDB, traceAlert, q.Fingerprint...)
		if err != nil {
			return nil, "", err
		}
		w.add("a.revision IN (SELECT value FROM json_each(?))", revisions)
	}
	if q.CI != "" && q.Incident == "" && len(q.Fingerprint) == 0 {
		from = "alerts a INDEXED BY alerts_ci"
		w.add("a.ci <> ''")
	}
	alertFilters(&w, &q)
	w.add(`NOT EXISTS (SELECT 1 FROM superseded n WHERE n.revision = a.revision AND n.by <= ?)`, pin)
	limit, scanned, more := limitOf(q.Page), 0, false
	at := int64(0)
	err = s.each(ctx, s.readDB, "SELECT "+alertColumns+", a.revision FROM "+from+alertJoins+"WHERE "+w.String()+" ORDER BY a.revision DESC",
		w.args, func(rows *sql.Rows) (bool, error) {
			if more = len(items) == limit || scanned == maxScan; more {
				return false, nil
			}
			scanned++
			var r alertRow
			if err := r.scan(rows, &at); err != nil {
				return false, err
			}
			var d described
			if r.event != nil {
				if err := decode(r.event, &d); err != nil {
					return false, damaged(fmt.Sprintf("event of alert revision %d", at), err)
				}
			}
			if !matches(d.Labels, q.Match) {
				return true, nil
			}
			a, err := s.joinDescribed(r.body, d, r.kept())
			if err == nil {
				items = append(items, a)
			}
			return true, err
		})
	if err != nil || !more {
		return items, "", err
	}
	return items, makeCursor(list, text(pin), text(at)), nil
}

func alertFilters(w *where, q *correlate.AlertQuery) {
	switch q.Status {
	case ingest.Firing:
		w.add("a.firing = 1")
	case ingest.Resolved:
		w.add("a.firing = 0")
	case "":
	default:
		w.add("0") // no alert has another status
	}
	in(w, "a.severity", q.Severity, func(v ingest.Severity) any { return int(v) })
	if q.Source != "" {
		w.add("a.source = ?", q.Source)
	}
	if q.CI != "" {
		w.add("a.ci = ?", q.CI)
	}
	flags := 0
	if q.Suppressed {
		flags |= flagSuppressed
	}
	if q.Unbound {
		flags |= flagUnbound
	}
	if q.Ambiguous {
		flags |= flagAmbiguous
	}
	if flags != 0 {
		w.add("a.flags & ? = ?", flags, flags)
	}
	if !q.From.IsZero() {
		w.add("a.starts_at >= ?", micros(q.From))
	}
	if !q.To.IsZero() {
		w.add("a.starts_at < ?", micros(q.To))
	}
}

// pinned reads the cursor of a list that is shown as of its first page: the
// highest revision then and the last one shown.
func (s *Store) pinned(ctx context.Context, list, table, cursor string) (pin, last int64, err error) {
	if cursor != "" {
		n, err := numbers(cursor, list, 2)
		if err != nil {
			return 0, 0, err
		}
		return n[0], n[1], nil
	}
	err = s.prepared(ctx, "SELECT coalesce(max(revision), 0) FROM "+table, nil, func(rows *sql.Rows) (bool, error) {
		return false, rows.Scan(&pin)
	})
	return pin, pin + 1, err
}
