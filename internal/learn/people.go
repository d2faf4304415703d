package learn

import (
	"slices"
	"time"

	"tocsin/internal/replay"
)

// FromPeople makes evidence of what people said and of what they saw and left
// as it was. happened is what became of the alerts in the end.
func FromPeople(f *replay.Feedback, happened *replay.Outcome) *Evidence {
	e := newEvidence()
	e.Causes = f.Causes
	var u union
	join := func(lists ...[]replay.Episode) {
		first := unsaid
		for _, list := range lists {
			for _, ep := range list {
				i := e.episode(ep)
				u.add(i)
				if first == unsaid {
					first = i
				}
				u.join(first, i)
			}
		}
	}
	for i := range f.Looks {
		join(f.Looks[i].Episodes)
	}
	for i := range f.Labels {
		join(f.Labels[i].A, f.Labels[i].B)
	}

	// Two that people handled one by one may have been merged by the engine, and
	// they left it so.
	first := map[*replay.Incident]int32{}
	for i, ep := range e.episodes {
		inc, ok := happened.Where(ep)
		if !ok {
			continue
		}
		if _, known := first[inc]; !known {
			first[inc] = int32(i)
		}
		u.join(first[inc], int32(i))
	}

	// One case for each component, in the order in which it was first seen.
	number := map[int32]int{}
	of := func(ep replay.Episode) int {
		root := u.root(e.index[ep])
		n, ok := number[root]
		if !ok {
			n = len(e.Cases)
			number[root] = n
			e.Cases = append(e.Cases, Case{})
		}
		return n
	}
	for i := range e.episodes {
		c := &e.Cases[of(e.episodes[i])]
		c.alerts = append(c.alerts, int32(i))
	}
	edits := map[string]int32{}
	for i := range f.Labels {
		l := &f.Labels[i]
		c := &e.Cases[of(l.A[0])]
		if _, ok := edits[l.Edit]; ok {
			continue
		}
		edits[l.Edit] = int32(len(c.Edits))
		c.Edits = append(c.Edits, Edit{l.Edit, l.By})
		c.At = earlier(c.At, l.At)
	}
	for i := range f.Looks {
		if c := &e.Cases[of(f.Looks[i].Episodes[0])]; len(c.Edits) == 0 {
			c.At = earlier(c.At, f.Looks[i].At)
		}
	}
	e.arrange()

	pairings := e.pairings()
	at := make([]int, len(e.episodes))
	for i := range e.Cases {
		for _, a := range e.Cases[i].alerts {
			at[a] = i
		}
	}
	for i := range f.Labels {
		l := &f.Labels[i]
		p := &pairings[at[e.index[l.A[0]]]]
		e.Dropped += p.across(e.numbers(l.A), e.numbers(l.B), l.Together, edits[l.Edit], max(4, e.budget()/len(p.Edits)))
	}
	for i := range pairings {
		e.left(&pairings[i], happened)
	}
	e.keepApart(pairings, false)
	return e
}

// left adds what a case says without a word: in which incidents its alerts are
// in the end.
func (e *Evidence) left(p *pairing, happened *replay.Outcome) {
	groups := map[*replay.Incident]int{}
	var lists [][]int32
	for _, a := range p.alerts {
		inc, ok := happened.Where(e.episodes[a])
		if !ok {
			continue
		}
		g, known := groups[inc]
		if !known {
			g = len(lists)
			groups[inc] = g
			lists = append(lists, nil)
		}
		lists[g] = append(lists[g], a)
	}
	for i, list := range lists {
		e.Dropped += p.within(list, unsaid, max(4, e.budget()/len(lists)))
		for _, other := range lists[:min(i, maxNear)] {
			e.Dropped += p.across(list, other, false, unsaid, max(4, e.budget()/len(lists)/maxNear))
		}
	}
}

func (e *Evidence) numbers(list []replay.Episode) []int32 {
	out := make([]int32, len(list))
	for i, ep := range list {
		out[i] = e.index[ep]
	}
	return out
}

// earlier is the earlier of two times, of which the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// union joins numbers into sets, the root of each its smallest.
type union struct{ parent []int32 }

func (u *union) add(i int32) {
	for int(i) >= len(u.parent) {
		u.parent = append(u.parent, int32(len(u.parent)))
	}
}

func (u *union) root(i int32) int32 {
	for u.parent[i] != i {
		u.parent[i] = u.parent[u.parent[i]]
		i = u.parent[i]
	}
	return i
}

func (u *union) join(i, j int32) {
	i, j = u.root(i), u.root(j)
	u.parent[max(i, j)] = min(i, j)
}

// people are who made the edits, by name.
func (e *Evidence) people() (out []string) {
	for i := range e.Cases {
		for _, ed := range e.Cases[i].Edits {
			if ed.By != "" && !slices.Contains(out, ed.By) {
				out = append(out, ed.By)
			}
		}
	}
	slices.Sort(out)
	return out
}
