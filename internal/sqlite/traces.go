package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"tocsin/ingest"
)

// A trace says that a fingerprint has a record: an event, an alert revision or
// an attachment. Fingerprints are random, and an index of them would write a
// page for each new alert, which is more than the alert itself. So a batch adds
// its traces as a sorted run, in one row; when there are several runs of about
// the same length they are merged to one, and whoever looks a fingerprint up
// looks into every run. A run is cut into chunks, so that only one is read. All
// that one run knows of a fingerprint is in one chunk.
//
// Traces may be there twice, and may outlive what they name: they are a way to
// find records and no proof that there are any.
const (
	traceEvent = iota
	traceAlert
	traceAttachment
)

const (
	// runFanout is how many runs of a class are merged. Runs of one class
	// differ in length by this factor at most.
	runFanout = 4
	// runClasses is how many classes are merged, the last to runs of at most
	// a million traces: longer ones would hold up a batch for too long.
	runClasses = 9
	// chunkBytes is small enough to stay on one page of the index.
	chunkBytes = 3 << 9
)

// trace is sorted by fingerprint, then by key: the number of the record
// followed by two bits for its kind.
type trace struct{ fp, key int64 }

func (t trace) kind() int     { return int(t.key & 3) }
func (t trace) number() int64 { return t.key >> 2 }

func compareTraces(a, b trace) int { return cmp.Or(cmp.Compare(a.fp, b.fp), cmp.Compare(a.key, b.key)) }

func runClass(traces int) int { return (bits.Len(uint(traces)) - 1) / bits.Len(runFanout-1) }

func (w *writer) trace(fp ingest.Fingerprint, kind int, number int64) {
	w.tracing = append(w.tracing, trace{signed(fp), number<<2 | int64(kind)})
}

// runWriter writes a run from traces in ascending order.
type runWriter struct {
	in     *inserter
	run    int64
	traces int
	last   trace
	chunk  []byte
	first  int64
}

func (r *runWriter) add(ctx context.Context, t trace) error {
	switch {
	case r.traces == 0 || t.fp != r.last.fp && len(r.chunk) >= chunkBytes:
		if err := r.flush(ctx); err != nil {
			return err
		}
		r.first = t.fp
		r.chunk = binary.AppendVarint(binary.AppendUvarint(r.chunk, 1), t.key)
	case t == r.last:
		return nil
	case t.fp != r.last.fp:
		// The distance to the fingerprint before, which is at least 1; the
		// first of a chunk has it from the column and says 1, a further trace
		// of the same one says 0.
		r.chunk = binary.AppendVarint(binary.AppendUvarint(r.chunk, uint64(t.fp)-uint64(r.last.fp)), t.key)
	default:
		r.chunk = binary.AppendVarint(binary.AppendUvarint(r.chunk, 0), t.key-r.last.key)
	}
	r.last = t
	r.traces++
	return nil
}

func (r *runWriter) flush(ctx context.Context) error {
	if len(r.chunk) == 0 {
		return nil
	}
	r.in.args = append(r.in.args, r.run, r.first, bytes.Clone(r.chunk))
	r.chunk = r.chunk[:0]
	return r.in.added(ctx)
}

// eachTrace unpacks a chunk until f returns false.
func eachTrace(first int64, chunk []byte, f func(trace) bool) error {
	t := trace{fp: first - 1}
	for len(chunk) > 0 {
		step, n := binary.Uvarint(chunk)
		if n <= 0 {
			return errPacking
		}
		key, m := binary.Varint(chunk[n:])
		if m <= 0 {
			return errPacking
		}
		chunk = chunk[n+m:]
		if step == 0 {
			t.key += key
		} else {
			t = trace{int64(uint64(t.fp) + step), key}
		}
		if !f(t) {
			return nil
		}
	}
	return nil
}

// appendTraces stores the traces of a batch as a run and merges runs.
func (w *writer) appendTraces(ctx context.Context, at int64) error {
	if len(w.tracing) == 0 {
		return nil
	}
	slices.SortFunc(w.tracing, compareTraces)
	err := w.writeRun(ctx, at, func(r *runWriter) error {
		for _, t := range w.tracing {
			if err := r.add(ctx, t); err != nil {
				return err
			}
		}
		return nil
	})
	for err == nil {
		class := -1
		err = w.fullClass.QueryRowContext(ctx, runClasses, runFanout).Scan(&class)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err == nil {
			err = w.mergeRuns(ctx, class)
		}
	}
	return err
}

