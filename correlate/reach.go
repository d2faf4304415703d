package correlate

import (
	"math"
	"slices"

	"tocsin/cmdb"
)

// The budgets of the search around one CI. They bound the cost of an alert
// whatever the size of the estate.
const (
	maxReach    = 256  // CIs looked at
	minStrength = 0.35 // of a path
	// freeFanOut is the number of neighbours up to which a CI passes a
	// connection on undamped. One that a hundred others are connected to
	// tells little about any two of them.
	freeFanOut = 20
	// sharedDependant damps a path that leads to a dependant and then to what
	// else that one needs. Two CIs that fail for one reason have a shared
	// dependency; a shared dependant is hit by either of them alone.
	sharedDependant = 0.5
	// sharedNeed damps a path that leads to what a CI needs and then to what
	// else needs that: the first is the likelier cause, and it alerts itself
	// more often than not.
	sharedNeed = 0.85
	// hubFanOut is the number of neighbours from which a CI is a hub: its
	// neighbours are not listed, they are looked up by who is alerting.
	hubFanOut = 256
)

// relation is what a type of relation says of how failure travels.
type relation uint8

const (
	dependency relation = iota // one uses the other; types that nobody knows too
	carrier                    // one thing at another level: a service and what runs it
	part                       // a piece of a whole, or one of many of a kind
	container                  // which fails its contents only when it fails whole
	support                    // what something runs on, and may be moved away from
	supply                     // what something is lost without: its power, its storage
	lateral                    // says only that something is near
	relations
)

func relationKind(relationType string) relation {
	switch relationType {
	case "served_by", "owns", "runs_in", "realized_by":
		return carrier
	case "part_of", "instance_of":
		return part
	case "in_namespace", "member_of", "located_in", "contained_in", "belongs_to":
		return container
	case "runs_on", "hosted_on", "virtualized_by":
		return support
	case "powered_by", "stored_on":
		return supply
	case "connects_to", "connected_to", "link", "linked_to", "peer", "peers_with", "adjacent_to", "related_to":
		return lateral
	default:
		return dependency
	}
}

// coupling holds for each kind of relation how strongly failure couples its
// ends. Relations along which failure travels are strong both ways, because two
// alerts may be seen in either order. up and down are how likely a failure is
// seen one relation further: on what needs the CI that failed, so that the
// cause is found up the relation, and on what that CI needs itself.
var coupling = [relations]struct{ strength, up, down float64 }{
	dependency: {0.85, 0.6, 0.25},
	carrier:    {0.95, 0.9, 0.8},
	part:       {0.95, 0.5, 0.25},
	container:  {0.65, 0.5, 0.1},
	support:    {0.9, 0.5, 0.2},
	supply:     {0.9, 0.8, 0.1},
	lateral:    {0.45, 0.4, 0.4},
}

// neighbour is a CI near another one.
type neighbour struct {
	ci       int32
	hops     int32
	prev     int32 // place of the CI before it on the path; -1 at the start
	down     bool  // the path has led to a CI that needs the one before
	again    bool  // the CI is in the list before, by a stronger path
	strength float64
}

// estate is a snapshot with what the engine computes from it and keeps.
type estate struct {
	*cmdb.Snapshot
	rules      *rules
	kinds      []relation // by relation type
	near       cache[[]neighbour]
	blamed     cache[*culprits]
	workloads  cache[[]int32]
	dependants cache[[][]int32]
	blasts     cache[cmdb.Impact]

	// What searches use and throw away.
	settled  map[int64]bool
	found    []neighbour
	frontier queue[neighbour, *neighbour]
	listed   []culprit
	trails   queue[trail, *trail]
}

// newEstate makes an estate whose caches hold some 50 MB when they are full:
// enough for all of tens of thousands of CIs to alert again and again.
func newEstate(s *cmdb.Snapshot, r *rules) *estate {
	return &estate{Snapshot: s, rules: r, near: newCache[[]neighbour](1 << 20), blamed: newCache[*culprits](1 << 19),
		workloads: newCache[[]int32](1 << 18), dependants: newCache[[][]int32](1 << 18), blasts: newCache[cmdb.Impact](1 << 17),
		settled: map[int64]bool{}}
}

func (s *estate) kind(t cmdb.TypeID) relation {
	for int(t) >= len(s.kinds) {
		s.kinds = append(s.kinds, relationKind(s.TypeName(cmdb.TypeID(len(s.kinds)))))
	}
	return s.kinds[t]
}

func (s *estate) strength(t cmdb.TypeID) float64 { return coupling[s.kind(t)].strength }

