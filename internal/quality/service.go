package quality

import (
	"slices"
	"strings"

	"tocsin/cmdb"
)

// realises are the types of relations that lead from a service to what it is
// made of, or the other way round. What many services use, such as a host, a
// namespace or a feed, is not part of any of them.
var (
	madeOf = []string{"served_by", "owns", "runs_in", "realised_by", "realized_by", "implemented_by", "deployed_as"}
	partOf = []string{"part_of", "realises", "realizes", "implements", "instance_of"}
)

// Services maps CIs to the service that they are part of. A CI of class service
// stands for itself. What a chain of relations of the types served_by, owns,
// runs_in, realised_by, implemented_by and deployed_as leads to from a service,
// or what is part_of it, realises or implements it or is an instance_of it,
// belongs to that service, the nearest one. Whatever is as near to two services
// belongs to neither: it, and all other CIs, stand for themselves.
func Services(s *cmdb.Snapshot) func(ci string) string {
	const none, shared = -1, -2
	of := make([]int32, s.Len())
	var front []int32
	for i, ci := range s.All() {
		of[i] = none
		if ci.Class == cmdb.ClassService {
			of[i] = i
			front = append(front, i)
		}
	}
	parts := func(edges []cmdb.Edge, types []string, visit func(int32)) {
		for _, e := range edges {
			if slices.Contains(types, s.TypeName(e.Type)) {
				visit(e.CI)
			}
		}
	}
	for len(front) > 0 {
		// A whole step at once, to see who comes as near.
		step := map[int32]int32{}
		var reached []int32
		for _, at := range front {
			visit := func(ci int32) {
				if of[ci] != none {
					return
				}
				switch owner, ok := step[ci]; {
				case !ok:
					step[ci] = of[at]
					reached = append(reached, ci)
				case owner != of[at]:
					step[ci] = shared
				}
			}
			parts(s.Needs(at), madeOf, visit)
			parts(s.NeededBy(at), partOf, visit)
		}
		for _, ci := range reached {
			of[ci] = step[ci]
		}
		front = reached
	}
	return func(ci string) string {
		i, ok := s.Index(ci)
		if !ok || of[i] < 0 {
			return ci
		}
		return s.At(of[i]).ID
	}
}

// kinds are the ends of paths that name what a CI is.
var kinds = []string{"service", "deployment", "pod", "statefulset", "daemonset", "replicaset", "job", "cronjob", "container", "endpoint", "ingress", "configmap", "secret"}

// PathService is the service of a CI whose ID is a path
// environment/namespace/name/kind, with a kind that Kubernetes has: the path
// without the kind. Other IDs stand for themselves. It is for estates that are
// not at hand.
func PathService(ci string) string {
	if !HasServicePath(ci) {
		return ci
	}
	return ci[:strings.LastIndexByte(ci, '/')]
}

// HasServicePath says whether an ID is such a path.
func HasServicePath(ci string) bool {
	parts := strings.Split(ci, "/")
	return len(parts) == 4 && !slices.Contains(parts, "") && slices.Contains(kinds, parts[3])
}
