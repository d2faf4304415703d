package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"tocsin/correlate"
	"tocsin/ingest"
)

const (
	flagAgain = 1 << iota
	flagTogether
)

func (w *writer) appendMemories(ctx context.Context, b *correlate.Batch) error {
	for i := range b.Memories {
		m := &b.Memories[i]
		w.memories.args = append(w.memories.args, m.Revision, micros(m.At), m.Kind, m.Key, []byte(m.Body))
		if err := w.memories.added(ctx); err != nil {
			return fmt.Errorf("memory %s of kind %s: %w", m.Key, m.Kind, err)
		}
		w.staged.revision = max(w.staged.revision, m.Revision)
	}
	return nil
}

func (w *writer) appendLessons(ctx context.Context, b *correlate.Batch) error {
	for i := range b.Lessons {
		l := &b.Lessons[i]
		flags := 0
		if l.Again {
			flags |= flagAgain
		}
		if l.Together {
			flags |= flagTogether
		}
		w.lessons.args = append(w.lessons.args, l.Revision, micros(l.At), signed(l.Fingerprint), micros(l.Began), flags, l.Chance, l.CI)
		if err := w.lessons.added(ctx); err != nil {
			return fmt.Errorf("lesson %d: %w", l.Revision, err)
		}
		w.staged.revision = max(w.staged.revision, l.Revision)
	}
	return nil
}

// memoryKey is what one memory replaces another by.
type memoryKey struct{ kind, key string }

// learned reads memories and lessons. It runs beside the other steps.
func (r *restoring) learned(ctx context.Context, conn *sql.Conn) error {
	if err := r.memories(ctx, conn); err != nil {
		return err
	}
	return r.lessons(ctx, conn)
}

func (r *restoring) memories(ctx context.Context, conn *sql.Conn) error {
	known := map[memoryKey]bool{}
	return r.s.each(ctx, conn, `SELECT revision, at, kind, key, body FROM memories ORDER BY revision DESC`, nil, func(rows *sql.Rows) (bool, error) {
		var m correlate.Memory
		var at int64
		var body sql.RawBytes
		err := rows.Scan(&m.Revision, &at, &m.Kind, &m.Key, &body)
		if k := (memoryKey{m.Kind, m.Key}); !known[k] {
			known[k] = true
			m.At, m.Body = timeOf(at), append(json.RawMessage{}, body...)
			r.st.Memories = append(r.st.Memories, m)
		}
		return true, err
	})
}

// lessons reads those of the engine's history. There may be a million, which
// speak of far fewer CIs.
func (r *restoring) lessons(ctx context.Context, conn *sql.Conn) error {
	var n int
	if err := conn.QueryRowContext(ctx, `SELECT count(*) FROM lessons`).Scan(&n); err != nil {
		return err
	}
	r.st.Lessons = make([]correlate.Lesson, 0, n)
	cis := map[string]string{}
	return r.s.each(ctx, conn, `SELECT revision, at, fingerprint, began, flags, chance, ci FROM lessons WHERE at > ? ORDER BY revision`,
		[]any{r.historyCut()}, func(rows *sql.Rows) (bool, error) {
			var l correlate.Lesson
			var at, fp, began, flags int64
			var name string
			err := rows.Scan(&l.Revision, &at, &fp, &began, &flags, &l.Chance, &name)
			ci, ok := cis[name]
			if !ok {
				ci = name
				cis[name] = name
			}
			l.At, l.Fingerprint, l.Began, l.CI = timeOf(at), ingest.Fingerprint(fp), timeOf(began), ci
			l.Again, l.Together = flags&flagAgain != 0, flags&flagTogether != 0
			r.st.Lessons = append(r.st.Lessons, l)
			return true, err
		})
}

// historyCut is the time up to which lessons are no part of the state.
func (r *restoring) historyCut() int64 { return micros(r.st.At) - correlate.History.Microseconds() }

// forget deletes memories that a newer one replaced and lessons older than the
// engine's history. It goes by the newest tick, as Restore does, and not by the
// clock.
func (s *Store) forget(ctx context.Context) error {
	var at int64
	replaced, known := []int64{}, map[memoryKey]bool{}
	err := s.each(ctx, s.readDB, `SELECT revision, kind, key FROM memories ORDER BY revision DESC`, nil, func(rows *sql.Rows) (bool, error) {
		var rev int64
		var k memoryKey
		err := rows.Scan(&rev, &k.kind, &k.key)
		if known[k] {
			replaced = append(replaced, rev)
		}
		known[k] = true
		return true, err
	})
	for part := range slices.Chunk(replaced, retainRows) {
		if err != nil {
			break
		}
		err = s.update(ctx, opRetain, func() error {
			_, err := s.w.conn.ExecContext(ctx, `DELETE FROM memories WHERE revision IN (SELECT value FROM json_each(?))`, jsonList(part))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("delete replaced memories: %w", err)
	}
	err = s.each(ctx, s.readDB, `SELECT at FROM state`, nil, func(rows *sql.Rows) (bool, error) { return false, rows.Scan(&at) })
	if err == nil {
		_, err = s.retain(ctx, purge{table: "lessons", key: "revision", parts: "revision, revision", old: `r.at < ?1`, spare: `1`},
			at-correlate.History.Microseconds()+1)
	}
	if err != nil {
		return fmt.Errorf("delete old lessons: %w", err)
	}
	return nil
}
