package simulate

import (
	"cmp"
	"math"
	"slices"
)

// change is something that somebody did.
type change struct {
	at    float64 // seconds from the start of the world
	ci    int32
	fault int32 // what it caused; -1 for nothing
	kind  string
}

// changeable says what is changed where, and how often.
func changeable() []struct {
	at     class
	weight float64
	kinds  []string
} {
	return []struct {
		at     class
		weight float64
		kinds  []string
	}{
		{deployment, 50, []string{"deployment", "deployment", "deployment", "scaling"}},
		{configMap, 8, []string{"configuration"}},
		{service, 8, []string{"configuration", "network_policy", "certificate"}},
		{namespace, 2, []string{"configuration"}},
		{cluster, 1, []string{"upgrade"}},
		{node, 4, []string{"patch", "restart"}},
		{database, 8, []string{"schema_migration", "configuration", "upgrade"}},
		{cache, 2, []string{"configuration"}},
		{queue, 2, []string{"configuration"}},
		{virtualMachine, 6, []string{"patch", "resize"}},
		{server, 4, []string{"patch", "firmware"}},
		{router, 5, []string{"configuration", "upgrade"}},
		{switchDevice, 8, []string{"configuration", "upgrade", "cabling"}},
		{firewall, 4, []string{"policy"}},
		{accessPoint, 3, []string{"firmware"}},
		{powerFeed, 1, []string{"maintenance"}},
		{rack, 1, []string{"maintenance"}},
	}
}

// changes makes those that caused faults and those that caused nothing, by
// time.
func (e *estate) changes(lib *library, o *Options, faults []*fault) []change {
	table := changeable()
	can := classSet(0)
	for _, c := range table {
		can |= setOf(c.at)
	}
	r := newSource(o.Seed, "decoys", 0)
	out := make([]change, 0, o.Changes)
	weight := func(i int) float64 {
		if len(e.byClass[table[i].at]) == 0 {
			return 0
		}
		return table[i].weight
	}
	for i := range o.Changes {
		c := table[r.weighted(len(table), weight)]
		of := e.byClass[c.at]
		if len(of) == 0 { // nothing in this estate is ever changed
			break
		}
		out = append(out, change{r.Float64() * o.Duration.Seconds(), of[r.IntN(len(of))], none, c.kinds[r.IntN(len(c.kinds))]})
		o.Progress("changes", i+1, o.Changes)
	}
	for _, f := range faults {
		if f.caused {
			out = append(out, e.cause(lib, o, f, can))
		}
	}
	slices.SortStableFunc(out, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.ci, b.ci)) })
	return out
}

// cause makes the change that caused a fault: mostly on its root, else next to
// it, five seconds to half an hour before.
func (e *estate) cause(lib *library, o *Options, f *fault, can classSet) change {
	r := newSource(o.Seed, "cause", f.number)
	c := change{ci: f.roots[0], fault: int32(f.number), kind: cmp.Or(lib.kinds[f.kind].change, "configuration")}
	if r.Float64() < 0.3 {
		var beside []int32
		for _, l := range e.linksOf(f.roots[0]) {
			if can.has(e.items[l.ci].class) {
				beside = append(beside, l.ci)
			}
		}
		if len(beside) > 0 && len(beside) <= crowd {
			c.ci = beside[r.IntN(len(beside))]
		}
	}
	c.at = max(f.start-math.Exp(r.between(math.Log(5), math.Log(1800))), 0)
	return c
}
