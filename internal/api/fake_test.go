package api

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// fake is a server's inside in a few maps: enough to see that the handlers ask
// for the right things and write what they get.
type fake struct {
	incidents   map[string][]correlate.Incident // revisions
	alerts      map[ingest.Fingerprint]ingest.Alert
	events      []ingest.Event // oldest first
	attachments []correlate.Attachment
	links       []correlate.Link
	deliveries  []correlate.Delivery
	counts      map[string]correlate.Counts
	done        map[string]correlate.Incident // by command ID
	commands    []correlate.Command
	estate      *cmdb.Snapshot
	queries     []any
	fail        error // returned by everything
}

var _ interface {
	correlate.Reader
	Commander
	Explainer
	Estate
	Outbox
} = (*fake)(nil)

// pageOf cuts a page out of a list; the cursor is the index to go on at.
func pageOf[T any](all []T, p correlate.Page) ([]T, string, error) {
	first := 0
	if p.Cursor != "" {
		var err error
		if first, err = strconv.Atoi(p.Cursor); err != nil || first > len(all) {
			return nil, "", fmt.Errorf("%w: cursor %q is not one of ours", correlate.ErrInvalid, p.Cursor)
		}
	}
	limit := cmp.Or(p.Limit, 100)
	all = all[first:]
	if len(all) <= limit {
		return all, "", nil
	}
	return all[:limit], strconv.Itoa(first + limit), nil
}

func collect[T any](seq iter.Seq[T], keep func(T) bool) (out []T) {
	for v := range seq {
		if keep(v) {
			out = append(out, v)
		}
	}
	return out
}

func (f *fake) Incident(_ context.Context, id string) (correlate.Incident, error) {
	revs := f.incidents[id]
	if f.fail != nil || len(revs) == 0 {
		return correlate.Incident{}, cmp.Or(f.fail, fmt.Errorf("incident %s: %w", id, correlate.ErrNotFound))
	}
	return revs[len(revs)-1], nil
}

func (f *fake) Incidents(_ context.Context, q correlate.IncidentQuery) ([]correlate.Incident, string, error) {
	f.queries = append(f.queries, q)
	var latest []correlate.Incident
	for _, revs := range f.incidents {
		latest = append(latest, revs[len(revs)-1])
	}
	slices.SortFunc(latest, func(a, b correlate.Incident) int { return strings.Compare(b.ID, a.ID) })
	latest = collect(slices.Values(latest), func(inc correlate.Incident) bool {
		return len(q.Status) == 0 || slices.Contains(q.Status, inc.Status)
	})
	items, next, err := pageOf(latest, q.Page)
	return items, next, cmp.Or(f.fail, err)
}

func (f *fake) Timeline(_ context.Context, id string, p correlate.Page) ([]correlate.Incident, string, error) {
	return pageOf(f.incidents[id], p)
}

func (f *fake) Attachments(_ context.Context, q correlate.AttachmentQuery) ([]correlate.Attachment, string, error) {
	return pageOf(collect(slices.Values(f.attachments), func(a correlate.Attachment) bool {
		return (q.Incident == "" || a.Incident == q.Incident) && (q.Fingerprint == 0 || a.Fingerprint == q.Fingerprint)
	}), q.Page)
}

func (f *fake) Alert(_ context.Context, fp ingest.Fingerprint) (ingest.Alert, error) {
	a, ok := f.alerts[fp]
	if !ok {
		return a, fmt.Errorf("alert %s: %w", fp, correlate.ErrNotFound)
	}
	return a, nil
}

func (f *fake) Alerts(_ context.Context, q correlate.AlertQuery) ([]ingest.Alert, string, error) {
	f.queries = append(f.queries, q)
	all := slices.SortedFunc(maps.Values(f.alerts), func(a, b ingest.Alert) int { return int(a.Revision - b.Revision) })
	return pageOf(collect(slices.Values(all), func(a ingest.Alert) bool {
		return (q.Incident == "" || a.Incident == q.Incident) && (q.CI == "" || a.CI == q.CI) && (!q.Unbound || a.CI == "") &&
			(q.Status == "" || a.Status == q.Status)
	}), q.Page)
}

func (f *fake) Events(_ context.Context, q correlate.EventQuery) ([]ingest.Event, string, error) {
	f.queries = append(f.queries, q)
	newest := slices.Clone(f.events)
	slices.Reverse(newest)
	return pageOf(collect(slices.Values(newest), func(e ingest.Event) bool {
		return (q.Kind == "" || e.Kind == q.Kind) && (q.Fingerprint == 0 || e.Fingerprint == q.Fingerprint) &&
			(q.From.IsZero() || !e.ReceivedAt.Before(q.From)) && (q.To.IsZero() || e.ReceivedAt.Before(q.To))
	}), q.Page)
}

func (f *fake) Links(_ context.Context, ref string) ([]correlate.Link, error) {
	return collect(slices.Values(f.links), func(l correlate.Link) bool { return l.From == ref || l.To == ref }), nil
}

