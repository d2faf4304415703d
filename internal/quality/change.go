package quality

import (
	"fmt"
	"io"
	"iter"
	"time"
)

// Change is a line of changes.jsonl: what was changed, before anybody knows
// what came of it.
type Change struct {
	ID   string
	Time time.Time
	CI   string
	Kind string
	Text string
}

// ReadChanges reads changes.jsonl as [ReadAlerts] reads alerts.
func ReadChanges(r io.Reader, file string) iter.Seq2[Change, error] { return stream[Change](r, file) }

func (c *Change) take(l *line, field string) bool {
	switch field {
	case "id":
		c.ID = l.id(field)
	case "time":
		c.Time = l.time(field)
	case "ci":
		c.CI = l.text(field, true)
	case "kind":
		c.Kind = l.text(field, true)
	case "text":
		c.Text = l.text(field, false)
	default:
		return false
	}
	return true
}

func (c *Change) check(l *line) {
	l.need("id", "time")
	if len(l.mistakes) == 0 && c.Time.IsZero() {
		l.bad("time is null; want Unix seconds")
	}
}

func (c Change) appendJSON(b []byte) ([]byte, error) {
	o := newObject(b)
	o.text("id", c.ID)
	o.time("time", c.Time)
	o.optional("ci", c.CI)
	o.optional("kind", c.Kind)
	o.optional("text", c.Text)
	return o.end()
}

// ChangeLink says that a change led to an incident: a line of
// change_truth.jsonl, which has no score, or of changes.jsonl as it is
// predicted. A change may have led to several incidents.
type ChangeLink struct {
	ChangeID   string
	IncidentID string
	Score      float64
}

// ReadChangeLinks reads change_truth.jsonl, or changes.jsonl as it is
// predicted. A pair given twice is a mistake.
func ReadChangeLinks(r io.Reader, file string) ([]ChangeLink, error) {
	return all(r, file,
		func(c *ChangeLink) ChangeLink { return ChangeLink{ChangeID: c.ChangeID, IncidentID: c.IncidentID} },
		func(_, c *ChangeLink, line int) string {
			return fmt.Sprintf("change_id %q and incident_id %q were given in line %d already; take one of them out", c.ChangeID, c.IncidentID, line)
		})
}

func (c *ChangeLink) take(l *line, field string) bool {
	switch field {
	case "change_id":
		c.ChangeID = l.id(field)
	case "incident_id":
		c.IncidentID = l.id(field)
	case "score":
		c.Score = l.float(field)
	default:
		return false
	}
	return true
}

func (c *ChangeLink) check(l *line) {
	if l.has("id") && !l.has("change_id") {
		l.bad("this is a change, not the link of one to an incident; give the file with change_id and incident_id")
		return
	}
	l.need("change_id", "incident_id")
}

func (c ChangeLink) appendJSON(b []byte) ([]byte, error) {
	o := newObject(b)
	o.text("incident_id", c.IncidentID)
	o.text("change_id", c.ChangeID)
	if c.Score != 0 {
		o.number("score", c.Score)
	}
	return o.end()
}
