package correlate

import (
	"cmp"
	"fmt"
	"slices"
)

// A placement is a guess made when an alert begins. [Company] later, when it is
// known what else began, it is looked at once more: an incident that turned out
// to be two, tied together by nothing but lateral links, is divided. What people
// placed stays where it is. To move single alerts that have become nearer to
// another incident was tried and changed nothing that could be measured.

const (
	// strongTie is the strength from which two CIs are tied for more than
	// being neighbours.
	strongTie = 0.6
	// An incident is divided only if each part has partAlerts on partCIs, so
	// that a failed link, seen from both of its ends, stays one.
	partAlerts, partCIs = 3, 2
	// divideMost bounds the CIs of an incident that is looked at.
	divideMost = 48
	// upstreamMost bounds the search for what two parts both need.
	upstreamMost = 64
)

// review looks at an alert's incident once more.
func (e *Engine) review(a *alert) {
	if inc := a.incident; inc != nil && inc.rec.Status.Active() && !a.placed && !a.again() && e.grouping == nil {
		e.divide(inc)
	}
}

// divide makes two incidents of one whose alerts fall into parts that only
// lateral links tie together and that need nothing in common. The part with the
// first alert stays.
func (e *Engine) divide(inc *incident) {
	if len(inc.cis) < 2*partCIs || len(inc.cis) > divideMost || len(inc.members) < 2*partAlerts {
		return
	}
	if inc.undivided == inc.version {
		return // looked at since its last alert came or went
	}
	inc.undivided = inc.version
	parts := e.partsOf(inc)
	if len(parts) < 2 {
		return
	}
	firstCI := inc.first().ci
	if firstCI == unbound {
		return
	}
	stay := slices.IndexFunc(parts, func(p []int32) bool { return slices.Contains(p, firstCI) })
	for i, part := range parts {
		if i == stay || !e.standsAlone(inc, part) || !e.standsAlone(inc, parts[stay]) || e.needInCommon(part, parts[stay]) {
			continue
		}
		e.splitOff(inc, part)
		return // what is left is looked at when its next alert is
	}
}

// partsOf groups an incident's CIs by strong ties, in the order of their CIs.
func (e *Engine) partsOf(inc *incident) [][]int32 {
	cis := make([]int32, 0, len(inc.cis))
	for ci := range inc.cis {
		cis = append(cis, ci)
	}
	slices.Sort(cis)
	part := make(map[int32]int, len(cis)) // by CI
	var parts [][]int32
	for _, start := range cis {
		if _, ok := part[start]; ok {
			continue
		}
		n := len(parts)
		part[start] = n
		members := []int32{start}
		for at := 0; at < len(members); at++ {
			near := e.estate.around(members[at])
			for i := range near {
				ci := near[i].ci
				if _, seen := part[ci]; !seen && near[i].strength >= strongTie && inc.cis[ci] != nil {
					part[ci] = n
					members = append(members, ci)
				}
			}
		}
		slices.Sort(members)
		parts = append(parts, members)
	}
	return parts
}

// standsAlone says that a part is enough for an incident of its own, and that
// people placed none of its alerts.
func (e *Engine) standsAlone(inc *incident, part []int32) bool {
	alerts := 0
	for _, ci := range part {
		for _, a := range inc.cis[ci].members {
			if a.placed {
				return false
			}
			alerts++
		}
	}
	return len(part) >= partCIs && alerts >= partAlerts
}

// needInCommon says that one failure upstream would explain both parts.
func (e *Engine) needInCommon(a, b []int32) bool {
	up := e.upstream(a)
	for ci := range e.upstream(b) {
		if up[ci] {
			return true
		}
	}
	return false
}

// upstream is what CIs need, themselves included, along all but lateral links.
func (e *Engine) upstream(cis []int32) map[int32]bool {
	seen := make(map[int32]bool, upstreamMost)
	queue := slices.Clone(cis)
	for _, ci := range queue {
		seen[ci] = true
	}
	for len(queue) > 0 && len(seen) < upstreamMost {
		ci := queue[0]
		queue = queue[1:]
		for _, edge := range e.estate.Needs(ci) {
			if e.estate.strength(edge.Type) >= 0.5 && !seen[edge.CI] {
				seen[edge.CI] = true
				queue = append(queue, edge.CI)
			}
		}
	}
	return seen
}

func (e *Engine) splitOff(inc *incident, part []int32) {
	var alerts []*alert
	for _, ci := range part {
		alerts = append(alerts, inc.cis[ci].members...)
	}
	slices.SortFunc(alerts, func(a, b *alert) int { return cmp.Or(cmp.Compare(a.began, b.began), cmp.Compare(a.fp, b.fp)) })
	fresh := e.newIncident(alerts[0])
	fresh.rec.SplitFrom = inc.rec.ID
	fresh.rec.Apart = addSorted(nil, inc.rec.ID)
	inc.rec.Apart = addSorted(inc.rec.Apart, fresh.rec.ID)
	if inc.rec.Status == Pending {
		fresh.rec.Status = Pending
	}
	why := fmt.Sprintf("only lateral links tie them to %s, and both have a cause of their own", inc.rec.ID)
	for _, a := range alerts {
		e.transferWith(inc, fresh, a, self, Evidence{Score: e.cfg.Threshold, Threshold: e.cfg.Threshold, Model: Model,
			Sentence: "Divided off: " + why + ".", Parts: []Part{{"topology", e.cfg.Threshold, why}}})
	}
	e.note(inc, EntrySplit, self, "%s divided off into %s: nothing but lateral links ties them together", plural(len(alerts), "alert"), fresh.rec.ID)
	if fresh.rec.Status == Pending {
		e.note(fresh, EntryPending, self, "Divided off from %s", inc.rec.ID)
		e.ripen(fresh)
	} else {
		e.note(fresh, EntryOpened, self, "Divided off from %s with %s", inc.rec.ID, plural(len(alerts), "alert"))
	}
	e.settle(fresh)
	e.settle(inc)
}
