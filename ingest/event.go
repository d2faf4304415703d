package ingest

import (
	"encoding/json"
	"fmt"
	"time"
)

// Kind says what an event is about.
type Kind string

const (
	// KindAlert is a firing or a resolution of an alert.
	KindAlert Kind = "alert"
	// KindAcknowledge says that a person took an alert on in the sending tool.
	KindAcknowledge Kind = "acknowledge"
	// KindChange is a deployment, configuration change or planned change.
	KindChange Kind = "change"
	// KindCommand is an operator's command, kept so that a replay includes it.
	KindCommand Kind = "command"
	// KindOutage says that we ourselves were away from StartsAt to EndsAt, so
	// that the silence of sources in that time means nothing.
	KindOutage Kind = "outage"
)

// Status is the state of an alert.
type Status string

// The states of an alert.
const (
	Firing   Status = "firing"
	Resolved Status = "resolved"
)

// ParseStatus reads "firing" or "resolved".
func ParseStatus(s string) (Status, error) {
	switch Status(s) {
	case Firing, Resolved:
		return Status(s), nil
	default:
		return "", fmt.Errorf("status %q: want firing or resolved", s)
	}
}

// Event is one message as it arrived, in one shape for every source. A door
// fills in what the message says; [Normalizer.Normalize] completes and checks
// it; the engine gives it Seq and ReceivedAt.
type Event struct {
	// Seq is the event's place in the order of stored events, from 1.
	Seq  int64 `json:"seq"`
	Kind Kind  `json:"kind"`
	// Source is the configured name of the door, such as "alertmanager".
	Source string `json:"source"`
	// ReceivedAt is the time of the tick that took the event in.
	ReceivedAt time.Time `json:"received_at"`
	Status     Status    `json:"status,omitempty"`

	// Fingerprint is the identity: the hash of Labels without replica labels.
	Fingerprint Fingerprint `json:"fingerprint"`
	// PrometheusFingerprint is the hash of all Labels, as the sender computes it.
	PrometheusFingerprint Fingerprint `json:"prometheus_fingerprint"`
	Labels                Labels      `json:"labels"`
	Annotations           Labels      `json:"annotations,omitempty"`

	// StartsAt is when it began to fire; for a change, when it began.
	StartsAt time.Time `json:"starts_at"`
	// EndsAt is when it ended. On a firing alert it is the time after which
	// the source wants it taken for resolved unless it is sent again; zero
	// means the source gave none and Timeout decides.
	EndsAt time.Time `json:"ends_at,omitzero"`
	// Timeout is how long a firing alert without EndsAt stays firing when its
	// source falls silent; zero means for ever.
	Timeout time.Duration `json:"timeout_ns,omitempty"`

	Severity Severity `json:"severity"`
	// SourceSeverity is the severity in the source's own word.
	SourceSeverity string `json:"source_severity,omitempty"`
	GeneratorURL   string `json:"generator_url,omitempty"`
	// Actor is who acted, for an acknowledgement or a command.
	Actor string `json:"actor,omitempty"`
	// Raw is the payload as sent, kept only for sources configured so; for a
	// command, the command.
	Raw json.RawMessage `json:"raw,omitempty"`
}

// Name is the alert's name: the label alertname.
func (e *Event) Name() string { return e.Labels.Get("alertname") }

// Summary is the sentence a person reads first: the annotation summary, else
// description or message, else the name.
func (e *Event) Summary() string { return summary(e.Labels, e.Annotations) }

func summary(labels, annotations Labels) string {
	for _, n := range []string{"summary", "description", "message"} {
		if v := annotations.Get(n); v != "" {
			return v
		}
	}
	return labels.Get("alertname")
}
