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
	ci               int32
	alerting         bool
	mute, dependants int32 // dependants that do not alert, and all

	explains, silent, change, confirmed, operator int64

	after *change
	like  *Confirmation // what the confirmed points come from
}

func (r *rating) total() int64 { return r.explains + r.silent + r.change + r.confirmed + r.operator }

// compare puts the likelier first.
func (r *rating) compare(o *rating) int {
	if c := cmp.Compare(o.total(), r.total()); c != 0 {
		return c
	}
	if r.alerting != o.alerting {
		if r.alerting {
			return -1
		}
		return 1
	}
	return cmp.Compare(r.ci, o.ci)
}

// rateCIs rates the CIs that may have caused an incident, likeliest first: those
// that explain most, those that were changed, and those that people named. Only
// what may be among the likeliest of so many workloads is looked at closely, and
// in the result, which is good until the next call.
func (e *Engine) rateCIs(inc *incident, s *sums, workloads int) []rating {
	best := e.ratings[:0]
	for _, x := range s.best(shortlist) {
		best = append(best, rating{ci: x.ci, explains: x.points})
	}
	for _, r := range e.changedCIs(inc, s) {
		if i := slices.IndexFunc(best, func(b rating) bool { return b.ci == r.ci }); i >= 0 {
			best[i] = r
		} else {
			best = append(best, r)
		}
	}
	best = e.rateConfirmed(inc, s, best)
	for i := range best {
		best[i].alerting = inc.cis[best[i].ci] != nil
	}
	sortRatings(best)
	// Silence only takes points, so that what is below the last workload of
	// those asked for before its dependants are counted will not rise above it.
	leading := make([]leader, 0, min(workloads, len(best))+1)
	for i := range best {
		r := &best[i]
		if len(leading) == workloads && r.total() < leading[workloads-1].total {
			best = best[:i]
			break
		}
		r.mute, r.dependants = e.silent(inc, r.ci)
		r.silent = -min(int64(pointsSilent*r.mute), silentMost)
		leading = lead(leading, leader{e.estate.workload(r.ci)[0], r.total()}, workloads)
	}
	sortRatings(best)
	e.ratings = best
	return best
}

// sortRatings sorts by insertion, because they are few and mostly in order.
func sortRatings(list []rating) {
	for i := 1; i < len(list); i++ {
		if list[i].compare(&list[i-1]) >= 0 {
			continue
		}
		r, k := list[i], i
		for ; k > 0 && r.compare(&list[k-1]) < 0; k-- {
			list[k] = list[k-1]
		}
		list[k] = r
	}
}

// leader is a workload and the total of the likeliest of its CIs.
type leader struct {
	workload int32
	total    int64
}

// lead takes a CI's workload into the list of the n likeliest.
func lead(list []leader, l leader, n int) []leader {
	if i := slices.IndexFunc(list, func(o leader) bool { return o.workload == l.workload }); i >= 0 {
		if list[i].total >= l.total {
			return list
		}
		list = slices.Delete(list, i, i+1)
	}
	i := len(list)
	for i > 0 && list[i-1].total < l.total {
		i--
	}
	list = slices.Insert(list, i, l)
	return list[:min(len(list), n)]
}

// explainer is a CI and what it explains.
type explainer struct {
	ci     int32
	points int64
}

// best are the CIs that explain most, at most n.
func (s *sums) best(n int) []explainer {
	best := make([]explainer, 0, min(n, len(s.tallies))+1)
	order := func(a, b explainer) int { return cmp.Or(cmp.Compare(b.points, a.points), cmp.Compare(a.ci, b.ci)) }
	for i := range s.tallies {
		x := explainer{s.tallies[i].ci, s.explains(&s.tallies[i])}
		if len(best) == n && order(x, best[n-1]) > 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, x, order)
		best = slices.Insert(best, at, x)
		best = best[:min(len(best), n)]
	}
	return best
}

// silent counts the workloads that need a CI, and those of them without an
// alert in the incident.
func (e *Engine) silent(inc *incident, ci int32) (mute, all int32) {
	dependants := e.estate.neededBy(ci)
	for _, w := range dependants {
		if !slices.ContainsFunc(w, func(ci int32) bool { return inc.cis[ci] != nil }) {
			mute++
		}
	}
	return mute, int32(len(dependants))
}

// workloadsFirst takes the likeliest CI of each workload, then their others, at
// most n.
func (e *Engine) workloadsFirst(rated []rating, n int) []rating {
	first := make([]rating, 0, n)
	listed := make([]bool, len(rated))
	seen := make([]int32, 0, n)
	for i := range rated {
		if len(first) == n {
			return first
		}
		if w := e.estate.workload(rated[i].ci)[0]; !slices.Contains(seen, w) {
			seen, listed[i] = append(seen, w), true
			first = append(first, rated[i])
		}
	}
	for i := range rated {
		if len(first) < n && !listed[i] {
			first = append(first, rated[i])
		}
	}
	return first
}
