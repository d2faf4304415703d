package replay

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// TestReplayTellsWhatHappened is the promise of the package: whatever happens,
// re-sends, silence, changes, operators and outages among it, a replay of what
// a store keeps of it has the same incidents of the same alerts.
func TestReplayTellsWhatHappened(t *testing.T) {
	expired, recalled := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		r, cfg := play(t)
		recalled += r.recalled
		src := &Recorded{Recording: r.tape}
		before, err := src.Happened(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		res, err := Run(t.Context(), src, Options{Config: cfg, Folded: true})
		if err != nil {
			t.Fatal(err)
		}
		if d := Compare(before, res.Outcome); !d.Empty() || d.Same != len(sizes(before)) {
			t.Fatalf("a replay differs: %s\n%+v", inWords(d), d)
		}
		if res.Input.Late.Count > 0 {
			t.Fatalf("inputs out of order: %+v", res.Input)
		}
		if len(res.Input.Refused) > 0 {
			t.Fatalf("commands were refused: %v", res.Input.Refused)
		}
		expired += len(r.tape.expired)
	})
	if !testing.Short() && (expired == 0 || recalled == 0) { // of few stories, none may have them
		t.Errorf("in all stories together %d alerts fell silent and %d commands were about the forgotten: want some of each", expired, recalled)
	}
}

// play makes a story up, has an engine live it and records what a store would
// keep of it.
func play(t *rapid.T) (*record, correlate.Config) {
	cfg := correlate.DefaultConfig()
	cfg.Watchdogs[0].Timeout = correlate.Duration(rapid.SampledFrom([]time.Duration{0, 3 * time.Minute}).Draw(t, "watchdog"))
	e, err := correlate.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &record{engine: e, tape: &tape{}, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	const cis = 6
	for i := range cis {
		r.tape.estate.CIs = append(r.tape.estate.CIs, cmdb.CI{ID: fmt.Sprint("c", i), Class: "server", Revision: 1, At: r.now})
	}
	for i := 1; i < cis; i++ {
		if to := rapid.IntRange(-1, i-1).Draw(t, "needs"); to >= 0 {
			r.tape.estate.Relations = append(r.tape.estate.Relations, cmdb.Relation{From: fmt.Sprint("c", i), To: fmt.Sprint("c", to), Type: "runs_on", Revision: 1, At: r.now})
		}
	}
	estate, err := cmdb.New(r.tape.estate.CIs, r.tape.estate.Relations)
	if err != nil {
		t.Fatal(err)
	}
	e.ObserveEstate(estate)
	r.step()
	started := map[string]time.Time{}
	over := false
	for range rapid.IntRange(1, 25).Draw(t, "steps") {
		if over {
			break
		}
		alive := r.now
		r.now = r.now.Add(rapid.SampledFrom([]time.Duration{time.Second, 40 * time.Second, time.Minute, 3 * time.Minute, 11 * time.Minute, 50 * time.Minute, 3 * time.Hour}).Draw(t, "after"))
		for range rapid.IntRange(0, 4).Draw(t, "events") {
			r.engine.ObserveEvent(eventIn(t, started, r.now))
		}
		if rapid.IntRange(0, 9).Draw(t, "outage") == 0 {
			r.engine.ObserveOutage(alive)
		}
		c, ok := r.commandIn(t)
		if ok {
			r.engine.ObserveCommand(&c)
		}
		if forgot := r.step(); forgot {
			// As the driver does.
			st, err := (&Recorded{Recording: r.tape}).Recall(t.Context(), &c, r.now, func(Episode, string) bool { return true })
			if err != nil {
				t.Fatal(err)
			}
			r.recalled++
			r.engine.Recall(st)
			r.engine.ObserveCommand(&c)
			// Refused all the same, it leaves no trace but that the engine
			// remembers what nobody tells it in a replay.
			n := len(r.tape.events)
			r.step()
			over = len(r.tape.events) == n
		}
	}
	r.now = r.now.Add(rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(t, "end"))
	r.step()
	return r, cfg
}

// step is tick, with what expired. It says whether a command was about something
// that the engine has forgotten.
func (r *record) step() (forgot bool) {
	at := r.now
	out := r.tick()
	r.now = at
	for i := range out.Alerts {
		a := out.Alerts[i]
		if a.Status != ingest.Resolved || a.EndedBy != "timeout" {
			continue
		}
		r.tape.expired = append(r.tape.expired, r.tape.described(a))
	}
	slices.SortStableFunc(r.tape.expired, func(a, b ingest.Alert) int { return a.DecidedAt.Compare(b.DecidedAt) })
	return len(out.Replies) > 0 && errors.Is(out.Replies[0].Err, correlate.ErrForgotten)
}

func eventIn(t *rapid.T, started map[string]time.Time, now time.Time) *ingest.Event {
	labels := ingest.LabelsOf("alertname", rapid.SampledFrom([]string{"Down", "Slow", "Watchdog"}).Draw(t, "name"), "ci", fmt.Sprint("c", rapid.IntRange(0, 6).Draw(t, "on")))
	key := labels.String()
	ev := &ingest.Event{Kind: ingest.KindAlert, Source: "x", Status: ingest.Firing, StartsAt: now, Labels: labels,
		Fingerprint: ingest.FingerprintOf(labels), PrometheusFingerprint: ingest.FingerprintOf(labels),
		Severity:    rapid.SampledFrom([]ingest.Severity{ingest.Warning, ingest.Critical}).Draw(t, "severity"),
		Annotations: ingest.LabelsOf("summary", rapid.SampledFrom([]string{"", "no answer"}).Draw(t, "summary"))}
	at, known := started[key]
	switch rapid.IntRange(0, 6).Draw(t, "what") {
	case 0, 1:
		started[key] = now
	case 2, 3: // once more
		if known {
			ev.StartsAt = at
		}
	case 4, 5:
		ev.Status, ev.EndsAt = ingest.Resolved, now
		if known {
			ev.StartsAt = at
		}
	default:
		ev.Kind, ev.Status = ingest.KindChange, ""
	}
	if ev.Status == ingest.Firing {
		switch rapid.IntRange(0, 2).Draw(t, "expiry") {
		case 0:
			ev.EndsAt = now.Add(4 * time.Minute)
		case 1:
			ev.Timeout = 2 * time.Minute
		}
	}
	return ev
}

// commandIn is a command on incidents that there are.
func (r *record) commandIn(t *rapid.T) (correlate.Command, bool) {
	if len(r.tape.incidents) == 0 || rapid.IntRange(0, 2).Draw(t, "command") > 0 {
		return correlate.Command{}, false
	}
	pick := func(name string) string { return rapid.SampledFrom(r.tape.incidents).Draw(t, name).ID }
	c := correlate.Command{ID: fmt.Sprint("command ", len(r.tape.events), r.now), By: "ann", Comment: "so", Incident: pick("incident"),
		Kind: rapid.SampledFrom(correlate.CommandKinds[:12]).Draw(t, "kind"), Target: pick("target"), Incidents: []string{pick("other")},
		Force: rapid.Bool().Draw(t, "force")}
	for _, a := range r.tape.attachments {
		if a.Incident == c.Incident && rapid.Bool().Draw(t, "taken") {
			c.Alerts = append(c.Alerts, a.Fingerprint)
		}
	}
	return c, c.Validate() == nil
}
