// Package correlate decides which alerts belong together, why, and what their
// likely cause is. Its [Engine] takes events, commands and estates in and
// gives revisions of alerts and incidents out.
//
// The engine is a pure state machine. It is told the time, has no goroutine,
// no I/O and no logger, and is not safe for concurrent use: one owner feeds it
// batches of input and calls [Engine.Tick] after each. Two promises follow and
// are kept by property tests:
//
//   - The order in which one tick's input arrives does not matter: it is
//     sorted before it is looked at. How often Tick is called does not matter
//     either: a timer takes effect at its due time, not at the time it was
//     noticed.
//   - An engine restored from what its [Output] told a store to keep goes on
//     exactly as the engine that was never stopped, IDs included. So every
//     decision depends on stored records alone, and every sum that a decision
//     depends on is an integer, because a sum of floats depends on its order.
package correlate
