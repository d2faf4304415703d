package correlate

import (
	"cmp"
	"fmt"
	"time"

	"tocsin/ingest"
)

// take decides on one event.
func (e *Engine) take(ev *ingest.Event) {
	ev.StartsAt, ev.EndsAt = timeOf(micros(ev.StartsAt)), timeOf(micros(ev.EndsAt))
	switch ev.Kind {
	case ingest.KindChange:
		e.store(ev)
		if ch := e.rememberChange(ev); ch != nil {
			e.countForRate(ch.ci)
			e.countChange(ch)
		}
	case ingest.KindAcknowledge:
		e.store(ev)
		if a := e.alerts[ev.Fingerprint]; a != nil && a.incident != nil && a.incident.rec.Status == Open {
			e.acknowledge(a.incident, cmp.Or(ev.Actor, ev.Source), "in "+ev.Source)
		}
	case ingest.KindAlert:
		e.takeAlert(ev)
	default: // a command or an outage of another engine: history, no more
		e.store(ev)
	}
}

func (e *Engine) takeAlert(ev *ingest.Event) {
	a := e.alerts[ev.Fingerprint]
	ep, same := ingest.Episode{}, false
	annotations := hashLabels(ev.Annotations)
	if a != nil {
		ep = a.episode()
		same = a.severity == ev.Severity && a.annotations == annotations
	}
	verdict := ingest.Judge(ep, ev, same, timeOf(e.now))
	if e.grouping.regroups(e, a, ev) {
		verdict = ingest.Fresh
	}
	if verdict == ingest.Resend || verdict == ingest.Late {
		e.count(ev.Source, Counts{Deduplicated: 1})
		if verdict == ingest.Resend && a.firing {
			a.count++
			a.lastSeen = e.now
			e.extend(a, ev)
			e.sight(a)
		}
		return
	}
	e.store(ev)
	if a == nil {
		a = &alert{fp: ev.Fingerprint, ci: unbound}
		e.alerts[ev.Fingerprint] = a
	}
	newEpisode := verdict == ingest.Fresh || verdict == ingest.Missed
	if newEpisode {
		a.startsAt, a.firstSeen, a.count, a.expiresAt = micros(ev.StartsAt), e.now, 0, 0
		if a.incident == nil {
			a.begin()
		}
		e.judgeLater(a)
	}
	a.lastSeen = e.now
	a.count++
	switch verdict {
	case ingest.Fresh, ingest.Again:
		e.describe(a, ev, annotations)
		a.endsAt, a.endedBy, a.suppression = 0, notEnded, notSuppressed
		e.extend(a, ev)
		e.setFiring(a, true)
		e.changed(a, ep.Status == "")
		e.correlate(a)
	case ingest.Update:
		e.extend(a, ev)
		e.describe(a, ev, annotations)
		if a.incident != nil {
			e.touch(a.incident)
			e.ripen(a.incident)
		}
	case ingest.Resolve:
		// A resolution may say less than the firing did, PagerDuty's says
		// next to nothing: what is known of the alert stays as it was.
		e.end(a, min(max(micros(ev.EndsAt), a.startsAt), max(e.now, a.startsAt)), endedBySource)
	case ingest.Resend, ingest.Late: // done above
	case ingest.Missed:
		e.describe(a, ev, annotations)
		a.endsAt, a.endedBy, a.suppression, a.decided = micros(ev.EndsAt), endedBySource, notSuppressed, e.now
		e.forgetAlertLater(a)
		if a.incident != nil {
			e.touch(a.incident)
			e.settle(a.incident)
		}
	}
	e.reviseAlert(a)
}

// describe sets what an alert says, from the event that its record names.
func (e *Engine) describe(a *alert, ev *ingest.Event, annotations uint64) {
	a.eventSeq = ev.Seq
	a.annotations, a.template = annotations, templateOf(ev.Summary())
	from := e.originOf(ev.Source, ev.SourceSeverity)
	packed := e.packer.pack(ev.Labels)
	if a.labels == packed && a.severity == ev.Severity && a.origin == from {
		return
	}
	// What the incident knows of it has to be taken back first.
	inc, firing := a.incident, a.firing
	if inc != nil {
		e.leave(inc, a)
	}
	decided := a.decided
	e.setFiring(a, false)
	a.labels, a.severity, a.origin = packed, ev.Severity, from
	a.name = short(hash(ev.Name()))
	a.ci = e.view(a).binding.Index
	e.setFiring(a, firing)
	a.decided = decided
	if inc != nil {
		e.enter(inc, a)
	}
}

