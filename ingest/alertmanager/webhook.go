package alertmanager

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// The sources of webhook messages, unless the sender names another one.
const (
	SourceAlertmanager = "alertmanager"
	SourceGrafana      = "grafana"
)

// DecodeWebhook reads a webhook message of Alertmanager (version 4) or of
// Grafana, and says which of the two it is. Each alert counts by its own
// status, not by its group's; truncatedAlerts means only that some are not
// told of, never that they are resolved. The index of a rejection is the
// alert's place in the message.
//
// endsAt of a firing alert is left out: where it is not year 1, it is the word
// of whoever sent the alert to Alertmanager and will speak again in a minute,
// while Alertmanager repeats itself only after hours.
//
// An error means that the message is something else, and nothing of it is
// taken; the source is then the likeliest one.
func DecodeWebhook(body []byte, raw Raw) (source string, events []ingest.Event, rejected []ingest.Rejection, err error) {
	d := open(body, raw)
	defer d.close()
	source = SourceAlertmanager
	m, err := d.webhook()
	if m.grafana || m.version == "1" {
		source = SourceGrafana
	}
	switch {
	case err != nil:
		return source, nil, nil, messageError(err)
	case !m.alerts:
		return source, nil, nil, errors.New(`alerts: missing: this is not a webhook message of Alertmanager or Grafana; for another payload configure a mapping`)
	case m.version != "4" && m.version != "1" && m.version != "":
		return source, nil, nil, fmt.Errorf("version: %.20q: want 4 (Alertmanager) or 1 (Grafana)", m.version)
	}
	if err := d.end(); err != nil {
		return source, nil, nil, err
	}
	return source, m.events, m.rejected, nil
}

// message is a webhook message.
type message struct {
	version  string
	grafana  bool // it has fields that Alertmanager's has not
	alerts   bool // it has the field
	events   []ingest.Event
	rejected []ingest.Rejection
}

func (d *decoder) webhook() (m message, err error) {
	if err := d.object("body"); err != nil {
		return m, err
	}
	for d.json.PeekKind() != '}' {
		name, err := d.name()
		if err != nil {
			return m, err
		}
		switch name {
		case "alerts":
			m.alerts = true
			m.events, m.rejected, err = d.array(name, d.notified)
		case "version":
			m.version, err = d.string(name)
		case "orgId", "state", "title":
			m.grafana = true
			err = d.json.SkipValue()
		default:
			err = d.json.SkipValue()
		}
		if err != nil {
			return m, err
		}
	}
	_, err = d.json.ReadToken()
	return m, err
}

// notified reads an alert of a webhook message. What Grafana adds becomes
// annotations, unless the alert has such ones of its own.
func (d *decoder) notified(ev *ingest.Event) error {
	if err := d.object("alert"); err != nil {
		return err
	}
	var added []ingest.Label
	for d.json.PeekKind() != '}' {
		name, err := d.name()
		if err != nil {
			return err
		}
		switch name {
		case "status":
			ev.Status, err = d.status(name)
		case "valueString", "dashboardURL", "panelURL", "silenceURL", "imageURL":
			var s string
			s, err = d.string(name)
			added = append(added, ingest.Label{Name: name, Value: s})
		case "values":
			var s string
			s, err = d.values(name)
			added = append(added, ingest.Label{Name: name, Value: s})
		default:
			err = d.common(ev, name)
		}
		if err != nil {
			return err
		}
	}
	if _, err := d.json.ReadToken(); err != nil {
		return err
	}
	switch ev.Status {
	case "":
		return &fieldError{errors.New("status: missing: want firing or resolved")}
	case ingest.Firing:
		ev.EndsAt = time.Time{}
	case ingest.Resolved: // endsAt is when
	}
	for _, l := range added {
		if l.Value != "" && ev.Annotations.Get(l.Name) == "" {
			ev.Annotations = ev.Annotations.Set(l.Name, l.Value)
		}
	}
	switch ev.Name() {
	case "DatasourceNoData", "DatasourceError":
		// It tells of the monitoring, and not of the service in its labels.
		ev.Annotations = ev.Annotations.Set("monitoring_health", "true")
	}
	return nil
}

func (d *decoder) status(field string) (ingest.Status, error) {
	b, err := d.bytes(field, "firing or resolved")
	if err != nil {
		return "", err
	}
	s, err := ingest.ParseStatus(string(b))
	if err != nil {
		return "", &fieldError{err}
	}
	return s, nil
}

// values reads the numbers behind an alert as compact JSON; null is empty.
func (d *decoder) values(field string) (string, error) {
	v, err := d.json.ReadValue()
	if err != nil || v.Kind() == 'n' {
		return "", err
	}
	if err := d.valid(field, v); err != nil {
		return "", err
	}
	v = v.Clone()
	if err := v.Compact(); err != nil {
		return "", &fieldError{fmt.Errorf("%s: %w", field, err)}
	}
	return string(v), nil
}

// WebhookOptions say what the webhook asks of its senders. The zero value takes
// messages unsigned.
type WebhookOptions struct {
	// Secret, for a source, is what it signs its messages with, see [Verify];
	// none takes unsigned messages. Nil means none for all.
	Secret func(source string) []byte
	// SignatureHeader and TimestampHeader are where the sender puts them; empty
	// means [SignatureHeader] and [TimestampHeader].
	SignatureHeader, TimestampHeader string
}

// Webhook serves the webhook of Alertmanager and Grafana. It answers 200 when
// anything was stored, with what was not, because Alertmanager does not repeat
// a message after 4xx; 400 when there was nothing to store; 503 when it could
// not be stored, which makes Alertmanager try again.
func Webhook(door *httpdoor.Door, opt WebhookOptions) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		named, err := httpdoor.SourceOf(r, "")
		if err != nil {
			door.Refuse(w, r, SourceAlertmanager, err)
			return
		}
		body, release, err := door.Read(w, r)
		if err != nil {
			door.Refuse(w, r, cmp.Or(named, SourceAlertmanager), err)
			return
		}
		// Which source it is shows only in the message; what is kept for the
		// wrong one is dropped when the event is normalised.
		raw := named != "" && door.KeepsRaw(named) || named == "" && (door.KeepsRaw(SourceAlertmanager) || door.KeepsRaw(SourceGrafana))
		source, events, rejected, err := DecodeWebhook(body, Raw(raw))
		source = cmp.Or(named, source)
		if opt.Secret != nil {
			if secret := opt.Secret(source); len(secret) > 0 {
				// A stranger is not told what is wrong with the message.
				if verr := opt.verify(secret, r.Header, body); verr != nil {
					err = verr
				}
			}
		}
		release()
		if err != nil {
			door.Refuse(w, r, source, err)
			return
		}
		refused, ok := door.Receive(w, r, source, events, rejected)
		if !ok {
			return
		}
		answer := struct {
			Accepted int      `json:"accepted"`
			Rejected []string `json:"rejected"`
		}{len(events) + len(rejected) - len(refused), texts(places(refused, len(rejected)))}
		status := http.StatusOK
		if answer.Accepted == 0 && len(refused) > 0 {
			status = http.StatusBadRequest
		}
		httpdoor.WriteJSON(w, status, answer)
	})
}
