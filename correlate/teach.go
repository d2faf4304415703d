package correlate

import (
	"cmp"
	"math"
	"slices"
)

// taughtCulprits bounds how many culprits an incident teaches about.
const taughtCulprits = 128

// teach learns from an incident that closes. What it takes for the truth is its
// own ranking, or what people said: names that again and again come from above
// the likeliest cause will count for less below it. An incident of one alert
// shows nothing.
func (e *Engine) teach(inc *incident) {
	if len(inc.pairs) < 2 {
		return
	}
	e.keepConfirmed(inc)
	s := e.sumsOf(inc)
	rated := e.ratedAll(inc, s)
	weights := weigh(rated)
	told := s.sample()
	for _, p := range told {
		e.site(e.estate.At(p.ci).ID) // what alerts is learned from now on
		e.symptom(p.name, func() string { return e.nameAt(inc, p) })
	}
	near := map[int32]bool{}
	expose := func(ci int32) {
		if site := e.site(e.estate.At(ci).ID); site != nil && !near[ci] {
			near[ci] = true
			e.expose(site)
		}
	}
	for i := range rated {
		expose(rated[i].ci)
	}
	for _, p := range told {
		expose(p.ci)
	}
	for _, p := range told {
		site, symptom := e.sites[e.estate.At(p.ci).ID], e.symptoms[p.name]
		if symptom == nil {
			continue
		}
		if site != nil && site.add(p.name, symptom.Name) {
			symptom.Exposed++
		}
		symptom.Hit++
		var where [positions]int64
		rest := int64(1000)
		for _, x := range e.estate.culprits(p.ci).list {
			if x.where < positions {
				where[x.where] += weights[x.ci]
				rest -= weights[x.ci]
			}
		}
		where[elsewhere] = max(rest, 0)
		e.cameFrom(symptom, where)
		e.memorise(symptom)
	}
	for _, p := range told {
		if symptom := e.symptoms[p.name]; symptom != nil && symptom.Hit >= hitMost {
			e.halveSymptom(symptom)
		}
	}
	e.generation++
}

// ratedAll are the likeliest culprits of an incident, at most taughtCulprits.
// Those not looked at closely count as if all that need them were silent.
func (e *Engine) ratedAll(inc *incident, s *sums) []rating {
	rated := e.rateCIs(inc, s, math.MaxInt)
	for _, x := range s.best(taughtCulprits) {
		if !slices.ContainsFunc(rated, func(r rating) bool { return r.ci == x.ci }) {
			rated = append(rated, rating{ci: x.ci, explains: x.points, silent: -silentMost})
		}
	}
	slices.SortFunc(rated, func(a, b rating) int { return cmp.Or(cmp.Compare(b.total(), a.total()), cmp.Compare(a.ci, b.ci)) })
	return rated[:min(len(rated), taughtCulprits)]
}

// weigh turns ratings into how likely each CI is the cause, in thousandths.
func weigh(rated []rating) map[int32]int64 {
	weights, sum := make([]float64, len(rated)), 0.0
	for i := range rated {
		weights[i] = math.Exp(float64(rated[i].total()-rated[0].total()) / 1000)
		sum += weights[i]
	}
	out := make(map[int32]int64, len(rated))
	for i := range rated {
		out[rated[i].ci] = int64(math.Round(1000 * weights[i] / sum))
	}
	return out
}

// nameAt is the alert name of a pair.
func (e *Engine) nameAt(inc *incident, p pair) string {
	var first *alert
	for _, a := range inc.cis[p.ci].members {
		if a.name == p.name && (first == nil || a.fp < first.fp) {
			first = a
		}
	}
	return e.view(first).labels.Get("alertname")
}

// expose counts an incident near a CI.
func (e *Engine) expose(site *Site) {
	site.Near++
	for i := range site.Pairs {
		if symptom := e.symptoms[site.Pairs[i].name]; symptom != nil {
			symptom.Exposed++
			e.memorise(symptom)
		}
	}
	if site.Near >= nearMost {
		site.halve()
	}
	e.memorise(site)
}

// sample are the pairs that speak for their names, in one order.
func (s *sums) sample() []pair {
	var told []pair
	for i := range s.voices {
		told = append(told, s.voices[i].told...)
	}
	slices.SortFunc(told, func(a, b pair) int { return cmp.Or(cmp.Compare(a.ci, b.ci), cmp.Compare(a.name, b.name)) })
	return told
}
