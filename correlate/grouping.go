package correlate

import (
	"time"

	"tocsin/ingest"
)

// grouping is a partition of alerts that was given to the engine.
type grouping struct {
	of        func(fp ingest.Fingerprint, startsAt time.Time) (group string, ok bool)
	incidents map[string]*incident // the newest of each group
}

// FixGrouping has the engine take its grouping from f instead of finding it: an
// alert that begins to fire joins the incident of its group, however far away
// or long ago that is, and no incidents are merged. One without a group is
// suppressed. One that goes to another group leaves its former incident as it
// is, so that an incident knows all alerts that it ever had. This is for
// judging what the engine makes of a grouping, such as its causes, apart from
// the grouping. What incident a group is in is not stored: an engine that was
// restored opens others.
func (e *Engine) FixGrouping(f func(fp ingest.Fingerprint, startsAt time.Time) (group string, ok bool)) {
	e.grouping = &grouping{of: f, incidents: map[string]*incident{}}
}

// incidentOf is the incident of a group that can still take alerts.
func (g *grouping) incidentOf(e *Engine, group string) *incident {
	inc := g.incidents[group]
	if inc == nil {
		return nil
	}
	// People may have merged it all the same.
	if inc, _ = e.target(&Command{Incident: inc.rec.ID}); inc == nil || inc.rec.Status == Closed {
		return nil
	}
	return inc
}

// correlateAsGiven is correlate with a fixed grouping.
func (e *Engine) correlateAsGiven(a *alert) {
	group, ok := e.grouping.of(a.fp, timeOf(a.startsAt))
	ok = ok && group != ""
	var inc *incident
	if ok {
		inc = e.grouping.incidentOf(e, group)
	}
	if was := a.incident; was != nil {
		if was == inc && e.again(inc, a) {
			return
		}
		e.leaveBehind(was, a)
	}
	a.begin()
	if !ok {
		a.suppression = suppressedGrouping
		return
	}
	why := Evidence{Score: e.cfg.Threshold, Threshold: e.cfg.Threshold, Model: Model,
		Sentence: "Belongs to group " + group + " of the grouping that was given.",
		Parts:    []Part{{"grouping", e.cfg.Threshold, group}}}
	if inc == nil {
		inc = e.newIncident(a)
		e.grouping.incidents[group] = inc
		e.attach(inc, a, self, why)
		e.note(inc, EntryOpened, self, "Opened by %s", e.nameOf(a))
		return
	}
	if inc.rec.Status == Resolved {
		e.reopen(inc, self, "%s belongs to it", e.nameOf(a))
	}
	e.attach(inc, a, self, why)
	inc.joined++
}

// leaveBehind takes a member out and leaves what it was in its place.
func (e *Engine) leaveBehind(was *incident, a *alert) {
	e.leave(was, a)
	old := *a
	old.firing, old.flaps = false, nil
	e.enter(was, &old)
	e.touch(was)
	e.settle(was)
}

// regroups says that an event, which would otherwise say nothing new of an
// alert, puts it into another group.
func (g *grouping) regroups(e *Engine, a *alert, ev *ingest.Event) bool {
	if g == nil || a == nil || !a.firing || ev.Status != ingest.Firing {
		return false
	}
	group, ok := g.of(a.fp, ev.StartsAt)
	return ok && group != "" && (a.incident == nil || a.incident != g.incidentOf(e, group))
}
