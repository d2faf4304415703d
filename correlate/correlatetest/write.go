package correlatetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

func describe(q any) string { return fmt.Sprintf("%+v", q) }

func testAppendTwice(t *testing.T, open Open) {
	o, s := start(t, open, t.TempDir()), seeded(2)
	defer o.done()
	var sent []*correlate.Batch
	for range 30 {
		b := s.batch()
		o.put(b, b)
		sent = append(sent, b)
	}
	o.same()
	o.put(sent[3], sent[29], sent[0], sent[17]) // old ones change nothing newer
	o.same()

	// Half of it was there before, under another time.
	x, y := s.batch(), s.batch()
	for len(x.Events) == 0 || len(y.Alerts) == 0 {
		x, y = s.batch(), s.batch()
	}
	both := *y
	both.Events = append(append([]ingest.Event{}, x.Events...), y.Events...)
	both.Alerts = append(append([]ingest.Alert{}, x.Alerts...), y.Alerts...)
	both.Attachments = append(append([]correlate.Attachment{}, x.Attachments...), y.Attachments...)
	both.Incidents = append(append([]correlate.Incident{}, x.Incidents...), y.Incidents...)
	both.Links = append(append([]correlate.Link{}, x.Links...), y.Links...)
	both.Memories = append(append([]correlate.Memory{}, x.Memories...), y.Memories...)
	both.Lessons = append(append([]correlate.Lesson{}, x.Lessons...), y.Lessons...)
	both.CIs = append(append([]cmdb.CI{}, x.CIs...), y.CIs...)
	both.Relations = append(append([]cmdb.Relation{}, x.Relations...), y.Relations...)
	o.put(x, &both)
	o.same()
	o.restart()
	o.put(&both, x)
	o.same()
}

func testCancelled(t *testing.T, open Open) {
	o, s := written(t, open, 20)
	defer o.done()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	b := s.batch()
	if err := o.Append(gone, b); err == nil {
		o.m.append(b) // it may have been quicker, but then it is there
	}
	o.same()
	o.put(b)
	o.same()
	// In the middle of a batch: all of it or nothing.
	for i := range 20 {
		large := largeBatch(o.m.at.Add(time.Second), 1000+int64(i)*400, 400)
		hurried, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
		err := o.Append(hurried, large)
		cancel()
		if err == nil {
			o.m.append(large)
		}
		check(t, "events", len(o.m.events), len(all(t, 1000, nil, func(p correlate.Page) ([]ingest.Event, string, error) {
			return o.Events(t.Context(), correlate.EventQuery{Page: p})
		})))
	}
	o.put(largeBatch(o.m.at.Add(time.Second), 100_000, 400))
	o.sameState()
	if _, _, err := o.Alerts(gone, correlate.AlertQuery{}); err == nil {
		t.Error("a list was read for nobody")
	}
}

func testTimes(t *testing.T, open Open) {
	o := start(t, open, t.TempDir())
	defer o.done()
	zone := time.FixedZone("", 5*3600)
	for i, at := range []time.Time{
		time.Date(2026, 11, 1, 0, 0, 0, 1000, time.UTC), time.Date(2026, 11, 1, 0, 0, 0, 999_999_000, zone),
		time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC), time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	} {
		b := &correlate.Batch{}
		b.At = t0.Add(time.Duration(i) * time.Microsecond)
		fp := ingest.Fingerprint(1<<63 + uint64(i)) // beyond a signed integer
		b.Events = []ingest.Event{{Seq: int64(i + 1), Kind: ingest.KindAlert, ReceivedAt: b.At, StartsAt: at, EndsAt: at, Fingerprint: fp}}
		b.Alerts = []ingest.Alert{{Revision: int64(i + 1), Fingerprint: fp, At: b.At, StartsAt: at, EndsAt: at, FirstSeen: at, EventSeq: int64(i + 1), Status: ingest.Firing}}
		b.Incidents = []correlate.Incident{{ID: fmt.Sprint(i), Revision: 1, At: b.At, OpenedAt: b.At, StartedAt: at, HoldUntil: at, Status: correlate.Open}}
		b.Attachments = []correlate.Attachment{{Revision: int64(i + 11), At: b.At, Incident: fmt.Sprint(i), Fingerprint: fp, StartsAt: at, Began: at}}
		b.Lessons = []correlate.Lesson{{Revision: int64(i + 21), At: b.At, Fingerprint: fp, Began: at}}
		b.Memories = []correlate.Memory{{Revision: int64(i + 31), At: at, Kind: "habit", Key: fmt.Sprint(i), Body: []byte("{}")}}
		o.put(b)
	}
	o.same()
	for _, a := range o.alerts(correlate.AlertQuery{}) {
		if !a.ExpiresAt.IsZero() || !a.LastSeen.IsZero() {
			t.Errorf("a zero time came back as %v and %v", a.ExpiresAt, a.LastSeen)
		}
	}
}

