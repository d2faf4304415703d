package correlate

import (
	"errors"
	"slices"
	"testing"
	"time"

	"tocsin/ingest"
)

// checkStatus says what an incident's status has to be.
func (b *bench) checkStatus(id string, want Status) {
	b.t.Helper()
	if got := b.e.incidents[id].rec.Status; got != want {
		b.t.Errorf("incident %s is %s, want %s", id, got, want)
	}
}

func (b *bench) must(c Command) Incident {
	b.t.Helper()
	inc, err := b.do(c)
	if err != nil {
		b.t.Fatalf("%s: %v", c.Kind, err)
	}
	return inc
}

func TestMergeOfFiveAndBack(t *testing.T) {
	b := newBench(t, nil)
	var ids []string
	var fps []ingest.Fingerprint
	for _, ci := range []string{"a", "b", "c", "d", "e"} {
		fp := b.fire("Down", ci)
		fps = append(fps, fp)
		ids = append(ids, b.incidentOf(fp).ID)
	}
	into := b.must(Command{Kind: CmdMerge, Incident: ids[0], Incidents: ids[1:]})
	if into.ID != ids[0] || into.Alerts.Total != 5 || !slices.Equal(into.MergedFrom, sortedIDs(ids[1:])) {
		t.Fatalf("merged: %+v", into)
	}
	for _, id := range ids[1:] {
		b.checkStatus(id, Merged)
	}
	// A command to a merged incident reaches where it went.
	if inc := b.must(Command{Kind: CmdAcknowledge, Incident: ids[3]}); inc.ID != ids[0] {
		t.Errorf("a command to %s reached %s, want %s", ids[3], inc.ID, ids[0])
	}
	b.must(Command{Kind: CmdUnmerge, Incident: ids[0], Incidents: ids[1:]})
	for i, fp := range fps {
		if got := b.incidentOf(fp).ID; got != ids[i] {
			t.Errorf("after undoing, alert %d is in %s, want %s", i, got, ids[i])
		}
	}
	b.checkStatus(ids[0], Acknowledged)
	b.checkStatus(ids[1], Open)
}

func sortedIDs(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return ids
}

func TestPeopleAreNotOverruled(t *testing.T) {
	b := newBench(t, estateOf(t, "api needs db", "portal needs api"))
	db, api := b.fire("Down", "db"), b.fire("Down", "api")
	one := b.incidentOf(db)
	two := b.must(Command{Kind: CmdSplit, Incident: one.ID, Alerts: []ingest.Fingerprint{api}})
	if two.ID == one.ID || b.incidentOf(api).ID != two.ID || two.SplitFrom != one.ID {
		t.Fatalf("split: %+v", two)
	}
	// An alert that belongs to both does not join them again.
	b.fire("Errors", "portal")
	b.fire("Errors", "api")
	b.checkStatus(one.ID, Open)
	b.checkStatus(two.ID, Open)
	// A re-send of the alert that was moved leaves it where people put it.
	b.fire("Down", "api")
	if b.incidentOf(api).ID != two.ID {
		t.Error("the split alert went back by itself")
	}
	b.must(Command{Kind: CmdMove, Incident: two.ID, Alerts: []ingest.Fingerprint{api}, Target: one.ID})
	if b.incidentOf(api).ID != one.ID {
		t.Error("the moved alert did not move")
	}
}

func TestResolveAgainstFiringAlerts(t *testing.T) {
	b := newBench(t, nil)
	fp := b.fire("Down", "a")
	id := b.incidentOf(fp).ID
	if _, err := b.do(Command{Kind: CmdResolve, Incident: id}); !errors.Is(err, ErrState) {
		t.Fatalf("resolve while it fires: %v, want ErrState", err)
	}
	b.must(Command{Kind: CmdResolve, Incident: id, Force: true})
	b.checkStatus(id, Resolved)
	if s := b.e.alerts[fp].suppression; s != suppressedOperator {
		t.Errorf("the alert that still fires is suppressed by %q, want operator", s)
	}
	b.must(Command{Kind: CmdReopen, Incident: id})
	if s := b.e.alerts[fp].suppression; s != notSuppressed {
		t.Errorf("reopened: the alert is suppressed by %q", s)
	}
}

