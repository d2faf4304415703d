// Package driver owns the engine: the one goroutine that feeds it, the clock,
// and the rule that nothing is acknowledged before it is durable.
//
// Everything that wants something of the engine (events from the doors,
// operator commands, changes of the estate) waits in one queue. The driver
// takes what is waiting, has the engine tick once, stores what the tick
// decided in one transaction and then answers everybody: a group commit, whose
// size grows by itself with the load. So there is no lock around the engine,
// and what can be read from the store is what was answered for.
//
// When the store refuses, what the tick decided is owed: the driver tries
// again until it is stored, those who wait go on waiting until their own
// deadline, and whoever comes is turned away at once. A sender that gave up
// sends again and is deduplicated: in doubt a duplicate, never a loss.
package driver
