package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"tocsin/correlate"
	"tocsin/ingest"
)

// bodyVersion is the version of our own format. Fields are only ever added
// within a version.
const bodyVersion = "1"

// tocsinBody is our own format.
type tocsinBody struct {
	Version   string             `json:"version"`
	Key       string             `json:"key"`
	Receiver  string             `json:"receiver"`
	Notice    correlate.Notice   `json:"notice"`
	Incident  correlate.Incident `json:"incident"`
	Alerts    []ingest.Alert     `json:"alerts"`
	Truncated int                `json:"truncated_alerts"`
	Links     map[string]string  `json:"links,omitempty"`
}

func (w *Webhook) body(m *Message) ([]byte, error) {
	var v any
	if w.opt.Format == FormatAlertmanager {
		v = alertmanagerOf(m, w.opt.ExternalURL)
	} else {
		b := tocsinBody{
			Version: bodyVersion, Key: m.Key, Receiver: m.Receiver, Notice: m.Notice,
			Incident: m.Incident, Alerts: m.Alerts, Truncated: m.Truncated,
		}
		if b.Alerts == nil {
			b.Alerts = []ingest.Alert{} // a list, not null
		}
		if self := selfLink(w.opt.ExternalURL, m.Incident.ID); self != "" {
			b.Links = map[string]string{"self": self}
		}
		v = &b
	}
	// As the API writes it, so that a receiver needs one decoder for both.
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return bytes.ToValidUTF8(body, []byte("\uFFFD")), nil
}

func selfLink(external, id string) string {
	if external == "" {
		return ""
	}
	return external + "/api/v1/incidents/" + url.PathEscape(id)
}

// alertmanagerBody is Alertmanager's webhook, version 4
// (prometheus/alertmanager, notify/webhook and template, Data).
type alertmanagerBody struct {
	Version           string              `json:"version"`
	GroupKey          string              `json:"groupKey"`
	TruncatedAlerts   int                 `json:"truncatedAlerts"`
	Receiver          string              `json:"receiver"`
	Status            ingest.Status       `json:"status"`
	Alerts            []alertmanagerAlert `json:"alerts"`
	GroupLabels       ingest.Labels       `json:"groupLabels"`
	CommonLabels      ingest.Labels       `json:"commonLabels"`
	CommonAnnotations ingest.Labels       `json:"commonAnnotations"`
	ExternalURL       string              `json:"externalURL"`
}

type alertmanagerAlert struct {
	Status       ingest.Status      `json:"status"`
	Labels       ingest.Labels      `json:"labels"`
	Annotations  ingest.Labels      `json:"annotations"`
	StartsAt     time.Time          `json:"startsAt"`
	EndsAt       time.Time          `json:"endsAt"`
	GeneratorURL string             `json:"generatorURL"`
	Fingerprint  ingest.Fingerprint `json:"fingerprint"`
}

// alertmanagerOf tells an incident as a group of alerts whose only group label
// is its ID. What Alertmanager has no field for is an annotation of the group.
func alertmanagerOf(m *Message, external string) *alertmanagerBody {
	inc := &m.Incident
	common := append(ingest.Labels(nil), inc.Labels...)
	common = common.Set("incident", inc.ID).Set("priority", inc.Priority.String())
	b := &alertmanagerBody{
		Version:         "4",
		GroupKey:        fmt.Sprintf("{}:{incident=%q}", inc.ID),
		TruncatedAlerts: m.Truncated,
		Receiver:        m.Receiver,
		Status:          groupStatus(inc.Status),
		GroupLabels:     ingest.LabelsOf("incident", inc.ID),
		CommonLabels:    common,
		ExternalURL:     external,
	}
	b.CommonAnnotations = ingest.LabelsOf("summary", inc.Title, "notice", string(m.Notice), "incident_status", string(inc.Status),
		"incident_url", selfLink(external, inc.ID), "merged_into", inc.MergedInto)
	if len(inc.Causes) > 0 {
		b.CommonAnnotations = b.CommonAnnotations.Set("cause", inc.Causes[0].Name+": "+inc.Causes[0].Reason)
	}
	for i := range m.Alerts {
		a := &m.Alerts[i]
		b.Alerts = append(b.Alerts, alertmanagerAlert{
			Status: a.Status, Labels: a.Labels, Annotations: a.Annotations, StartsAt: a.StartsAt, EndsAt: a.EndsAt,
			GeneratorURL: a.GeneratorURL, Fingerprint: a.PrometheusFingerprint,
		})
	}
	if len(b.Alerts) == 0 {
		b.Alerts = append(b.Alerts, standIn(inc, common))
	}
	return b
}

// groupStatus tells the end of a merged incident too: its alerts go on in
// another group, and nothing else would ever end this one.
func groupStatus(s correlate.Status) ingest.Status {
	switch s {
	case correlate.Resolved, correlate.Closed, correlate.Merged:
		return ingest.Resolved
	default:
		return ingest.Firing
	}
}

// standIn is an alert for an incident whose alerts are all gone to another:
// Alertmanager never sends a group of none, and receivers rely on it.
func standIn(inc *correlate.Incident, common ingest.Labels) alertmanagerAlert {
	labels := append(ingest.Labels(nil), common...)
	if labels.Get("alertname") == "" {
		labels = labels.Set("alertname", "TocsinIncident")
	}
	a := alertmanagerAlert{
		Status: groupStatus(inc.Status), Labels: labels, Annotations: ingest.LabelsOf("summary", inc.Title),
		StartsAt: inc.StartedAt, Fingerprint: ingest.FingerprintOf(labels),
	}
	if a.Status == ingest.Resolved {
		a.EndsAt = inc.At
	}
	return a
}
