package pagerduty

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// The limits of the Events API. A longer deduplication key is refused, a longer
// summary is cut, both as PagerDuty does.
const (
	maxDedupKey = 255
	maxSummary  = 1024
)

var severities = []string{"critical", "error", "warning", "info"}

type message struct {
	RoutingKey  string   `json:"routing_key"`
	ServiceKey  string   `json:"service_key"` // the older name, still sent
	EventAction string   `json:"event_action"`
	DedupKey    string   `json:"dedup_key"`
	Payload     *payload `json:"payload"`
	Client      string   `json:"client"`
	ClientURL   string   `json:"client_url"`
	Links       []link   `json:"links"`
	// Images are read apart: a picture is not worth an alert.
	Images jsontext.Value `json:"images"`
}

type payload struct {
	Summary       string         `json:"summary"`
	Source        string         `json:"source"`
	Severity      string         `json:"severity"`
	Timestamp     string         `json:"timestamp"`
	Component     string         `json:"component"`
	Group         string         `json:"group"`
	Class         string         `json:"class"`
	CustomDetails jsontext.Value `json:"custom_details"`
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

type image struct {
	Src  string `json:"src"`
	Href string `json:"href"`
	Alt  string `json:"alt"`
}

// invalid are the mistakes of a message, all of them, as the sender is told.
type invalid []string

func (e invalid) Error() string { return strings.Join(e, "; ") }

func (e *invalid) addf(format string, args ...any) { *e = append(*e, fmt.Sprintf(format, args...)) }

func parse(body []byte) (*message, error) {
	m := new(message)
	if err := json.Unmarshal(body, m); err != nil {
		var semantic *json.SemanticError
		text := "body: " + err.Error()
		if errors.As(err, &semantic) {
			text = fmt.Sprintf("%s: a JSON %s is not taken here", cmp.Or(strings.TrimPrefix(string(semantic.JSONPointer), "/"), "body"), semantic.JSONKind)
		}
		return nil, &httpdoor.Problem{Status: http.StatusBadRequest, Reason: ingest.ReasonMalformed, Err: invalid{text}}
	}
	m.RoutingKey = cmp.Or(m.RoutingKey, m.ServiceKey)
	return m, nil
}

// decodeEvent reads a message to /v2/enqueue; key is its deduplication key, or
// the one made for it. An error is invalid, or a *httpdoor.Problem.
func decodeEvent(body []byte) (e ingest.Event, key string, err error) {
	m, err := parse(body)
	if err != nil {
		return e, "", err
	}
	var bad invalid
	if m.RoutingKey == "" {
		bad.addf("routing_key: missing or blank")
	}
	if n := utf8.RuneCountInString(m.DedupKey); n > maxDedupKey {
		bad.addf("dedup_key: %d characters, at most %d are taken", n, maxDedupKey)
	}
	e = ingest.Event{Kind: ingest.KindAlert, Status: ingest.Firing}
	switch m.EventAction {
	case "trigger":
		if m.DedupKey == "" {
			m.DedupKey = m.makeDedupKey() // of the summary as sent
		}
		m.trigger(&e, &bad)
	case "acknowledge", "resolve":
		if m.DedupKey == "" {
			bad.addf("dedup_key: missing; %s names the alert by it", m.EventAction)
		}
		if m.EventAction == "acknowledge" {
			e.Kind, e.Status, e.Actor = ingest.KindAcknowledge, "", m.Client
		} else {
			e.Status = ingest.Resolved
		}
		// A payload is allowed here and its time is when it happened.
		if m.Payload != nil && m.Payload.Timestamp != "" {
			at := timestamp(m.Payload.Timestamp, &bad)
			if e.Kind == ingest.KindAcknowledge {
				e.StartsAt = at
			} else {
				e.EndsAt = at
			}
		}
	default:
		bad.addf("event_action: %.40q: want trigger, acknowledge or resolve", m.EventAction)
	}
	if len(bad) > 0 {
		return e, "", bad
	}
	e.Labels = e.Labels.Set("dedup_key", m.DedupKey).Set("routing_key_hash", hashKey(m.RoutingKey))
	e.Fingerprint = ingest.FingerprintOf(ingest.LabelsOf("dedup_key", m.DedupKey, "routing_key_hash", hashKey(m.RoutingKey)))
	return e, m.DedupKey, nil
}

func (m *message) trigger(e *ingest.Event, bad *invalid) {
	p := m.Payload
	if p == nil {
		bad.addf("payload: missing; a trigger has one with summary, source and severity")
		return
	}
	p.boundSummary(bad)
	if p.Source == "" {
		bad.addf("payload.source: missing or blank")
	}
	if !slices.Contains(severities, p.Severity) {
		bad.addf("payload.severity: %.40q: want one of %s", p.Severity, strings.Join(severities, ", "))
	}
	e.StartsAt = timestamp(p.Timestamp, bad)
	e.SourceSeverity = p.Severity
	e.GeneratorURL = m.ClientURL
	e.Labels = p.labels(cmp.Or(p.Class, p.Summary))
	e.Annotations = m.annotations()
}

func (p *payload) boundSummary(bad *invalid) {
	if p.Summary == "" {
		bad.addf("payload.summary: missing or blank")
	}
	p.Summary = cut(p.Summary, maxSummary)
}

// cut bounds a text to so many characters, the last of which says that it was cut.
func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	end := 0
	for range most - 1 {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return s[:end] + "…"
}

// labels are what binding and correlation go by. Members of custom_details
// that are single values are labels too, under the payload's own.
func (p *payload) labels(name string) ingest.Labels {
	labels := map[string]string{}
	for k, v := range p.details() {
		if slices.Contains(about, k) {
			labels[k] = v
		}
	}
	labels["alertname"] = name
	labels["instance"] = p.Source
	labels["component"], labels["group"], labels["class"] = p.Component, p.Group, p.Class
	return ingest.NewLabels(labels)
}

// about are the custom details that say what an alert is about.
var about = []string{"ci", "device", "environment", "host", "hostname", "namespace", "node", "pod", "service"}

const maxDetails = 64

// details are the members of custom_details that are single values.
func (p *payload) details() map[string]string {
	var members map[string]jsontext.Value
	if p.CustomDetails.Kind() != '{' || json.Unmarshal(p.CustomDetails, &members) != nil {
		return nil
	}
	names := make([]string, 0, len(members))
	for k := range members {
		names = append(names, k)
	}
	slices.Sort(names)
	out := map[string]string{}
	for _, k := range names {
		if len(out) == maxDetails {
			break
		}
		switch v := members[k]; v.Kind() {
		case '"':
			var s string
			if json.Unmarshal(v, &s) == nil {
				out[k] = s
			}
		case '0', 't', 'f':
			out[k] = string(v)
		default: // null says nothing; objects and lists are no one value
		}
	}
	return out
}

// maxLinks bounds the links of a message, and its images.
const maxLinks = 8

// images are those of the message, none when they are not what they should be.
func (m *message) images() (list []image) {
	if m.Images == nil || json.Unmarshal(m.Images, &list) != nil {
		return nil
	}
	return list
}

func (m *message) annotations() ingest.Labels {
	notes := m.Payload.details()
	if notes == nil {
		notes = map[string]string{}
		if d := m.Payload.CustomDetails; d.Kind() == '"' {
			var s string
			if json.Unmarshal(d, &s) == nil {
				notes["description"] = s
			}
		}
	}
	delete(notes, "")
	// Beside the payload's own, a severity under its bare name would contradict it.
	if s, ok := notes["severity"]; ok {
		delete(notes, "severity")
		notes["custom_severity"] = cmp.Or(notes["custom_severity"], s)
	}
	notes["summary"] = m.Payload.Summary
	notes["client"] = m.Client
	for i, l := range m.Links {
		if l.Href != "" && i < maxLinks {
			notes[fmt.Sprintf("link_%d", i+1)] = strings.TrimSpace(l.Text + " " + l.Href)
		}
	}
	for i, x := range m.images() {
		if x.Src != "" && i < maxLinks {
			notes[fmt.Sprintf("image_%d", i+1)] = strings.Join(strings.Fields(x.Alt+" "+x.Src+" "+x.Href), " ")
		}
	}
	return ingest.NewLabels(notes)
}

// makeDedupKey names an alert that its sender did not name by what it says it
// is. PagerDuty makes a new random one each time; ours is the same for the
// same alert, so that a repeated trigger is no second alert.
func (m *message) makeDedupKey() string {
	if m.Payload == nil {
		return ""
	}
	p := m.Payload
	return hash(m.RoutingKey, p.Source, p.Component, p.Group, p.Class, p.Summary)[:32]
}

// decodeChange reads a message to /v2/change/enqueue.
func decodeChange(body []byte) (ingest.Event, error) {
	m, err := parse(body)
	if err != nil {
		return ingest.Event{}, err
	}
	var bad invalid
	if m.RoutingKey == "" {
		bad.addf("routing_key: missing or blank")
	}
	e := ingest.Event{Kind: ingest.KindChange}
	if p := m.Payload; p == nil {
		bad.addf("payload: missing; a change has one with a summary")
	} else {
		p.boundSummary(&bad)
		e.StartsAt = timestamp(p.Timestamp, &bad)
		e.Labels = p.labels("change").Set("routing_key_hash", hashKey(m.RoutingKey))
		e.Annotations = m.annotations()
		if len(m.Links) > 0 {
			e.GeneratorURL = m.Links[0].Href
		}
	}
	if len(bad) > 0 {
		return ingest.Event{}, bad
	}
	return e, nil
}

// timestamp reads ISO 8601 as PagerDuty takes it: with or without a colon in
// the zone's offset; without a zone it is UTC. Empty is the zero time.
func timestamp(s string, bad *invalid) time.Time {
	if s == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	bad.addf("payload.timestamp: %.40q: want ISO 8601 such as 2026-11-21T10:00:00Z", s)
	return time.Time{}
}

func hash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0xff}) // no UTF-8 text holds it
	}
	return hex.EncodeToString(h.Sum(nil))
}

func hashKey(routingKey string) string { return hash(routingKey)[:12] }

// isKey says whether a member is meant to hold the routing key. The message may
// hold one written in another way beside the one that was read.
func isKey(name string) bool {
	name = strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
	return name == "routingkey" || name == "servicekey"
}

// withoutKey is the message as sent, less its secret.
func withoutKey(body []byte) []byte {
	var members map[string]jsontext.Value
	if json.Unmarshal(body, &members) != nil {
		return nil
	}
	maps.DeleteFunc(members, func(name string, _ jsontext.Value) bool { return isKey(name) })
	out, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return nil
	}
	return out
}
