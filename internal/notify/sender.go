package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/correlate"
	"tocsin/ingest"
)

// Sender brings a message to one receiver. It is called from several goroutines.
type Sender interface {
	// Send returns nil once the receiver has taken the message. A
	// [*PermanentError] says that no further attempt makes sense; any other
	// error that it may pass, a [*TransientError] also when. ctx bounds the
	// attempt.
	Send(ctx context.Context, m *Message) error
}

// MaxAlerts is the number of alerts that a message carries at most.
const MaxAlerts = 100

// Message is one notification.
type Message struct {
	// Key is the idempotency key, the same on every attempt.
	Key      string
	Receiver string
	Notice   correlate.Notice
	// Incident is the revision that the message is about.
	Incident correlate.Incident
	// Alerts are the incident's alerts now, latest revised first, at most
	// [MaxAlerts]; Truncated is how many more there are.
	Alerts    []ingest.Alert
	Truncated int
	// At is the time of the attempt.
	At time.Time
}

// PermanentError says that the receiver will never take the message.
type PermanentError struct{ Err error }

func (e *PermanentError) Error() string { return e.Err.Error() }
func (e *PermanentError) Unwrap() error { return e.Err }

// TransientError says that the receiver may take the message later.
type TransientError struct {
	Err error
	// RetryAfter is how long the receiver asks us to wait; 0 when it does not.
	RetryAfter time.Duration
}

func (e *TransientError) Error() string { return e.Err.Error() }
func (e *TransientError) Unwrap() error { return e.Err }

// permanent says whether an error ends the attempts.
func permanent(err error) bool {
	var p *PermanentError
	return errors.As(err, &p)
}

// askedFor is how long the receiver asks us to wait.
func askedFor(err error) time.Duration {
	var t *TransientError
	if errors.As(err, &t) {
		return t.RetryAfter
	}
	return 0
}

// errGone is why nothing can be sent for a receiver that was removed.
func errGone(receiver string) error {
	return fmt.Errorf("receiver %q is no longer configured", receiver)
}
