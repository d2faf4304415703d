package correlatetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// Store is what [TestStore] tests.
type Store interface {
	correlate.Store
	correlate.Reader
	Close() error
}

// Open opens the store that is kept under a directory, which exists and is
// empty at first. After Close it is opened again with the same directory and
// holds what it held. An engine that keeps nothing in files uses the directory
// as a name. It stops the test when it cannot open.
type Open func(t testing.TB, dir string) Store

// TestStore runs the contract of [correlate.Store] and [correlate.Reader].
func TestStore(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"empty", testEmpty},
		{"append then read", testAppendThenRead},
		{"append twice", testAppendTwice},
		{"cancelled", testCancelled},
		{"order and paging", testPaging},
		{"paging while writing", testPagingWhileWriting},
		{"cursors", testCursors},
		{"incident filters", testIncidentFilters},
		{"alert filters", testAlertFilters},
		{"event filters", testEventFilters},
		{"times", testTimes},
		{"garbage", testGarbage},
		{"sightings", testSightings},
		{"accounting", testAccounting},
		{"links", testLinks},
		{"memories", testMemories},
		{"lessons", testLessons},
		{"estate", testEstate},
		{"large batch", testLargeBatch},
		{"restore", testRestore},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
}

var equal = []cmp.Option{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(correlate.State{}, "Topology")}

func check(t testing.TB, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, equal...); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// opened is a store with the model it has to equal.
type opened struct {
	Store
	t    testing.TB
	dir  string
	open Open
	m    *model
}

func start(t testing.TB, open Open, dir string) *opened {
	t.Helper()
	o := &opened{t: t, dir: dir, open: open, m: newModel(), Store: open(t, dir)}
	return o
}

// done closes the store at the end of a test.
func (o *opened) done() {
	o.t.Helper()
	if err := o.Close(); err != nil {
		o.t.Error(err)
	}
}

func (o *opened) restart() {
	o.t.Helper()
	if err := o.Close(); err != nil {
		o.t.Fatal(err)
	}
	o.Store = o.open(o.t, o.dir)
}

func (o *opened) put(batches ...*correlate.Batch) {
	o.t.Helper()
	for _, b := range batches {
		if err := o.Append(ctx(o.t), b); err != nil {
			o.t.Fatal(err)
		}
		o.m.append(b)
	}
}

// same compares everything that can be read with the model.
func (o *opened) same() {
	t := o.t
	t.Helper()
	check(t, "incidents", o.m.newestIncidents(), o.incidents(correlate.IncidentQuery{}))
	check(t, "alerts", o.m.newestAlerts(), o.alerts(correlate.AlertQuery{}))
	check(t, "events", o.m.newestEvents(), o.events(correlate.EventQuery{}))
	for _, inc := range o.m.newestIncidents() {
		check(t, "incident "+inc.ID, inc, must(o.Incident(ctx(t), inc.ID))(t))
		var line []correlate.Incident
		for rev := int64(1); rev <= inc.Revision; rev++ {
			line = append(line, o.m.incidents[inc.ID][rev])
		}
		check(t, "timeline of "+inc.ID, line, all(t, 0, nil, func(p correlate.Page) ([]correlate.Incident, string, error) {
			return o.Timeline(ctx(t), inc.ID, p)
		}))
		want := filter(o.m.newestAttachments(), func(a *correlate.Attachment) bool { return a.Incident == inc.ID })
		check(t, "attachments of "+inc.ID, want, o.attachments(correlate.AttachmentQuery{Incident: inc.ID}))
		check(t, "links of "+inc.ID, o.m.linksOf("incident:"+inc.ID), must(o.Links(ctx(t), "incident:"+inc.ID))(t))
	}
	for _, a := range o.m.newestAlerts() {
		check(t, "alert "+a.Fingerprint.String(), a, must(o.Alert(ctx(t), a.Fingerprint))(t))
		want := filter(o.m.newestAttachments(), func(x *correlate.Attachment) bool { return x.Fingerprint == a.Fingerprint })
		check(t, "attachments of "+a.Fingerprint.String(), want, o.attachments(correlate.AttachmentQuery{Fingerprint: a.Fingerprint}))
	}
	check(t, "accounting", o.m.counts, must(o.Accounting(ctx(t)))(t))
	o.sameState()
}

