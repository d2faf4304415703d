package correlate

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tocsin/cmdb"
	"tocsin/ingest"
)

// What users of other tools complained of, at the level of the engine.

func benchWith(t testing.TB, s *cmdb.Snapshot, change func(*Config)) *bench {
	t.Helper()
	cfg := DefaultConfig()
	change(&cfg)
	e, err := New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, e: e, now: t0}
	if s != nil {
		e.ObserveEstate(s)
	}
	return b
}

// notices are the news of an incident so far, in order.
func (b *bench) notices(id string) (all []Notice) {
	for _, o := range b.outs {
		for i := range o.Incidents {
			if n := NoticeOf(&o.Incidents[i]); o.Incidents[i].ID == id && n != "" && n != NoticeChanged {
				all = append(all, n)
			}
		}
	}
	return all
}

// stored are the events that were stored so far, by kind and status.
func (b *bench) stored(status ingest.Status) (n int) {
	for _, o := range b.outs {
		for i := range o.Events {
			if o.Events[i].Status == status {
				n++
			}
		}
	}
	return n
}

func (b *bench) incident(id string) *Incident {
	b.t.Helper()
	inc := b.e.incidents[id]
	if inc == nil {
		b.t.Fatalf("the engine knows no incident %s", id)
	}
	return &inc.rec
}

// A count is of distinct alerts that fire; the resolved open nothing.
func TestCase01ResolvedAlertsOpenNothing(t *testing.T) {
	b := newBench(t, estateOf(t, "a needs b", "c needs b"))
	b.end("Gone", "a")
	b.end("Gone", "c")
	if len(b.e.incidents) != 0 {
		t.Fatalf("two alerts that were resolved when first heard of opened %d incidents", len(b.e.incidents))
	}
	fp := b.fire("Down", "a")
	inc := b.incidentOf(fp)
	if inc == nil {
		t.Fatal("a firing alert opened none")
	}
	for range 20 {
		b.now = b.now.Add(time.Second)
		b.e.ObserveEvent(event("Down", "a", t0, ingest.Firing))
		b.tick()
	}
	if inc.Alerts.Firing != 1 || inc.Alerts.Total != 1 {
		t.Errorf("one alert sent 21 times counts as %+v", inc.Alerts)
	}
	b.end("Down", "c")
	b.end("Down", "a")
	if inc.Alerts.Firing != 0 || inc.Alerts.Total != 1 {
		t.Errorf("after its end, and that of another which never fired, it counts %+v", inc.Alerts)
	}
}

