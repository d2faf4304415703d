package correlate

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
)

// CausedBy is the kind of link by which people say what caused an incident:
// from "incident:…" to "ci:…". The CI is then its first cause, and the likelier
// one of incidents that look alike.
const CausedBy = "caused_by"

// Confirmation is an incident that people said a CI caused.
type Confirmation struct {
	Incident string `json:"incident"`
	// Pairs are hashes of the pairs of CI and alert name that it had, in
	// order; the lowest of them when there are many.
	Pairs []uint32 `json:"pairs"`
}

const (
	// confirmedMost is how many incidents are remembered of a CI, and
	// signatureMost how many pairs of each.
	confirmedMost = 8
	signatureMost = 64
	// alikeLeast is the share of pairs that two incidents must have in common
	// to be taken for one fault.
	alikeLeast      = 0.6
	pointsConfirmed = 1000
)

// confirmedBy reads a link between an incident and what caused it.
func confirmedBy(l *Link) (incident, ci string, ok bool) {
	incident, from := strings.CutPrefix(l.From, "incident:")
	ci, to := strings.CutPrefix(l.To, "ci:")
	return incident, ci, from && to && l.Kind == CausedBy
}

// confirm has people's word for what caused an incident, or takes it back.
func (e *Engine) confirm(inc *incident, ci string, removed bool) {
	inc.version++
	if removed {
		inc.rec.ConfirmedCauses = slices.DeleteFunc(slices.Clone(inc.rec.ConfirmedCauses), func(id string) bool { return id == ci })
		e.forgetConfirmed(ci, inc.rec.ID)
	} else {
		inc.rec.ConfirmedCauses = addSorted(inc.rec.ConfirmedCauses, ci)
		e.keepConfirmed(inc)
	}
	if !inc.rec.Status.Active() && inc.rec.Status != Resolved && len(inc.members) > 0 {
		inc.rec.Causes = e.rankCauses(inc) // nothing else of an ended incident is computed again
	}
	e.touch(inc)
}

// keepConfirmed remembers what an incident looked like with the CIs that caused
// it.
func (e *Engine) keepConfirmed(inc *incident) {
	if len(inc.rec.ConfirmedCauses) == 0 || len(inc.pairs) == 0 {
		return
	}
	c := Confirmation{Incident: inc.rec.ID, Pairs: e.signature(inc)}
	for _, ci := range inc.rec.ConfirmedCauses {
		if _, known := e.estate.Index(ci); !known {
			continue
		}
		site := e.site(ci)
		if site == nil {
			continue
		}
		if i := site.confirmation(inc.rec.ID); i >= 0 {
			site.Confirmed[i] = c
		} else {
			site.Confirmed = append(site.Confirmed, c)
			site.Confirmed = slices.Delete(site.Confirmed, 0, max(len(site.Confirmed)-confirmedMost, 0))
		}
		e.confirmed[ci] = site
		e.memorise(site)
	}
}

func (e *Engine) forgetConfirmed(ci, incident string) {
	site := e.sites[ci]
	if site == nil {
		return
	}
	i := site.confirmation(incident)
	if i < 0 {
		return
	}
	site.Confirmed = slices.Delete(site.Confirmed, i, i+1)
	if len(site.Confirmed) == 0 {
		delete(e.confirmed, ci)
	}
	e.memorise(site)
}

func (s *Site) confirmation(incident string) int {
	return slices.IndexFunc(s.Confirmed, func(c Confirmation) bool { return c.Incident == incident })
}

// rateConfirmed gives points to CIs that people said caused this incident, or
// one that looks alike.
func (e *Engine) rateConfirmed(inc *incident, s *sums, best []rating) []rating {
	of := func(ci int32) *rating {
		i := slices.IndexFunc(best, func(r rating) bool { return r.ci == ci })
		if i < 0 {
			i = len(best)
			best = append(best, rating{ci: ci, explains: s.explainedBy(ci)})
		}
		return &best[i]
	}
	for _, id := range inc.rec.ConfirmedCauses {
		if ci, ok := e.estate.Index(id); ok {
			of(ci).operator = pointsOperator
		}
	}
	if len(e.confirmed) == 0 {
		return best
	}
	signature := e.signature(inc)
	alike := func(ci int32, site *Site) {
		for i := range site.Confirmed {
			c := &site.Confirmed[i]
			if c.Incident == inc.rec.ID {
				continue
			}
			share := alikeness(signature, c.Pairs)
			if share < alikeLeast {
				continue
			}
			r, points := of(ci), int64(math.Round(pointsConfirmed*share))
			if points > r.confirmed || points == r.confirmed && c.Incident > r.like.Incident {
				r.confirmed, r.like = points, c
			}
		}
	}
	if len(e.confirmed) < len(s.tallies) {
		for id, site := range e.confirmed {
			if ci, ok := e.estate.Index(id); ok {
				if _, ok := s.at[ci]; ok {
					alike(ci, site)
				}
			}
		}
		return best
	}
	for i := range s.tallies {
		ci := s.tallies[i].ci
		if site := e.confirmed[e.estate.At(ci).ID]; site != nil {
			alike(ci, site)
		}
	}
	return best
}

// signature is what an incident looks like: its pairs, or the signatureMost of
// them with the lowest hashes.
func (e *Engine) signature(inc *incident) []uint32 {
	low := make([]uint32, 0, signatureMost+1)
	for p := range inc.pairs {
		var name [4]byte
		binary.LittleEndian.PutUint32(name[:], p.name)
		h := short(hash(e.estate.At(p.ci).ID, string(name[:])))
		i, again := slices.BinarySearch(low, h)
		if again || i == signatureMost {
			continue
		}
		low = slices.Insert(low, i, h)
		low = low[:min(len(low), signatureMost)]
	}
	return low
}

// alikeness is how many of the pairs of two incidents they have in common, as a
// share. Of large ones it looks at the lowest hashes of both together, which
// are a fair sample.
func alikeness(a, b []uint32) float64 {
	common, all := 0, 0
	for i, j := 0, 0; (i < len(a) || j < len(b)) && all < signatureMost; all++ {
		switch {
		case j == len(b) || i < len(a) && a[i] < b[j]:
			i++
		case i == len(a) || b[j] < a[i]:
			j++
		default:
			i, j, common = i+1, j+1, common+1
		}
	}
	return float64(common) / float64(max(all, 1))
}

// confirmedParts says in words what people said.
func (r *rating) confirmedParts() (parts []Part, reason string) {
	if r.operator > 0 {
		parts = append(parts, Part{"operator", int(r.operator), "people linked it as the cause"})
		reason = "is the cause by what people said, "
	}
	if r.confirmed > 0 {
		parts = append(parts, Part{"confirmed", int(r.confirmed), "people said it caused " + r.like.Incident + ", which looked alike"})
		reason += fmt.Sprintf("caused %s, which looked alike, ", r.like.Incident)
	}
	return parts, reason
}
