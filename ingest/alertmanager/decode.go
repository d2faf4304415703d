package alertmanager

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// Raw asks for events that carry their payload.
type Raw bool

// maxAlerts bounds the alerts of one message. Without it, a body of nothing
// but "{}," would take a hundred times its size in memory.
const maxAlerts = 1 << 16

// decoder reads one message. Decoders are pooled: they keep their buffers and
// the names that come again and again.
type decoder struct {
	json  *jsontext.Decoder
	body  []byte
	src   *bytes.Buffer // of body; jsontext reads a Buffer in place
	raw   bool
	utf8  bool              // all of body is, so that its parts need no check
	names map[string]string // of labels and fields, by themselves
	text  []byte            // scratch: the values of one set
	pairs []pair
}

// pair is a label whose value is decoder.text up to end.
type pair struct {
	name string
	end  int
}

// What a pooled decoder keeps is bounded, whatever the message was.
const (
	maxNames     = 4096
	maxNameBytes = 64
	maxScratch   = 64 << 10
	maxPairs     = 256
)

var decoders = sync.Pool{New: func() any { return &decoder{names: map[string]string{}, json: new(jsontext.Decoder)} }}

func open(body []byte, raw Raw) *decoder {
	d := decoders.Get().(*decoder)
	d.body, d.src = body, bytes.NewBuffer(body)
	d.raw, d.utf8 = bool(raw), utf8.Valid(body)
	// Invalid UTF-8 is found and told with its field by valid. Of names given
	// twice the last wins, as with Alertmanager's own decoder.
	d.json.Reset(d.src, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return d
}

func (d *decoder) close() {
	d.body, d.src = nil, nil
	// The body's memory goes back to the door.
	d.json.Reset(bytes.NewBuffer(nil))
	if cap(d.text) > maxScratch {
		d.text = nil
	}
	if cap(d.pairs) > maxPairs {
		d.pairs = nil
	}
	clear(d.pairs[:cap(d.pairs)])
	decoders.Put(d)
}

// fieldError is a mistake in one alert only.
type fieldError struct{ err error }

func (e *fieldError) Error() string { return e.err.Error() }

func wrongType(field string, got jsontext.Kind, want string) error {
	what := map[jsontext.Kind]string{'n': "null", 't': "true", 'f': "false", '"': "a string", '0': "a number", '{': "an object", '[': "an array"}[got]
	return &fieldError{fmt.Errorf("%.80s: got %s, want %s", field, what, want)}
}

// messageError is what a decoder returns when the message as a whole is wrong.
func messageError(err error) error {
	var fe *fieldError
	if errors.As(err, &fe) {
		return fe.err
	}
	var p *httpdoor.Problem
	if errors.As(err, &p) {
		return p
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	var se *jsontext.SyntacticError
	if errors.As(err, &se) {
		return fmt.Errorf("body: not JSON at byte %d: %w", se.ByteOffset, se.Err)
	}
	return fmt.Errorf("body: %w", err)
}

// array reads an array of alerts with f. An alert that is wrong in itself is
// rejected, and the array goes on behind it; any other error means that the
// message is wrong. null is an empty array.
func (d *decoder) array(field string, f func(*ingest.Event) error) (events []ingest.Event, rejected []ingest.Rejection, err error) {
	switch k := d.json.PeekKind(); k {
	case '[':
		if _, err := d.json.ReadToken(); err != nil {
			return nil, nil, err
		}
	case 'n', jsontext.KindInvalid:
		_, err := d.json.ReadToken()
		return nil, nil, err
	default:
		return nil, nil, wrongType(field, k, "an array of alerts")
	}
	events = make([]ingest.Event, 0, min(len(d.body)/700+1, 1024))
	for i := 0; d.json.PeekKind() != ']'; i++ {
		if i == maxAlerts {
			return nil, nil, &httpdoor.Problem{Status: http.StatusRequestEntityTooLarge, Reason: ingest.ReasonTooLarge,
				Err: fmt.Errorf("%s: more than %d alerts; send smaller batches", field, maxAlerts)}
		}
		// Decoded where it stays: an Event is large.
		events = append(events, ingest.Event{Kind: ingest.KindAlert})
		err := d.element(&events[len(events)-1], f)
		if err == nil {
			continue
		}
		var fe *fieldError
		if !errors.As(err, &fe) {
			return nil, nil, err
		}
		events = events[:len(events)-1]
		rejected = append(rejected, ingest.Rejection{Index: i, Reason: ingest.ReasonMalformed, Err: fe.err})
	}
	if len(events) == 0 {
		events = nil
	}
	_, err = d.json.ReadToken()
	return events, rejected, err
}

// element reads one alert, and passes over whatever f has left of it.
func (d *decoder) element(ev *ingest.Event, f func(*ingest.Event) error) error {
	depth, from := d.json.StackDepth(), d.json.InputOffset()
	if err := f(ev); err != nil {
		if fe := (*fieldError)(nil); !errors.As(err, &fe) {
			return err
		}
		for d.json.StackDepth() > depth {
			if _, err := d.json.ReadToken(); err != nil {
				return err
			}
		}
		return err
	}
	if d.raw {
		payload := bytes.TrimLeft(d.body[from:d.json.InputOffset()], ", \t\r\n")
		if err := d.valid("alert", payload); err != nil {
			return err
		}
		ev.Raw = bytes.Clone(payload)
	}
	return nil
}

// common reads the fields that both messages have; others are passed over.
func (d *decoder) common(ev *ingest.Event, name string) (err error) {
	switch name {
	case "labels":
		ev.Labels, err = d.labels(name)
	case "annotations":
		ev.Annotations, err = d.labels(name)
	case "startsAt":
		ev.StartsAt, err = d.time(name)
	case "endsAt":
		ev.EndsAt, err = d.time(name)
	case "generatorURL":
		ev.GeneratorURL, err = d.string(name)
	default:
		err = d.json.SkipValue()
	}
	return err
}

// object reads the beginning of an object.
func (d *decoder) object(field string) error {
	if k := d.json.PeekKind(); k != '{' && k != jsontext.KindInvalid {
		if err := d.json.SkipValue(); err != nil {
			return err
		}
		return wrongType(field, k, "an object")
	}
	_, err := d.json.ReadToken()
	return err
}

// name reads the name of a field or label.
func (d *decoder) name() (string, error) {
	v, err := d.json.ReadValue()
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(v, '\\') >= 0 {
		b, _ := jsontext.AppendUnquote(nil, v)
		return string(b), nil
	}
	b := v[1 : len(v)-1]
	if s, ok := d.names[string(b)]; ok {
		return s, nil
	}
	s := string(b)
	if len(s) <= maxNameBytes {
		if len(d.names) >= maxNames {
			clear(d.names)
		}
		d.names[s] = s
	}
	return s, nil
}

// unquote appends the text of a JSON string.
func unquote(dst []byte, v jsontext.Value) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return append(dst, v[1:len(v)-1]...)
	}
	// Its error is about UTF-8 alone, for the string was read: see valid.
	dst, _ = jsontext.AppendUnquote(dst, v)
	return dst
}

