package correlate

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const (
	maxCauses = 5
	// shortlist is how many CIs, best by what they explain, are looked at
	// closely.
	shortlist = 16

	// Points for a CI that is itself alerting: first of all, and with the
	// incident's worst severity; and for one that was changed shortly before.
	// They decide between CIs that explain about the same.
	pointsFirst   = 500
	pointsWorst   = 100
	pointsChanged = 800
)

// change is a change event as the engine remembers it.
type change struct {
	seq      int64
	startsAt int64
	received int64
	ci       int32
	text     string
}

// rankCauses ranks what may have caused an incident. CIs are scored by the
// hidden-cause model: the sum over the different (CI, alert name) pairs of
// ln P(alert | CI failed), see [share], and by precedence in time, severity
// and recent changes. Alerts without a CI stand for themselves.
func (e *Engine) rankCauses(inc *incident) []Cause {
	var out []Cause
	full := max(fullShare*int64(len(inc.pairs)), 1)
	worst := inc.worst()
	for _, ci := range bestCIs(inc.causes) {
		explained := inc.causes[ci]
		c := Cause{Kind: "ci", ID: e.estate.At(ci).ID, Name: e.display(ci)}
		c.Parts = append(c.Parts, Part{"explains", int(explained), fmt.Sprintf("%d %% of what it could", explained*100/full)})
		reason := "explains the alerts on " + e.reached(inc, ci)
		total := explained
		if p := inc.cis[ci]; p != nil {
			if p.first == inc.first().began {
				c.Parts = append(c.Parts, Part{"first", pointsFirst, "alerted first"})
				total += pointsFirst
				reason += ", alerted first"
			} else {
				reason += ", alerts itself"
			}
			if slices.ContainsFunc(p.members, func(a *alert) bool { return a.severity == worst }) {
				c.Parts = append(c.Parts, Part{"severity", pointsWorst, worst.String()})
				total += pointsWorst
			}
		} else {
			reason += " although it does not alert itself"
		}
		if ch := e.changeBefore(ci, inc.first().began); ch != nil {
			c.Parts = append(c.Parts, Part{"change", pointsChanged, ch.text})
			total += pointsChanged
			reason += fmt.Sprintf(", changed %s before (%s)", roundGap(time.Duration(inc.first().began-ch.startsAt)*time.Microsecond), clip(ch.text, 80))
		}
		c.Score = int(total * 1000 / (full + pointsFirst + pointsWorst + pointsChanged))
		c.Reason = reason
		out = append(out, c)
	}
	out = append(out, e.alertCauses(inc)...)
	out = append(out, e.changeCauses(inc, out)...)
	slices.SortStableFunc(out, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return out[:min(len(out), maxCauses)]
}

// bestCIs are the CIs that explain most, at most shortlist.
func bestCIs(causes map[int32]int64) []int32 {
	type scored struct {
		ci     int32
		points int64
	}
	var best []scored
	order := func(a, b scored) int { return cmp.Or(cmp.Compare(b.points, a.points), cmp.Compare(a.ci, b.ci)) }
	for ci, points := range causes {
		s := scored{ci, points}
		if len(best) == shortlist && order(s, best[shortlist-1]) > 0 {
			continue
		}
		i, _ := slices.BinarySearchFunc(best, s, order)
		best = slices.Insert(best, i, s)
		best = best[:min(len(best), shortlist)]
	}
	out := make([]int32, len(best))
	for i, s := range best {
		out[i] = s.ci
	}
	return out
}

// maxReached bounds the count of alerting CIs that a cause explains.
const maxReached = 1000

// reached tells on how many CIs the failure of ci explains alerts.
func (e *Engine) reached(inc *incident, ci int32) string {
	if len(inc.cis) > maxReached {
		return fmt.Sprintf("most of %d CIs", len(inc.cis))
	}
	n := 0
	for at := range inc.cis {
		if slices.ContainsFunc(e.estate.explaining(at), func(sh share) bool { return sh.ci == ci }) {
			n++
		}
	}
	return plural(n, "CI")
}

// alertCauses lists the alerts of an incident that no CI stands for. The
// earliest is the likeliest; with CIs in the incident it ranks below those
// that explain more than themselves.
func (e *Engine) alertCauses(inc *incident) []Cause {
	first := inc.loners
	var out []Cause
	for i, a := range first {
		score := int64(1000)
		if n := len(inc.members); n > 1 {
			score = fullShare * 1000 / (fullShare * int64(max(len(inc.pairs), 1)+1))
		}
		score -= int64(100 * i)
		if a.severity < inc.worst() {
			score -= 50
		}
		c := Cause{Kind: "alert", ID: a.fp.String(), Name: e.nameOf(a), Score: int(max(score, 1))}
		c.Parts = []Part{{"order", int(max(score, 1)), fmt.Sprintf("number %d to alert", i+1)}}
		c.Reason = "the earliest alert that no CI stands for"
		if i > 0 {
			c.Reason = fmt.Sprintf("alerted %s after the first", roundGap(time.Duration(a.began-first[0].began)*time.Microsecond))
		}
		out = append(out, c)
	}
	return out
}

// changeCauses lists the changes on the likeliest CIs shortly before.
func (e *Engine) changeCauses(inc *incident, cis []Cause) []Cause {
	var out []Cause
	for i, c := range cis {
		if c.Kind != "ci" || i >= maxCauses {
			continue
		}
		ci, _ := e.estate.Index(c.ID)
		ch := e.changeBefore(ci, inc.first().began)
		if ch == nil {
			continue
		}
		gap := time.Duration(inc.first().began-ch.startsAt) * time.Microsecond
		// The nearer in time, the nearer to the score of the CI it changed.
		score := int64(c.Score) * int64(max(e.cfg.ChangeWindow-Duration(gap), 0)) / int64(max(e.cfg.ChangeWindow, 1))
		out = append(out, Cause{
			Kind: "change", ID: fmt.Sprint(ch.seq), Name: ch.text, Score: int(score),
			Parts:  []Part{{"change", int(score), roundGap(gap) + " before the first alert"}},
			Reason: fmt.Sprintf("changed %s %s before the first alert", c.Name, roundGap(gap)),
		})
	}
	return out
}

// changeBefore is the last change on a CI within the change window before an
// onset. Clocks differ, so one up to a minute after it counts too.
func (e *Engine) changeBefore(ci int32, onset int64) *change {
	const slack = int64(time.Minute / time.Microsecond)
	window := time.Duration(e.cfg.ChangeWindow).Microseconds()
	var best *change
	for _, ch := range e.changes[ci] {
		if ch.startsAt > onset+slack || onset-ch.startsAt > window {
			continue
		}
		if best == nil || ch.startsAt > best.startsAt || ch.startsAt == best.startsAt && ch.seq > best.seq {
			best = ch
		}
	}
	return best
}
