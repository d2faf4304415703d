package replay

import (
	"cmp"
	"slices"
	"time"

	"tocsin/correlate"
	"tocsin/ingest"
)

// Episode is one span of an alert from firing to resolved.
type Episode struct {
	Fingerprint ingest.Fingerprint
	StartsAt    int64 // microseconds
}

// EpisodeOf names the episode of an alert that began at a time.
func EpisodeOf(fp ingest.Fingerprint, startsAt time.Time) Episode {
	return Episode{fp, micros(startsAt)}
}

// micros is a time as engines and stores have it; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// String is the fingerprint and the beginning, by which an alert is named in
// files when it has no other name.
func (e Episode) String() string {
	return e.Fingerprint.String() + "@" + time.UnixMicro(e.StartsAt).UTC().Format("2006-01-02T15:04:05.999999Z")
}

// Outcome is what became of alerts: in which incident each of their episodes
// is, and what is worth knowing of the incidents. It is filled with the records
// of an engine or of a store, in the order of their numbers.
type Outcome struct {
	// Since leaves incidents opened before it, and alerts that began before it,
	// out of what is counted; zero counts all.
	Since time.Time

	known     map[Episode]int32
	episodes  []placed // in the order in which they became known
	numbers   map[string]int32
	incidents []Incident
	untold    bool // who was told is not known
	// former are the incidents that an episode was in before, without having been
	// taken out of them: it went on elsewhere after they had ended.
	former map[int32][]int32
}

type placed struct {
	Episode
	incident int32 // nowhere when it was left out
}

const nowhere int32 = -1

// Incident is what an outcome keeps of one.
type Incident struct {
	ID       string
	Title    string
	OpenedAt time.Time
	// MergedInto is empty for one that is an incident to the end.
	MergedInto string
	// Causes are the likeliest of its last revision, the likeliest first.
	Causes []Cause
	// Change is the likeliest of those that may have caused it; its ID is empty
	// when there is none.
	Change Cause
	// Signature is what it has in common with others that were the same; empty
	// when there are none.
	Signature string
	// Paged is how often somebody was told that it opened or reopened.
	Paged int

	group string
}

// Cause is a candidate for the cause of an incident.
type Cause struct {
	Kind, ID string
	Score    int // of a thousand
}

// NewOutcome makes an empty outcome.
func NewOutcome() *Outcome {
	return &Outcome{known: map[Episode]int32{}, numbers: map[string]int32{}, former: map[int32][]int32{}}
}

func (o *Outcome) episode(e Episode) int32 {
	i, ok := o.known[e]
	if !ok {
		i = int32(len(o.episodes))
		o.known[e] = i
		o.episodes = append(o.episodes, placed{e, nowhere})
	}
	return i
}

func (o *Outcome) incident(id string) int32 {
	i, ok := o.numbers[id]
	if !ok {
		i = int32(len(o.incidents))
		o.numbers[id] = i
		o.incidents = append(o.incidents, Incident{ID: id})
	}
	return i
}

// AddAlert takes a revision of an alert.
func (o *Outcome) AddAlert(a *ingest.Alert) { o.episode(EpisodeOf(a.Fingerprint, a.StartsAt)) }

// AddAttachment takes what was decided on an alert.
func (o *Outcome) AddAttachment(a *correlate.Attachment) {
	n := o.episode(EpisodeOf(a.Fingerprint, a.StartsAt))
	e := &o.episodes[n]
	i := o.incident(a.Incident)
	if former := o.former[n]; len(former) > 0 {
		o.former[n] = slices.DeleteFunc(former, func(f int32) bool { return f == i })
	}
	switch {
	case !a.Detached:
		if e.incident != nowhere && e.incident != i {
			o.former[n] = append(o.former[n], e.incident)
		}
		e.incident = i
	case e.incident == i:
		e.incident = nowhere
	}
}

// wasIn says whether an episode is, or was to the end, in an incident.
func (o *Outcome) wasIn(e Episode, id string) bool {
	n, known := o.known[e]
	i, made := o.numbers[id]
	return known && made && (o.episodes[n].incident == i || slices.Contains(o.former[n], i))
}

// AddIncident takes a revision of an incident.
func (o *Outcome) AddIncident(rec *correlate.Incident) {
	i := &o.incidents[o.incident(rec.ID)]
	i.Title, i.OpenedAt, i.MergedInto = rec.Title, rec.OpenedAt, rec.MergedInto
	i.Signature, i.Change = rec.Signature, Cause{}
	if len(rec.Changes) > 0 {
		i.Change = Cause{kindChange, rec.Changes[0].ID, rec.Changes[0].Score}
	}
	i.Causes = i.Causes[:0]
	for _, c := range rec.Causes {
		i.Causes = append(i.Causes, Cause{c.Kind, c.ID, c.Score})
	}
	switch correlate.NoticeOf(rec) {
	case correlate.NoticeOpened, correlate.NoticeReopened:
		if !rec.At.Before(o.Since) {
			i.Paged++
		}
	default:
	}
}

// final is where the alerts of an incident are in the end, as merges lead
// there.
func (o *Outcome) final(i int32) int32 {
	for range len(o.incidents) { // merges form no cycle; a bound all the same
		if i == nowhere || o.incidents[i].MergedInto == "" {
			return i
		}
		next, ok := o.numbers[o.incidents[i].MergedInto]
		if !ok {
			return i
		}
		i = next
	}
	return i
}

// counts says that an incident was not merged into another and is recent
// enough.
func (o *Outcome) counts(i int32) bool {
	return o.final(i) == i && !o.incidents[i].OpenedAt.Before(o.Since)
}

// Where is the incident that an episode is in, in the end; false when it was
// left out.
func (o *Outcome) Where(e Episode) (*Incident, bool) {
	i, ok := o.known[e]
	if !ok {
		return nil, false
	}
	at := o.final(o.episodes[i].incident)
	if at == nowhere {
		return nil, false
	}
	return &o.incidents[at], true
}

// Incidents are those that were not merged into others, in the order in which
// they were opened.
func (o *Outcome) Incidents() []*Incident {
	var out []*Incident
	for i := range o.incidents {
		if o.counts(int32(i)) {
			out = append(out, &o.incidents[i])
		}
	}
	slices.SortFunc(out, func(a, b *Incident) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Totals are an outcome in numbers.
type Totals struct {
	// Episodes are the alerts, each firing counted; LeftOut those of them that
	// are in no incident.
	Episodes int `json:"episodes"`
	LeftOut  int `json:"left_out"`
	// Incidents are those that were not merged into others.
	Incidents int `json:"incidents"`
	// Paged is how often somebody would have been told that one opened or
	// reopened.
	Paged int `json:"paged"`
	// Reduction is how much less there is to read: 1 - incidents/episodes.
	Reduction float64 `json:"noise_reduction"`
}

// Totals counts.
func (o *Outcome) Totals() Totals {
	var t Totals
	since := micros(o.Since)
	for i := range o.episodes {
		if o.episodes[i].StartsAt < since {
			continue
		}
		t.Episodes++
		if o.episodes[i].incident == nowhere {
			t.LeftOut++
		}
	}
	for i := range o.incidents {
		t.Paged += o.incidents[i].Paged
		if o.counts(int32(i)) {
			t.Incidents++
		}
	}
	if t.Episodes > 0 {
		t.Reduction = 1 - float64(t.Incidents)/float64(t.Episodes)
	}
	return t
}
