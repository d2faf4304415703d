package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
)

func TestOutbox(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	s := open(t, Options{Path: path})
	t0 := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	n := int64(0)
	owe := func(receiver, incident string, rev int64) correlate.Delivery {
		t.Helper()
		n++
		b := &correlate.Batch{}
		b.At = t0.Add(time.Duration(n) * time.Second)
		d := correlate.Delivery{Key: fmt.Sprint(receiver, "/", incident, "/", rev), Receiver: receiver, Incident: incident, Revision: rev,
			Notice: correlate.NoticeOpened, At: b.At, State: "pending", NextAttempt: b.At}
		b.Deliveries = []correlate.Delivery{d}
		b.Incidents = []correlate.Incident{{ID: incident, Revision: rev, At: b.At, OpenedAt: b.At, Status: correlate.Open}}
		for range 2 {
			if err := s.Append(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	due := func(now time.Time, limit int, want ...correlate.Delivery) {
		t.Helper()
		got, err := s.Due(t.Context(), now, limit)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("due (-want +got):\n%s", d)
		}
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	later := t0.Add(time.Hour)
	due(later, 10)
	a1, a2, b1 := owe("r", "A", 1), owe("r", "A", 2), owe("r", "B", 1)
	x1 := owe("x", "A", 1)
	due(later, 10, a1, b1, x1)
	due(later, 2, a1, b1)
	due(t0, 10)
	due(a1.At, 10, a1)

	// A failed one holds back what follows for its incident and receiver.
	check(s.Failed(t.Context(), a1, later, later.Add(time.Minute), false, "503"))
	due(later, 10, b1, x1)
	a1.Attempts, a1.NextAttempt, a1.LastError = 1, later.Add(time.Minute), "503"
	due(later.Add(time.Minute), 10, a1, b1, x1)

	check(s.Close())
	s = open(t, Options{Path: path})
	check(s.Delivered(t.Context(), b1, later))
	check(s.Delivered(t.Context(), b1, later))
	check(s.Failed(t.Context(), b1, later, later, false, "too late")) // it was delivered
	check(s.Failed(t.Context(), a1, later, time.Time{}, true, "gone"))
	due(later, 10, a2, x1) // given up: the next one goes
	check(s.Delivered(t.Context(), a2, later))

	list := func(state string, limit int, want ...string) {
		t.Helper()
		got := []string{}
		p := correlate.Page{Limit: limit}
		for {
			items, next, err := s.Deliveries(t.Context(), state, p)
			check(err)
			for _, d := range items {
				got = append(got, d.Key+" "+d.State+" "+d.LastError)
			}
			if next == "" {
				break
			}
			p.Cursor = next
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("deliveries %q (-want +got):\n%s", state, d)
		}
	}
	for limit := range 4 {
		list("", limit, "x/A/1 pending ", "r/B/1 delivered ", "r/A/2 delivered ", "r/A/1 failed gone")
		list("delivered", limit, "r/B/1 delivered ", "r/A/2 delivered ")
	}
	if _, _, err := s.Deliveries(t.Context(), "", correlate.Page{Cursor: "x"}); !errors.Is(err, correlate.ErrInvalid) {
		t.Errorf("cursor x: %v, want ErrInvalid", err)
	}
	if inc, err := s.Revision(t.Context(), "A", 2); err != nil || inc.Revision != 2 {
		t.Errorf("revision 2 of A: %+v, %v", inc, err)
	}
	if _, err := s.Revision(t.Context(), "A", 9); !errors.Is(err, correlate.ErrNotFound) {
		t.Errorf("revision 9 of A: %v, want ErrNotFound", err)
	}
	check(s.Close())
	checkIntegrity(t, path)
}
