package replay

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// Recording is what a server has stored, in the order in which it happened.
// Ranges are [from, to); a zero time is no bound.
type Recording interface {
	// End is the newest tick.
	End() time.Time
	// Events are the stored events, which leaves out re-sends.
	Events(ctx context.Context, from, to time.Time) iter.Seq2[ingest.Event, error]
	// Expired are the alerts as they ended by the silence of their sources.
	Expired(ctx context.Context, from, to time.Time) iter.Seq2[ingest.Alert, error]
	// Firing are the alerts that fired just before a time.
	Firing(ctx context.Context, at time.Time) iter.Seq2[ingest.Alert, error]
	// Episodes are all revisions of alerts; only what names the episode counts.
	Episodes(ctx context.Context, from, to time.Time) iter.Seq2[ingest.Alert, error]
	Attachments(ctx context.Context, from, to time.Time) iter.Seq2[correlate.Attachment, error]
	Incidents(ctx context.Context, from, to time.Time) iter.Seq2[correlate.Incident, error]
	// Incident is an incident as it was just before a time, with its
	// attachments and alerts, or [correlate.ErrNotFound].
	Incident(ctx context.Context, id string, before time.Time) (correlate.State, error)
	// Estate are all revisions of CIs and relations before a time.
	Estate(ctx context.Context, to time.Time) (cmdb.Change, error)
}

// Recorded replays a recording: what came in, what operators did, how the
// estate changed and when the server was away. Re-sends are not recorded, so
// alerts do not expire by themselves; they end when they did.
type Recorded struct {
	Recording Recording
	// From and To are what is replayed. Alerts that fire when it begins are
	// told then.
	From, To time.Time
}

var _ Source = (*Recorded)(nil)

// End is when the replay ends.
func (s *Recorded) End() time.Time {
	end := s.Recording.End()
	if !s.To.IsZero() && s.To.Before(end) {
		return s.To.Add(-time.Microsecond)
	}
	return end
}

// engineSource is the source of the events that the engine makes itself, and
// will make again.
const engineSource = "tocsin"

// Read implements [Source].
func (s *Recorded) Read(ctx context.Context, yield func(Input) bool) error {
	// What fires, so that an end is told once and only of what began.
	firing := map[ingest.Fingerprint]struct{}{}
	// Of one time, the estate comes before what is bound to it.
	all := merge(func(in *Input) time.Time { return in.At }, s.estates(ctx), s.begun(ctx), s.expired(ctx), s.events(ctx))
	for in, err := range all {
		if err != nil {
			return err
		}
		switch ev := in.Event; {
		case in.Expiry:
			if _, fires := firing[ev.Fingerprint]; !fires {
				continue
			}
			delete(firing, ev.Fingerprint)
		case ev == nil || ev.Kind != ingest.KindAlert:
		case ev.Status == ingest.Firing:
			firing[ev.Fingerprint] = struct{}{}
		default:
			delete(firing, ev.Fingerprint)
		}
		if !yield(in) {
			return nil
		}
	}
	yield(Input{At: s.End()})
	return nil
}

// events tells what was received.
func (s *Recorded) events(ctx context.Context) iter.Seq2[Input, error] {
	return func(yield func(Input, error) bool) {
		last := s.From
		for ev, err := range s.Recording.Events(ctx, s.From, s.To) {
			in := Input{At: ev.ReceivedAt}
			switch {
			case err != nil:
			case ev.Kind == ingest.KindOutage:
				// What was due until the server went away had been seen to.
				if ev.StartsAt.After(last) && !yield(Input{At: ev.StartsAt}, nil) {
					return
				}
				in.Outage = ev.StartsAt
			case ev.Kind == ingest.KindCommand:
				in.Command, err = commandOf(&ev)
			case ev.Kind == ingest.KindAlert:
				if ev.Source == engineSource {
					continue
				}
				if ev.Status == ingest.Firing {
					ev.EndsAt, ev.Timeout = time.Time{}, 0
				}
				in.Event = &ev
			default:
				in.Event, in.ID = &ev, strconv.FormatInt(ev.Seq, 10)
			}
			if !yield(in, err) || err != nil {
				return
			}
			last = in.At
		}
	}
}

