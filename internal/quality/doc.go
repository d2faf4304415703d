// Package quality says how good a correlation is: it compares what was
// predicted with what is known to be true, and knows the neutral files in which
// both are written.
//
// Whoever tunes the engine needs one yardstick that does not belong to the
// engine, so nothing here knows how incidents are made, and all figures are
// computed from files that any other program can write too. [Score] judges how
// alerts were put together, [Rank] the causes, [Link] the changes and [Recur]
// the problems; a [Gate] turns figures into a verdict for scripts.
//
// All files hold one JSON object a line:
//
//	alerts.jsonl        {"time", "end_time"?, "id", "ci"?, "severity"?, "name"?, "text"?, "fingerprint"?, "labels"?}
//	changes.jsonl       {"id", "time", "ci"?, "kind"?, "text"?}
//	truth.jsonl         {"alert_id", "incident_id", "root"?, "ci"?}
//	incidents.jsonl     {"incident_id", "start"?, "root_cis", "problem_id"?}
//	change_truth.jsonl  {"change_id", "incident_id"}
//	predicted.jsonl     {"alert_id", "incident_id"}
//	causes.jsonl        {"incident_id", "causes": [{"kind", "id", "score"?}]}
//	changes.jsonl       {"incident_id", "change_id", "score"?}, as predicted
//	problems.jsonl      {"incident_id", "signature"}
//
// Times are Unix seconds, with or without a fraction. An incident_id of null
// marks an alert as noise. The readers are strict about what they know, since a
// wrong truth is worse than none: every mistake is reported with file, line and
// field. Fields they do not know are passed over, because each set of data has
// its own besides. Memory is bounded by the length of a line where a file is
// streamed, and by the file where it has to be known whole.
//
// Everything is a pure function of its arguments and safe for several
// goroutines; the order of lines changes no figure by more than rounding.
package quality
