package correlatetest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

var t0 = time.Date(2026, 11, 1, 10, 0, 0, 1000, time.UTC)

// story makes batches as an engine would, out of few things, so that they meet
// again and again. pick chooses a number from 0 to n-1.
type story struct {
	pick      func(n int) int
	at        time.Time
	seq, rev  int64
	incidents map[string]correlate.Incident
	counts    map[ingest.Fingerprint]int64
	events    map[ingest.Fingerprint]int64
	cis       map[string]bool // value: live
	estateRev int64
}

func newStory(pick func(int) int) *story {
	return &story{pick: pick, at: t0, incidents: map[string]correlate.Incident{}, counts: map[ingest.Fingerprint]int64{},
		events: map[ingest.Fingerprint]int64{}, cis: map[string]bool{}}
}

// seeded is a story that is the same each time.
func seeded(seed uint64) *story {
	r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // not a secret
	return newStory(r.IntN)
}

func choose[T any](s *story, from ...T) T { return from[s.pick(len(from))] }

func (s *story) labels(n int) ingest.Labels {
	return ingest.LabelsOf("alertname", []string{"Down", "Slow"}[n%2], "instance", fmt.Sprintf("host-%d:9100", n), "Team", "ops")
}

func (s *story) batch() *correlate.Batch {
	s.at = s.at.Add(choose(s, time.Microsecond, time.Second, time.Minute, 10*time.Minute, 100*time.Minute, 9*time.Hour))
	b := &correlate.Batch{}
	b.At = s.at
	sighted := map[ingest.Fingerprint]bool{}
	for range s.pick(5) {
		switch s.pick(8) {
		case 0:
			s.other(b)
		case 1, 2:
			s.sight(b, sighted)
		default:
			s.alert(b)
		}
	}
	for range s.pick(3) {
		s.incident(b)
	}
	if s.pick(4) == 0 {
		s.link(b)
	}
	if s.pick(4) == 0 {
		s.estate(b)
	}
	for range s.pick(4) {
		s.learn(b)
	}
	b.Counts = map[string]correlate.Counts{choose(s, "alertmanager", "otlp"): {Stored: int64(s.pick(9)), Deduplicated: int64(s.pick(3)), Rejected: int64(s.pick(2))}}
	return b
}

// alert adds an event, what it makes of its alert, and maybe an attachment.
func (s *story) alert(b *correlate.Batch) {
	n := s.pick(12)
	ls := s.labels(n)
	fp := ingest.FingerprintOf(ls)
	s.seq++
	s.counts[fp]++
	s.events[fp] = s.seq
	e := ingest.Event{Seq: s.seq, Kind: ingest.KindAlert, Source: choose(s, "alertmanager", "otlp"), ReceivedAt: s.at,
		Status: choose(s, ingest.Firing, ingest.Firing, ingest.Resolved), Fingerprint: fp, PrometheusFingerprint: fp + 1, Labels: ls,
		Annotations: ingest.LabelsOf("summary", fmt.Sprintf("event %d", s.seq)), StartsAt: s.at.Add(-time.Duration(s.pick(1000)) * time.Millisecond),
		Severity: ingest.Severity(s.pick(6)), SourceSeverity: "P1", GeneratorURL: "http://localhost:9090/graph", Timeout: time.Duration(s.pick(3)) * time.Minute}
	s.rev++
	a := ingest.Alert{Fingerprint: fp, PrometheusFingerprint: fp + 1, StartsAt: e.StartsAt, Revision: s.rev, At: s.at, Status: e.Status,
		Source: e.Source, Severity: e.Severity, SourceSeverity: "P1", FirstSeen: s.at.Add(-time.Second), LastSeen: s.at, Count: s.counts[fp],
		DecidedAt: s.at.Add(-time.Duration(s.pick(2)) * time.Hour), EventSeq: s.seq, Transitions: []time.Time{s.at}}
	if e.Status == ingest.Resolved {
		e.EndsAt = s.at
		a.EndsAt, a.EndedBy = s.at, "source"
	} else {
		a.ExpiresAt = s.at.Add(5 * time.Minute)
	}
	switch s.pick(4) {
	case 0:
		a.Tried = []string{"host=x"}
	case 1:
		a.Ambiguous = []string{"a", "b"}
	default:
		a.CI, a.BoundBy = fmt.Sprintf("ci-%d", n%4), "host=x"
	}
	if s.pick(4) == 0 {
		a.Suppression, a.Flapping = "flapping", true
	}
	for id := range s.incidents {
		if a.Incident == "" || id < a.Incident { // the order of maps is no choice of ours
			a.Incident = id
		}
	}
	if a.Incident != "" && s.pick(3) > 0 {
		a.Incident = fmt.Sprintf("inc-%02d", s.pick(len(s.incidents)))
	}
	b.Events = append(b.Events, e)
	b.Alerts = append(b.Alerts, a)
	if a.Incident != "" {
		s.rev++
		b.Attachments = append(b.Attachments, correlate.Attachment{Revision: s.rev, At: s.at, Incident: a.Incident, Fingerprint: fp,
			StartsAt: a.StartsAt, Began: a.StartsAt.Add(-time.Duration(s.pick(3)) * time.Minute), CI: a.CI, Detached: s.pick(4) == 0, By: "tocsin", Evidence: correlate.Evidence{
				Sentence: "Joined because both are on web-1.", Score: 120, Threshold: 100, Parts: []correlate.Part{{Kind: "time", Points: -3, Detail: "18s apart"}},
				Nearest: fp, Path: []string{"web-1"}, Gap: 18 * time.Second, RunnersUp: []correlate.RunnerUp{{Incident: "inc-99", Score: 3, Reason: "less"}}, Model: "m"}})
	}
}

