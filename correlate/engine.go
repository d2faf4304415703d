package correlate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"tocsin/cmdb"
	"tocsin/ingest"
)

// Engine holds what is going on: the alerts that fire or recently did, the
// incidents that are not closed for long, the estate. See the package comment
// for what it promises. The zero Engine is not usable; see [New].
type Engine struct {
	cfg Config
	// config identifies cfg.
	config string
	rules  []cmdb.Rule
	// rulings are the rules of operators.
	rulings rules
	estate  *estate
	binder  *cmdb.Binder

	now       int64 // effective time of what is being decided, microseconds
	revision  int64 // highest record number given
	eventSeq  int64
	alerts    map[ingest.Fingerprint]*alert
	incidents map[string]*incident
	places    places
	changes   map[int32][]*change
	timers    timers
	commands  map[string]int64 // recent command IDs and when
	origins   map[origin]*origin

	// What the past taught: of kinds of alerts, of single alerts, of CIs.
	habits  map[uint64]*Habit
	pasts   pasts
	traffic traffic
	// And of names, CIs and changes, for finding causes. where sums up what the
	// symptoms know; confirmed are the sites that people named. generation
	// counts how often something was learned that causes depend on.
	symptoms    map[uint32]*Symptom
	sites       map[string]*Site
	confirmed   map[string]*Site
	changeRates map[string]*ChangeRate
	where       [positions]int64
	generation  int64
	scratch     sums
	ratings     []rating
	// And of what recurs, and of changes and how often incidents come of them.
	signatures  signatures
	changePasts map[string]*ChangePast
	rate        Rate
	swept       int64 // number of the half hour at which the old was last dropped
	weight      [evKinds]int

	// firing, labelCount and subjectCount describe the alerts that fire now:
	// how many, and how many with each label and each subject.
	firing       int
	labelCount   map[uint32]int32
	subjectCount map[uint32]int32

	pending struct {
		topology   *cmdb.Snapshot
		retopology bool
		outages    []time.Time
		events     []*ingest.Event
		commands   []*Command
		recalls    []State
	}
	out         *Output
	dirty       []*incident
	dirtyAlerts []*alert
	sighted     []*alert
	learned     map[remembered]struct{}

	grouping *grouping // nil: the engine finds it

	placeNames cache[string] // of CIs, kept once computed

	packer packer
	views  views
	best   []candidate
	// weights are the rarities of the labels of the alert being placed.
	weights []int64
	other   ingest.Labels
}

// New makes an engine without state and with an empty estate. bindings say how
// alerts are bound to CIs, nil for the default rules. It returns an error when
// the configuration or a rule is impossible.
func New(cfg Config, bindings []cmdb.Rule) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	rulings, err := compileRules(cfg.Rules)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		cfg: cfg, config: cfg.id(), rules: bindings, rulings: rulings,
		alerts: map[ingest.Fingerprint]*alert{}, incidents: map[string]*incident{},
		places: newPlaces(), changes: map[int32][]*change{}, commands: map[string]int64{},
		labelCount: map[uint32]int32{}, subjectCount: map[uint32]int32{}, origins: map[origin]*origin{},
		habits: map[uint64]*Habit{}, learned: map[remembered]struct{}{},
		symptoms: map[uint32]*Symptom{}, sites: map[string]*Site{}, confirmed: map[string]*Site{}, changeRates: map[string]*ChangeRate{}, pasts: pasts{}, traffic: traffic{}, weight: cfg.Weights.byKind(),
		signatures: newSignatures(), changePasts: map[string]*ChangePast{},
	}
	if err := e.setEstate(nil); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Engine) setEstate(s *cmdb.Snapshot) error {
	b, err := cmdb.NewBinder(e.rules, s)
	if err != nil {
		return fmt.Errorf("binding rules: %w", err)
	}
	e.estate, e.binder, e.views = newEstate(s, &e.rulings), b, views{}
	e.placeNames = newCache[string](8192)
	return nil
}

// ObserveEvent takes an event in; the next tick looks at it. The engine keeps
// the event, whose Seq and ReceivedAt it sets.
func (e *Engine) ObserveEvent(ev *ingest.Event) { e.pending.events = append(e.pending.events, ev) }

// ObserveCommand takes a valid command in; the next tick carries it out and
// has a [Reply] for it.
func (e *Engine) ObserveCommand(c *Command) { e.pending.commands = append(e.pending.commands, c) }

// ObserveEstate replaces the estate at the next tick: every alert is bound
// anew. Incidents keep their alerts.
func (e *Engine) ObserveEstate(s *cmdb.Snapshot) {
	e.pending.topology, e.pending.retopology = s, true
}

// ObserveOutage says that nothing could reach the engine since a time: alerts
// that would have expired since then get a grace period from the next tick on.
func (e *Engine) ObserveOutage(since time.Time) {
	e.pending.outages = append(e.pending.outages, since)
}

// Recall gives the engine back an incident that it has forgotten, with its
// alerts and attachments, so that a command can act on it.
func (e *Engine) Recall(s State) { e.pending.recalls = append(e.pending.recalls, s) }