func (o *opened) sameState() {
	o.t.Helper()
	for _, horizon := range []time.Duration{0, time.Hour, 12 * time.Hour} {
		st := must(o.Restore(ctx(o.t), horizon))(o.t)
		slices.SortFunc(st.Incidents, func(a, b correlate.Incident) int { return compare(a.ID, b.ID) })
		sortedMemories(st.Memories)
		check(o.t, "state", o.m.state(horizon), st)
		cis, relations := o.m.estate()
		if len(o.m.cis) == 0 {
			if st.Topology != nil {
				o.t.Fatal("restored a topology where there is no estate")
			}
			continue
		}
		gotCIs := []cmdb.CI{}
		for _, c := range st.Topology.All() {
			gotCIs = append(gotCIs, *c)
		}
		check(o.t, "CIs", cis, gotCIs)
		check(o.t, "relations", relations, slices.Collect(st.Topology.AllRelations()))
	}
}

func (o *opened) incidents(q correlate.IncidentQuery) []correlate.Incident {
	o.t.Helper()
	return all(o.t, q.Limit, nil, func(p correlate.Page) ([]correlate.Incident, string, error) {
		q.Page = p
		return o.Incidents(ctx(o.t), q)
	})
}

func (o *opened) alerts(q correlate.AlertQuery) []ingest.Alert {
	o.t.Helper()
	return all(o.t, q.Limit, nil, func(p correlate.Page) ([]ingest.Alert, string, error) {
		q.Page = p
		return o.Alerts(ctx(o.t), q)
	})
}

func (o *opened) events(q correlate.EventQuery) []ingest.Event {
	o.t.Helper()
	return all(o.t, q.Limit, nil, func(p correlate.Page) ([]ingest.Event, string, error) {
		q.Page = p
		return o.Events(ctx(o.t), q)
	})
}

func (o *opened) attachments(q correlate.AttachmentQuery) []correlate.Attachment {
	o.t.Helper()
	return all(o.t, q.Limit, nil, func(p correlate.Page) ([]correlate.Attachment, string, error) {
		q.Page = p
		return o.Attachments(ctx(o.t), q)
	})
}

// all reads a list to its end, limit at a time; between runs after each page.
func all[T any](t testing.TB, limit int, between func(), page func(correlate.Page) ([]T, string, error)) (out []T) {
	t.Helper()
	p := correlate.Page{Limit: limit}
	for range 100_000 {
		items, next, err := page(p)
		if err != nil {
			t.Fatal(err)
		}
		most := limit
		if most == 0 {
			most = 100
		}
		if len(items) > most {
			t.Fatalf("a page of %d items, limit %d", len(items), most)
		}
		out = append(out, items...)
		if next == "" {
			return out
		}
		p.Cursor = next
		if between != nil {
			between()
		}
	}
	t.Fatal("the list does not end")
	return nil
}

func filter[T any](in []T, keep func(*T) bool) (out []T) {
	for i := range in {
		if keep(&in[i]) {
			out = append(out, in[i])
		}
	}
	return out
}

func testRestore(t *testing.T, open Open) {
	rapid.Check(t, func(rt *rapid.T) {
		o := start(t, open, t.TempDir())
		defer o.done()
		s := newStory(func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "") })
		var sent []*correlate.Batch
		for range rapid.IntRange(1, 12).Draw(rt, "batches") {
			b := s.batch()
			o.put(b)
			sent = append(sent, b)
			switch rapid.IntRange(0, 5).Draw(rt, "then") {
			case 0:
				o.restart()
			case 1:
				o.put(rapid.SampledFrom(sent).Draw(rt, "again"))
			}
		}
		o.sameState()
		o.restart()
		o.sameState()
	})
}
