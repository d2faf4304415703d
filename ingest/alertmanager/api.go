package alertmanager

import (
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
// endsAt is not after now is resolved; a later endsAt is when it expires. The
// index of a rejection is the alert's place in the message.
//
// An error means that the message is no array of alerts, and nothing of it is
// taken, for the sender will send it whole again.
func DecodeAlerts(body []byte, now time.Time, raw Raw) ([]ingest.Event, []ingest.Rejection, error) {
	d := open(body, raw)
	defer d.close()
	events, rejected, err := d.array("body", func(ev *ingest.Event) error { return d.postable(ev, now) })
	if err != nil {
		return nil, nil, messageError(err)
	}
	if err := d.end(); err != nil {
		return nil, nil, err
	}
	return events, rejected, nil
}

// postable reads an alert as the API's schema postableAlert says.
func (d *decoder) postable(ev *ingest.Event, now time.Time) error {
	if err := d.object("alert"); err != nil {
		return err
	}
	for d.json.PeekKind() != '}' {
		name, err := d.name()
		if err == nil {
			err = d.common(ev, name)
		}
		if err != nil {
			return err
		}
	}
	ev.Status = ingest.Firing
	if ev.EndsAt.Year() > 1 && !ev.EndsAt.After(now) {
		ev.Status = ingest.Resolved
	}
	_, err := d.json.ReadToken()
	return err
}

// API serves POST /api/v2/alerts: 200 with an empty body when all is stored;
// 400 with what was wrong, as a JSON string, when some alerts were not taken,
// although the others are stored; 503 when nothing could be stored.
func API(door *httpdoor.Door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source, err := httpdoor.SourceOf(r, SourcePrometheus)
		if err != nil {
			refuse(door, w, r, source, err)
			return
		}
		body, release, err := door.Read(w, r)
		if err != nil {
			refuse(door, w, r, source, err)
			return
		}
		events, rejected, err := DecodeAlerts(body, time.Now(), Raw(door.KeepsRaw(source)))
		release()
		if err != nil {
			refuse(door, w, r, source, err)
			return
		}
		refused, ok := door.Receive(w, r, source, events, rejected)
		if ok && len(refused) > 0 {
			httpdoor.WriteJSON(w, http.StatusBadRequest, strings.Join(texts(places(refused, len(rejected))), "; "))
		}
	})
}

// refuse answers as Alertmanager's API does: an error is a JSON string.
func refuse(door *httpdoor.Door, w http.ResponseWriter, r *http.Request, source string, err error) {
	p := httpdoor.ProblemOf(err)
	door.Count(r, source, p)
	httpdoor.WriteJSON(w, p.Status, p.Error())
}
