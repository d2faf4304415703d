// Package otlp takes log records and events of OpenTelemetry over HTTP, in
// protobuf and JSON, and makes alerts of those that are worth one.
//
// Most log records are nobody's alert. A record below the minimum severity,
// without an event name and without alert.status is therefore left: the sender did nothing wrong, so its
// answer is a full success, and we say in our accounts that it was unsupported,
// so that received = stored + deduplicated + rejected holds here too. Records
// with an impossible content are refused, and the sender is told by
// partialSuccess, after which, by the protocol, it does not send them again. In
// JSON that includes records that cannot be read at all, such as one with half a
// trace ID: those beside it are taken.
//
// A log has no end, so such an alert resolves by its timeout, unless a record
// comes with the attribute alert.status and the value resolved or ok, whatever
// its severity. It ends the alert of the same identity, so it has the same
// resource and event name, or without event names the same text, and the same
// attributes where those say what the alert is about, such as host.name. That
// the severity falls back is no end: the next record may be an error again.
//
// Only package plog of the Collector is used: the request's wire format is that
// of its Logs, and the package made for the purpose brings all of gRPC along to
// write an answer with two fields.
package otlp
