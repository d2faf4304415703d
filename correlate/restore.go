package correlate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tocsin/ingest"
)

// Restore puts a fresh engine where the one stood whose outputs made the
// state. It returns an error when the state contradicts itself.
func (e *Engine) Restore(s State) error {
	e.now, e.revision, e.eventSeq = micros(s.At), s.Revision, s.EventSeq
	if s.Topology != nil {
		if err := e.setEstate(s.Topology); err != nil {
			return err
		}
	}
	if err := e.restoreMemories(s.Memories); err != nil {
		return err
	}
	for i := range s.Lessons {
		ci := unbound
		if i, ok := e.estate.Index(s.Lessons[i].CI); ok {
			ci = i
		}
		e.remember(&s.Lessons[i], ci)
	}
	if err := e.insert(&s); err != nil {
		return err
	}
	for i := range s.Changes {
		e.rememberChange(&s.Changes[i])
	}
	for i := range s.Commands {
		var c Command
		if err := json.Unmarshal(s.Commands[i].Raw, &c); err != nil {
			return fmt.Errorf("restore command event %d: %w", s.Commands[i].Seq, err)
		}
		e.commands[c.ID] = micros(s.Commands[i].ReceivedAt)
	}
	return nil
}

// insert adds stored alerts and incidents to the engine's.
func (e *Engine) insert(s *State) error {
	belongs := make(map[ingest.Fingerprint]string, len(s.Alerts))
	for i := range s.Alerts {
		e.insertAlert(&s.Alerts[i])
		if s.Alerts[i].Incident != "" {
			belongs[s.Alerts[i].Fingerprint] = s.Alerts[i].Incident
		}
	}
	for _, rec := range s.Incidents {
		inc := newIncident(rec)
		e.incidents[rec.ID] = inc
		e.lookLater(inc)
		switch rec.Status {
		case Resolved:
			e.timers.push(timer{due: micros(rec.ResolvedAt) + time.Duration(e.cfg.ReopenWindow).Microseconds(), kind: timerClose, inc: inc})
		case OnHold:
			if !rec.HoldUntil.IsZero() {
				e.timers.push(timer{due: micros(rec.HoldUntil), kind: timerHold, inc: inc})
			}
		case Closed, Merged:
			inc.released = true
			e.timers.push(timer{due: e.forgetAt(&rec), kind: timerForgetIncident, inc: inc})
		case Pending, Open, Acknowledged:
		}
	}
	atts := s.Attachments
	byRevision := func(a, b Attachment) int { return cmp.Compare(a.Revision, b.Revision) }
	if !slices.IsSortedFunc(atts, byRevision) {
		atts = slices.Clone(atts)
		slices.SortFunc(atts, byRevision)
	}
	for i := range atts {
		if err := e.insertAttachment(&atts[i], belongs); err != nil {
			return err
		}
	}
	for i := range s.Incidents {
		if inc := e.incidents[s.Incidents[i].ID]; !inc.released {
			inc.rankedAsRecorded()
			if inc.rec.Status == Pending && inc.openAt > e.now {
				e.timers.push(timer{due: inc.openAt, kind: timerOpen, inc: inc})
			}
			e.settle(inc)
		}
	}
	return nil
}

func (e *Engine) insertAttachment(at *Attachment, belongs map[ingest.Fingerprint]string) error {
	inc := e.incidents[at.Incident]
	if inc == nil || at.Detached {
		return fmt.Errorf("restore attachment %d: incident %s is not in the state", at.Revision, at.Incident)
	}
	if inc.released {
		if inc.rec.Status == Merged {
			inc.had = append(inc.had, at.Fingerprint)
			slices.Sort(inc.had)
		}
		return nil
	}
	a := e.alerts[at.Fingerprint]
	if a == nil {
		return fmt.Errorf("restore attachment %d: alert %s is not in the state", at.Revision, at.Fingerprint)
	}
	// The alert's own record says where it is now; attachments to where it
	// was before remain as history.
	if a.incident == nil && belongs[at.Fingerprint] == at.Incident {
		if !at.Began.IsZero() {
			a.began = micros(at.Began)
		}
		a.placed = at.By != self
		e.enter(inc, a)
	}
	return nil
}

func (e *Engine) insertAlert(r *ingest.Alert) {
	if e.alerts[r.Fingerprint] != nil {
		return
	}
	labels := r.Labels
	a := &alert{
		fp: r.Fingerprint, startsAt: micros(r.StartsAt), endsAt: micros(r.EndsAt),
		expiresAt: micros(r.ExpiresAt), firstSeen: micros(r.FirstSeen), lastSeen: micros(r.LastSeen), count: r.Count,
		revision: r.Revision, eventSeq: r.EventSeq, decided: micros(r.DecidedAt),
		annotations: hashLabels(r.Annotations), template: templateOf(r.Summary()), name: short(hash(r.Name())),
		labels: e.packer.pack(labels), origin: e.originOf(r.Source, r.SourceSeverity), severity: r.Severity,
		suppression: suppression(max(slices.Index(suppressionNames[:], r.Suppression), 0)),
		endedBy:     endedBy(max(slices.Index(endedByNames[:], r.EndedBy), 0)),
	}
	if len(r.Transitions) > 0 {
		a.flaps = &flaps{recent: slices.Clone(r.Transitions), flapping: r.Flapping}
	}
	a.begin()
	a.ci = e.view(a).binding.Index
	e.alerts[a.fp] = a
	if r.FirstSeen.Add(Company).After(timeOf(e.now)) {
		e.judgeLater(a)
	}
	if r.Status == ingest.Firing {
		decided := a.decided
		e.setFiring(a, true)
		a.decided = decided
		if a.expiresAt != 0 {
			e.timers.push(timer{due: a.expiresAt, kind: timerExpire, key: uint64(a.fp)})
		}
	} else {
		e.forgetAlertLater(a)
	}
	if a.flapping() {
		e.timers.push(timer{due: micros(e.cfg.flapping().Ends(a.flaps.recent)), kind: timerCalm, key: uint64(a.fp)})
	}
}

// recall adds a forgotten incident, and keeps it for the horizon from now.
func (e *Engine) recall(s *State) {
	for _, rec := range s.Incidents {
		if old := e.incidents[rec.ID]; old != nil && !old.released || rec.Status != Closed && rec.Status != Merged {
			continue
		}
		inc := newIncident(rec)
		inc.recalled, inc.released = true, rec.Status == Merged
		e.incidents[rec.ID] = inc
		e.lookLater(inc)
		for i := range s.Alerts {
			e.insertAlert(&s.Alerts[i])
		}
		for i := range s.Attachments {
			at := &s.Attachments[i]
			if at.Incident != rec.ID || at.Detached {
				continue
			}
			if rec.Status == Merged {
				inc.had = append(inc.had, at.Fingerprint)
			} else if a := e.alerts[at.Fingerprint]; a != nil && a.incident == nil {
				a.began, a.placed = micros(at.Began), at.By != self
				e.enter(inc, a)
			}
		}
		slices.Sort(inc.had)
		inc.rankedAsRecorded()
		e.timers.push(timer{due: e.now + e.horizon(), kind: timerRecalled, inc: inc})
		e.timers.push(timer{due: e.now + e.horizon() + 1, kind: timerForgetIncident, inc: inc})
	}
}
