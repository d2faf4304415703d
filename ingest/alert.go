package ingest

import "time"

// Alert is one revision of what is known of a fingerprint: its current
// episode, what it is about, and where it was put. A re-send that says nothing
// new makes no revision, only a [Sighting].
type Alert struct {
	Fingerprint           Fingerprint `json:"fingerprint"`
	PrometheusFingerprint Fingerprint `json:"prometheus_fingerprint"`
	// StartsAt names the episode, together with Fingerprint.
	StartsAt time.Time `json:"starts_at"`
	// Revision rises with every stored revision of any alert. It is the
	// engine's record number and not a count per alert, so that it stays
	// unique after the engine has forgotten a long resolved alert.
	Revision int64     `json:"revision"`
	At       time.Time `json:"at"`

	Status Status `json:"status"`
	// EndsAt is when the episode ended; zero while it fires.
	EndsAt time.Time `json:"ends_at,omitzero"`
	// ExpiresAt is when a firing alert resolves unless it is sent again; zero
	// means never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// DecidedAt is when Status last changed here; EndsAt is the source's word.
	DecidedAt time.Time `json:"decided_at"`
	// EndedBy is who ended it: "source" or "timeout".
	EndedBy  string   `json:"ended_by,omitempty"`
	Source   string   `json:"source"`
	Severity Severity `json:"severity"`
	// SourceSeverity is the severity in the source's own word.
	SourceSeverity string `json:"source_severity,omitempty"`

	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	// Count is the number of events folded into the episode so far.
	Count int64 `json:"count"`
	// EventSeq is the newest stored event: it holds labels and annotations.
	EventSeq int64 `json:"event_seq"`

	// CI is the configuration item the alert is about; empty when unbound.
	CI string `json:"ci,omitempty"`
	// BoundBy is the rule and the key by which CI was found ("host=web-1").
	BoundBy string `json:"bound_by,omitempty"`
	// Ambiguous lists the CIs that matched equally well; then CI is empty.
	Ambiguous []string `json:"ambiguous,omitempty"`
	// Tried lists the rules and keys that found nothing, for an unbound alert.
	Tried []string `json:"tried,omitempty"`

	// Incident is where the alert is; empty when suppressed or not needed.
	Incident string `json:"incident,omitempty"`
	// Suppression says why a firing alert is in no incident: "flapping",
	// "watchdog", "operator", or by its own past "chronic" or "periodic".
	Suppression string `json:"suppression,omitempty"`
	Flapping    bool   `json:"flapping,omitempty"`
	// Transitions are the recent changes of status that flapping is judged by.
	Transitions []time.Time `json:"transitions,omitempty"`

	// Labels and Annotations are those of the newest stored event. A store
	// keeps them once, with the event, and joins them on reading.
	Labels       Labels `json:"labels,omitempty"`
	Annotations  Labels `json:"annotations,omitempty"`
	GeneratorURL string `json:"generator_url,omitempty"`
}

// Name is the alert's name: the label alertname.
func (a *Alert) Name() string { return a.Labels.Get("alertname") }

// Summary is the sentence a person reads first.
func (a *Alert) Summary() string { return summary(a.Labels, a.Annotations) }

// Sighting is a re-send folded into an alert: it moves LastSeen, ExpiresAt and
// Count and says nothing else.
type Sighting struct {
	Fingerprint Fingerprint
	LastSeen    time.Time
	ExpiresAt   time.Time // zero means never
	Count       int64     // the new total
}
