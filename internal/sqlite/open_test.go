package sqlite

import (
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"tocsin/correlate"
	"tocsin/ingest"
)

func bytesLines(b []byte) iter.Seq[string] {
	return strings.SplitSeq(strings.TrimSpace(string(b)), "\n")
}

// refuses checks that a store cannot be opened and says why, naming the path
// and a next step.
func refuses(t *testing.T, path string, want error, step string) {
	t.Helper()
	s, err := Open(t.Context(), Options{Path: path})
	if err == nil {
		_ = s.Close()
		t.Fatalf("%s was opened", path)
	}
	if !errors.Is(err, want) || !strings.Contains(err.Error(), step) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v\nwant %v, with the path and %q", err, want, step)
	}
}

func TestOpenTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	s := open(t, Options{Path: path})
	refuses(t, path, ErrLocked, "stop the other one")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if err := s.Append(t.Context(), childBatch(0)); err == nil {
		t.Error("a closed store took a batch")
	}
	if err := open(t, Options{Path: path}).Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenCorrupt(t *testing.T) {
	f := func(name string, damage func(b []byte) []byte) {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		s := open(t, Options{Path: path})
		for n := range int64(30) {
			if err := s.Append(t.Context(), childBatch(n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, damage(b), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err = Open(t.Context(), Options{Path: path})
		if err == nil { // it shows when the damaged part is read
			_, err = s.Restore(t.Context(), time.Hour)
			_ = s.Close()
		}
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "restore a backup") {
			t.Errorf("%s: got %v, want ErrCorrupt and a next step", name, err)
		}
	}
	f("text.db", func([]byte) []byte { return []byte(strings.Repeat("this is no database ", 300)) })
	f("header.db", func(b []byte) []byte { copy(b, "XXXX"); return b })
	f("cut.db", func(b []byte) []byte { return b[:len(b)/2/4096*4096] })
	f("zeros.db", func(b []byte) []byte { clear(b[4096:]); return b })
}

func TestOpenNewer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	s := open(t, Options{Path: path})
	if _, err := s.w.conn.ExecContext(t.Context(), `INSERT INTO migrations VALUES (9999, 'from the future', 0)`); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	refuses(t, path, ErrNewer, "start the newer version again")
}

//go:embed testdata/schema1.sql
var schema1 string

// migrated makes a database as the first n migrations left it.
func migrated(t *testing.T, path string, n int, data string) {
	t.Helper()
	all, err := listMigrations(migrations)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := migrate(t.Context(), conn, all[:n], time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), data); err != nil {
		t.Fatal(err)
	}
}

