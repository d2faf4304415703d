package correlate

import (
	"math"
	"time"
)

// Lift compares how often an incident follows on changes with how often one
// comes by chance, with intervals of 95 %.
type Lift struct {
	// Share is the share of the changes that were followed by an incident.
	Share     float64 `json:"share"`
	ShareLow  float64 `json:"share_low"`
	ShareHigh float64 `json:"share_high"`
	// Base is the share that chance gives.
	Base float64 `json:"base"`
	// Lift is Share over Base. An interval that holds 1 shows no effect.
	Lift float64 `json:"lift"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Effect says whether the interval excludes chance.
func (l *Lift) Effect() bool { return l.Low > 1 || l.High < 1 }

// The least of which anything is said: changes, those among them that were
// followed by an incident and likewise incidents in all, and how many times the
// time looked at after a change was watched.
const (
	liftChanges  = 20
	liftFollowed = 5
	liftSpans    = 20
)

// normal95 is the quantile of the normal distribution for an interval of 95 %.
const normal95 = 1.96

// ChangeLift computes the lift of changes: followed of them had an incident, on
// what they reach, begin within a time after them; incidents is how many began
// there in a span in all. It is false when the sample is too small to say
// anything. Several changes before one incident are one that it followed on:
// count the first.
func ChangeLift(changes, followed int, within time.Duration, incidents int, span time.Duration) (Lift, bool) {
	if changes < liftChanges || followed < liftFollowed || followed > changes || incidents < liftFollowed || within <= 0 || span < liftSpans*within {
		return Lift{}, false
	}
	n, k, all := float64(changes), float64(followed), float64(incidents)
	l := Lift{Share: k / n, Base: 1 - math.Exp(-all*within.Seconds()/span.Seconds())}
	l.ShareLow, l.ShareHigh = Wilson(k, n)
	l.Lift = l.Share / l.Base
	// The delta method: the variance of ln Share is (1 − Share)/k, that of the
	// rate of incidents 1/incidents.
	spread := math.Exp(normal95 * math.Sqrt((1-l.Share)/k+1/all))
	l.Low, l.High = l.Lift/spread, l.Lift*spread
	return l, true
}

// Wilson is the interval of 95 % for a share of which k of n were seen. It holds
// for few too, and k may be an expectation.
func Wilson(k, n float64) (low, high float64) {
	if n <= 0 {
		return 0, 1
	}
	const z2 = normal95 * normal95
	p, d := k/n, 1+z2/n
	mid := (p + z2/(2*n)) / d
	half := normal95 * math.Sqrt(p*(1-p)/n+z2/(4*n*n)) / d
	return max(mid-half, 0), min(mid+half, 1)
}
