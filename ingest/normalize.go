package ingest

import (
	"errors"
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
	// MaxLabelBytes bounds a label's name and value; 0 means 4 KiB.
	MaxLabelBytes int
	// MaxAnnotationBytes bounds an annotation's name and value, and the event's
	// other texts; 0 means 64 KiB, or MaxLabelBytes if that is more.
	// A stack trace is an annotation's business and not a label's.
	MaxAnnotationBytes int
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
	defaultTimeout            = 24 * time.Hour
	defaultMaxLabels          = 128
	defaultMaxLabelBytes      = 4 << 10
	defaultMaxAnnotationBytes = 64 << 10
)

// Normalizer completes and checks events. It is safe for concurrent use.
type Normalizer struct {
	opt     NormalizerOptions
	usual   SeverityMap
	sources map[string]*source
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
		opt.MaxLabels = defaultMaxLabels
	}
	if opt.MaxLabelBytes <= 0 {
		opt.MaxLabelBytes = defaultMaxLabelBytes
	}
	if opt.MaxAnnotationBytes <= 0 {
		opt.MaxAnnotationBytes = max(defaultMaxAnnotationBytes, opt.MaxLabelBytes)
	}
	opt.ReplicaLabels = slices.Sorted(slices.Values(opt.ReplicaLabels))
	n := &Normalizer{opt: opt, usual: DefaultSeverities(), sources: make(map[string]*source, len(opt.Sources))}
	for name, o := range opt.Sources {
		n.sources[name] = newSource(name, o)
	}
	return n
}

// source is what holds for one source, defaults included.
type source struct {
	severities SeverityMap
	timeout    time.Duration
	keepRaw    bool
}

func newSource(name string, o SourceOptions) *source {
	s := &source{timeout: defaultTimeout, keepRaw: o.KeepRaw}
	if t, ok := defaultTimeouts[name]; ok {
		s.timeout = t
	}
	if o.Timeout != nil {
		s.timeout = *o.Timeout
	}
	if len(o.Severities) > 0 {
		s.severities = make(SeverityMap, len(o.Severities))
		for word, severity := range o.Severities {
			s.severities[strings.ToLower(strings.TrimSpace(word))] = severity
		}
	}
	return s
}

// KeepsRaw says whether payloads of a source are to be kept.
func (n *Normalizer) KeepsRaw(source string) bool { return n.opt.Sources[source].KeepRaw }

// Normalize completes an event that a door decoded, received at now, and
// checks it: labels and annotations within limits and without empty values,
// times that can be, fingerprints, severity, timeout. What a door has set
// stays: a Fingerprint, for a source whose messages about one alert differ in
// their labels; SourceSeverity, for one that has a field for it; Timeout.
//
// The error names the field, its value and what to do; the reason is for
// counting it. The event is then in no defined state.
func (n *Normalizer) Normalize(e *Event, now time.Time) (Reason, error) {
	if e.Kind == "" {
		e.Kind = KindAlert
	}
	if reason, err := n.check("labels", "ingest.max_label_bytes", &e.Labels, n.opt.MaxLabelBytes); err != nil {
		return reason, err
	}
	if reason, err := n.check("annotations", "", &e.Annotations, n.opt.MaxAnnotationBytes); err != nil {
		return reason, err
	}
	if len(e.Labels) == 0 && e.Fingerprint == 0 {
		return ReasonInvalid, errors.New("labels: empty, but an event is identified by its labels; send at least alertname")
	}
	if reason, err := e.text(n.opt.MaxAnnotationBytes); err != nil {
		return reason, err
	}
	if err := e.times(now); err != nil {
		return ReasonInvalid, err
	}
	n.identify(e)
	src := n.sources[e.Source]
	if src == nil {
		src = &source{timeout: defaultTimeout}
		if t, ok := defaultTimeouts[e.Source]; ok {
			src.timeout = t
		}
	}
	n.severity(e, src.severities)
	if e.Kind == KindAlert && e.Status == Firing && e.Timeout == 0 && e.EndsAt.IsZero() {
		e.Timeout = src.timeout
	}
	if !src.keepRaw {
		e.Raw = nil
	}
	return "", nil
}

// identify computes the fingerprints, both in one pass: up to the first replica
// label they are the same.
func (n *Normalizer) identify(e *Event) {
	all, identity := noLabels, noLabels
	same, identifying, j := true, 0, 0
	for i := range e.Labels {
		l := &e.Labels[i]
		// Both are sorted.
		for j < len(n.opt.ReplicaLabels) && n.opt.ReplicaLabels[j] < l.Name {
			j++
		}
		all = all.with(l)
		switch replica := j < len(n.opt.ReplicaLabels) && n.opt.ReplicaLabels[j] == l.Name; {
		case replica:
			same = false
			continue
		case same:
			identity = all
		default:
			identity = identity.with(l)
		}
		identifying++
	}
	e.PrometheusFingerprint = all
	if e.Fingerprint != 0 {
		return
	}
	e.Fingerprint = identity
	if identifying == 0 {
		// An alert of nothing but replica labels would be the same as every
		// other such one.
		e.Fingerprint = all
	}
}

