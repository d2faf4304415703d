package correlate

import "slices"

// position says where a culprit is, seen from an alert.
type position uint8

const (
	here       position = iota // the CI itself, or another level of its workload
	upstream                   // what it needs
	downstream                 // what needs it
	elsewhere                  // no culprit of the alert at all
	positions
	// Across lateral relations, along or against the way they are stored. That
	// way means little, so nothing is learned of it.
	besideAlong   = positions
	besideAgainst = positions + 1
	allPositions  = positions + 2
)

// culprit is a CI whose failure may be what is seen on another one, one of many.
type culprit struct {
	ci    int32
	where position
	p     float64 // how likely its failure is seen there
}

// culprits are those of one CI, the likeliest first, itself among them.
type culprits struct {
	list []culprit
	// upstream is the sum of p over what the CI needs: what has much upstream
	// has many reasons to alert.
	upstream float64
}

const (
	// maxCulprits bounds how many CIs an alert may speak against.
	maxCulprits = 64
	// leastSeen is the least probability that makes a culprit.
	leastSeen = 0.02
	// downHops is how far down what needs the CI is looked at: a failure is
	// seen there too, but hardly ever begins far below.
	downHops = 4
)

// listedWay stands for having been listed, whichever way led there.
const listedWay = 7

// trail is a culprit in the making.
type trail struct {
	culprit
	hops int32
}

// culprits finds the CIs whose failure would be seen on one: up along what it
// needs, or down along what needs it, but never down again after up, where
// failure does not travel. Lateral relations lead on the way they were entered. Workloads are
// one thing, so that going from a pod to its service is no step. This is
// Dijkstra's algorithm with a product in place of a sum. Neighbours of hubs are
// not looked at: one of so many explains nothing.
func (s *estate) culprits(ci int32) *culprits {
	if found, ok := s.blamed.get(ci); ok {
		return found
	}
	settled, frontier := s.settled, s.trails[:0]
	clear(settled)
	found := &culprits{list: s.listed[:0]}
	frontier.push(trail{culprit{ci, here, 1}, 0})
	for len(frontier) > 0 && len(found.list) < maxCulprits {
		t := frontier.pop()
		if settled[state(t.ci, int64(t.where))] {
			continue
		}
		settled[state(t.ci, int64(t.where))] = true
		if listed := state(t.ci, listedWay); !settled[listed] {
			settled[listed] = true
			found.list = append(found.list, t.culprit)
			if t.where == upstream {
				found.upstream += t.p
			}
		}
		offer := func(ci int32, p float64, where position, hops int32) {
			if p >= leastSeen && !settled[state(ci, int64(where))] {
				frontier.push(trail{culprit{ci, where, p}, hops})
			}
		}
		if up := s.Needs(t.ci); len(up) <= hubFanOut {
			for _, edge := range up {
				switch k := s.kind(edge.Type); {
				case k == carrier:
					offer(edge.CI, t.p*coupling[k].up, t.where, t.hops)
				case t.where == downstream || t.where == besideAgainst:
				case k == lateral && t.where != upstream:
					offer(edge.CI, t.p*coupling[k].up, besideAlong, t.hops+1)
				default:
					offer(edge.CI, t.p*coupling[k].up, upstream, t.hops+1)
				}
			}
		}
		if down := s.NeededBy(t.ci); len(down) <= hubFanOut {
			for _, edge := range down {
				switch k := s.kind(edge.Type); {
				case k == carrier:
					offer(edge.CI, t.p*coupling[k].down, t.where, t.hops)
				case t.where == upstream || t.where == besideAlong || t.hops >= downHops:
				case k == lateral && t.where != downstream:
					offer(edge.CI, t.p*coupling[k].down, besideAgainst, t.hops+1)
				default:
					offer(edge.CI, t.p*coupling[k].down, downstream, t.hops+1)
				}
			}
		}
	}
	s.trails, s.listed = frontier, found.list
	found.list = slices.Clone(found.list)
	return s.blamed.put(ci, found, 8+len(found.list))
}

// before orders fully, so that equally likely culprits are found in one order.
func (t *trail) before(o *trail) bool {
	switch {
	case t.p != o.p:
		return t.p > o.p
	case t.hops != o.hops:
		return t.hops < o.hops
	case t.ci != o.ci:
		return t.ci < o.ci
	default:
		return t.where < o.where
	}
}
