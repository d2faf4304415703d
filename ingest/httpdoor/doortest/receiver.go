// Package doortest is a receiver for the tests of doors. It normalises as the
// server does and keeps what it is given in memory, so that a door's test sees
// both what would have been stored and what would have been counted.
package doortest

import (
	"context"
	"time"

	"tocsin/ingest"
)

// Now is when everything is received.
var Now = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// Receiver keeps what doors hand on. The zero value takes everything.
type Receiver struct {
	// Options are those of its normalizer.
	Options ingest.NormalizerOptions
	// Err is why nothing can be stored; nil stores.
	Err error

	Events   []ingest.Event
	Rejected []ingest.Rejection
}

// Receive implements [ingest.Receiver].
func (r *Receiver) Receive(_ context.Context, source string, events []ingest.Event, rejected []ingest.Rejection) ([]ingest.Rejection, error) {
	if r.Err != nil && len(events) > 0 {
		return nil, r.Err
	}
	n := ingest.NewNormalizer(r.Options)
	for i := range events {
		e := events[i]
		e.Source = source
		if reason, err := n.Normalize(&e, Now); err != nil {
			rejected = append(rejected, ingest.Rejection{Index: i, Reason: reason, Err: err})
			continue
		}
		r.Events = append(r.Events, e)
	}
	r.Rejected = append(r.Rejected, rejected...)
	return rejected, nil
}
