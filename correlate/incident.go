package correlate

import (
	"fmt"
	"time"

	"tocsin/ingest"
)

// Status is the state of an incident.
//
//	pending ──► open (see below), or closed without anybody having been told
//	open ──► acknowledged ──► resolved ──► closed
//	  └── on_hold ──┘            │ reopened within the window
//	  merged: its alerts live on in MergedInto
type Status string

// The states of an incident.
const (
	// Pending waits, by a rule, for more alerts or for a time: nobody is told.
	Pending      Status = "pending"
	Open         Status = "open"
	Acknowledged Status = "acknowledged"
	OnHold       Status = "on_hold"
	Resolved     Status = "resolved"
	Closed       Status = "closed"
	Merged       Status = "merged"
)

// Statuses are all states, in the order of an incident's life.
var Statuses = []Status{Pending, Open, Acknowledged, OnHold, Resolved, Closed, Merged}

// ParseStatus reads one of [Statuses].
func ParseStatus(s string) (Status, error) {
	for _, st := range Statuses {
		if string(st) == s {
			return st, nil
		}
	}
	return "", fmt.Errorf("incident status %q: want one of %v", s, Statuses)
}

// Active says whether it takes alerts in: pending, open, acknowledged or on hold.
func (s Status) Active() bool { return s == Pending || s == Open || s == Acknowledged || s == OnHold }

// Incident is one revision of an incident. Its history is its timeline.
type Incident struct {
	// ID is short enough to say aloud, such as "7DK-Q2M4": the day it was
	// opened and a hash of its first alert. IDs of later days sort later.
	ID       string `json:"id"`
	Revision int64  `json:"revision"`
	// At is when this revision took effect.
	At     time.Time `json:"at"`
	Status Status    `json:"status"`
	Title  string    `json:"title"`

	// Severity is the worst of its firing alerts; once none fires, the worst
	// of all its alerts.
	Severity ingest.Severity `json:"severity"`
	// Priority is 1 (P1) to 5, from Impact × Urgency.
	Priority Priority `json:"priority"`
	// Impact and Urgency are levels, 1 (high) to 3 (low).
	Impact  int `json:"impact"`
	Urgency int `json:"urgency"`

	// StartedAt is when its first alert began to fire; OpenedAt when we knew.
	StartedAt      time.Time `json:"started_at"`
	OpenedAt       time.Time `json:"opened_at"`
	AcknowledgedAt time.Time `json:"acknowledged_at,omitzero"`
	AcknowledgedBy string    `json:"acknowledged_by,omitempty"`
	HoldUntil      time.Time `json:"hold_until,omitzero"`
	ResolvedAt     time.Time `json:"resolved_at,omitzero"`
	ClosedAt       time.Time `json:"closed_at,omitzero"`
	// HeldOpen says that people reopened it while none of its alerts fired: it
	// is theirs to resolve, unless one fires and ends again.
	HeldOpen bool `json:"held_open,omitempty"`
	// Untold says that it ended while it was pending: nobody was told of it.
	Untold   bool   `json:"untold,omitempty"`
	Assignee string `json:"assignee,omitempty"`

	MergedInto string   `json:"merged_into,omitempty"`
	MergedFrom []string `json:"merged_from,omitempty"`
	SplitFrom  string   `json:"split_from,omitempty"`
	// Apart are the incidents that people took apart from this one; the
	// engine never merges them by itself.
	Apart []string `json:"apart,omitempty"`

	Alerts  AlertCounts `json:"alerts"`
	Sources []string    `json:"sources"`
	// Labels are those that all its alerts share.
	Labels ingest.Labels `json:"labels,omitempty"`
	// Causes are the likely causes, likeliest first, at most ten.
	Causes []Cause `json:"causes"`
	// ConfirmedCauses are the CIs that people linked as causes.
	ConfirmedCauses []string    `json:"confirmed_causes,omitempty"`
	Blast           BlastRadius `json:"blast_radius"`

	// Signature names what it has in common with earlier incidents that were
	// the same, see [Signature]. Until JudgedAt it is provisional: the one that
	// its alerts so far are similar to, empty when that is none.
	Signature string `json:"signature,omitempty"`
	// Changes are the changes that may have caused it, likeliest first, at most
	// three; those of 50 thousandths are possible, those of 200 linked. Until
	// JudgedAt they are provisional.
	Changes []SuspectChange `json:"changes,omitempty"`
	// JudgedAt is when its signature and changes were settled: [JudgedAfter] it
	// was opened, or when it closed if that was sooner.
	JudgedAt time.Time `json:"judged_at,omitzero"`

	// Entries say what this revision did, in order.
	Entries []Entry `json:"entries"`
}

// AlertCounts counts an incident's alerts.
type AlertCounts struct {
	Firing int `json:"firing"`
	Total  int `json:"total"`
	// CIs is the number of different CIs they are bound to.
	CIs int `json:"cis"`
}

// Priority is 1 (P1, the most pressing) to 5.
type Priority int

func (p Priority) String() string { return fmt.Sprintf("P%d", int(p)) }

