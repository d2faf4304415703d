package replay

import (
	"context"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// Source tells what happened.
type Source interface {
	// Read yields inputs until there are no more or yield says no. Inputs that
	// belong to one tick have the same time. It is called once, in a goroutine
	// of its own.
	Read(ctx context.Context, yield func(Input) bool) error
}

// Input is one thing that happened. One of Event, Command, Outage and Estate is
// set, or none when nothing but time passes or a record is unreadable.
type Input struct {
	// At is when the engine is to be told.
	At time.Time
	// Event is an alert, an acknowledgement or a change. The engine keeps it.
	Event *ingest.Event
	// Command is an operator's.
	Command *correlate.Command
	// Outage is when the server was last alive before it came back At.
	Outage time.Time
	// Estate replaces the estate.
	Estate *cmdb.Snapshot

	// Unreadable is a record that is none of these.
	Unreadable *Unreadable

	// ID is what the source calls an alert's firing or a change; empty where
	// it has no name for it.
	ID string
	// Expiry says that the event tells of nothing but the end of an alert by
	// its silence, which the engine is to find out by itself.
	Expiry bool
}
