package cmdb

import "slices"

// Cycles finds CIs that need each other in a circle. Estates have them: services
// that call each other. For each knot of such CIs (a strongly connected
// component of more than one) it returns one example: a shortest circle through
// the knot's first ID, beginning there; each CI needs the next, and the last
// needs the first. Knots come in the order of their first IDs, no more than
// most of them; 0 means all.
func (s *Snapshot) Cycles(most int) [][]string {
	var out [][]string
	comp, first := s.knots()
	for _, start := range first {
		if most > 0 && len(out) == most {
			break
		}
		out = append(out, s.circle(start, comp))
	}
	return out
}

// knots numbers the strongly connected component of each CI, and lists the
// first CI of every component with more than one. It is Tarjan's algorithm
// (SIAM J. Comput. 1, 1972) with a stack of its own instead of recursion,
// because a chain of needs may be as long as the estate.
func (s *Snapshot) knots() (comp, first []int32) {
	n := s.Len()
	comp = make([]int32, n)
	low := make([]int32, n) // lowest number reachable
	num := make([]int32, n) // order of visit, from 1; 0 is not visited yet
	at := make([]uint32, n) // how many of its needs were looked at
	var open, call []int32  // not yet in a component; being visited
	var count, comps int32
	for root := range int32(n) {
		if num[root] != 0 {
			continue
		}
		call = append(call[:0], root)
		for len(call) > 0 {
			v := call[len(call)-1]
			if num[v] == 0 {
				count++
				num[v], low[v] = count, count
				open = append(open, v)
			}
			if es := s.Needs(v); int(at[v]) < len(es) {
				w := es[at[v]].CI
				at[v]++
				switch {
				case num[w] == 0:
					call = append(call, w)
				case comp[w] == 0:
					low[v] = min(low[v], num[w])
				}
				continue
			}
			call = call[:len(call)-1]
			if len(call) > 0 {
				u := call[len(call)-1]
				low[u] = min(low[u], low[v])
			}
			if low[v] != num[v] {
				continue
			}
			comps++
			k := len(open) - 1
			for ; open[k] != v; k-- {
				comp[open[k]] = comps
			}
			comp[v] = comps
			if members := open[k:]; len(members) > 1 {
				first = append(first, slices.Min(members))
			}
			open = open[:k]
		}
	}
	slices.Sort(first)
	return comp, first
}

// circle finds a shortest way from a CI back to itself within its component.
func (s *Snapshot) circle(start int32, comp []int32) []string {
	before := map[int32]int32{start: -1}
	level := []int32{start}
	for len(level) > 0 {
		var next []int32
		for _, v := range level {
			for _, e := range s.Needs(v) {
				if e.CI == start {
					var ids []string
					for i := v; i >= 0; i = before[i] {
						ids = append(ids, s.cis[i].ID)
					}
					slices.Reverse(ids)
					return ids
				}
				if _, ok := before[e.CI]; !ok && comp[e.CI] == comp[start] {
					before[e.CI] = v
					next = append(next, e.CI)
				}
			}
		}
		level = next
	}
	return nil // not reached: every CI of a component lies on a circle
}
