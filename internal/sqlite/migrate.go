package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var migrations embed.FS

type migration struct {
	version int
	name    string
	sql     string
}

// listMigrations reads them in order; their numbers are 1, 2, 3… without gap.
func listMigrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var all []migration
	for i, path := range names { // Glob sorts
		name := strings.TrimSuffix(strings.TrimPrefix(path, "migrations/"), ".sql")
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 || len(number) != 4 {
			return nil, fmt.Errorf("migration %s: want its name to begin with %04d_", path, i+1)
		}
		text, err := fs.ReadFile(files, path)
		if err != nil {
			return nil, err
		}
		all = append(all, migration{version, name, string(text)})
	}
	return all, nil
}

// migrate brings the schema up to date, each migration in a transaction of its
// own, so that a failed one can be tried again after the cause is removed.
func migrate(ctx context.Context, conn *sql.Conn, all []migration, now time.Time) error {
	const table = `CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, at INTEGER NOT NULL)`
	if _, err := conn.ExecContext(ctx, table); err != nil {
		return err
	}
	var have int
	if err := conn.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM migrations`).Scan(&have); err != nil {
		return err
	}
	if have > len(all) {
		return fmt.Errorf("schema %d: %w, this one knows up to %d; start the newer version again", have, ErrNewer, len(all))
	}
	for _, m := range all[have:] {
		err := transact(ctx, conn, func() error {
			if _, err := conn.ExecContext(ctx, m.sql); err != nil {
				return err
			}
			_, err := conn.ExecContext(ctx, `INSERT INTO migrations VALUES (?, ?, ?)`, m.version, m.name, now.UnixMicro())
			return err
		})
		if err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
	}
	return nil
}

// transact runs f in a transaction on conn. After an error nothing of it
// remains, and the connection is ready for the next one.
func transact(ctx context.Context, conn *sql.Conn, f func() error) error {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	// COMMIT and ROLLBACK are not given up half-way: after a cancelled COMMIT
	// nobody would know whether it happened.
	clean := context.WithoutCancel(ctx)
	err := f()
	if err == nil {
		_, err = conn.ExecContext(clean, "COMMIT")
	}
	if err != nil {
		// SQLite has rolled back by itself after some errors; then this one
		// says that there is nothing to roll back.
		_, _ = conn.ExecContext(clean, "ROLLBACK")
	}
	return err
}
