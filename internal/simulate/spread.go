package simulate

import (
	"math"
	"slices"
)

// episode is one firing of an alert, before and after it has a place among the
// others. Times are seconds from the start of the world.
type episode struct {
	start, end int32
	ci         int32
	peer       int32 // the neighbour that its text speaks of; -1 for none
	fault      int32 // -1 for noise
	alarm      uint16
	severity   uint8
	root       bool
}

// The bounds of a fault. One that reaches more CIs is a catastrophe that would
// outweigh all others in any figure.
const (
	maxAffected = 200
	maxDepth    = 8
)

// sickness is an effect that a CI suffers.
type sickness struct {
	at     float64 // seconds from the start of the world
	ci     int32
	via    int32 // who gave it; -1 at the root
	effect effect
	depth  uint8
}

// spreader follows one fault through the estate.
type spreader struct {
	*estate
	source

	lib   *library
	opts  *Options
	fault *fault
	seed  uint64

	sick   []sickness // in the order in which they came over their CIs
	queue  sickQueue
	has    map[int32]uint16 // the effects of a CI, a bit for each
	out    []episode
	firing map[uint64]bool
}

// spread fills in what a fault affects and returns the episodes that it would
// raise if it were alone, in no order of time.
func (e *estate) spread(lib *library, o *Options, f *fault) []episode {
	s := &spreader{estate: e, source: newSource(o.Seed, "spread", f.number), lib: lib, opts: o, fault: f, seed: o.Seed,
		has: map[int32]uint16{}, firing: map[uint64]bool{}}
	k := &lib.kinds[f.kind]
	for _, r := range f.roots {
		s.queue.push(sickness{f.start, r, none, k.effect, 0})
	}
	for len(s.queue) > 0 && len(s.has) < maxAffected {
		x := s.queue.pop()
		if s.suffers(x) {
			s.sick = append(s.sick, x)
			s.passOn(x)
		}
	}
	for _, x := range s.sick {
		s.raise(x)
	}
	f.affected = f.affected[:0]
	for ci := range s.has {
		f.affected = append(f.affected, ci)
	}
	slices.Sort(f.affected)
	s.keepOne()
	return s.out
}

// suffers notes an effect, unless the CI suffers it already or something that
// hides it.
func (s *spreader) suffers(x sickness) bool {
	had := s.has[x.ci]
	for y := range effects {
		if had>>y&1 == 1 && (y == x.effect || y.hides(x.effect)) {
			return false
		}
	}
	s.has[x.ci] = had | 1<<x.effect
	return true
}

// chance says whether something happens. What recurs happens mostly as it did
// the other times: then key decides, and not luck.
func (s *spreader) chance(p float64, key uint64) bool {
	u := s.Float64()
	if habit := s.Float64(); s.fault.habit != 0 && habit < 0.85 {
		u = unit(mix(s.fault.habit, key))
	}
	return u < p
}

func (s *spreader) passOn(x sickness) {
	if x.depth >= maxDepth || x.effect.spent(x.depth) {
		return
	}
	links := s.linksOf(x.ci)
	var callers [relationTypes]int
	for _, l := range links {
		if l.needed {
			callers[l.typ]++
		}
	}
	for _, l := range links {
		way := 1
		if l.needed {
			way = 0
		}
		for _, p := range s.lib.passes[l.typ][way][x.effect] {
			if p.at != 0 && !p.at.has(s.items[x.ci].class) || p.to != 0 && !p.to.has(s.items[l.ci].class) {
				continue
			}
			chance := p.chance
			if p.crowded {
				chance *= min(1, math.Sqrt(12/float64(callers[l.typ])))
				// Retries, caches and fallbacks take something off each time.
				chance *= math.Pow(0.85, float64(x.depth))
			}
			if p.shared {
				chance /= math.Sqrt(float64(s.others(l.ci, l.typ, !l.needed)))
			}
			delay := s.logNormal(p.delay, 0.7)
			if s.chance(chance, mix(mix(uint64(x.ci), uint64(l.ci)), uint64(p.number))) {
				s.queue.push(sickness{x.at + delay, l.ci, x.ci, p.effect, x.depth + 1})
			}
		}
	}
}

// others counts the links of a type and direction that a CI has.
func (s *spreader) others(ci int32, typ relationType, needed bool) int {
	n := 0
	for _, l := range s.linksOf(ci) {
		if l.typ == typ && l.needed == needed {
			n++
		}
	}
	return max(n, 1)
}

