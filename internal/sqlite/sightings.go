package sqlite

import (
	"context"
	"fmt"
	"time"

	"tocsin/ingest"
)

// The log of re-sends would grow for ever, so it begins anew with a
// checkpoint: after checkpointEvery of the batches' time, or when the deltas
// have grown to several times what a checkpoint takes.
const (
	checkpointEvery   = int64(5 * time.Minute / time.Microsecond)
	checkpointMinimum = 1 << 20
	checkpointFactor  = 4
	sightingBytes     = 20
	// endedKept is how long after the last re-send of an ended alert it is
	// kept in memory and in checkpoints. Prometheus repeats a resolution for
	// fifteen minutes.
	endedKept = int64(20 * time.Minute / time.Microsecond)
)

const (
	sightingDelta = iota
	sightingCheckpoint
)

// appendSightings stores the re-sends of a batch as one row.
func (w *writer) appendSightings(ctx context.Context, at int64, sightings []ingest.Sighting, live *liveAlerts) error {
	w.staged.sights, w.staged.at = sightings, at
	if len(sightings) == 0 {
		return nil
	}
	w.packing = w.packing[:0]
	for i := range sightings {
		s := &sightings[i]
		w.packing = origin{at, w.staged.alertRevision}.append(w.packing, s.Fingerprint,
			sighting{micros(s.LastSeen), micros(s.ExpiresAt), s.Count, w.staged.alertRevision})
	}
	if _, err := w.sightings.ExecContext(ctx, sightingDelta, at, w.staged.alertRevision, w.packing); err != nil {
		return fmt.Errorf("sightings: %w", err)
	}
	w.staged.bytes = len(w.packing)
	due := at-w.checkpointAt >= checkpointEvery && w.checkpointAt != 0
	if due || w.deltaBytes > max(checkpointMinimum, checkpointFactor*sightingBytes*len(live.sights)) {
		return w.checkpoint(ctx, at, live)
	}
	return nil
}

// checkpoint writes down what was known before the batch in hand; the deltas
// up to it are deleted and the one of this batch stays behind it.
func (w *writer) checkpoint(ctx context.Context, at int64, live *liveAlerts) error {
	w.packing = w.packing[:0]
	for fp, s := range live.sights {
		if _, ok := w.staged.alerts[fp]; ok {
			continue // a newer revision says it
		}
		if live.firing[fp] == 0 && at-s.lastSeen > endedKept {
			w.staged.dropped = append(w.staged.dropped, fp)
			const keep = `INSERT OR REPLACE INTO last_sightings (fingerprint, revision, last_seen, expires_at, count) VALUES (?, ?, ?, ?, ?)`
			if _, err := w.conn.ExecContext(ctx, keep, signed(fp), s.revision, s.lastSeen, s.expiresAt, s.count); err != nil {
				return err
			}
			continue
		}
		w.packing = origin{at, w.alertRevision}.append(w.packing, fp, s)
	}
	var last int64
	if err := w.conn.QueryRowContext(ctx, `SELECT max(n) FROM sightings`).Scan(&last); err != nil {
		return err
	}
	// The row of this batch is the newest: the checkpoint takes its place and
	// it moves behind.
	const again = `INSERT INTO sightings (kind, at, revision, body) SELECT kind, at, revision, body FROM sightings WHERE n = ?`
	if _, err := w.sightings.ExecContext(ctx, sightingCheckpoint, at, w.alertRevision, w.packing); err != nil {
		return err
	}
	if _, err := w.conn.ExecContext(ctx, again, last); err != nil {
		return err
	}
	if _, err := w.conn.ExecContext(ctx, `DELETE FROM sightings WHERE n <= ?`, last); err != nil {
		return err
	}
	w.staged.checkpoint = true
	return nil
}

// publish applies a durable batch to what is remembered.
func (w *writer) publish(live *liveAlerts) {
	st := &w.staged
	live.Lock()
	defer live.Unlock()
	for fp, a := range st.alerts {
		if a.firing {
			live.firing[fp] = a.revision
		} else {
			delete(live.firing, fp)
		}
		if s, ok := live.sights[fp]; ok && a.revision > s.revision {
			delete(live.sights, fp)
		}
	}
	for _, fp := range st.dropped {
		delete(live.sights, fp)
	}
	for i := range st.sights {
		s := &st.sights[i]
		live.sights[s.Fingerprint] = sighting{micros(s.LastSeen), micros(s.ExpiresAt), s.Count, st.alertRevision}
	}
	w.alertRevision, w.eventSeq = st.alertRevision, max(w.eventSeq, st.eventSeq)
	for i := range w.tracing {
		w.seen.add(w.tracing[i].fp)
	}
	w.tracing = w.tracing[:0]
	w.deltaBytes += st.bytes
	if st.checkpoint {
		w.deltaBytes, w.checkpointAt = 0, st.at
	} else if w.checkpointAt == 0 {
		w.checkpointAt = st.at
	}
	st.reset()
}

// loadLive reads what the store remembers beside the file.
func (s *Store) loadLive(ctx context.Context) error {
	s.live.firing = map[ingest.Fingerprint]int64{}
	s.live.sights = map[ingest.Fingerprint]sighting{}
	rows, err := s.readDB.QueryContext(ctx, `SELECT revision, fingerprint FROM firing`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var revision, fp int64
		if err := rows.Scan(&revision, &fp); err != nil {
			return err
		}
		s.live.firing[ingest.Fingerprint(fp)] = revision
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return s.loadSightings(ctx)
}

func (s *Store) loadSightings(ctx context.Context) error {
	rows, err := s.readDB.QueryContext(ctx, `SELECT n, kind, at, revision, body FROM sightings ORDER BY n`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n, at, revision int64
		var kind int
		var body []byte
		if err := rows.Scan(&n, &kind, &at, &revision, &body); err != nil {
			return err
		}
		err := origin{at, revision}.each(body, func(fp ingest.Fingerprint, x sighting) {
			// What a newer revision of a firing alert says is newer.
			if s.live.firing[fp] <= x.revision {
				s.live.sights[fp] = x
			}
		})
		if err != nil {
			return fmt.Errorf("sightings row %d: %w: %w; restore a backup", n, ErrCorrupt, err)
		}
		if s.w.checkpointAt == 0 || kind == sightingCheckpoint {
			s.w.checkpointAt = at
		}
		if kind == sightingDelta {
			s.w.deltaBytes += len(body)
		}
	}
	return rows.Err()
}
