package replay

import (
	"cmp"
	"errors"
	"slices"

	"tocsin/internal/quality"
)

// Difference says what one outcome has otherwise than another. Incidents are
// matched by the alerts they have in common: each one's counterpart is the one
// that has most of its alerts.
type Difference struct {
	Before Totals `json:"before"`
	After  Totals `json:"after"`
	// PagedUnknown says that who was told before is not known.
	PagedUnknown bool `json:"paged_unknown,omitempty"`
	// Same are the incidents of the same alerts, before and after; Renamed
	// those of them with another ID.
	Same    int `json:"same"`
	Renamed int `json:"renamed"`
	// Gained are incidents whose alerts were in none, Lost those whose alerts
	// are in none any more.
	Gained int `json:"gained"`
	Lost   int `json:"lost"`
	// Merged are incidents that several were before, Split those that are
	// several now.
	Merged int `json:"merged"`
	Split  int `json:"split"`
	// CauseChanged are the incidents with another likeliest cause than their
	// counterpart.
	CauseChanged int `json:"cause_changed"`
	// Moved are the alerts that are not in the counterpart of their incident,
	// LeftOut those that are in no incident any more, and TakenIn those that
	// were in none.
	Moved   int `json:"moved"`
	LeftOut int `json:"now_left_out"`
	TakenIn int `json:"now_taken_in"`
	// Examples are the largest of each kind, at most ten.
	Examples []Example `json:"examples"`
}

// Example is an incident that is otherwise.
type Example struct {
	// Kind is gained, lost, merged, split or cause_changed.
	Kind   string  `json:"kind"`
	Before []Named `json:"before,omitempty"`
	After  []Named `json:"after,omitempty"`
	alerts int
}

// Named is an incident in an example.
type Named struct {
	ID     string `json:"id"`
	Title  string `json:"title,omitempty"`
	Alerts int    `json:"alerts"`
	// Cause is the likeliest, where it is what the example is about.
	Cause string `json:"cause,omitempty"`
}

// maxOfKind is how many examples of a kind are given.
const maxOfKind = 10

// Empty says that there is no difference.
func (d *Difference) Empty() bool {
	before := d.Before
	if d.PagedUnknown {
		before.Paged = d.After.Paged
	}
	return before == d.After && d.Renamed+d.Gained+d.Lost+d.Merged+d.Split+d.CauseChanged+d.Moved+d.LeftOut+d.TakenIn == 0
}

// Compare says what after has otherwise than before.
func Compare(before, after *Outcome) *Difference {
	c := comparison{before: newSide(before), after: newSide(after), d: &Difference{Before: before.Totals(), After: after.Totals()}}
	c.d.Examples, c.d.PagedUnknown = []Example{}, before.untold
	c.count()
	c.counterparts()
	c.incidents()
	c.alerts()
	slices.SortStableFunc(c.d.Examples, func(a, b Example) int {
		return cmp.Or(cmp.Compare(rankOfKind(a.Kind), rankOfKind(b.Kind)), cmp.Compare(b.alerts, a.alerts))
	})
	seen := map[string]int{}
	c.d.Examples = slices.DeleteFunc(c.d.Examples, func(x Example) bool {
		seen[x.Kind]++
		return seen[x.Kind] > maxOfKind
	})
	return c.d
}

// The kinds of examples.
const (
	kindGained = "gained"
	kindLost   = "lost"
	kindMerged = "merged"
	kindSplit  = "split"
	kindCause  = "cause_changed"
)

func rankOfKind(kind string) int {
	return slices.Index([]string{kindMerged, kindSplit, kindGained, kindLost, kindCause}, kind)
}

type comparison struct {
	before, after side
	common        map[[2]int32]int // alerts in both of two incidents
	d             *Difference
}

// side is one of the two outcomes.
type side struct {
	*Outcome
	size []int   // of incidents, in alerts
	best []int32 // counterparts
	// parts are those of the other side whose counterpart an incident is.
	parts [][]int32
}

func newSide(o *Outcome) side {
	s := side{Outcome: o, size: make([]int, len(o.incidents)), best: make([]int32, len(o.incidents)), parts: make([][]int32, len(o.incidents))}
	for i := range s.best {
		s.best[i] = nowhere
	}
	return s
}

// at is the incident that an episode is in, in the end.
func (s *side) at(e Episode) int32 {
	if i, ok := s.known[e]; ok {
		return s.final(s.episodes[i].incident)
	}
	return nowhere
}

// each calls f with every episode that counts, and where it is.
func (c *comparison) each(f func(b, a int32)) {
	since := max(micros(c.before.Since), micros(c.after.Since))
	for i := range c.after.episodes {
		if e := c.after.episodes[i]; e.StartsAt >= since {
			f(c.before.at(e.Episode), c.after.final(e.incident))
		}
	}
	for i := range c.before.episodes {
		e := c.before.episodes[i]
		if _, ok := c.after.known[e.Episode]; !ok && e.StartsAt >= since {
			f(c.before.final(e.incident), nowhere)
		}
	}
}

func (c *comparison) count() {
	c.common = map[[2]int32]int{}
	c.each(func(b, a int32) {
		if b != nowhere {
			c.before.size[b]++
		}
		if a != nowhere {
			c.after.size[a]++
		}
		if b != nowhere && a != nowhere {
			c.common[[2]int32{b, a}]++
		}
	})
}

