package correlate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tocsin/ingest"
)

// mergeFound joins incidents that one alert belongs to. The oldest lives on,
// for that is the one people already talk about.
func (e *Engine) mergeFound(first *incident, others []*incident, bridge *alert) {
	all := append([]*incident{first}, others...)
	slices.SortFunc(all, func(a, b *incident) int {
		return cmp.Or(a.rec.OpenedAt.Compare(b.rec.OpenedAt), cmp.Compare(a.rec.ID, b.rec.ID))
	})
	e.merge(all[0], all[1:], self, fmt.Sprintf("%s belongs to both", e.nameOf(bridge)))
}

// merge moves the alerts of other incidents into one and leaves a redirect in
// their place.
func (e *Engine) merge(into *incident, others []*incident, by, why string) {
	var ids []string
	for _, o := range others {
		ids = append(ids, o.rec.ID)
		o.had = o.had[:0]
		e.aggregate(o) // the merged record keeps what it was
		o.rec.MergedInto = into.rec.ID
		o.rec.Untold = o.rec.Status == Pending
		if !o.rec.Untold && into.rec.Status == Pending {
			e.setStatus(into, Open)
			e.note(into, EntryOpened, by, "Opened: merged with %s, which people know of", o.rec.ID)
		}
		o.rec.HoldUntil = into.rec.HoldUntil
		e.setStatus(o, Merged)
		e.note(o, EntryMergedInto, by, "Merged into %s: %s", into.rec.ID, why)
		members := o.members
		for _, a := range members {
			o.had = append(o.had, a.fp)
		}
		slices.Sort(o.had)
		slices.SortFunc(members, func(a, b *alert) int { return cmp.Compare(a.fp, b.fp) })
		for _, a := range members {
			e.unplace(o, a)
		}
		o.members = nil
		for _, a := range members {
			// The attachment to the merged incident is left as it is: it tells
			// what to take out again, should people say so.
			e.attach(into, a, by, Evidence{Threshold: e.cfg.Threshold, Score: e.cfg.Threshold, Model: Model,
				Sentence: fmt.Sprintf("Came with incident %s, which was merged: %s.", o.rec.ID, why)})
		}
		o.rec.ClosedAt = timeOf(e.now)
		e.release(o)
		into.rec.MergedFrom = append(into.rec.MergedFrom, o.rec.ID)
		if into.rec.AcknowledgedAt.IsZero() && !o.rec.AcknowledgedAt.IsZero() {
			into.rec.AcknowledgedAt, into.rec.AcknowledgedBy = o.rec.AcknowledgedAt, o.rec.AcknowledgedBy
			if into.rec.Status == Open {
				into.rec.Status = Acknowledged
			}
		}
		for _, ci := range o.rec.ConfirmedCauses {
			into.rec.ConfirmedCauses = addSorted(into.rec.ConfirmedCauses, ci)
		}
		into.rec.Assignee = cmp.Or(into.rec.Assignee, o.rec.Assignee)
	}
	e.note(into, EntryMerged, by, "Merged with %s: %s", strings.Join(ids, ", "), why)
	e.settle(into)
	e.ripen(into)
}

// unmerge takes a merged incident out again with those of its alerts that are
// still where it took them.
func (e *Engine) unmerge(from, o *incident, by string) {
	had := o.had
	fresh := newIncident(o.rec)
	fresh.entries, fresh.dirty = o.entries, o.dirty
	*o = *fresh
	o.rec.MergedInto, o.rec.Untold = "", false
	o.rec.ClosedAt, o.rec.ResolvedAt = timeOf(0), timeOf(0)
	o.rec.Apart = addSorted(o.rec.Apart, from.rec.ID)
	from.rec.Apart = addSorted(from.rec.Apart, o.rec.ID)
	from.rec.MergedFrom = slices.DeleteFunc(slices.Clone(from.rec.MergedFrom), func(id string) bool { return id == o.rec.ID })
	o.rec.Status = e.workStatus(o)
	for _, fp := range had {
		if a := e.alerts[fp]; a != nil && a.incident == from {
			e.transfer(from, o, a, by, "Taken out of "+from.rec.ID+" with its incident.")
		}
	}
	e.note(o, EntryUnmerged, by, "Taken out of %s again", from.rec.ID)
	if e.overdue(o) {
		e.lookNow(o)
	}
	e.note(from, EntryUnmerged, by, "%s was taken out again", o.rec.ID)
	e.settle(o)
	e.settle(from)
}

// transfer moves one alert because people said so.
func (e *Engine) transfer(from, to *incident, a *alert, by, sentence string) {
	e.transferWith(from, to, a, by, Evidence{Sentence: sentence, Score: e.cfg.Threshold, Threshold: e.cfg.Threshold, Model: Model,
		Parts: []Part{{"operator", e.cfg.Threshold, by}}})
}

func (e *Engine) transferWith(from, to *incident, a *alert, by string, ev Evidence) {
	e.leave(from, a)
	e.touch(from)
	e.revision++
	gone := Attachment{Revision: e.revision, At: timeOf(e.now), Incident: from.rec.ID, Fingerprint: a.fp, StartsAt: timeOf(a.startsAt), Began: timeOf(a.began),
		Detached: true, By: by, Evidence: Evidence{Sentence: fmt.Sprintf("Moved to %s by %s.", to.rec.ID, by), Model: Model, Threshold: e.cfg.Threshold}}
	if a.ci != unbound {
		gone.CI = e.estate.At(a.ci).ID
	}
	gone.Evidence.Config = e.config
	e.out.Attachments = append(e.out.Attachments, gone)
	e.attach(to, a, by, ev)
}

func addSorted(list []string, s string) []string {
	i, ok := slices.BinarySearch(list, s)
	if ok {
		return list
	}
	return slices.Insert(slices.Clone(list), i, s)
}

// members looks up alerts that must all be in one incident.
func (e *Engine) membersOf(inc *incident, fps []ingest.Fingerprint) ([]*alert, error) {
	fps = slices.Clone(fps)
	slices.Sort(fps)
	var out []*alert
	for _, fp := range slices.Compact(fps) {
		a := e.alerts[fp]
		if a == nil || a.incident != inc {
			return nil, fmt.Errorf("alert %s in incident %s: %w", fp, inc.rec.ID, ErrNotFound)
		}
		out = append(out, a)
	}
	return out, nil
}