// raise adds the episodes of one sickness.
func (s *spreader) raise(x sickness) {
	c := s.items[x.ci].class
	// What a CI suffers ends some time after the cause does.
	end := s.fault.end + float64(x.depth)*s.logNormal(12, 0.6)
	if x.depth == 0 {
		for _, a := range s.lib.kinds[s.fault.kind].alarms {
			s.fire(x, s.lib.number[a.name], a.chance, a.lag, end)
		}
	}
	for _, g := range s.lib.signs[c][x.effect] {
		s.fire(x, g.alarm, g.chance, g.lag, end)
	}
}

// fire adds the episodes of one alarm on one CI: one, or several when it flaps.
func (s *spreader) fire(x sickness, alarm uint16, chance, lag, end float64) {
	key := mix(uint64(alarm), uint64(x.effect))
	if x.depth > 0 {
		key = mix(key, uint64(x.ci))
	}
	happens := s.chance(chance, key)
	missed := s.Float64() < s.opts.Missed
	flaps := s.Float64() < s.opts.Flap
	start := x.at + s.logNormal(lag, 0.6)
	end += s.logNormal(30, 0.7)
	if end < start+20 {
		end = start + s.logNormal(60, 0.5)
	}
	id := uint64(x.ci)<<16 | uint64(alarm)
	if !happens || missed || s.firing[id] {
		return
	}
	s.firing[id] = true
	ep := episode{ci: x.ci, peer: x.via, fault: int32(s.fault.number), alarm: alarm,
		severity: s.severity(x.ci, alarm), root: slices.Contains(s.fault.roots, x.ci)}
	if ep.peer == none && len(s.fault.roots) > 1 {
		ep.peer = s.fault.roots[0]
		if ep.peer == x.ci {
			ep.peer = s.fault.roots[1]
		}
	}
	add := func(from, to float64) {
		ep.start = int32(from)
		ep.end = max(int32(to), ep.start+1)
		s.out = append(s.out, ep)
	}
	if !flaps {
		add(start, end)
		return
	}
	// Two to five times: the time is cut into pieces, and a third of each is quiet.
	n := s.span(2, 5)
	piece := (end - start) / float64(n)
	for i := range n {
		from := start + float64(i)*piece
		add(from, from+piece*s.between(0.4, 0.85))
	}
}

// severity is what an alert has each time it fires. Thresholds differ from
// place to place, so not all alerts of a name have the same.
func (s *spreader) severity(ci int32, alarm uint16) uint8 {
	sev := int(s.lib.alarms[alarm].severity)
	switch u := unit(mix(mix(s.seed, uint64(ci)), uint64(alarm)+1<<20)); {
	case u < 0.15:
		sev--
	case u > 0.85:
		sev++
	}
	return uint8(min(max(sev, 1), 4))
}

// keepOne sees to it that a fault is not without any alert: what nobody saw is
// no incident.
func (s *spreader) keepOne() {
	if len(s.out) > 0 {
		return
	}
	was, all := s.opts, *s.opts
	all.Missed, all.Flap = 0, 0
	s.opts = &all
	for _, x := range s.sick {
		for range 20 {
			if s.raise(x); len(s.out) > 0 {
				s.out = s.out[:1]
				s.opts = was
				return
			}
		}
	}
	s.opts = was
}

// sickQueue is a heap by time; CI and effect decide between equals.
type sickQueue []sickness

func (q sickQueue) less(i, j int) bool {
	a, b := &q[i], &q[j]
	if a.at != b.at {
		return a.at < b.at
	}
	if a.ci != b.ci {
		return a.ci < b.ci
	}
	return a.effect < b.effect
}

func (q *sickQueue) push(x sickness) {
	*q = append(*q, x)
	h := *q
	for i := len(h) - 1; i > 0 && h.less(i, (i-1)/2); i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
}

func (q *sickQueue) pop() sickness {
	h := *q
	top := h[0]
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		k := 2*i + 1
		if k >= last {
			break
		}
		if k+1 < last && h.less(k+1, k) {
			k++
		}
		if !h.less(k, i) {
			break
		}
		h[i], h[k] = h[k], h[i]
		i = k
	}
	*q = h
	return top
}
