package correlate

import "slices"

// presence is an incident being seen at one CI or one subject: which of its
// alerts are there, and between which onsets.
type presence struct {
	inc     *incident
	key     placeKey
	members []*alert
	first   int64 // earliest onset
	last    int64 // latest onset
	latest  *alert
}

// placeKey is a CI, or with ci unbound, a hashed subject.
type placeKey struct {
	ci      int32
	subject uint64
}

func (p *presence) add(a *alert) {
	p.members = append(p.members, a)
	p.take(a)
}

func (p *presence) take(a *alert) {
	on := a.onset()
	if p.latest == nil || on < p.first {
		p.first = on
	}
	if p.latest == nil || on > p.last || on == p.last && a.fp < p.latest.fp {
		p.last, p.latest = on, a
	}
}

// refresh computes the onsets again after an alert changed or left.
func (p *presence) refresh() {
	p.latest = nil
	for _, a := range p.members {
		p.take(a)
	}
}

// gap is the time between an onset and the onsets here, 0 within them.
func (p *presence) gap(onset int64) int64 {
	switch {
	case onset > p.last:
		return onset - p.last
	case onset < p.first:
		return p.first - onset
	default:
		return 0
	}
}

// places indexes the presences of all incidents that an alert may join.
type places struct {
	at map[placeKey][]*presence
	// hubs lists, for each CI with too many neighbours to look at, the
	// presences at those neighbours.
	hubs map[int32][]*presence
}

func newPlaces() places {
	return places{at: map[placeKey][]*presence{}, hubs: map[int32][]*presence{}}
}

func (pl *places) insert(s *estate, p *presence) {
	pl.at[p.key] = append(pl.at[p.key], p)
	pl.eachHub(s, p, func(hub int32) { pl.hubs[hub] = append(pl.hubs[hub], p) })
}

func (pl *places) remove(s *estate, p *presence) {
	drop := func(list []*presence) []*presence {
		if i := slices.Index(list, p); i >= 0 {
			list[i] = list[len(list)-1]
			list[len(list)-1] = nil
			list = list[:len(list)-1]
		}
		return list
	}
	if rest := drop(pl.at[p.key]); len(rest) > 0 {
		pl.at[p.key] = rest
	} else {
		delete(pl.at, p.key)
	}
	pl.eachHub(s, p, func(hub int32) {
		if rest := drop(pl.hubs[hub]); len(rest) > 0 {
			pl.hubs[hub] = rest
		} else {
			delete(pl.hubs, hub)
		}
	})
}

func (pl *places) eachHub(s *estate, p *presence, f func(hub int32)) {
	if p.key.ci == unbound || s.fanOut(p.key.ci) > hubFanOut {
		return
	}
	for _, edge := range s.Needs(p.key.ci) {
		if s.fanOut(edge.CI) > hubFanOut {
			f(edge.CI)
		}
	}
	for _, edge := range s.NeededBy(p.key.ci) {
		if s.fanOut(edge.CI) > hubFanOut {
			f(edge.CI)
		}
	}
}
