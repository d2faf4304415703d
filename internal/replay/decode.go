package replay

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	fastjson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"tocsin/correlate"
	"tocsin/ingest"
)

// Normalize completes and checks an event, see [ingest.Normalizer].
type Normalize func(e *ingest.Event, now time.Time) (ingest.Reason, error)

// Unreadable is a record that is no event.
type Unreadable struct {
	Reason ingest.Reason
	// Err names the record and what is wrong with it.
	Err error
}

// decoding is how events are written by the API. It is lenient where the API
// is: labels are whatever somebody sent.
var decoding = fastjson.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true), jsonv1.FormatDurationAsNano(true))

// decodeEvent makes an input of an event in JSON, as the API lists it. name is
// what its record is called, sent is when the record was written, zero when
// that is not known.
func decodeEvent(b []byte, name string, sent time.Time, normalize Normalize) (Input, error) {
	unreadable := func(reason ingest.Reason, err error) (Input, error) {
		err = fmt.Errorf("%s: %w", name, err)
		return Input{At: sent, Unreadable: &Unreadable{reason, err}}, err
	}
	if len(b) == 0 {
		return unreadable(ingest.ReasonMalformed, errors.New("it is empty"))
	}
	ev := new(ingest.Event)
	if err := fastjson.Unmarshal(b, ev, decoding); err != nil {
		var syntax *jsontext.SyntacticError
		if errors.As(err, &syntax) {
			return unreadable(ingest.ReasonMalformed, err)
		}
		return unreadable(ingest.ReasonInvalid, err)
	}
	at := ev.ReceivedAt
	if at.IsZero() {
		at = sent
	}
	if at.IsZero() {
		at = ev.StartsAt
		if ev.Status == ingest.Resolved && !ev.EndsAt.IsZero() {
			at = ev.EndsAt
		}
	}
	if at.IsZero() {
		return unreadable(ingest.ReasonInvalid, errors.New("received_at and starts_at are missing: nothing says when it was"))
	}
	in := Input{At: at}
	switch ev.Kind {
	case ingest.KindOutage:
		in.Outage = ev.StartsAt
		return in, nil
	case ingest.KindCommand:
		var err error
		if in.Command, err = commandOf(ev); err == nil {
			err = in.Command.Validate()
		}
		if err != nil {
			return unreadable(ingest.ReasonInvalid, err)
		}
		return in, nil
	case ingest.KindAlert, ingest.KindAcknowledge, ingest.KindChange, "":
	default:
		return unreadable(ingest.ReasonUnsupported, fmt.Errorf("kind %q: want alert, acknowledge, change, command or outage", ev.Kind))
	}
	ev.Kind = cmp.Or(ev.Kind, ingest.KindAlert)
	if ev.Fingerprint == 0 || ev.Kind == ingest.KindAlert && ev.Status != ingest.Firing && ev.Status != ingest.Resolved {
		// It was not taken in yet by anybody.
		if reason, err := normalize(ev, at); err != nil {
			return unreadable(reason, err)
		}
	}
	in.Event = ev
	if ev.Kind == ingest.KindChange {
		in.ID = cmp.Or(positive(ev.Seq), name)
	}
	return in, nil
}

func positive(n int64) string {
	if n <= 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func commandOf(ev *ingest.Event) (*correlate.Command, error) {
	c := new(correlate.Command)
	if err := json.Unmarshal(ev.Raw, c); err != nil {
		return nil, fmt.Errorf("command event %d: raw: %w", ev.Seq, err)
	}
	c.Revision = 0 // which revision an operator saw is no part of what was wanted
	return c, nil
}

// Form is what a file of events holds.
type Form string

// The forms.
const (
	FormEvents  Form = "events"  // ours, as the API lists them
	FormNeutral Form = "neutral" // labelled alerts, see package quality
)

// FormOf tells the form from the first line of a file, or says what the line
// is and what it should be.
func FormOf(line []byte) (Form, error) {
	const want = `want an event of ours, with "kind", "received_at" and "starts_at", or an alert with "time" and "id"`
	dec := jsontext.NewDecoder(strings.NewReader(string(line)), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if dec.PeekKind() != '{' {
		return "", fmt.Errorf("the first line is no JSON object: %s", want)
	}
	_, _ = dec.ReadToken() // just seen
	var fields []string
	has := map[string]bool{}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			break
		}
		fields = append(fields, name.String())
		has[name.String()] = true
		if err := dec.SkipValue(); err != nil {
			break // cut off; what was seen decides
		}
	}
	switch {
	case has["starts_at"] || has["received_at"] || has["kind"]:
		return FormEvents, nil
	case has["time"] || has["id"]:
		return FormNeutral, nil
	case has["items"]:
		return "", fmt.Errorf("this is a page of the API, not an event a line; take its items apart, such as by jq -c '.items[]'")
	default:
		return "", fmt.Errorf("the first line has %s: %s", cmp.Or(strings.Join(fields, ", "), "no fields"), want)
	}
}
