package correlate

import "time"

// Notice is the kind of news about an incident that people are told.
type Notice string

// The notices.
const (
	NoticeOpened       Notice = "opened"
	NoticeChanged      Notice = "changed"
	NoticeAcknowledged Notice = "acknowledged"
	NoticeResolved     Notice = "resolved"
	NoticeReopened     Notice = "reopened"
	NoticeMerged       Notice = "merged"
)

// Notices are all notices.
var Notices = []Notice{NoticeOpened, NoticeChanged, NoticeAcknowledged, NoticeResolved, NoticeReopened, NoticeMerged}

// NoticeOf returns the news in a revision, or "" when there is none worth a
// message. When a revision did several things the weightiest is told: the
// receiver gets the whole incident in any case. More alerts of the same kind
// are no news; a change of severity, priority, likeliest cause or linked change is.
func NoticeOf(inc *Incident) Notice {
	if inc.Status == Pending || inc.Untold {
		return ""
	}
	best, rank := Notice(""), 0
	take := func(n Notice, r int) {
		if r > rank {
			best, rank = n, r
		}
	}
	for _, e := range inc.Entries {
		switch e.Kind {
		case EntryMergedInto:
			take(NoticeMerged, 6)
		case EntryOpened, EntryUnmerged:
			take(NoticeOpened, 5)
		case EntryResolved:
			take(NoticeResolved, 4)
		case EntryReopened:
			take(NoticeReopened, 3)
		case EntryAcknowledged:
			take(NoticeAcknowledged, 2)
		case EntrySeverity, EntryPriority, EntryCause, EntryChange, EntryAssigned, EntryHeld, EntryResumed, EntrySplit, EntryMerged, EntryMoved:
			take(NoticeChanged, 1)
		case EntryPending, EntryAlerts, EntryClosed, EntryCommented, EntryLinked, EntryUnlinked:
		}
	}
	return best
}

// Delivery is one notification owed to one receiver. The outbox keeps it until
// the receiver took it.
type Delivery struct {
	// Key is the idempotency key, the same on every attempt.
	Key      string    `json:"key"`
	Receiver string    `json:"receiver"`
	Incident string    `json:"incident"`
	Revision int64     `json:"revision"`
	Notice   Notice    `json:"notice"`
	At       time.Time `json:"at"`

	// State is "pending", "delivered" or "failed" (given up).
	State       string    `json:"state"`
	Attempts    int       `json:"attempts"`
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	LastError   string    `json:"last_error,omitempty"`
}
