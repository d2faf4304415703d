package correlate

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// changedCIs rates the culprits that were changed shortly before the incident,
// at most shortlist.
func (e *Engine) changedCIs(inc *incident, s *sums) []rating {
	if e.cfg.Weights.Change == 0 {
		return nil
	}
	onset := inc.first().began
	changed := e.changedEarlier(inc, s)
	take := func(ci int32) {
		ch := e.changeBefore(ci, onset)
		if ch == nil {
			return
		}
		if p := e.changePoints(ch, onset); p > 0 {
			changed = append(changed, rating{ci: ci, explains: s.explainedBy(ci), change: p, after: ch})
		}
	}
	if len(e.changes) < len(s.tallies) {
		for ci := range e.changes {
			if _, ok := s.at[ci]; ok {
				take(ci)
			}
		}
	} else {
		for i := range s.tallies {
			take(s.tallies[i].ci)
		}
	}
	slices.SortFunc(changed, func(a, b rating) int {
		return cmp.Or(cmp.Compare(b.total(), a.total()), cmp.Compare(a.ci, b.ci), cmp.Compare(b.after.seq, a.after.seq))
	})
	var out []rating
	for _, r := range changed {
		if len(out) < shortlist && !slices.ContainsFunc(out, func(o rating) bool { return o.ci == r.ci }) {
			out = append(out, r)
		}
	}
	return out
}

// changedEarlier finds in an incident's own record the changes that were among
// its causes but happened so long ago that the engine has forgotten them.
func (e *Engine) changedEarlier(inc *incident, s *sums) (found []rating) {
	on := "" // the CI of the change, which stands above it
	for i := range inc.rec.Causes {
		c := &inc.rec.Causes[i]
		if c.Kind == "ci" {
			on = c.ID
		}
		if c.Kind != "change" || c.At.IsZero() || len(c.Parts) == 0 {
			continue
		}
		ci, known := e.estate.Index(on)
		seq, err := strconv.ParseInt(c.ID, 10, 64)
		if !known || err != nil || slices.ContainsFunc(e.changes[ci], func(ch *change) bool { return ch.seq == seq }) {
			continue
		}
		found = append(found, rating{ci: ci, explains: s.explainedBy(ci), change: int64(c.Parts[0].Points),
			after: &change{seq: seq, startsAt: micros(c.At), ci: ci, text: c.Name}})
	}
	return found
}

// changeBefore is the last change on a CI within the change window before an
// onset. Clocks differ, so one up to a minute after it counts too.
func (e *Engine) changeBefore(ci int32, onset int64) *change {
	window := time.Duration(e.cfg.ChangeWindow).Microseconds()
	var best *change
	for _, ch := range e.changes[ci] {
		if ch.startsAt > onset+clockSlack.Microseconds() || onset-ch.startsAt > window {
			continue
		}
		if best == nil || ch.startsAt > best.startsAt || ch.startsAt == best.startsAt && ch.seq > best.seq {
			best = ch
		}
	}
	return best
}
