// Package sqlite keeps everything in one SQLite file, so that Tocsin needs no
// server beside it.
//
// One connection writes, in transactions that are durable when they return
// (WAL, synchronous=FULL); a few others only read and are never waited for. A
// second process is refused by a lock on a file beside the database, because
// two engines on one store would both give out the same numbers. Records are
// inserted and, when the retention is over, deleted: what is read while a list
// is paged through does not change underneath it.
//
// A [Store] is safe for concurrent use. Nothing runs on its own:
// the caller says when to call [Store.Retain] and what time it then is.
package sqlite
