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
	next    *presence // of another incident at the same CI or subject
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
	on := a.began
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

// places indexes the presences of all incidents that have not ended. Those at
// one place are chained, in no order that means anything.
type places struct {
	cis      map[int32]*presence
	subjects map[uint64]*presence
	// hubs lists, for each CI with too many neighbours to look at, the
	// presences at those neighbours.
	hubs map[int32][]*presence
}

func newPlaces() places {
	return places{cis: map[int32]*presence{}, subjects: map[uint64]*presence{}, hubs: map[int32][]*presence{}}
}

func (pl *places) head(key placeKey) *presence {
	if key.ci != unbound {
		return pl.cis[key.ci]
	}
	return pl.subjects[key.subject]
}

func (pl *places) setHead(key placeKey, p *presence) {
	switch {
	case key.ci != unbound && p != nil:
		pl.cis[key.ci] = p
	case key.ci != unbound:
		delete(pl.cis, key.ci)
	case p != nil:
		pl.subjects[key.subject] = p
	default:
		delete(pl.subjects, key.subject)
	}
}

// of finds an incident's presence at a place, nil when it is not seen there.
func (pl *places) of(key placeKey, inc *incident) *presence {
	p := pl.head(key)
	for p != nil && p.inc != inc {
		p = p.next
	}
	return p
}

func (pl *places) insert(s *estate, p *presence) {
	p.next = pl.head(p.key)
	pl.setHead(p.key, p)
	pl.eachHub(s, p, func(hub int32) { pl.hubs[hub] = append(pl.hubs[hub], p) })
}

func (pl *places) remove(s *estate, p *presence) {
	if head := pl.head(p.key); head == p {
		pl.setHead(p.key, p.next)
	} else {
		for head.next != p {
			head = head.next
		}
		head.next = p.next
	}
	p.next = nil
	pl.eachHub(s, p, func(hub int32) {
		list := pl.hubs[hub]
		if i := slices.Index(list, p); i >= 0 {
			list = slices.Delete(list, i, i+1)
		}
		if len(list) > 0 {
			pl.hubs[hub] = list
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