// Garbage is what penetration tests leave in labels.
var garbage = []string{
	"\x00", "a\x00b", "'", "\"", "`; DROP TABLE alerts; --", "%", "_", "%_%", "\\", "{}", "[]", "null", "\u202Eevil\u202C",
	"שלום", "\U0001F4A5", "\xff\xfe", "ok\xc3", "\r\n\t", "<script>alert(1)</script>", "${jndi:ldap://x}", strings.Repeat("A", 10<<10), "\uFFFD", "e\u0301",
}

// testGarbage checks that nothing in texts breaks a list, a page or a query.
// Valid UTF-8 comes back as it was; the rest only has to come back.
func testGarbage(t *testing.T, open Open) {
	o := start(t, open, t.TempDir())
	defer o.done()
	for i, g := range garbage {
		valid := strings.ToValidUTF8(g, "") == g
		n := int64(i + 1)
		ls := ingest.LabelsOf("alertname", g, g, g, g+"2", "x")
		if !valid {
			ls = ls.Set(g+"\xfe", "twin") // equal to its neighbour once replaced
		}
		fp := ingest.FingerprintOf(ls)
		b := &correlate.Batch{}
		b.At = t0.Add(time.Duration(i) * time.Second)
		b.Events = []ingest.Event{{Seq: n, Kind: ingest.KindAlert, Source: g, ReceivedAt: b.At, Fingerprint: fp, Labels: ls, Annotations: ls,
			Raw: []byte(g), Actor: g, SourceSeverity: g, GeneratorURL: g}}
		b.Alerts = []ingest.Alert{{Revision: 4*n - 3, Fingerprint: fp, At: b.At, Status: ingest.Firing, Source: g, CI: g, Incident: g, EventSeq: n,
			BoundBy: g, SourceSeverity: g, Tried: []string{g}}}
		b.Attachments = []correlate.Attachment{{Revision: 4*n - 2, Incident: g, Fingerprint: fp, At: b.At, CI: g, Evidence: correlate.Evidence{Sentence: g, Path: []string{g}}}}
		b.Incidents = []correlate.Incident{{ID: g, Revision: 1, At: b.At, OpenedAt: b.At, Status: correlate.Open, Title: "x" + g, Labels: ls, Assignee: g,
			Blast: correlate.BlastRadius{Services: []string{g}}}}
		b.Lessons = []correlate.Lesson{{Revision: 4*n - 1, At: b.At, Fingerprint: fp, CI: g}}
		b.Memories = []correlate.Memory{{Revision: 4 * n, At: b.At, Kind: g, Key: g, Body: must(json.Marshal(g))(t)}}
		b.CIs = []cmdb.CI{{ID: strings.ToValidUTF8(fmt.Sprint(i, g), "?"), Name: g, Attributes: map[string]string{g: g}, Revision: 1}}
		b.Counts = map[string]correlate.Counts{g: {Stored: 1}}
		if err := o.Append(t.Context(), b); err != nil {
			t.Fatalf("%.40q: %v", g, err)
		}
		if !valid {
			continue
		}
		check(t, fmt.Sprintf("event %.40q", g), b.Events, o.events(correlate.EventQuery{Source: g, Fingerprint: fp}))
		want := b.Alerts[0]
		want.Labels, want.Annotations, want.GeneratorURL = ls, ls, g
		check(t, fmt.Sprintf("alert %.40q", g), []ingest.Alert{want}, o.alerts(correlate.AlertQuery{Source: g, CI: g, Incident: g}))
		for _, q := range []correlate.IncidentQuery{{CI: g}, {Service: g}, {Assignee: g}} {
			check(t, fmt.Sprintf("incident %.40q", g), b.Incidents, o.incidents(q))
		}
	}
	n := len(garbage)
	for limit := range 3 {
		p := correlate.Page{Limit: limit}
		check(t, "incidents", n, len(o.incidents(correlate.IncidentQuery{Page: p})))
		check(t, "alerts", n, len(o.alerts(correlate.AlertQuery{Page: p})))
		check(t, "events", n, len(o.events(correlate.EventQuery{Page: p})))
	}
	for _, g := range garbage {
		if len(o.incidents(correlate.IncidentQuery{Text: g})) == 0 && strings.ToValidUTF8(g, "") == g {
			t.Errorf("incident %.40q is not found by its text", g)
		}
		if _, err := o.Links(t.Context(), g); err != nil {
			t.Errorf("links of %.40q: %v", g, err)
		}
	}
	st := must(o.Restore(t.Context(), time.Hour))(t)
	check(t, "restored", []int{n, n, n, n, n, n},
		[]int{len(st.Alerts), len(st.Incidents), len(st.Attachments), st.Topology.Len(), len(st.Lessons), len(st.Memories)})
	for _, g := range garbage {
		if strings.ToValidUTF8(g, "") != g {
			continue
		}
		body := string(must(json.Marshal(g))(t))
		if !slices.ContainsFunc(st.Lessons, func(l correlate.Lesson) bool { return l.CI == g }) ||
			!slices.ContainsFunc(st.Memories, func(m correlate.Memory) bool { return m.Kind == g && m.Key == g && string(m.Body) == body }) {
			t.Errorf("lesson or memory of %.40q is not what it was", g)
		}
	}
}

