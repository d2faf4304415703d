package correlate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"tocsin/ingest"
)

// SuspectChange is a change that may have caused an incident.
type SuspectChange struct {
	// ID is the change's own, from its label or annotation change_id or that
	// of its CloudEvent; else the number of its event.
	ID   string    `json:"id"`
	Name string    `json:"name"`
	CI   string    `json:"ci"`
	At   time.Time `json:"at"`
	// Score is the probability that it did, in thousandths. The changes of an
	// incident, those not listed included, share a thousand with the chance
	// that none of them did.
	Score int `json:"score"`
	// Linked says that the change is taken for the cause, from 200 on; below,
	// it is possible.
	Linked bool   `json:"linked"`
	Reason string `json:"reason"`
	// Parts sum up to 100·ln of the odds against that none of them did.
	Parts []Part `json:"parts"`
}

const (
	// maxChanges is how many changes an incident lists, at least possible each;
	// from scoreLinked on one is taken for the cause.
	maxChanges    = 3
	scorePossible = 50
	scoreLinked   = 200

	// lagMedian is how long after a change half of the incidents that come of
	// changes begin. Shorter and longer lags fall off slowly: log-logistic with
	// a shape of 2.
	lagMedian = 600.0

	// What earlier incidents of a signature say of a change counts by less than
	// its logarithm, because they are no independent witnesses, and within
	// bounds.
	againShare = 0.7
	againMost  = 5 * milli
)

// accused is a change with what speaks for it.
type accused struct {
	ch    *change
	lag   float64 // seconds from it to the first alert
	share float64 // of such changes that cause an incident
	ln    int64   // how well its CI explains the alerts, as in [fits]
	again int64   // what earlier incidents say, 1000·ln
	// witnesses of occurrences, earlier incidents of the signature, saw the
	// same place changed before them.
	witnesses, occurrences int
	weight                 float64
	p                      int64 // thousandths
}

// accuse weighs the changes that may have caused an incident against each other
// and against that it came of itself, best first. Each cause weighs as much as
// incidents like this one, with this lag, come of it:
//
//	a change   harm · density of the lag · fit of its CI · what recurrences say
//	none       rate of incidents on a CI · fit, summed over all CIs
//
// earlier are the earlier occurrences of the incident's signature. seen is what
// this one adds to them: at which places there were changes at the time.
func (e *Engine) accuse(inc *incident, earlier []Occurrence) (list []accused, background float64, seen []PlaceChanged) {
	if e.weight[evChange] == 0 || len(e.changes) == 0 || len(inc.cis) == 0 {
		return nil, 0, nil
	}
	onset := inc.first().began
	f := e.fitsOf(inc)
	for _, ch := range e.changesAround(f.ln, onset) {
		a := accused{ch: ch, lag: secondsOf(onset - ch.startsAt), share: e.harm(ch), ln: f.ln[ch.ci]}
		density := lagDensity(a.lag)
		place := e.placeName(ch.ci)
		seen = addPlace(seen, place, int64(math.Round(milli*math.Log(density/e.changeRate(ch, onset)))))
		a.hear(earlier, place)
		a.weight = float64(e.weight[evChange]) / 100 * a.share * density * float64(f.fit(a.ln)) / billion * math.Exp(float64(a.again)/milli)
		list = append(list, a)
	}
	if len(list) == 0 {
		return nil, 0, nil
	}
	cis := e.estate.Len()
	background = e.incidentRate(f.strength, onset) / float64(cis) * float64(f.sum(cis)) / billion
	slices.SortFunc(list, func(a, b accused) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(b.ch.startsAt, a.ch.startsAt), cmp.Compare(b.ch.seq, a.ch.seq))
	})
	all := background // in the order of the list, so that it is the same each time
	for i := range list {
		all += list[i].weight
	}
	for i := range list {
		list[i].p = int64(math.Round(milli * list[i].weight / all))
	}
	return list, background, seen
}

// changesAround lists the changes on culprits that were made in time to have
// caused an incident that began at onset.
func (e *Engine) changesAround(culprits map[int32]int64, onset int64) (found []*change) {
	look := func(ci int32) {
		for _, ch := range e.changes[ci] {
			if onset-ch.startsAt <= time.Duration(e.cfg.ChangeWindow).Microseconds() && ch.startsAt-onset <= clockSlack.Microseconds() {
				found = append(found, ch)
			}
		}
	}
	if len(e.changes) < len(culprits) {
		for ci := range e.changes {
			if _, ok := culprits[ci]; ok {
				look(ci)
			}
		}
	} else {
		for ci := range culprits {
			look(ci)
		}
	}
	slices.SortFunc(found, func(a, b *change) int { return cmp.Compare(a.seq, b.seq) })
	return found
}

// lagDensity is how often, for each second, an incident that comes of a change
// begins so long after it.
func lagDensity(lag float64) float64 {
	x := max(lag, 1) / lagMedian
	return 2 * x / (lagMedian * (1 + x*x) * (1 + x*x))
}

