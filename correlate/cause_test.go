package correlate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/ingest"
)

// story fires alerts given as "Name ci", five seconds apart, and returns their
// incident; it wants them to be one.
func (b *bench) story(alerts ...string) *Incident {
	b.t.Helper()
	var inc *Incident
	for i, a := range alerts {
		name, ci, _ := strings.Cut(a, " ")
		in := b.incidentOf(b.fire(name, ci))
		if i > 0 && in != inc {
			b.t.Fatalf("%s is not in the incident of the alerts before it", a)
		}
		inc = in
		b.now = b.now.Add(5 * time.Second)
	}
	return inc
}

// over ends the alerts of a story, and has the incident closed.
func (b *bench) over(alerts ...string) {
	for _, a := range alerts {
		name, ci, _ := strings.Cut(a, " ")
		b.end(name, ci)
	}
	b.after(time.Hour)
}

func (b *bench) changeOf(ci, text string) {
	b.e.ObserveEvent(&ingest.Event{Kind: ingest.KindChange, Source: "test", Labels: ingest.LabelsOf("ci", ci), StartsAt: b.now,
		Annotations: ingest.LabelsOf("summary", text)})
	b.tick()
}

func cisOf(inc *Incident) (ids []string) {
	for _, c := range inc.Causes {
		if c.Kind == "ci" {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func causeOf(t testing.TB, inc *Incident, id string) *Cause {
	t.Helper()
	for i := range inc.Causes {
		if inc.Causes[i].ID == id {
			return &inc.Causes[i]
		}
	}
	t.Fatalf("%s is no cause of %s: %+v", id, inc.ID, inc.Causes)
	return nil
}

func (c *Cause) part(kind string) *Part {
	for i := range c.Parts {
		if c.Parts[i].Kind == kind {
			return &c.Parts[i]
		}
	}
	return &Part{}
}

// A cause explains the alerts downstream of it, and what should alert but does
// not speaks against it.
func TestCauseExplainsWhatAlerts(t *testing.T) {
	f := func(want string, relations []string, alerts ...string) {
		t.Helper()
		inc := newBench(t, estateOf(t, relations...)).story(alerts...)
		if got := cisOf(inc); len(got) == 0 || got[0] != want {
			t.Errorf("%v: causes %v, want %s first\n%+v", alerts, got, want, inc.Causes)
		}
	}
	shops := []string{"a needs db", "b needs db", "c needs db"}
	f("db", shops, "Errors a", "Errors b", "Errors c")
	f("db", shops, "Slow a", "Errors b", "Down c")
	f("db", shops, "Errors a", "Errors b", "Down db")
	f("a", shops, "Errors a")
	f("disk", []string{"portal needs api", "api needs db", "db stored_on disk"}, "Errors portal", "Errors api", "Errors db", "Full disk")
	f("feed", []string{"s1 powered_by feed", "s2 powered_by feed", "s3 powered_by feed"}, "Down s1", "Down s2", "Down s3")
	// Both explain the two alerts, but one of them should have made others.
	many := []string{"a needs quiet", "b needs quiet"}
	for i := range 12 {
		many = append(many, fmt.Sprintf("other%d needs popular", i))
	}
	f("quiet", append(many, "a needs popular", "b needs popular"), "Errors a", "Errors b")
	// Neighbours across links are near, but need nothing: their silence says nothing.
	f("access", []string{"access connects_to core", "ap1 connects_to access", "ap2 connects_to access", "ap3 connects_to access"}, "LinkDown access")
	f("access", []string{"access connects_to core", "ap1 connects_to access", "ap2 connects_to access", "ap3 connects_to access"},
		"LinkDown access", "LinkDown core", "NeighbourLost access")
	// From a pod the way leads to what its service needs.
	f("db", []string{"web served_by web-pod", "api served_by api-pod", "web needs db", "api needs db"}, "Slow web-pod", "Errors web", "Errors api", "Slow api-pod")
}

// Whether a fault makes three alerts of one name or thirty, they are one
// symptom.
func TestCauseHearsEachNameOnce(t *testing.T) {
	var relations, alerts []string
	for i := range 6 {
		relations = append(relations, fmt.Sprintf("pod%d runs_on node", i), fmt.Sprintf("pod%d needs db", i))
		alerts = append(alerts, fmt.Sprintf("Slow pod%d", i))
	}
	b := newBench(t, estateOf(t, relations...))
	inc := b.story(alerts[:2]...)
	before := causeOf(t, inc, "db").part("explains").Points
	b.story(alerts...)
	if after := causeOf(t, inc, "db").part("explains").Points; after != before {
		t.Errorf("with six alerts of one name the CI explains %d, with two %d", after, before)
	}
	b.story(append(alerts, "QueryFailed pod0")...)
	if after := causeOf(t, inc, "db").part("explains").Points; after <= before {
		t.Errorf("another name adds nothing: %d after %d", after, before)
	}
}

// What changed recently is the likelier cause, the more the seldomer it does.
func TestCauseChangedRecently(t *testing.T) {
	estate := []string{"a needs x", "a needs y", "b needs x", "b needs y"}
	points := func(b *bench) int {
		b.story("Errors a", "Errors b")
		return causeOf(t, b.incident(b.incidentOf(event("Errors", "a", t0, ingest.Firing).Fingerprint).ID), "y").part("change").Points
	}
	b := newBench(t, estateOf(t, estate...))
	b.changeOf("y", "deploy y 2.0")
	b.now = b.now.Add(5 * time.Minute)
	inc := b.story("Errors a", "Errors b")
	if got := cisOf(inc); got[0] != "y" {
		t.Fatalf("causes %v, want the one that was changed first", got)
	}
	y := causeOf(t, inc, "y")
	if p := y.part("change"); p.Points < 1000 || p.Detail != "deploy y 2.0" || !strings.Contains(y.Reason, "changed 5m0s before (deploy y 2.0)") {
		t.Errorf("the change gives %+v and the reason %q", p, y.Reason)
	}
	if ch := inc.Causes[1]; ch.Kind != "change" || ch.Name != "deploy y 2.0" || ch.Score != y.Score || !ch.At.Equal(t0) {
		t.Errorf("below its CI stands %+v, want the change", ch)
	}
	first := y.part("change").Points

	// The engine forgets changes after an hour or so; the incident does not.
	b.after(5 * time.Hour)
	b.fire("Slow", "a")
	if len(b.e.changes) != 0 {
		t.Fatal("the engine remembers a change for ever")
	}
	if got := causeOf(t, inc, "y").part("change").Points; got != first || inc.Causes[1].Kind != "change" {
		t.Errorf("hours later the change gives %d points, then %+v; want %d", got, inc.Causes[1], first)
	}

	later := newBench(t, estateOf(t, estate...))
	later.changeOf("y", "deploy")
	later.now = later.now.Add(25 * time.Minute)
	if got := points(later); got <= 0 || got >= first/2 {
		t.Errorf("a change 25 minutes before gives %d, one 5 minutes before %d", got, first)
	}
	old := newBench(t, estateOf(t, estate...))
	old.changeOf("y", "deploy")
	old.now = old.now.Add(40 * time.Minute)
	if got := points(old); got != 0 {
		t.Errorf("a change 40 minutes before gives %d", got)
	}
	often := newBench(t, estateOf(t, estate...))
	for range 7 * 24 * 6 {
		often.changeOf("y", "deploy")
		often.now = often.now.Add(10 * time.Minute)
	}
	often.changeOf("y", "deploy")
	often.now = often.now.Add(5 * time.Minute)
	if got := points(often); got <= 0 || got > 100 {
		t.Errorf("a change of what changes every ten minutes gives %d", got)
	}
	without := benchWith(t, estateOf(t, estate...), func(c *Config) { c.Weights.Change = 0 })
	without.changeOf("y", "deploy")
	without.now = without.now.Add(5 * time.Minute)
	if got := points(without); got != 0 {
		t.Errorf("without changes, one gives %d", got)
	}
}

// That it alerted first is told, but counts for nothing: what is far from a
// fault is often watched more closely than what is near it. Nor does severity.
func TestCauseOrderAndSeverityDoNotCount(t *testing.T) {
	alerts := []string{"Down db", "Errors api", "Slow portal"}
	estate := estateOf(t, "portal needs api", "api needs db")
	scores := func(alerts []string, severity ingest.Severity) (list []string) {
		b := newBench(t, estate)
		var inc *Incident
		for _, a := range alerts {
			name, ci, _ := strings.Cut(a, " ")
			ev := event(name, ci, b.now, ingest.Firing)
			if name == "Slow" {
				ev.Severity = severity
			}
			b.e.ObserveEvent(ev)
			b.tick()
			inc = b.incidentOf(ev.Fingerprint)
			b.now = b.now.Add(10 * time.Second)
		}
		for _, c := range inc.Causes {
			list = append(list, fmt.Sprint(c.ID, c.Score))
		}
		if first := causeOf(t, inc, strings.Fields(alerts[0])[1]); !strings.Contains(first.Reason, "alerted first") {
			t.Errorf("the reason of what alerted first is %q", first.Reason)
		}
		return list
	}
	want := scores(alerts, ingest.Major)
	slices.Reverse(alerts)
	if got := scores(alerts, ingest.Major); !slices.Equal(got, want) {
		t.Errorf("in another order the causes are %v, not %v", got, want)
	}
	if got := scores(alerts, ingest.Critical); !slices.Equal(got, want) {
		t.Errorf("with another severity the causes are %v, not %v", got, want)
	}
}

func TestCauseListsEachWorkloadOnceFirst(t *testing.T) {
	b := newBench(t, estateOf(t, "web served_by web-deploy", "web-deploy owns web-pod", "web needs db", "db runs_on node"))
	inc := b.story("Errors web", "Restarts web-pod")
	got := cisOf(inc)
	if len(got) != maxCauses || slices.Contains(got[1:3], "web") || slices.Contains(got[1:3], "web-deploy") || slices.Contains(got[1:3], "web-pod") {
		t.Errorf("causes %v, want web's, db and node before others of web", got)
	}
	for i := range inc.Causes {
		if i > 0 && inc.Causes[i].Score > inc.Causes[i-1].Score {
			t.Errorf("%+v stands below one that scores less", inc.Causes[i])
		}
	}
}

// An alert that no CI stands for stands for itself.
func TestCauseWithoutCIs(t *testing.T) {
	b := newBench(t, estateOf(t, "a needs b"))
	inc := b.incidentOf(b.fire("Down", "elsewhere"))
	if len(inc.Causes) != 1 || inc.Causes[0].Kind != "alert" || inc.Causes[0].Score != 1000 {
		t.Errorf("causes %+v, want the alert", inc.Causes)
	}
}

// The score is the share of what a certain cause would have.
func TestCauseScore(t *testing.T) {
	b := newBench(t, estateOf(t, "a needs b"))
	inc := b.incidentOf(b.fire("Down", "b"))
	c := causeOf(t, inc, "b")
	full := int(points(seenMost, strayLeast))
	if got := c.part("explains").Points; got != full {
		t.Errorf("a CI explains its own alert with %d points, want %d", got, full)
	}
	if got, want := c.part("silent").Points, -pointsSilent; got != want {
		t.Errorf("the silence of what needs it gives %d points, want %d", got, want)
	}
	if want := (full - pointsSilent) * 1000 / full; c.Score != want {
		t.Errorf("score %d, want %d", c.Score, want)
	}
	if want := "explains all alerts, on 1 CI, the workload that needs it does not alert, alerted first"; c.Reason != want {
		t.Errorf("reason %q, want %q", c.Reason, want)
	}
}
