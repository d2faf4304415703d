package learn

import (
	"cmp"
	"slices"
	"time"

	"tocsin/internal/replay"
)

// Evidence is what is known of a history: which alerts belong together.
type Evidence struct {
	// Cases are in the order of time.
	Cases []Case
	// Causes are what people named as causes.
	Causes []replay.NamedCause
	// Dropped is how many pairs are not looked at because there are too many.
	Dropped int

	most     int // what budget has found
	episodes []replay.Episode
	index    map[replay.Episode]int32
}

// Case is one occasion: incidents that people's commands connect, or one true
// incident of a labelled set.
type Case struct {
	// At is when people first had to correct it, or else first handled it.
	At time.Time
	// Edits are the corrections; none when it was left as it was.
	Edits []Edit
	pairs []pair
	// alerts are the episodes, first and last when they began.
	alerts      []int32
	first, last int64
}

// Edit is a command by which somebody corrected the grouping. In a labelled set
// each incident is one.
type Edit struct {
	ID, By string
}

// pair is two alerts of which it is known whether they belong together.
type pair struct {
	a, b     int32
	together bool
	// edit is the one that says so; unsaid for what was only left as it was.
	edit int32
}

const unsaid int32 = -1

// maxPairs is about how many pairs are looked at. Of more, a sample is.
const maxPairs = 40_000

// near is how much time may lie between two cases whose alerts are of interest
// to each other: what began further apart no engine is tempted to join.
const near = 30 * time.Minute

// maxNear bounds how many cases a case is compared with.
const maxNear = 20

func newEvidence() *Evidence { return &Evidence{index: map[replay.Episode]int32{}} }

func (e *Evidence) episode(ep replay.Episode) int32 {
	i, ok := e.index[ep]
	if !ok {
		i = int32(len(e.episodes))
		e.index[ep] = i
		e.episodes = append(e.episodes, ep)
	}
	return i
}

// budget is how many pairs of its own alerts a case may have: as many as there are
// when they are few, else such that each large case has equally many.
func (e *Evidence) budget() int {
	if e.most > 0 {
		return e.most
	}
	sizes := make([]int, len(e.Cases))
	for i := range e.Cases {
		n := len(e.Cases[i].alerts)
		sizes[i] = n * (n - 1) / 2
	}
	slices.Sort(sizes)
	left := maxPairs / 3
	e.most = left
	for i, n := range sizes {
		share := left / (len(sizes) - i)
		if n > share {
			e.most = max(12, share)
			break
		}
		left -= n
	}
	return e.most
}

// foreign is how many pairs with alerts of other cases a case may have.
func (e *Evidence) foreign() int { return max(12, maxPairs/3/max(1, len(e.Cases))) }

// pairing collects the pairs of a case, each once; what comes first holds.
type pairing struct {
	*Case
	seen map[[2]int32]bool
}

func (p *pairing) add(a, b int32, together bool, edit int32) {
	key := [2]int32{min(a, b), max(a, b)}
	if a == b || p.seen[key] {
		return
	}
	p.seen[key] = true
	p.pairs = append(p.pairs, pair{a, b, together, edit})
}

// across adds pairs of one alert of each of two lists, and returns how many it
// left out.
func (p *pairing) across(a, b []int32, together bool, edit int32, most int) int {
	total := len(a) * len(b)
	sample(total, most, func(i int) { p.add(a[i/len(b)], b[i%len(b)], together, edit) })
	return max(0, total-most)
}

// within adds pairs of a list, and returns how many it left out.
func (p *pairing) within(list []int32, edit int32, most int) int {
	total := len(list) * (len(list) - 1) / 2
	sample(total, most, func(i int) {
		x, y := triangle(i)
		p.add(list[x], list[y], true, edit)
	})
	return max(0, total-most)
}

// arrange puts the cases into the order of time and notes when their alerts
// began.
func (e *Evidence) arrange() {
	for i := range e.Cases {
		c := &e.Cases[i]
		slices.SortFunc(c.alerts, func(a, b int32) int { return compareEpisodes(e.episodes[a], e.episodes[b]) })
		c.alerts = slices.Compact(c.alerts)
		c.first, c.last = e.episodes[c.alerts[0]].StartsAt, e.episodes[c.alerts[len(c.alerts)-1]].StartsAt
	}
	slices.SortFunc(e.Cases, func(a, b Case) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.first, b.first), compareEpisodes(e.episodes[a.alerts[0]], e.episodes[b.alerts[0]]))
	})
}

func compareEpisodes(a, b replay.Episode) int {
	return cmp.Or(cmp.Compare(a.StartsAt, b.StartsAt), cmp.Compare(a.Fingerprint, b.Fingerprint))
}

// keepApart adds the pairs of alerts of different cases that are near in time.
// A pair counts in the case that came later. said says that it is known and not
// only left so.
func (e *Evidence) keepApart(pairings []pairing, said bool) {
	order := make([]int, len(e.Cases))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(e.Cases[a].first, e.Cases[b].first) })
	for k, i := range order {
		c := &e.Cases[i]
		var close []int
		for _, j := range slices.Backward(order[:k]) {
			if len(close) == maxNear {
				break
			}
			if d := &e.Cases[j]; d.last+near.Microseconds() >= c.first {
				close = append(close, j)
			}
		}
		for _, j := range close {
			edit := unsaid
			if said {
				edit = 0
			}
			e.Dropped += pairings[max(i, j)].across(c.alerts, e.Cases[j].alerts, false, edit, max(4, e.foreign()/len(close)))
		}
	}
}

// pairings are empty ones for all cases.
func (e *Evidence) pairings() []pairing {
	out := make([]pairing, len(e.Cases))
	for i := range out {
		out[i] = pairing{&e.Cases[i], map[[2]int32]bool{}}
	}
	return out
}
