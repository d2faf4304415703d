// Package correlatetest says as tests what a store owes to correlate.
//
// A contract that is written once and run over every engine keeps them alike,
// where tests of their own would drift apart. Everything is compared with a
// plain model in memory that is too simple to be wrong. The package knows no
// engine: times are compared to the microsecond, which is what the contract
// promises, and nil and empty lists are equal.
package correlatetest
