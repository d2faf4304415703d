package correlate

import (
	"cmp"
	"slices"
	"time"

	"tocsin/cmdb"
	"tocsin/ingest"
)

// expire handles a timer that is due. A timer whose time has moved is set
// again; one that means nothing any more is dropped.
func (e *Engine) expire(t timer) {
	switch t.kind {
	case timerExpire:
		a := e.alerts[ingest.Fingerprint(t.key)]
		switch {
		case a == nil || !a.firing || a.expiresAt == 0:
		case a.expiresAt > e.now:
			t.due = a.expiresAt
			e.timers.push(t)
		default:
			e.end(a, e.now, endedByTimeout)
		}
	case timerCalm:
		e.calm(t)
	case timerForget:
		if a := e.alerts[ingest.Fingerprint(t.key)]; a != nil && !a.firing && a.incident == nil {
			if due := e.forgetAlertAt(a); due > e.now {
				t.due = due
				e.timers.push(t)
			} else {
				delete(e.alerts, a.fp)
			}
		}
	case timerJudge:
		if a := e.alerts[ingest.Fingerprint(t.key)]; a != nil && judgeAt(a) == t.due {
			e.judge(a)
		}
	case timerForgetChange:
		e.changes[int32(t.key)] = slices.DeleteFunc(e.changes[int32(t.key)], func(c *change) bool { return c.received+e.horizon() <= e.now })
		if len(e.changes[int32(t.key)]) == 0 {
			delete(e.changes, int32(t.key))
		}
	case timerOpen, timerResolve, timerClose, timerHold, timerForgetIncident, timerRecalled, timerLook, timerDecide:
		// An incident that was forgotten and recalled is another one.
		if inc := e.incidents[t.inc.rec.ID]; inc == t.inc {
			e.expireIncident(inc, t)
		}
	}
}

func (e *Engine) expireIncident(inc *incident, t timer) {
	switch t.kind {
	case timerOpen:
		e.ripen(inc)
	case timerResolve:
		if inc.rec.Status.Active() && inc.firing == 0 && e.settled(inc) && e.resolveAt(inc) <= e.now {
			if inc.rec.Status == Pending {
				inc.rec.Untold = true
				e.close(inc, self, "Never opened: its alerts were resolved first")
				return
			}
			if len(inc.members) == 0 {
				e.resolve(inc, self, "No alerts are left")
			} else {
				e.resolve(inc, self, "All alerts have been resolved for %s", time.Duration(e.cfg.ResolveDelay))
			}
		}
	case timerClose:
		if inc.rec.Status == Resolved && micros(inc.rec.ResolvedAt)+time.Duration(e.cfg.ReopenWindow).Microseconds() <= e.now {
			e.close(inc, self, "Not reopened within %s", time.Duration(e.cfg.ReopenWindow))
		}
	case timerHold:
		if inc.rec.Status == OnHold && !inc.rec.HoldUntil.IsZero() && micros(inc.rec.HoldUntil) <= e.now {
			e.resume(inc, self, "The hold has ended")
		}
	case timerRecalled:
		if inc.recalled && !inc.released {
			e.release(inc)
		}
		inc.recalled = false
	case timerLook, timerDecide:
		e.lookNow(inc)
	case timerExpire, timerCalm, timerForget, timerForgetChange, timerJudge: // not of incidents
	case timerForgetIncident:
		if inc.released && !inc.recalled && e.forgetAt(&inc.rec) <= e.now {
			delete(e.incidents, inc.rec.ID)
		}
	}
}

// calm ends the flapping of an alert that has been steady for long enough.
func (e *Engine) calm(t timer) {
	a := e.alerts[ingest.Fingerprint(t.key)]
	if a == nil || !a.flapping() {
		return
	}
	ends := micros(e.cfg.flapping().Ends(a.flaps.recent))
	if ends > e.now {
		t.due = ends
		e.timers.push(t)
		return
	}
	a.flaps.flapping = false
	e.reviseAlert(a)
	if a.firing && a.suppression == suppressedFlapping {
		a.suppression = notSuppressed
		e.correlate(a)
	}
}

// forgetAlertAt is when an ended alert in no incident no longer matters. It is
// computed from what is stored, so that a restart forgets neither sooner nor
// later.
func (e *Engine) forgetAlertAt(a *alert) int64 { return a.decided + e.horizon() }

