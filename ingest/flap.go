package ingest

import "time"

// Flapping says when an alert changes its status so often that it tells
// nothing any more. Start and Stop differ (hysteresis), so that an alert at
// the border does not itself flap between flapping and not.
type Flapping struct {
	// Window is the span in which changes of status are counted; 0 switches
	// the detection off.
	Window time.Duration
	// Start is the number of changes in Window at which flapping begins.
	Start int
	// Stop is the number at or below which it ends; less than Start.
	Stop int
}

// Record adds a change of status to an alert's recent ones, forgets those
// older than Window and says whether the alert flaps, given that it did or did
// not until now. The result may reuse the memory of recent.
func (f Flapping) Record(recent []time.Time, at time.Time, flapping bool) ([]time.Time, bool) {
	if f.Window <= 0 {
		return nil, false
	}
	recent = append(f.trim(recent, at), at)
	if flapping {
		return recent, len(recent) > f.Stop
	}
	return recent, len(recent) >= f.Start
}

func (f Flapping) trim(recent []time.Time, now time.Time) []time.Time {
	i := 0
	for i < len(recent) && now.Sub(recent[i]) >= f.Window {
		i++
	}
	return append(recent[:0], recent[i:]...)
}

// Ends is the time at which an alert with these recent changes stops
// flapping, if it does not change again.
func (f Flapping) Ends(recent []time.Time) time.Time {
	i := len(recent) - 1 - f.Stop
	if i < 0 {
		return time.Time{}
	}
	return recent[i].Add(f.Window)
}