// sight adds a re-send of an alert that is there.
func (s *story) sight(b *correlate.Batch, sighted map[ingest.Fingerprint]bool) {
	fp := ingest.FingerprintOf(s.labels(s.pick(12)))
	if s.counts[fp] == 0 || sighted[fp] {
		return
	}
	sighted[fp] = true
	s.counts[fp]++
	x := ingest.Sighting{Fingerprint: fp, LastSeen: s.at, Count: s.counts[fp]}
	if s.pick(3) > 0 {
		x.ExpiresAt = s.at.Add(time.Duration(s.pick(10)-2) * time.Minute)
	}
	b.Sightings = append(b.Sightings, x)
}

// other adds a change, a command or an outage.
func (s *story) other(b *correlate.Batch) {
	s.seq++
	b.Events = append(b.Events, ingest.Event{Seq: s.seq, Kind: choose(s, ingest.KindChange, ingest.KindCommand, ingest.KindOutage), Source: "api",
		ReceivedAt: s.at, StartsAt: s.at, Labels: ingest.LabelsOf("service", "portal"), Actor: "ann", Raw: json.RawMessage(`{"id":"c1", "n": 1.50}`)})
}

func (s *story) incident(b *correlate.Batch) {
	n := s.pick(len(s.incidents) + 1)
	if n == len(s.incidents) {
		n = s.pick(min(len(s.incidents)+1, 40))
	}
	id := fmt.Sprintf("inc-%02d", n)
	inc, ok := s.incidents[id]
	if !ok {
		inc = correlate.Incident{ID: id, Title: fmt.Sprintf("Down on Web-%d", n), OpenedAt: s.at, StartedAt: s.at.Add(-time.Minute),
			Labels: s.labels(n), Blast: correlate.BlastRadius{CIs: 3, Services: []string{fmt.Sprintf("svc-%d", n%3)}, ServiceCount: 1}}
	}
	inc.Revision++
	inc.At = s.at
	inc.Status = choose(s, correlate.Statuses...)
	inc.Severity, inc.Priority, inc.Assignee = ingest.Severity(s.pick(6)), correlate.Priority(1+s.pick(5)), choose(s, "", "ann", "bob")
	inc.ClosedAt, inc.MergedInto = time.Time{}, ""
	switch inc.Status {
	case correlate.Closed:
		inc.ClosedAt = s.at
	case correlate.Merged:
		inc.ClosedAt, inc.MergedInto = s.at, "inc-00"
	case correlate.Pending, correlate.Open, correlate.Acknowledged, correlate.OnHold, correlate.Resolved:
	}
	inc.Causes = []correlate.Cause{{Kind: "ci", ID: "ci-1", Name: "CI 1", Score: 700, Parts: []correlate.Part{{Kind: "explains", Points: 3}}, Reason: "r"}}
	inc.Entries = []correlate.Entry{{Kind: correlate.EntryAlerts, By: "tocsin", Text: fmt.Sprintf("revision %d", inc.Revision)}}
	s.incidents[id] = inc
	b.Incidents = append(b.Incidents, inc)
}

func (s *story) link(b *correlate.Batch) {
	s.rev++
	b.Links = append(b.Links, correlate.Link{From: fmt.Sprintf("incident:inc-%02d", s.pick(3)), To: choose(s, "ticket:T-1", "incident:inc-01x"),
		Kind: choose(s, "relates_to", "caused_by"), Revision: s.rev, At: s.at, By: "ann", Removed: s.pick(3) == 0})
}

// learn adds a memory or a lesson.
func (s *story) learn(b *correlate.Batch) {
	s.rev++
	if s.pick(2) == 0 {
		b.Memories = append(b.Memories, correlate.Memory{Revision: s.rev, At: s.at, Kind: choose(s, "habit", "place"), Key: fmt.Sprint(s.pick(5)),
			Body: fmt.Appendf(nil, `{"judged": %d,  "x":1.50}`, s.pick(100))})
		return
	}
	n := s.pick(12)
	b.Lessons = append(b.Lessons, correlate.Lesson{Revision: s.rev, At: s.at, Fingerprint: ingest.FingerprintOf(s.labels(n)), Began: s.at.Add(-correlate.Company),
		CI: choose(s, "", fmt.Sprintf("ci-%d", n%4)), Again: s.pick(3) == 0, Together: s.pick(2) == 0, Chance: int64(s.pick(1001))})
}

// estate adds revisions of CIs and of relations between live ones.
func (s *story) estate(b *correlate.Batch) {
	s.estateRev++
	n := s.pick(5)
	c := cmdb.CI{ID: fmt.Sprintf("ci-%d", n), Class: "server", Name: "Ä\"%_", Keys: map[string][]string{"ip": {"10.0.0.1"}},
		Attributes: map[string]string{"rack": "r1"}, Source: "file", Revision: s.estateRev, At: s.at}
	if s.pick(4) == 0 {
		c.State = cmdb.StateRetired
	}
	b.CIs = append(b.CIs, c)
	s.cis[c.ID] = c.State != cmdb.StateRetired
	to := fmt.Sprintf("ci-%d", s.pick(5))
	if _, known := s.cis[to]; known && to != c.ID {
		r := cmdb.Relation{From: c.ID, To: to, Type: "depends_on", Source: "file", Revision: s.estateRev, At: s.at}
		if s.pick(4) == 0 {
			r.State = cmdb.StateRetired
		}
		b.Relations = append(b.Relations, r)
	}
}
