package correlatetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/ingest"
)

func ctx(t testing.TB) context.Context { return t.Context() }

func compare[T cmp.Ordered](a, b T) int { return cmp.Compare(a, b) }

// written opens a store that holds the first n batches of a story.
func written(t testing.TB, open Open, n int) (*opened, *story) {
	t.Helper()
	o, s := start(t, open, t.TempDir()), seeded(1)
	for range n {
		o.put(s.batch())
	}
	return o, s
}

func testEmpty(t *testing.T, open Open) {
	o := start(t, open, t.TempDir())
	defer o.done()
	check(t, "state", correlate.State{}, must(o.Restore(t.Context(), time.Hour))(t))
	o.same()
	check(t, "attachments", []correlate.Attachment{}, o.attachments(correlate.AttachmentQuery{Incident: "x"}))
	if line, next, err := o.Timeline(t.Context(), "x", correlate.Page{}); len(line) > 0 || next != "" || err != nil {
		t.Errorf("timeline of nothing: %v, cursor %q, error %v", line, next, err)
	}
	if _, err := o.Incident(t.Context(), "x"); !errors.Is(err, correlate.ErrNotFound) {
		t.Errorf("incident: %v, want ErrNotFound", err)
	}
	if _, err := o.Alert(t.Context(), 1); !errors.Is(err, correlate.ErrNotFound) {
		t.Errorf("alert: %v, want ErrNotFound", err)
	}
	if err := o.Heartbeat(t.Context(), t0); err != nil {
		t.Error(err)
	}
}

func testAppendThenRead(t *testing.T, open Open) {
	o, _ := written(t, open, 60)
	defer o.done()
	o.same()
	o.restart()
	o.same()
}

func testPaging(t *testing.T, open Open) {
	o, _ := written(t, open, 60)
	defer o.done()
	for _, limit := range []int{1, 2, 7, 1000} {
		p := correlate.Page{Limit: limit}
		check(t, "incidents", o.m.newestIncidents(), o.incidents(correlate.IncidentQuery{Page: p}))
		check(t, "alerts", o.m.newestAlerts(), o.alerts(correlate.AlertQuery{Page: p}))
		check(t, "events", o.m.newestEvents(), o.events(correlate.EventQuery{Page: p}))
		want := filter(o.m.newestAttachments(), func(a *correlate.Attachment) bool { return a.Incident == "inc-00" })
		if len(want) < 2 {
			t.Fatalf("only %d attachments to page through", len(want))
		}
		check(t, "attachments", want, o.attachments(correlate.AttachmentQuery{Page: p, Incident: "inc-00"}))
		line := all(t, limit, nil, func(p correlate.Page) ([]correlate.Incident, string, error) {
			return o.Timeline(t.Context(), "inc-00", p)
		})
		for i := range line {
			if line[i].Revision != int64(i+1) {
				t.Fatalf("timeline has revision %d at %d", line[i].Revision, i)
			}
		}
	}
}

// testPagingWhileWriting revises what is being paged through: whatever was
// there when the first page was read comes once, and exactly once.
func testPagingWhileWriting(t *testing.T, open Open) {
	o, s := written(t, open, 40)
	defer o.done()
	write := func() {
		for range 2 {
			o.put(s.batch())
		}
	}
	f := func(what string, before, got []string) {
		t.Helper()
		seen := map[string]int{}
		for _, k := range got {
			if seen[k]++; seen[k] > 1 {
				t.Errorf("%s: %s came twice", what, k)
			}
		}
		for _, k := range before {
			if seen[k] == 0 {
				t.Errorf("%s: %s was there at the first page and never came", what, k)
			}
		}
	}
	alertKey := func(a *ingest.Alert) string { return a.Fingerprint.String() }
	before := keys(o.m.newestAlerts(), alertKey)
	f("alerts", before, keys(all(t, 2, write, func(p correlate.Page) ([]ingest.Alert, string, error) {
		return o.Alerts(t.Context(), correlate.AlertQuery{Page: p})
	}), alertKey))

	incidentKey := func(i *correlate.Incident) string { return i.ID }
	before = keys(o.m.newestIncidents(), incidentKey)
	f("incidents", before, keys(all(t, 3, write, func(p correlate.Page) ([]correlate.Incident, string, error) {
		return o.Incidents(t.Context(), correlate.IncidentQuery{Page: p})
	}), incidentKey))

	eventKey := func(e *ingest.Event) string { return fmt.Sprint(e.Seq) }
	before = keys(o.m.newestEvents(), eventKey)
	f("events", before, keys(all(t, 9, write, func(p correlate.Page) ([]ingest.Event, string, error) {
		return o.Events(t.Context(), correlate.EventQuery{Page: p})
	}), eventKey))

	attachmentKey := func(a *correlate.Attachment) string { return a.Fingerprint.String() }
	before = keys(filter(o.m.newestAttachments(), func(a *correlate.Attachment) bool { return a.Incident == "inc-00" }), attachmentKey)
	f("attachments", before, keys(all(t, 2, write, func(p correlate.Page) ([]correlate.Attachment, string, error) {
		return o.Attachments(t.Context(), correlate.AttachmentQuery{Page: p, Incident: "inc-00"})
	}), attachmentKey))
}

func keys[T any](items []T, key func(*T) string) (out []string) {
	for i := range items {
		out = append(out, key(&items[i]))
	}
	return out
}

func testCursors(t *testing.T, open Open) {
	o, _ := written(t, open, 40)
	defer o.done()
	lists := map[string]func(correlate.Page) (string, error){
		"incidents": func(p correlate.Page) (string, error) {
			_, next, err := o.Incidents(t.Context(), correlate.IncidentQuery{Page: p})
			return next, err
		},
		"timeline": func(p correlate.Page) (string, error) {
			_, next, err := o.Timeline(t.Context(), "inc-00", p)
			return next, err
		},
		"attachments": func(p correlate.Page) (string, error) {
			_, next, err := o.Attachments(t.Context(), correlate.AttachmentQuery{Page: p, Incident: "inc-00"})
			return next, err
		},
		"alerts": func(p correlate.Page) (string, error) {
			_, next, err := o.Alerts(t.Context(), correlate.AlertQuery{Page: p})
			return next, err
		},
		"events": func(p correlate.Page) (string, error) {
			_, next, err := o.Events(t.Context(), correlate.EventQuery{Page: p})
			return next, err
		},
	}
	for name, list := range lists {
		own, err := list(correlate.Page{Limit: 1})
		if err != nil || own == "" {
			t.Errorf("%s: first page: cursor %q, error %v", name, own, err)
		}
		bad := []string{"x", "0", "'; DROP TABLE alerts; --", "\x00", own + "A", own[1:], own[:len(own)-1] + "!", "AAAA"}
		for other, f := range lists {
			if other != name {
				next, _ := f(correlate.Page{Limit: 1})
				bad = append(bad, next)
			}
		}
		for _, c := range bad {
			if _, err := list(correlate.Page{Cursor: c}); !errors.Is(err, correlate.ErrInvalid) {
				t.Errorf("%s: cursor %q: error %v, want ErrInvalid", name, c, err)
			}
		}
		if _, err := list(correlate.Page{Limit: -1}); err != nil {
			t.Errorf("%s: limit -1: %v", name, err)
		}
	}
	if _, _, err := o.Attachments(t.Context(), correlate.AttachmentQuery{}); !errors.Is(err, correlate.ErrInvalid) {
		t.Errorf("attachments of nothing: error %v, want ErrInvalid", err)
	}
}
