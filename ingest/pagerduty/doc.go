// Package pagerduty takes the events that monitoring tools send to PagerDuty:
// Events API v2, alerts and changes, with its answers, so that a tool needs
// nothing but another address.
//
// A resolve or an acknowledge carries the routing key and the deduplication
// key and nothing else, so these two are the alert's identity and the payload
// is not: the door sets the fingerprint itself. The payload still becomes
// labels, for binding; only the firing event has them, and its labels stay
// those of the alert.
//
// The routing key is a secret with which anybody could page. It is never
// kept, nor written to a log: labels and raw payload hold a short hash of it,
// routing_key_hash, enough to tell services apart and to make rules for one.
package pagerduty
