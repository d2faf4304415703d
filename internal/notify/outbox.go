package notify

import (
	"context"
	"time"

	"tocsin/correlate"
	"tocsin/ingest"
)

// Outbox keeps the notifications owed, and what they are about.
type Outbox interface {
	History
	// Due returns pending deliveries whose next attempt is at or before now,
	// oldest first, at most limit. Of each receiver and incident it is only
	// the first undelivered.
	Due(ctx context.Context, now time.Time, limit int) ([]correlate.Delivery, error)
	// Delivered records that the receiver took it. Twice is harmless.
	Delivered(ctx context.Context, d correlate.Delivery, at time.Time) error
	// Failed records a failed attempt. The next is due at next; with giveUp
	// there is none, and what follows for the incident goes on without it.
	Failed(ctx context.Context, d correlate.Delivery, at, next time.Time, giveUp bool, msg string) error
}

// History is what notifications are about.
type History interface {
	// Revision returns one revision, or an error that wraps
	// [correlate.ErrNotFound].
	Revision(ctx context.Context, incident string, rev int64) (correlate.Incident, error)
	// Timeline and Alerts are those of [correlate.Reader].
	Timeline(ctx context.Context, id string, p correlate.Page) (items []correlate.Incident, next string, err error)
	Alerts(ctx context.Context, q correlate.AlertQuery) (items []ingest.Alert, next string, err error)
}