func testSightings(t *testing.T, open Open) {
	o := start(t, open, t.TempDir())
	defer o.done()
	var n int64
	tick := func(d time.Duration, change func(b *correlate.Batch, at time.Time)) {
		n++
		b := &correlate.Batch{}
		b.At = o.m.at.Add(d)
		if n == 1 {
			b.At = t0
		}
		change(b, b.At)
		o.put(b)
	}
	alert := func(fp ingest.Fingerprint, status ingest.Status, count int64) {
		tick(time.Second, func(b *correlate.Batch, at time.Time) {
			b.Alerts = []ingest.Alert{{Revision: n, Fingerprint: fp, At: at, Status: status, LastSeen: at, DecidedAt: at, Count: count}}
		})
	}
	for fp := range ingest.Fingerprint(20) {
		alert(fp+1, ingest.Firing, 1)
	}
	// Hours of re-sends, so that a store that compacts them has to; some
	// alerts end in between, and ended ones are re-sent too.
	for i := range 300 {
		tick(time.Minute, func(b *correlate.Batch, at time.Time) {
			for fp := range ingest.Fingerprint(20) {
				if (int(fp)+i)%3 == 0 && i > 2*int(fp) {
					b.Sightings = append(b.Sightings, ingest.Sighting{Fingerprint: fp + 1, LastSeen: at, ExpiresAt: at.Add(time.Minute), Count: int64(i + 2)})
				}
			}
		})
		switch {
		case i%60 == 30:
			alert(ingest.Fingerprint(i/60+1), ingest.Resolved, 1000)
		case i%60 == 50:
			o.restart()
			o.sameState()
		}
	}
	alert(2, ingest.Firing, 1)
	for range 40 { // alert 3 ended long ago and is silent, alert 4 is not
		tick(time.Minute, func(b *correlate.Batch, at time.Time) {
			b.Sightings = []ingest.Sighting{{Fingerprint: 4, LastSeen: at, Count: 2000 + n}, {Fingerprint: 20, LastSeen: at, Count: n}}
		})
	}
	o.same()
	o.restart()
	o.same()
}

func testAccounting(t *testing.T, open Open) {
	o := start(t, open, t.TempDir())
	defer o.done()
	for i := range 10 {
		b := &correlate.Batch{}
		b.At = t0.Add(time.Duration(i/2) * time.Second) // every other one is the same again
		b.Counts = map[string]correlate.Counts{"a": {Stored: 1, Deduplicated: 2, Rejected: 3}, fmt.Sprint("b", i/2): {Rejected: 1}}
		o.put(b)
	}
	check(t, "a", correlate.Counts{Stored: 5, Deduplicated: 10, Rejected: 15}, must(o.Accounting(t.Context()))(t)["a"])
	o.restart()
	o.same()
}

