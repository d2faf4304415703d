package events

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

func decodeStructured(body []byte, raw bool) *httpdoor.Batch {
	b := new(httpdoor.Batch)
	if kind := jsontext.Value(body).Kind(); kind != '{' {
		b.Reject(-1, ingest.ReasonMalformed, fmt.Errorf("body: %s, want one CloudEvent; send arrays as %s", kindOf(kind), typeBatch))
		return b
	}
	each(body, b, func(place int, v jsontext.Value) { addStructured(into{b, place, raw}, v) })
	return b
}

func decodeBatch(body []byte, raw bool) *httpdoor.Batch {
	b := new(httpdoor.Batch)
	if kind := jsontext.Value(body).Kind(); kind != '[' {
		b.Reject(-1, ingest.ReasonMalformed, fmt.Errorf("body: %s, want an array of CloudEvents", kindOf(kind)))
		return b
	}
	each(body, b, func(place int, v jsontext.Value) { addStructured(into{b, place, raw}, v) })
	return b
}

func kindOf(k jsontext.Kind) string {
	if k == jsontext.KindInvalid {
		return "not JSON"
	}
	return k.String()
}

// addStructured reads the envelope itself and leaves the rules of attributes
// to the SDK: its own parser panics on a data_base64 that is no text and takes
// members that stand twice.
func addStructured(to into, v jsontext.Value) {
	if v.Kind() != '{' {
		to.reject(ingest.ReasonMalformed, fmt.Errorf("event: %s, want an object", v.Kind()))
		return
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(v, &members); err != nil {
		to.reject(ingest.ReasonMalformed, fmt.Errorf("CloudEvent: %w", err))
		return
	}
	ce, err := fromMembers(members)
	if err != nil {
		to.reject(ingest.ReasonInvalid, err)
		return
	}
	add(to, ce)
}

func fromMembers(members map[string]jsontext.Value) (*cloudevents.Event, error) {
	var specversion string
	if err := json.Unmarshal(members["specversion"], &specversion); err != nil || specversion != cloudevents.CloudEventsVersionV1 {
		return nil, fmt.Errorf("specversion: %.40s: want %q", cmp.Or(string(members["specversion"]), "missing"), cloudevents.CloudEventsVersionV1)
	}
	ce := cloudevents.New(cloudevents.CloudEventsVersionV1)
	for name, v := range members {
		switch {
		case name == "specversion" || v.Kind() == 'n':
		case name == "data":
			ce.DataEncoded = v
		case name == "data_base64":
			if members["data"] != nil {
				return nil, errors.New("data_base64: stands beside data; send one of them")
			}
			var data []byte
			if err := json.Unmarshal(v, &data); err != nil {
				return nil, fmt.Errorf("data_base64: %.40s: want a text in base64", v)
			}
			ce.DataEncoded, ce.DataBase64 = data, true
		default:
			var value string
			switch v.Kind() {
			case '"':
				if err := json.Unmarshal(v, &value); err != nil {
					return nil, fmt.Errorf("%.40s: %w", name, err)
				}
			case 't', 'f', '0':
				value = string(v)
			default:
				return nil, fmt.Errorf("%.40s: an attribute is a single value, not %s", name, v.Kind())
			}
			if err := setAttribute(&ce, name, value); err != nil {
				return nil, err
			}
		}
	}
	return &ce, nil
}

// setAttribute sets any attribute or extension but specversion.
func setAttribute(ce *cloudevents.Event, name, value string) (err error) {
	switch name {
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
	case "datacontenttype":
		err = ce.Context.SetDataContentType(value)
	case "dataschema":
		err = ce.Context.SetDataSchema(value)
	default:
		err = ce.Context.SetExtension(name, value)
	}
	if err != nil {
		return fmt.Errorf("%.40s: %.80q: %w", name, value, err)
	}
	return nil
}

func isBinary(h http.Header) bool {
	for _, name := range []string{"Ce-Specversion", "Ce-Type", "Ce-Id", "Ce-Source"} {
		if h.Get(name) != "" {
			return true
		}
	}
	return false
}

func decodeBinary(h http.Header, body []byte, raw bool) *httpdoor.Batch {
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
		if attribute == "specversion" || attribute == "datacontenttype" {
			continue // read above; and below, from Content-Type
		}
		if err := setAttribute(&ce, attribute, value); err != nil {
			b.Reject(0, ingest.ReasonInvalid, fmt.Errorf("header ce-%w", err))
			return b
		}
	}
	if ct := h.Get("Content-Type"); ct != "" {
		ce.SetDataContentType(ct)
	}
	ce.DataEncoded = body // read before the body is given back
	add(into{b, 0, raw}, &ce)
	return b
}

// into is where an event goes.
type into struct {
	batch *httpdoor.Batch
	place int
	raw   bool
}

func (to into) reject(reason ingest.Reason, err error) { to.batch.Reject(to.place, reason, err) }

func add(to into, ce *cloudevents.Event) {
	if err := ce.Validate(); err != nil {
		to.reject(ingest.ReasonInvalid, fmt.Errorf("CloudEvent: %s", strings.ReplaceAll(err.Error(), "\n", "; ")))
		return
	}
	e, reason, err := interpret(ce, to.raw)
	if err != nil {
		to.reject(reason, fmt.Errorf("CloudEvent %.80q: %w", ce.ID(), err))
		return
	}
	to.batch.Add(to.place, e)
}
