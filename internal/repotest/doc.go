// Package repotest keeps the rules of this repository as tests: which package
// may import which, that the core is pure, that every package says what it is.
//
// A rule that is only written down is broken by the first person in a hurry,
// so each rule here is a test that names the file, the line and the way out.
// Each also fails when it finds nothing to check: a renamed folder would
// otherwise switch it off without a sound.
//
// What is not a test file here is for the tests of other packages: [Registry]
// and [CheckMetrics] hold the metric names to a golden list. Nothing of this
// package may be imported outside tests, and it imports nothing of ours.
package repotest
