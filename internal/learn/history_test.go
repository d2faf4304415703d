package learn

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
	"tocsin/internal/replay"
)

// history drives an engine through what happens and what operators do, and is
// the recording of it.
type history struct {
	t      *testing.T
	engine *correlate.Engine
	now    time.Time
	seq    int

	events      []ingest.Event
	alerts      []ingest.Alert
	attachments []correlate.Attachment
	incidents   []correlate.Incident
	estate      cmdb.Change
}

// begin makes a history with CIs and relations such as "a b runs_on".
func begin(t *testing.T, cis []cmdb.CI, relations ...cmdb.Relation) *history {
	t.Helper()
	h := &history{t: t, now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	var err error
	if h.engine, err = correlate.New(correlate.DefaultConfig(), nil); err != nil {
		t.Fatal(err)
	}
	for i := range cis {
		cis[i].At = h.now
	}
	for i := range relations {
		relations[i].At = h.now
	}
	h.estate = cmdb.Change{CIs: cis, Relations: relations}
	s, err := cmdb.New(cis, relations)
	if err != nil {
		t.Fatal(err)
	}
	h.engine.ObserveEstate(s)
	h.tick()
	return h
}

func (h *history) tick() *correlate.Output {
	out := h.engine.Tick(h.now)
	h.events = append(h.events, out.Events...)
	h.alerts = append(h.alerts, out.Alerts...)
	h.attachments = append(h.attachments, out.Attachments...)
	h.incidents = append(h.incidents, out.Incidents...)
	return out
}

func (h *history) pass(d time.Duration) {
	for end := h.now.Add(d); h.now.Before(end); {
		h.now = h.now.Add(min(time.Minute, end.Sub(h.now)))
		h.tick()
	}
}

// event has an alert fire or end, and returns its fingerprint and incident.
func (h *history) event(status ingest.Status, labels ...string) (ingest.Fingerprint, string) {
	ev := ingest.Event{Kind: ingest.KindAlert, Source: "x", Status: status, StartsAt: h.now, Labels: ingest.LabelsOf(labels...)}
	if status == ingest.Resolved {
		ev.EndsAt = h.now
	}
	ev.Fingerprint = ingest.FingerprintOf(ev.Labels)
	h.engine.ObserveEvent(&ev)
	h.now = h.now.Add(time.Second)
	incident := ""
	for _, a := range h.tick().Attachments {
		if a.Fingerprint == ev.Fingerprint && !a.Detached {
			incident = a.Incident
		}
	}
	return ev.Fingerprint, incident
}

func (h *history) fire(labels ...string) (ingest.Fingerprint, string) {
	h.t.Helper()
	return h.event(ingest.Firing, labels...)
}

func (h *history) resolve(labels ...string) { h.event(ingest.Resolved, labels...) }

func (h *history) do(c correlate.Command) correlate.Incident {
	h.t.Helper()
	h.seq++
	c.ID, c.By = fmt.Sprint("c", h.seq), []string{"ann", "bob"}[h.seq%2]
	h.engine.ObserveCommand(&c)
	h.now = h.now.Add(time.Second)
	out := h.tick()
	if err := out.Replies[0].Err; err != nil {
		h.t.Fatal(err)
	}
	return out.Replies[0].Incident
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

func (h *history) End() time.Time { return h.now }
func (h *history) Events(context.Context, time.Time, time.Time) iter.Seq2[ingest.Event, error] {
	return each(h.events)
}
func (h *history) Expired(context.Context, time.Time, time.Time) iter.Seq2[ingest.Alert, error] {
	return each[ingest.Alert](nil)
}
func (h *history) Firing(context.Context, time.Time) iter.Seq2[ingest.Alert, error] {
	return each[ingest.Alert](nil)
}
func (h *history) Episodes(context.Context, time.Time, time.Time) iter.Seq2[ingest.Alert, error] {
	return each(h.alerts)
}
func (h *history) Attachments(context.Context, time.Time, time.Time) iter.Seq2[correlate.Attachment, error] {
	return each(h.attachments)
}
func (h *history) Incidents(context.Context, time.Time, time.Time) iter.Seq2[correlate.Incident, error] {
	return each(h.incidents)
}
func (h *history) Incident(context.Context, string, time.Time) (correlate.State, error) {
	return correlate.State{}, correlate.ErrNotFound // no command is so late that it takes one
}
func (h *history) Estate(context.Context, time.Time) (cmdb.Change, error) { return h.estate, nil }

// options are how to learn from the history.
func (h *history) options() Options {
	src := &replay.Recorded{Recording: h}
	return Options{
		Open:   func() (replay.Source, func(), error) { return src, func() {}, nil },
		Replay: replay.Options{Config: correlate.DefaultConfig(), Folded: true},
		What:   "edit",
		Evidence: func(*replay.Result) (*Evidence, error) {
			f, err := src.Feedback(h.t.Context(), time.Time{})
			if err != nil {
				return nil, err
			}
			o, err := src.Happened(h.t.Context(), time.Time{})
			if err != nil {
				return nil, err
			}
			return FromPeople(&f, o), nil
		},
	}
}

func (h *history) learn() *Report {
	h.t.Helper()
	rep, err := Run(h.t.Context(), h.options())
	if err != nil {
		h.t.Fatal(err)
	}
	return rep
}

// try gives a command that the engine may refuse.
func (h *history) try(c correlate.Command) {
	h.seq++
	c.ID, c.By = fmt.Sprint("c", h.seq), "ann"
	h.engine.ObserveCommand(&c)
	h.now = h.now.Add(time.Second)
	h.tick()
}