func (e *Engine) forgetAlertLater(a *alert) {
	if !a.firing {
		e.timers.push(timer{due: e.forgetAlertAt(a), kind: timerForget, key: uint64(a.fp)})
	}
}

// resolveAt is when an incident without firing alerts resolves: the delay
// after the last of its alerts ended.
func (e *Engine) resolveAt(inc *incident) int64 {
	return inc.lastEnd() + time.Duration(e.cfg.ResolveDelay).Microseconds()
}

func (inc *incident) lastEnd() int64 {
	last := int64(0)
	for _, m := range inc.members {
		last = max(last, m.decided)
	}
	return last
}

// settled says that an incident has no alert left to wait for.
func (e *Engine) settled(inc *incident) bool {
	return inc.firing == 0 && inc.rec.Status.Active() && !inc.rec.HeldOpen
}

// settle starts the resolve delay when the last alert of an incident ended.
func (e *Engine) settle(inc *incident) {
	if e.settled(inc) {
		e.timers.push(timer{due: e.resolveAt(inc), kind: timerResolve, inc: inc})
	}
}

func (e *Engine) resolve(inc *incident, by, format string, args ...any) {
	inc.rec.ResolvedAt = timeOf(e.now)
	inc.rec.HoldUntil, inc.rec.HeldOpen = time.Time{}, false
	e.setStatus(inc, Resolved)
	e.note(inc, EntryResolved, by, format, args...)
	e.timers.push(timer{due: e.now + time.Duration(e.cfg.ReopenWindow).Microseconds(), kind: timerClose, inc: inc})
}

func (e *Engine) close(inc *incident, by, format string, args ...any) {
	if inc.dirty { // else its record is what it was when its last alert ended
		e.aggregate(inc)
	}
	e.teach(inc)
	if len(inc.members) > 0 && inc.rec.JudgedAt.IsZero() && !inc.rec.Untold {
		e.decide(inc)
	}
	if inc.rec.ResolvedAt.IsZero() {
		inc.rec.ResolvedAt = timeOf(e.now)
	}
	inc.rec.ClosedAt = timeOf(e.now)
	inc.rec.HoldUntil = time.Time{}
	e.setStatus(inc, Closed)
	e.note(inc, EntryClosed, by, format, args...)
}

func (e *Engine) reopen(inc *incident, by, format string, args ...any) {
	e.takeBack(inc)
	inc.rec.ResolvedAt, inc.rec.ClosedAt = time.Time{}, time.Time{}
	inc.recalled = false
	e.setStatus(inc, e.workStatus(inc))
	e.note(inc, EntryReopened, by, format, args...)
	e.settle(inc)
}

// workStatus is the status of an incident that is being worked on again.
func (e *Engine) workStatus(inc *incident) Status {
	if inc.rec.AcknowledgedAt.IsZero() {
		return Open
	}
	return Acknowledged
}

func (e *Engine) resume(inc *incident, by, format string, args ...any) {
	inc.rec.HoldUntil = time.Time{}
	e.setStatus(inc, e.workStatus(inc))
	e.note(inc, EntryResumed, by, format, args...)
}

func (e *Engine) acknowledge(inc *incident, by, comment string) {
	inc.rec.AcknowledgedAt, inc.rec.AcknowledgedBy = timeOf(e.now), by
	inc.rec.HoldUntil = time.Time{}
	e.setStatus(inc, Acknowledged)
	e.note(inc, EntryAcknowledged, by, "%s", cmp.Or(comment, "Acknowledged"))
}

// outage gives alerts that expired, or are about to, while nothing could reach
// us a grace period: their sources may well have tried.
func (e *Engine) outage(since time.Time) {
	grace := e.now + time.Duration(e.cfg.OutageGrace).Microseconds()
	ev := &ingest.Event{Kind: ingest.KindOutage, Source: self, StartsAt: since, EndsAt: timeOf(e.now)}
	e.store(ev)
	fps := make([]ingest.Fingerprint, 0, len(e.alerts))
	for fp, a := range e.alerts {
		if a.firing && a.expiresAt != 0 && a.expiresAt < grace {
			fps = append(fps, fp)
		}
	}
	slices.Sort(fps)
	for _, fp := range fps {
		a := e.alerts[fp]
		a.expiresAt = grace
		e.sight(a)
	}
}

// Watchdogs. The alert that tells of the silence is made of the watchdog's own
// labels, so that it is bound, deduplicated and correlated as any other.