func (f *fake) Accounting(context.Context) (map[string]correlate.Counts, error) {
	return f.counts, f.fail
}

func (f *fake) Deliveries(_ context.Context, state string, p correlate.Page) ([]correlate.Delivery, string, error) {
	return pageOf(collect(slices.Values(f.deliveries), func(d correlate.Delivery) bool { return state == "" || d.State == state }), p)
}

func (f *fake) Do(_ context.Context, cmd correlate.Command) (correlate.Incident, error) {
	if f.fail != nil {
		return correlate.Incident{}, f.fail
	}
	if inc, ok := f.done[cmd.ID]; ok {
		return inc, nil
	}
	f.commands = append(f.commands, cmd)
	if cmd.Link != nil {
		if cmd.Kind == correlate.CmdUnlink {
			f.links = slices.DeleteFunc(f.links, func(l correlate.Link) bool { return l.From == cmd.Link.From && l.To == cmd.Link.To })
		} else {
			l := *cmd.Link
			l.By, l.At, l.Revision = cmd.By, testNow, int64(len(f.links)+1)
			f.links = append(f.links, l)
		}
		if cmd.Incident == "" {
			return correlate.Incident{}, nil
		}
	}
	inc, err := f.Incident(context.Background(), cmd.Incident)
	switch {
	case err != nil:
		return inc, err
	case cmd.Revision != 0 && cmd.Revision != inc.Revision:
		return inc, fmt.Errorf("incident %s: %w revision %d", inc.ID, correlate.ErrConflict, cmd.Revision)
	case inc.Status == correlate.Merged:
		return inc, fmt.Errorf("incident %s is merged: %w", inc.ID, correlate.ErrState)
	}
	inc.Revision++
	inc.Entries = []correlate.Entry{{Kind: correlate.EntryCommented, By: cmd.By, Text: cmd.Comment}}
	if cmd.Kind == correlate.CmdAcknowledge {
		inc.Status, inc.AcknowledgedAt, inc.AcknowledgedBy = correlate.Acknowledged, testNow, cmd.By
	}
	f.incidents[inc.ID] = append(f.incidents[inc.ID], inc)
	f.done[cmd.ID] = inc
	return inc, nil
}

func (f *fake) Explain(_ context.Context, fp ingest.Fingerprint, incident string) (correlate.Explanation, error) {
	for _, a := range f.attachments {
		if a.Fingerprint == fp && a.Incident == incident {
			return correlate.Explanation{Fingerprint: fp, Incident: incident, Member: true, At: a.At, Evidence: a.Evidence}, nil
		}
	}
	return correlate.Explanation{}, correlate.ErrNotFound
}

func (f *fake) Noise(context.Context) ([]correlate.Noise, error) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	return []correlate.Noise{
		{Fingerprint: diskFP, Kind: "chronic", Firings: 6, Within: 24 * time.Hour, Last: at},
		{Fingerprint: 1, Kind: "periodic", Firings: 5, Within: 96 * time.Hour, Period: 24 * time.Hour, Last: at},
	}, nil
}

func (f *fake) Estate() *cmdb.Snapshot { return f.estate }

func (f *fake) ChangeEstate(_ context.Context, change func(*cmdb.Snapshot) (cmdb.Change, error)) error {
	c, err := change(f.estate)
	if err != nil {
		return err
	}
	next, err := f.estate.Apply(c)
	if err != nil {
		return err
	}
	f.estate = next
	return nil
}

var testNow = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

const feed = "7DK-Q2M4"

// garbage is what a penetration test leaves behind.
const garbage = "<script>alert(1)</script>\x1b[2J\u202e'; DROP TABLE x; --\xff\x00"

var (
	diskFP   = ingest.Fingerprint(0x00000000000000aa)
	feedFP   = ingest.Fingerprint(0x00000000000000bb)
	orphanFP = ingest.Fingerprint(0x00000000000000cc)
)

