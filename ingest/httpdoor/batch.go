package httpdoor

import (
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tocsin/ingest"
)

// Batch is what a decoder made of one message: the good parts and the bad,
// each with its place in the message, so that the sender is told of its own
// counting and not of ours. The zero value is empty.
type Batch struct {
	Events   []ingest.Event
	Rejected []ingest.Rejection
	// places are the places in the message of Events.
	places []int
}

// Add takes an event that stood at a place in the message, from 0.
func (b *Batch) Add(place int, e ingest.Event) {
	b.Events = append(b.Events, e)
	b.places = append(b.places, place)
}

// Reject takes note of a part of the message that is no event; place -1 is the
// message itself.
func (b *Batch) Reject(place int, reason ingest.Reason, err error) {
	b.Rejected = append(b.Rejected, ingest.Rejection{Index: place, Reason: reason, Err: err})
}

// Place is the place in the message of the i-th of Events.
func (b *Batch) Place(i int) int { return b.places[i] }

// ReceiveBatch is [Door.Receive]; the rejections are in the order of the
// message and their indexes are places in it.
func (d *Door) ReceiveBatch(w http.ResponseWriter, r *http.Request, source string, b *Batch) ([]ingest.Rejection, bool) {
	rejections, ok := d.Receive(w, r, source, b.Events, b.Rejected)
	if !ok {
		return nil, false
	}
	// The receiver's own come after those it was given, and count in Events.
	out := slices.Clone(rejections)
	for i := len(b.Rejected); i < len(out); i++ {
		out[i].Index = b.places[out[i].Index]
	}
	slices.SortStableFunc(out, func(x, y ingest.Rejection) int { return x.Index - y.Index })
	return out, true
}

// Outcome is the answer of our own doors.
type Outcome struct {
	// Accepted are the events that are durable now.
	Accepted int              `json:"accepted"`
	Rejected []OutcomeRefusal `json:"rejected"`
}

// OutcomeRefusal is one part of the message that was not taken.
type OutcomeRefusal struct {
	Index  int           `json:"index"` // -1 is the message itself
	Reason ingest.Reason `json:"reason"`
	Error  string        `json:"error"`
}

// OutcomeOf is the outcome of a batch, given what [Door.ReceiveBatch] returned.
func OutcomeOf(b *Batch, rejections []ingest.Rejection) Outcome {
	out := Outcome{Accepted: len(b.Events) + len(b.Rejected) - len(rejections), Rejected: []OutcomeRefusal{}}
	for _, x := range rejections {
		out.Rejected = append(out.Rejected, OutcomeRefusal{Index: x.Index, Reason: x.Reason, Error: x.Err.Error()})
	}
	return out
}

// Take hands a batch on and answers with its [Outcome]: 202, or 400 when
// nothing of the message could be taken. An empty batch is no mistake.
func (d *Door) Take(w http.ResponseWriter, r *http.Request, source string, b *Batch) {
	rejections, ok := d.ReceiveBatch(w, r, source, b)
	if !ok {
		return
	}
	out := OutcomeOf(b, rejections)
	status := http.StatusAccepted
	if out.Accepted == 0 && len(rejections) > 0 {
		status = http.StatusBadRequest
	}
	WriteJSON(w, status, out)
}

// WriteJSON answers with a value as JSON. Text that is not UTF-8, which a
// rejection may quote, is made so.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
