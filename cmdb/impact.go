package cmdb

import (
	"cmp"
	"errors"
	"slices"
)

// Impact is who is hit when CIs fail.
type Impact struct {
	// Hit are the CIs that fail as a consequence, by hops and then ID; not the
	// failed ones themselves.
	Hit []Reached `json:"hit"`
	// Services are the IDs of the services that are hit or failed themselves,
	// the most critical first, then by ID; at most Limit.Services.
	Services []string `json:"services"`
	// ServiceCount counts them all.
	ServiceCount int `json:"service_count"`
	// Truncated says that the budget ended the search and more may be hit.
	Truncated bool `json:"truncated,omitempty"`
}

// Impact follows failures downstream. A CI is hit when something fails that it
// needs outside of a redundancy group, or when in one of its groups at least as
// many targets have failed or been hit as the group's need says. Its Hops are
// counted to the target that made it too many. Errors join an [ErrUnknownCI]
// for each unknown ID; no IDs at all give an empty Impact.
func (s *Snapshot) Impact(failed []string, l Limit) (Impact, error) {
	var errs []error
	w := newWalk(s, l)
	var services []int32
	for _, id := range failed {
		i, err := s.mustIndex(id)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if w.start(i) && s.cis[i].Class == ClassService {
			services = append(services, i)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Impact{}, err
	}
	down := map[GroupID]int32{} // how many of a group are down
	for w.next() {
		for _, from := range w.level {
			es := w.take(s.NeededBy(from))
			for k, e := range es {
				if e.Group != NoGroup {
					if targetCounted(es[:k], e) { // a second relation between the same two
						continue
					}
					down[e.Group]++
					if down[e.Group] < s.groups[e.Group].Need {
						continue
					}
				}
				w.reach(from, e)
			}
		}
	}
	for _, r := range w.reached {
		if s.cis[r.Index].Class == ClassService {
			services = append(services, r.Index)
		}
	}
	out := Impact{Hit: w.reached, ServiceCount: len(services), Truncated: w.truncated}
	slices.SortFunc(services, func(a, b int32) int {
		return cmp.Or(s.cis[a].Criticality.Rank()-s.cis[b].Criticality.Rank(), int(a)-int(b))
	})
	for _, i := range services[:min(len(services), w.limit.Services)] {
		out.Services = append(out.Services, s.cis[i].ID)
	}
	return out, nil
}
