package correlate

import (
	"fmt"
	"strings"
	"time"

	"tocsin/ingest"
)

// WhyNot computes, from the state of now, how an alert scores against an
// incident that it is not in. Both must be in memory, or the error wraps
// [ErrForgotten]. It changes nothing.
func (e *Engine) WhyNot(fp ingest.Fingerprint, id string) (Explanation, error) {
	x, err := e.whyNot(fp, id)
	x.Evidence.Config = e.config
	return x, err
}

func (e *Engine) whyNot(fp ingest.Fingerprint, id string) (Explanation, error) {
	a, inc := e.alerts[fp], e.incidents[strings.ToUpper(id)]
	if a == nil {
		return Explanation{}, fmt.Errorf("alert %s: %w", fp, ErrForgotten)
	}
	if inc == nil {
		return Explanation{}, fmt.Errorf("incident %s: %w", id, ErrForgotten)
	}
	x := Explanation{Fingerprint: fp, Incident: inc.rec.ID, At: timeOf(e.now), Member: a.incident == inc}
	x.Evidence = Evidence{Threshold: e.cfg.Threshold, Model: Model}
	switch {
	case x.Member:
		x.Evidence.Sentence = "The alert is in this incident."
		return x, nil
	case inc.rec.Status == Merged:
		x.Evidence.Sentence = fmt.Sprintf("%s was merged into %s.", inc.rec.ID, inc.rec.MergedInto)
		return x, nil
	case !inc.rec.Status.Active():
		x.Evidence.Sentence = fmt.Sprintf("%s is %s: only its own alerts reopen it.", inc.rec.ID, inc.rec.Status)
		return x, nil
	case !a.firing:
		x.Evidence.Sentence = "The alert does not fire: resolved alerts join no incident."
	case a.suppression != notSuppressed:
		x.Evidence.Sentence = fmt.Sprintf("The alert is suppressed (%s): it joins no incident.", e.whySuppressed(a))
	}
	cands := e.candidates(a)
	for i := range cands {
		if cands[i].place.inc != inc {
			continue
		}
		before := x.Evidence.Sentence
		x.Evidence = e.evidence(a, &cands[i], cands)
		switch {
		case before != "":
			x.Evidence.Sentence = before + " " + x.Evidence.Sentence
		case cands[i].keptApart != "":
		case x.Evidence.Score >= x.Evidence.Threshold && a.incident != nil:
			x.Evidence.Sentence = fmt.Sprintf("%d points would do, but it is in %s, where it scored at least as much when it came in, or people put it.",
				x.Evidence.Score, a.incident.rec.ID)
		}
		return x, nil
	}
	if x.Evidence.Sentence != "" {
		x.Evidence.Sentence += " "
	}
	x.Evidence.Sentence += e.farApart(a, inc)
	return x, nil
}

// whySuppressed gives the reason with the numbers behind it.
func (e *Engine) whySuppressed(a *alert) string {
	if a.suppression == suppressedChronic || a.suppression == suppressedPeriodic {
		if n, ok := e.noiseOf(a.fp, a.firstSeen); ok {
			return n.String()
		}
	}
	return a.suppression.String()
}

// farApart says why an incident is no candidate at all.
func (e *Engine) farApart(a *alert, inc *incident) string {
	if a.ci == unbound {
		return "The alert is bound to no CI, and nothing that it is about is named by an alert of the incident."
	}
	if len(inc.cis) == 0 {
		return "No alert of the incident is bound to a CI, so there is no path between them."
	}
	near := e.estate.around(a.ci)
	for i := range near {
		if p := inc.cis[near[i].ci]; p != nil {
			gap := time.Duration(p.gap(a.began)) * time.Microsecond
			return fmt.Sprintf("%s is %s from %s, but its alerts began %s apart, which is too long for that distance.",
				e.display(a.ci), plural(int(near[i].hops), "hop"), e.display(near[i].ci), roundGap(gap))
		}
	}
	return fmt.Sprintf("No CI of the incident is near %s: every path is too long or leads through a hub.", e.display(a.ci))
}

// Stats counts what an engine holds.
type Stats struct {
	// Firing are the alerts that fire, by suppression, "" for none.
	Firing map[string]int
	// Remembered are the ended alerts still in memory.
	Remembered int
	// Incidents counts those in memory by status.
	Incidents map[Status]int
}

// Stats counts what the engine holds now. It looks at every alert.
func (e *Engine) Stats() Stats {
	s := Stats{Firing: map[string]int{}, Incidents: map[Status]int{}}
	for _, a := range e.alerts {
		if a.firing {
			s.Firing[a.suppression.String()]++
		} else {
			s.Remembered++
		}
	}
	for _, inc := range e.incidents {
		s.Incidents[inc.rec.Status]++
	}
	return s
}
