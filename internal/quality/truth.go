package quality

import (
	"fmt"
	"io"
	"time"
)

// Truth is a line of truth.jsonl: the incident that an alert really belongs to.
type Truth struct {
	AlertID string
	// IncidentID is empty for noise.
	IncidentID string
	Root       bool
	CI         string
}

// ReadTruth reads truth.jsonl. An alert given twice is a mistake, which the
// error names together with all others.
func ReadTruth(r io.Reader, file string) ([]Truth, error) {
	return all(r, file, func(t *Truth) string { return t.AlertID }, func(first, t *Truth, line int) string {
		return givenTwice(t.AlertID, first.IncidentID, t.IncidentID, line)
	})
}

// givenTwice says what is wrong with two lines for one alert.
func givenTwice(alert, first, again string, line int) string {
	if first == again {
		return fmt.Sprintf("alert_id %q was given in line %d already; take one of them out", alert, line)
	}
	return fmt.Sprintf("alert_id %q is in incident %s, and in line %d in %s; an alert belongs to one", alert, orNull(again), line, orNull(first))
}

func orNull(id string) string {
	if id == "" {
		return "null"
	}
	return fmt.Sprintf("%q", id)
}

func (t *Truth) take(l *line, field string) bool {
	switch field {
	case "alert_id":
		t.AlertID = l.id(field)
	case "incident_id":
		t.IncidentID = l.idOrNull(field, "noise")
	case "root":
		t.Root = l.boolean(field)
	case "ci":
		t.CI = l.text(field, true)
	default:
		return false
	}
	return true
}

func (t *Truth) check(l *line) { l.need("alert_id", "incident_id") }

func (t Truth) appendJSON(b []byte) ([]byte, error) {
	o := newObject(b)
	o.text("alert_id", t.AlertID)
	o.orNull("incident_id", t.IncidentID)
	o.name("root")
	if t.Root {
		o.b = append(o.b, "true"...)
	} else {
		o.b = append(o.b, "false"...)
	}
	o.optional("ci", t.CI)
	return o.end()
}

// Incident is a line of incidents.jsonl: what really happened.
type Incident struct {
	IncidentID string
	// Start is zero when it is not known.
	Start time.Time
	// RootCIs are the CIs that failed; any of them is the right answer. None
	// means that nobody knows.
	RootCIs []string
	// ProblemID is the same for incidents that are one problem come again;
	// empty means not known.
	ProblemID string
}

// ReadIncidents reads incidents.jsonl. An incident given twice is a mistake.
func ReadIncidents(r io.Reader, file string) ([]Incident, error) {
	return all(r, file, func(i *Incident) string { return i.IncidentID }, func(_, i *Incident, line int) string {
		return fmt.Sprintf("incident_id %q was given in line %d already; take one of them out", i.IncidentID, line)
	})
}

func (i *Incident) take(l *line, field string) bool {
	switch field {
	case "incident_id":
		i.IncidentID = l.id(field)
	case "start":
		i.Start = l.time(field)
	case "root_cis":
		i.RootCIs = l.ids(field)
	case "problem_id":
		i.ProblemID = l.text(field, true)
	default:
		return false
	}
	return true
}

func (i *Incident) check(l *line) { l.need("incident_id", "root_cis") }

func (i Incident) appendJSON(b []byte) ([]byte, error) {
	o := newObject(b)
	o.text("incident_id", i.IncidentID)
	if !i.Start.IsZero() {
		o.time("start", i.Start)
	}
	o.name("root_cis")
	o.b = append(o.b, '[')
	for k, ci := range i.RootCIs {
		if k > 0 {
			o.b = append(o.b, ',')
		}
		o.b = quote(o.b, ci)
	}
	o.b = append(o.b, ']')
	o.optional("problem_id", i.ProblemID)
	return o.end()
}
