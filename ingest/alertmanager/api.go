package alertmanager

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// SourcePrometheus is the source of alerts posted to the API, unless the
// sender names another one in the query.
const SourcePrometheus = "prometheus"

// DecodeAlerts reads alerts as POST /api/v2/alerts takes them. An alert whose
// endsAt is not after now is resolved; a later endsAt is when it expires.
// An error means that the message is no array of alerts, and nothing of it is
// taken: the sender will send it whole again.
func DecodeAlerts(body []byte, now time.Time, raw Raw) ([]ingest.Event, []ingest.Rejection, error) {
	d := open(body, raw)
	defer d.close()
	events, rejected, err := d.array("body", func() (ingest.Event, error) { return d.postable(now) })
	if err != nil {
		var fe *fieldError
		if errors.As(err, &fe) {
			return nil, nil, fe.err
		}
		return nil, nil, syntaxError(err)
	}
	if err := d.end(); err != nil {
		return nil, nil, err
	}
	return events, rejected, nil
}

func (d *decoder) postable(now time.Time) (ingest.Event, error) {
	ev := ingest.Event{Kind: ingest.KindAlert}
	err := d.object("alert", func(name string) (err error) {
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
			err = d.skip()
		}
		return err
	})
	ev.Status = ingest.Firing
	if !ev.EndsAt.IsZero() && ev.EndsAt.Year() > 1 && !ev.EndsAt.After(now) {
		ev.Status = ingest.Resolved
	}
	return ev, err
}

// API serves POST /api/v2/alerts: 200 with an empty body when all is stored,
// 400 with what was wrong, as a JSON string, when some alerts were not taken.
func API(door *httpdoor.Door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source, err := httpdoor.SourceOf(r, SourcePrometheus)
		if err != nil {
			refuseJSON(door, w, r, source, err)
			return
		}
		body, release, err := door.Read(w, r)
		if err != nil {
			refuseJSON(door, w, r, source, err)
			return
		}
		events, rejected, err := DecodeAlerts(body, time.Now(), Raw(door.KeepsRaw(source)))
		release()
		if err != nil {
			refuseJSON(door, w, r, source, err)
			return
		}
		rejected, ok := door.Receive(w, r, source, events, rejected)
		if ok && len(rejected) > 0 {
			texts := make([]string, len(rejected))
			for i, rej := range rejected {
				texts[i] = rej.Error()
			}
			writeJSON(w, http.StatusBadRequest, strings.Join(texts, "; "))
		}
	})
}

// refuseJSON answers as Alertmanager's API does: an error is a JSON string.
func refuseJSON(door *httpdoor.Door, w http.ResponseWriter, r *http.Request, source string, err error) {
	p := httpdoor.ProblemOf(err)
	door.Count(r, source, p)
	writeJSON(w, p.Status, p.Error())
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that does not wait for its answer is not our trouble.
	_ = json.NewEncoder(w).Encode(v)
}