// begun tells of the alerts that fire when the replay begins.
func (s *Recorded) begun(ctx context.Context) iter.Seq2[Input, error] {
	return func(yield func(Input, error) bool) {
		if s.From.IsZero() {
			return
		}
		for a, err := range s.Recording.Firing(ctx, s.From) {
			if a.Source == engineSource {
				continue
			}
			if !yield(Input{At: s.From, Event: eventOf(&a)}, err) {
				return
			}
		}
	}
}

// expired has alerts end by the silence of their sources: by a re-send, just
// before, that says for how long it holds. The time itself is told too, lest the
// next thing that is, such as an outage, comes before the end.
func (s *Recorded) expired(ctx context.Context) iter.Seq2[Input, error] {
	return func(yield func(Input, error) bool) {
		var at time.Time
		for a, err := range s.Recording.Expired(ctx, s.From, s.To) {
			if !at.IsZero() && !a.DecidedAt.Equal(at) && !yield(Input{At: at}, nil) {
				return
			}
			at = a.DecidedAt
			ev := eventOf(&a)
			ev.EndsAt = at
			if !yield(Input{At: at.Add(-time.Microsecond), Event: ev, Expiry: true}, err) {
				return
			}
		}
		if !at.IsZero() {
			yield(Input{At: at}, nil)
		}
	}
}

// eventOf is the event that an alert repeats.
func eventOf(a *ingest.Alert) *ingest.Event {
	return &ingest.Event{
		Kind: ingest.KindAlert, Source: a.Source, Status: ingest.Firing, StartsAt: a.StartsAt,
		Fingerprint: a.Fingerprint, PrometheusFingerprint: a.PrometheusFingerprint, Labels: a.Labels, Annotations: a.Annotations,
		Severity: a.Severity, SourceSeverity: a.SourceSeverity, GeneratorURL: a.GeneratorURL,
	}
}

// estates tells of the estate as it is at the beginning, and after each change.
func (s *Recorded) estates(ctx context.Context) iter.Seq2[Input, error] {
	return func(yield func(Input, error) bool) {
		all, err := s.Recording.Estate(ctx, s.To)
		if err != nil {
			yield(Input{}, err)
			return
		}
		changes := map[int64]*cmdb.Change{} // by time
		at := func(t time.Time) *cmdb.Change {
			us := max(micros(t), micros(s.From))
			if changes[us] == nil {
				changes[us] = &cmdb.Change{}
			}
			return changes[us]
		}
		for _, c := range all.CIs {
			to := at(c.At)
			to.CIs = append(to.CIs, c)
		}
		for _, r := range all.Relations {
			to := at(r.At)
			to.Relations = append(to.Relations, r)
		}
		var snap *cmdb.Snapshot
		for _, us := range slices.Sorted(maps.Keys(changes)) {
			when := time.UnixMicro(us).UTC()
			if snap == nil {
				snap, err = cmdb.New(changes[us].CIs, changes[us].Relations)
			} else {
				snap, err = snap.Apply(*changes[us])
			}
			if err != nil {
				err = fmt.Errorf("estate of %s: %w", when.Format(time.RFC3339), err)
			}
			if !yield(Input{At: when, Estate: snap}, err) || err != nil {
				return
			}
		}
	}
}

// Latest is the estate as it is at the end.
func (s *Recorded) Latest(ctx context.Context) (*cmdb.Snapshot, error) {
	all, err := s.Recording.Estate(ctx, s.To)
	if err != nil {
		return nil, err
	}
	return cmdb.New(all.CIs, all.Relations)
}

// Happened is what became of the alerts then. Incidents opened and alerts begun
// before since are not counted.
func (s *Recorded) Happened(ctx context.Context, since time.Time) (*Outcome, error) {
	o := NewOutcome()
	o.Since = since
	for a, err := range s.Recording.Episodes(ctx, s.From, s.To) {
		if err != nil {
			return nil, err
		}
		o.AddAlert(&a)
	}
	for a, err := range s.Recording.Attachments(ctx, s.From, s.To) {
		if err != nil {
			return nil, err
		}
		o.AddAttachment(&a)
	}
	for inc, err := range s.Recording.Incidents(ctx, s.From, s.To) {
		if err != nil {
			return nil, err
		}
		o.AddIncident(&inc)
	}
	return o, nil
}
