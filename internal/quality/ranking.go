package quality

import (
	"errors"
	"fmt"
	"slices"
)

// Ranking says how high the true causes of incidents were ranked.
type Ranking struct {
	// Incidents are those that are judged: whose cause is known.
	Incidents int
	// Answered are those of them for which any CI was named.
	Answered int
	// AC1, AC3 and AC5 are the share of incidents with a true cause among the
	// first 1, 3 and 5; Avg5 is the mean of that over 1 to 5.
	AC1, AC3, AC5, Avg5 float64
	// MRR is the mean of 1/rank, 0 where no true cause was named.
	MRR float64
}

// Rank compares causes with the CIs that failed. Only causes that are CIs
// count, and ranks are over these alone. Level maps CIs to what they are judged
// as, such as the service they belong to: of several with one name only the
// first counts. A nil level judges the CIs themselves. Incidents whose root is
// not known are left out. The error says that there is nothing to compare.
func Rank(incidents []Incident, causes []Causes, m *Matching, level func(ci string) string) (Ranking, error) {
	if level == nil {
		level = func(ci string) string { return ci }
	}
	ranked := make(map[string][]Cause, len(causes))
	ids := make([]string, 0, len(causes))
	for _, c := range causes {
		ranked[c.IncidentID] = c.Causes
		ids = append(ids, c.IncidentID)
	}
	if err := m.check(ids, incidentIDs(incidents)); err != nil {
		return Ranking{}, err
	}
	var r Ranking
	var within [6]int
	for _, inc := range incidents {
		if len(inc.RootCIs) == 0 {
			continue
		}
		r.Incidents++
		rank, named := rankOf(inc.RootCIs, ranked[m.speakerOf(inc.IncidentID)], level)
		if named {
			r.Answered++
		}
		if rank == 0 {
			continue
		}
		r.MRR += 1 / float64(rank)
		for k := rank; k < len(within); k++ {
			within[k]++
		}
	}
	if r.Incidents == 0 {
		return Ranking{}, fmt.Errorf("the root_cis of all %d incidents are empty or of no alert; there is nothing to compare with", len(incidents))
	}
	n := float64(r.Incidents)
	r.AC1, r.AC3, r.AC5 = float64(within[1])/n, float64(within[3])/n, float64(within[5])/n
	for _, hits := range within[1:] {
		r.Avg5 += float64(hits) / 5 / n
	}
	r.MRR /= n
	return r, nil
}

// rankOf is the rank of the first true cause from 1 on, 0 when there is none.
func rankOf(roots []string, causes []Cause, level func(string) string) (rank int, named bool) {
	var right, seen []string
	for _, ci := range roots {
		right = append(right, level(ci))
	}
	for _, c := range causes {
		if c.Kind != KindCI {
			continue
		}
		at := level(c.ID)
		if slices.Contains(seen, at) {
			continue
		}
		seen = append(seen, at)
		if slices.Contains(right, at) {
			return len(seen), true
		}
	}
	return 0, len(seen) > 0
}

func incidentIDs(incidents []Incident) []string {
	ids := make([]string, 0, len(incidents))
	for _, inc := range incidents {
		ids = append(ids, inc.IncidentID)
	}
	return ids
}

// Links says how well changes were linked to the incidents they led to.
type Links struct {
	True, Predicted, Right int
	// Recall is the share of true links that was found, Precision the share of
	// found ones that is true; without any predicted, it is 1.
	Recall, Precision, F1 float64
	// PrecisionCaused is Precision over the incidents that a change led to: it
	// says how often the right one was taken, and not how often one is blamed
	// where none was.
	PrecisionCaused float64
}

// Link compares links between changes and incidents. Of predicted incidents
// that stand for one true incident the same change counts once; a link to one
// that stands for none is wrong. The error says that there is nothing to compare.
func Link(truth, predicted []ChangeLink, m *Matching) (Links, error) {
	if len(truth) == 0 {
		return Links{}, errors.New("the truth has no link between a change and an incident; there is nothing to compare with")
	}
	if m != nil && len(predicted) > 0 {
		ids := make([]string, 0, len(predicted))
		for _, p := range predicted {
			ids = append(ids, p.IncidentID)
		}
		if err := m.check(ids, nil); err != nil {
			return Links{}, err
		}
	}
	type pair struct{ change, incident string }
	right := make(map[pair]bool, len(truth))
	caused, onCaused := make(map[string]bool, len(truth)), 0
	for _, t := range truth {
		right[pair{t.ChangeID, t.IncidentID}] = true
		caused[t.IncidentID] = true
	}
	seen := make(map[pair]bool, len(predicted))
	l := Links{True: len(right)}
	for _, p := range predicted {
		k := pair{p.ChangeID, m.trueOf(p.IncidentID)}
		if k.incident == "" {
			// Kept apart from each other: each is a mistake of its own.
			k.incident = "\x00" + p.IncidentID
		}
		if seen[k] {
			continue
		}
		seen[k] = true
		if right[k] {
			l.Right++
		}
		if caused[k.incident] {
			onCaused++
		}
	}
	l.Predicted = len(seen)
	l.Recall, l.Precision = share(float64(l.Right), float64(l.True)), share(float64(l.Right), float64(l.Predicted))
	l.PrecisionCaused = share(float64(l.Right), float64(onCaused))
	l.F1 = harmonic(l.Recall, l.Precision)
	return l, nil
}

// Problems says how well incidents that are one problem were recognised.
type Problems struct {
	// Incidents are those whose problem is known.
	Incidents, True, Predicted int
	// P, R and F1 are over pairs of incidents with one problem.
	P, R, F1 float64
}

// Recur compares the signatures of incidents with the problems they are. An
// incident without a signature is like no other; one whose problem is not known
// is left out. The error says that there is nothing to compare.
func Recur(incidents []Incident, problems []Recurrence, m *Matching) (Problems, error) {
	signature := make(map[string]string, len(problems))
	ids := make([]string, 0, len(problems))
	for _, p := range problems {
		signature[p.IncidentID] = p.Signature
		ids = append(ids, p.IncidentID)
	}
	if err := m.check(ids, incidentIDs(incidents)); err != nil {
		return Problems{}, err
	}
	// Incidents are to problems what alerts are to incidents.
	var truth []Truth
	var predicted []Prediction
	for _, inc := range incidents {
		if inc.ProblemID == "" {
			continue
		}
		truth = append(truth, Truth{AlertID: inc.IncidentID, IncidentID: inc.ProblemID})
		predicted = append(predicted, Prediction{AlertID: inc.IncidentID, IncidentID: signature[m.speakerOf(inc.IncidentID)]})
	}
	if len(truth) == 0 {
		return Problems{}, fmt.Errorf("the problem_id of all %d incidents is missing or of no alert; there is nothing to compare with", len(incidents))
	}
	g := Score(truth, predicted, false)
	return Problems{Incidents: g.Alerts, True: g.TruthGroups, Predicted: g.PredGroups, P: g.PairP, R: g.PairR, F1: g.PairF1}, nil
}
