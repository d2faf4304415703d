package sqlite

import (
	"database/sql"
	"path/filepath"
	"testing"

	"tocsin/correlate/correlatetest"
)

func TestStore(t *testing.T) {
	correlatetest.TestStore(t, func(t testing.TB, dir string) correlatetest.Store {
		return checked{open(t, Options{Path: filepath.Join(dir, "tocsin.db")}), t}
	})
}

func open(t testing.TB, opt Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checked looks for damage whenever a store is closed.
type checked struct {
	*Store
	t testing.TB
}

func (c checked) Close() error {
	err := c.Store.Close()
	checkIntegrity(c.t, c.opt.Path)
	return err
}

func checkIntegrity(t testing.TB, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var answer string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&answer); err != nil || answer != "ok" {
		t.Errorf("%s: integrity check says %q, error %v", path, answer, err)
	}
}
