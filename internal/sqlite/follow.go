package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"

	"tocsin/ingest"
)

// stored looks up what the file has of the fingerprints of the batch in hand:
// the newest revision of alerts that do not fire, and all attachments of those
// that the batch attaches. Fingerprints never seen are not looked up, which is
// why an index of them can be done without.
func (w *writer) stored(ctx context.Context, live *liveAlerts) (newest map[ingest.Fingerprint]int64, attached map[int64][]int64, err error) {
	var ask []int64
	w.eachTraced(func(fp int64, traces []trace) {
		for _, t := range traces {
			// An alert that fires has its newest revision in live.
			if t.kind() == traceAttachment || t.kind() == traceAlert && live.firing[ingest.Fingerprint(fp)] == 0 {
				if w.seen.has(fp) {
					ask = append(ask, fp)
				}
				return
			}
		}
	})
	newest, attached = map[ingest.Fingerprint]int64{}, map[int64][]int64{}
	err = eachTraceOf(ctx, w.conn, ask, func(t trace) {
		switch t.kind() {
		case traceAlert:
			fp := ingest.Fingerprint(t.fp)
			newest[fp] = max(newest[fp], t.number())
		case traceAttachment:
			attached[t.fp] = append(attached[t.fp], t.number())
		}
	})
	return newest, attached, err
}

// eachTraced calls f with the traces of each fingerprint of the batch in hand,
// which are sorted.
func (w *writer) eachTraced(f func(fp int64, traces []trace)) {
	for rest := w.tracing; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].fp == rest[0].fp {
			n++
		}
		f(rest[0].fp, rest[:n])
		rest = rest[n:]
	}
}

// lineUp says which attachments follow another of the same alert and incident,
// after all are stored: what is stored decides, whatever came again or late.
func (w *writer) lineUp(ctx context.Context, attached map[int64][]int64) (err error) {
	firsts := map[string]int64{}
	w.eachTraced(func(fp int64, traces []trace) {
		mine := 0
		for _, t := range traces {
			if t.kind() == traceAttachment {
				mine++
			}
		}
		numbers := attached[fp]
		if err == nil && mine > 0 && len(numbers)+mine > 1 {
			for _, t := range traces {
				if t.kind() == traceAttachment {
					numbers = append(numbers, t.number())
				}
			}
			slices.Sort(numbers)
			err = w.lineUpOf(ctx, slices.Compact(numbers), traces, firsts)
		}
	})
	return err
}

// lineUpOf lines up the attachments of one alert next to those of the batch in
// hand. firsts remembers the first attachment of incidents: an alert that came
// and went often has many older ones, which need no look then.
func (w *writer) lineUpOf(ctx context.Context, numbers []int64, traces []trace, firsts map[string]int64) error {
	mine := func(number int64) bool {
		return slices.ContainsFunc(traces, func(t trace) bool { return t.kind() == traceAttachment && t.number() == number })
	}
	low := int64(1<<63 - 1)
	for _, n := range numbers {
		if !mine(n) {
			continue
		}
		var incident string
		if err := w.incidentOf.QueryRowContext(ctx, n).Scan(&incident); err != nil {
			return err
		}
		first, ok := firsts[incident]
		if !ok {
			if err := w.firstOf.QueryRowContext(ctx, incident).Scan(&first); err != nil {
				return err
			}
			firsts[incident] = first
		}
		low = min(low, first)
	}
	i, _ := slices.BinarySearchFunc(numbers, low, cmp.Compare[int64])
	if len(numbers)-i < 2 {
		return nil
	}
	revisions := map[string][]int64{}
	for _, n := range numbers[i:] {
		var incident string
		err := w.incidentOf.QueryRowContext(ctx, n).Scan(&incident)
		if errors.Is(err, sql.ErrNoRows) {
			continue // deleted, the retention is over
		}
		if err != nil {
			return err
		}
		revisions[incident] = append(revisions[incident], n)
	}
	for _, of := range revisions {
		for i := 1; i < len(of); i++ {
			if mine(of[i-1]) || mine(of[i]) {
				if _, err := w.follow.ExecContext(ctx, of[i-1], of[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
