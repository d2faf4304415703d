package notify

import (
	"slices"
	"strconv"
	"time"

	"tocsin/correlate"
)

// Receiver is who is told, and of what.
type Receiver struct {
	// Name tells receivers apart, also over restarts. Mandatory.
	Name   string
	Sender Sender // mandatory, except for Plan
	// Notices are the kinds of news to tell; none means all.
	Notices []correlate.Notice
	// MinPriority is the least pressing priority told, 2 for P1 and P2; 0
	// means all. Once told of an incident, a receiver hears of it to its end,
	// or it would believe in an incident that is long over.
	MinPriority correlate.Priority
	// Timeout is how long one attempt may take; 0 means 10 seconds.
	Timeout time.Duration
	// MaxAttempts is how often to try; 0 means any number.
	MaxAttempts int
	// GiveUpAfter is how old news may get; 0 means 24 hours. Everything is
	// tried at least once.
	GiveUpAfter time.Duration
}

func (r *Receiver) wants(n correlate.Notice) bool {
	return len(r.Notices) == 0 || slices.Contains(r.Notices, n)
}

func (r *Receiver) presses(inc *correlate.Incident) bool {
	return r.MinPriority == 0 || inc.Priority <= r.MinPriority
}

// Plan returns the notifications owed to receivers for revisions of incidents,
// in the order of the revisions. The same revisions give the same
// notifications and keys.
//
// A revision below a receiver's priority is planned all the same when it may
// end or lower what the receiver was told before; whether it was told is known
// from the history only, and looked up before sending.
func Plan(receivers []Receiver, incidents []correlate.Incident) []correlate.Delivery {
	var out []correlate.Delivery
	for i := range incidents {
		inc := &incidents[i]
		notice := correlate.NoticeOf(inc)
		if notice == "" {
			continue
		}
		for j := range receivers {
			r := &receivers[j]
			if !r.wants(notice) || !r.presses(inc) && !concludes(inc, notice) {
				continue
			}
			out = append(out, correlate.Delivery{
				Key:      key(r.Name, inc),
				Receiver: r.Name, Incident: inc.ID, Revision: inc.Revision, Notice: notice,
				At: inc.At, NextAttempt: inc.At, State: "pending",
			})
		}
	}
	return out
}

// concludes says whether a revision may matter to who was told before, although
// it does not press: its end, or its fall in priority.
func concludes(inc *correlate.Incident, n correlate.Notice) bool {
	return n == correlate.NoticeResolved || n == correlate.NoticeMerged ||
		slices.ContainsFunc(inc.Entries, func(e correlate.Entry) bool { return e.Kind == correlate.EntryPriority })
}

// key is readable, so that a receiver's log can be searched for an incident.
func key(receiver string, inc *correlate.Incident) string {
	return receiver + "/" + inc.ID + "/" + strconv.FormatInt(inc.Revision, 10)
}
