package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/ingest"
)

// maxScan is how many rows one page looks at for what SQL cannot decide, such
// as labels. A page that ends there is short, and its cursor goes on.
const maxScan = 10_000

// queries are the fixed reading statements, prepared when first used. The
// texts of lists with filters differ each time and are not kept.
type queries struct {
	db *sql.DB
	mu sync.Mutex
	by map[string]*sql.Stmt
}

func newQueries(db *sql.DB) *queries { return &queries{db: db, by: map[string]*sql.Stmt{}} }

func (q *queries) get(ctx context.Context, text string) (*sql.Stmt, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if st := q.by[text]; st != nil {
		return st, nil
	}
	st, err := q.db.PrepareContext(ctx, text) //nolint:sqlclosecheck // kept; close closes it
	if err == nil {
		q.by[text] = st
	}
	return st, err
}

func (q *queries) close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	var errs []error
	for _, st := range q.by {
		errs = append(errs, st.Close())
	}
	return errors.Join(errs...)
}

// where collects the conditions of a query and their arguments.
type where struct {
	terms []string
	args  []any
}

func (w *where) add(term string, args ...any) {
	w.terms = append(w.terms, term)
	w.args = append(w.args, args...)
}

func (w *where) String() string {
	if len(w.terms) == 0 {
		return "1"
	}
	return strings.Join(w.terms, " AND ")
}

// in adds "column is one of values"; no values select all.
func in[T any](w *where, column string, values []T, arg func(T) any) {
	if len(values) == 0 {
		return
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = arg(v)
	}
	w.add(column+" IN (?"+strings.Repeat(",?", len(values)-1)+")", args...)
}

// each runs a query and calls row for each of its rows until it returns false.
// Slices scanned as sql.RawBytes are valid until it returns.
func (s *Store) each(ctx context.Context, from querier, text string, args []any, row func(*sql.Rows) (bool, error)) error {
	rows, err := from.QueryContext(ctx, text, args...)
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		if more, err := row(rows); err != nil || !more {
			return explain(err)
		}
	}
	return explain(rows.Err())
}

type querier interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// prepared runs a fixed query as each does.
func (s *Store) prepared(ctx context.Context, text string, args []any, row func(*sql.Rows) (bool, error)) error {
	st, err := s.queries.get(ctx, text)
	if err != nil {
		return explain(err)
	}
	return s.each(ctx, stmtQuerier{st}, "", args, row)
}

type stmtQuerier struct{ *sql.Stmt }

func (q stmtQuerier) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return q.Stmt.QueryContext(ctx, args...)
}

func matches(ls ingest.Labels, ms []*labels.Matcher) bool {
	for _, m := range ms {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}

func parseInt(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }

func text(n int64) string { return strconv.FormatInt(n, 10) }

func damaged(what string, err error) error {
	return fmt.Errorf("%s: %w: %w; restore a backup", what, ErrCorrupt, err)
}
