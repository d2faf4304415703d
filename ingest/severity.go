package ingest

import (
	"fmt"
	"strings"
)

// Severity is how bad the source says it is. It is never a guess: an alert
// that does not say is [Unknown]. The order is that of urgency, with Unknown
// lowest, so the worst of several severities is their maximum.
type Severity uint8

// The severities, from least to worst.
const (
	Unknown Severity = iota
	Info
	Warning
	Minor
	Major
	Critical
)

var severityNames = [...]string{"unknown", "info", "warning", "minor", "major", "critical"}

func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// ParseSeverity reads one of our own six words.
func ParseSeverity(s string) (Severity, error) {
	for i, n := range severityNames {
		if n == s {
			return Severity(i), nil
		}
	}
	return Unknown, fmt.Errorf("severity %q: want one of %s", s, strings.Join(severityNames[:], ", "))
}

// MarshalText writes the word.
func (s Severity) MarshalText() ([]byte, error) {
	if int(s) >= len(severityNames) {
		return nil, fmt.Errorf("severity %d is not defined", uint8(s))
	}
	return []byte(severityNames[s]), nil
}

// UnmarshalText reads the word.
func (s *Severity) UnmarshalText(b []byte) (err error) {
	*s, err = ParseSeverity(string(b))
	return err
}

// SeverityMap translates a source's own words, in lower case, to ours.
type SeverityMap map[string]Severity

// DefaultSeverities are the words in common use. Numbers are left out: P1 is
// the worst to one tool and 1 the mildest to another, so a source that counts
// needs a map of its own.
func DefaultSeverities() SeverityMap {
	m := SeverityMap{}
	for s, words := range map[Severity]string{
		Critical: "critical crit fatal emergency emerg alert disaster page p1 sev1",
		Major:    "major error err high p2 sev2",
		Minor:    "minor average medium p3 sev3",
		Warning:  "warning warn low p4 sev4",
		Info:     "info informational information notice none debug ok p5 sev5",
		Unknown:  "unknown indeterminate",
	} {
		for w := range strings.FieldsSeq(words) {
			m[w] = s
		}
	}
	return m
}

// Lookup translates a word, whatever its case. A word the map does not hold
// is Unknown, as is the empty word.
func (m SeverityMap) Lookup(word string) Severity {
	if s, ok := m[word]; ok {
		return s
	}
	return m[strings.ToLower(strings.TrimSpace(word))]
}
