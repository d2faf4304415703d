package events

import (
	"cmp"
	"fmt"
	"mime"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tocsin/ingest"
)

// typeOwn is the type of a CloudEvent whose data is our own form.
const typeOwn = "tocsin.event"

// about are the members of foreign data that say what an alert is about; they
// become labels of the same name, for the binding rules.
var about = []string{"ci", "device", "environment", "host", "hostname", "instance", "namespace", "node", "pod", "service"}

// maxNotes bounds the annotations made of foreign data, maxNote the bytes of one.
const (
	maxNotes = 48
	maxNote  = 4 << 10
)

var version = regexp.MustCompile(`(\.v?\d+)+(-[0-9A-Za-z-]+)?$`)

var (
	changeWords   = []string{"change", "changed", "deployment", "deployed"}
	resolvedWords = []string{"resolved", "closed", "cleared", "recovered", "ok", "normal"}
	firingWords   = []string{"firing", "opened", "raised", "triggered"}
	// alarmWords end a type that fires, or one of a tool that says alarm in
	// either case and the status in the data.
	alarmWords = []string{"alarm"}
	// statusWords are what foreign data calls the end of an alert.
	statusWords = append([]string{"resolve", "close", "clear", "inactive"}, resolvedWords...)
)

// interpret makes an event of a valid CloudEvent, by the rules of the package
// comment. raw keeps its data.
func interpret(ce *cloudevents.Event, raw bool) (ingest.Event, ingest.Reason, error) {
	data, err := dataOf(ce)
	if err != nil {
		return ingest.Event{}, ingest.ReasonMalformed, err
	}
	if ce.Type() == typeOwn || data.isOwn() {
		e, reason, err := parseOwn(data.raw, raw)
		if err != nil {
			return e, reason, fmt.Errorf("data: %w", err)
		}
		if e.StartsAt.IsZero() && (e.Kind != ingest.KindAlert || e.Status == ingest.Firing) {
			e.StartsAt = ce.Time()
		}
		if e.Status == ingest.Resolved && e.EndsAt.IsZero() {
			e.EndsAt = ce.Time()
		}
		return e, "", nil
	}
	e := describe(ce, data)
	if raw {
		e.Raw = slices.Clone([]byte(data.raw))
	}
	name := version.ReplaceAllString(ce.Type(), "")
	if rest, ok := strings.CutPrefix(name, "dev.cdevents."); ok {
		return interpretCD(e, ce, data, rest)
	}
	stem, last := splitType(name)
	if slices.Contains(changeWords, last) {
		e.Kind, e.StartsAt = ingest.KindChange, ce.Time()
		e.Labels = e.Labels.Set("alertname", name)
		if e.Labels.Get("service") == "" {
			e.Labels = e.Labels.Set("service", ce.Subject())
		}
		return e, "", nil
	}
	status := ingest.Firing
	if slices.Contains(alarmWords, last) {
		name = stem
	}
	switch {
	case slices.Contains(resolvedWords, last):
		name, status = stem, ingest.Resolved
	case slices.Contains(firingWords, last):
		name = stem
	case slices.Contains(statusWords, strings.ToLower(cmp.Or(data.text("status"), data.text("state"), extension(ce, "status")))):
		status = ingest.Resolved
	}
	return asAlert(e, ce, cmp.Or(name, "alert"), status), "", nil
}

// asAlert gives e its status, its time and its identity.
func asAlert(e ingest.Event, ce *cloudevents.Event, name string, status ingest.Status) ingest.Event {
	e.Kind, e.Status = ingest.KindAlert, status
	if status == ingest.Resolved {
		e.EndsAt = ce.Time()
	} else {
		e.StartsAt = ce.Time()
	}
	identity := ingest.LabelsOf("alertname", name, "ce_source", ce.Source(), "ce_subject", ce.Subject())
	if ce.Subject() == "" {
		for _, l := range e.Labels {
			if slices.Contains(about, l.Name) {
				identity = identity.Set(l.Name, l.Value)
			}
		}
	}
	e.Labels = e.Labels.Set("alertname", name)
	e.Fingerprint = ingest.FingerprintOf(identity)
	return e
}

