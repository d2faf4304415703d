package ingest

import "time"

// Verdict is what an event means to the alert it belongs to.
type Verdict uint8

const (
	// Fresh starts a new episode.
	Fresh Verdict = iota
	// Again makes the known, ended episode fire once more: its end was only
	// our guess, or its source insists.
	Again
	// Update changes severity or annotations of the firing episode.
	Update
	// Resend says nothing new.
	Resend
	// Resolve ends the firing episode.
	Resolve
	// Missed is a whole episode of which only the end arrived.
	Missed
	// Late is out of date: it was overtaken by what is known already.
	Late
)

// LateWindow is how long after a resolution by its source a firing that is
// older than this resolution is taken for an overtaken message. Later than
// that somebody still believes in it, such as the other half of a pair of
// Prometheus servers, and a duplicate is better than a loss.
const LateWindow = 2 * time.Minute

// Episode is what [Judge] needs to know of an alert.
type Episode struct {
	Status   Status // "" when the alert is unknown
	StartsAt time.Time
	EndsAt   time.Time
	// BySource says that the source ended it, not a timeout.
	BySource bool
	// EndedSeen is when we learned of the end.
	EndedSeen time.Time
}

// Judge says what an event of kind alert means, received at now. same says
// that its severity and annotations are those already known. Events are folded
// by StartsAt and EndsAt as Alertmanager merges alerts with overlapping spans,
// so each episode is counted once, whatever order its messages come in.
func Judge(known Episode, e *Event, same bool, now time.Time) Verdict {
	switch known.Status {
	case Firing:
		switch {
		case e.Status == Resolved && e.EndsAt.Before(known.StartsAt):
			return Late
		case e.Status == Resolved:
			return Resolve
		case same:
			return Resend
		default:
			return Update
		}
	case Resolved:
		newer := e.StartsAt.After(known.EndsAt)
		switch {
		case e.Status == Resolved && newer:
			return Missed
		case e.Status == Resolved:
			return Resend
		case newer:
			return Fresh
		case known.BySource && now.Sub(known.EndedSeen) < LateWindow:
			return Late
		default:
			return Again
		}
	default:
		if e.Status == Resolved {
			return Missed
		}
		return Fresh
	}
}
