package correlate

import (
	"context"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/cmdb"
	"tocsin/ingest"
)

// Batch is what one tick stores, all of it or nothing.
type Batch struct {
	Output
	// CIs and Relations are the new revisions of the estate, if it changed.
	CIs       []cmdb.CI
	Relations []cmdb.Relation
	// Deliveries are the notifications owed for Output.Incidents.
	Deliveries []Delivery
}

// Store keeps what an engine decides. correlatetest.TestStore says what an
// implementation owes.
type Store interface {
	// Append stores a batch in one transaction and returns once it is durable.
	// Every record carries its own number, so a batch whose outcome is unknown
	// may be sent again whole: a record that is already there is left alone,
	// and so are the counts of a batch whose At was stored before.
	Append(ctx context.Context, b *Batch) error
	// Restore reads the state to go on from; the zero State of a new store.
	// horizon is how long ended records still matter, see [State].
	Restore(ctx context.Context, horizon time.Duration) (State, error)
	// Heartbeat records that the engine was alive at a time, for the next
	// start to tell how long it was not.
	Heartbeat(ctx context.Context, at time.Time) error
}

// Reader answers questions about what is stored. Lists are pages: an empty
// next means that there is no more; a cursor that is not one of its own is
// refused with [ErrInvalid]. Limit 0 means 100; at most 1000 are returned.
type Reader interface {
	// Incident returns the newest revision, or [ErrNotFound].
	Incident(ctx context.Context, id string) (Incident, error)
	// Incidents lists newest revisions, latest opened first.
	Incidents(ctx context.Context, q IncidentQuery) (items []Incident, next string, err error)
	// Timeline lists the revisions of an incident, first to last.
	Timeline(ctx context.Context, id string, p Page) (items []Incident, next string, err error)
	// Attachments lists newest attachments of an incident, or of an alert, or
	// of the pair, by number; detached ones too.
	Attachments(ctx context.Context, q AttachmentQuery) (items []Attachment, next string, err error)
	// Alert returns the newest revision with labels, or [ErrNotFound].
	Alert(ctx context.Context, fp ingest.Fingerprint) (ingest.Alert, error)
	// Alerts lists newest revisions, latest revised first.
	Alerts(ctx context.Context, q AlertQuery) (items []ingest.Alert, next string, err error)
	// Events lists stored events, newest first.
	Events(ctx context.Context, q EventQuery) (items []ingest.Event, next string, err error)
	// Links lists the links from or to a record, without the removed ones.
	Links(ctx context.Context, ref string) ([]Link, error)
	// Accounting returns what became of all events so far, by source.
	Accounting(ctx context.Context) (map[string]Counts, error)
}

// Page asks for a part of a list.
type Page struct {
	Limit  int
	Cursor string
}

// IncidentQuery selects incidents; every empty field selects all.
type IncidentQuery struct {
	Page
	Status   []Status
	Severity []ingest.Severity
	Priority []Priority
	// CI selects incidents with an alert on this CI; Service those whose
	// blast radius holds this service.
	CI       string
	Service  string
	Assignee string
	// Match selects by Incident.Labels.
	Match []*labels.Matcher
	// Text is looked for in ID and title, case-insensitively.
	Text string
	// From and To select by opening time, From ≤ OpenedAt < To.
	From, To time.Time
}

// AlertQuery selects alerts; every empty field selects all.
type AlertQuery struct {
	Page
	Status      ingest.Status
	Severity    []ingest.Severity
	Source      string
	CI          string
	Incident    string
	Suppressed  bool // only those that are suppressed
	Unbound     bool // only those bound to no CI, ambiguous ones included
	Ambiguous   bool // only those that several CIs matched
	Match       []*labels.Matcher
	From, To    time.Time // by StartsAt, From ≤ StartsAt < To
	Fingerprint []ingest.Fingerprint
}

// EventQuery selects events; every empty field selects all.
type EventQuery struct {
	Page
	Kind        ingest.Kind
	Source      string
	Fingerprint ingest.Fingerprint // 0 selects all
	Match       []*labels.Matcher
	From, To    time.Time // by ReceivedAt, From ≤ ReceivedAt < To
}

// AttachmentQuery selects attachments by incident, by alert or by both; one of
// them must be given.
type AttachmentQuery struct {
	Page
	Incident    string
	Fingerprint ingest.Fingerprint // 0 selects all
}