// extend moves the time at which a firing alert expires.
func (e *Engine) extend(a *alert, ev *ingest.Event) {
	if ev.Status != ingest.Firing {
		return
	}
	at := int64(0)
	w := e.watchdogOf(ev.Labels)
	switch {
	case w != nil && w.Timeout > 0:
		at = e.now + time.Duration(w.Timeout).Microseconds()
	case !ev.EndsAt.IsZero():
		at = max(micros(ev.EndsAt), e.now)
	case ev.Timeout > 0:
		at = e.now + ev.Timeout.Microseconds()
	}
	if at == 0 {
		return
	}
	if a.expiresAt == 0 {
		e.timers.push(timer{due: at, kind: timerExpire, key: uint64(a.fp)})
	}
	// The later of two sources' wishes holds: in doubt it still fires.
	a.expiresAt = max(a.expiresAt, at)
}

// setFiring keeps count of the alerts that fire.
func (e *Engine) setFiring(a *alert, firing bool) {
	if a.firing == firing {
		return
	}
	a.firing, a.decided = firing, e.now
	n := 1
	if !firing {
		n = -1
	}
	e.firing += n
	if inc := a.incident; inc != nil {
		inc.firing += n
		inc.firingBy[a.severity] += n
	}
	v := e.view(a)
	for _, p := range v.pairs {
		addCount(e.labelCount, p, int32(n))
	}
	for _, s := range v.subjects {
		addCount(e.subjectCount, short(s), int32(n))
	}
}

// short folds a hash for counting: of a few hundred thousand labels some share
// a count then, which makes them look a little less rare, always the same ones.
func short(hash uint64) uint32 { return uint32(hash ^ hash>>32) }

func addCount(m map[uint32]int32, k uint32, n int32) {
	if v := m[k] + n; v != 0 {
		m[k] = v
	} else {
		delete(m, k)
	}
}

// changed records a change of status for flapping; the first firing of an
// alert is none.
func (e *Engine) changed(a *alert, first bool) {
	if first {
		return
	}
	f := e.cfg.flapping()
	if a.flaps == nil {
		a.flaps = &flaps{}
	}
	a.flaps.recent, a.flaps.flapping = f.Record(a.flaps.recent, timeOf(e.now), a.flaps.flapping)
	if a.flapping() {
		e.timers.push(timer{due: micros(f.Ends(a.flaps.recent)), kind: timerCalm, key: uint64(a.fp)})
	}
}

// end resolves a firing alert.
func (e *Engine) end(a *alert, at int64, by endedBy) {
	a.endsAt, a.endedBy, a.expiresAt = at, by, 0
	e.setFiring(a, false)
	e.changed(a, false)
	a.suppression = notSuppressed
	e.reviseAlert(a)
	e.forgetAlertLater(a)
	if w := e.watchdogOf(e.view(a).labels); w != nil {
		e.watchdogSilent(a)
	}
	if inc := a.incident; inc != nil {
		inc.ended++
		e.touch(inc)
		e.settle(inc)
	}
}

// sight has a re-send recorded at the end of the tick.
func (e *Engine) sight(a *alert) {
	if !a.sighted {
		a.sighted = true
		e.sighted = append(e.sighted, a)
	}
}

// rememberChange keeps a change for as long as it can explain anything; nil when
// it is on no CI.
func (e *Engine) rememberChange(ev *ingest.Event) *change {
	b := e.binder.Bind(ev.Labels.Get)
	if b.Index == unbound {
		return nil
	}
	ch := &change{seq: ev.Seq, startsAt: micros(ev.StartsAt), received: micros(ev.ReceivedAt), ci: b.Index, text: clip(ev.Summary(), 200)}
	if ch.text == "" {
		ch.text = "change " + fmt.Sprint(ev.Seq)
	}
	ch.id, ch.kind = nameChange(ev)
	e.changes[b.Index] = append(e.changes[b.Index], ch)
	e.timers.push(timer{due: ch.received + e.horizon(), kind: timerForgetChange, key: uint64(b.Index)})
	return ch
}