func testLinks(t *testing.T, open Open) {
	o := start(t, open, t.TempDir())
	defer o.done()
	link := func(rev int64, from, to, kind string, removed bool) {
		b := &correlate.Batch{}
		b.At = t0.Add(time.Duration(rev) * time.Second)
		b.Links = []correlate.Link{{Revision: rev, From: from, To: to, Kind: kind, At: b.At, By: "ann", Removed: removed}}
		o.put(b)
	}
	f := func(ref string, want ...int64) {
		t.Helper()
		got := []int64{}
		for _, l := range must(o.Links(t.Context(), ref))(t) {
			got = append(got, l.Revision)
		}
		check(t, "links of "+ref, want, got)
	}
	link(1, "incident:A", "incident:B", "relates_to", false)
	link(2, "incident:A", "incident:B", "caused_by", false)
	link(3, "incident:C", "incident:A", "relates_to", false)
	f("incident:A", 1, 2, 3)
	f("incident:B", 1, 2)
	f("incident:", []int64{}...)
	link(4, "incident:A", "incident:B", "relates_to", true)
	f("incident:A", 2, 3)
	f("incident:B", 2)
	link(5, "incident:A", "incident:B", "relates_to", false)
	f("incident:B", 2, 5)
	check(t, "state", int64(5), must(o.Restore(t.Context(), 0))(t).Revision)
}

// testMemories stores memories of few keys in any order, again and again: of
// each kind and key the newest holds.
func testMemories(t *testing.T, open Open) {
	o := start(t, open, t.TempDir())
	defer o.done()
	var n int64
	put := func(all ...correlate.Memory) {
		n++
		b := &correlate.Batch{}
		b.At = t0.Add(time.Duration(n) * time.Second)
		for i := range all {
			all[i].At = b.At
		}
		b.Memories = all
		o.put(b, b)
		o.sameState()
	}
	of := func(rev int64, kind, key, body string) correlate.Memory {
		return correlate.Memory{Revision: rev, Kind: kind, Key: key, Body: []byte(body)}
	}
	put(of(10, "habit", "a", "10"), of(11, "habit", "b", "11"))
	put(of(12, "habit", "a", "12"), of(14, "habit", "a", "14"), of(13, "habit", "a", "13")) // the newest is not the last
	put(of(9, "habit", "b", "9"), of(20, "place", "a", "20"))                               // late, and another kind
	put(of(10, "habit", "a", "another ten"), of(14, "habit", "a", "another fourteen"))      // both numbers are taken
	// None of these is any other, however alike.
	for i, k := range [][2]string{{"", ""}, {"a", "bc"}, {"ab", "c"}, {"abc", ""}, {"", "abc"}, {"habit", "A"}, {"Habit", "a"}, {"habit", "a "},
		{"habit", "a\x00"}, {"habit\x00", "a"}, {"habit", "\u00e9"}, {"habit", "e\u0301"}, {"habit", "0"}, {"habit", "00"}, {"habit", "1e3"}, {"habit", "1000"}} {
		put(of(int64(100+i), k[0], k[1], fmt.Sprint(i)))
	}
	// Nobody looks into the bodies.
	for i, body := range []string{"null", `"\u0000"`, `{"b":1,"a":1, "a":2.50 }`, `"Ä\ud83d\udca5"`, "[" + strings.Repeat("1,", 1<<16) + "1]"} {
		put(of(int64(200+i), "body", fmt.Sprint(i), body))
	}
	o.restart()
	o.sameState()
	put(of(15, "habit", "a", "15"))
}

// testLessons stores lessons at the edge of what an engine still needs.
func testLessons(t *testing.T, open Open) {
	o := start(t, open, t.TempDir())
	defer o.done()
	var n int64
	put := func(at time.Time, lessons ...int64) {
		b := &correlate.Batch{}
		b.At = at
		for _, rev := range lessons {
			n++
			b.Lessons = append(b.Lessons, correlate.Lesson{Revision: rev, At: at, Fingerprint: ingest.Fingerprint(1<<63 + uint64(n)), Began: at.Add(-correlate.Company),
				CI: []string{"", "ci-1", "ci-2"}[n%3], Again: n%2 == 0, Together: n%5 < 2, Chance: n % 1001})
		}
		o.put(b, b)
		o.sameState()
	}
	put(t0, 1, 2, 3)
	put(t0.Add(time.Microsecond), 4, 6, 5) // not in the order of their numbers
	put(t0.Add(time.Second), 4, 7)         // the first number is taken
	put(t0.Add(correlate.History-time.Microsecond), 8)
	put(t0.Add(correlate.History)) // 1 to 3 are as old as that now
	put(t0.Add(correlate.History + time.Microsecond))
	o.restart()
	o.sameState()
	many := make([]int64, 1000)
	for i := range many {
		many[i] = int64(9 + i)
	}
	put(t0.Add(correlate.History+time.Second), many...)
	put(t0.Add(3 * correlate.History)) // nothing is left
	put(t0.Add(3*correlate.History+time.Second), 2000)
	o.restart()
	o.sameState()
}

