package learn

import (
	"tocsin/internal/replay"
)

// places are where the evidence's episodes are in an outcome: incidents by
// number, and below 0, each by itself, what is in none.
func (e *Evidence) places(o *replay.Outcome) []int32 {
	numbers := map[*replay.Incident]int32{}
	out := make([]int32, len(e.episodes))
	for i, ep := range e.episodes {
		inc, ok := o.Where(ep)
		if !ok {
			out[i] = -1 - int32(i)
			continue
		}
		n, known := numbers[inc]
		if !known {
			n = int32(len(numbers))
			numbers[inc] = n
		}
		out[i] = n
	}
	return out
}

func (p *pair) right(places []int32) bool { return p.together == (places[p.a] == places[p.b]) }

// effect is what some cases have of a change.
func (e *Evidence) effect(cases []int, before, after []int32) Effect {
	var out Effect
	for _, i := range cases {
		var mended, broken int
		for _, p := range e.Cases[i].pairs {
			switch was, is := p.right(before), p.right(after); {
			case is && !was:
				mended++
			case was && !is:
				broken++
			}
		}
		out.Mended += mended
		out.Broken += broken
		switch {
		case mended > broken:
			out.Better++
		case broken > mended:
			out.Worse++
		}
	}
	return out
}

// causes counts the causes that people named by where they are ranked in the
// incident that has most of the alerts that they spoke of.
func (e *Evidence) causes(o *replay.Outcome) (first, three int) {
	for i := range e.Causes {
		n := &e.Causes[i]
		count := map[*replay.Incident]int{}
		var most *replay.Incident
		for _, ep := range n.Episodes {
			inc, ok := o.Where(ep)
			if !ok {
				continue
			}
			if count[inc]++; most == nil || count[inc] > count[most] {
				most = inc
			}
		}
		if most == nil {
			continue
		}
		for k, c := range most.Causes[:min(3, len(most.Causes))] {
			if c.Kind != n.Kind || c.ID != n.ID {
				continue
			}
			three++
			if k == 0 {
				first++
			}
			break
		}
	}
	return first, three
}
