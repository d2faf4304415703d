package correlate

import (
	"strconv"
	"time"
)

// ChangePast is what the past taught about the changes of one kind on one class
// of CI, or about all: how many of them caused an incident. Numbers are halved
// when they grow large, so that the recent past counts more. How often a CI
// changes is its [ChangeRate].
type ChangePast struct {
	// Class and Kind say which changes, unless it is All of them.
	All   bool   `json:"all,omitempty"`
	Class string `json:"class,omitempty"`
	Kind  string `json:"kind,omitempty"`
	// Changes counts them, Harm those of them that caused an incident, in
	// thousandths: the sum of what incidents blamed them for.
	Changes int64 `json:"changes"`
	Harm    int64 `json:"harm"`
}

// Rate is how often incidents come, by how many pairs of CI and alert name they
// have: one, two, or more. Those of a single alert are many, and mostly noise;
// they say nothing of how often large ones come.
type Rate struct {
	// Incidents counts them, whatever caused them; Blamed how many of them are
	// blamed on changes, in thousandths.
	Incidents [strongFitting]int64 `json:"incidents"`
	Blamed    [strongFitting]int64 `json:"blamed"`
	Since     time.Time            `json:"since"`
}

const (
	changeKind = "change"
	rateKind   = "rate"

	// changesMost and incidentsMost are the numbers from which on they are halved.
	changesMost   = 1 << 14
	incidentsMost = 1 << 12
	// changePastsMost bounds how much is kept; what comes later is not counted.
	changePastsMost = 1 << 13

	// What nothing is known of counts as harmPrior changes of the estate, one
	// in twenty of which caused an incident, which is what surveys of software
	// delivery find usual; a class of which nothing is known counts as
	// classPrior changes as harmful as those of the estate.
	harmPrior  = 50
	harmUsual  = 0.05
	classPrior = 20
	ratePrior  = 24 * time.Hour // in which one incident, and one change of a CI
	// sizePrior is how many incidents that came of changes are taken to have
	// been as large as the others.
	sizePrior = 10

	// milli is the unit of shares and logarithms that are integers.
	milli = 1000
)

func (p *ChangePast) memory() (kind, key string) { return changeKind, p.key() }

// key tells them apart, whatever their texts hold.
func (p *ChangePast) key() string {
	if p.All {
		return ""
	}
	return strconv.Quote(p.Class) + " " + strconv.Quote(p.Kind)
}

func (r *Rate) memory() (kind, key string) { return rateKind, "" }

// changePast finds what is known of some changes; nil when that is nothing.
func (e *Engine) changePast(of ChangePast) *ChangePast { return e.changePasts[of.key()] }

// learnChanges is changePast for something new, which is stored at the end of
// the tick; nil when there are too many.
func (e *Engine) learnChanges(of ChangePast) *ChangePast {
	key := of.key()
	p := e.changePasts[key]
	if p == nil {
		if len(e.changePasts) >= changePastsMost {
			return nil
		}
		p = &of
		e.changePasts[key] = p
	}
	e.memorise(p)
	return p
}

// since is when the engine began to count.
func (e *Engine) since() int64 {
	if e.rate.Since.IsZero() {
		e.rate.Since = timeOf(e.now)
		e.memorise(&e.rate)
	}
	return micros(e.rate.Since)
}

// countChange counts a change that was made.
func (e *Engine) countChange(ch *change) {
	if e.weight[evChange] == 0 {
		return
	}
	e.since()
	for _, of := range e.pastsOf(ch) {
		if p := e.learnChanges(of); p != nil {
			p.Changes++
			if p.Changes >= changesMost {
				p.Changes, p.Harm = p.Changes/2, p.Harm/2
			}
		}
	}
}

// pastsOf are what a change counts for: all changes, and those of its kind on
// its class.
func (e *Engine) pastsOf(ch *change) [2]ChangePast {
	return [2]ChangePast{{All: true}, {Class: e.estate.At(ch.ci).Class, Kind: ch.kind}}
}

func halfway(since time.Time, now int64) time.Time {
	at := micros(since)
	return timeOf(at + max(now-at, 0)/2)
}

// countIncident counts an incident that is old enough to be judged, and those
// that are blamed for it.
func (e *Engine) countIncident(strength int64, list []accused) {
	e.since()
	r := &e.rate
	r.Incidents[strength-1]++
	for i := range list {
		r.Blamed[strength-1] += list[i].p
		e.blame(list[i].ch, list[i].p)
	}
	if sum(r.Incidents) >= incidentsMost {
		for i := range r.Incidents {
			r.Incidents[i], r.Blamed[i] = r.Incidents[i]/2, r.Blamed[i]/2
		}
		r.Since = halfway(r.Since, e.now)
	}
	e.memorise(r)
}

func sum(by [strongFitting]int64) (all int64) {
	for _, n := range by {
		all += n
	}
	return all
}

// blame counts how far a change is taken for the cause of an incident, in
// thousandths.
func (e *Engine) blame(ch *change, p int64) {
	if p == 0 {
		return
	}
	for _, of := range e.pastsOf(ch) {
		if known := e.learnChanges(of); known != nil {
			known.Harm += p
		}
	}
}

// harm is the share of changes like this one that cause an incident.
func (e *Engine) harm(ch *change) float64 {
	of := e.pastsOf(ch)
	share := harmUsual
	for i, prior := range []float64{harmPrior, classPrior} {
		if p := e.changePast(of[i]); p != nil {
			share = (float64(p.Harm)/milli + prior*share) / (float64(p.Changes) + prior)
		}
	}
	return share
}

// changeRate is how many changes a second are usual for a CI.
func (e *Engine) changeRate(ch *change, at int64) float64 {
	changes, since := int64(0), e.since()
	if r := e.changeRates[e.estate.At(ch.ci).ID]; r != nil {
		changes, since = r.Count, micros(r.Since)
	}
	return float64(changes+1) / spanOf(since, at)
}

// incidentRate is how many incidents a second are usual for the estate: for one
// of this strength, against how many of those that come of changes have it.
func (e *Engine) incidentRate(strength, at int64) float64 {
	r := &e.rate
	all := float64(sum(r.Incidents) + 1)
	incidents := float64(r.Incidents[strength-1]) + 1./strongFitting
	blamed := (float64(r.Blamed[strength-1])/milli + sizePrior*incidents/all) / (float64(sum(r.Blamed))/milli + sizePrior)
	return incidents / blamed / spanOf(e.since(), at)
}

// spanOf is the time that was watched, in seconds, with what counts as watched
// while nothing is known.
func spanOf(since, at int64) float64 {
	return (time.Duration(max(at-since, 0))*time.Microsecond + ratePrior).Seconds()
}