func (d *decoder) valid(field string, text []byte) error {
	if d.utf8 || utf8.Valid(text) {
		return nil
	}
	return &fieldError{fmt.Errorf("%.80q: %.80q is not UTF-8; send text in UTF-8", field, text)}
}

// string reads a string; null is empty.
func (d *decoder) string(field string) (string, error) {
	b, err := d.bytes(field, "a string")
	return string(b), err
}

// bytes reads a string; null is empty. The result lives until the next one.
func (d *decoder) bytes(field, want string) ([]byte, error) {
	v, err := d.json.ReadValue()
	if err != nil {
		return nil, err
	}
	switch k := v.Kind(); k {
	case '"':
		d.text = unquote(d.text[:0], v)
		return d.text, d.valid(field, d.text)
	case 'n':
		return nil, nil
	default:
		return nil, wrongType(field, k, want)
	}
}

// time reads an RFC 3339 time; null and the empty string are the zero time.
func (d *decoder) time(field string) (t time.Time, err error) {
	text, err := d.bytes(field, "an RFC 3339 time")
	if err != nil || len(text) == 0 {
		return t, err
	}
	if t.UnmarshalText(text) != nil {
		return t, &fieldError{fmt.Errorf("%s: %.60q is not an RFC 3339 time, such as 2026-01-31T09:30:00Z", field, text)}
	}
	return t, nil
}

// labels reads an object of strings into a set; null is the empty set. The
// values share one piece of memory, which lives as long as any of them.
func (d *decoder) labels(field string) (ingest.Labels, error) {
	if d.json.PeekKind() == 'n' {
		_, err := d.json.ReadToken()
		return nil, err
	}
	if err := d.object(field); err != nil {
		return nil, err
	}
	d.text, d.pairs = d.text[:0], d.pairs[:0]
	sorted := true
	for d.json.PeekKind() != '}' {
		name, err := d.name()
		if err != nil {
			return nil, err
		}
		v, err := d.json.ReadValue()
		if err != nil {
			return nil, err
		}
		if k := v.Kind(); k != '"' {
			return nil, wrongType(field+"."+name, k, "a string")
		}
		from := len(d.text)
		d.text = unquote(d.text, v)
		if !d.utf8 {
			if err := d.valid(field, []byte(name)); err != nil {
				return nil, err
			}
			if err := d.valid(field+"."+name, d.text[from:]); err != nil {
				return nil, err
			}
		}
		if n := len(d.pairs); n > 0 && d.pairs[n-1].name >= name {
			sorted = false
		}
		d.pairs = append(d.pairs, pair{name, len(d.text)})
	}
	if _, err := d.json.ReadToken(); err != nil {
		return nil, err
	}
	if len(d.pairs) == 0 {
		return nil, nil
	}
	ls, text, from := make(ingest.Labels, len(d.pairs)), string(d.text), 0
	for i, p := range d.pairs {
		ls[i] = ingest.Label{Name: p.name, Value: text[from:p.end]}
		from = p.end
	}
	if !sorted {
		ls = ingest.SortLabels(ls)
	}
	return ls, nil
}

// end makes sure that nothing follows the message.
func (d *decoder) end() error {
	switch _, err := d.json.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return messageError(err)
	default:
		return errors.New("body: more than one JSON value")
	}
}
