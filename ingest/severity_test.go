package ingest

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSeverityWords(t *testing.T) {
	for s := Unknown; s <= Critical; s++ {
		if got, err := ParseSeverity(s.String()); err != nil || got != s {
			t.Errorf("%v read back as %v, %v", s, got, err)
		}
	}
	for _, word := range []string{"", "Critical", "crit", "6"} {
		if got, err := ParseSeverity(word); err == nil || got != Unknown || !strings.Contains(err.Error(), "want one of unknown, info") {
			t.Errorf("%q: %v, %v; want an error that lists the words", word, got, err)
		}
	}
	if got := Severity(9).String(); got != "severity(9)" {
		t.Errorf("an undefined severity is written %q", got)
	}
}

func TestSeverityJSON(t *testing.T) {
	b, err := json.Marshal(map[string]Severity{"s": Major})
	if err != nil || string(b) != `{"s":"major"}` {
		t.Errorf("%s, %v", b, err)
	}
	var m map[string]Severity
	if err := json.Unmarshal([]byte(`{"s":"warning"}`), &m); err != nil || m["s"] != Warning {
		t.Errorf("%v, %v", m, err)
	}
	if err := json.Unmarshal([]byte(`{"s":"bad"}`), &m); err == nil {
		t.Error("an unknown word was read")
	}
	if b, err := json.Marshal(Severity(9)); err == nil {
		t.Errorf("an undefined severity was written: %s", b)
	}
}

func TestDefaultSeverities(t *testing.T) {
	m := DefaultSeverities()
	f := func(word string, want Severity) {
		t.Helper()
		if got := m.Lookup(word); got != want {
			t.Errorf("%q: %v, want %v", word, got, want)
		}
	}
	for s := Unknown; s <= Critical; s++ {
		f(s.String(), s)
		f(strings.ToUpper(s.String()), s)
	}
	f(" Crit ", Critical)
	f("ERROR", Major)
	f("average", Minor)
	f("warn", Warning)
	f("none", Info)
	// Never a guess: what nobody said, or in a word that we do not know.
	f("", Unknown)
	f("1", Unknown)
	f("5", Unknown)
	f("bogus", Unknown)
	if got := SeverityMap(nil).Lookup("critical"); got != Unknown {
		t.Errorf("no map at all: %v, want unknown", got)
	}
}

func TestSeverityOrder(t *testing.T) {
	if !(Unknown < Info && Info < Warning && Warning < Minor && Minor < Major && Major < Critical) {
		t.Error("the worst of several severities is their maximum")
	}
}
