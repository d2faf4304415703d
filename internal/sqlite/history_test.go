package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// history fills a store with three ticks a minute apart and opens it for
// reading beside the writer.
func history(t *testing.T, alerts int) (*Store, *History, time.Time) {
	t.Helper()
	s := open(t, Options{Path: filepath.Join(t.TempDir(), "tocsin.db")})
	t.Cleanup(func() { s.Close() })
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for tick := range 3 {
		at := begin.Add(time.Duration(tick) * time.Minute)
		b := &correlate.Batch{Output: correlate.Output{At: at}}
		for i := range alerts {
			n := int64(tick*alerts + i + 1)
			fp := ingest.Fingerprint(i + 1)
			a := ingest.Alert{Fingerprint: fp, StartsAt: begin, Revision: 2 * n, At: at, Status: ingest.Firing, DecidedAt: begin, EventSeq: n}
			if tick == 2 {
				a.Status, a.DecidedAt, a.EndedBy = ingest.Resolved, at.Add(-time.Second), "source"
				if i%2 == 0 {
					a.EndedBy = "timeout"
				}
			}
			b.Events = append(b.Events, ingest.Event{Seq: n, Kind: ingest.KindAlert, ReceivedAt: at, Fingerprint: fp, Status: ingest.Firing,
				StartsAt: begin, Labels: ingest.LabelsOf("alertname", fmt.Sprint("A", i))})
			b.Alerts = append(b.Alerts, a)
			b.Attachments = append(b.Attachments, correlate.Attachment{Revision: 2*n + 1, At: at, Incident: "I", Fingerprint: fp, StartsAt: begin})
		}
		b.Incidents = []correlate.Incident{{ID: "I", Revision: int64(tick + 1), At: at, OpenedAt: begin, Status: correlate.Open}}
		b.CIs = []cmdb.CI{{ID: "c", Class: "server", Revision: int64(tick + 1), At: at}}
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	h, err := OpenHistory(t.Context(), s.opt.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return s, h, begin
}

func told[T, V any](t *testing.T, seq iter.Seq2[T, error], of func(*T) V) []V {
	t.Helper()
	var out []V
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, of(&v))
	}
	return out
}

func checkList[V any](t *testing.T, what string, got, want []V) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: %s", what, d)
	}
}

func TestHistory(t *testing.T) {
	s, h, begin := history(t, 2)
	ctx := t.Context()
	none, second, third := time.Time{}, begin.Add(time.Minute), begin.Add(2*time.Minute)
	seq := func(e *ingest.Event) int64 { return e.Seq }
	revision := func(a *ingest.Alert) int64 { return a.Revision }

	checkList(t, "all events", told(t, h.Events(ctx, none, none), seq), []int64{1, 2, 3, 4, 5, 6})
	checkList(t, "events of a range", told(t, h.Events(ctx, second, third), seq), []int64{3, 4})
	checkList(t, "events after the end", told(t, h.Events(ctx, third.Add(time.Microsecond), none), seq), nil)
	checkList(t, "expired", told(t, h.Expired(ctx, none, none), revision), []int64{10})
	checkList(t, "expired with labels", told(t, h.Expired(ctx, none, none), (*ingest.Alert).Name), []string{"A0"})
	checkList(t, "expired later", told(t, h.Expired(ctx, third, none), revision), nil)
	checkList(t, "firing in the middle", told(t, h.Firing(ctx, third), revision), []int64{6, 8})
	checkList(t, "firing in the end", told(t, h.Firing(ctx, third.Add(time.Microsecond)), revision), nil)
	checkList(t, "firing before all", told(t, h.Firing(ctx, begin), revision), nil)
	checkList(t, "episodes", told(t, h.Episodes(ctx, second, none), func(a *ingest.Alert) ingest.Fingerprint { return a.Fingerprint }), []ingest.Fingerprint{1, 2, 1, 2})
	checkList(t, "attachments", told(t, h.Attachments(ctx, none, second), func(a *correlate.Attachment) int64 { return a.Revision }), []int64{3, 5})
	checkList(t, "incidents", told(t, h.Incidents(ctx, second, none), func(i *correlate.Incident) int64 { return i.Revision }), []int64{2, 3})
	c, err := h.Estate(ctx, third)
	if err != nil || len(c.CIs) != 2 || c.CIs[1].Revision != 2 {
		t.Errorf("estate: %+v, %v", c, err)
	}
	st, err := h.Incident(ctx, "I", third)
	if err != nil || len(st.Incidents) != 1 || st.Incidents[0].Revision != 2 || len(st.Attachments) != 2 || st.Attachments[1].Revision != 9 ||
		len(st.Alerts) != 2 || st.Alerts[0].Revision != 6 || st.Alerts[0].Name() != "A0" {
		t.Errorf("incident: %+v, %v", st, err)
	}
	if _, err := h.Incident(ctx, "I", begin); !errors.Is(err, correlate.ErrNotFound) {
		t.Errorf("an incident before it was: %v", err)
	}
	if !h.End().Equal(third) {
		t.Errorf("end: %s, want %s", h.End(), third)
	}

	// What comes later is no part of it.
	if err := s.Append(ctx, &correlate.Batch{Output: correlate.Output{At: third.Add(time.Minute),
		Events: []ingest.Event{{Seq: 7, Kind: ingest.KindChange, ReceivedAt: third.Add(time.Minute)}}}}); err != nil {
		t.Fatal(err)
	}
	checkList(t, "events as of the beginning", told(t, h.Events(ctx, third, none), seq), []int64{5, 6})
}

// Lists are read in pages; none is lost or told twice where they meet.
func TestHistoryPages(t *testing.T) {
	n := historyPage + 1
	_, h, _ := history(t, n)
	got := told(t, h.Events(t.Context(), time.Time{}, time.Time{}), func(e *ingest.Event) int64 { return e.Seq })
	for i, seq := range got {
		if seq != int64(i+1) {
			t.Fatalf("event %d has number %d", i+1, seq)
		}
	}
	expired := told(t, h.Expired(t.Context(), time.Time{}, time.Time{}), func(a *ingest.Alert) int64 { return a.Revision })
	if len(got) != 3*n || len(expired) != (n+1)/2 {
		t.Errorf("%d events and %d expired, want %d and %d", len(got), len(expired), 3*n, (n+1)/2)
	}
	for range h.Events(t.Context(), time.Time{}, time.Time{}) {
		break // and nothing goes on behind it
	}
}

func TestOpenHistoryErrors(t *testing.T) {
	f := func(path string, want error) {
		t.Helper()
		h, err := OpenHistory(t.Context(), path)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
		if h != nil {
			h.Close()
		}
	}
	dir := t.TempDir()
	f(filepath.Join(dir, "none.db"), fs.ErrNotExist)
	f(dir, ErrCorrupt)
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, make([]byte, 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	f(garbage, ErrCorrupt)

	s, h, _ := history(t, 1)
	h.Close()
	path := s.opt.Path
	s.Close()
	set := func(query string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	f(path, nil) // without a server
	set(`INSERT INTO migrations VALUES (999, 'later', 0)`)
	f(path, ErrNewer)
	set(`DELETE FROM migrations`)
	f(path, ErrOlder)
}
