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
	cfg    Config
	rules  []cmdb.Rule
	estate *estate
	binder *cmdb.Binder

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

	packer packer
	views  views
	best   []candidate
	other  ingest.Labels
}

// New makes an engine without state and with an empty estate. rules say how
// alerts are bound to CIs, nil for the default rules. It returns an error when
// the configuration or a rule is impossible.
func New(cfg Config, rules []cmdb.Rule) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	e := &Engine{
		cfg: cfg, rules: rules,
		alerts: map[ingest.Fingerprint]*alert{}, incidents: map[string]*incident{},
		places: newPlaces(), changes: map[int32][]*change{}, commands: map[string]int64{},
		labelCount: map[uint32]int32{}, subjectCount: map[uint32]int32{}, origins: map[origin]*origin{},
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
	e.estate, e.binder, e.views = newEstate(s), b, views{}
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

// sight has a re-send recorded at the end of the tick.
func (e *Engine) sight(a *alert) {
	if !a.sighted {
		a.sighted = true
		e.sighted = append(e.sighted, a)
	}
}

// reviseAlert has an alert revised at the end of the tick.
func (e *Engine) reviseAlert(a *alert) {
	if !a.dirty {
		a.dirty = true
		e.dirtyAlerts = append(e.dirtyAlerts, a)
	}
}

// take decides on one event.
func (e *Engine) take(ev *ingest.Event) {
	ev.StartsAt, ev.EndsAt = timeOf(micros(ev.StartsAt)), timeOf(micros(ev.EndsAt))
	switch ev.Kind {
	case ingest.KindChange:
		e.store(ev)
		e.rememberChange(ev)
	case ingest.KindAcknowledge:
		e.store(ev)
		if a := e.alerts[ev.Fingerprint]; a != nil && a.incident != nil && a.incident.rec.Status == Open {
			e.acknowledge(a.incident, cmp.Or(ev.Actor, ev.Source), "in "+ev.Source)
		}
	case ingest.KindAlert:
		e.takeAlert(ev)
	default: // a command or an outage of another engine: history, no more
		e.store(ev)
	}
}

func (e *Engine) takeAlert(ev *ingest.Event) {
	a := e.alerts[ev.Fingerprint]
	ep, same := ingest.Episode{}, false
	annotations := hashLabels(ev.Annotations)
	if a != nil {
		ep = a.episode()
		same = a.severity == ev.Severity && a.annotations == annotations
	}
	verdict := ingest.Judge(ep, ev, same, timeOf(e.now))
	if verdict == ingest.Resend || verdict == ingest.Late {
		e.count(ev.Source, Counts{Deduplicated: 1})
		if verdict == ingest.Resend && a.firing {
			a.count++
			a.lastSeen = e.now
			e.extend(a, ev)
			e.sight(a)
		}
		return
	}
	e.store(ev)
	if a == nil {
		a = &alert{fp: ev.Fingerprint, ci: unbound}
		e.alerts[ev.Fingerprint] = a
	}
	newEpisode := verdict == ingest.Fresh || verdict == ingest.Missed
	if newEpisode {
		a.startsAt, a.firstSeen, a.count, a.expiresAt = micros(ev.StartsAt), e.now, 0, 0
		if a.incident != nil {
			e.moved(a.incident, a)
		}
	}
	a.lastSeen = e.now
	a.count++
	switch verdict {
	case ingest.Fresh, ingest.Again:
		e.describe(a, ev, annotations)
		a.endsAt, a.endedBy, a.suppression = 0, notEnded, notSuppressed
		e.extend(a, ev)
		e.setFiring(a, true)
		e.changed(a, ep.Status == "")
		e.correlate(a)
	case ingest.Update:
		e.extend(a, ev)
		e.describe(a, ev, annotations)
		if a.incident != nil {
			e.touch(a.incident)
		}
	case ingest.Resolve:
		// A resolution may say less than the firing did, PagerDuty's says
		// next to nothing: what is known of the alert stays as it was.
		e.end(a, min(max(micros(ev.EndsAt), a.startsAt), max(e.now, a.startsAt)), endedBySource)
	case ingest.Resend, ingest.Late: // done above
	case ingest.Missed:
		e.describe(a, ev, annotations)
		a.endsAt, a.endedBy, a.suppression, a.decided = micros(ev.EndsAt), endedBySource, notSuppressed, e.now
		e.forgetAlertLater(a)
		if a.incident != nil {
			e.touch(a.incident)
			e.settle(a.incident)
		}
	}
	e.reviseAlert(a)
}

// describe sets what an alert says, from the event that its record names.
func (e *Engine) describe(a *alert, ev *ingest.Event, annotations uint64) {
	a.prom, a.eventSeq = ev.PrometheusFingerprint, ev.Seq
	a.annotations, a.template = annotations, templateOf(ev.Summary())
	from := e.originOf(ev.Source, ev.SourceSeverity)
	packed := e.packer.pack(ev.Labels)
	if a.labels == packed && a.severity == ev.Severity && a.origin == from {
		return
	}
	// What the incident knows of it has to be taken back first.
	inc, firing := a.incident, a.firing
	if inc != nil {
		e.leave(inc, a)
	}
	decided := a.decided
	e.setFiring(a, false)
	a.labels, a.severity, a.origin = packed, ev.Severity, from
	a.name = hash(ev.Name())
	a.ci = e.view(a).binding.Index
	e.setFiring(a, firing)
	a.decided = decided
	if inc != nil {
		e.enter(inc, a)
	}
}

// extend moves the time at which a firing alert expires.
func (e *Engine) extend(a *alert, ev *ingest.Event) {
	if ev.Status != ingest.Firing {
		return
	}
	at := int64(0)
	w := e.watchdogOf(ev.Labels)
	switch {
	case w != nil && w.Timeout > 0:
		at = e.now + time.Duration(w.Timeout).Microseconds()
	case !ev.EndsAt.IsZero():
		at = max(micros(ev.EndsAt), e.now)
	case ev.Timeout > 0:
		at = e.now + ev.Timeout.Microseconds()
	}
	if at == 0 {
		return
	}
	if a.expiresAt == 0 {
		e.timers.push(timer{due: at, kind: timerExpire, key: uint64(a.fp)})
	}
	// The later of two sources' wishes holds: in doubt it still fires.
	a.expiresAt = max(a.expiresAt, at)
}

// setFiring keeps count of the alerts that fire.
func (e *Engine) setFiring(a *alert, firing bool) {
	if a.firing == firing {
		return
	}
	a.firing, a.decided = firing, e.now
	n := 1
	if !firing {
		n = -1
	}
	e.firing += n
	if inc := a.incident; inc != nil {
		inc.firing += n
		inc.firingBy[a.severity] += n
	}
	v := e.view(a)
	for i := range v.labels {
		addCount(e.labelCount, hash(v.labels[i].Name, v.labels[i].Value), int32(n))
	}
	for _, s := range v.subjects {
		addCount(e.subjectCount, s, int32(n))
	}
}

// short folds a hash for counting: of a few hundred thousand labels some share
// a count then, which makes them look a little less rare, always the same ones.
func short(hash uint64) uint32 { return uint32(hash ^ hash>>32) }

func addCount(m map[uint32]int32, hash uint64, n int32) {
	k := short(hash)
	if v := m[k] + n; v != 0 {
		m[k] = v
	} else {
		delete(m, k)
	}
}

// changed records a change of status for flapping; the first firing of an
// alert is none.
func (e *Engine) changed(a *alert, first bool) {
	if first {
		return
	}
	f := e.cfg.flapping()
	if a.flaps == nil {
		a.flaps = &flaps{}
	}
	a.flaps.recent, a.flaps.flapping = f.Record(a.flaps.recent, timeOf(e.now), a.flaps.flapping)
	if a.flapping() {
		e.timers.push(timer{due: micros(f.Ends(a.flaps.recent)), kind: timerCalm, key: uint64(a.fp)})
	}
}

// end resolves a firing alert.
func (e *Engine) end(a *alert, at int64, by endedBy) {
	a.endsAt, a.endedBy, a.expiresAt = at, by, 0
	e.setFiring(a, false)
	e.changed(a, false)
	a.suppression = notSuppressed
	e.reviseAlert(a)
	e.forgetAlertLater(a)
	if w := e.watchdogOf(e.view(a).labels); w != nil {
		e.watchdogSilent(a)
	}
	if inc := a.incident; inc != nil {
		inc.ended++
		e.touch(inc)
		e.settle(inc)
	}
}

func (e *Engine) horizon() int64 { return e.cfg.Horizon().Microseconds() }

// correlate finds the place of an alert that begins to fire: suppressed with
// a reason, or in exactly one incident.
func (e *Engine) correlate(a *alert) {
	if w := e.watchdogOf(e.view(a).labels); w != nil {
		a.suppression = suppressedWatchdog
		e.watchdogBack(a)
		return
	}
	if inc := a.incident; inc != nil {
		if e.again(inc, a) {
			return
		}
		e.leave(inc, a)
	}
	if a.flapping() {
		a.suppression = suppressedFlapping
		return
	}
	cands := e.candidates(a)
	if len(cands) > 0 && cands[0].score() >= e.cfg.Threshold {
		best := cands[0].place.inc
		ev := e.evidence(a, &cands[0], cands)
		var join []*incident
		for i := 1; i < len(cands); i++ {
			if c := &cands[i]; c.score() >= e.cfg.MergeThreshold && cands[0].score() >= e.cfg.MergeThreshold && !apart(best, c.place.inc) {
				join = append(join, c.place.inc)
			}
		}
		e.attach(best, a, self, ev)
		best.joined++
		if len(join) > 0 {
			e.mergeFound(best, join, a)
		}
		return
	}
	e.open(a, cands)
}

// again handles an alert that fires once more while it is in an incident. It
// says whether that is where it belongs.
func (e *Engine) again(inc *incident, a *alert) bool {
	switch {
	case inc.rec.Status.Active():
	case inc.rec.Status == Resolved && !a.flapping():
		e.reopen(inc, self, "%s fires again %s after the resolution", e.nameOf(a), roundGap(timeOf(e.now).Sub(inc.rec.ResolvedAt)))
	default:
		return false
	}
	inc.back++
	inc.rec.HeldOpen = false
	e.touch(inc)
	e.attachment(inc, a, self, Evidence{
		Sentence: "Fires again while its incident is not closed: one intermittent fault, one incident.",
		Score:    e.cfg.Threshold, Threshold: e.cfg.Threshold, Model: Model,
		Parts: []Part{{"history", e.cfg.Threshold, "the same alert"}},
	})
	return true
}

// attach makes an alert a member and records why.
func (e *Engine) attach(inc *incident, a *alert, by string, ev Evidence) {
	e.enter(inc, a)
	a.suppression = notSuppressed
	e.reviseAlert(a)
	e.touch(inc)
	e.attachment(inc, a, by, ev)
}

func (e *Engine) attachment(inc *incident, a *alert, by string, ev Evidence) {
	e.revision++
	at := Attachment{Revision: e.revision, At: timeOf(e.now), Incident: inc.rec.ID, Fingerprint: a.fp,
		StartsAt: timeOf(a.startsAt), By: by, Evidence: ev}
	if a.ci != unbound {
		at.CI = e.estate.At(a.ci).ID
	}
	e.out.Attachments = append(e.out.Attachments, at)
}

// open starts an incident with an alert that fits nowhere.
func (e *Engine) open(a *alert, cands []candidate) {
	ev := Evidence{Threshold: e.cfg.Threshold, Model: Model, Sentence: "Opened the incident: no open incident is near it."}
	if len(cands) > 0 {
		ev.Sentence = fmt.Sprintf("Opened the incident: the nearest, %s, scores %d of the %d points needed.",
			cands[0].place.inc.rec.ID, cands[0].score(), e.cfg.Threshold)
		for _, c := range cands[:min(len(cands), maxRunnersUp)] {
			ev.RunnersUp = append(ev.RunnersUp, RunnerUp{c.place.inc.rec.ID, c.score(), fmt.Sprintf("below the threshold of %d", e.cfg.Threshold)})
		}
	}
	inc := e.newIncident(a)
	e.attach(inc, a, self, ev)
	e.note(inc, EntryOpened, self, "Opened by %s", e.nameOf(a))
}

func (e *Engine) newIncident(a *alert) *incident {
	inc := newIncident(Incident{ID: e.newID(a), Status: Open, OpenedAt: timeOf(e.now), Sources: []string{}, Causes: []Cause{}})
	e.incidents[inc.rec.ID] = inc
	return inc
}

func apart(a, b *incident) bool {
	return slices.Contains(a.rec.Apart, b.rec.ID) || slices.Contains(b.rec.Apart, a.rec.ID)
}

// rememberChange keeps a change for as long as it can explain anything.
func (e *Engine) rememberChange(ev *ingest.Event) {
	b := e.binder.Bind(ev.Labels.Get)
	if b.Index == unbound {
		return
	}
	ch := &change{seq: ev.Seq, startsAt: micros(ev.StartsAt), received: micros(ev.ReceivedAt), ci: b.Index, text: clip(ev.Summary(), 200)}
	if ch.text == "" {
		ch.text = "change " + fmt.Sprint(ev.Seq)
	}
	e.changes[b.Index] = append(e.changes[b.Index], ch)
	e.timers.push(timer{due: ch.received + e.horizon(), kind: timerForgetChange, key: uint64(b.Index)})
}