const watchdogAlert = "WatchdogSilent"

func (e *Engine) watchdogOf(labels ingest.Labels) *WatchdogConfig {
next:
	for i := range e.cfg.Watchdogs {
		w := &e.cfg.Watchdogs[i]
		for name, value := range w.Match {
			if labels.Get(name) != value {
				continue next
			}
		}
		return w
	}
	return nil
}

func (e *Engine) watchdogSilent(a *alert) {
	e.takeAlert(e.watchdogEvent(a, ingest.Firing))
}

func (e *Engine) watchdogBack(a *alert) {
	ev := e.watchdogEvent(a, ingest.Resolved)
	if silent := e.alerts[ev.Fingerprint]; silent != nil && silent.firing {
		ev.StartsAt = timeOf(silent.startsAt)
		e.takeAlert(ev)
	}
}

func (e *Engine) watchdogEvent(a *alert, s ingest.Status) *ingest.Event {
	labels := e.labelsOf(a)
	name := labels.Get("alertname")
	labels = labels.Set("alertname", watchdogAlert).Set("watchdog", name).Set("severity", ingest.Critical.String())
	ev := &ingest.Event{
		Kind: ingest.KindAlert, Source: self, Status: s, Labels: labels, StartsAt: timeOf(e.now),
		Severity: ingest.Critical, SourceSeverity: ingest.Critical.String(),
		Annotations: ingest.LabelsOf("summary", "The watchdog "+name+" of "+a.origin.source+" has fallen silent: alerts from there may be missing"),
	}
	if s == ingest.Resolved {
		ev.EndsAt = ev.StartsAt
	}
	ev.Fingerprint = ingest.FingerprintOf(labels)
	ev.PrometheusFingerprint = ev.Fingerprint
	return ev
}

// rebind takes a new estate in: indexes of CIs mean nothing in another
// snapshot, so everything that uses them is built again.
func (e *Engine) rebind(s *cmdb.Snapshot) {
	old := e.estate
	if err := e.setEstate(s); err != nil {
		// The rules were accepted with another estate; they do not depend on it.
		panic(err)
	}
	var changes []*change
	for _, list := range e.changes {
		changes = append(changes, list...)
	}
	e.changes = map[int32][]*change{}
	for _, ch := range changes {
		if i, ok := e.estate.Index(old.At(ch.ci).ID); ok {
			ch.ci = i
			e.changes[i] = append(e.changes[i], ch)
			e.timers.push(timer{due: ch.received + e.horizon(), kind: timerForgetChange, key: uint64(i)})
		}
	}
	passed := traffic{}
	for ci, b := range e.traffic {
		if i, ok := e.estate.Index(old.At(ci).ID); ok {
			passed[i] = b
		}
	}
	e.traffic = passed
	clear(e.subjectCount)
	fps := make([]ingest.Fingerprint, 0, len(e.alerts))
	for fp := range e.alerts {
		fps = append(fps, fp)
	}
	slices.Sort(fps)
	for _, fp := range fps {
		a := e.alerts[fp]
		was := ""
		if a.ci != unbound {
			was = old.At(a.ci).ID
		}
		v := e.view(a)
		a.ci = v.binding.Index
		if v.binding.CI != was && a.firing {
			e.reviseAlert(a)
		}
		if a.firing {
			for _, s := range v.subjects {
				addCount(e.subjectCount, short(s), 1)
			}
		}
	}
	e.places = newPlaces()
	for _, id := range sortedKeys(e.incidents) {
		inc := e.incidents[id]
		if inc.released {
			continue
		}
		e.regroup(inc)
		if inc.rec.Status.Active() {
			e.touch(inc)
		}
	}
}

// regroup computes all that follows from an incident's alerts again.
func (e *Engine) regroup(inc *incident) {
	members := inc.members
	fresh := newIncident(inc.rec)
	fresh.entries, fresh.joined, fresh.back, fresh.ended = inc.entries, inc.joined, inc.back, inc.ended
	fresh.dirty, fresh.had, fresh.recalled, fresh.look = inc.dirty, inc.had, inc.recalled, inc.look
	*inc = *fresh
	for _, a := range members {
		e.enter(inc, a)
	}
	if !inc.rec.Status.Active() {
		inc.rankedAsRecorded() // the active ones are ranked anew
	}
}
