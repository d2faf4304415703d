package cmdb

import (
	"errors"
	"fmt"
	"slices"
)

// ErrNoPath is wrapped when two CIs are not connected, or not within the budget
// of a search.
var ErrNoPath = errors.New("no path")

// Direction says which way a step goes along a relation.
type Direction string

// The directions of a step.
const (
	StepNeeds    Direction = "needs"     // From needs To
	StepNeededBy Direction = "needed_by" // To needs From
)

// Step is one relation on a path, walked from From to To.
type Step struct {
	From      string    `json:"from"`
	To        string    `json:"to"`
	Type      string    `json:"type"`
	Direction Direction `json:"direction"`
}

// Path is a shortest way between two CIs along relations in either direction;
// of several it always picks the same. From a CI to itself it is empty. Errors
// wrap [ErrUnknownCI] or [ErrNoPath]; a search looks at no more than
// [DefaultLimitEdges] relations.
func (s *Snapshot) Path(from, to string) ([]Step, error) {
	a, errA := s.mustIndex(from)
	b, errB := s.mustIndex(to)
	if err := errors.Join(errA, errB); err != nil {
		return nil, err
	}
	// Both ends search towards each other: in an estate with hubs the number
	// of CIs within h hops grows so fast that two halves cost a fraction.
	budget := DefaultLimitEdges
	x, y := newFront(a), newFront(b)
	meet := int32(-1)
	if a == b {
		meet = a
	}
	for meet < 0 {
		f, other := x, y
		if len(y.level) < len(x.level) {
			f, other = y, x
		}
		if len(f.level) == 0 {
			return nil, fmt.Errorf("from %q to %q: %w", from, to, ErrNoPath)
		}
		if budget -= s.cost(f.level); budget < 0 {
			return nil, fmt.Errorf("from %q to %q: %w among the %d relations nearest to them", from, to, ErrNoPath, DefaultLimitEdges)
		}
		meet = s.advance(f, other)
	}
	return s.steps(x, y, meet), nil
}

// front is the part of a search that has begun at one end.
type front struct {
	before map[int32]int32 // the CI before on the way from the end; the end: itself
	level  []int32
}

func newFront(i int32) *front {
	return &front{before: map[int32]int32{i: i}, level: []int32{i}}
}

func (s *Snapshot) cost(level []int32) int {
	n := 0
	for _, i := range level {
		n += len(s.Needs(i)) + len(s.NeededBy(i))
	}
	return n
}

// advance goes one hop and returns the first CI where the fronts meet, or -1.
// All meeting points of the first level that has any are equally near.
func (s *Snapshot) advance(f, other *front) int32 {
	meet := int32(-1)
	var next []int32
	for _, i := range f.level {
		for _, es := range [2][]Edge{s.Needs(i), s.NeededBy(i)} {
			for _, e := range es {
				if _, ok := f.before[e.CI]; ok {
					continue
				}
				f.before[e.CI] = i
				next = append(next, e.CI)
				if _, ok := other.before[e.CI]; ok && (meet < 0 || e.CI < meet) {
					meet = e.CI
				}
			}
		}
	}
	slices.Sort(next)
	f.level = next
	return meet
}

func (s *Snapshot) steps(x, y *front, meet int32) []Step {
	var way []int32
	for i := meet; ; i = x.before[i] {
		way = append(way, i)
		if x.before[i] == i {
			break
		}
	}
	slices.Reverse(way)
	for i := meet; y.before[i] != i; {
		i = y.before[i]
		way = append(way, i)
	}
	steps := make([]Step, 0, len(way)-1)
	for k := 1; k < len(way); k++ {
		steps = append(steps, s.step(way[k-1], way[k]))
	}
	return steps
}

func (s *Snapshot) step(a, b int32) Step {
	st := Step{From: s.cis[a].ID, To: s.cis[b].ID}
	if e, ok := edgeTo(s.Needs(a), b); ok {
		st.Type, st.Direction = s.types[e.Type], StepNeeds
	} else if e, ok := edgeTo(s.NeededBy(a), b); ok {
		st.Type, st.Direction = s.types[e.Type], StepNeededBy
	}
	return st
}

func edgeTo(es []Edge, ci int32) (Edge, bool) {
	k, ok := slices.BinarySearchFunc(es, ci, func(e Edge, ci int32) int { return int(e.CI) - int(ci) })
	if !ok {
		return Edge{}, false
	}
	return es[k], true
}
