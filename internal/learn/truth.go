package learn

import (
	"slices"
	"time"

	"tocsin/internal/quality"
	"tocsin/internal/replay"
)

// FromTruth makes evidence of the truth about a labelled set; res is a replay
// of it, which knows its alerts. Each true incident is a case. Noise belongs
// with nothing. The error says that the two do not speak of the same alerts.
func FromTruth(truth []quality.Truth, res *replay.Result) (*Evidence, error) {
	if err := quality.Match(truth, res.Records().Predicted); err != nil {
		return nil, err
	}
	where := make(map[string]replay.Episode, len(truth))
	for id, ep := range res.Alerts() {
		where[id] = ep
	}
	e := newEvidence()
	cases := map[string]int{}
	taken := map[int32]bool{}
	var noise []int32
	for i := range truth {
		ep, ok := where[truth[i].AlertID]
		if !ok {
			continue
		}
		a := e.episode(ep)
		if taken[a] {
			continue // folded into one that fires already
		}
		taken[a] = true
		id := truth[i].IncidentID
		if id == "" {
			noise = append(noise, a)
			continue
		}
		n, ok := cases[id]
		if !ok {
			n = len(e.Cases)
			cases[id] = n
			e.Cases = append(e.Cases, Case{Edits: []Edit{{ID: id}}})
		}
		c := &e.Cases[n]
		c.alerts = append(c.alerts, a)
		c.At = earlier(c.At, time.UnixMicro(ep.StartsAt).UTC())
	}
	e.arrange()
	pairings := e.pairings()
	for i := range pairings {
		e.Dropped += pairings[i].within(pairings[i].alerts, 0, e.budget())
	}
	e.keepApart(pairings, true)
	e.noise(pairings, noise)
	return e, nil
}

// noise adds that alerts which belong to nothing do not belong to the cases
// that they were near in time.
func (e *Evidence) noise(pairings []pairing, noise []int32) {
	slices.SortFunc(noise, func(a, b int32) int { return compareEpisodes(e.episodes[a], e.episodes[b]) })
	for i := range pairings {
		p := &pairings[i]
		from, _ := slices.BinarySearchFunc(noise, p.first-near.Microseconds(), func(a int32, t int64) int { return int(e.episodes[a].StartsAt - t) })
		to, _ := slices.BinarySearchFunc(noise, p.last+near.Microseconds()+1, func(a int32, t int64) int { return int(e.episodes[a].StartsAt - t) })
		if from < to {
			e.Dropped += p.across(noise[from:to], p.alerts, false, 0, e.foreign())
		}
	}
}
