package simulate

import (
	"math"
	"slices"
)

// fault is one thing that goes wrong.
type fault struct {
	number uint64
	kind   int
	roots  []int32
	start  float64 // seconds from the start of the world
	end    float64
	// problem is what recurs, from 1; 0 when nothing does. Faults of one
	// problem have one habit.
	problem int
	habit   uint64
	// caused says that a change shall have caused it.
	caused bool

	affected []int32 // CIs, sorted
	storm    bool
}

// Two faults whose roots are within nearHops relations and whose starts within
// nearSeconds overlap.
const (
	nearHops    = 3
	nearSeconds = 15 * 60
)

// planner decides which faults strike where and when.
type planner struct {
	*estate
	source

	lib    *library
	opts   *Options
	total  float64 // seconds in which faults begin
	faults []*fault
	// episodes are those of faults[i] at i.
	episodes [][]episode
	// byTime are the faults that have their place, by the slot of nearSeconds
	// in which they start.
	byTime map[int][]*fault
	// first is the fault of a problem that has its place longest.
	first map[int]*fault
}

// plan makes the faults, in the order of their numbers, with their episodes.
func plan(e *estate, lib *library, o *Options) *planner {
	p := &planner{estate: e, source: newSource(o.Seed, "faults", 0), lib: lib, opts: o,
		total: o.Duration.Seconds(), byTime: map[int][]*fault{}, first: map[int]*fault{}}
	n := o.Faults
	p.faults, p.episodes = make([]*fault, n), make([][]episode, n)
	for i := range p.faults {
		p.faults[i] = &fault{number: uint64(i)}
	}
	// Of faults that overlap half come first, and the others follow one of
	// them each; of an odd number one has two followers.
	overlapping := int(math.Round(o.Overlap * float64(n)))
	followers := (overlapping + 1) / 2
	if overlapping < 2 {
		followers = 0
	}
	first := p.faults[:n-followers]
	p.recurring(followers)
	causes := p.share(n, o.Caused)
	for i, f := range p.faults {
		f.caused = causes[i]
	}
	leaders := overlapping - followers
	for i, f := range first {
		p.place(f, i < leaders)
		o.Progress("faults", i+1, n)
	}
	for i, f := range p.faults[n-followers:] {
		p.follow(f, first[i%leaders])
		o.Progress("faults", n-followers+i+1, n)
	}
	return p
}

// share draws a share of n things.
func (p *planner) share(n int, of float64) []bool {
	out := make([]bool, n)
	for _, i := range p.Perm(n)[:int(math.Round(of*float64(n)))] {
		out[i] = true
	}
	return out
}

// recurring deals out problems of two to six faults. Followers are not free in
// where they strike, so they come last.
func (p *planner) recurring(followers int) {
	n := len(p.faults)
	order := p.Perm(n - followers)
	for i := range followers {
		order = append(order, n-followers+i)
	}
	left := int(math.Round(p.opts.Problems * float64(n)))
	for problem := 1; left >= 2; problem++ {
		size := min(p.span(2, 6), left)
		if left-size == 1 {
			size++
		}
		left -= size
		for _, i := range order[:size] {
			p.faults[i].problem = problem
			p.faults[i].habit = mix(mix(p.opts.Seed, 0x70726f626c656d), uint64(problem)) | 1
		}
		order = order[size:]
	}
}

// place gives a fault its kind, root and time, apart from the others.
func (p *planner) place(f *fault, leads bool) {
	like := p.first[f.problem]
	const tries = 60
	for try := range tries {
		if !p.choose(f, like, nil) {
			return
		}
		if leads && len(p.candidates(f)) == 0 && try < tries/2 {
			continue // nobody could follow it
		}
		p.when(f, p.Float64()*p.total)
		eps := p.spread(p.lib, p.opts, f)
		if len(eps) == 0 && try < tries-1 {
			continue
		}
		if p.apart(f) || try == tries-1 {
			p.settle(f, eps)
			return
		}
	}
}

// follow gives a fault a place and time near another one.
func (p *planner) follow(f, leader *fault) {
	if leader.roots == nil {
		p.place(f, false)
		return
	}
	around := p.candidates(leader)
	for range 10 {
		if !p.choose(f, p.first[f.problem], around) {
			// There is nothing like it near the leader, so it is none of its kind.
			f.problem, f.habit = 0, 0
			if !p.choose(f, nil, around) && !p.choose(f, nil, nil) {
				return
			}
		}
		gap := p.Float64() * nearSeconds * 0.98
		if leader.start+gap >= p.total || leader.start > gap && p.Float64() < 0.3 {
			gap = -min(gap, leader.start)
		}
		p.when(f, leader.start+gap)
		if eps := p.spread(p.lib, p.opts, f); len(eps) > 0 {
			p.settle(f, eps)
			return
		}
	}
	f.roots = nil // nobody would see it
}

