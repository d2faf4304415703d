// Package bench sends realistic alerts to Tocsin or to a real Alertmanager, as
// fast as it is told, and measures what that costs the server.
//
// Absolute rates say little on a machine that has other work: CPU seconds per
// million alerts of two servers under one load can be compared, so the server's
// process is read from /proc and everything is derived per alert. The generator
// shares the machine with the server and must not take its place: alerts are
// put together from constant pieces into a reused buffer, and HTTP is written
// on the connection by hand. Its own CPU time is reported beside the server's.
//
// A run has two phases with nothing in flight between them. First every
// distinct alert is sent once, then they are sent again as Prometheus does,
// with a later endsAt. The phases cost a server different things, so their
// figures are never mixed. Only servers on loopback are driven: a mistyped
// address must not turn a measurement into an attack.
package bench
