package pagerduty

import (
	"errors"
	"net/http"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// Source is the name of the source when the sender gives none.
const Source = "pagerduty"

type answer struct {
	Status   string   `json:"status"`
	Message  string   `json:"message"`
	DedupKey string   `json:"dedup_key,omitempty"`
	Errors   []string `json:"errors,omitempty"`
}

// Enqueue serves POST /v2/enqueue.
func Enqueue(door *httpdoor.Door) http.Handler { return handler(door, decodeEvent) }

// Changes serves POST /v2/change/enqueue.
func Changes(door *httpdoor.Door) http.Handler {
	return handler(door, func(body []byte) (ingest.Event, string, error) {
		e, err := decodeChange(body)
		return e, "", err
	})
}

func handler(door *httpdoor.Door, decode func([]byte) (ingest.Event, string, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source, err := httpdoor.SourceOf(r, Source)
		if err != nil {
			refuse(door, w, r, source, err)
			return
		}
		body, release, err := door.Read(w, r)
		if err != nil {
			refuse(door, w, r, source, err)
			return
		}
		e, key, err := decode(body)
		if err == nil && door.KeepsRaw(source) {
			e.Raw = withoutKey(body)
		}
		release()
		if err != nil {
			refuse(door, w, r, source, err)
			return
		}
		rejections, ok := door.Receive(w, r, source, []ingest.Event{e}, nil)
		switch {
		case !ok:
		case len(rejections) > 0:
			answerInvalid(w, http.StatusBadRequest, rejections[0].Err)
		default:
			httpdoor.WriteJSON(w, http.StatusAccepted, answer{Status: "success", Message: "Event processed", DedupKey: key})
		}
	})
}

// refuse counts the message and answers as PagerDuty does, so that a client
// can show what is wrong.
func refuse(door *httpdoor.Door, w http.ResponseWriter, r *http.Request, source string, err error) {
	var p *httpdoor.Problem
	if !errors.As(err, &p) {
		p = &httpdoor.Problem{Status: http.StatusBadRequest, Reason: ingest.ReasonInvalid, Err: err}
	}
	door.Count(r, source, p)
	answerInvalid(w, p.Status, p.Err)
}

func answerInvalid(w http.ResponseWriter, status int, err error) {
	var all invalid
	if !errors.As(err, &all) {
		all = invalid{err.Error()}
	}
	httpdoor.WriteJSON(w, status, answer{Status: "invalid event", Message: "Event object is invalid", Errors: all})
}
