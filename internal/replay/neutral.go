package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"tocsin/ingest"
	"tocsin/internal/quality"
)

// Neutral reads the files that sets of labelled alerts are exchanged in, see
// package quality.
type Neutral struct {
	// Alerts and Changes are the files; Changes may be nil. The names are for
	// what is said about mistakes.
	Alerts, Changes         io.Reader
	AlertsName, ChangesName string
	// Timeout is how long an alert without an end fires unless it is sent again.
	Timeout time.Duration

	ahead int // for tests; 0 means readAhead
}

// sourceName is the source of events that do not say theirs.
const sourceName = "replay"

var _ Source = (*Neutral)(nil)

// Read implements [Source]. Mistakes in the files are all told, each a
// *[quality.Mistake], after what can be read was yielded.
func (s *Neutral) Read(ctx context.Context, yield func(Input) bool) error {
	w := window{most: s.ahead}
	var errs []error
	alerts := 0
	once := map[string]bool{}
	feeds := []*feed{neutralFeed(quality.ReadAlerts(s.Alerts, s.AlertsName), &errs, func(a quality.Alert) time.Time {
		if once[a.ID] {
			errs = append(errs, &quality.Mistake{File: s.AlertsName, Detail: fmt.Sprintf("id %q comes twice; give each firing an id of its own", a.ID)})
			return a.Time
		}
		once[a.ID] = true
		alerts++
		s.alert(&w, &a)
		return a.Time
	})}
	if s.Changes != nil {
		feeds = append(feeds, neutralFeed(quality.ReadChanges(s.Changes, s.ChangesName), &errs, func(c quality.Change) time.Time {
			w.push(Input{At: c.Time, ID: c.ID, Event: changeOf(&c)}, false)
			return c.Time
		}))
	}
	defer func() {
		for _, f := range feeds {
			f.stop()
		}
	}()
	w.merge(feeds, func(in Input) bool { return ctx.Err() == nil && len(errs) < maxMistakes && yield(in) })
	if alerts == 0 && len(errs) == 0 && ctx.Err() == nil {
		errs = append(errs, fmt.Errorf("%s: no alert in it", s.AlertsName))
	}
	return errors.Join(errs...)
}

// maxMistakes is how many mistakes in the alerts of a file are told.
const maxMistakes = 100

func neutralFeed[T any](records iter.Seq2[T, error], errs *[]error, take func(T) time.Time) *feed {
	next, stop := iter.Pull2(records)
	return &feed{stop: stop, read: func() (time.Time, bool) {
		v, err, ok := next()
		if !ok {
			return time.Time{}, false
		}
		if err != nil {
			*errs = append(*errs, err)
			return time.Time{}, true
		}
		return take(v), true
	}}
}

// alert pushes a firing, and its end when that is known.
func (s *Neutral) alert(w *window, a *quality.Alert) {
	firing := &ingest.Event{
		Kind: ingest.KindAlert, Source: sourceName, Status: ingest.Firing, StartsAt: a.Time,
		Labels: a.Labels.Set("alertname", cmp.Or(a.Name, a.Labels.Get("alertname"))).Set("ci", cmp.Or(a.CI, a.Labels.Get("ci"))),
		// The words of its scale say more to people than its numbers.
		Severity: severities[a.Severity], Timeout: s.Timeout,
	}
	if a.Text != "" {
		firing.Annotations = ingest.LabelsOf("summary", a.Text)
	}
	firing.PrometheusFingerprint = ingest.FingerprintOf(firing.Labels)
	firing.Fingerprint = identity(a, firing)
	if a.EndTime.IsZero() {
		w.push(Input{At: a.Time, ID: a.ID, Event: firing}, false)
		return
	}
	firing.Timeout = 0
	w.push(Input{At: a.Time, ID: a.ID, Event: firing}, false)
	resolved := *firing
	resolved.Status, resolved.EndsAt = ingest.Resolved, a.EndTime
	w.push(Input{At: a.EndTime, Event: &resolved}, true)
}

// severities are those of the neutral form: 1 is the worst of four, 0 says
// nothing.
var severities = [...]ingest.Severity{ingest.Unknown, ingest.Critical, ingest.Major, ingest.Warning, ingest.Info}

// identity is what tells an alert from others: its fingerprint if it has one,
// else its CI and its name, else all its labels.
func identity(a *quality.Alert, ev *ingest.Event) ingest.Fingerprint {
	switch ci := ev.Labels.Get("ci"); {
	case a.Fingerprint != "":
		if fp, err := ingest.ParseFingerprint(a.Fingerprint); err == nil && fp != 0 {
			return fp // one of ours
		}
		return ingest.FingerprintOf(ingest.LabelsOf("fingerprint", a.Fingerprint))
	case ci != "":
		return ingest.FingerprintOf(ingest.LabelsOf("alertname", ev.Name(), "ci", ci))
	default:
		return ev.PrometheusFingerprint
	}
}

func changeOf(c *quality.Change) *ingest.Event {
	return &ingest.Event{
		Kind: ingest.KindChange, Source: sourceName, Labels: ingest.LabelsOf("ci", c.CI, "kind", c.Kind), StartsAt: c.Time,
		Annotations: ingest.LabelsOf("summary", cmp.Or(c.Text, c.Kind, c.ID), "change_id", c.ID),
	}
}
