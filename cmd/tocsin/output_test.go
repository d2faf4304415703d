package main

import (
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestVisible(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := visible(s); got != want {
			t.Errorf("visible(%q) = %s, want %s", s, got, want)
		}
	}
	f("plain text, Ünïcode → 漢字", "plain text, Ünïcode → 漢字")
	f("\x1b[2J\a\r\n\t\x7f", `\x1b[2J\a\r\n\t\x7f`)
	f("\u202egnp.exe", `\u202egnp.exe`) // writes backwards
	f("\u009b31m", `\u009b31m`)         // a control sequence in one character
	f("a\xffb", `a\xffb`)
	f("\ufffd", "\ufffd") // sent as such
	f("", "")
}

// TestVisibleIsPrintable: nothing is left that a terminal would obey.
func TestVisibleIsPrintable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := visible(string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text"))
		if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q", s)
		}
	})
}

func TestSpan(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := span(d); got != want {
			t.Errorf("span(%s) = %s, want %s", d, got, want)
		}
	}
	f(0, "0s")
	f(59*time.Second+999*time.Millisecond, "59s")
	f(90*time.Second, "1m")
	f(time.Hour, "1h")
	f(26*time.Hour+30*time.Minute, "1d2h")
	f(100*24*time.Hour, "100d")
}

// TestPathKeepsIDs: an ID with any characters comes out of the path as it went in.
func TestPathKeepsIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.StringN(1, 20, -1), rapid.SampledFrom([]string{".", "..", "a/b", "%2F", "?x", "#", "a b"})).Draw(t, "id")
		u, err := url.Parse("http://h" + path("cis", id, "alerts"))
		if err != nil {
			t.Fatal(err)
		}
		elems := strings.Split(u.EscapedPath(), "/")
		if len(elems) != 4 || elems[2] == "." || elems[2] == ".." {
			t.Fatalf("%q becomes %q", id, elems)
		}
		if got, err := url.PathUnescape(elems[2]); err != nil || got != id {
			t.Fatalf("%q comes out as %q, %v", id, got, err)
		}
	})
}
