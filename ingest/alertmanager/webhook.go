package alertmanager

import (
	"errors"
	"fmt"
	"net/http"

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
// told of, never that they are resolved.
func DecodeWebhook(body []byte, raw Raw) (source string, events []ingest.Event, rejected []ingest.Rejection, err error) {
	d := open(body, raw)
	defer d.close()
	source = SourceAlertmanager
	version, alerts := "", false
	err = d.object("body", func(name string) (err error) {
		switch name {
		case "alerts":
			alerts = true
			events, rejected, err = d.array(name, d.notified)
		case "version":
			version, err = d.string(name)
		case "orgId", "state":
			// Alertmanager's message has neither.
			source = SourceGrafana
			err = d.skip()
		default:
			err = d.skip()
		}
		return err
	})
	var fe *fieldError
	switch {
	case errors.As(err, &fe):
		return source, nil, nil, fe.err
	case err != nil:
		return source, nil, nil, syntaxError(err)
	case !alerts:
		return source, nil, nil, errors.New(`alerts: missing: this is not a webhook message of Alertmanager or Grafana; for another payload configure a mapping`)
	case version != "4" && version != "1" && version != "":
		return source, nil, nil, fmt.Errorf("version: %.20q: want 4 (Alertmanager) or 1 (Grafana)", version)
	}
	if err := d.end(); err != nil {
		return source, nil, nil, err
	}
	if version == "1" {
		source = SourceGrafana
	}
	return source, events, rejected, nil
}

// notified reads an alert of a webhook message. What Grafana adds becomes
// annotations.
func (d *decoder) notified() (ingest.Event, error) {
	ev := ingest.Event{Kind: ingest.KindAlert}
	var extra []ingest.Label
	err := d.object("alert", func(name string) (err error) {
		switch name {
		case "status":
			var s string
			if s, err = d.string(name); err == nil {
				if ev.Status, err = ingest.ParseStatus(s); err != nil {
					err = &fieldError{err}
				}
			}
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
		case "valueString", "dashboardURL", "panelURL", "silenceURL", "imageURL":
			var s string
			if s, err = d.string(name); s != "" {
				extra = append(extra, ingest.Label{Name: name, Value: s})
			}
		default:
			err = d.skip()
		}
		return err
	})
	if err == nil && ev.Status == "" {
		err = &fieldError{errors.New("status: missing: want firing or resolved")}
	}
	for _, l := range extra {
		if ev.Annotations.Get(l.Name) == "" {
			ev.Annotations = ev.Annotations.Set(l.Name, l.Value)
		}
	}
	switch ev.Name() {
	case "DatasourceNoData", "DatasourceError":
		// It tells of the monitoring, not of what is monitored.
		ev.Annotations = ev.Annotations.Set("monitoring_health", "true")
	}
	return ev, err
}

// WebhookOptions say what the webhook asks of its senders.
type WebhookOptions struct {
	// Secret, for a source, is what it signs its messages with, see [Verify];
	// none takes unsigned messages.
	Secret func(source string) []byte
}

// Webhook serves the webhook of Alertmanager and Grafana. It answers 200 when
// anything was stored, with what was not, because Alertmanager does not repeat
// a message after 4xx; 400 when there was nothing to store.
func Webhook(door *httpdoor.Door, opt WebhookOptions) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, release, err := door.Read(w, r)
		if err != nil {
			door.Refuse(w, r, SourceAlertmanager, err)
			return
		}
		named, err := httpdoor.SourceOf(r, "")
		if err != nil {
			release()
			door.Refuse(w, r, SourceAlertmanager, err)
			return
		}
		source, events, rejected, err := DecodeWebhook(body, Raw(door.KeepsRaw(named)))
		if named != "" {
			source = named
		}
		if opt.Secret != nil && err == nil {
			if secret := opt.Secret(source); len(secret) > 0 {
				err = Verify(secret, r.Header, body)
			}
		}
		release()
		if err != nil {
			door.Refuse(w, r, source, err)
			return
		}
		undecoded := len(rejected)
		rejected, ok := door.Receive(w, r, source, events, rejected)
		if !ok {
			return
		}
		answer := struct {
			Accepted int      `json:"accepted"`
			Rejected []string `json:"rejected"`
		}{Accepted: len(events) - (len(rejected) - undecoded), Rejected: []string{}}
		for _, rej := range rejected {
			answer.Rejected = append(answer.Rejected, rej.Error())
		}
		status := http.StatusOK
		if answer.Accepted == 0 && len(rejected) > 0 {
			status = http.StatusBadRequest
		}
		writeJSON(w, status, answer)
	})
}