func TestCase02MergeFiveAndUndo(t *testing.T) {
	b := newBench(t, estateOf(t, "a needs a1", "b needs b1", "c needs c1", "d needs d1", "e needs e1"))
	names := []string{"a", "b", "c", "d", "e"}
	var fps []ingest.Fingerprint
	var ids []string
	for i, ci := range names {
		fp := b.fire(fmt.Sprint("Alert", i), ci)
		fps = append(fps, fp)
		ids = append(ids, b.incidentOf(fp).ID)
	}
	if slices.Sort(ids); len(slices.Compact(slices.Clone(ids))) != 5 {
		t.Fatalf("five unrelated alerts are in %v, want five incidents", ids)
	}
	into, others := b.incidentOf(fps[0]).ID, []string{}
	for _, fp := range fps[1:] {
		others = append(others, b.incidentOf(fp).ID)
	}
	if _, err := b.do(Command{Kind: CmdLink, Link: &Link{From: "incident:" + others[2], To: "https://desk.example.com/42", Kind: "relates_to"}}); err != nil {
		t.Fatal(err)
	}
	inc, err := b.do(Command{Kind: CmdMerge, Incident: into, Incidents: others})
	if err != nil || inc.Alerts.Firing != 5 || len(inc.MergedFrom) != 4 {
		t.Fatalf("merge: %v; %+v from %v", err, inc.Alerts, inc.MergedFrom)
	}
	for i, id := range others {
		if rec := b.incident(id); rec.Status != Merged || rec.MergedInto != into {
			t.Errorf("%s is %s into %q", id, rec.Status, rec.MergedInto)
		}
		if got := b.incidentOf(fps[i+1]); got == nil || got.ID != into {
			t.Errorf("alert %d did not follow", i+1)
		}
		// The old id leads to the new one.
		if inc, err := b.do(Command{Kind: CmdComment, Incident: id, Comment: "by the old id"}); err != nil || inc.ID != into {
			t.Errorf("a comment on %s went to %q: %v", id, inc.ID, err)
		}
	}
	if inc, err = b.do(Command{Kind: CmdUnmerge, Incident: into, Incidents: others}); err != nil || inc.Alerts.Firing != 1 || len(inc.MergedFrom) != 0 {
		t.Fatalf("unmerge: %v; %+v from %v", err, inc.Alerts, inc.MergedFrom)
	}
	for i, id := range others {
		if rec := b.incident(id); rec.Status != Open || rec.MergedInto != "" || rec.Alerts.Firing != 1 {
			t.Errorf("undone, %s is %s with %+v", id, rec.Status, rec.Alerts)
		}
		if got := b.incidentOf(fps[i+1]); got == nil || got.ID != id {
			t.Errorf("undone, alert %d is in %v, want %s", i+1, got, id)
		}
	}
	// What people have taken apart does not grow together again.
	b.after(time.Minute)
	b.fire("Alert0", "a")
	if b.incident(others[0]).Status != Open {
		t.Errorf("%s was merged again by itself", others[0])
	}
	links := 0
	for _, o := range b.outs {
		for _, l := range o.Links {
			if l.From == "incident:"+others[2] && !l.Removed {
				links++
			}
		}
	}
	if links != 1 {
		t.Errorf("the link of %s was stored %d times, want once and never taken away", others[2], links)
	}
}

func TestCase03IntermittentFaultIsOneEpisodeWithOnePage(t *testing.T) {
	b := benchWith(t, estateOf(t, "a needs b"), func(c *Config) {
		c.ResolveDelay, c.ReopenWindow = Duration(10*time.Minute), Duration(30*time.Minute)
		c.Flapping.Window = 0
	})
	fp := b.fire("Down", "a")
	id := b.incidentOf(fp).ID
	for range 12 {
		b.now = b.now.Add(2 * time.Minute)
		b.end("Down", "a")
		b.now = b.now.Add(6 * time.Minute)
		if b.fire("Down", "a"); b.incidentOf(fp) == nil || b.incidentOf(fp).ID != id {
			t.Fatalf("it fires again in %v, want %s", b.incidentOf(fp), id)
		}
	}
	if got := b.notices(id); !slices.Equal(got, []Notice{NoticeOpened}) {
		t.Errorf("people were told %v, want opened once", got)
	}
	b.end("Down", "a")
	b.after(10 * time.Minute)
	if s := b.incident(id).Status; s != Resolved {
		t.Fatalf("ten quiet minutes later it is %s", s)
	}
	b.now = b.now.Add(29 * time.Minute)
	b.fire("Down", "a")
	if got := b.notices(id); !slices.Equal(got, []Notice{NoticeOpened, NoticeResolved, NoticeReopened}) {
		t.Errorf("people were told %v, want opened, resolved, reopened", got)
	}
	b.end("Down", "a")
	b.after(10 * time.Minute)
	b.after(31 * time.Minute)
	b.fire("Down", "a")
	if inc := b.incidentOf(fp); inc == nil || inc.ID == id {
		t.Errorf("after the window it is in %v, want a new incident", inc)
	}
}

