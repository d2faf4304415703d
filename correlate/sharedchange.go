package correlate

import (
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	// sharedWithin is how long before an alert a change may have been made that
	// it shares with others.
	sharedWithin = 30 * time.Minute
	// A shared change is worth sharedPoints·ln of how rare changes are near an
	// alert, against one within sharedWithin, at most sharedMost.
	sharedPoints = 30
	sharedMost   = 10
)

// nearChanges are the changes that would explain an alert.
type nearChanges struct {
	recent []*change
	// expected is how many there are within sharedWithin, by all that are
	// remembered.
	expected float64
}

// changesNear finds the changes on the CIs whose failure would explain an alert.
func (e *Engine) changesNear(a *alert) (near nearChanges) {
	if a.ci == unbound || len(e.changes) == 0 || e.weight[evChange] == 0 {
		return near
	}
	n := 0
	for _, x := range e.estate.culprits(a.ci).list {
		for _, ch := range e.changes[x.ci] {
			n++
			if lag := a.began - ch.startsAt; lag >= 0 && lag <= sharedWithin.Microseconds() {
				near.recent = append(near.recent, ch)
			}
		}
	}
	near.expected = float64(n) * sharedWithin.Seconds() / e.cfg.Horizon().Seconds()
	return near
}

// shared finds the newest of the changes that would explain a candidate too.
func (e *Engine) shared(c *candidate, near *nearChanges) *change {
	if c.place.key.ci == unbound || len(near.recent) == 0 {
		return nil
	}
	var newest *change
	began := c.place.inc.first().began
	culprits := e.estate.culprits(c.place.key.ci).list
	for _, ch := range near.recent {
		if ch.startsAt > began || newest != nil && (ch.startsAt < newest.startsAt || ch.startsAt == newest.startsAt && ch.seq < newest.seq) {
			continue
		}
		if slices.ContainsFunc(culprits, func(x culprit) bool { return x.ci == ch.ci }) {
			newest = ch
		}
	}
	return newest
}

// points says how much more likely two alerts are of one cause when a change
// explains both: the rarer changes are near them, the more.
func (near *nearChanges) points() int {
	return clamp(-sharedPoints*math.Log(max(near.expected, 0.01)), 0, sharedMost)
}

func (e *Engine) sharedChangeText(a *alert, c *candidate) string {
	return fmt.Sprintf("%s, changed %s before, explains both (%s)", e.display(c.change.ci),
		roundGap(time.Duration(a.began-c.change.startsAt)*time.Microsecond), clip(c.change.text, 80))
}
