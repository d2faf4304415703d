package alertmanager

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"tocsin/ingest"
)

// decoder reads one message. Decoders are pooled: they keep their buffers and
// the texts that come again and again.
type decoder struct {
	json *jsontext.Decoder
	src  bytes.Reader
	// seen are texts that are few and frequent: names of labels and fields.
	seen map[string]string
	text []byte // values of the set being read
	ends []int
	raw  bool // keep each alert's payload
	utf8 bool // the whole body is valid UTF-8
}

// maxSeen bounds the texts that a decoder remembers.
const maxSeen = 4096

var decoders = sync.Pool{New: func() any { return &decoder{seen: map[string]string{}, json: new(jsontext.Decoder)} }}

// Raw asks for events that carry their payload.
type Raw bool

func open(body []byte, raw Raw) *decoder {
	d := decoders.Get().(*decoder)
	d.src.Reset(body)
	d.raw, d.utf8 = bool(raw), utf8.Valid(body)
	// Invalid UTF-8 costs the one alert it is in, not the batch: see element.
	// Of names given twice the last wins, as with other readers of JSON.
	d.json.Reset(&d.src, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return d
}

func (d *decoder) close() {
	d.src.Reset(nil)
	decoders.Put(d)
}

// syntaxError says where a message stops being JSON.
func syntaxError(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	var se *jsontext.SyntacticError
	if errors.As(err, &se) {
		return fmt.Errorf("body: not JSON at byte %d: %w", se.ByteOffset, se.Err)
	}
	return fmt.Errorf("body: %w", err)
}

// fieldError is a value of the wrong type: a mistake in one alert only.
type fieldError struct{ err error }

func (e *fieldError) Error() string { return e.err.Error() }

func wrongType(field string, got jsontext.Kind, want string) error {
	return &fieldError{fmt.Errorf("%s: got %s, want %s", field, got, want)}
}

// array reads an array of objects with f. An element that is wrong in itself
// is rejected, and the array goes on behind it; an error means that the
// message is not JSON.
func (d *decoder) array(field string, f func() (ingest.Event, error)) (events []ingest.Event, rejected []ingest.Rejection, err error) {
	switch k := d.json.PeekKind(); k {
	case '[':
	case 'n':
		_, err := d.json.ReadToken()
		return nil, nil, err
	case 0:
		_, err := d.json.ReadToken()
		return nil, nil, err
	default:
		return nil, nil, wrongType(field, k, "an array of alerts")
	}
	if _, err := d.json.ReadToken(); err != nil {
		return nil, nil, err
	}
	for i := 0; d.json.PeekKind() != ']'; i++ {
		ev, err := d.element(f)
		var fe *fieldError
		switch {
		case err == nil:
			events = append(events, ev)
		case errors.As(err, &fe):
			rejected = append(rejected, ingest.Rejection{Index: i, Reason: ingest.ReasonMalformed, Err: fe.err})
		default:
			return nil, nil, err
		}
	}
	_, err = d.json.ReadToken()
	return events, rejected, err
}

// element reads one element, and whatever f has left of it.
func (d *decoder) element(f func() (ingest.Event, error)) (ev ingest.Event, err error) {
	if !d.utf8 || d.raw {
		return d.rawElement(f)
	}
	depth := d.json.StackDepth()
	ev, err = f()
	for err != nil && errors.As(err, new(*fieldError)) && d.json.StackDepth() > depth {
		if _, rerr := d.json.ReadToken(); rerr != nil {
			return ev, rerr
		}
	}
	return ev, err
}

// rawElement reads an element as a whole first, to keep it or to find the one
// alert of a batch that is not UTF-8.
func (d *decoder) rawElement(f func() (ingest.Event, error)) (ev ingest.Event, err error) {
	v, err := d.json.ReadValue()
	if err != nil {
		return ev, err
	}
	payload := bytes.Clone(v)
	if !utf8.Valid(payload) {
		return ev, &fieldError{fmt.Errorf("not UTF-8: %.80q", payload[max(firstInvalid(payload)-20, 0):])}
	}
	outer := d.json
	defer func() { d.json = outer }()
	d.json = jsontext.NewDecoder(bytes.NewReader(payload), jsontext.AllowDuplicateNames(true))
	if ev, err = f(); err == nil && d.raw {
		ev.Raw = payload
	}
	return ev, err
}

func firstInvalid(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}

// object reads an object, handing each field to f, which reads the value.
func (d *decoder) object(field string, f func(name string) error) error {
	if k := d.json.PeekKind(); k != '{' {
		if k == 0 {
			_, err := d.json.ReadToken()
			return err
		}
		if err := d.json.SkipValue(); err != nil {
			return err
		}
		return wrongType(field, k, "an object")
	}
	if _, err := d.json.ReadToken(); err != nil {
		return err
	}
	for d.json.PeekKind() != '}' {
		name, err := d.word()
		if err != nil {
			return err
		}
		if err := f(name); err != nil {
			return err
		}
	}
	_, err := d.json.ReadToken()
	return err
}

// word reads a text that is likely to come again.
func (d *decoder) word() (string, error) {
	v, err := d.json.ReadValue()
	if err != nil {
		return "", err
	}
	b := unquote(nil, v)
	if s, ok := d.seen[string(b)]; ok {
		return s, nil
	}
	s := string(b)
	if len(d.seen) < maxSeen {
		d.seen[s] = s
	}
	return s, nil
}

// unquote returns the text of a JSON string, without copying when it can.
func unquote(dst []byte, v jsontext.Value) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return append(dst, v[1:len(v)-1]...)
	}
	// The decoder has validated it.
	dst, _ = jsontext.AppendUnquote(dst, v)
	return dst
}

