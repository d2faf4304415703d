// Package otlp takes log records and events of OpenTelemetry over HTTP, in
// protobuf and JSON, and makes alerts of those that are worth one.
//
// Most log records are nobody's alert. A record below the minimum severity and
// without an event name is therefore left: the sender did nothing wrong, so its
// answer is a full success, and we say in our accounts that it was unsupported,
// so that received = stored + deduplicated + rejected holds here too. Records
// with an impossible content are refused, and the sender is told by
// partialSuccess, after which, by the protocol, it does not send them again. In
// JSON that includes records that cannot be read at all, such as one with half a
// trace ID: those beside it are taken.
//
// A log has no end, so such an alert resolves by its timeout, unless the record
// has the attribute alert.status with the value resolved.
//
// Only package plog of the Collector is used: the request's wire format is that
// of its Logs, and the package made for the purpose brings all of gRPC along to
// write an answer with two fields.
package otlp
