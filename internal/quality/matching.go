package quality

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Matching tells which true incident a predicted one stands for, when alerts
// were grouped by the one who predicts and its incidents have IDs of their own:
// that of the most of its labelled alerts. Several predicted incidents may stand
// for one true incident; then the one with the most of its alerts speaks for
// it. Ties go to the smaller ID. A nil *Matching takes IDs as they are.
type Matching struct {
	truth     map[string]string // of predicted incidents that hold any labelled alert
	speaker   map[string]string // of true incidents
	predicted map[string]bool   // all predicted incidents
}

// NewMatching matches by the alerts that two incidents have in common.
func NewMatching(truth []Truth, predicted []Prediction) *Matching {
	m := &Matching{truth: map[string]string{}, speaker: map[string]string{}, predicted: map[string]bool{}}
	of := make(map[string]string, len(truth))
	for i := range truth {
		of[truth[i].AlertID] = truth[i].IncidentID
	}
	type pair struct{ truth, pred string }
	common := map[pair]int{}
	for i := range predicted {
		p := &predicted[i]
		if p.IncidentID == "" {
			continue
		}
		m.predicted[p.IncidentID] = true
		if t := of[p.AlertID]; t != "" {
			common[pair{t, p.IncidentID}]++
		}
	}
	pairs := make([]pair, 0, len(common))
	for p := range common {
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(common[b], common[a]), cmp.Compare(a.truth, b.truth), cmp.Compare(a.pred, b.pred))
	})
	for _, p := range pairs {
		if _, ok := m.truth[p.pred]; ok {
			continue
		}
		m.truth[p.pred] = p.truth
		if _, ok := m.speaker[p.truth]; !ok {
			m.speaker[p.truth] = p.pred
		}
	}
	return m
}

// trueOf is the true incident that a predicted one stands for; "" for none.
func (m *Matching) trueOf(pred string) string {
	if m == nil {
		return pred
	}
	return m.truth[pred]
}

// speakerOf is the predicted incident that speaks for a true one; "" for none.
func (m *Matching) speakerOf(truth string) string {
	if m == nil {
		return truth
	}
	return m.speaker[truth]
}

// check says when none of the incidents that a file speaks of is known.
func (m *Matching) check(ids, truths []string) error {
	if len(ids) == 0 {
		return errors.New("no incident is in it")
	}
	if m != nil {
		for _, id := range ids {
			if m.predicted[id] {
				return nil
			}
		}
		return fmt.Errorf("none of its %d incidents, such as %q, is among the %d of the predicted alerts; these files are of different runs",
			len(ids), shorten(ids[0]), len(m.predicted))
	}
	known := make(map[string]bool, len(truths))
	for _, id := range truths {
		known[id] = true
	}
	for _, id := range ids {
		if known[id] {
			return nil
		}
	}
	return fmt.Errorf("none of its %d incidents, such as %q, is among the %d true ones; give the predicted alerts too, so that they can be matched",
		len(ids), shorten(ids[0]), len(truths))
}

// WithAlerts leaves out incidents that no alert belongs to: nobody who is told
// only alerts can know of them.
func WithAlerts(incidents []Incident, truth []Truth) []Incident {
	has := map[string]bool{}
	for i := range truth {
		has[truth[i].IncidentID] = true
	}
	var out []Incident
	for _, inc := range incidents {
		if has[inc.IncidentID] {
			out = append(out, inc)
		}
	}
	return out
}