func TestHoldEnds(t *testing.T) {
	b := newBench(t, nil)
	id := b.incidentOf(b.fire("Down", "a")).ID
	b.must(Command{Kind: CmdHold, Incident: id, Until: b.now.Add(time.Hour)})
	b.after(59 * time.Minute)
	b.checkStatus(id, OnHold)
	b.after(2 * time.Minute)
	b.checkStatus(id, Open)
	if at := b.e.incidents[id].rec.At; !at.Equal(t0.Add(time.Hour)) {
		t.Errorf("the hold ended at %s, want its due time", at)
	}
	if _, err := b.do(Command{Kind: CmdHold, Incident: id, Until: b.now.Add(-time.Hour)}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a hold until the past: %v, want ErrInvalid", err)
	}
}

func TestTwoOperatorsDoNotOverwriteEachOther(t *testing.T) {
	b := newBench(t, nil)
	inc := b.incidentOf(b.fire("Down", "a"))
	seen := inc.Revision
	b.must(Command{Kind: CmdAssign, Incident: inc.ID, Assignee: "bob", Revision: seen})
	if _, err := b.do(Command{Kind: CmdAssign, Incident: inc.ID, Assignee: "eve", Revision: seen}); !errors.Is(err, ErrConflict) {
		t.Errorf("the second: %v, want ErrConflict", err)
	}
	// The same command again, as after a lost answer, is carried out once.
	c := Command{ID: "once", By: "ann", Kind: CmdComment, Incident: inc.ID, Comment: "hello"}
	for range 2 {
		again := c
		b.e.ObserveCommand(&again)
		if out := b.tick(); out.Replies[0].Err != nil {
			t.Fatal(out.Replies[0].Err)
		}
	}
	comments := 0
	for _, o := range b.outs {
		for _, i := range o.Incidents {
			for _, e := range i.Entries {
				if e.Kind == EntryCommented {
					comments++
				}
			}
		}
	}
	if comments != 1 {
		t.Errorf("%d comments, want 1", comments)
	}
}

// After an outage of ours, alerts whose source could not reach us get a grace
// period; then silence counts again.
func TestOutageIsForgiven(t *testing.T) {
	b := newBench(t, nil)
	ev := event("Down", "a", b.now, ingest.Firing)
	ev.EndsAt = b.now.Add(4 * time.Minute)
	b.e.ObserveEvent(ev)
	b.tick()
	away := b.now
	b.now = b.now.Add(time.Hour)
	b.e.ObserveOutage(away)
	b.tick()
	if !b.e.alerts[ev.Fingerprint].firing {
		t.Fatal("the alert expired while we were away")
	}
	b.after(4 * time.Minute)
	if !b.e.alerts[ev.Fingerprint].firing {
		t.Fatal("the alert expired within the grace period")
	}
	b.after(2 * time.Minute)
	if b.e.alerts[ev.Fingerprint].firing {
		t.Fatal("the alert did not expire after the grace period")
	}
}

// A closed incident that was forgotten can be given back and reopened.
func TestRecall(t *testing.T) {
	b := newBench(t, nil)
	h := newHistory()
	fp := b.fire("Down", "a")
	id := b.incidentOf(fp).ID
	b.now = b.now.Add(time.Minute)
	b.end("Down", "a")
	b.after(72 * time.Hour)
	for _, o := range b.outs {
		h.add(o)
	}
	reopen := Command{Kind: CmdReopen, Incident: id}
	if _, err := b.do(reopen); !errors.Is(err, ErrForgotten) {
		t.Fatalf("reopen what is forgotten: %v, want ErrForgotten", err)
	}
	b.e.Recall(State{Incidents: []Incident{h.incidents[id]}, Attachments: []Attachment{h.attachments[id+fp.String()]},
		Alerts: []ingest.Alert{withLabels(h, fp)}})
	inc := b.must(reopen)
	if inc.Status != Open || inc.Alerts.Total != 1 {
		t.Fatalf("reopened: %+v", inc)
	}
	b.after(time.Hour)
	b.checkStatus(id, Open) // people's to resolve, for nothing fires
	b.must(Command{Kind: CmdResolve, Incident: id})
	b.checkStatus(id, Resolved)
}

func withLabels(h *history, fp ingest.Fingerprint) ingest.Alert {
	a := h.alerts[fp]
	a.Labels, a.Annotations = h.events[a.EventSeq].Labels, h.events[a.EventSeq].Annotations
	return a
}
