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
//
// What the engine learns is part of its state, so both promises hold with
// learning on; docs/adr has the reasons.
//
// Where things are, in the order in which an alert meets them:
//
//	engine, take, timer, lifecycle  events, ticks, states, what comes due when
//	place, pending, merge           where an alert goes, and when incidents open or merge
//	score, evidence, whynot         the points for it, in numbers and in words
//	reach, cache, queue             what is near a CI, by relation and strength
//	habit, lesson, past             what was learned of kinds of alerts, of each firing, of noise
//	rule, review                    what operators know; a second look ten minutes later
//	cause, rating, sums, culprit    which CI, alert or change is the likely cause
//	symptom, site, teach, confirm   what closed incidents and people taught about causes
//	changelink, changepast, lift    which change led to an incident, and how often they do
//	signature, similar, scope       what makes two incidents the same again
//	judgement                       when signature and changes are looked at and settled
//	memory, output, restore, store  what is stored, and how an engine is made from it
//	command, operate, link          what operators do
//
// Not obvious, and broken once each:
//
//   - An alert that fires again in its incident is no news there: its time in
//     the incident, alert.began, stays, or every flap would prolong the burst
//     that others join.
//   - What an incident keeps besides its record must follow from records alone,
//     or be thrown away: sums of another moment's learning are gone after a
//     restart. See rankedFrom for what may be kept, and why.
//   - A presence of an incident may hold the very alert that is being judged.
package correlate