// hear sets what the earlier occurrences say of a change at a place.
func (a *accused) hear(earlier []Occurrence, place string) {
	sum := int64(0)
	for i := range earlier {
		ln := int64(placeUnchanged)
		for _, c := range earlier[i].Changed {
			if c.Place == place {
				ln = min(max(c.Points, placeUnchanged), placeChangedMost)
				if c.Points > 0 {
					a.witnesses++
				}
			}
		}
		sum += ln
	}
	a.occurrences = len(earlier)
	a.again = min(max(int64(math.Round(againShare*float64(sum))), -againMost), againMost)
}

// suspectChanges spells out the best of the accused.
func (e *Engine) suspectChanges(list []accused, background float64) (out []SuspectChange) {
	for i := range list[:min(len(list), maxChanges)] {
		a := &list[i]
		if a.p < scorePossible {
			break
		}
		out = append(out, SuspectChange{
			ID: a.ch.name(), Name: a.ch.text, CI: e.estate.At(a.ch.ci).ID, At: timeOf(a.ch.startsAt), Score: int(a.p), Linked: a.p >= scoreLinked,
			Reason: e.accusation(a), Parts: e.changeParts(a, background),
		})
	}
	return out
}

// accusation says in words what speaks for a change.
func (e *Engine) accusation(a *accused) string {
	lag := roundGap(time.Duration(math.Abs(a.lag) * float64(time.Second)))
	text := "changed " + lag + " before the first alert"
	if a.lag < 0 {
		text = "changed " + lag + " after the first alert, which clocks that differ may make of before"
	}
	if often := e.harmText(a.ch); often != "" {
		text += "; " + often
	}
	if p := math.Exp(float64(a.ln) / milli); p >= 0.3 {
		text += "; explains the alerts"
	} else {
		text += "; explains the alerts in part"
	}
	switch {
	case a.witnesses > 0:
		text += fmt.Sprintf("; in %d of %s the same place had been changed", a.witnesses, plural(a.occurrences, "earlier occurrence"))
	case a.occurrences > 0:
		text += fmt.Sprintf("; in none of %s had the same place been changed", plural(a.occurrences, "earlier occurrence"))
	}
	return text
}

// harmText says how often changes like one caused an incident, "" while too few
// are known.
func (e *Engine) harmText(ch *change) string {
	p := e.changePast(e.pastsOf(ch)[1])
	if p == nil || p.Changes < liftChanges {
		return ""
	}
	if p.Harm < milli/2 {
		return fmt.Sprintf("none of %d such changes caused an incident", p.Changes)
	}
	return fmt.Sprintf("1 of %d such changes causes an incident", max((p.Changes*milli+p.Harm/2)/p.Harm, 1))
}

// changeParts spells out the odds of a change against that the incident came of
// itself.
func (e *Engine) changeParts(a *accused, background float64) []Part {
	ln := func(v float64) int { return int(math.Round(100 * math.Log(v))) }
	share := "usual for changes of which little is known"
	if p := e.changePast(e.pastsOf(a.ch)[1]); p != nil && p.Changes >= liftChanges {
		low, high := Wilson(float64(p.Harm)/milli, float64(p.Changes))
		share = fmt.Sprintf("%.1f of %d such changes caused an incident, %.1f to %.1f %%", float64(p.Harm)/milli, p.Changes, 100*low, 100*high)
	}
	parts := []Part{
		{"share", ln(a.share), share},
		{"lag", ln(lagDensity(a.lag) * lagMedian), fmt.Sprintf("%.0f s from the change to the first alert", a.lag)},
		{"fit", 0, fmt.Sprintf("its failure shows as each of the alerts with probability %.2f", math.Exp(float64(a.ln)/milli))},
	}
	if a.occurrences > 0 {
		parts = append(parts, Part{"recurrence", int(a.again / 10), fmt.Sprintf("changed in %d of %s", a.witnesses, plural(a.occurrences, "earlier occurrence"))})
	}
	// What is left of the odds compares how well its CI and any other explain
	// the alerts, at the usual rate of incidents.
	rest := ln(a.weight / background)
	for _, p := range parts {
		rest -= p.Points
	}
	parts[2].Points = rest
	return parts
}

func secondsOf(us int64) float64 { return float64(us) / 1e6 }

// name is what people call the change by.
func (ch *change) name() string {
	if ch.id != "" {
		return ch.id
	}
	return strconv.FormatInt(ch.seq, 10)
}

// nameChange finds what a change event says of its own identity and kind.
func nameChange(ev *ingest.Event) (id, kind string) {
	said := func(name string) string { return cmp.Or(ev.Labels.Get(name), ev.Annotations.Get(name)) }
	// Of a CloudEvent the ID is unique with its source, which people know.
	return clip(cmp.Or(said("change_id"), ev.Annotations.Get("ce_id")), 200), clip(cmp.Or(said("change_kind"), ev.Labels.Get("kind"), ev.Name()), 200)
}