// Cause is one candidate for what caused an incident.
type Cause struct {
	Kind string `json:"kind"` // "ci", "alert" or "change"
	// ID is the CI's ID, the alert's fingerprint or the change event's number.
	ID   string `json:"id"`
	Name string `json:"name"`
	// Score is the share of the best possible score, 0 to 1000.
	Score int `json:"score"`
	// Parts sum up to the raw score, of which Score is the share.
	Parts  []Part `json:"parts"`
	Reason string `json:"reason"`
	// At is when a change was made.
	At time.Time `json:"at,omitzero"`
}

// Part is one contribution to a score, in points.
type Part struct {
	Kind   string `json:"kind"`
	Points int    `json:"points"`
	Detail string `json:"detail,omitempty"`
}

// BlastRadius is what the likely cause takes down, computed from the estate,
// together with the CIs that are alerting.
type BlastRadius struct {
	CIs int `json:"cis"`
	// Services are the IDs of the services hit, most critical first, at most
	// fifty; ServiceCount counts them all.
	Services     []string `json:"services"`
	ServiceCount int      `json:"service_count"`
	// Truncated says that the search stopped at its budget and more are hit.
	Truncated bool   `json:"truncated,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// EntryKind says what happened to an incident.
type EntryKind string

// What can happen to an incident.
const (
	EntryPending      EntryKind = "pending"
	EntryOpened       EntryKind = "opened"
	EntryAlerts       EntryKind = "alerts"
	EntrySeverity     EntryKind = "severity"
	EntryPriority     EntryKind = "priority"
	EntryCause        EntryKind = "cause"
	EntryChange       EntryKind = "change" // another change is taken for the cause
	EntryAcknowledged EntryKind = "acknowledged"
	EntryAssigned     EntryKind = "assigned"
	EntryHeld         EntryKind = "held"
	EntryResumed      EntryKind = "resumed"
	EntryResolved     EntryKind = "resolved"
	EntryClosed       EntryKind = "closed"
	EntryReopened     EntryKind = "reopened"
	EntryCommented    EntryKind = "commented"
	EntryMerged       EntryKind = "merged" // others were merged into this one
	EntryMergedInto   EntryKind = "merged_into"
	EntryUnmerged     EntryKind = "unmerged"
	EntrySplit        EntryKind = "split"
	EntryMoved        EntryKind = "moved"
	EntryLinked       EntryKind = "linked"
	EntryUnlinked     EntryKind = "unlinked"
)

// Entry is one line of an incident's timeline.
type Entry struct {
	Kind EntryKind `json:"kind"`
	// By is who did it: an operator's name, or "tocsin".
	By   string `json:"by"`
	Text string `json:"text"`
}

// Attachment is one revision of the membership of an alert's episode in an
// incident, with the evidence for it.
type Attachment struct {
	// Revision is the engine's record number, unique over all attachments.
	Revision    int64              `json:"revision"`
	At          time.Time          `json:"at"`
	Incident    string             `json:"incident"`
	Fingerprint ingest.Fingerprint `json:"fingerprint"`
	StartsAt    time.Time          `json:"starts_at"`
	// Began is when the alert first began to fire in the incident, which may
	// be in an episode before this one. It is zero in records from before it
	// was kept.
	Began time.Time `json:"began,omitzero"`
	// CI is what the alert was bound to then.
	CI string `json:"ci,omitempty"`
	// Detached says that the alert left the incident.
	Detached bool     `json:"detached,omitempty"`
	By       string   `json:"by"`
	Evidence Evidence `json:"evidence"`
}

// Evidence is why an alert was put where it was put.
type Evidence struct {
	// Sentence says it in words.
	Sentence  string `json:"sentence"`
	Score     int    `json:"score"`
	Threshold int    `json:"threshold"`
	Parts     []Part `json:"parts,omitempty"`
	// Nearest is the member alert that the parts compare with.
	Nearest ingest.Fingerprint `json:"nearest,omitzero"`
	// Path leads from the alert's CI to the nearest member's, ends included.
	Path []string      `json:"path,omitempty"`
	Gap  time.Duration `json:"gap_ns,omitempty"`
	// RunnersUp are the other incidents looked at and why they lost.
	RunnersUp []RunnerUp `json:"runners_up,omitempty"`
	// Model is the version of the scoring that decided, Config identifies the
	// configuration that it used, weights and rules included.
	Model  string `json:"model"`
	Config string `json:"config,omitempty"`
}

// RunnerUp is an incident that was looked at and not chosen.
type RunnerUp struct {
	Incident string `json:"incident"`
	Score    int    `json:"score"`
	Reason   string `json:"reason"`
}

// Link ties any record to any other. The ends are "kind:id" with kind one of
// incident, alert, ci, change, problem, known_error, article, request, ticket,
// or any absolute URL.
type Link struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Kind says how From relates to To: relates_to, caused_by, duplicate_of…
	Kind     string    `json:"kind"`
	Revision int64     `json:"revision"`
	At       time.Time `json:"at"`
	By       string    `json:"by"`
	Removed  bool      `json:"removed,omitempty"`
}
