package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"tocsin/correlate"
	"tocsin/ingest"
)

// Options say where the store is and how long it keeps things.
type Options struct {
	// Path is the database file. It and its directory are made when they do
	// not exist. Required.
	Path string
	// Retention is how long records are kept that nothing needs any more, see
	// [Store.Retain]; 0 keeps them for ever.
	Retention time.Duration
	// Logger takes what an operator should know; nil discards it.
	Logger *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer

	// maxPages makes the disk full in tests.
	maxPages int
}

// Store is an open database. Use [Open]; the zero value is of no use.
type Store struct {
	opt     Options
	log     *slog.Logger
	metrics *metrics

	lock    *os.File
	writeDB *sql.DB
	readDB  *sql.DB
	queries *queries

	// write is held by whoever uses the writing connection.
	write  sync.Mutex
	w      *writer
	closed bool

	restore sync.Mutex

	// live is guarded by its own lock, so that readers do not wait for a
	// transaction.
	live liveAlerts
}

var (
	_ correlate.Store  = (*Store)(nil)
	_ correlate.Reader = (*Store)(nil)
)

// readers is how many lists can be read at once. Each connection may cache
// readCache KiB, the writing one writeCache.
const (
	readers    = 4
	readCache  = 2 << 10
	writeCache = 4 << 10
)

// Open opens the store at Options.Path and brings its schema up to date. The
// error wraps [ErrLocked], [ErrNewer], [ErrCorrupt], [ErrReadOnly] or [ErrFull]
// when it is one of these.
func Open(ctx context.Context, opt Options) (*Store, error) {
	s := &Store{opt: opt, log: opt.Logger, metrics: newMetrics(opt.Registerer)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("open store %s: %w", opt.Path, errors.Join(explain(err), s.Close()))
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	if s.opt.Path == "" {
		return errors.New("path is empty; name the database file")
	}
	path, err := filepath.Abs(s.opt.Path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("%w; name a directory that this user can write", err)
	}
	if s.lock, err = lock(path + ".lock"); err != nil {
		return err
	}
	// Almost all is written at the ends of trees, so large pages are fewer calls
	// for the same bytes; still larger ones make the many small batches of quiet
	// times dear, which write each end anew. The log is copied back when it has
	// grown to 25 MiB: it stays below 32 unless a long read holds it.
	if s.writeDB, err = sql.Open("sqlite", dsn(path, writeCache, "page_size(8192)", "synchronous(FULL)",
		"wal_autocheckpoint(3200)", "journal_size_limit(33554432)")); err != nil {
		return err
	}
	s.writeDB.SetMaxOpenConns(1)
	conn, err := s.writeDB.Conn(ctx)
	if err != nil {
		return err
	}
	// Not with the others: the driver would do it before the page size is set.
	if _, err := conn.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
		return err
	}
	if s.opt.maxPages > 0 {
		if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", s.opt.maxPages)); err != nil {
			return err
		}
	}
	all, err := listMigrations(migrations)
	if err != nil {
		return err
	}
	if err := migrate(ctx, conn, all, time.Now()); err != nil {
		return err
	}
	// SQLite opens a file that it may not write for reading only; the first to
	// notice would be the first batch. This needs the right and changes nothing.
	if _, err := conn.ExecContext(ctx, `DELETE FROM state WHERE id = 0`); err != nil {
		return err
	}
	if s.w, err = newWriter(ctx, conn); err != nil {
		return err
	}
	if s.readDB, err = sql.Open("sqlite", dsn(path, readCache, "query_only(1)")); err != nil {
		return err
	}
	s.readDB.SetMaxOpenConns(readers)
	s.readDB.SetMaxIdleConns(readers)
	s.queries = newQueries(s.readDB)
	if err := s.loadLive(ctx); err != nil {
		return err
	}
	s.log.Info("store opened", "path", path, "firing", len(s.live.firing))
	return nil
}

func dsn(path string, cache int, pragmas ...string) string {
	q := url.Values{}
	q.Add("_pragma", "busy_timeout(10000)")
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	q.Add("_pragma", fmt.Sprintf("cache_size(-%d)", cache))
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// Close closes the store. Calls in flight finish or fail; the second call does
// nothing.
func (s *Store) Close() error {
	s.write.Lock()
	defer s.write.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var errs []error
	if s.readDB != nil {
		errs = append(errs, s.queries.close(), s.readDB.Close())
	}
	if s.w != nil {
		errs = append(errs, s.w.close())
	}
	if s.writeDB != nil {
		errs = append(errs, s.writeDB.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

var errClosed = errors.New("the store is closed")

// update runs f in a durable transaction.
func (s *Store) update(ctx context.Context, op string, f func() error) error {
	s.write.Lock()
	defer s.write.Unlock()
	return s.updateLocked(ctx, op, f)
}

func (s *Store) updateLocked(ctx context.Context, op string, f func() error) error {
	if s.closed {
		return errClosed
	}
	if err := transact(ctx, s.w.conn, f); err != nil {
		s.w.discard()
		s.metrics.errors.WithLabelValues(op).Inc()
		return explain(err)
	}
	return nil
}

// liveAlerts is what the store remembers of alerts beside the file: which
// fire, and what re-sends said of them since their newest revision.
type liveAlerts struct {
	sync.RWMutex
	firing map[ingest.Fingerprint]int64
	sights map[ingest.Fingerprint]sighting
}
