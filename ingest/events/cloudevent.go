package events

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/go-json-experiment/json/jsontext"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

func decodeStructured(body []byte) *httpdoor.Batch {
	b := new(httpdoor.Batch)
	if kind := jsontext.Value(body).Kind(); kind != '{' {
		b.Reject(-1, ingest.ReasonMalformed, fmt.Errorf("body: %s, want one CloudEvent; send arrays as %s", kindOf(kind), typeBatch))
		return b
	}
	each(body, b, func(place int, v jsontext.Value) { addStructured(b, place, v) })
	return b
}

func decodeBatch(body []byte) *httpdoor.Batch {
	b := new(httpdoor.Batch)
	if kind := jsontext.Value(body).Kind(); kind != '[' {
		b.Reject(-1, ingest.ReasonMalformed, fmt.Errorf("body: %s, want an array of CloudEvents", kindOf(kind)))
		return b
	}
	each(body, b, func(place int, v jsontext.Value) { addStructured(b, place, v) })
	return b
}

func kindOf(k jsontext.Kind) string {
	if k == jsontext.KindInvalid {
		return "not JSON"
	}
	return k.String()
}

func addStructured(b *httpdoor.Batch, place int, v jsontext.Value) {
	// The SDK's parser passes over what is no JSON, such as names that stand
	// twice, and what it makes of it may differ from what a broker saw.
	if v.Kind() != '{' {
		b.Reject(place, ingest.ReasonMalformed, fmt.Errorf("event: %s, want an object", v.Kind()))
		return
	}
	if err := check(v); err != nil {
		b.Reject(place, ingest.ReasonMalformed, err)
		return
	}
	var ce cloudevents.Event
	if err := ce.UnmarshalJSON(v); err != nil {
		b.Reject(place, ingest.ReasonMalformed, fmt.Errorf("CloudEvent: %w", err))
		return
	}
	add(b, place, &ce)
}

func check(v jsontext.Value) error {
	if v.IsValid() {
		return nil
	}
	// Only to say what is wrong.
	c := v.Clone()
	if err := c.Compact(); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	return errors.New("event: not valid JSON")
}

func isBinary(h http.Header) bool {
	for _, name := range []string{"Ce-Specversion", "Ce-Type", "Ce-Id", "Ce-Source"} {
		if h.Get(name) != "" {
			return true
		}
	}
	return false
}

func decodeBinary(h http.Header, body []byte) *httpdoor.Batch {
	b := new(httpdoor.Batch)
	if v := h.Get("Ce-Specversion"); v != cloudevents.CloudEventsVersionV1 {
		b.Reject(0, ingest.ReasonUnsupported, fmt.Errorf("header ce-specversion: %.40q: want %s", v, cloudevents.CloudEventsVersionV1))
		return b
	}
	ce := cloudevents.New(cloudevents.CloudEventsVersionV1)
	for name, values := range h {
		attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-")
		if !ok || len(values) == 0 {
			continue
		}
		value := values[0]
		// The binding has senders write what a header cannot hold as %XX.
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		var err error
		switch attribute {
		case "specversion":
		case "id":
			err = ce.Context.SetID(value)
		case "source":
			err = ce.Context.SetSource(value)
		case "type":
			err = ce.Context.SetType(value)
		case "subject":
			err = ce.Context.SetSubject(value)
		case "time":
			at, parseErr := parseTime(value)
			if err = parseErr; err == nil {
				err = ce.Context.SetTime(at)
			}
		case "dataschema":
			err = ce.Context.SetDataSchema(value)
		default:
			err = ce.Context.SetExtension(attribute, value)
		}
		if err != nil {
			b.Reject(0, ingest.ReasonInvalid, fmt.Errorf("header ce-%.40s: %.80q: %w", attribute, value, err))
			return b
		}
	}
	if ct := h.Get("Content-Type"); ct != "" {
		ce.SetDataContentType(ct)
	}
	ce.DataEncoded = body // read before the body is given back
	add(b, 0, &ce)
	return b
}

func add(b *httpdoor.Batch, place int, ce *cloudevents.Event) {
	if v := ce.SpecVersion(); v != cloudevents.CloudEventsVersionV1 {
		b.Reject(place, ingest.ReasonUnsupported, fmt.Errorf("specversion: %.40q: want %s", v, cloudevents.CloudEventsVersionV1))
		return
	}
	if err := ce.Validate(); err != nil {
		b.Reject(place, ingest.ReasonInvalid, fmt.Errorf("CloudEvent: %s", strings.ReplaceAll(err.Error(), "\n", "; ")))
		return
	}
	e, reason, err := interpret(ce)
	if err != nil {
		b.Reject(place, reason, fmt.Errorf("CloudEvent %.80q: %w", ce.ID(), err))
		return
	}
	b.Add(place, e)
}