// Tick carries out what was observed since the last tick, and every timer due
// until now. now is cut to microseconds and never goes back: an earlier time
// than that of the last tick counts as the last.
func (e *Engine) Tick(now time.Time) *Output {
	t := max(micros(now), e.now)
	e.out = &Output{At: timeOf(t)}
	if len(e.pending.outages) > 0 {
		// Before the timers: those that came due while we were away would
		// take silence for resolution.
		e.now = t
		for _, since := range e.pending.outages {
			e.outage(since)
		}
		e.pending.outages = nil
	}
	for {
		due, ok := e.timers.next()
		if !ok || due > t {
			break
		}
		e.now = max(due, e.now)
		for ok && due <= e.now {
			e.expire(e.timers.pop())
			due, ok = e.timers.next()
		}
		e.flush()
	}
	e.now = t
	e.takePending()
	e.flush()
	out := e.out
	e.out = nil
	return out
}

// Now is the effective time of the newest tick.
func (e *Engine) Now() time.Time { return timeOf(e.now) }

// NextDue is when a timer may be due next: a tick before that decides nothing
// unless something was observed. False means that no timer runs.
func (e *Engine) NextDue() (time.Time, bool) {
	due, ok := e.timers.next()
	return timeOf(due), ok
}

func (e *Engine) takePending() {
	p := &e.pending
	if p.retopology {
		e.rebind(p.topology)
	}
	for i := range p.recalls {
		e.recall(&p.recalls[i])
	}
	slices.SortFunc(p.events, compareEvents)
	for _, ev := range p.events {
		e.take(ev)
	}
	slices.SortStableFunc(p.commands, func(a, b *Command) int { return cmp.Compare(a.ID, b.ID) })
	for _, c := range p.commands {
		e.command(c)
	}
	clear(p.events)
	p.events = p.events[:0]
	p.commands, p.recalls = nil, nil
	p.topology, p.retopology = nil, false
}

// compareEvents orders the events of one tick by what they say, so that the
// order in which they came does not matter. Of one alert, the firing comes
// before the resolution.
func compareEvents(a, b *ingest.Event) int {
	if c := a.StartsAt.Compare(b.StartsAt); c != 0 {
		return c
	}
	return cmp.Or(
		cmp.Compare(a.Fingerprint, b.Fingerprint),
		cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Status, b.Status), // "firing" < "resolved"
		a.EndsAt.Compare(b.EndsAt),
		cmp.Compare(a.Source, b.Source),
		cmp.Compare(a.Severity, b.Severity),
		slices.CompareFunc(a.Annotations, b.Annotations, compareLabel),
		slices.CompareFunc(a.Labels, b.Labels, compareLabel),
		cmp.Compare(a.GeneratorURL, b.GeneratorURL),
		cmp.Compare(a.Timeout, b.Timeout),
		cmp.Compare(a.SourceSeverity, b.SourceSeverity),
		cmp.Compare(a.Actor, b.Actor),
		cmp.Compare(string(a.Raw), string(b.Raw)),
	)
}

func compareLabel(a, b ingest.Label) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value))
}

// flush revises what was touched at the effective time.
func (e *Engine) flush() {
	// Incidents first: they have no part in the alerts' records but their ID.
	slices.SortFunc(e.dirty, func(a, b *incident) int { return cmp.Compare(a.rec.ID, b.rec.ID) })
	e.out.Incidents = slices.Grow(e.out.Incidents, len(e.dirty))
	for _, inc := range e.dirty {
		if rec, changed := e.revise(inc); changed {
			e.out.Incidents = append(e.out.Incidents, rec)
		}
	}
	clear(e.dirty)
	e.dirty = e.dirty[:0]
	for i := range e.out.Replies {
		if r := &e.out.Replies[i]; r.Err == nil && r.Incident.ID != "" {
			r.Incident = e.incidents[r.Incident.ID].rec
		}
	}
	e.flushMemories()
	e.out.Alerts = slices.Grow(e.out.Alerts, len(e.dirtyAlerts))
	for _, a := range e.dirtyAlerts {
		a.dirty = false
		e.revision++
		a.revision = e.revision
		e.out.Alerts = append(e.out.Alerts, e.record(a))
	}
	clear(e.dirtyAlerts)
	e.dirtyAlerts = e.dirtyAlerts[:0]
	for _, a := range e.sighted {
		a.sighted = false
		e.out.Sightings = append(e.out.Sightings, ingest.Sighting{
			Fingerprint: a.fp, LastSeen: timeOf(a.lastSeen), ExpiresAt: timeOf(a.expiresAt), Count: a.count,
		})
	}
	clear(e.sighted)
	e.sighted = e.sighted[:0]
}

// store gives an event its number and has it stored.
func (e *Engine) store(ev *ingest.Event) {
	if len(e.out.Events) == 0 {
		// What says something new mostly comes in company; but among a
		// thousand re-sends it may be alone.
		company := min(len(e.pending.events), 128)
		e.out.Events = slices.Grow(e.out.Events, company)
		e.out.Attachments = slices.Grow(e.out.Attachments, company)
	}
	e.eventSeq++
	ev.Seq = e.eventSeq
	ev.ReceivedAt = timeOf(e.now)
	e.out.Events = append(e.out.Events, *ev)
	e.count(ev.Source, Counts{Stored: 1})
}

func (e *Engine) count(source string, c Counts) {
	if e.out.Counts == nil {
		e.out.Counts = map[string]Counts{}
	}
	sum := e.out.Counts[source]
	sum.Stored += c.Stored
	sum.Deduplicated += c.Deduplicated
	e.out.Counts[source] = sum
}

// reviseAlert has an alert revised at the end of the tick.
func (e *Engine) reviseAlert(a *alert) {
	if !a.dirty {
		a.dirty = true
		e.dirtyAlerts = append(e.dirtyAlerts, a)
	}
}

func (e *Engine) horizon() int64 { return e.cfg.Horizon().Microseconds() }
