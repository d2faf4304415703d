package ingest

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// NormalizerOptions say how events of all sources become alike. The zero value
// has the defaults.
type NormalizerOptions struct {
	// ReplicaLabels are left out of an alert's identity; nil means
	// [DefaultReplicaLabels].
	ReplicaLabels []string
	// SeverityLabels are where the severity is looked for, first hit wins; nil
	// means severity, then level, then priority.
	SeverityLabels []string
	// Sources are settings for one source each, by its name.
	Sources map[string]SourceOptions
	// MaxLabels bounds the labels, and likewise the annotations; 0 means 128.
	MaxLabels int
	// MaxLabelBytes bounds a label's or annotation's name and value; 0 means 16 KiB.
	MaxLabelBytes int
}

// SourceOptions are how the events of one source differ from the usual.
type SourceOptions struct {
	// Severities translates the source's own words; words that it does not
	// hold keep the meaning of [DefaultSeverities].
	Severities SeverityMap
	// Timeout is how long a firing alert without an end stays firing without
	// being sent again; nil means the default of the source, 0 for ever.
	Timeout *time.Duration
	// KeepRaw keeps each event's payload as it was sent.
	KeepRaw bool
}

// DefaultReplicaLabels tell apart the members of a pair that send the same
// alerts: Prometheus Operator, Thanos, Cortex and Mimir, VictoriaMetrics.
var DefaultReplicaLabels = []string{"prometheus_replica", "replica", "__replica__", "monitor_replica", "vmagent_replica", "thanos_ruler_replica"}

// The timeouts of sources that are not configured. Prometheus sends a firing
// alert every minute and says when it expires; Alertmanager and Grafana repeat
// one only every four hours and tell of its end: three of these must fail.
var defaultTimeouts = map[string]time.Duration{
	"prometheus":   5 * time.Minute,
	"alertmanager": 12 * time.Hour,
	"grafana":      12 * time.Hour,
}

const (
	defaultTimeout  = 24 * time.Hour
	defaultMaxLabel = 128
	defaultMaxBytes = 16 << 10
)

// Normalizer completes and checks events. It is safe for concurrent use.
type Normalizer struct {
	opt        NormalizerOptions
	severities SeverityMap
}

// NewNormalizer makes a normalizer.
func NewNormalizer(opt NormalizerOptions) *Normalizer {
	if opt.ReplicaLabels == nil {
		opt.ReplicaLabels = DefaultReplicaLabels
	}
	if opt.SeverityLabels == nil {
		opt.SeverityLabels = []string{"severity", "level", "priority"}
	}
	if opt.MaxLabels <= 0 {
		opt.MaxLabels = defaultMaxLabel
	}
	if opt.MaxLabelBytes <= 0 {
		opt.MaxLabelBytes = defaultMaxBytes
	}
	return &Normalizer{opt: opt, severities: DefaultSeverities()}
}

// KeepsRaw says whether payloads of a source are to be kept.
func (n *Normalizer) KeepsRaw(source string) bool { return n.opt.Sources[source].KeepRaw }

// Normalize completes an event that a door decoded, received at now: times,
// severity, fingerprints. A fingerprint that the door has set already stays,
// for a source whose messages about one alert differ in their labels. The
// error names the field, its value and what to do; the reason is for counting.
func (n *Normalizer) Normalize(e *Event, now time.Time) (Reason, error) {
	if e.Kind == "" {
		e.Kind = KindAlert
	}
	if reason, err := n.check("labels", &e.Labels); err != nil {
		return reason, err
	}
	if reason, err := n.check("annotations", &e.Annotations); err != nil {
		return reason, err
	}
	if len(e.Labels) == 0 && e.Fingerprint == 0 {
		return ReasonInvalid, fmt.Errorf("labels: empty: an alert is identified by its labels; send at least alertname")
	}
	if err := e.times(now); err != nil {
		return ReasonInvalid, err
	}
	e.PrometheusFingerprint = FingerprintOf(e.Labels)
	if e.Fingerprint == 0 {
		e.Fingerprint = e.PrometheusFingerprint
		if identity := e.Labels.Without(n.opt.ReplicaLabels); len(identity) != len(e.Labels) {
			e.Fingerprint = FingerprintOf(identity)
		}
	}
	src := n.opt.Sources[e.Source]
	n.severity(e, src.Severities)
	if e.Timeout == 0 && e.Status == Firing && e.EndsAt.IsZero() {
		switch t, ok := defaultTimeouts[e.Source]; {
		case src.Timeout != nil:
			e.Timeout = *src.Timeout
		case ok:
			e.Timeout = t
		default:
			e.Timeout = defaultTimeout
		}
	}
	if !src.KeepRaw {
		e.Raw = nil
	}
	return "", nil
}

