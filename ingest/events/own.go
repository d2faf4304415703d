package events

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// own is our form of an event.
type own struct {
	Kind         ingest.Kind   `json:"kind"`
	Status       ingest.Status `json:"status"`
	Labels       ingest.Labels `json:"labels"`
	Annotations  ingest.Labels `json:"annotations"`
	StartsAt     *time.Time    `json:"starts_at"`
	EndsAt       *time.Time    `json:"ends_at"`
	Timeout      string        `json:"timeout"`
	Severity     string        `json:"severity"`
	GeneratorURL string        `json:"generator_url"`
	Actor        string        `json:"actor"`
}

var ownFields = func() (names []string) {
	t := reflect.TypeFor[own]()
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("json"))
	}
	return names
}()

// lenient is for splitting a message into its parts: what is wrong inside one
// part must not take the others along.
var lenient = jsontext.AllowInvalidUTF8(true)

// each calls f with every element of an array, or with the one value that the
// body is. What is not whole JSON to its end is refused whole: a part of it
// taken, the sender would believe in the rest too, or send all of it again.
func each(body []byte, b *httpdoor.Batch, f func(place int, v jsontext.Value)) {
	dec := jsontext.NewDecoder(bytes.NewReader(body), lenient, jsontext.AllowDuplicateNames(true))
	if err := walk(dec, f); err != nil {
		*b = httpdoor.Batch{}
		b.Reject(-1, ingest.ReasonMalformed, fmt.Errorf("body: %w", err))
	}
}

func walk(dec *jsontext.Decoder, f func(place int, v jsontext.Value)) error {
	if dec.PeekKind() != '[' {
		v, err := dec.ReadValue()
		if err != nil {
			return err
		}
		f(0, v)
		return atEnd(dec)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for place := 0; dec.PeekKind() != ']'; place++ {
		v, err := dec.ReadValue()
		if err != nil {
			return fmt.Errorf("after %d elements: %w", place, err)
		}
		f(place, v)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	return atEnd(dec)
}

// atEnd says where a body goes on that should be over.
func atEnd(dec *jsontext.Decoder) error {
	end := dec.InputOffset()
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("goes on after its end at byte %d; send one event, or several as one array", end)
	}
	return nil
}

// decoder reads a message; raw keeps the payload of each event.
type decoder func(body []byte, raw bool) *httpdoor.Batch

// decodeOwn reads our form, one event or an array.
func decodeOwn(body []byte, raw bool) *httpdoor.Batch {
	b := new(httpdoor.Batch)
	each(body, b, func(place int, v jsontext.Value) {
		e, reason, err := parseOwn(v, raw)
		if err != nil {
			b.Reject(place, reason, err)
			return
		}
		b.Add(place, e)
	})
	return b
}

// parseOwn reads one event. It keeps nothing of v's memory.
func parseOwn(v jsontext.Value, raw bool) (ingest.Event, ingest.Reason, error) {
	var o own
	if v.Kind() != '{' {
		return ingest.Event{}, ingest.ReasonMalformed, fmt.Errorf("event: %s, want an object", v.Kind())
	}
	if err := json.Unmarshal(v, &o, json.RejectUnknownMembers(true)); err != nil {
		return ingest.Event{}, ingest.ReasonMalformed, explain(err)
	}
	e, err := o.event()
	if err != nil {
		return ingest.Event{}, ingest.ReasonInvalid, err
	}
	if raw {
		e.Raw = slices.Clone([]byte(v))
	}
	return e, "", nil
}

// explain makes the decoder's error one for the sender.
func explain(err error) error {
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return err
	}
	field := strings.TrimPrefix(string(semantic.JSONPointer), "/")
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return fmt.Errorf("%.80q: unknown field; the fields are %s", field, strings.Join(ownFields, ", "))
	case semantic.Err != nil:
		return fmt.Errorf("%.80s: %w", field, semantic.Err)
	default:
		return fmt.Errorf("%.80s: a JSON %s is not taken here", field, semantic.JSONKind)
	}
}

func (o *own) event() (ingest.Event, error) {
	e := ingest.Event{Kind: ingest.KindAlert, Labels: o.Labels, Annotations: o.Annotations,
		SourceSeverity: o.Severity, GeneratorURL: o.GeneratorURL, Actor: o.Actor}
	switch o.Kind {
	case "", ingest.KindAlert:
		e.Status = ingest.Firing
		if o.Status != "" {
			s, err := ingest.ParseStatus(string(o.Status))
			if err != nil {
				return e, err
			}
			e.Status = s
		}
	case ingest.KindChange, ingest.KindAcknowledge:
		e.Kind = o.Kind
		if o.Status != "" {
			return e, fmt.Errorf("status: %.40q: only an alert has one; leave it out of kind %s", o.Status, o.Kind)
		}
	default:
		return e, fmt.Errorf("kind: %.40q: want alert, change or acknowledge", o.Kind)
	}
	if o.StartsAt != nil {
		e.StartsAt = *o.StartsAt
	}
	if o.EndsAt != nil {
		e.EndsAt = *o.EndsAt
	}
	if o.Timeout != "" {
		d, err := time.ParseDuration(o.Timeout)
		if err != nil || d <= 0 {
			return e, fmt.Errorf("timeout: %.40q: want a time span above zero such as 10m; leave it out for the source's own", o.Timeout)
		}
		e.Timeout = d
	}
	return e, nil
}