// TestOpenOlder opens a database from before anything was learned. Nothing is
// lost, what it cannot say is empty, and it goes on like any other.
func TestOpenOlder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	migrated(t, path, 1, schema1)
	s := open(t, Options{Path: path})
	st, err := s.Restore(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(st.EventSeq, st.Revision, len(st.Alerts), len(st.Attachments), len(st.Incidents), st.Topology.Len(), len(st.Memories), len(st.Lessons))
	if want := "4 8 4 4 1 2 0 0"; got != want {
		t.Fatalf("restored %s, want %s", got, want)
	}
	for i := range st.Attachments {
		a := &st.Attachments[i]
		if a.StartsAt.IsZero() || !a.Began.IsZero() || a.Evidence.Model != "plain-1" {
			t.Errorf("attachment %d: %+v", a.Revision, a)
		}
	}
	if n := st.Alerts[0].Count; n != 2 {
		t.Errorf("the first alert was seen %d times, want 2", n)
	}
	// An engine makes something of it.
	e, err := correlate.New(correlate.DefaultConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Restore(st); err != nil {
		t.Fatal(err)
	}
	ended := ingest.Event{Kind: ingest.KindAlert, Source: "prometheus", Status: ingest.Resolved, Fingerprint: st.Alerts[0].Fingerprint,
		Labels: st.Alerts[0].Labels, StartsAt: st.Alerts[0].StartsAt, EndsAt: st.At.Add(20 * time.Minute)}
	e.ObserveEvent(&ended)
	out := e.Tick(st.At.Add(20 * time.Minute))
	if len(out.Lessons) != 4 || len(out.Memories) == 0 {
		t.Fatalf("the engine learned %d lessons and %d memories of four alerts", len(out.Lessons), len(out.Memories))
	}
	if err := s.Append(t.Context(), &correlate.Batch{Output: *out}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Options{Path: path})
	st, err = s.Restore(t.Context(), time.Hour)
	if err != nil || len(st.Lessons) != 4 || len(st.Memories) == 0 {
		t.Errorf("restored %d lessons and %d memories, error %v", len(st.Lessons), len(st.Memories), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkIntegrity(t, path)
}

// TestOlderRefuses checks that a version that knows one migration fewer does not
// touch what this one wrote.
func TestOlderRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	if err := open(t, Options{Path: path}).Close(); err != nil {
		t.Fatal(err)
	}
	all, err := listMigrations(migrations)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := migrate(t.Context(), conn, all[:len(all)-1], time.Now()); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
}

func TestOpenDirectory(t *testing.T) {
	refuses(t, t.TempDir(), ErrReadOnly, "must be a file")
}

// TestFull fills the disk, makes room and sends the same batch again.
func TestFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	s := open(t, Options{Path: path, maxPages: 120})
	n := int64(0)
	var err error
	for ; err == nil && n < 10_000; n++ {
		err = s.Append(t.Context(), childBatch(n))
	}
	n-- // this one did not fit
	if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "make room") {
		t.Fatalf("got %v, want ErrFull and a next step", err)
	}
	for range 3 {
		if err := s.Append(t.Context(), childBatch(n)); !errors.Is(err, ErrFull) {
			t.Fatalf("again: %v, want ErrFull", err)
		}
	}
	before, err := s.Restore(t.Context(), time.Hour)
	if err != nil || before.EventSeq != n*20 || len(before.Alerts) != int(n*20) {
		t.Fatalf("after %d batches: event %d, %d alerts, error %v", n, before.EventSeq, len(before.Alerts), err)
	}
	if _, err := s.w.conn.ExecContext(t.Context(), "PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), childBatch(n)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkBatches(t, path, n)
	checkIntegrity(t, path)
}

func TestMigrations(t *testing.T) {
	f := func(want string, names ...string) {
		t.Helper()
		files := fstest.MapFS{}
		for _, n := range names {
			files["migrations/"+n] = &fstest.MapFile{Data: []byte("SELECT 1")}
		}
		_, err := listMigrations(files)
		if got := errText(err); got != want {
			t.Errorf("%v: got %q, want %q", names, got, want)
		}
	}
	f("", "0001_a.sql", "0002_b.sql")
	f("migration migrations/0003_b.sql: want its name to begin with 0002_", "0001_a.sql", "0003_b.sql")
	f("migration migrations/x.sql: want its name to begin with 0001_", "x.sql")

	// A migration that fails leaves nothing behind and can be mended.
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "m.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	now := time.Now()
	first := migration{1, "0001_a", "CREATE TABLE a (x); INSERT INTO a VALUES (1)"}
	if err := migrate(t.Context(), conn, []migration{first, {2, "0002_b", "CREATE TABLE b (x); oops"}}, now); err == nil || !strings.Contains(err.Error(), "0002_b") {
		t.Errorf("got %v, want an error that names 0002_b", err)
	}
	if err := migrate(t.Context(), conn, []migration{first, {2, "0002_b", "CREATE TABLE b (x)"}}, now); err != nil {
		t.Error(err)
	}
	var rows, at int64
	if err := conn.QueryRowContext(t.Context(), `SELECT count(*), (SELECT at FROM migrations WHERE version = 2) FROM a`).Scan(&rows, &at); err != nil {
		t.Fatal(err)
	}
	if rows != 1 || at != now.UnixMicro() {
		t.Errorf("%d rows, migrated at %d; want 1 at %d", rows, at, now.UnixMicro())
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestLastAlive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	s := open(t, Options{Path: path})
	f := func(want time.Time) {
		t.Helper()
		if got, err := s.LastAlive(t.Context()); err != nil || !got.Equal(want) {
			t.Errorf("got %v, error %v; want %v", got, err, want)
		}
	}
	f(time.Time{})
	b := childBatch(0)
	if err := s.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	f(b.At)
	beat := b.At.Add(time.Minute)
	for _, at := range []time.Time{beat, b.At} { // an earlier one does not set it back
		if err := s.Heartbeat(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		f(beat)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Options{Path: path})
	defer s.Close()
	f(beat)
	var _ correlate.Store = s
}
