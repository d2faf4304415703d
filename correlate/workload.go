package correlate

import (
	"slices"

	"tocsin/cmdb"
)

const (
	// maxWorkload bounds how many CIs are taken for one workload; a CI of a
	// larger one stands for itself.
	maxWorkload = 256
	// maxDependants bounds how many workloads are looked at that need a CI.
	maxDependants = 256
)

// workload lists the CIs that are one thing at several levels, such as a
// service, its deployment and its pods, in the order of their indexes. The
// first stands for all.
func (s *estate) workload(ci int32) []int32 {
	if w, ok := s.workloads.get(ci); ok {
		return w
	}
	w := []int32{ci}
	for i := 0; i < len(w) && len(w) <= maxWorkload; i++ {
		for _, edges := range [2][]cmdb.Edge{s.Needs(w[i]), s.NeededBy(w[i])} {
			for _, edge := range edges {
				if s.kind(edge.Type) == carrier && len(w) <= maxWorkload && !slices.Contains(w, edge.CI) {
					w = append(w, edge.CI)
				}
			}
		}
	}
	if len(w) > maxWorkload {
		return s.workloads.put(ci, []int32{ci}, 4)
	}
	slices.Sort(w)
	for _, member := range w {
		s.workloads.put(member, w, 4)
	}
	return w
}

// neededBy lists the workloads that need a CI, or the workload that it carries,
// directly.
func (s *estate) neededBy(ci int32) [][]int32 {
	if d, ok := s.dependants.get(ci); ok {
		return d
	}
	var found [][]int32
	own := s.workload(ci)
	carries := []int32{ci}
	for i := 0; i < len(carries); i++ {
		for _, edge := range s.NeededBy(carries[i]) {
			switch k := s.kind(edge.Type); {
			case k == lateral: // is near, and needs nothing
			case k == carrier:
				if len(carries) <= maxWorkload && !slices.Contains(carries, edge.CI) {
					carries = append(carries, edge.CI)
				}
			case len(found) < maxDependants:
				w := s.workload(edge.CI)
				if w[0] != own[0] && !slices.ContainsFunc(found, func(o []int32) bool { return o[0] == w[0] }) {
					found = append(found, w)
				}
			}
		}
	}
	return s.dependants.put(ci, found, 4+len(found))
}