func testEstate(t *testing.T, open Open) {
	o := start(t, open, t.TempDir())
	defer o.done()
	put := func(rev int64, cis []cmdb.CI, relations ...cmdb.Relation) {
		b := &correlate.Batch{CIs: cis, Relations: relations}
		b.At = t0.Add(time.Duration(rev) * time.Second)
		for i := range cis {
			cis[i].Revision, cis[i].At = rev, b.At
		}
		for i := range relations {
			relations[i].Revision, relations[i].At = rev, b.At
		}
		o.put(b)
		o.sameState()
	}
	put(1, []cmdb.CI{{ID: "web", Class: "server"}, {ID: "db", Class: "server"}, {ID: "rack", Class: "rack"}},
		cmdb.Relation{From: "web", To: "db", Type: "depends_on"}, cmdb.Relation{From: "db", To: "rack", Type: "located_in", Group: "g", Need: 1})
	put(2, []cmdb.CI{{ID: "web", Class: "service", Name: "Web"}})
	put(3, []cmdb.CI{{ID: "rack", State: cmdb.StateRetired}})
	put(4, nil, cmdb.Relation{From: "web", To: "db", Type: "depends_on", State: cmdb.StateRetired})
	put(5, []cmdb.CI{{ID: "rack", Class: "rack"}}, cmdb.Relation{From: "web", To: "db", Type: "runs_on"})
	o.restart()
	o.sameState()
}

func testLargeBatch(t *testing.T, open Open) {
	o := start(t, open, t.TempDir())
	defer o.done()
	const n = 5000
	b := largeBatch(t0, 0, n)
	o.put(b)
	check(t, "alerts", o.m.newestAlerts(), all(t, 1000, nil, func(p correlate.Page) ([]ingest.Alert, string, error) {
		return o.Alerts(t.Context(), correlate.AlertQuery{Page: p, Incident: "A"})
	}))
	o.restart()
	o.sameState()
	// A limit beyond the highest is cut, not refused.
	items, next, err := o.Attachments(t.Context(), correlate.AttachmentQuery{Incident: "A", Page: correlate.Page{Limit: n}})
	if len(items) != 1000 || next == "" || err != nil {
		t.Errorf("limit %d: %d items, cursor %q, error %v; want 1000 and a cursor", n, len(items), next, err)
	}
}

// largeBatch is n firing alerts in one incident, numbered from first, and what
// they teach.
func largeBatch(at time.Time, first, n int64) *correlate.Batch {
	b := &correlate.Batch{}
	b.At = at
	for i := first; i < first+n; i++ {
		ls := ingest.LabelsOf("alertname", "Down", "instance", fmt.Sprint("host-", i))
		fp := ingest.FingerprintOf(ls)
		b.Events = append(b.Events, ingest.Event{Seq: i + 1, Kind: ingest.KindAlert, ReceivedAt: at, Status: ingest.Firing, Fingerprint: fp, Labels: ls})
		b.Alerts = append(b.Alerts, ingest.Alert{Revision: 4*i + 1, At: at, Fingerprint: fp, Status: ingest.Firing, EventSeq: i + 1, Incident: "A"})
		b.Attachments = append(b.Attachments, correlate.Attachment{Revision: 4*i + 2, At: at, Fingerprint: fp, Incident: "A", Began: at})
		b.Lessons = append(b.Lessons, correlate.Lesson{Revision: 4*i + 3, At: at, Fingerprint: fp, Began: at, CI: fmt.Sprint("host-", i)})
		b.Memories = append(b.Memories, correlate.Memory{Revision: 4*i + 4, At: at, Kind: "habit", Key: fmt.Sprint(i % 100), Body: fmt.Append(nil, i)})
	}
	b.Incidents = []correlate.Incident{{ID: "A", Revision: first + 1, At: at, OpenedAt: t0, Status: correlate.Open}}
	return b
}
