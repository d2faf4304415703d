package correlate

import (
	"fmt"
	"time"
)

// An incident whose alerts all match rules that make it wait is pending: it
// takes alerts in like any other, but nobody is told. It opens when the least
// strict of these rules is satisfied, or ends without having been opened.

// waitFor takes a member's rules into account.
func (inc *incident) waitFor(a *alert, r *ruling) {
	if inc.minAlerts == 0 || r.minAlerts < inc.minAlerts {
		inc.minAlerts = r.minAlerts
	}
	if at := a.began + r.delay; inc.openAt == 0 || at < inc.openAt {
		inc.openAt = at
	}
}

// ripen opens a pending incident whose wait is over, or sets the timer for it.
func (e *Engine) ripen(inc *incident) {
	switch {
	case inc.rec.Status != Pending || inc.firing < inc.minAlerts:
	case inc.openAt > e.now:
		e.timers.push(timer{due: inc.openAt, kind: timerOpen, inc: inc})
	default:
		e.setStatus(inc, Open)
		e.note(inc, EntryOpened, self, "Opened by %s: %s firing", e.nameOf(inc.first()), plural(inc.firing, "alert"))
	}
}

// waits says what a fresh incident waits for, "" for nothing.
func (e *Engine) waits(inc *incident) string {
	text := ""
	if inc.minAlerts > 1 {
		text = fmt.Sprintf("until %d alerts fire", inc.minAlerts)
	}
	if inc.openAt > e.now {
		if text != "" {
			text += " and "
		}
		text += "until " + timeOf(inc.openAt).Format(time.RFC3339)
	}
	return text
}
