package ingest

import (
	"context"
	"errors"
	"fmt"
)

// Receiver takes decoded events from a door. Its implementation completes,
// checks, counts and stores them; a door only decodes and answers.
type Receiver interface {
	// Receive returns once the good events are durable. rejected are the parts
	// of the message that the door could not decode; they are counted. The
	// result holds them, unchanged, and after them those that were refused
	// here, whose Index is the place in events.
	//
	// An error means that nothing was stored and the sender is to try again:
	// it wraps [ErrOverloaded] when there is too much to do, and anything else
	// when the store refused.
	Receive(ctx context.Context, source string, events []Event, rejected []Rejection) ([]Rejection, error)
}

// ErrOverloaded says that an event was turned away because too many wait.
var ErrOverloaded = errors.New("overloaded")

// ErrStore says that the store does not take anything at the moment, such as
// on a full disk. Nothing is lost that was acknowledged; senders try again.
var ErrStore = errors.New("the store refuses to write")

// Reason is why an event was rejected: a small fixed set, for it is a metric's
// label.
type Reason string

// The reasons for a rejection.
const (
	ReasonMalformed   Reason = "malformed"   // not the format it should be
	ReasonTooLarge    Reason = "too_large"   // body, label or number of labels
	ReasonInvalid     Reason = "invalid"     // a field has an impossible value
	ReasonUnsupported Reason = "unsupported" // well-formed, but nothing we take
	ReasonOverloaded  Reason = "overloaded"
	ReasonStore       Reason = "store" // the store could not keep it
)

// Reasons are all reasons.
var Reasons = []Reason{ReasonMalformed, ReasonTooLarge, ReasonInvalid, ReasonUnsupported, ReasonOverloaded, ReasonStore}

// Rejection is one event that was not taken, and why.
type Rejection struct {
	// Index is the event's place in the message, from 0; -1 is the message itself.
	Index  int
	Reason Reason
	// Err names the field, the value and what to do about it.
	Err error
}

func (r Rejection) Error() string {
	if r.Index < 0 {
		return r.Err.Error()
	}
	return fmt.Sprintf("event %d: %v", r.Index, r.Err)
}

func (r Rejection) Unwrap() error { return r.Err }
