package correlate

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// sums are what the pairs of an incident say of its culprits. They follow from
// the pairs and from what was learned so far, see [Engine.sumsOf], so they may
// be thrown away and computed again at any time.
type sums struct {
	generation int64
	slots      map[uint32]int // alert name → its place in voices
	voices     []voice
	at         map[int32]int // CI → its place in tallies
	tallies    []tally
}

// voice is the pairs of one alert name. Whether a fault makes three alerts of
// one name or three hundred, they are one symptom, so that the name counts with
// the mean of its pairs. For the same reason a sample of them is enough once
// there are many.
type voice struct {
	name uint32
	all  int64  // pairs
	told []pair // those of them in the sample, in any order
	full int64  // sum of the points that a certain cause would have
}

// tally is what the pairs say of one culprit.
type tally struct {
	ci    int32
	pairs int // of which it is a culprit
	parts []tallyPart
}

type tallyPart struct {
	slot   int
	points int64
}

const (
	// sumsKept is from how many pairs on the sums of an incident are kept:
	// most incidents are small and quickly added up.
	sumsKept = 8
	// voiceMost is from how many pairs on a sample speaks for a name.
	voiceMost = 256
)

// sumsOf are an incident's sums, good until the next call.
func (e *Engine) sumsOf(inc *incident) *sums {
	if len(inc.pairs) < sumsKept {
		e.scratch.generation = e.generation
		e.fill(&e.scratch, inc)
		return &e.scratch
	}
	if inc.sums == nil || inc.sums.generation != e.generation {
		if inc.sums == nil {
			inc.sums = &sums{}
		}
		inc.sums.generation = e.generation
		e.fill(inc.sums, inc)
	}
	return inc.sums
}

// fill computes sums from nothing.
func (e *Engine) fill(s *sums, inc *incident) {
	if s.slots == nil {
		s.slots, s.at = map[uint32]int{}, map[int32]int{}
	}
	clear(s.slots)
	clear(s.at)
	s.voices, s.tallies = s.voices[:0], s.tallies[:0]
	for p := range inc.pairs {
		s.voices[s.slot(p.name)].all++
	}
	for p := range inc.pairs {
		if slot := s.slots[p.name]; sampled(p, s.voices[slot].all) {
			e.tell(s, slot, p, 1)
		}
	}
}

// addPair takes a new pair in, removePair an old one out.
func (e *Engine) addPair(inc *incident, p pair) { e.changePair(inc, p, 1) }

func (e *Engine) removePair(inc *incident, p pair) { e.changePair(inc, p, -1) }

func (e *Engine) changePair(inc *incident, p pair, sign int64) {
	s := inc.sums
	if s == nil || s.generation != e.generation || len(inc.pairs) < sumsKept {
		inc.sums = nil
		return
	}
	slot := s.slot(p.name)
	v := &s.voices[slot]
	v.all += sign
	switch before, now := sampling(v.all-sign), sampling(v.all); {
	case now < before:
		inc.sums = nil // those that were left out are not known
		return
	case now > before:
		for _, old := range slices.Clone(v.told) {
			if !sampled(old, v.all) {
				e.tell(s, slot, old, -1)
			}
		}
	}
	if sampled(p, v.all) {
		e.tell(s, slot, p, sign)
	}
}

// tell adds, or takes away again, what one pair says.
func (e *Engine) tell(s *sums, slot int, p pair, sign int64) {
	v := &s.voices[slot]
	if sign > 0 {
		v.told = append(v.told, p)
	} else if i := slices.Index(v.told, p); i >= 0 {
		v.told = slices.Delete(v.told, i, i+1)
	}
	background, lifts := e.background(p.ci, p.name), e.lifts(p.name)
	v.full += sign * points(seenMost, background)
	for _, x := range e.estate.culprits(p.ci).list {
		t := s.tally(x.ci)
		t.add(slot, sign*points(min(x.p*lifts[x.where], seenMost), background))
		if t.pairs += int(sign); t.pairs == 0 {
			s.drop(x.ci)
		}
	}
}

// points is how much a failure speaks for an alert: by how much it makes it
// likelier, in thousandths of a natural logarithm. The alert comes if the
// failure shows, which is p, or for another reason: 1−(1−p)(1−background)
// against the background alone.
func points(p, background float64) int64 {
	return int64(math.Round(1000 * math.Log1p(p*(1-background)/background)))
}

// sampling halves the sample of a name's pairs each time they double.
func sampling(pairs int64) int { return bits.Len64(uint64(max(pairs-1, 0)) / voiceMost) }

func sampled(p pair, pairs int64) bool {
	h := (uint64(uint32(p.ci))<<32 | uint64(p.name)) * 0x9E3779B97F4A7C15
	h = (h ^ h>>32) * 0xD6E8FEB86659FD93
	return h>>(64-sampling(pairs)) == 0
}

func (s *sums) slot(name uint32) int {
	i, ok := s.slots[name]
	if !ok {
		i = len(s.voices)
		s.slots[name] = i
		if i < cap(s.voices) { // what was there has room
			s.voices = s.voices[:i+1]
			s.voices[i] = voice{name: name, told: s.voices[i].told[:0]}
		} else {
			s.voices = append(s.voices, voice{name: name})
		}
	}
	return i
}

func (s *sums) tally(ci int32) *tally {
	i, ok := s.at[ci]
	if !ok {
		i = len(s.tallies)
		s.at[ci] = i
		if i < cap(s.tallies) { // likewise
			s.tallies = s.tallies[:i+1]
			s.tallies[i] = tally{ci: ci, parts: s.tallies[i].parts[:0]}
		} else {
			s.tallies = append(s.tallies, tally{ci: ci})
		}
	}
	return &s.tallies[i]
}

// drop forgets a CI that is no culprit any more.
func (s *sums) drop(ci int32) {
	i, last := s.at[ci], len(s.tallies)-1
	s.at[s.tallies[last].ci] = i
	s.tallies[i], s.tallies[last] = s.tallies[last], s.tallies[i]
	s.tallies = s.tallies[:last]
	delete(s.at, ci)
}

// add keeps the parts in the order of their slots: new names come last, so that
// mostly nothing is moved.
func (t *tally) add(slot int, points int64) {
	i, ok := slices.BinarySearchFunc(t.parts, slot, func(p tallyPart, slot int) int { return cmp.Compare(p.slot, slot) })
	if ok {
		t.parts[i].points += points
		return
	}
	t.parts = slices.Insert(t.parts, i, tallyPart{slot, points})
}

// explains is the sum over the names of the mean of their points.
func (s *sums) explains(t *tally) int64 {
	sum := int64(0)
	for _, p := range t.parts {
		if n := len(s.voices[p.slot].told); n > 0 {
			sum += p.points / int64(n)
		}
	}
	return sum
}

// explainedBy is what a CI explains, nothing if it is no culprit.
func (s *sums) explainedBy(ci int32) int64 {
	if i, ok := s.at[ci]; ok {
		return s.explains(&s.tallies[i])
	}
	return 0
}

// full is what a CI would explain that is certain to make every alert.
func (s *sums) full() int64 {
	sum := int64(0)
	for i := range s.voices {
		if v := &s.voices[i]; len(v.told) > 0 {
			sum += v.full / int64(len(v.told))
		}
	}
	return sum
}
