// Package config reads Tocsin's configuration: one YAML file into one typed
// struct, [Config].
//
// It is strict, because a misspelt key that is silently left out looks like a
// setting that does not work: unknown keys, wrong types, impossible values and
// unreadable files are mistakes, and all of them are reported at once, each
// with file:line:column and the path of its key. For that the file is decoded
// by a small decoder of its own, which knows where every value stands; the
// decoder of the YAML library stops at the first mistakes and knows lines only.
//
// [Parse] is a pure function of its input. [Load] also reads the secrets that
// the configuration names by file and takes relative paths as relative to the
// configuration file. Nothing here keeps state, so all functions are safe for
// concurrent use, and a reload is a second Load whose result replaces the first
// only when it has no mistake.
//
// What the values mean to a component is said by that component's own type,
// such as [correlate.Config]; this package only gives each its place in the file.
package config
