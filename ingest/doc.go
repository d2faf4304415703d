// Package ingest turns what sources send into events and alerts.
//
// An [Event] is one message as it arrived, in one shape for every source. An
// [Alert] is everything we know of all events with one [Fingerprint], told as
// its current episode: one span from firing to resolved.
//
// The package is pure: it has no clock, no goroutine, no I/O and no logger.
// The time is always an argument, so that a replay of last month's events
// takes the same decisions as the live run did. Nothing here is safe for
// concurrent use unless its comment says so. The wire formats live in the
// packages beneath this one, one package for each protocol.
package ingest
