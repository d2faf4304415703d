package mapping

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/itchyny/gojq"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// maxParts bounds the events of one message.
const maxParts = 50_000

// errNothing is why a message is left of which Each gives nothing.
var errNothing = errors.New("each: gives no part of the message, so there is no event in it")

// errTooLong is why nothing of a message is taken: what is still to come of it
// is not known, and an answer for a part would pass over the rest.
var errTooLong = errors.New("the mapping's expressions take too long; a message has one deadline for all of them")

func tooLong() (b httpdoor.Batch) {
	b.Reject(-1, ingest.ReasonOverloaded, errTooLong)
	return b
}

// exact keeps numbers as they were sent: an identifier of 20 digits would not
// survive being a float64.
var exact = json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *any) error {
	if dec.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	*v = stdjson.Number(raw)
	return nil
}))

func parse(body []byte) (any, error) {
	var message any
	if err := json.Unmarshal(body, &message, exact); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	return message, nil
}

// Decode makes events of a message. Each event's place is that of its part in
// the order of Each. The run ends with ctx, which should have a deadline; then
// nothing of the message is taken. raw keeps each event's part.
func (m *Mapping) Decode(ctx context.Context, body []byte, raw bool) *httpdoor.Batch {
	b := new(httpdoor.Batch)
	message, err := parse(body)
	if err != nil {
		b.Reject(-1, ingest.ReasonMalformed, err)
		return b
	}
	m.decode(scope{ctx: ctx, message: message, raw: raw}, b)
	return b
}

// decode runs the mapping on s.message.
func (m *Mapping) decode(s scope, b *httpdoor.Batch) {
	parts := m.each.RunWithContext(s.ctx, s.message, s.message)
	place := 0
	for ; ; place++ {
		part, ok := parts.Next()
		if !ok {
			break
		}
		if s.ctx.Err() != nil {
			*b = tooLong()
			return
		}
		if err, ok := part.(error); ok {
			b.Reject(placeOf(place), ingest.ReasonInvalid, fmt.Errorf("each: %w", stopped(err)))
			return
		}
		if place == maxParts {
			b.Reject(place, ingest.ReasonTooLarge, fmt.Errorf("each: gives more than %d parts; send smaller batches", maxParts))
			return
		}
		s.part = part
		e, err := m.event(s)
		switch {
		case s.ctx.Err() != nil:
			*b = tooLong()
			return
		case err != nil:
			b.Reject(place, ingest.ReasonInvalid, err)
		default:
			b.Add(place, e)
		}
	}
	if place == 0 {
		b.Reject(-1, ingest.ReasonUnsupported, errNothing)
	}
}

// placeOf is where Each broke: before the first part it is the message.
func placeOf(place int) int {
	if place == 0 {
		return -1
	}
	return place
}

func (m *Mapping) event(s scope) (ingest.Event, error) {
	e := ingest.Event{Kind: ingest.KindAlert}
	kind, err := m.kind.text(s)
	if err != nil {
		return e, err
	}
	switch ingest.Kind(kind) {
	case "", ingest.KindAlert:
		status, err := m.status.text(s)
		if err != nil {
			return e, err
		}
		if status == "" && m.status != nil {
			return e, errors.New("status: null: want firing or resolved; give the other with // \"firing\"")
		}
		if e.Status = ingest.Firing; status != "" {
			if e.Status, err = ingest.ParseStatus(status); err != nil {
				return e, err
			}
		}
	case ingest.KindChange, ingest.KindAcknowledge:
		e.Kind = ingest.Kind(kind)
	default:
		return e, fmt.Errorf("kind: %.40q: want alert, change or acknowledge", kind)
	}
	if e.Labels, err = set(s, m.labelsFrom, m.labels); err != nil {
		return e, err
	}
	if e.Annotations, err = set(s, m.annotationsFrom, m.annotations); err != nil {
		return e, err
	}
	for _, t := range []struct {
		from *expression
		to   *string
	}{{m.severity, &e.SourceSeverity}, {m.generatorURL, &e.GeneratorURL}, {m.actor, &e.Actor}} {
		if *t.to, err = t.from.text(s); err != nil {
			return e, err
		}
	}
	if e.StartsAt, err = m.startsAt.time(s, m.spec.TimeLayout); err != nil {
		return e, err
	}
	if e.EndsAt, err = m.endsAt.time(s, m.spec.TimeLayout); err != nil {
		return e, err
	}
	if e.Fingerprint, err = m.identity(s); err != nil {
		return e, err
	}
	if s.raw {
		e.Raw = partJSON(s.part)
	}
	return e, nil
}

func set(s scope, from *expression, each []named) (ingest.Labels, error) {
	values := map[string]string{}
	if err := from.set(s, values); err != nil {
		return nil, err
	}
	for _, n := range each {
		t, err := n.text(s)
		if err != nil {
			return nil, err
		}
		if t != "" {
			values[n.name] = t
		}
	}
	return ingest.NewLabels(values), nil
}

// partJSON is one part as JSON; gojq sorts the names.
func partJSON(part any) []byte {
	out, err := gojq.Marshal(part)
	if err != nil {
		return nil
	}
	return bytes.Clone(out)
}
