package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"tocsin/correlate"
	"tocsin/ingest"
)

// Incident implements [correlate.Reader].
func (s *Store) Incident(ctx context.Context, id string) (correlate.Incident, error) {
	return s.oneIncident(ctx, `SELECT i.body FROM incidents_latest l JOIN incidents i ON i.id = l.id AND i.revision = l.revision
		WHERE l.id = ?`, []any{id}, fmt.Sprintf("incident %q", id))
}

// Revision returns one revision of an incident, or [correlate.ErrNotFound].
func (s *Store) Revision(ctx context.Context, incident string, rev int64) (correlate.Incident, error) {
	return s.oneIncident(ctx, `SELECT body FROM incidents WHERE id = ? AND revision = ?`, []any{incident, rev},
		fmt.Sprintf("incident %q revision %d", incident, rev))
}

func (s *Store) oneIncident(ctx context.Context, query string, args []any, what string) (inc correlate.Incident, err error) {
	found := false
	err = s.prepared(ctx, query, args, func(rows *sql.Rows) (bool, error) {
		found = true
		return false, scanBody(rows, what, &inc)
	})
	if err == nil && !found {
		err = fmt.Errorf("%s: %w", what, correlate.ErrNotFound)
	}
	return inc, err
}

// scanBody reads a row whose last column is a body.
func scanBody(rows *sql.Rows, what string, v any, before ...any) error {
	var body sql.RawBytes
	if err := rows.Scan(append(before, &body)...); err != nil {
		return err
	}
	if err := decode(body, v); err != nil {
		return damaged(what, err)
	}
	return nil
}

// Incidents implements [correlate.Reader].
func (s *Store) Incidents(ctx context.Context, q correlate.IncidentQuery) (items []correlate.Incident, next string, err error) {
	const list = "incidents"
	var w where
	if q.Cursor != "" {
		f, err := splitCursor(q.Cursor, list, 2)
		if err != nil {
			return nil, "", err
		}
		at, err := parseInt(f[0])
		if err != nil {
			return nil, "", badCursor(q.Cursor)
		}
		w.add("(l.opened_at, l.id) < (?, ?)", at, f[1])
	}
	in(&w, "l.status", q.Status, func(v correlate.Status) any { return string(v) })
	in(&w, "l.severity", q.Severity, func(v ingest.Severity) any { return int(v) })
	in(&w, "l.priority", q.Priority, func(v correlate.Priority) any { return int(v) })
	if q.Assignee != "" {
		w.add("l.assignee = ?", q.Assignee)
	}
	if !q.From.IsZero() {
		w.add("l.opened_at >= ?", micros(q.From))
	}
	if !q.To.IsZero() {
		w.add("l.opened_at < ?", micros(q.To))
	}
	if q.CI != "" {
		w.add(`l.id IN (SELECT a.incident FROM attachments a WHERE a.ci = ? AND a.ci <> '' AND a.detached = 0 AND NOT EXISTS (
			SELECT 1 FROM superseded_attachments n WHERE n.revision = a.revision))`, q.CI)
	}
	wanted := strings.ToLower(q.Text)
	limit, scanned, more := limitOf(q.Page), 0, false
	err = s.each(ctx, s.readDB, `SELECT l.opened_at, l.id, l.title, i.body FROM incidents_latest l INDEXED BY incidents_latest_opened
		CROSS JOIN incidents i ON i.id = l.id AND i.revision = l.revision
		WHERE `+w.String()+` ORDER BY l.opened_at DESC, l.id DESC`, w.args, func(rows *sql.Rows) (bool, error) {
		var at int64
		var id, title string
		var body sql.RawBytes
		if err := rows.Scan(&at, &id, &title, &body); err != nil {
			return false, err
		}
		if more = len(items) == limit || scanned == maxScan; more {
			return false, nil
		}
		scanned++
		next = makeCursor(list, text(at), id)
		if wanted != "" && !strings.Contains(strings.ToLower(id), wanted) && !strings.Contains(strings.ToLower(title), wanted) {
			return true, nil
		}
		var inc correlate.Incident
		if err := decode(body, &inc); err != nil {
			return false, damaged("incident "+id, err)
		}
		if matches(inc.Labels, q.Match) && (q.Service == "" || slices.Contains(inc.Blast.Services, q.Service)) {
			items = append(items, inc)
		}
		return true, nil
	})
	if err != nil || !more {
		next = ""
	}
	return items, next, err
}

// Timeline implements [correlate.Reader].
func (s *Store) Timeline(ctx context.Context, id string, p correlate.Page) (items []correlate.Incident, next string, err error) {
	const list = "timeline"
	after := int64(-1)
	if p.Cursor != "" {
		n, err := numbers(p.Cursor, list, 1)
		if err != nil {
			return nil, "", err
		}
		after = n[0]
	}
	limit := limitOf(p)
	more := false
	err = s.prepared(ctx, `SELECT body FROM incidents WHERE id = ? AND revision > ? ORDER BY revision LIMIT ?`, []any{id, after, limit + 1},
		func(rows *sql.Rows) (bool, error) {
			if more = len(items) == limit; more {
				return false, nil
			}
			var inc correlate.Incident
			if err := scanBody(rows, "incident "+id, &inc); err != nil {
				return false, err
			}
			items = append(items, inc)
			return true, nil
		})
	if err != nil || !more {
		return items, "", err
	}
	return items, makeCursor(list, text(items[limit-1].Revision)), nil
}
