package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"tocsin/correlate"
)

// Attachments implements [correlate.Reader]. Pages after the first show the
// attachments as of the first, as those of [Store.Alerts] do.
func (s *Store) Attachments(ctx context.Context, q correlate.AttachmentQuery) (items []correlate.Attachment, next string, err error) {
	const list = "attachments"
	if q.Incident == "" && q.Fingerprint == 0 {
		return nil, "", fmt.Errorf("%w: attachments: neither incident nor fingerprint given; give one of them", correlate.ErrInvalid)
	}
	pin, last, err := s.pinned(ctx, list, "attachments", q.Cursor)
	if err != nil {
		return nil, "", err
	}
	if q.Cursor == "" {
		last = -1 << 62 // numbers rise here
	}
	var w where
	from := "attachments a INDEXED BY attachments_incident"
	if q.Fingerprint != 0 {
		revisions, err := traced(ctx, s.readDB, traceAttachment, q.Fingerprint)
		if err != nil {
			return nil, "", err
		}
		from = "json_each(?) j CROSS JOIN attachments a ON a.revision = j.value"
		w.args = append(w.args, revisions)
	}
	if q.Incident != "" {
		w.add("a.incident = ?", q.Incident)
	}
	w.add("a.revision > ? AND a.revision <= ?", last, pin)
	w.add(`NOT EXISTS (SELECT 1 FROM superseded_attachments n WHERE n.revision = a.revision AND n.by <= ?)`, pin)
	limit, more := limitOf(q.Page), false
	err = s.each(ctx, s.readDB, "SELECT a.body FROM "+from+" WHERE "+w.String()+" ORDER BY a.revision LIMIT ?", append(w.args, limit+1),
		func(rows *sql.Rows) (bool, error) {
			if more = len(items) == limit; more {
				return false, nil
			}
			var a correlate.Attachment
			err := scanBody(rows, "attachment", &a)
			items = append(items, a)
			return true, err
		})
	if err != nil || !more {
		return items, "", err
	}
	return items, makeCursor(list, text(pin), text(items[limit-1].Revision)), nil
}

// Links implements [correlate.Reader]. They come in the order of their
// revisions.
func (s *Store) Links(ctx context.Context, ref string) (out []correlate.Link, err error) {
	// A link is named by its ends and its kind: the newest revision says
	// whether it is still there.
	err = s.prepared(ctx, `SELECT l.revision, l.at, l."from", l."to", l.kind, l.by FROM links l
		WHERE (l."from" = ?1 OR l."to" = ?1) AND l.removed = 0 AND NOT EXISTS (
			SELECT 1 FROM links n WHERE n."from" = l."from" AND n."to" = l."to" AND n.kind = l.kind AND n.revision > l.revision)
		ORDER BY l.revision`, []any{ref}, func(rows *sql.Rows) (bool, error) {
		var l correlate.Link
		var at int64
		err := rows.Scan(&l.Revision, &at, &l.From, &l.To, &l.Kind, &l.By)
		l.At = timeOf(at)
		out = append(out, l)
		return true, err
	})
	return out, err
}