func TestCase04SourceResolvesDuringTheOutage(t *testing.T) {
	b := benchWith(t, estateOf(t, "a needs b", "c needs d", "x needs y"), func(c *Config) { c.OutageGrace = Duration(3 * time.Minute) })
	expiring := func(name, ci string) ingest.Fingerprint {
		ev := event(name, ci, b.now, ingest.Firing)
		ev.EndsAt = b.now.Add(4 * time.Minute)
		b.e.ObserveEvent(ev)
		b.tick()
		return ev.Fingerprint
	}
	late, silent, resent := expiring("Down", "a"), expiring("Slow", "c"), expiring("Full", "x")
	since := b.now
	firing := func(fp ingest.Fingerprint) bool { return b.e.alerts[fp].firing }

	// Away for an hour; all of them have expired long since.
	b.now = b.now.Add(time.Hour)
	b.e.ObserveOutage(since)
	b.tick()
	if !firing(late) || !firing(silent) || !firing(resent) {
		t.Fatal("alerts whose source could not reach us did not outlive the outage")
	}
	b.now = b.now.Add(time.Minute)
	ev := event("Down", "a", since, ingest.Resolved)
	ev.EndsAt = since.Add(20 * time.Minute)
	b.e.ObserveEvent(ev)
	again := event("Full", "x", since, ingest.Firing)
	again.EndsAt = b.now.Add(4 * time.Minute)
	b.e.ObserveEvent(again)
	b.tick()
	if a := b.e.record(b.e.alerts[late]); a.Status != ingest.Resolved || a.EndedBy != "source" || !a.EndsAt.Equal(since.Add(20*time.Minute)) {
		t.Errorf("resolved by the late message: %s by %q at %v", a.Status, a.EndedBy, a.EndsAt)
	}
	b.after(time.Minute)
	if !firing(silent) {
		t.Error("it ended before the grace did")
	}
	b.after(time.Minute)
	if a := b.e.record(b.e.alerts[silent]); a.Status != ingest.Resolved || a.EndedBy != "timeout" {
		t.Errorf("after the grace it is %s by %q, want resolved by timeout", a.Status, a.EndedBy)
	}
	if !firing(resent) {
		t.Error("an alert that is sent again ended")
	}
}

// One application, three things that fail in it at the same moment and have no
// more in common than its name, which all their labels carry.
func TestCase13IndependentIncidentsInOneApplicationStayApart(t *testing.T) {
	checkCase13(t, "web needs lb", "mailer needs relay", "reports needs warehouse")
}

// The same when something needs all three: a shared dependant is no reason.
func TestCase13AlsoWithASharedDependant(t *testing.T) {
	checkCase13(t, "shop needs web", "shop needs mailer", "shop needs reports", "web needs lb", "mailer needs relay", "reports needs warehouse")
}

func checkCase13(t *testing.T, relations ...string) {
	t.Helper()
	b := newBench(t, estateOf(t, relations...))
	fire := func(name, ci string) ingest.Fingerprint {
		ev := event(name, ci, b.now, ingest.Firing)
		ev.Labels = ev.Labels.Set("application", "shop").Set("team", "web")
		ev.Fingerprint = ingest.FingerprintOf(ev.Labels)
		b.e.ObserveEvent(ev)
		return ev.Fingerprint
	}
	fps := []ingest.Fingerprint{fire("CertificateExpired", "lb"), fire("QueueGrows", "relay"), fire("DiskFull", "warehouse")}
	b.tick()
	b.now = b.now.Add(10 * time.Second)
	web := fire("Errors", "web")
	b.tick()
	seen := map[string]bool{}
	for _, fp := range fps {
		seen[b.incidentOf(fp).ID] = true
	}
	if len(seen) != 3 {
		t.Errorf("three independent faults are in %d incidents, want 3", len(seen))
	}
	if b.incidentOf(web) != b.incidentOf(fps[0]) {
		t.Error("the web server is apart from its load balancer")
	}
}

