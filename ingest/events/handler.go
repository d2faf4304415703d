package events

import (
	"fmt"
	"mime"
	"net/http"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// Source is the name of the source when the sender gives none.
const Source = "events"

const (
	typeJSON       = "application/json"
	typeStructured = "application/cloudevents+json"
	typeBatch      = "application/cloudevents-batch+json"
)

// Handler serves POST /api/v1/events. It answers 202 with the number of events
// that are durable and the rejected ones, 400 when nothing could be taken, 415
// for another content type and 503 when the sender is to try again.
func Handler(door *httpdoor.Door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source, err := httpdoor.SourceOf(r, Source)
		if err != nil {
			door.Refuse(w, r, source, err)
			return
		}
		decode, err := decoderOf(r.Header)
		if err != nil {
			door.Reject(w, r, source, &httpdoor.Problem{Status: http.StatusUnsupportedMediaType, Reason: ingest.ReasonUnsupported, Err: err})
			return
		}
		body, release, err := door.Read(w, r)
		if err != nil {
			door.Refuse(w, r, source, err)
			return
		}
		b := decode(body, door.KeepsRaw(source))
		release()
		door.Take(w, r, source, b)
	})
}

// decoderOf tells the forms apart: binary CloudEvents by their headers, for
// their content type is that of the data, and all others by content type.
func decoderOf(h http.Header) (decoder, error) {
	media := typeJSON // a sender of JSON that forgets to say so
	if ct := h.Get("Content-Type"); ct != "" {
		var err error
		if media, _, err = mime.ParseMediaType(ct); err != nil {
			return nil, fmt.Errorf("Content-Type: %.80q: %w", ct, err)
		}
	}
	switch {
	case media == typeStructured:
		return decodeStructured, nil
	case media == typeBatch:
		return decodeBatch, nil
	case isBinary(h):
		return func(body []byte, raw bool) *httpdoor.Batch { return decodeBinary(h, body, raw) }, nil
	case media == typeJSON:
		return decodeOwn, nil
	default:
		return nil, fmt.Errorf("Content-Type: %.80q: send %s, %s, %s, or a CloudEvent in binary mode", media, typeJSON, typeStructured, typeBatch)
	}
}