// writeRun stores what write adds as a run of batches up to at.
func (w *writer) writeRun(ctx context.Context, at int64, write func(*runWriter) error) error {
	r := runWriter{in: w.traces, chunk: w.packing[:0]}
	if err := w.conn.QueryRowContext(ctx, `SELECT coalesce(max(n), 0) + 1 FROM runs`).Scan(&r.run); err != nil {
		return err
	}
	if err := write(&r); err != nil {
		return err
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	w.packing = r.chunk
	if err := w.traces.flush(ctx); err != nil || r.traces == 0 {
		return err
	}
	_, err := w.conn.ExecContext(ctx, `INSERT INTO runs (n, class, at) VALUES (?, ?, ?)`, r.run, runClass(r.traces), at)
	return err
}

// runReader reads a run chunk by chunk.
type runReader struct {
	next   *sql.Stmt
	run    int64
	traces []trace
	rest   []trace
	after  int64
	begun  bool
}

// peek returns the next trace, or false at the end.
func (r *runReader) peek(ctx context.Context) (trace, bool, error) {
	if len(r.rest) == 0 {
		var first int64
		var chunk []byte
		from := r.after
		if !r.begun {
			from, r.begun = -1<<63, true
		} else if from == 1<<63-1 {
			return trace{}, false, nil
		} else {
			from++
		}
		err := r.next.QueryRowContext(ctx, r.run, from).Scan(&first, &chunk)
		if errors.Is(err, sql.ErrNoRows) {
			r.after = 1<<63 - 1
			return trace{}, false, nil
		}
		if err != nil {
			return trace{}, false, err
		}
		r.after, r.traces = first, r.traces[:0]
		if err := eachTrace(first, chunk, func(t trace) bool { r.traces = append(r.traces, t); return true }); err != nil {
			return trace{}, false, damaged(fmt.Sprintf("chunk %d of run %d", first, r.run), err)
		}
		r.rest = r.traces
	}
	return r.rest[0], true, nil
}

func (w *writer) mergeRuns(ctx context.Context, class int) error {
	runs, newest, err := w.runsOf(ctx, `SELECT n, at FROM runs WHERE class = ?`, class)
	if err != nil {
		return err
	}
	return w.rewriteRuns(ctx, runs, newest, func(trace) bool { return true })
}

func (w *writer) runsOf(ctx context.Context, query string, arg any) (runs []int64, newest int64, err error) {
	rows, err := w.conn.QueryContext(ctx, query, arg)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var n, at int64
		if err := rows.Scan(&n, &at); err != nil {
			return nil, 0, err
		}
		runs, newest = append(runs, n), max(newest, at)
	}
	return runs, newest, rows.Err()
}

// rewriteRuns replaces runs by one that has what keep keeps of them.
func (w *writer) rewriteRuns(ctx context.Context, runs []int64, at int64, keep func(trace) bool) error {
	readers := make([]runReader, len(runs))
	for i, n := range runs {
		readers[i] = runReader{next: w.chunkAfter, run: n}
	}
	err := w.writeRun(ctx, at, func(out *runWriter) error {
		for {
			least, from := trace{}, -1
			for i := range readers {
				t, ok, err := readers[i].peek(ctx)
				if err != nil {
					return err
				}
				if ok && (from < 0 || compareTraces(t, least) < 0) {
					least, from = t, i
				}
			}
			if from < 0 {
				return nil
			}
			readers[from].rest = readers[from].rest[1:]
			if keep(least) {
				if err := out.add(ctx, least); err != nil {
					return err
				}
			}
		}
	})
	for _, n := range runs {
		for _, query := range []string{`DELETE FROM traces WHERE run = ?`, `DELETE FROM runs WHERE n = ?`} {
			if err == nil {
				_, err = w.conn.ExecContext(ctx, query, n)
			}
		}
	}
	return err
}

// chunksOf finds the chunks that fingerprints are in, if they are anywhere.
func chunksOf(n int) string {
	return `WITH f (fp) AS (VALUES (?)` + strings.Repeat(",(?)", n-1) + `)
		SELECT f.fp, t.first, t.body FROM f CROSS JOIN runs r CROSS JOIN traces t ON t.run = r.n AND t.first =
		(SELECT max(x.first) FROM traces x WHERE x.run = r.n AND x.first <= f.fp)`
}

// eachTraceOf calls f with the traces of fingerprints, in no order, some twice.
func eachTraceOf(ctx context.Context, from querier, fps []int64, f func(trace)) error {
	const most = 500
	for len(fps) > 0 {
		some := fps[:min(most, len(fps))]
		fps = fps[len(some):]
		args := make([]any, len(some))
		for i, fp := range some {
			args[i] = fp
		}
		if err := scanChunks(ctx, from, args, f); err != nil {
			return err
		}
	}
	return nil
}

func scanChunks(ctx context.Context, from querier, fps []any, f func(trace)) error {
	rows, err := from.QueryContext(ctx, chunksOf(len(fps)), fps...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var fp, first int64
		var chunk sql.RawBytes
		if err := rows.Scan(&fp, &first, &chunk); err != nil {
			return err
		}
		err := eachTrace(first, chunk, func(t trace) bool {
			if t.fp == fp {
				f(t)
			}
			return t.fp <= fp
		})
		if err != nil {
			return damaged(fmt.Sprintf("chunk %d of traces", first), err)
		}
	}
	return rows.Err()
}

// traced lists the numbers of the records of one kind that fingerprints have,
// ascending, as JSON for json_each: more than a query takes as parameters.
func traced(ctx context.Context, from querier, kind int, fps ...ingest.Fingerprint) (string, error) {
	keys := make([]int64, len(fps))
	for i, fp := range fps {
		keys[i] = signed(fp)
	}
	var numbers []int64
	err := eachTraceOf(ctx, from, keys, func(t trace) {
		if t.kind() == kind {
			numbers = append(numbers, t.number())
		}
	})
	slices.Sort(numbers)
	return jsonList(slices.Compact(numbers)), explain(err)
}

// jsonList is numbers as JSON for json_each.
func jsonList(numbers []int64) string {
	out := []byte{'['}
	for i, n := range numbers {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, n, 10)
	}
	return string(append(out, ']'))
}