// broken says that a rule lets no path lead along a type of relation.
func (s *estate) broken(t cmdb.TypeID) bool {
	return len(s.rules.relations) > 0 && s.rules.relations[s.TypeName(t)]
}

func (s *estate) fanOut(ci int32) int { return len(s.Needs(ci)) + len(s.NeededBy(ci)) }

// around lists the CIs near one, itself first, the strongest path to each:
// the product of its relations' strengths, damped by the fan-out of the CIs
// that it passes through and by shared dependants. A CI is listed twice when
// paths with and without a step down lead to it. The order is by strength, then
// CI. This is Dijkstra's algorithm with a product in place of a sum.
func (s *estate) around(ci int32) []neighbour {
	if n, ok := s.near.get(ci); ok {
		return n
	}
	found := append(s.found[:0], neighbour{ci: ci, prev: -1, strength: 1})
	settled, frontier := s.settled, s.frontier[:0]
	clear(settled)
	settled[state(ci, 0)], settled[state(ci, 1)] = true, true
	expand := func(at int32) {
		from := found[at]
		degree := s.fanOut(from.ci)
		if degree > hubFanOut || from.ci != ci && s.rules.through[s.At(from.ci).Class] {
			return
		}
		damp := 1.0
		if from.ci != ci && degree > freeFanOut {
			damp = math.Sqrt(freeFanOut / float64(degree))
		}
		offer := func(edges []cmdb.Edge, down bool, damp float64) {
			for _, edge := range edges {
				n := neighbour{ci: edge.CI, hops: from.hops + 1, prev: at, down: down, strength: from.strength * damp * s.strength(edge.Type)}
				if s.broken(edge.Type) {
					continue
				}
				if n.strength >= minStrength && !settled[n.state()] {
					frontier.push(n)
				}
			}
		}
		up := damp
		if from.down {
			up *= sharedDependant
		}
		down := damp
		if from.prev >= 0 && !from.down {
			down *= sharedNeed
		}
		offer(s.Needs(from.ci), from.down, up)
		offer(s.NeededBy(from.ci), true, down)
	}
	expand(0)
	for len(frontier) > 0 && len(found) < maxReach {
		n := frontier.pop()
		if settled[n.state()] {
			continue
		}
		n.again = settled[n.state()^1] // the other way
		settled[n.state()] = true
		found = append(found, n)
		expand(int32(len(found) - 1))
	}
	s.found, s.frontier = found, frontier
	return s.near.put(ci, slices.Clone(found), 4+len(found))
}

// state is a CI together with how it was reached, for the sets of searches.
func state(ci int32, way int64) int64 { return int64(ci)<<3 | way }

func (n *neighbour) state() int64 {
	if n.down {
		return state(n.ci, 1)
	}
	return state(n.ci, 0)
}

// before orders fully, so that equally strong paths are found in one order.
func (n *neighbour) before(o *neighbour) bool {
	a, b := n, o
	switch {
	case a.strength != b.strength:
		return a.strength > b.strength
	case a.hops != b.hops:
		return a.hops < b.hops
	case a.ci != b.ci:
		return a.ci < b.ci
	case a.down != b.down:
		return b.down
	default:
		return a.prev < b.prev
	}
}

// path names the CIs from the start of a neighbourhood to one of its members.
func (s *estate) path(near []neighbour, at int32) []string {
	if at < 0 {
		return nil
	}
	p := make([]string, near[at].hops+1)
	for ; at >= 0; at = near[at].prev {
		p[near[at].hops] = s.At(near[at].ci).ID
	}
	return p
}

// maxBlast bounds the search for what a cause takes down.
const maxBlast = 20_000

// blast is what the failure of one CI takes down.
func (s *estate) blast(ci int32) cmdb.Impact {
	if im, ok := s.blasts.get(ci); ok {
		return im
	}
	im, err := s.Impact([]string{s.At(ci).ID}, cmdb.Limit{CIs: maxBlast})
	if err != nil { // the only error is an unknown CI, and this one is known
		panic(err)
	}
	return s.blasts.put(ci, im, 4+len(im.Hit))
}

// hopStrength is the strength of the strongest relation between two CIs.
func (s *estate) hopStrength(a, b int32) float64 {
	best := minStrength
	if s.fanOut(b) < s.fanOut(a) {
		a, b = b, a // look through the shorter list
	}
	for _, edges := range [2][]cmdb.Edge{s.Needs(a), s.NeededBy(a)} {
		for _, edge := range edges {
			if edge.CI == b {
				best = max(best, s.strength(edge.Type))
			}
		}
	}
	return best
}
