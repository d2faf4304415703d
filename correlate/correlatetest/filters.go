package correlatetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/correlate"
	"tocsin/ingest"
)

func matcher(t testing.TB, op labels.MatchType, name, value string) *labels.Matcher {
	t.Helper()
	return must(labels.NewMatcher(op, name, value))(t)
}

func matching(ls ingest.Labels, ms []*labels.Matcher) bool {
	for _, m := range ms {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}

// matcherSets are tried on every list with labels.
func matcherSets(t testing.TB) [][]*labels.Matcher {
	return [][]*labels.Matcher{
		{matcher(t, labels.MatchEqual, "alertname", "Down")},
		{matcher(t, labels.MatchNotEqual, "alertname", "Down")},
		{matcher(t, labels.MatchRegexp, "instance", "host-[1-3]:.*")},
		{matcher(t, labels.MatchNotRegexp, "instance", "host-[1-3]:.*"), matcher(t, labels.MatchEqual, "Team", "ops")},
		{matcher(t, labels.MatchEqual, "team", "ops")}, // names are as sent, upper case included
		{matcher(t, labels.MatchEqual, "absent", "")},
		{matcher(t, labels.MatchEqual, "instance", "host-1:9100'; --")},
	}
}

// within is From ≤ at < To, where zero bounds nothing.
func within(at, from, to time.Time) bool {
	return (from.IsZero() || !at.Before(from)) && (to.IsZero() || at.Before(to))
}

func among[T comparable](values []T, v T) bool { return len(values) == 0 || slices.Contains(values, v) }

// somewhere makes sure that a story is varied enough to tell filters apart.
func somewhere(t testing.TB, hits, lists int) {
	t.Helper()
	if hits < lists/2 {
		t.Fatalf("only %d of %d filters select anything: the test says little", hits, lists)
	}
}

func testIncidentFilters(t *testing.T, open Open) {
	o, _ := written(t, open, 80)
	defer o.done()
	mid := o.m.newestIncidents()[len(o.m.newestIncidents())/2].OpenedAt
	queries := []correlate.IncidentQuery{
		{Status: []correlate.Status{correlate.Open}},
		{Status: []correlate.Status{correlate.Closed, correlate.Merged, correlate.Resolved}},
		{Severity: []ingest.Severity{ingest.Critical, ingest.Unknown}},
		{Priority: []correlate.Priority{1, 2}},
		{CI: "ci-1"}, {CI: "ci-99"}, {Service: "svc-1"}, {Service: "svc-9"},
		{Assignee: "ann"}, {Assignee: "nobody"},
		{Text: "INC-0"}, {Text: "web-1"}, {Text: "%"}, {Text: "_"}, {Text: "'"},
		{From: mid}, {To: mid}, {From: mid, To: mid.Add(time.Microsecond)}, {From: mid, To: mid},
		{Status: []correlate.Status{correlate.Open, correlate.Acknowledged, correlate.OnHold}, CI: "ci-2", Text: "down"},
	}
	for _, ms := range matcherSets(t) {
		queries = append(queries, correlate.IncidentQuery{Match: ms})
	}
	hits := 0
	for _, q := range queries {
		want := filter(o.m.newestIncidents(), func(i *correlate.Incident) bool {
			onCI := q.CI == ""
			for _, a := range o.m.newestAttachments() {
				onCI = onCI || a.Incident == i.ID && a.CI == q.CI && !a.Detached
			}
			text := strings.ToLower(q.Text)
			return onCI && among(q.Status, i.Status) && among(q.Severity, i.Severity) && among(q.Priority, i.Priority) &&
				(q.Service == "" || slices.Contains(i.Blast.Services, q.Service)) && (q.Assignee == "" || q.Assignee == i.Assignee) &&
				matching(i.Labels, q.Match) && within(i.OpenedAt, q.From, q.To) &&
				(strings.Contains(strings.ToLower(i.ID), text) || strings.Contains(strings.ToLower(i.Title), text))
		})
		if len(want) > 0 {
			hits++
		}
		q.Limit = 3
		got := o.incidents(q)
		q.Limit = 0
		check(t, "incidents of "+describe(q), want, got)
	}
	somewhere(t, hits, len(queries))
}

func testAlertFilters(t *testing.T, open Open) {
	o, _ := written(t, open, 80)
	defer o.done()
	some := o.m.newestAlerts()
	mid := some[len(some)/2].StartsAt
	queries := []correlate.AlertQuery{
		{Status: ingest.Firing}, {Status: ingest.Resolved}, {Status: "odd"},
		{Severity: []ingest.Severity{ingest.Warning, ingest.Unknown}},
		{Source: "otlp"}, {Source: "none"}, {CI: "ci-1"}, {CI: "ci-2", Status: ingest.Firing}, {Incident: "inc-01"}, {Incident: "inc-99"},
		{Suppressed: true}, {Unbound: true}, {Ambiguous: true}, {Suppressed: true, Unbound: true},
		{From: mid}, {To: mid}, {From: mid, To: mid.Add(time.Microsecond)}, {From: mid, To: mid},
		{Fingerprint: []ingest.Fingerprint{some[0].Fingerprint, some[3].Fingerprint, 7}}, {Fingerprint: []ingest.Fingerprint{7}},
		{Fingerprint: []ingest.Fingerprint{some[1].Fingerprint}, Status: some[1].Status},
	}
	for _, ms := range matcherSets(t) {
		queries = append(queries, correlate.AlertQuery{Match: ms}, correlate.AlertQuery{Match: ms, Status: ingest.Firing})
	}
	hits := 0
	for _, q := range queries {
		want := filter(o.m.newestAlerts(), func(a *ingest.Alert) bool {
			return (q.Status == "" || q.Status == a.Status) && among(q.Severity, a.Severity) && (q.Source == "" || q.Source == a.Source) &&
				(q.CI == "" || q.CI == a.CI) && (q.Incident == "" || q.Incident == a.Incident) && (!q.Suppressed || a.Suppression != "") &&
				(!q.Unbound || a.CI == "") && (!q.Ambiguous || len(a.Ambiguous) > 0) && matching(a.Labels, q.Match) &&
				within(a.StartsAt, q.From, q.To) && among(q.Fingerprint, a.Fingerprint)
		})
		if len(want) > 0 {
			hits++
		}
		q.Limit = 3
		got := o.alerts(q)
		q.Limit = 0
		check(t, "alerts of "+describe(q), want, got)
	}
	somewhere(t, hits, len(queries))
}

func testEventFilters(t *testing.T, open Open) {
	o, _ := written(t, open, 80)
	defer o.done()
	some := o.m.newestEvents()
	mid := some[len(some)/2]
	queries := []correlate.EventQuery{
		{Kind: ingest.KindAlert}, {Kind: ingest.KindChange}, {Kind: ingest.KindCommand}, {Kind: ingest.KindAcknowledge},
		{Source: "otlp"}, {Source: "none"}, {Fingerprint: mid.Fingerprint}, {Fingerprint: 7},
		{From: mid.ReceivedAt}, {To: mid.ReceivedAt}, {From: mid.ReceivedAt, To: mid.ReceivedAt.Add(time.Microsecond)},
		{Kind: ingest.KindChange, From: mid.ReceivedAt}, {Fingerprint: mid.Fingerprint, Kind: ingest.KindAlert, To: mid.ReceivedAt},
	}
	for _, ms := range matcherSets(t) {
		queries = append(queries, correlate.EventQuery{Match: ms})
	}
	hits := 0
	for _, q := range queries {
		want := filter(o.m.newestEvents(), func(e *ingest.Event) bool {
			return (q.Kind == "" || q.Kind == e.Kind) && (q.Source == "" || q.Source == e.Source) &&
				(q.Fingerprint == 0 || q.Fingerprint == e.Fingerprint) && matching(e.Labels, q.Match) && within(e.ReceivedAt, q.From, q.To)
		})
		if len(want) > 0 {
			hits++
		}
		q.Limit = 3
		got := o.events(q)
		q.Limit = 0
		check(t, "events of "+describe(q), want, got)
	}
	somewhere(t, hits, len(queries))
}
