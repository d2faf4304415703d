package correlate

import (
	"fmt"
	"testing"
	"time"

	"tocsin/cmdb"
	"tocsin/ingest"
)

var t0 = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// bench is an engine with a clock and what it has put out so far.
type bench struct {
	t    testing.TB
	e    *Engine
	now  time.Time
	outs []*Output
}

func newBench(t testing.TB, s *cmdb.Snapshot) *bench {
	t.Helper()
	e, err := New(DefaultConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, e: e, now: t0}
	if s != nil {
		e.ObserveEstate(s)
	}
	return b
}

func (b *bench) tick() *Output {
	out := b.e.Tick(b.now)
	b.outs = append(b.outs, out)
	return out
}

func (b *bench) after(d time.Duration) *bench {
	b.now = b.now.Add(d)
	b.tick()
	return b
}

func event(name, ci string, at time.Time, status ingest.Status) *ingest.Event {
	labels := ingest.LabelsOf("alertname", name, "ci", ci, "severity", "major")
	ev := &ingest.Event{Kind: ingest.KindAlert, Source: "test", Status: status, Labels: labels, StartsAt: at,
		Severity: ingest.Major, Fingerprint: ingest.FingerprintOf(labels), PrometheusFingerprint: ingest.FingerprintOf(labels)}
	if status == ingest.Resolved {
		ev.EndsAt = at.Add(time.Minute)
	}
	return ev
}

func (b *bench) fire(name, ci string) ingest.Fingerprint {
	ev := event(name, ci, b.now, ingest.Firing)
	b.e.ObserveEvent(ev)
	b.tick()
	return ev.Fingerprint
}

func (b *bench) end(name, ci string) {
	ev := event(name, ci, b.now, ingest.Resolved)
	ev.EndsAt = b.now
	b.e.ObserveEvent(ev)
	b.tick()
}

func (b *bench) do(c Command) (Incident, error) {
	b.t.Helper()
	c.ID, c.By = fmt.Sprint("cmd", len(b.outs)), "ann"
	b.e.ObserveCommand(&c)
	out := b.tick()
	if len(out.Replies) != 1 {
		b.t.Fatalf("command %+v: %d replies, want 1", c, len(out.Replies))
	}
	return out.Replies[0].Incident, out.Replies[0].Err
}

func (b *bench) incidentOf(fp ingest.Fingerprint) *Incident {
	b.t.Helper()
	a := b.e.alerts[fp]
	if a == nil || a.incident == nil {
		return nil
	}
	return &a.incident.rec
}

func estateOf(t testing.TB, relations ...string) *cmdb.Snapshot {
	t.Helper()
	seen := map[string]bool{}
	var cis []cmdb.CI
	var rels []cmdb.Relation
	for _, r := range relations {
		var from, to, kind string
		if _, err := fmt.Sscan(r, &from, &kind, &to); err != nil {
			t.Fatalf("relation %q: %v", r, err)
		}
		if kind == "needs" {
			kind = "depends_on"
		}
		for _, id := range []string{from, to} {
			if !seen[id] {
				seen[id] = true
				cis = append(cis, cmdb.CI{ID: id, Class: "server"})
			}
		}
		rels = append(rels, cmdb.Relation{From: from, To: to, Type: kind})
	}
	s, err := cmdb.New(cis, rels)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRelatedAlertsShareAnIncident(t *testing.T) {
	b := newBench(t, estateOf(t, "portal needs api", "api needs db", "db needs disk", "other needs thing"))
	disk := b.fire("DiskFull", "disk")
	b.now = b.now.Add(20 * time.Second)
	db := b.fire("Down", "db")
	portal := b.fire("Errors", "portal")
	other := b.fire("Errors", "other")
	inc := b.incidentOf(disk)
	if inc == nil || b.incidentOf(db) != inc || b.incidentOf(portal) != inc {
		t.Fatalf("disk, db and portal are in %v, %v, %v; want one incident", inc, b.incidentOf(db), b.incidentOf(portal))
	}
	if b.incidentOf(other) == inc {
		t.Error("an unrelated CI joined")
	}
	if len(inc.Causes) == 0 || inc.Causes[0].ID != "disk" {
		t.Errorf("causes %+v; want disk first", inc.Causes)
	}
	t.Logf("%s: %s; cause %s", inc.ID, inc.Title, inc.Causes[0].Reason)
	for _, o := range b.outs {
		for _, at := range o.Attachments {
			t.Log(at.Evidence.Sentence)
		}
	}
}

// A resolve delay of five minutes and a reopen window of thirty make an
// intermittent fault one incident.
func TestIntermittentFaultIsOneIncident(t *testing.T) {
	b := newBench(t, estateOf(t, "a needs b"))
	fp := b.fire("Down", "a")
	id := b.incidentOf(fp).ID
	for range 3 {
		b.now = b.now.Add(2 * time.Minute)
		b.end("Down", "a")
		b.after(9 * time.Minute)
		if s := b.e.incidents[id].rec.Status; s != Resolved {
			t.Fatalf("nine minutes after the end the incident is %s", s)
		}
		b.now = b.now.Add(15 * time.Minute)
		b.fire("Down", "a")
		if s := b.e.incidents[id].rec.Status; s != Open {
			t.Fatalf("fired again: the incident is %s", s)
		}
	}
	opened := 0
	for _, o := range b.outs {
		for i := range o.Incidents {
			if NoticeOf(&o.Incidents[i]) == NoticeOpened {
				opened++
			}
		}
	}
	if opened != 1 {
		t.Errorf("opened %d times, want 1", opened)
	}
	b.end("Down", "a")
	b.after(40 * time.Minute)
	if s := b.e.incidents[id].rec.Status; s != Closed {
		t.Errorf("forty minutes after the last end the incident is %s, want closed", s)
	}
}

// Without a CMDB a name brings alerts together, but does not make one incident
// of two: services that share a host stay apart.
func TestSharedNamesDoNotMerge(t *testing.T) {
	b := newBench(t, nil)
	fire := func(name, instance, service string) ingest.Fingerprint {
		ev := event(name, "", b.now, ingest.Firing)
		ev.Labels = ingest.LabelsOf("alertname", name, "instance", instance, "service", service)
		ev.Fingerprint = ingest.FingerprintOf(ev.Labels)
		b.e.ObserveEvent(ev)
		b.tick()
		return ev.Fingerprint
	}
	shop := fire("Slow", "node-1", "shop")
	mail := fire("Slow", "node-2", "mail")
	fire("Errors", "node-1", "mail")
	if again := fire("Errors", "node-3", "shop"); b.incidentOf(again) != b.incidentOf(shop) {
		t.Error("two alerts of one service are apart")
	}
	if b.incidentOf(shop) == b.incidentOf(mail) {
		t.Error("two services became one incident because one host runs both")
	}
}
