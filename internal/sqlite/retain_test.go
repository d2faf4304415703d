package sqlite

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/ingest"
)

// rows counts all there is.
func rows(t *testing.T, s *Store) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, table := range []string{"events", "alerts", "attachments", "incidents", "incidents_latest", "links", "deliveries", "ticks", "superseded", "superseded_attachments", "named", "memories", "lessons"} {
		n := 0
		if err := s.readDB.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		out[table] = n
	}
	chunks, err := s.readDB.Query("SELECT first, body FROM traces")
	if err != nil {
		t.Fatal(err)
	}
	defer chunks.Close()
	for chunks.Next() {
		var first int64
		var body []byte
		if err := chunks.Scan(&first, &body); err != nil {
			t.Fatal(err)
		}
		if err := eachTrace(first, body, func(trace) bool { out["traces"]++; return true }); err != nil {
			t.Fatal(err)
		}
	}
	if err := chunks.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRetain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	s := open(t, Options{Path: path, Retention: 10 * 24 * time.Hour})
	old := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	now := old.AddDate(0, 6, 0)
	seq, rev := int64(0), int64(0)
	var b *correlate.Batch
	begin := func(at time.Time) { b = &correlate.Batch{}; b.At = at }
	put := func() {
		t.Helper()
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	alert := func(fp ingest.Fingerprint, status ingest.Status, incident string) {
		seq++
		rev++
		b.Events = append(b.Events, ingest.Event{Seq: seq, Kind: ingest.KindAlert, ReceivedAt: b.At, Fingerprint: fp, Labels: ingest.LabelsOf("n", fmt.Sprint(fp))})
		b.Alerts = append(b.Alerts, ingest.Alert{Revision: rev, Fingerprint: fp, At: b.At, Status: status, EventSeq: seq, DecidedAt: b.At, Incident: incident})
		if incident != "" {
			rev++
			b.Attachments = append(b.Attachments, correlate.Attachment{Revision: rev, At: b.At, Fingerprint: fp, Incident: incident})
		}
	}
	incident := func(id string, r int64, status correlate.Status, into string) {
		b.Incidents = append(b.Incidents, correlate.Incident{ID: id, Revision: r, At: b.At, OpenedAt: b.At, ClosedAt: b.At, Status: status, MergedInto: into})
	}
	learn := func(keys ...string) {
		rev++
		b.Lessons = append(b.Lessons, correlate.Lesson{Revision: rev, At: b.At})
		for _, k := range keys {
			rev++
			b.Memories = append(b.Memories, correlate.Memory{Revision: rev, At: b.At, Kind: "habit", Key: k, Body: []byte("{}")})
		}
	}
	begin(old)
	alert(1, ingest.Firing, "")         // superseded below, goes
	alert(2, ingest.Firing, "")         // fires still, stays
	alert(3, ingest.Firing, "open")     // superseded below, goes
	alert(4, ingest.Resolved, "closed") // goes with its incident
	alert(5, ingest.Resolved, "owed")   // its incident is owed to somebody, stays
	alert(6, ingest.Resolved, "merged") // its incident lives on in an open one, stays
	incident("open", 1, correlate.Open, "")
	incident("closed", 1, correlate.Open, "")
	incident("owed", 1, correlate.Closed, "")
	incident("merged", 1, correlate.Merged, "open")
	for i := range 3 {
		rev++
		b.Links = append(b.Links, correlate.Link{Revision: rev, From: "incident:" + []string{"open", "closed", "open"}[i], To: fmt.Sprint("ticket:", i), Kind: "k", At: old, Removed: i == 2})
	}
	seq++
	b.Events = append(b.Events, ingest.Event{Seq: seq, Kind: ingest.KindChange, ReceivedAt: b.At})
	b.Deliveries = []correlate.Delivery{{Key: "1", Receiver: "r", Incident: "owed", Revision: 1, At: old}, {Key: "2", Receiver: "r", Incident: "closed", Revision: 1, At: old, State: "delivered"}}
	put()
	begin(old.Add(time.Hour))
	alert(1, ingest.Resolved, "")                          // goes
	alert(3, ingest.Resolved, "")                          // belongs to an open incident, stays
	for fp, id := range []string{3: "open", 4: "closed"} { // the second goes
		if id != "" {
			rev++
			b.Attachments = append(b.Attachments, correlate.Attachment{Revision: rev, At: b.At, Fingerprint: ingest.Fingerprint(fp), Incident: id, Detached: true})
		}
	}
	incident("closed", 2, correlate.Closed, "")
	learn("a", "b")
	put()
	begin(now.Add(-time.Hour))
	alert(7, ingest.Resolved, "young")
	incident("young", 1, correlate.Closed, "")
	learn("a")
	put()

	st, err := s.Restore(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	deleted, err := s.Retain(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"memories": 2, "lessons": 1, "events": 5, "alerts": 5, "attachments": 5, "incidents": 4, "incidents_latest": 4, "links": 1, "deliveries": 1, "ticks": 1, "superseded": 0, "superseded_attachments": 1, "named": 0, "traces": 15}
	if d := cmp.Diff(want, rows(t, s)); d != "" {
		t.Errorf("kept (-want +got):\n%s", d)
	}
	if deleted != 4+5+2+2+2+1 { // alerts, events, attachments, incidents, links, deliveries
		t.Errorf("deleted %d records", deleted)
	}
	again, err := s.Retain(t.Context(), now)
	if again != 0 || err != nil {
		t.Errorf("the second time deleted %d, error %v", again, err)
	}
	after, err := s.Restore(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(st, after); d != "" {
		t.Errorf("what is restored changed (-before +after):\n%s", d)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkIntegrity(t, path)
}

// TestRetainLearned replaces and outdates what was learned, far more than one
// transaction deletes, in a store that keeps all else for ever. What is restored
// stays the same, however late it is by the clock.
func TestRetainLearned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	s := open(t, Options{Path: path})
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rev := int64(0)
	for n := range 30 {
		b := &correlate.Batch{}
		b.At = at.Add(time.Duration(n) * 12 * time.Hour)
		for i := range 100 {
			rev += 2
			b.Memories = append(b.Memories, correlate.Memory{Revision: rev - 1, At: b.At, Kind: []string{"habit", "place"}[i%2], Key: fmt.Sprint(i / 2), Body: fmt.Append(nil, n)})
			b.Lessons = append(b.Lessons, correlate.Lesson{Revision: rev, At: b.At, Fingerprint: ingest.Fingerprint(i)})
		}
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	before, err := s.Restore(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if len(before.Memories) != 100 || len(before.Lessons) != 1400 {
		t.Fatalf("restored %d memories and %d lessons; want 100 and those of 14 half days", len(before.Memories), len(before.Lessons))
	}
	for range 2 {
		if n, err := s.Retain(t.Context(), at.AddDate(1, 0, 0)); n != 0 || err != nil {
			t.Fatalf("deleted %d records of a store that keeps them, error %v", n, err)
		}
		got := rows(t, s)
		if got["memories"] != 100 || got["lessons"] != 1400 || got["ticks"] != 30 {
			t.Errorf("left: %v", got)
		}
		after, err := s.Restore(t.Context(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(before, after); d != "" {
			t.Fatalf("what is restored changed (-before +after):\n%s", d)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkIntegrity(t, path)
}

// TestRetainMuch deletes far more than one transaction takes, while batches
// come in, and keeps what a short retention would lose of the day.
func TestRetainMuch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	s := open(t, Options{Path: path, Retention: time.Second})
	l := &load{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for n := range int64(4) {
		for _, status := range []ingest.Status{ingest.Firing, ingest.Resolved} {
			b := l.batch(n*1000, 1000, status)
			if status == ingest.Resolved {
				b.Incidents = []correlate.Incident{{ID: b.Alerts[0].Incident, Revision: 1 << 40, At: b.At, OpenedAt: b.At, Status: correlate.Closed}}
			}
			if err := s.Append(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n, err := s.Retain(t.Context(), l.at.Add(23*time.Hour)); n != 0 || err != nil {
		t.Errorf("deleted %d of the day, error %v", n, err)
	}
	l.at = l.at.Add(48 * time.Hour)
	var g sync.WaitGroup
	g.Go(func() {
		for n := range int64(20) {
			if err := s.Append(t.Context(), l.batch(10_000+n*10, 10, ingest.Firing)); err != nil {
				t.Error(err)
			}
		}
	})
	n, err := s.Retain(t.Context(), time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	g.Wait()
	if n != 8000+8000+4000+8 || err != nil {
		t.Errorf("deleted %d, error %v", n, err)
	}
	got := rows(t, s)
	if got["alerts"] != 200 || got["events"] != 200 || got["attachments"] != 200 || got["traces"] != 600 {
		t.Errorf("left: %v", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkIntegrity(t, path)
}