// interpretCD reads a CDEvent into what [describe] made of it; rest is its type without prefix and version,
// such as service.deployed.
func interpretCD(e ingest.Event, ce *cloudevents.Event, data data, rest string) (ingest.Event, ingest.Reason, error) {
	subject, predicate, _ := strings.Cut(rest, ".")
	id := cmp.Or(data.text("subject", "id"), ce.Subject())
	if id == "" {
		return e, ingest.ReasonInvalid, fmt.Errorf("data.subject.id: empty: a CDEvent names its subject")
	}
	e.Labels = e.Labels.Set("environment", cmp.Or(data.text("subject", "content", "environment", "id"), e.Labels.Get("environment")))
	e.Annotations = e.Annotations.Set("artifact", data.text("subject", "content", "artifactId"))
	switch subject {
	case "service", "environment":
		e.Labels = e.Labels.Set("alertname", "dev.cdevents."+rest).Set(subject, id)
		e.Kind, e.StartsAt = ingest.KindChange, ce.Time()
		if e.StartsAt.IsZero() {
			if at, err := parseTime(data.text("context", "timestamp")); err == nil {
				e.StartsAt = at
			}
		}
		return e, "", nil
	case "incident":
		status := ingest.Firing
		if predicate == "resolved" {
			status = ingest.Resolved
		}
		e.Labels = e.Labels.Set("service", data.text("subject", "content", "service", "id")).Set("incident", id)
		e.Annotations = e.Annotations.Set("description", cut(data.text("subject", "content", "description")))
		e = asAlert(e, ce, "dev.cdevents.incident", status)
		e.Fingerprint = ingest.FingerprintOf(ingest.LabelsOf("alertname", "dev.cdevents.incident", "ce_source", ce.Source(), "incident", id))
		return e, "", nil
	default:
		return e, ingest.ReasonUnsupported, fmt.Errorf("type: %.80q: of CDEvents those about a service, an environment or an incident are taken", ce.Type())
	}
}

// describe is what all foreign events have alike: labels of what it is about,
// and annotations of what it says.
func describe(ce *cloudevents.Event, data data) ingest.Event {
	labels := map[string]string{"ce_source": ce.Source(), "ce_subject": ce.Subject()}
	for _, name := range about {
		labels[name] = cmp.Or(data.text(name), extension(ce, name))
	}
	notes := map[string]string{"ce_id": ce.ID()}
	names := make([]string, 0, len(data.members))
	for name := range data.members {
		if labels[name] == "" && name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if v := data.text(name); v != "" && len(notes) < maxNotes {
			notes[name] = cut(v)
		}
	}
	if notes["summary"] == "" {
		notes["summary"] = cmp.Or(notes["description"], notes["message"], notes["title"])
	}
	return ingest.Event{Labels: ingest.NewLabels(labels), Annotations: ingest.NewLabels(notes),
		SourceSeverity: cmp.Or(data.text("severity"), extension(ce, "severity"))}
}

// splitType cuts the last word off a type: "disk.full.resolved" → "disk.full",
// "resolved". A type of one word is its own last word, with an empty stem.
func splitType(name string) (stem, last string) {
	i := strings.LastIndexAny(name, "./:")
	if i <= 0 {
		return "", strings.ToLower(name)
	}
	return name[:i], strings.ToLower(name[i+1:])
}

// data is a CloudEvent's data; its members are empty unless it is an object.
type data struct {
	raw     jsontext.Value
	members map[string]jsontext.Value
}

func dataOf(ce *cloudevents.Event) (data, error) {
	body := ce.Data()
	media, _, err := mime.ParseMediaType(cmp.Or(ce.DataContentType(), "application/json"))
	isJSON := err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
	if len(body) == 0 || !isJSON {
		return data{}, nil
	}
	d := data{raw: body}
	if d.raw.Kind() != '{' {
		if !d.raw.IsValid() {
			return d, fmt.Errorf("data: not JSON, though datacontenttype says so")
		}
		return d, nil
	}
	if err := json.Unmarshal(body, &d.members); err != nil {
		return d, fmt.Errorf("data: %w", err)
	}
	return d, nil
}

// isOwn says whether the data is our own form: nobody else's has an object of
// that name, so a member beside it that is not ours is a mistake, and passing
// over the labels because of it would change what the alert is about.
func (d data) isOwn() bool { return d.members["labels"].Kind() == '{' }

// text is a member as text, "" when it is absent or not a single value. A path
// goes into objects.
func (d data) text(path ...string) string {
	v := d.members[path[0]]
	for _, name := range path[1:] {
		var in map[string]jsontext.Value
		if json.Unmarshal(v, &in) != nil {
			return ""
		}
		v = in[name]
	}
	switch v.Kind() {
	case '"':
		s, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return ""
		}
		return string(s)
	case '0', 't', 'f':
		return string(v)
	default:
		return ""
	}
}

func extension(ce *cloudevents.Event, name string) string {
	switch v := ce.Extensions()[name].(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	default:
		return ""
	}
}

// cut bounds a foreign text without breaking a character.
func cut(s string) string {
	if len(s) <= maxNote {
		return s
	}
	return strings.ToValidUTF8(s[:maxNote], "") + "…"
}

func parseTime(s string) (time.Time, error) { return time.Parse(time.RFC3339Nano, s) }
