// Package simulate makes estates and what happens in them: faults that travel,
// the alerts they raise, noise, and changes, together with the truth about
// which alert belongs to which fault. It is for load tests, property tests,
// demos, and for measuring correlation where the right answer is known.
//
// Everything follows from [Options]: two worlds with equal options are equal to
// the byte. No part of a world draws random numbers that
// another part could use up, so asking for more noise does not move the faults.
//
// A fault has a root and a kind. The kind says what the root suffers, a table
// says what its neighbours suffer from that by type and direction of the
// relation, with a chance and a delay, and another table says which alerts a CI
// of a class raises for what it suffers. So two faults that meet raise what
// each would have raised alone, but for the alerts that are firing already.
//
// A [World] holds a few numbers for each CI and alert. Names, texts and labels
// are made when they are iterated over, so that a million of them fit. It is
// read-only and safe for any number of goroutines. Nothing here reads a clock,
// a file or the network.
package simulate
