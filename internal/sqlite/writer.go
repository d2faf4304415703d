package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// rowsPerStatement is how many rows one INSERT takes: a statement of many
// rows costs a third per row of what single ones do, and more than fifty gain
// little.
const rowsPerStatement = 50

// inserter inserts rows into one table, many with one statement. Rows are
// added to args; a full statement runs by itself, the rest with flush.
type inserter struct {
	many, one *sql.Stmt
	width     int
	args      []any
	bodies    bodies
}

func newInserter(ctx context.Context, conn *sql.Conn, into string, width int) (*inserter, error) {
	row := "(?" + strings.Repeat(",?", width-1) + ")"
	in := &inserter{width: width, args: make([]any, 0, width*rowsPerStatement)}
	var err error
	if in.many, err = conn.PrepareContext(ctx, into+" VALUES "+row+strings.Repeat(","+row, rowsPerStatement-1)); err != nil {
		return nil, err
	}
	in.one, err = conn.PrepareContext(ctx, into+" VALUES "+row)
	return in, err
}

func (in *inserter) discard() {
	clear(in.args)
	in.args = in.args[:0]
	in.bodies.reset()
}

// added is called after the columns of a row were appended to args.
func (in *inserter) added(ctx context.Context) error {
	if len(in.args) < in.width*rowsPerStatement {
		return nil
	}
	_, err := in.many.ExecContext(ctx, in.args...)
	in.discard()
	return err
}

func (in *inserter) flush(ctx context.Context) error {
	for i := 0; i < len(in.args); i += in.width {
		if _, err := in.one.ExecContext(ctx, in.args[i:i+in.width]...); err != nil {
			return err
		}
	}
	in.discard()
	return nil
}

func (in *inserter) close() error { return errors.Join(in.many.Close(), in.one.Close()) }

// writer is the one connection that writes, with its prepared statements.
type writer struct {
	conn *sql.Conn

	events, alerts, attachments, traces, superseded, firing, incidents *inserter
	links, memories, lessons, cis, relations, deliveries               *inserter
	inserters                                                          []*inserter

	unfire, tick, counts, latest, state, sightings, firingAt, fullClass, chunkAfter, incidentOf, firstOf, follow *sql.Stmt
	stmts                                                                                                        []*sql.Stmt

	// alertRevision is the highest stored; an alert above it is surely new.
	alertRevision int64
	eventSeq      int64 // highest stored
	// sightingRow, checkpointAt and deltaBytes describe the log of sightings.
	checkpointAt int64
	deltaBytes   int

	// What the batch in hand will change in liveAlerts once it is durable.
	staged  staged
	packing []byte
	tracing []trace
	madeOf  map[int64]int64 // revisions of the batch by event; below 0 where the event's row may not say so
	seen    seen
}