func newFake() *fake {
	alert := func(fp ingest.Fingerprint, name string, rev int64) ingest.Alert {
		return ingest.Alert{Fingerprint: fp, PrometheusFingerprint: fp, StartsAt: testNow.Add(-time.Hour), Revision: rev, At: testNow,
			Status: ingest.Firing, Source: "prometheus", Severity: ingest.Critical, FirstSeen: testNow.Add(-time.Hour), LastSeen: testNow,
			Count: 3, EventSeq: rev, Labels: ingest.LabelsOf("alertname", name, "x", garbage), Annotations: ingest.LabelsOf("summary", garbage)}
	}
	disk, power, orphan := alert(diskFP, "DiskFull", 1), alert(feedFP, "PowerLost", 2), alert(orphanFP, "Who", 3)
	disk.CI, disk.BoundBy, disk.Incident = "rack/1", "host=rack/1", feed
	power.CI, power.Incident = "feed a", feed
	orphan.Tried = []string{"instance=10.0.0.9", "host=nobody"}
	inc := correlate.Incident{ID: feed, Revision: 1, At: testNow, Status: correlate.Open, Title: "feed a lost: " + garbage,
		Severity: ingest.Critical, Priority: 1, Impact: 1, Urgency: 1, StartedAt: testNow.Add(-time.Hour), OpenedAt: testNow,
		Alerts: correlate.AlertCounts{Firing: 2, Total: 2, CIs: 2}, Sources: []string{"prometheus"}, Labels: ingest.LabelsOf("x", garbage),
		Causes: []correlate.Cause{{Kind: "ci", ID: "feed a", Name: "Feed A", Score: 900, Parts: []correlate.Part{{Kind: "topology", Points: 90}}, Reason: "explains all"}},
		Blast:  correlate.BlastRadius{CIs: 2, Services: []string{"shop"}, ServiceCount: 1}, Entries: []correlate.Entry{{Kind: correlate.EntryOpened, By: "tocsin", Text: "opened"}}}
	second := inc
	second.Signature, second.JudgedAt = "service */shop Down 0123456789", testNow
	second.Changes = []correlate.SuspectChange{{ID: "CHG-7", Name: "replace a fuse", CI: "feed a", At: testNow.Add(-70 * time.Minute), Score: 870, Linked: true,
		Reason: "changed 10m0s before the first alert", Parts: []correlate.Part{{Kind: "lag", Points: -69, Detail: "600 s"}}}}
	second.Revision, second.Entries = 2, []correlate.Entry{{Kind: correlate.EntryAlerts, By: "tocsin", Text: "1 alert joined"}}
	merged := inc
	merged.ID, merged.Status, merged.MergedInto = "7DK-AAAA", correlate.Merged, feed
	merged.Sources, merged.Causes, merged.Entries, merged.Blast.Services = nil, []correlate.Cause{{Kind: "ci", ID: "shop"}}, nil, nil
	event := func(seq int64, kind ingest.Kind, ago time.Duration, summary string) ingest.Event {
		return ingest.Event{Seq: seq, Kind: kind, Source: "prometheus", ReceivedAt: testNow.Add(-ago), Status: ingest.Firing, Fingerprint: diskFP,
			PrometheusFingerprint: diskFP, Labels: disk.Labels, Annotations: ingest.LabelsOf("summary", summary), StartsAt: testNow.Add(-time.Hour), Severity: ingest.Critical}
	}
	e4 := event(4, ingest.KindAlert, 10*time.Minute, "99 %")
	e4.Raw = []byte("not json \xff")
	change := event(3, ingest.KindChange, 30*time.Minute, "deploy")
	change.Status = ""
	estate, err := cmdb.New([]cmdb.CI{
		{ID: "feed a", Class: "feed", Name: "Feed A", Criticality: cmdb.CriticalityHigh, Keys: map[string][]string{"cloud_id": {"i-0ABC"}}, Revision: 1},
		{ID: "rack/1", Class: "rack", Owner: "dc", Revision: 1},
		{ID: "shop", Class: cmdb.ClassService, Environment: "prod", Revision: 1},
		{ID: "alone", Class: "server", Revision: 1},
	}, []cmdb.Relation{{From: "rack/1", To: "feed a", Type: "powered_by", Revision: 1}, {From: "shop", To: "rack/1", Type: "runs_on", Revision: 1}})
	if err != nil {
		panic(err)
	}
	return &fake{
		incidents: map[string][]correlate.Incident{feed: {inc, second}, merged.ID: {merged}},
		alerts:    map[ingest.Fingerprint]ingest.Alert{diskFP: disk, feedFP: power, orphanFP: orphan},
		events: []ingest.Event{event(1, ingest.KindAlert, time.Hour, "90 %"), event(2, ingest.KindAlert, 40*time.Minute, "95 %"),
			change, e4},
		attachments: []correlate.Attachment{{Revision: 5, At: testNow, Incident: feed, Fingerprint: diskFP, StartsAt: testNow.Add(-time.Hour), CI: "rack/1", By: "tocsin",
			Evidence: correlate.Evidence{Sentence: "rack/1 needs feed a", Score: 130, Threshold: 100, Parts: []correlate.Part{{Kind: "topology", Points: 80, Detail: "1 hop"}},
				Nearest: feedFP, Path: []string{"rack/1", "feed a"}, Gap: time.Second, RunnersUp: []correlate.RunnerUp{{Incident: "7DK-BBBB", Score: 20, Reason: "no path"}}, Model: "1"}}},
		links:      []correlate.Link{{From: "incident:" + feed, To: "change:3", Kind: "caused_by", Revision: 1, At: testNow, By: "ann"}},
		deliveries: []correlate.Delivery{{Key: "k", Receiver: "hook", Incident: feed, Revision: 1, Notice: correlate.NoticeOpened, At: testNow, State: "pending", NextAttempt: testNow}},
		counts:     map[string]correlate.Counts{"prometheus": {Stored: 4, Deduplicated: 5, Rejected: 1}, "api": {Stored: 1}},
		done:       map[string]correlate.Incident{},
		estate:     estate,
	}
}
