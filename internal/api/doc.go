// Package api is Tocsin's own HTTP interface, /api/v1, described by the
// OpenAPI document it serves at /api/v1/openapi.yaml.
//
// It reads and asks, and decides nothing: lists come from a store's
// [correlate.Reader], every change goes through the engine as a command, so
// the timeline and a replay include it, and the estate is changed by handing a
// function to its owner. The interfaces are declared here, as small as the
// handlers need them.
//
// All errors have one shape, [ErrorBody], and the one function that maps them
// to status codes is statusOf. Query parameters that an operation does not know are refused
// rather than ignored, because a filter with a typing error would silently
// select everything.
//
// A [Server] is safe for concurrent use. It has no goroutine of its own and
// takes the time from [Options.Now]. It does not ask who is calling: the
// operator's name is what the caller says.
package api
