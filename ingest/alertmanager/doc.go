// Package alertmanager takes alerts as Alertmanager and its senders pass them
// on: POST /api/v2/alerts, by which Prometheus speaks to an Alertmanager, and
// the webhook, version 4, by which Alertmanager speaks to others, with what
// Grafana adds to it.
//
// The messages are decoded token by token, and not into structs, for two
// reasons. A value of a wrong type or text that is not UTF-8 must cost the one
// alert it is in and be told by its name, while the rest of the batch is kept;
// and this is where most of the work per alert is done, since Prometheus sends
// every firing alert again each minute.
//
// The two doors differ where their senders do. Prometheus drops a batch that
// is not answered by 2xx, but sends it again a minute later; its endsAt is a
// promise to have spoken by then, so it decides between firing and resolved.
// Alertmanager repeats a webhook message only after 5xx, and an unchanged alert
// only after hours; it says what has ended, so the status of each alert decides.
//
// The decoders are pure functions and safe for concurrent use, as are the
// handlers. The package does not complete or check what an alert says, see
// [ingest.Normalizer].
package alertmanager