// counterparts finds for each incident that of the other side with most of its
// alerts; of equals the one with the same ID, or the smaller.
func (c *comparison) counterparts() {
	type pair struct{ b, a int32 }
	pairs := make([]pair, 0, len(c.common))
	for k := range c.common {
		pairs = append(pairs, pair{k[0], k[1]})
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		bx, ax, by, ay := c.before.incidents[x.b].ID, c.after.incidents[x.a].ID, c.before.incidents[y.b].ID, c.after.incidents[y.a].ID
		return cmp.Or(cmp.Compare(c.common[[2]int32{y.b, y.a}], c.common[[2]int32{x.b, x.a}]),
			-compareBool(bx == ax, by == ay), cmp.Compare(bx, by), cmp.Compare(ax, ay))
	})
	for _, p := range pairs {
		if c.before.best[p.b] == nowhere {
			c.before.best[p.b] = p.a
			c.after.parts[p.a] = append(c.after.parts[p.a], p.b)
		}
		if c.after.best[p.a] == nowhere {
			c.after.best[p.a] = p.b
			c.before.parts[p.b] = append(c.before.parts[p.b], p.a)
		}
	}
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// incidents compares them in the order of their numbers, which is that of the
// input, so that the examples are the same each time.
func (c *comparison) incidents() {
	for i := range c.before.incidents {
		b := int32(i)
		switch {
		case !c.before.counts(b) || c.before.size[b] == 0:
		case c.before.best[b] == nowhere:
			c.d.Lost++
			c.example(kindLost, c.before.size[b], []int32{b}, nil)
		case len(c.before.parts[b]) > 1:
			c.d.Split++
			c.example(kindSplit, c.before.size[b], []int32{b}, c.before.parts[b])
		}
	}
	for i := range c.after.incidents {
		a := int32(i)
		switch {
		case !c.after.counts(a) || c.after.size[a] == 0:
			continue
		case c.after.best[a] == nowhere:
			c.d.Gained++
			c.example(kindGained, c.after.size[a], nil, []int32{a})
			continue
		case len(c.after.parts[a]) > 1:
			c.d.Merged++
			c.example(kindMerged, c.after.size[a], c.after.parts[a], []int32{a})
		}
		b := c.after.best[a]
		if c.before.best[b] != a {
			continue
		}
		if n := c.common[[2]int32{b, a}]; n == c.before.size[b] && n == c.after.size[a] {
			c.d.Same++
			if c.before.incidents[b].ID != c.after.incidents[a].ID {
				c.d.Renamed++
			}
		}
		was, is := c.before.incidents[b].cause(), c.after.incidents[a].cause()
		if was != is && was != "" && is != "" {
			c.d.CauseChanged++
			c.example(kindCause, c.after.size[a], []int32{b}, []int32{a})
		}
	}
}

// alerts counts those that are elsewhere.
func (c *comparison) alerts() {
	c.each(func(b, a int32) {
		switch {
		case b == nowhere && a == nowhere:
		case a == nowhere:
			c.d.LeftOut++
		case b == nowhere:
			c.d.TakenIn++
		case c.before.best[b] != a || c.after.best[a] != b:
			c.d.Moved++
		}
	})
}

// cause is the likeliest cause in words, empty when none is known.
func (i *Incident) cause() string {
	if len(i.Causes) == 0 {
		return ""
	}
	return i.Causes[0].Kind + " " + i.Causes[0].ID
}

func (c *comparison) example(kind string, alerts int, before, after []int32) {
	name := func(s *side, list []int32) (out []Named) {
		for _, i := range list {
			inc := &s.incidents[i]
			n := Named{ID: inc.name(), Title: inc.Title, Alerts: s.size[i]}
			if kind == kindCause {
				n.Cause = inc.cause()
			}
			out = append(out, n)
		}
		slices.SortStableFunc(out, func(x, y Named) int { return cmp.Or(cmp.Compare(y.Alerts, x.Alerts), cmp.Compare(x.ID, y.ID)) })
		return out[:min(len(out), maxOfKind)]
	}
	c.d.Examples = append(c.d.Examples, Example{Kind: kind, Before: name(&c.before, before), After: name(&c.after, after), alerts: alerts})
}

var errNothingInCommon = errors.New("none of its alerts is one of the replay; it is of other alerts")

// Baseline is the outcome that predictions tell, for the alerts of a result. It
// knows no titles and no causes. The error says that it tells nothing of them.
func (r *Result) Baseline(predicted []quality.Prediction) (*Outcome, error) {
	at := make(map[string]string, len(predicted))
	for i := range predicted {
		at[predicted[i].AlertID] = predicted[i].IncidentID
	}
	o := NewOutcome()
	o.Since, o.untold = r.Outcome.Since, true
	known := 0
	r.eachAlert(func(id string, episode int32) {
		i := o.episode(r.Outcome.episodes[episode].Episode)
		incident, ok := at[id]
		if ok {
			known++
		}
		if incident != "" {
			o.episodes[i].incident = o.incident(incident)
		}
	})
	if known == 0 {
		return nil, errNothingInCommon
	}
	return o, nil
}
