package cmdb

import (
	"errors"
	"fmt"
	"slices"
)

// ErrUnknownCI is wrapped by queries that name a CI which is not in the estate.
var ErrUnknownCI = errors.New("no such CI in the estate")

// Limit bounds a query, so that a core switch that the whole estate needs costs
// no more than a rack. The zero value works.
type Limit struct {
	// Hops is how far to go; 0 is as far as it goes.
	Hops int
	// CIs is how many to reach at most; 0 means [DefaultLimitCIs].
	CIs int
	// Edges is how many relations to look at; 0 means [DefaultLimitEdges].
	Edges int
	// Services is how many services an [Impact] names; 0 means 50.
	Services int
}

// The budgets of a query that sets none.
const (
	DefaultLimitCIs   = 50_000
	DefaultLimitEdges = 1_000_000

	defaultServices = 50
)

func (l Limit) withDefaults() Limit {
	if l.CIs <= 0 {
		l.CIs = DefaultLimitCIs
	}
	if l.Edges <= 0 {
		l.Edges = DefaultLimitEdges
	}
	if l.Services <= 0 {
		l.Services = defaultServices
	}
	return l
}

// Reached is a CI found by following relations.
type Reached struct {
	ID    string `json:"id"`
	Index int32  `json:"-"`
	// Hops is the length of the shortest way; at least 1.
	Hops int `json:"hops"`
	// Via is the CI before it on that way, and Type the relation between them.
	Via  string `json:"via"`
	Type string `json:"type"`
}

// Upstream lists what a CI needs, directly or not, by hops and then ID; not the
// CI itself. Redundancy groups make no difference. The answer is truncated when
// there is more than the limit's budget lets through; going no further than
// Limit.Hops is no truncation. Errors wrap [ErrUnknownCI].
func (s *Snapshot) Upstream(id string, l Limit) (reached []Reached, truncated bool, err error) {
	return s.closure(id, l, (*Snapshot).Needs)
}

// Downstream lists what needs a CI, directly or not. Otherwise it is as
// [Snapshot.Upstream].
func (s *Snapshot) Downstream(id string, l Limit) (reached []Reached, truncated bool, err error) {
	return s.closure(id, l, (*Snapshot).NeededBy)
}

func (s *Snapshot) closure(id string, l Limit, edges func(*Snapshot, int32) []Edge) ([]Reached, bool, error) {
	start, err := s.mustIndex(id)
	if err != nil {
		return nil, false, err
	}
	w := newWalk(s, l)
	w.start(start)
	for w.next() {
		for _, from := range w.level {
			for _, e := range w.take(edges(s, from)) {
				w.reach(from, e)
			}
		}
	}
	return w.reached, w.truncated, nil
}

func (s *Snapshot) mustIndex(id string) (int32, error) {
	i, ok := s.Index(id)
	if !ok {
		return 0, fmt.Errorf("ci %q: %w", id, ErrUnknownCI)
	}
	return i, nil
}

// walk is a breadth-first search, level by level. Each level is sorted before
// it is used, so the result does not depend on the order of finding.
type walk struct {
	s         *Snapshot
	limit     Limit
	seen      visited
	level     []int32
	found     []hop
	hops      int
	reached   []Reached
	truncated bool
}

type hop struct {
	ci, via int32
	typ     TypeID
}

func newWalk(s *Snapshot, l Limit) *walk {
	return &walk{s: s, limit: l.withDefaults(), seen: visited{of: s.Len()}}
}

// start adds a CI to the first level and says whether it was not there yet.
func (w *walk) start(i int32) bool {
	if w.seen.has(i) {
		return false
	}
	w.seen.set(i)
	w.found = append(w.found, hop{ci: i})
	return true
}

// next makes what was found the level to go on from; false ends the walk.
func (w *walk) next() bool {
	slices.SortFunc(w.found, func(a, b hop) int { return int(a.ci) - int(b.ci) })
	w.level = w.level[:0]
	if w.hops > 0 {
		w.reached = slices.Grow(w.reached, len(w.found))
	}
	for _, h := range w.found {
		if w.hops > 0 { // the starting points are not reached
			w.reached = append(w.reached, Reached{ID: w.s.cis[h.ci].ID, Index: h.ci, Hops: w.hops,
				Via: w.s.cis[h.via].ID, Type: w.s.types[h.typ]})
		}
		w.level = append(w.level, h.ci)
	}
	w.found = w.found[:0]
	if len(w.level) == 0 || w.truncated || w.limit.Hops > 0 && w.hops == w.limit.Hops {
		return false
	}
	w.hops++
	return true
}

// take pays for edges from the budget and returns as many as it can pay.
func (w *walk) take(es []Edge) []Edge {
	if len(es) > w.limit.Edges {
		w.truncated = true
		es = es[:w.limit.Edges]
	}
	w.limit.Edges -= len(es)
	return es
}

// reach notes the far end of an edge for the next level, as far as the budget
// goes. Levels and edges are in order, so it always cuts off the same CIs.
func (w *walk) reach(from int32, e Edge) {
	switch {
	case w.seen.has(e.CI):
	case len(w.reached)+len(w.found) >= w.limit.CIs:
		w.truncated = true
	default:
		w.seen.set(e.CI)
		w.found = append(w.found, hop{e.CI, from, e.Type})
	}
}

// visited is a set of CIs. Most walks see few: only one that sees many gets a
// bit for each CI of the estate.
type visited struct {
	of   int
	few  map[int32]struct{}
	bits bitset
}

const visitedFew = 512

func (v *visited) has(i int32) bool {
	if v.bits != nil {
		return v.bits.has(i)
	}
	_, ok := v.few[i]
	return ok
}

func (v *visited) set(i int32) {
	switch {
	case v.bits != nil:
		v.bits.set(i)
		return
	case len(v.few) < visitedFew && v.of > 64*visitedFew:
		if v.few == nil {
			v.few = map[int32]struct{}{}
		}
		v.few[i] = struct{}{}
		return
	}
	v.bits = newBitset(v.of)
	for j := range v.few {
		v.bits.set(j)
	}
	v.few = nil
	v.bits.set(i)
}

type bitset []uint64

func newBitset(n int) bitset      { return make(bitset, (n+63)/64) }
func (b bitset) has(i int32) bool { return b[i>>6]&(1<<(i&63)) != 0 }
func (b bitset) set(i int32)      { b[i>>6] |= 1 << (i & 63) }
