// Package demo holds a sample estate and the story of one bad morning in it,
// told in the formats of four kinds of sender. `tocsin demo` plays it through
// the HTTP doors, and tests check what has to come out: it is the promise of
// the product in one example.
//
// The story: the power feed of rack A17 fails, and 300 alerts arrive about one
// fault. Meanwhile, in another building, a database disk fills up and takes
// the API and the portal down. Around both there is noise that belongs to
// neither.
package demo
