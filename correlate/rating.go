package correlate

import (
	"cmp"
	"slices"
)

const (
	// shortlist is how many CIs, best by what they explain, are looked at
	// closely.
	shortlist = 32
	// A workload that needs the CI and does not alert takes pointsSilent, all
	// of them at most silentMost.
	pointsSilent, silentMost = 100, 1000
	// pointsOperator outweighs everything: people know.
	pointsOperator = 100_000
)

// rating is what speaks for and against a CI as the cause of an incident, in
// thousandths of a natural logarithm. Four things count: how well its failure
// explains the alerts, which includes on which side of failures their names
// have come before; the dependants that should alert and do not; a change
// shortly before; and what people said was the cause before. That it alerted
// first does not: what is far from a fault is often watched more closely than
// what is near it.
type rating struct {
	ci       int32
	alerting bool

	explains, silent, change, confirmed, operator int64
	mute, dependants                              int // dependants that do not alert, and all
	after                                         *change
	like                                          string // the incident that the confirmed points come from
}

func (r *rating) total() int64 { return r.explains + r.silent + r.change + r.confirmed + r.operator }

// rateCIs rates the CIs that may have caused an incident, likeliest first: those
// that explain most, those that were changed, and those that people named.
func (e *Engine) rateCIs(inc *incident, s *sums) []rating {
	best := s.best(shortlist)
	for _, r := range e.changedCIs(inc, s) {
		if i := slices.IndexFunc(best, func(b rating) bool { return b.ci == r.ci }); i >= 0 {
			best[i] = r
		} else {
			best = append(best, r)
		}
	}
	best = e.rateConfirmed(inc, s, best)
	for i := range best {
		r := &best[i]
		r.alerting = inc.cis[r.ci] != nil
		r.mute, r.dependants = e.silent(inc, r.ci)
		r.silent = -min(int64(pointsSilent*r.mute), silentMost)
	}
	slices.SortFunc(best, func(a, b rating) int {
		switch {
		case a.total() != b.total():
			return cmp.Compare(b.total(), a.total())
		case a.alerting != b.alerting && a.alerting:
			return -1
		case a.alerting != b.alerting:
			return 1
		default:
			return cmp.Compare(a.ci, b.ci)
		}
	})
	return best
}

// best are the CIs that explain most, at most n.
func (s *sums) best(n int) []rating {
	best := make([]rating, 0, n+1)
	order := func(a, b rating) int { return cmp.Or(cmp.Compare(b.explains, a.explains), cmp.Compare(a.ci, b.ci)) }
	for i := range s.tallies {
		r := rating{ci: s.tallies[i].ci, explains: s.explains(&s.tallies[i])}
		if len(best) == n && order(r, best[n-1]) > 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, r, order)
		best = slices.Insert(best, at, r)
		best = best[:min(len(best), n)]
	}
	return best
}

// silent counts the workloads that need a CI, and those of them without an
// alert in the incident.
func (e *Engine) silent(inc *incident, ci int32) (mute, all int) {
	dependants := e.estate.neededBy(ci)
	for _, w := range dependants {
		if !slices.ContainsFunc(w, func(ci int32) bool { return inc.cis[ci] != nil }) {
			mute++
		}
	}
	return mute, len(dependants)
}

// workloadsFirst puts the likeliest CI of each workload before their others.
func (e *Engine) workloadsFirst(rated []rating) []rating {
	var first, rest []rating
	seen := map[int32]bool{}
	for _, r := range rated {
		if w := e.estate.workload(r.ci)[0]; !seen[w] {
			seen[w] = true
			first = append(first, r)
		} else {
			rest = append(rest, r)
		}
	}
	return append(first, rest...)
}
