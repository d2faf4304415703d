package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// History reads what is stored in the order in which it happened, beside a
// server that goes on writing or without one. It takes no lock and writes
// nothing, and it reads in small pieces, because a long read would keep the
// server's log from being copied back. It ends at the moment at which it was
// opened. Use [OpenHistory]; it is safe for concurrent use.
type History struct {
	s   *Store // only the reading half of one
	end time.Time
}

// historyPage is how many rows are read at once.
const historyPage = 2000

// OpenHistory opens the store at path for reading. The error wraps [ErrNewer],
// [ErrOlder], [ErrCorrupt] or [fs.ErrNotExist] when it is one of these.
func OpenHistory(ctx context.Context, path string) (*History, error) {
	h, err := openHistory(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("read store %s: %w", path, explain(err))
	}
	return h, nil
}

func openHistory(ctx context.Context, path string) (_ *History, err error) {
	// SQLite would only say that it cannot open it.
	if info, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w; name the data folder of a server", fs.ErrNotExist)
		}
		return nil, err
	} else if info.IsDir() {
		return nil, fmt.Errorf("is a folder: %w", ErrCorrupt)
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	s := &Store{log: slog.New(slog.DiscardHandler)}
	if s.readDB, err = sql.Open("sqlite", dsn(path, readCache, "query_only(1)")+"&mode=ro"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.readDB.Close())
		}
	}()
	s.readDB.SetMaxOpenConns(readers)
	s.readDB.SetMaxIdleConns(readers)
	all, err := listMigrations(migrations)
	if err != nil {
		return nil, err
	}
	var have int
	if err := s.readDB.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM migrations`).Scan(&have); err != nil {
		return nil, err
	}
	switch {
	case have > len(all):
		return nil, fmt.Errorf("schema %d: %w, this one knows up to %d; use the newer version", have, ErrNewer, len(all))
	case have < len(all):
		return nil, fmt.Errorf("schema %d: %w, this one needs %d; start this version's server on it once", have, ErrOlder, len(all))
	}
	var at int64
	if err := s.readDB.QueryRowContext(ctx, `SELECT at FROM state`).Scan(&at); err != nil {
		return nil, err
	}
	s.queries = newQueries(s.readDB)
	return &History{s: s, end: timeOf(at)}, nil
}

// Close closes it.
func (h *History) Close() error { return errors.Join(h.s.queries.close(), h.s.readDB.Close()) }

// End is the newest tick that is read; the zero time of an empty store.
func (h *History) End() time.Time { return h.end }

// last is the last microsecond before to that was there at the beginning.
func (h *History) last(to time.Time) int64 {
	if to.IsZero() || to.After(h.end) {
		return micros(h.end)
	}
	return micros(to) - 1
}

// Events are the stored events received in [from, to), in the order of their
// numbers. A zero time is no bound, here and in the others.
func (h *History) Events(ctx context.Context, from, to time.Time) iter.Seq2[ingest.Event, error] {
	return func(yield func(ingest.Event, error) bool) {
		seq, err := h.before(ctx, "events INDEXED BY events_at", "seq", "at, seq", from)
		pages(ctx, h, err, yield, func() (string, []any) {
			return `SELECT seq, raw, body FROM events WHERE seq > ? AND at <= ? ORDER BY seq LIMIT ?`, []any{seq, h.last(to), historyPage}
		}, func(rows *sql.Rows) (e ingest.Event, ok bool, err error) {
			var raw []byte
			err = scanBody(rows, "event", &e, &seq, &raw)
			e.Raw = raw
			return e, true, err
		})
	}
}

// Expired are the alerts whose source fell silent in [from, to): as they were
// revised then, with the labels and annotations that they had, in the order of
// time.
func (h *History) Expired(ctx context.Context, from, to time.Time) iter.Seq2[ingest.Alert, error] {
	return func(yield func(ingest.Alert, error) bool) {
		decided, revision := micros(from), int64(0)
		pages(ctx, h, nil, yield, func() (string, []any) {
			return `SELECT ` + alertColumns + `, a.decided_at, a.revision FROM alerts a INDEXED BY alerts_ended` + alertJoins +
					`WHERE a.firing = 0 AND (a.decided_at, a.revision) > (?, ?) AND a.decided_at <= ? ORDER BY a.decided_at, a.revision LIMIT ?`,
				[]any{decided, revision, h.last(to), historyPage}
		}, func(rows *sql.Rows) (ingest.Alert, bool, error) {
			a, err := h.alert(rows, &decided, &revision)
			return a, a.EndedBy == "timeout", err
		})
	}
}

// Firing are the alerts that fired just before a time, by number, with the
// labels and annotations that they had.
func (h *History) Firing(ctx context.Context, at time.Time) iter.Seq2[ingest.Alert, error] {
	return func(yield func(ingest.Alert, error) bool) {
		revision := int64(0)
		until, err := h.before(ctx, "alerts", "revision", "revision", at)
		pages(ctx, h, err, yield, func() (string, []any) {
			return `SELECT ` + alertColumns + `, a.revision FROM alerts a` + alertJoins + `WHERE a.revision > ? AND a.revision <= ? AND a.firing = 1
				AND NOT EXISTS (SELECT 1 FROM superseded n WHERE n.revision = a.revision AND n.by <= ?) ORDER BY a.revision LIMIT ?`,
				[]any{revision, until, until, historyPage}
		}, func(rows *sql.Rows) (ingest.Alert, bool, error) {
			a, err := h.alert(rows, &revision)
			return a, true, err
		})
	}
}

func (h *History) alert(rows *sql.Rows, more ...any) (ingest.Alert, error) {
	var r alertRow
	if err := r.scan(rows, more...); err != nil {
		return ingest.Alert{}, err
	}
	return h.s.joinAlert(r.body, r.event, r.kept())
}

// Episodes name the alerts revised in [from, to), each revision by the alert's
// fingerprint and the start of the episode, by number.
func (h *History) Episodes(ctx context.Context, from, to time.Time) iter.Seq2[ingest.Alert, error] {
	return func(yield func(ingest.Alert, error) bool) {
		revision, err := h.before(ctx, "alerts", "revision", "revision", from)
		pages(ctx, h, err, yield, func() (string, []any) {
			return `SELECT revision, fingerprint, at, starts_at FROM alerts WHERE revision > ? AND at <= ? ORDER BY revision LIMIT ?`,
				[]any{revision, h.last(to), historyPage}
		}, func(rows *sql.Rows) (a ingest.Alert, ok bool, err error) {
			var fp, at, starts int64
			err = rows.Scan(&revision, &fp, &at, &starts)
			return ingest.Alert{Revision: revision, Fingerprint: ingest.Fingerprint(fp), At: timeOf(at), StartsAt: timeOf(starts)}, true, err
		})
	}
}

// Attachments are those of [from, to), by number.
func (h *History) Attachments(ctx context.Context, from, to time.Time) iter.Seq2[correlate.Attachment, error] {
	return func(yield func(correlate.Attachment, error) bool) {
		revision, err := h.before(ctx, "attachments", "revision", "revision", from)
		pages(ctx, h, err, yield, func() (string, []any) {
			return `SELECT revision, body FROM attachments WHERE revision > ? AND at <= ? ORDER BY revision LIMIT ?`,
				[]any{revision, h.last(to), historyPage}
		}, func(rows *sql.Rows) (a correlate.Attachment, ok bool, err error) {
			return a, true, scanBody(rows, "attachment", &a, &revision)
		})
	}
}

// Incidents are the revisions of incidents of [from, to), in the order in
// which they were made.
func (h *History) Incidents(ctx context.Context, from, to time.Time) iter.Seq2[correlate.Incident, error] {
	return func(yield func(correlate.Incident, error) bool) {
		n, err := h.before(ctx, "incidents", "n", "n", from)
		pages(ctx, h, err, yield, func() (string, []any) {
			return `SELECT n, body FROM incidents WHERE n > ? AND at <= ? ORDER BY n LIMIT ?`, []any{n, h.last(to), historyPage}
		}, func(rows *sql.Rows) (inc correlate.Incident, ok bool, err error) {
			return inc, true, scanBody(rows, "incident", &inc, &n)
		})
	}
}

// Incident is an incident as it was just before a time, with its attachments,
// without the detached, and their alerts; or [correlate.ErrNotFound].
func (h *History) Incident(ctx context.Context, id string, before time.Time) (st correlate.State, err error) {
	last := h.last(before)
	inc, err := h.s.oneIncident(ctx, `SELECT body FROM incidents WHERE id = ? AND at <= ? ORDER BY revision DESC LIMIT 1`, []any{id, last},
		fmt.Sprintf("incident %q", id))
	if err != nil {
		return st, err
	}
	st.Incidents = []correlate.Incident{inc}
	newest := map[ingest.Fingerprint]correlate.Attachment{}
	err = h.s.each(ctx, h.s.readDB, `SELECT body FROM attachments INDEXED BY attachments_incident WHERE incident = ? AND at <= ? ORDER BY revision`, []any{id, last},
		func(rows *sql.Rows) (bool, error) {
			var a correlate.Attachment
			err := scanBody(rows, "attachment", &a)
			newest[a.Fingerprint] = a
			return true, err
		})
	if err != nil {
		return st, fmt.Errorf("attachments of incident %q: %w", id, err)
	}
	var fps []ingest.Fingerprint
	for fp, a := range newest {
		if !a.Detached {
			fps = append(fps, fp)
			st.Attachments = append(st.Attachments, a)
		}
	}
	slices.SortFunc(st.Attachments, func(a, b correlate.Attachment) int { return cmp.Compare(a.Revision, b.Revision) })
	revisions, err := traced(ctx, h.s.readDB, traceAlert, fps...)
	if err != nil {
		return st, err
	}
	err = h.s.each(ctx, h.s.readDB, `SELECT `+alertColumns+` FROM json_each(?1) j CROSS JOIN alerts a ON a.revision = j.value `+alertJoins+
		`WHERE a.at <= ?2 AND NOT EXISTS (SELECT 1 FROM superseded n JOIN alerts b ON b.revision = n.by WHERE n.revision = a.revision AND b.at <= ?2)
		ORDER BY a.revision`, []any{revisions, last}, func(rows *sql.Rows) (bool, error) {
		a, err := h.alert(rows)
		st.Alerts = append(st.Alerts, a)
		return true, err
	})
	if err != nil {
		return st, fmt.Errorf("alerts of incident %q: %w", id, err)
	}
	return st, nil
}

// Estate are all revisions of all CIs and relations before a time, in no order
// that means anything.
func (h *History) Estate(ctx context.Context, to time.Time) (c cmdb.Change, err error) {
	last := h.last(to)
	err = h.s.each(ctx, h.s.readDB, `SELECT body FROM cis WHERE at <= ? ORDER BY id, revision`, []any{last}, func(rows *sql.Rows) (bool, error) {
		var ci cmdb.CI
		err := scanBody(rows, "CI", &ci)
		c.CIs = append(c.CIs, ci)
		return true, err
	})
	if err == nil {
		err = h.s.each(ctx, h.s.readDB, `SELECT body FROM relations WHERE at <= ? ORDER BY "from", "to", type, revision`, []any{last}, func(rows *sql.Rows) (bool, error) {
			var r cmdb.Relation
			err := scanBody(rows, "relation", &r)
			c.Relations = append(c.Relations, r)
			return true, err
		})
	}
	if err != nil {
		return cmdb.Change{}, fmt.Errorf("read the estate: %w", explain(err))
	}
	return c, nil
}

// before is the number of the last row of a table before a time, 0 when there
// is none. Numbers rise with the time, so either is the order.
func (h *History) before(ctx context.Context, table, number, order string, at time.Time) (n int64, err error) {
	if at.IsZero() {
		return 0, nil
	}
	err = h.s.readDB.QueryRowContext(ctx, `SELECT coalesce((SELECT `+number+` - 1 FROM `+table+` WHERE at >= ? ORDER BY `+order+` LIMIT 1), 1 << 62)`,
		micros(at)).Scan(&n)
	return n, err
}

// pages runs a query again and again, each time for the rows after those read,
// until one gives none. Nothing is open while yield runs. A row that is not ok
// is passed over.
func pages[T any](ctx context.Context, h *History, err error, yield func(T, error) bool, query func() (string, []any),
	scan func(*sql.Rows) (v T, ok bool, err error)) {
	var none T
	var page []T
	for err == nil {
		page = page[:0]
		n := 0
		text, args := query()
		err = h.s.each(ctx, h.s.readDB, text, args, func(rows *sql.Rows) (bool, error) {
			n++
			v, ok, err := scan(rows)
			if ok && err == nil {
				page = append(page, v)
			}
			return true, err
		})
		for _, v := range page {
			if !yield(v, nil) {
				return
			}
		}
		if n == 0 && err == nil {
			return
		}
	}
	yield(none, fmt.Errorf("read the store: %w", explain(err)))
}
