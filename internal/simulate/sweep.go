package simulate

import (
	"cmp"
	"slices"
)

// sweep lets each alert fire once at a time: what would fire while it fires
// already only makes it last longer, and it belongs to whoever came first. It
// returns the episodes that are left, by time.
func sweep(eps []episode) []episode {
	slices.SortFunc(eps, func(a, b episode) int {
		return cmp.Or(cmp.Compare(a.ci, b.ci), cmp.Compare(a.alarm, b.alarm), cmp.Compare(a.start, b.start),
			-cmp.Compare(a.fault, b.fault), cmp.Compare(a.end, b.end))
	})
	out := eps[:0]
	for _, e := range eps {
		if n := len(out) - 1; n >= 0 && out[n].ci == e.ci && out[n].alarm == e.alarm && e.start <= out[n].end {
			out[n].end = max(out[n].end, e.end)
			continue
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b episode) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.ci, b.ci), cmp.Compare(a.alarm, b.alarm))
	})
	return out
}
