package correlate

import (
	"fmt"
	"math/bits"
	"slices"
	"time"
)

// correlate finds the place of an alert that begins to fire: suppressed with
// a reason, or in exactly one incident.
func (e *Engine) correlate(a *alert) {
	if w := e.watchdogOf(e.view(a).labels); w != nil {
		a.suppression = suppressedWatchdog
		e.watchdogBack(a)
		return
	}
	if e.grouping != nil {
		e.correlateAsGiven(a)
		return
	}
	if inc := a.incident; inc != nil {
		if e.again(inc, a) {
			return
		}
		e.leave(inc, a)
	}
	a.begin()
	if a.flapping() {
		a.suppression = suppressedFlapping
		return
	}
	if n, ok := e.noiseOf(a.fp, a.firstSeen); ok && !e.view(a).ruling.neverNoise {
		a.suppression = suppressedChronic
		if n.Period > 0 {
			a.suppression = suppressedPeriodic
		}
		return
	}
	cands := e.candidates(a)
	if len(cands) > 0 && e.joins(&cands[0]) {
		best := cands[0].place.inc
		ev := e.evidence(a, &cands[0], cands)
		var join []*incident
		for i := 1; i < len(cands); i++ {
			if c := &cands[i]; e.mayMerge(&cands[0], c) && !apart(best, c.place.inc) && !e.keepsApart(best, c.place.inc) {
				join = append(join, c.place.inc)
			}
		}
		e.learnDelay(a, best)
		e.attach(best, a, self, ev)
		best.joined++
		if len(join) > 0 {
			e.mergeFound(best, join, a)
		}
		e.ripen(a.incident)
		return
	}
	e.open(a, cands)
}

// joins says that an alert joins a candidate: the evidence is enough, or a rule
// says so.
func (e *Engine) joins(c *candidate) bool {
	return c.keptApart == "" && (c.rule != "" || c.score() >= e.cfg.Threshold)
}

// mergePoints is how much more evidence it takes for each doubling of the smaller
// of two incidents: that a straggler was wrongly left alone is soon put right,
// that two large incidents were taken for one is not. It takes all of it when
// they began twoFaults apart or more, and none when they began at once: two
// faults side by side seldom do.
const (
	mergePoints = 100
	twoFaults   = 2 * time.Minute
)

// unusualPoints is how much more it takes for an alert that comes at a time
// unusual for its kind: it may be the first of another fault.
const unusualPoints = 60

// mayMerge says that the evidence for two incidents is strong enough to join
// them. A shared name is not: alerts of two services on one host are no reason
// to take the services for one.
func (e *Engine) mayMerge(a, b *candidate) bool {
	switch {
	case a.keptApart != "" || b.keptApart != "":
		return false
	case a.rule != "" && b.rule != "":
		return true
	case a.place.key.ci == unbound || b.place.key.ci == unbound:
		return false
	}
	x, y := a.place.inc, b.place.inc
	doublings := bits.Len(uint(min(len(x.members), len(y.members)))) - 1
	apart := min(max(x.first().began-y.first().began, y.first().began-x.first().began), twoFaults.Microseconds())
	need := e.cfg.MergeThreshold + int(int64(mergePoints*doublings)*apart/twoFaults.Microseconds())
	if min(a.points[evDelay], b.points[evDelay]) < 0 {
		need += unusualPoints
	}
	return min(a.score(), b.score()) >= need
}

// again handles an alert that fires once more while it is in an incident. It
// says whether that is where it belongs.
func (e *Engine) again(inc *incident, a *alert) bool {
	switch {
	case inc.rec.Status.Active():
	case inc.rec.Status == Resolved && (!a.flapping() || e.grouping != nil):
		e.reopen(inc, self, "%s fires again %s after the resolution", e.nameOf(a), roundGap(timeOf(e.now).Sub(inc.rec.ResolvedAt)))
	default:
		return false
	}
	inc.back++
	inc.rec.HeldOpen = false
	e.touch(inc)
	e.ripen(inc)
	a.placed = false // as its newest attachment says
	e.attachment(inc, a, self, Evidence{
		Sentence: "Fires again while its incident is not closed: one intermittent fault, one incident.",
		Score:    e.cfg.Threshold, Threshold: e.cfg.Threshold, Model: Model,
		Parts: []Part{{"history", e.cfg.Threshold, "the same alert"}},
	})
	return true
}

// attach makes an alert a member and records why.
func (e *Engine) attach(inc *incident, a *alert, by string, ev Evidence) {
	e.enter(inc, a)
	a.placed = by != self
	a.suppression = notSuppressed
	e.reviseAlert(a)
	e.touch(inc)
	e.attachment(inc, a, by, ev)
}

func (e *Engine) attachment(inc *incident, a *alert, by string, ev Evidence) {
	e.revision++
	at := Attachment{Revision: e.revision, At: timeOf(e.now), Incident: inc.rec.ID, Fingerprint: a.fp,
		StartsAt: timeOf(a.startsAt), Began: timeOf(a.began), By: by, Evidence: ev}
	if a.ci != unbound {
		at.CI = e.estate.At(a.ci).ID
	}
	at.Evidence.Config = e.config
	e.out.Attachments = append(e.out.Attachments, at)
}

// open starts an incident with an alert that fits nowhere.
func (e *Engine) open(a *alert, cands []candidate) {
	ev := Evidence{Threshold: e.cfg.Threshold, Model: Model, Sentence: "Opened the incident: no open incident is near it."}
	if len(cands) > 0 {
		ev.Sentence = fmt.Sprintf("Opened the incident: the nearest, %s, scores %d of the %d points needed.",
			cands[0].place.inc.rec.ID, cands[0].score(), e.cfg.Threshold)
		if r := cands[0].keptApart; r != "" {
			ev.Sentence = fmt.Sprintf("Opened the incident: rule %s keeps it out of the nearest, %s.", r, cands[0].place.inc.rec.ID)
		}
		for i := range cands[:min(len(cands), maxRunnersUp)] {
			c := &cands[i]
			ev.RunnersUp = append(ev.RunnersUp, RunnerUp{c.place.inc.rec.ID, c.score(), e.lostBy(c, nil)})
		}
	}
	e.learnRefused(a, cands)
	inc := e.newIncident(a)
	e.attach(inc, a, self, ev)
	if wait := e.waits(inc); wait != "" {
		e.setStatus(inc, Pending)
		e.note(inc, EntryPending, self, "%s waits by a rule %s", e.nameOf(a), wait)
		e.ripen(inc)
		return
	}
	e.note(inc, EntryOpened, self, "Opened by %s", e.nameOf(a))
}

func (e *Engine) newIncident(a *alert) *incident {
	inc := newIncident(Incident{ID: e.newID(a), Status: Open, OpenedAt: timeOf(e.now), Sources: []string{}, Causes: []Cause{}})
	e.incidents[inc.rec.ID] = inc
	e.lookLater(inc)
	return inc
}

func apart(a, b *incident) bool {
	return slices.Contains(a.rec.Apart, b.rec.ID) || slices.Contains(b.rec.Apart, a.rec.ID)
}
