package correlate

import (
	"math"
	"time"
)

// ChangeRate is how often a CI changes. A change tells little where one comes
// every hour, and much where it is the first in weeks. The rate of no CI says
// since when changes are known at all.
type ChangeRate struct {
	CI    string    `json:"ci,omitempty"`
	Count int64     `json:"count"`
	Since time.Time `json:"since"`
}

const (
	// changeRatesMost bounds how many CIs' changes are counted.
	changeRatesMost = 1 << 17
	// changesSpan is how long the changes of a CI are counted before half of
	// them is let go.
	changesSpan = 30 * 24 * time.Hour
	// Before the first that is known there may have been others: none is known
	// to be rarer than one in changesPrior.
	changesPrior = 7 * 24 * time.Hour

	// changeReach is how long before the first alert a change may have caused
	// it, and clockSlack by how much clocks differ.
	changeReach = 30 * time.Minute
	clockSlack  = time.Minute
	// changeFails is the share of changes that are followed by a failure, as
	// far as this weighs; changeWeight how far it is trusted.
	changeFails  = 0.1
	changeWeight = 0.5
)

const changeRateKind = "change_rate"

func (r *ChangeRate) memory() (kind, key string) { return changeRateKind, r.CI }

// countForRate counts a change that just arrived.
func (e *Engine) countForRate(ci int32) {
	all := e.changeRates[""]
	if all == nil {
		all = &ChangeRate{Since: timeOf(e.now)}
		e.changeRates[""] = all
		e.memorise(all)
	}
	id := e.estate.At(ci).ID
	r := e.changeRates[id]
	if r == nil {
		if len(e.changeRates) >= changeRatesMost {
			return
		}
		r = &ChangeRate{CI: id, Since: all.Since}
		if least := timeOf(e.now).Add(-changesSpan); r.Since.Before(least) {
			r.Since = least
		}
		e.changeRates[id] = r
	}
	r.Count++
	if span := timeOf(e.now).Sub(r.Since); span > changesSpan {
		r.Count = (r.Count + 1) / 2
		r.Since = r.Since.Add(span / 2).Truncate(time.Microsecond)
	}
	e.memorise(r)
}

// changePoints is how much likelier a change so shortly before an onset is if
// it is the cause than by how often its CI changes anyway, the less the longer
// before.
func (e *Engine) changePoints(ch *change, onset int64) int64 {
	reach := min(changeReach, time.Duration(e.cfg.ChangeWindow)).Microseconds()
	gap := max(onset-ch.startsAt, 0)
	r := e.changeRates[e.estate.At(ch.ci).ID]
	if gap >= reach || r == nil {
		return 0
	}
	count := r.Count
	for _, later := range e.changes[ch.ci] {
		if later.startsAt > ch.startsAt {
			count-- // such as attempts to mend it
		}
	}
	span := max(timeOf(ch.received).Sub(r.Since), 0) + changesPrior
	expected := float64(max(count, 1)) * float64(changeReach) / float64(span)
	near := 1 - float64(gap)/float64(reach)
	return int64(math.Round(1000 * changeWeight * math.Log(1+changeFails/expected) * near * float64(e.cfg.Weights.Change) / 100))
}
