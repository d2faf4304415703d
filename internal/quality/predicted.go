package quality

import (
	"fmt"
	"io"
)

// Prediction is a line of predicted.jsonl: the incident that an alert was put
// in.
type Prediction struct {
	AlertID string
	// IncidentID is empty for an alert that was left out as noise.
	IncidentID string
}

// ReadPredicted reads predicted.jsonl. An alert given twice is a mistake.
func ReadPredicted(r io.Reader, file string) ([]Prediction, error) {
	return all(r, file, func(p *Prediction) string { return p.AlertID }, func(first, p *Prediction, line int) string {
		return givenTwice(p.AlertID, first.IncidentID, p.IncidentID, line)
	})
}

func (p *Prediction) take(l *line, field string) bool {
	switch field {
	case "alert_id":
		p.AlertID = l.id(field)
	case "incident_id":
		p.IncidentID = l.idOrNull(field, "an alert that was left out")
	default:
		return false
	}
	return true
}

func (p *Prediction) check(l *line) { l.need("alert_id", "incident_id") }

func (p Prediction) appendJSON(b []byte) ([]byte, error) {
	o := newObject(b)
	o.text("alert_id", p.AlertID)
	o.orNull("incident_id", p.IncidentID)
	return o.end()
}

// KindCI is the kind of a cause that is a CI; others are "alert" and "change".
const KindCI = "ci"

// Causes is a line of causes.jsonl: what is taken for an incident's cause, the
// likeliest first.
type Causes struct {
	IncidentID string
	Causes     []Cause
}

// Cause is one candidate. Its place in the list is its rank; Score only says
// how sure it is.
type Cause struct {
	Kind  string
	ID    string
	Score float64
}

// ReadCauses reads causes.jsonl. An incident given twice, or a cause twice in
// one incident, is a mistake.
func ReadCauses(r io.Reader, file string) ([]Causes, error) {
	return all(r, file, func(c *Causes) string { return c.IncidentID }, func(_, c *Causes, line int) string {
		return fmt.Sprintf("incident_id %q was given in line %d already; give all its causes in one", c.IncidentID, line)
	})
}

func (c *Causes) take(l *line, field string) bool {
	switch field {
	case "incident_id":
		c.IncidentID = l.id(field)
	case "causes":
		l.list(field, "causes", func(i int) { c.Causes = append(c.Causes, l.cause(fmt.Sprintf("%s[%d]", field, i))) })
	default:
		return false
	}
	return true
}

func (l *line) cause(at string) (c Cause) {
	if k := l.dec.PeekKind(); k != '{' {
		if v, ok := l.value(at); ok {
			l.bad("%s: want an object with kind and id, got %s", at, describe(v))
		}
		return c
	}
	before := len(l.mistakes)
	l.object(func(field string) bool {
		switch name := at + "." + field; field {
		case "kind":
			c.Kind = l.id(name)
		case "id":
			c.ID = l.id(name)
		case "score":
			c.Score = l.float(name)
		default:
			return false
		}
		return true
	})
	if len(l.mistakes) == before && (c.Kind == "" || c.ID == "") {
		l.bad("%s: want kind (%s, alert or change) and id", at, KindCI)
	}
	return c
}

func (c *Causes) check(l *line) {
	l.need("incident_id", "causes")
	type key struct{ kind, id string }
	seen := make(map[key]int, len(c.Causes))
	for i, x := range c.Causes {
		k := key{x.Kind, x.ID}
		if first, ok := seen[k]; ok && k != (key{}) {
			l.bad("causes[%d]: %s %q is causes[%d] already; rank it once", i, x.Kind, shorten(x.ID), first)
			continue
		}
		seen[k] = i
	}
}

func (c Causes) appendJSON(b []byte) ([]byte, error) {
	o := newObject(b)
	o.text("incident_id", c.IncidentID)
	o.name("causes")
	o.b = append(o.b, '[')
	for i, x := range c.Causes {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		cause := newObject(o.b)
		cause.text("kind", x.Kind)
		cause.text("id", x.ID)
		cause.number("score", x.Score)
		var err error
		if o.b, err = cause.end(); err != nil {
			return nil, fmt.Errorf("causes of %s: %w", c.IncidentID, err)
		}
	}
	o.b = append(o.b, ']')
	return o.end()
}

// Recurrence is a line of problems.jsonl: incidents with one signature are
// taken for one problem come again.
type Recurrence struct {
	IncidentID string
	// Signature is empty for an incident that is like no other.
	Signature string
}

// ReadProblems reads problems.jsonl. An incident given twice is a mistake.
func ReadProblems(r io.Reader, file string) ([]Recurrence, error) {
	return all(r, file, func(s *Recurrence) string { return s.IncidentID }, func(_, s *Recurrence, line int) string {
		return fmt.Sprintf("incident_id %q was given in line %d already; an incident has one signature", s.IncidentID, line)
	})
}

func (s *Recurrence) take(l *line, field string) bool {
	switch field {
	case "incident_id":
		s.IncidentID = l.id(field)
	case "signature":
		s.Signature = l.text(field, true)
	default:
		return false
	}
	return true
}

func (s *Recurrence) check(l *line) { l.need("incident_id", "signature") }

func (s Recurrence) appendJSON(b []byte) ([]byte, error) {
	o := newObject(b)
	o.text("incident_id", s.IncidentID)
	o.orNull("signature", s.Signature)
	return o.end()
}
