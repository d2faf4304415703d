// Package peers starts the real programs that Tocsin lives among, Prometheus
// and Alertmanager, for tests. It is used by tests only.
//
// A fake of a neighbour repeats what we believe of it. These tests are to find
// out where we are wrong, so they run what people run: the programs on PATH,
// or those that TOCSIN_PROMETHEUS, TOCSIN_ALERTMANAGER and TOCSIN_AMTOOL name.
//
// Every program gets its own folder and free loopback ports, is asked who it
// is before it counts as started, is stopped when its test ends, and shows its
// log if the test failed. An instance that the system runs is never touched.
// Where a program is missing the test is skipped, or fails if
// TOCSIN_REQUIRE_PEERS is set, as it is in CI: see [Require].
package peers