// candidates are the CIs where a follower may strike.
func (p *planner) candidates(f *fault) []int32 {
	around := p.ball(f.roots[0], nearHops)
	return slices.DeleteFunc(around, func(ci int32) bool {
		c := p.items[ci].class
		return slices.Contains(f.roots, ci) || !slices.ContainsFunc(p.lib.kinds, func(k kind) bool { return k.at == c })
	})
}

// choose draws a kind and a root. One like another has the same kind, and
// mostly the same root, else one of the same class. Within some CIs it is one
// of those; it is false when none of them will do.
func (p *planner) choose(f *fault, like *fault, within []int32) bool {
	if like != nil {
		f.kind = like.kind
		if within == nil && p.Float64() < 0.7 {
			f.roots = like.roots
			return true
		}
		return p.root(f, within)
	}
	var there [classes]bool
	for c := range classes {
		there[c] = within == nil && len(p.byClass[c]) > 0
	}
	for _, ci := range within {
		there[p.items[ci].class] = true
	}
	possible := func(i int, needsChange bool) float64 {
		k := &p.lib.kinds[i]
		if !there[k.at] || needsChange && k.change == "" || f.problem > 0 && k.rare {
			return 0
		}
		if within != nil {
			return k.weight
		}
		// What there is little of fails seldom.
		return k.weight * math.Sqrt(min(1, 20*float64(len(p.byClass[k.at]))/float64(len(p.items))))
	}
	for _, needsChange := range []bool{f.caused, false} {
		sum := 0.0
		for i := range p.lib.kinds {
			sum += possible(i, needsChange)
		}
		if sum > 0 {
			f.kind = p.weighted(len(p.lib.kinds), func(i int) float64 { return possible(i, needsChange) })
			return p.root(f, within)
		}
	}
	return false
}

// root draws a root of the class of the fault's kind.
func (p *planner) root(f *fault, within []int32) bool {
	k := &p.lib.kinds[f.kind]
	of := p.byClass[k.at]
	if within != nil {
		of = nil
		for _, ci := range within {
			if p.items[ci].class == k.at {
				of = append(of, ci)
			}
		}
	}
	if len(of) == 0 {
		return false
	}
	ci := of[p.IntN(len(of))]
	f.roots = []int32{ci}
	if k.peer {
		var ends []int32
		for _, l := range p.linksOf(ci) {
			if l.typ == connectsTo && devices.has(p.items[l.ci].class) {
				ends = append(ends, l.ci)
			}
		}
		if len(ends) > 0 {
			f.roots = append(f.roots, ends[p.IntN(len(ends))])
		}
	}
	return true
}

// when sets the time of a fault.
func (p *planner) when(f *fault, start float64) {
	lasts := p.logNormal(p.lib.kinds[f.kind].lasts*60, 0.6)
	f.start = start
	f.end = start + min(max(lasts, 120), 6*3600)
}

func slot(at float64) int { return int(at / nearSeconds) }

// settle keeps a fault at its place.
func (p *planner) settle(f *fault, eps []episode) {
	p.episodes[f.number] = eps
	p.byTime[slot(f.start)] = append(p.byTime[slot(f.start)], f)
	if f.problem > 0 && p.first[f.problem] == nil {
		p.first[f.problem] = f
	}
}

// apart says whether a fault has nothing to do with those that start near it
// in time: no CI suffers from both, and their roots are not near.
func (p *planner) apart(f *fault) bool {
	var others []*fault
	for s := slot(f.start) - 1; s <= slot(f.start)+1; s++ {
		for _, o := range p.byTime[s] {
			if math.Abs(o.start-f.start) <= nearSeconds {
				others = append(others, o)
			}
		}
	}
	if len(others) == 0 {
		return true
	}
	near := p.ball(f.roots[0], nearHops)
	for _, o := range others {
		for _, r := range o.roots {
			if slices.Contains(near, r) {
				return false
			}
		}
		for _, ci := range f.affected {
			if _, ok := slices.BinarySearch(o.affected, ci); ok {
				return false
			}
		}
	}
	return true
}