func TestCase17SilentWatchdogIsAnIncident(t *testing.T) {
	b := newBench(t, nil)
	beat := func() {
		ev := event("Watchdog", "", t0, ingest.Firing)
		ev.EndsAt = b.now.Add(4 * time.Minute)
		b.e.ObserveEvent(ev)
		b.tick()
	}
	for range 10 {
		beat()
		b.now = b.now.Add(time.Minute)
	}
	if len(b.e.incidents) != 0 {
		t.Fatal("a watchdog that fires is no incident")
	}
	b.after(2 * time.Minute)
	if len(b.e.incidents) != 0 {
		t.Fatal("three minutes of silence are not yet too long")
	}
	b.after(2 * time.Minute)
	if len(b.e.incidents) != 1 {
		t.Fatalf("a silent watchdog made %d incidents, want 1", len(b.e.incidents))
	}
	var id string
	for id = range b.e.incidents {
	}
	if inc := b.incident(id); inc.Severity != ingest.Critical || inc.Status != Open {
		t.Errorf("it is %s and %s: %s", inc.Severity, inc.Status, inc.Title)
	}
	b.now = b.now.Add(time.Minute)
	beat()
	if inc := b.incident(id); inc.Alerts.Firing != 0 {
		t.Errorf("the watchdog is back and %d alerts fire", inc.Alerts.Firing)
	}
	for range 6 {
		b.now = b.now.Add(time.Minute)
		beat()
	}
	if s := b.incident(id).Status; s != Resolved {
		t.Errorf("after the resolve delay it is %s", s)
	}
}

// What is suppressed is still stored, and its end still counts.
func TestCase20SuppressionKeepsHistoryAndResolution(t *testing.T) {
	b := newBench(t, estateOf(t, "a needs b"))
	fp := b.fire("Down", "a")
	id := b.incidentOf(fp).ID
	if _, err := b.do(Command{Kind: CmdResolve, Incident: id, Force: true}); err != nil {
		t.Fatal(err)
	}
	a := b.e.alerts[fp]
	if rec := b.e.record(a); rec.Suppression != "operator" || rec.Status != ingest.Firing {
		t.Fatalf("resolved by force, the alert is %s, suppressed by %q", rec.Status, rec.Suppression)
	}
	told := len(b.notices(id))
	stored := b.stored(ingest.Firing)
	b.now = b.now.Add(time.Minute)
	ev := event("Down", "a", t0, ingest.Firing)
	ev.Annotations = ingest.LabelsOf("value", "97")
	b.e.ObserveEvent(ev)
	b.tick()
	if got := b.stored(ingest.Firing); got != stored+1 {
		t.Errorf("what a suppressed alert says was stored %d times, want once", got-stored)
	}
	if got := b.notices(id); len(got) != told {
		t.Errorf("people were told %v of a suppressed alert", got[told:])
	}
	b.now = b.now.Add(time.Minute)
	b.end("Down", "a")
	if rec := b.e.record(a); rec.Status != ingest.Resolved || rec.EndedBy != "source" {
		t.Errorf("the end of a suppressed alert: %s by %q", rec.Status, rec.EndedBy)
	}
	if b.stored(ingest.Resolved) != 1 {
		t.Error("its end was not stored")
	}

	// Flapping opens nothing and loses nothing.
	b = newBench(t, estateOf(t, "a needs b"))
	const flips = 40
	for range flips {
		b.fire("Flaps", "a")
		b.now = b.now.Add(10 * time.Second)
		b.end("Flaps", "a")
		b.now = b.now.Add(10 * time.Second)
	}
	fp = b.fire("Flaps", "a")
	if rec := b.e.record(b.e.alerts[fp]); !rec.Flapping || rec.Status != ingest.Firing {
		t.Errorf("after %d flips it is %s, flapping %t", flips, rec.Status, rec.Flapping)
	}
	if f, r := b.stored(ingest.Firing), b.stored(ingest.Resolved); f != flips+1 || r != flips {
		t.Errorf("%d firings and %d resolutions were stored, want %d and %d", f, r, flips+1, flips)
	}
	b.now = b.now.Add(time.Minute)
	b.end("Flaps", "a")
	if rec := b.e.record(b.e.alerts[fp]); rec.Status != ingest.Resolved {
		t.Errorf("the end of a flapping alert: %s", rec.Status)
	}
	news := 0
	for _, o := range b.outs {
		for i := range o.Incidents {
			if n := NoticeOf(&o.Incidents[i]); n == NoticeOpened || n == NoticeReopened {
				news++
			}
		}
	}
	if news > 3 {
		t.Errorf("an alert that flaps %d times made %d pages", flips, news)
	}
}