// string reads a string; null is empty.
func (d *decoder) string(field string) (string, error) {
	k := d.json.PeekKind()
	v, err := d.json.ReadValue()
	switch {
	case err != nil:
		return "", err
	case k == '"':
		return string(unquote(d.text[:0], v)), nil
	case k == 'n':
		return "", nil
	default:
		return "", wrongType(field, k, "a string")
	}
}

// time reads an RFC 3339 time; null and the empty string are the zero time.
func (d *decoder) time(field string) (time.Time, error) {
	k := d.json.PeekKind()
	v, err := d.json.ReadValue()
	if err != nil {
		return time.Time{}, err
	}
	if k == 'n' {
		return time.Time{}, nil
	}
	if k != '"' {
		return time.Time{}, wrongType(field, k, "an RFC 3339 time")
	}
	text := unquote(d.text[:0], v)
	if len(text) == 0 {
		return time.Time{}, nil
	}
	var t time.Time
	if err := t.UnmarshalText(text); err != nil {
		return time.Time{}, &fieldError{fmt.Errorf("%s: %.60q is not an RFC 3339 time, such as 2026-01-31T09:30:00Z", field, text)}
	}
	return t, nil
}

// labels reads an object of strings into a set, whose values share one piece
// of memory.
func (d *decoder) labels(field string) (ingest.Labels, error) {
	if d.json.PeekKind() == 'n' {
		_, err := d.json.ReadToken()
		return nil, err
	}
	ls := make([]ingest.Label, 0, 12)
	d.text, d.ends = d.text[:0], d.ends[:0]
	sorted := true
	err := d.object(field, func(name string) error {
		k := d.json.PeekKind()
		v, err := d.json.ReadValue()
		if err != nil {
			return err
		}
		if k != '"' {
			return wrongType(fmt.Sprintf("%s.%.80s", field, name), k, "a string")
		}
		d.text = unquote(d.text, v)
		d.ends = append(d.ends, len(d.text))
		if n := len(ls); n > 0 && ls[n-1].Name >= name {
			sorted = false
		}
		ls = append(ls, ingest.Label{Name: name})
		return nil
	})
	if err != nil {
		return nil, err
	}
	text, from := string(d.text), 0
	for i, end := range d.ends {
		ls[i].Value = text[from:end]
		from = end
	}
	if !sorted {
		ls = ingest.SortLabels(ls)
	}
	return ls, nil
}

// skip passes over a value that nothing is done with.
func (d *decoder) skip() error { return d.json.SkipValue() }

// end makes sure that nothing follows the message.
func (d *decoder) end() error {
	switch _, err := d.json.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return syntaxError(err)
	default:
		return fmt.Errorf("body: more than one JSON value")
	}
}