// check drops empty values and holds a label set to the limits.
func (n *Normalizer) check(field string, set *Labels) (Reason, error) {
	ls := *set
	if len(ls) > n.opt.MaxLabels {
		return ReasonTooLarge, fmt.Errorf("%s: %d of them, at most %d are taken; drop some at the source or raise ingest.max_labels", field, len(ls), n.opt.MaxLabels)
	}
	empty := false
	for i := range ls {
		l := &ls[i]
		switch {
		case l.Name == "":
			return ReasonInvalid, fmt.Errorf("%s: a name is empty (value %.80q)", field, l.Value)
		case len(l.Name) > n.opt.MaxLabelBytes:
			return ReasonTooLarge, fmt.Errorf("%s: the name %.80q… has %d bytes, at most %d are taken", field, l.Name, len(l.Name), n.opt.MaxLabelBytes)
		case len(l.Value) > n.opt.MaxLabelBytes:
			return ReasonTooLarge, fmt.Errorf("%s: the value of %.80q has %d bytes, at most %d are taken; shorten it or raise ingest.max_label_bytes", field, l.Name, len(l.Value), n.opt.MaxLabelBytes)
		case !utf8.ValidString(l.Name):
			return ReasonInvalid, fmt.Errorf("%s: the name %.80q is not UTF-8", field, l.Name)
		case !utf8.ValidString(l.Value):
			return ReasonInvalid, fmt.Errorf("%s: the value of %.80q, %.80q, is not UTF-8", field, l.Name, l.Value)
		case l.Value == "":
			empty = true
		}
	}
	if empty {
		*set = slices.DeleteFunc(slices.Clone(ls), func(l Label) bool { return l.Value == "" })
	}
	return "", nil
}

// isUnset takes the zero time and year 1, which Go programs send for it, in
// whatever zone.
func isUnset(t time.Time) bool { return t.IsZero() || t.UTC().Year() <= 1 }

var earliest = time.Unix(0, 0)

// latest is beyond every real time, and before times overflow microseconds.
var latest = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// times completes StartsAt and EndsAt as Alertmanager does.
func (e *Event) times(now time.Time) error {
	for _, t := range []struct {
		field string
		at    *time.Time
	}{{"starts_at", &e.StartsAt}, {"ends_at", &e.EndsAt}} {
		switch {
		case isUnset(*t.at):
			*t.at = time.Time{}
		case t.at.Before(earliest) || t.at.After(latest):
			return fmt.Errorf("%s: %s is not a time that an alert can have; leave it out if it is not known", t.field, t.at.Format(time.RFC3339))
		}
	}
	if e.Kind == KindAlert {
		if _, err := ParseStatus(string(e.Status)); err != nil {
			return err
		}
	}
	if e.StartsAt.IsZero() {
		e.StartsAt = now
		if !e.EndsAt.IsZero() && e.EndsAt.Before(now) {
			e.StartsAt = e.EndsAt
		}
	}
	if e.Status == Resolved && e.EndsAt.IsZero() {
		e.EndsAt = now
		if e.EndsAt.Before(e.StartsAt) {
			e.EndsAt = e.StartsAt
		}
	}
	if !e.EndsAt.IsZero() && e.EndsAt.Before(e.StartsAt) {
		return fmt.Errorf("ends_at: %s is before starts_at %s", e.EndsAt.Format(time.RFC3339Nano), e.StartsAt.Format(time.RFC3339Nano))
	}
	return nil
}

// severity finds the source's word and translates it. A door that knows both
// better has set them.
func (n *Normalizer) severity(e *Event, own SeverityMap) {
	if e.SourceSeverity == "" {
		for _, name := range n.opt.SeverityLabels {
			if v := e.Labels.Get(name); v != "" {
				e.SourceSeverity = v
				break
			}
		}
	}
	if e.SourceSeverity == "" {
		return
	}
	for _, m := range []SeverityMap{own, n.severities} {
		for _, word := range []string{e.SourceSeverity, strings.ToLower(strings.TrimSpace(e.SourceSeverity))} {
			if s, ok := m[word]; ok {
				e.Severity = s
				return
			}
		}
	}
}
