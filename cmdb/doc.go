// Package cmdb knows the estate: configuration items (CIs), the relations
// between them, and which CI an alert is about.
//
// A [Relation] is stored in one direction only: from needs to. Failure travels
// the other way, from to to from. "Upstream" of a CI is what it needs,
// "downstream" is what needs it and is hit when it fails.
//
// A [Binder] tells which CI an alert is about by [Rule]s over its labels. It
// refuses to choose between several CIs: a wrong binding misleads everything
// after it, an unbound alert is only listed.
//
// What changes the estate is a [Change], a set of revisions, made by [Reconcile]
// from a full import or by an operator, and taken by [Snapshot.Apply]. CIs that
// need each other in a circle are allowed, since real services call each other.
//
// A [Snapshot] is immutable, so any number of goroutines read it without a
// lock while a change of the estate builds the next one. The package is pure:
// no clock, no goroutine, no I/O. Reading files is the work of cmdb/file.
package cmdb
