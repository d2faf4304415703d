package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// tape is a recording in memory.
type tape struct {
	events      []ingest.Event
	expired     []ingest.Alert
	alerts      []ingest.Alert
	attachments []correlate.Attachment
	incidents   []correlate.Incident
	estate      cmdb.Change
	end         time.Time
}

func each[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func (r *tape) End() time.Time { return r.end }
func (r *tape) Events(context.Context, time.Time, time.Time) iter.Seq2[ingest.Event, error] {
	return each(r.events)
}
func (r *tape) Expired(context.Context, time.Time, time.Time) iter.Seq2[ingest.Alert, error] {
	return each(r.expired)
}
func (r *tape) Firing(context.Context, time.Time) iter.Seq2[ingest.Alert, error] {
	return each[ingest.Alert](nil)
}
func (r *tape) Episodes(context.Context, time.Time, time.Time) iter.Seq2[ingest.Alert, error] {
	return each(r.alerts)
}
func (r *tape) Attachments(context.Context, time.Time, time.Time) iter.Seq2[correlate.Attachment, error] {
	return each(r.attachments)
}
func (r *tape) Incidents(context.Context, time.Time, time.Time) iter.Seq2[correlate.Incident, error] {
	return each(r.incidents)
}
func (r *tape) Incident(_ context.Context, id string, before time.Time) (st correlate.State, err error) {
	for _, inc := range r.incidents {
		if inc.ID == id && inc.At.Before(before) {
			st.Incidents = []correlate.Incident{inc}
		}
	}
	if st.Incidents == nil {
		return st, correlate.ErrNotFound
	}
	newest := map[ingest.Fingerprint]correlate.Attachment{}
	for _, a := range r.attachments {
		if a.Incident == id && a.At.Before(before) {
			newest[a.Fingerprint] = a
		}
	}
	for fp, at := range newest {
		if at.Detached {
			continue
		}
		st.Attachments = append(st.Attachments, at)
		var alert ingest.Alert
		for _, a := range r.alerts {
			if a.Fingerprint == fp && a.At.Before(before) {
				alert = a
			}
		}
		st.Alerts = append(st.Alerts, r.described(alert))
	}
	slices.SortFunc(st.Attachments, func(a, b correlate.Attachment) int { return int(a.Revision - b.Revision) })
	return st, nil
}

// described is an alert with what its event says.
func (r *tape) described(a ingest.Alert) ingest.Alert {
	n, ok := slices.BinarySearchFunc(r.events, a.EventSeq, func(e ingest.Event, seq int64) int { return int(e.Seq - seq) })
	if ok {
		a.Labels, a.Annotations = r.events[n].Labels, r.events[n].Annotations
	}
	return a
}

func (r *tape) Estate(context.Context, time.Time) (cmdb.Change, error) { return r.estate, nil }

// record drives an engine and keeps on tape what a store would.
type record struct {
	t      *testing.T
	engine *correlate.Engine
	tape   *tape
	now    time.Time
	// recalled is how often a command was about something forgotten.
	recalled int
}

func newRecord(t *testing.T) *record {
	t.Helper()
	e, err := correlate.New(correlate.DefaultConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cis := []cmdb.CI{{ID: "a", Class: "server", At: now}, {ID: "b", Class: "server", At: now}, {ID: "c", Class: "server", At: now}}
	s, err := cmdb.New(cis, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.ObserveEstate(s)
	return &record{t: t, engine: e, tape: &tape{estate: cmdb.Change{CIs: cis}}, now: now}
}

func (r *record) tick() *correlate.Output {
	out := r.engine.Tick(r.now)
	r.tape.events = append(r.tape.events, out.Events...)
	r.tape.alerts = append(r.tape.alerts, out.Alerts...)
	r.tape.attachments = append(r.tape.attachments, out.Attachments...)
	r.tape.incidents = append(r.tape.incidents, out.Incidents...)
	r.tape.end = out.At
	r.now = r.now.Add(time.Second)
	return out
}

// fire has an alert begin on a CI and returns its incident.
func (r *record) fire(name, ci string) (ingest.Fingerprint, string) {
	r.t.Helper()
	ev := ingest.Event{Kind: ingest.KindAlert, Source: "x", Status: ingest.Firing, StartsAt: r.now, Labels: ingest.LabelsOf("alertname", name, "ci", ci)}
	ev.Fingerprint = ingest.FingerprintOf(ev.Labels)
	r.engine.ObserveEvent(&ev)
	out := r.tick()
	return ev.Fingerprint, out.Attachments[len(out.Attachments)-1].Incident
}

func (r *record) do(c correlate.Command) correlate.Incident {
	r.t.Helper()
	c.ID, c.By = r.now.String(), "ann"
	r.engine.ObserveCommand(&c)
	out := r.tick()
	if err := out.Replies[0].Err; err != nil {
		r.t.Fatal(err)
	}
	return out.Replies[0].Incident
}

func TestLabels(t *testing.T) {
	r := newRecord(t)
	_, a := r.fire("Down", "a")
	slow, _ := r.fire("Slow", "a")
	_, b := r.fire("Down", "b")
	full, c := r.fire("Full", "c")
	check := func(what string, want Agreement) {
		t.Helper()
		labels, err := (&Recorded{Recording: r.tape}).Labels(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		// What the engine makes of it without being told.
		res, err := Run(t.Context(), &Recorded{Recording: r.tape}, Options{Config: correlate.DefaultConfig(), WithoutCommands: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Outcome.Agree(labels); got != want {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
		told, err := Run(t.Context(), &Recorded{Recording: r.tape}, Options{Config: correlate.DefaultConfig()})
		if err != nil {
			t.Fatal(err)
		}
		if got := told.Outcome.Agree(labels); got.Share != 1 {
			t.Errorf("%s: with the commands, the agreement is %+v, want 1", what, got)
		}
	}
	check("nothing said", Agreement{TogetherShare: 1, ApartShare: 1, Share: 1})
	r.do(correlate.Command{Kind: correlate.CmdMerge, Incident: a, Incidents: []string{b}})
	check("merged", Agreement{Together: 1, TogetherShare: 0, ApartShare: 1, Share: 0})
	r.do(correlate.Command{Kind: correlate.CmdUnmerge, Incident: a, Incidents: []string{b}})
	check("unmerged, which takes it back", Agreement{Apart: 1, TogetherShare: 1, ApartShare: 1, Share: 1})
	fresh := r.do(correlate.Command{Kind: correlate.CmdSplit, Incident: a, Alerts: []ingest.Fingerprint{slow}})
	check("split", Agreement{Apart: 2, TogetherShare: 1, ApartShare: 0.5, Share: 0.5})
	r.do(correlate.Command{Kind: correlate.CmdMove, Incident: c, Target: fresh.ID, Alerts: []ingest.Fingerprint{full}})
	check("moved, with nothing left behind", Agreement{Together: 1, Apart: 2, TogetherShare: 0, ApartShare: 0.5, Share: 1. / 3})
}

// Labels of before a time are not asked for.
func TestLabelsSince(t *testing.T) {
	r := newRecord(t)
	_, a := r.fire("Down", "a")
	_, b := r.fire("Down", "b")
	_, c := r.fire("Down", "c")
	r.do(correlate.Command{Kind: correlate.CmdMerge, Incident: a, Incidents: []string{b}})
	since := r.now
	r.do(correlate.Command{Kind: correlate.CmdMerge, Incident: a, Incidents: []string{c}})
	labels, err := (&Recorded{Recording: r.tape}).Labels(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	if len(labels) != 1 || len(labels[0].A) != 2 || len(labels[0].B) != 1 || !labels[0].Together {
		t.Errorf("got %+v, want that the third belongs to the other two", labels)
	}
}

func TestBrokenCommand(t *testing.T) {
	r := newRecord(t)
	r.fire("Down", "a")
	r.tape.events = append(r.tape.events, ingest.Event{Seq: 9, Kind: ingest.KindCommand, ReceivedAt: r.now, Raw: json.RawMessage(`{"id":1}`)})
	_, err := Run(t.Context(), &Recorded{Recording: r.tape}, Options{Config: correlate.DefaultConfig()})
	if err == nil || !strings.HasPrefix(err.Error(), "command event 9: raw: ") {
		t.Errorf("a command that cannot be read: %v", err)
	}
}

// What people handled is known with the alerts that were in it then, and what
// they named as causes.
func TestFeedback(t *testing.T) {
	r := newRecord(t)
	_, a := r.fire("Down", "a")
	_, b := r.fire("Down", "b")
	r.do(correlate.Command{Kind: correlate.CmdAcknowledge, Incident: strings.ToLower(a)})
	r.fire("Slow", "a")
	r.do(correlate.Command{Kind: correlate.CmdMerge, Incident: a, Incidents: []string{b}})
	caused := func(kind correlate.CommandKind, by string) {
		r.do(correlate.Command{Kind: kind, Link: &correlate.Link{From: "incident:" + a, To: by, Kind: "caused_by"}})
	}
	caused(correlate.CmdLink, "ci:a")
	caused(correlate.CmdLink, "ci:b")
	caused(correlate.CmdLink, "ticket:7") // of which nothing is ranked
	caused(correlate.CmdUnlink, "ci:a")
	r.do(correlate.Command{Kind: correlate.CmdLink, Link: &correlate.Link{From: "ci:a", To: "ci:b", Kind: "relates_to"}})

	f, err := (&Recorded{Recording: r.tape}).Feedback(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var looks []string
	for _, l := range f.Looks {
		looks = append(looks, fmt.Sprint(l.Kind, " ", len(l.Episodes)))
	}
	if got, want := strings.Join(looks, ", "), "acknowledge 1, merge 3, link 3, link 3, link 3, unlink 3"; got != want {
		t.Errorf("looks are %s, want %s", got, want)
	}
	if len(f.Causes) != 1 || f.Causes[0].Kind != "ci" || f.Causes[0].ID != "b" || f.Causes[0].Incident != a || f.Causes[0].By != "ann" || len(f.Causes[0].Episodes) != 3 {
		t.Errorf("causes are %+v, want b", f.Causes)
	}
	if len(f.Labels) != 1 || f.Labels[0].By != "ann" || f.Labels[0].Edit == "" || f.Labels[0].At.IsZero() {
		t.Errorf("labels are %+v, want who merged when", f.Labels)
	}
}
