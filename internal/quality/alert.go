package quality

import (
	"io"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"tocsin/ingest"
)

// Alert is a line of alerts.jsonl: one firing.
type Alert struct {
	Time time.Time
	// EndTime is zero when it is not known. One before Time, which clocks that
	// differ bring about, is read as Time.
	EndTime time.Time
	ID      string
	// CI is the CI that the alert is about; it may be one that nobody knows.
	// Empty means none.
	CI string
	// Severity is 1, the worst, to 4; 0 means not said.
	Severity    int
	Name        string
	Text        string
	Fingerprint string
	Labels      ingest.Labels
}

// ReadAlerts reads alerts.jsonl as a stream, so that a file of millions needs
// no memory. What is wrong comes as an error in the place of its line, each a
// *[Mistake], and reading goes on; it ends after a hundred of them and after an
// error of reading. Whether an ID comes twice is for the caller to see.
func ReadAlerts(r io.Reader, file string) iter.Seq2[Alert, error] { return stream[Alert](r, file) }

func (a *Alert) take(l *line, field string) bool {
	switch field {
	case "time":
		a.Time = l.time(field)
	case "end_time":
		a.EndTime = l.time(field)
	case "id":
		a.ID = l.id(field)
	case "ci":
		a.CI = l.text(field, true)
	case "severity":
		a.Severity = l.severity(field)
	case "name":
		a.Name = l.text(field, true)
	case "text":
		a.Text = l.text(field, false)
	case "fingerprint":
		a.Fingerprint = l.text(field, true)
	case "labels":
		a.Labels = l.labels(field)
	default:
		return false
	}
	return true
}

func (a *Alert) check(l *line) {
	l.need("time", "id")
	if len(l.mistakes) == 0 && a.Time.IsZero() {
		l.bad("time is null; want Unix seconds")
	}
	if !a.EndTime.IsZero() && a.EndTime.Before(a.Time) {
		a.EndTime = a.Time
	}
}

// severity reads 1 to 4; null is 0.
func (l *line) severity(field string) int {
	v, ok := l.value(field)
	if !ok || v.Kind() == jsontext.KindNull {
		return 0
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if v.Kind() != jsontext.KindNumber || err != nil || f != 1 && f != 2 && f != 3 && f != 4 {
		l.bad("%s: want 1 (worst), 2, 3 or 4, got %s", field, describe(v))
		return 0
	}
	return int(f)
}

// labels reads an object; numbers and booleans become text as they are
// written, and null and empty values count as absent.
func (l *line) labels(field string) ingest.Labels {
	switch l.dec.PeekKind() {
	case jsontext.KindBeginObject:
	case jsontext.KindNull:
		l.value(field)
		return nil
	default:
		if v, ok := l.value(field); ok {
			l.bad("%s: want an object, got %s", field, describe(v))
		}
		return nil
	}
	ls := l.labelled[:0]
	l.object(func(name string) bool {
		v, ok := l.value(field)
		if !ok {
			return true
		}
		switch v.Kind() {
		case jsontext.KindString:
			if len(v) > len(`""`) {
				ls = append(ls, ingest.Label{Name: name, Value: l.intern(v)})
			}
		case jsontext.KindNull:
		case jsontext.KindNumber, jsontext.KindTrue, jsontext.KindFalse:
			ls = append(ls, ingest.Label{Name: name, Value: string(v)})
		default:
			l.bad("%s.%s: want text, got %s", field, name, describe(v))
		}
		return true
	})
	l.labelled = ls
	return slices.Clone(ingest.SortLabels(ls))
}

func (a Alert) appendJSON(b []byte) ([]byte, error) {
	o := newObject(b)
	o.time("time", a.Time)
	if !a.EndTime.IsZero() {
		o.time("end_time", a.EndTime)
	}
	o.text("id", a.ID)
	o.optional("ci", a.CI)
	if a.Severity != 0 {
		o.name("severity")
		o.b = strconv.AppendInt(o.b, int64(a.Severity), 10)
	}
	o.optional("name", a.Name)
	o.optional("text", a.Text)
	o.optional("fingerprint", a.Fingerprint)
	if len(a.Labels) > 0 {
		o.name("labels")
		labels := newObject(o.b)
		for _, l := range a.Labels {
			labels.text(l.Name, l.Value)
		}
		o.b, _ = labels.end() // texts cannot fail
	}
	return o.end()
}