// check drops empty values and holds a set to the limits. key is the
// configuration's name of maxBytes, if it has one.
func (n *Normalizer) check(field, key string, set *Labels, maxBytes int) (Reason, error) {
	ls := *set
	if len(ls) > n.opt.MaxLabels {
		return ReasonTooLarge, fmt.Errorf("%s: %d of them, at most %d are taken; send fewer or raise ingest.max_labels", field, len(ls), n.opt.MaxLabels)
	}
	empty := false
	for i := range ls {
		l := &ls[i]
		switch {
		case l.Name == "":
			return ReasonInvalid, fmt.Errorf("%s: a name is empty (its value is %.80q); name it or leave it out", field, l.Value)
		case len(l.Name) > maxBytes:
			return ReasonTooLarge, fmt.Errorf("%s: the name %.80q… has %d bytes, at most %d are taken; shorten it", field, l.Name, len(l.Name), maxBytes)
		case len(l.Value) > maxBytes:
			next := "shorten it"
			if key != "" {
				next += " or raise " + key
			}
			return ReasonTooLarge, fmt.Errorf("%s: the value of %.80q has %d bytes, at most %d are taken; %s", field, l.Name, len(l.Value), maxBytes, next)
		case !utf8.ValidString(l.Name):
			return ReasonInvalid, fmt.Errorf("%s: the name %.80q is not UTF-8; send text in UTF-8", field, l.Name)
		case !utf8.ValidString(l.Value):
			return ReasonInvalid, fmt.Errorf("%s: the value of %.80q, %.80q, is not UTF-8; send text in UTF-8", field, l.Name, l.Value)
		case i > 0 && ls[i-1].Name >= l.Name:
			// A door's mistake, or a name twice: lookups would miss it.
			*set = SortLabels(slices.Clone(ls))
			return n.check(field, key, set, maxBytes)
		case l.Value == "":
			empty = true
		}
	}
	if empty {
		*set = slices.DeleteFunc(slices.Clone(ls), func(l Label) bool { return l.Value == "" })
	}
	return "", nil
}

// text holds the other texts of an event to what can be stored and shown.
func (e *Event) text(maxBytes int) (Reason, error) {
	for _, t := range [...]struct{ field, text string }{
		{"generator_url", e.GeneratorURL}, {"severity", e.SourceSeverity}, {"actor", e.Actor},
	} {
		switch {
		case len(t.text) > maxBytes:
			return ReasonTooLarge, fmt.Errorf("%s: %d bytes, at most %d are taken; shorten it", t.field, len(t.text), maxBytes)
		case !utf8.ValidString(t.text):
			return ReasonInvalid, fmt.Errorf("%s: %.80q is not UTF-8; send text in UTF-8", t.field, t.text)
		}
	}
	return "", nil
}

// isUnset takes the zero time and year 1, which Go programs send for it, in
// whatever zone.
func isUnset(t time.Time) bool { return t.IsZero() || t.Year() == 1 || t.UTC().Year() == 1 }

// earliest and latest bound the times that are believed: nothing that sends
// alerts is older, and after the year 9999 RFC 3339 ends.
var (
	earliest = time.Unix(0, 0)
	latest   = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
)

// clean makes a time of the precision that stores keep, so that an episode is
// named alike before and after a restart; an unset time becomes the zero time.
func clean(field string, t *time.Time) error {
	switch {
	case isUnset(*t):
		*t = time.Time{}
	case t.Before(earliest) || t.After(latest):
		return fmt.Errorf("%s: %s is not a time that an event can have; send the right one, or leave it out if it is not known", field, t.Format(time.RFC3339))
	default:
		*t = t.UTC().Truncate(time.Microsecond)
	}
	return nil
}

// times completes StartsAt and EndsAt as Alertmanager does, but for one thing:
// an alert that is firing without a start began now and not at its expiry.
func (e *Event) times(now time.Time) error {
	if err := errors.Join(clean("starts_at", &e.StartsAt), clean("ends_at", &e.EndsAt), clean("now", &now)); err != nil {
		return err
	}
	if e.Kind == KindAlert && e.Status != Firing && e.Status != Resolved {
		_, err := ParseStatus(string(e.Status))
		return err
	}
	if e.StartsAt.IsZero() {
		e.StartsAt = now
		if !e.EndsAt.IsZero() && e.EndsAt.Before(now) {
			e.StartsAt = e.EndsAt
		}
	}
	if e.Status == Resolved && e.EndsAt.IsZero() {
		// The clock of the sender may be ahead of ours.
		e.EndsAt = now
		if e.EndsAt.Before(e.StartsAt) {
			e.EndsAt = e.StartsAt
		}
	}
	if !e.EndsAt.IsZero() && e.EndsAt.Before(e.StartsAt) {
		return fmt.Errorf("ends_at: %s is before starts_at, %s; correct one of them, or leave ends_at out", e.EndsAt.Format(time.RFC3339Nano), e.StartsAt.Format(time.RFC3339Nano))
	}
	return nil
}

// severity finds the source's word and translates it. A word that nobody knows
// leaves what the door has set, which is Unknown unless it knew better.
func (n *Normalizer) severity(e *Event, own SeverityMap) {
	for i := 0; e.SourceSeverity == "" && i < len(n.opt.SeverityLabels); i++ {
		e.SourceSeverity = e.Labels.Get(n.opt.SeverityLabels[i])
	}
	if e.SourceSeverity == "" {
		return
	}
	word := strings.ToLower(strings.TrimSpace(e.SourceSeverity))
	if s, ok := own[word]; ok {
		e.Severity = s
	} else if s, ok := n.usual[word]; ok {
		e.Severity = s
	}
}