func newWriter(ctx context.Context, conn *sql.Conn) (*writer, error) {
	w := &writer{conn: conn, madeOf: map[int64]int64{}}
	var errs []error
	insert := func(into string, width int) *inserter {
		in, err := newInserter(ctx, conn, into, width)
		errs = append(errs, err)
		w.inserters = append(w.inserters, in)
		return in
	}
	prepare := func(text string) *sql.Stmt {
		st, err := conn.PrepareContext(ctx, text)
		errs = append(errs, err)
		w.stmts = append(w.stmts, st)
		return st
	}
	w.events = insert(`INSERT OR IGNORE INTO events (seq, at, kind, source, fingerprint, alert, body, raw)`, 8)
	w.alerts = insert(`INSERT OR IGNORE INTO alerts (revision, at, fingerprint, firing, starts_at, decided_at, severity, flags, source, ci, incident, event_seq, body)`, 13)
	w.attachments = insert(`INSERT OR IGNORE INTO attachments (revision, at, fingerprint, detached, incident, ci, body)`, 7)
	w.traces = insert(`INSERT INTO traces (run, first, body)`, 3)
	w.superseded = insert(`INSERT OR REPLACE INTO superseded (revision, by)`, 2)
	w.firing = insert(`INSERT OR IGNORE INTO firing (revision, fingerprint)`, 2)
	w.incidents = insert(`INSERT OR IGNORE INTO incidents (id, revision, at, body)`, 4)
	w.links = insert(`INSERT OR IGNORE INTO links (revision, at, "from", "to", kind, by, removed)`, 7)
	w.memories = insert(`INSERT OR IGNORE INTO memories (revision, at, kind, key, body)`, 5)
	w.lessons = insert(`INSERT OR IGNORE INTO lessons (revision, at, fingerprint, began, flags, chance, ci)`, 7)
	w.cis = insert(`INSERT OR IGNORE INTO cis (id, revision, at, body)`, 4)
	w.relations = insert(`INSERT OR IGNORE INTO relations ("from", "to", type, revision, at, body)`, 6)
	w.deliveries = insert(`INSERT OR IGNORE INTO deliveries (key, receiver, incident, revision, notice, at, state, attempts, next_attempt, done_at, last_error)`, 11)
	w.unfire = prepare(`DELETE FROM firing WHERE revision = ?`)
	w.tick = prepare(`INSERT OR IGNORE INTO ticks (at) VALUES (?)`)
	w.counts = prepare(`INSERT INTO accounting (source, stored, deduplicated, rejected) VALUES (?, ?, ?, ?)
		ON CONFLICT (source) DO UPDATE SET stored = stored + excluded.stored,
		deduplicated = deduplicated + excluded.deduplicated, rejected = rejected + excluded.rejected`)
	w.latest = prepare(`INSERT INTO incidents_latest (id, revision, at, opened_at, closed_at, status, severity, priority, assignee, merged_into, title)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, at = excluded.at, opened_at = excluded.opened_at,
		closed_at = excluded.closed_at, status = excluded.status, severity = excluded.severity, priority = excluded.priority,
		assignee = excluded.assignee, merged_into = excluded.merged_into, title = excluded.title WHERE excluded.revision > revision`)
	w.state = prepare(`UPDATE state SET at = max(at, ?), event_seq = max(event_seq, ?), revision = max(revision, ?)`)
	w.firingAt = prepare(`SELECT firing FROM alerts WHERE revision = ?`)
	w.incidentOf = prepare(`SELECT incident FROM attachments WHERE revision = ?`)
	w.firstOf = prepare(`SELECT min(revision) FROM attachments INDEXED BY attachments_incident WHERE incident = ?`)
	w.follow = prepare(`INSERT OR REPLACE INTO superseded_attachments (revision, by) VALUES (?, ?)`)
	w.fullClass = prepare(`SELECT class FROM runs WHERE class < ? GROUP BY class HAVING count(*) >= ? ORDER BY class LIMIT 1`)
	w.chunkAfter = prepare(`SELECT first, body FROM traces WHERE run = ? AND first >= ? ORDER BY first LIMIT 1`)
	w.sightings = prepare(`INSERT INTO sightings (kind, at, revision, body) VALUES (?, ?, ?, ?)`)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	const highest = `SELECT (SELECT coalesce(max(revision), 0) FROM alerts), (SELECT coalesce(max(seq), 0) FROM events)`
	if err := conn.QueryRowContext(ctx, highest).Scan(&w.alertRevision, &w.eventSeq); err != nil {
		return nil, err
	}
	return w, w.loadSeen(ctx, 0)
}

// discard forgets what a failed transaction has left.
func (w *writer) discard() {
	for _, in := range w.inserters {
		in.discard()
	}
	w.tracing = w.tracing[:0]
	w.staged.reset()
}

func (w *writer) flush(ctx context.Context) error {
	for _, in := range w.inserters {
		if err := in.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) close() error {
	var errs []error
	for _, in := range w.inserters {
		errs = append(errs, in.close())
	}
	for _, st := range w.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}
