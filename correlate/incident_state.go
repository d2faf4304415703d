package correlate

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/ingest"
)

// incident is the engine's form of an incident: its newest revision and what
// follows from its alerts. All sums are integers and all else is a minimum, a
// maximum or a set, so that it does not depend on the order of the alerts and
// can be built again from them.
type incident struct {
	rec     Incident
	members []*alert
	cis     map[int32]*presence // where it is seen
	firing  int
	// severities counts its alerts and those of them that fire, by severity.
	severities, firingBy [ingest.Critical + 1]int
	sources              map[string]int
	// pairs counts alerts by CI and alert name; sums, if they are kept, say
	// what the pairs say of their causes.
	pairs map[pair]int
	sums  *sums
	// earliest are its alerts by onset, at most maxCauses; loners those among
	// them that no CI stands for, likewise.
	earliest, loners []*alert
	// common are the labels that all alerts share; stale after one left.
	common      ingest.Labels
	commonStale bool

	// entries are what the revision in the making did; joined and left count
	// its alerts instead of one entry for each.
	entries     []Entry
	joined      int
	back, ended int
	dirty       bool
	// look says that signature and changes are to be looked at, see [Engine.examine].
	look bool
	// released says that it is closed or merged and holds its record only.
	released bool
	// recalled says that it was ended and given back, see [Engine.Recall].
	recalled bool
	// had are the alerts that a merged incident brought along, for unmerge.
	had []ingest.Fingerprint
	// minAlerts and openAt are what a pending incident waits for; sides count
	// where its alerts stand in what rules keep apart.
	minAlerts int
	openAt    int64
	sides     map[side]int32

	// version counts the changes of its alerts, and the looks at it; ranked is
	// what its causes were last ranked from.
	version int64
	ranked  rankedFrom
	// undivided is the version that was last found to be one incident.
	undivided int64
}

// rankedFrom says when the causes of an incident have to be ranked again: when
// alerts came or went or their worst severity changed, and when it is looked at.
// What was learned or changed in between alone is no reason, nor is a restart.
type rankedFrom struct {
	version int64
	worst   ingest.Severity
}

// rankedAsRecorded takes the causes in the record for the ranking of now.
func (inc *incident) rankedAsRecorded() { inc.ranked = rankedFrom{inc.version, inc.worst()} }

type pair struct {
	ci   int32
	name uint32
}

func newIncident(rec Incident) *incident {
	return &incident{rec: rec, cis: map[int32]*presence{}, sources: map[string]int{},
		pairs: map[pair]int{}}
}

// enter makes an alert a member: it counts for everything that the incident
// knows. It does not record an attachment, see [Engine.attach].
func (e *Engine) enter(inc *incident, a *alert) {
	a.incident = inc
	inc.version++
	inc.members = append(inc.members, a)
	inc.severities[a.severity]++
	if a.firing {
		inc.firing++
		inc.firingBy[a.severity]++
	}
	inc.sources[a.origin.source]++
	v := e.view(a)
	labels := v.labels
	if len(inc.members) == 1 {
		inc.common = e.labelsOf(a)
	} else if len(inc.common) > 0 {
		inc.common = slices.DeleteFunc(inc.common, func(l ingest.Label) bool { return labels.Get(l.Name) != l.Value })
	}
	inc.order(a)
	if a.ci != unbound {
		e.place(inc, placeKey{ci: a.ci}, a)
		p := pair{a.ci, a.name}
		if inc.pairs[p]++; inc.pairs[p] == 1 {
			e.addPair(inc, p)
		}
	}
	for _, s := range v.subjects {
		e.place(inc, placeKey{ci: unbound, subject: s}, a)
	}
	for _, l := range v.ruling.links {
		e.place(inc, placeKey{ci: unbound, subject: l.hash}, a)
	}
	for _, s := range v.ruling.sides {
		if inc.sides == nil {
			inc.sides = map[side]int32{}
		}
		inc.sides[s]++
	}
	inc.waitFor(a, &v.ruling)
}

// order puts an alert among the earliest.
func (inc *incident) order(a *alert) {
	inc.earliest = insertEarly(inc.earliest, a)
	if a.ci == unbound {
		inc.loners = insertEarly(inc.loners, a)
	}
}

// reorder finds the earliest again, after an alert left or changed its onset.
func (inc *incident) reorder() {
	inc.earliest, inc.loners = inc.earliest[:0], inc.loners[:0]
	for _, m := range inc.members {
		inc.order(m)
	}
}

// first is the alert with the earliest onset; there must be one.
func (inc *incident) first() *alert { return inc.earliest[0] }

func insertEarly(list []*alert, a *alert) []*alert {
	if len(list) == maxCauses && !earlier(a, list[maxCauses-1]) {
		return list
	}
	i := len(list)
	for i > 0 && earlier(a, list[i-1]) {
		i--
	}
	list = slices.Insert(list, i, a)
	return list[:min(len(list), maxCauses)]
}

func earlier(a, b *alert) bool {
	if a.began != b.began {
		return a.began < b.began
	}
	return a.fp < b.fp
}

func (e *Engine) place(inc *incident, key placeKey, a *alert) {
	p := e.places.of(key, inc)
	if p == nil {
		p = &presence{inc: inc, key: key}
		if key.ci != unbound {
			inc.cis[key.ci] = p
		}
		e.places.insert(e.estate, p)
	}
	p.add(a)
}

// leave takes a member out again.
func (e *Engine) leave(inc *incident, a *alert) {
	a.incident = nil
	inc.version++
	inc.members = slices.DeleteFunc(inc.members, func(m *alert) bool { return m == a })
	inc.severities[a.severity]--
	if a.firing {
		inc.firing--
		inc.firingBy[a.severity]--
	}
	if inc.sources[a.origin.source]--; inc.sources[a.origin.source] == 0 {
		delete(inc.sources, a.origin.source)
	}
	inc.commonStale = true
	if slices.Contains(inc.earliest, a) || slices.Contains(inc.loners, a) {
		inc.reorder()
	}
	drop := func(key placeKey) {
		p := e.places.of(key, inc)
		if p == nil {
			return
		}
		p.members = slices.DeleteFunc(p.members, func(m *alert) bool { return m == a })
		if len(p.members) > 0 {
			p.refresh()
			return
		}
		delete(inc.cis, key.ci)
		e.places.remove(e.estate, p)
	}
	if a.ci != unbound {
		drop(placeKey{ci: a.ci})
		p := pair{a.ci, a.name}
		if inc.pairs[p]--; inc.pairs[p] == 0 {
			delete(inc.pairs, p)
			e.removePair(inc, p)
		}
	}
	v := e.view(a)
	for _, s := range v.subjects {
		drop(placeKey{ci: unbound, subject: s})
	}
	for _, l := range v.ruling.links {
		drop(placeKey{ci: unbound, subject: l.hash})
	}
	for _, s := range v.ruling.sides {
		if inc.sides[s]--; inc.sides[s] == 0 {
			delete(inc.sides, s)
		}
	}
	if inc.rec.Status == Pending {
		inc.minAlerts, inc.openAt = 0, 0
		for _, m := range inc.members {
			inc.waitFor(m, &e.view(m).ruling)
		}
	}
}

// setStatus changes the status.
func (e *Engine) setStatus(inc *incident, s Status) {
	if inc.rec.Status == Pending && s != Pending {
		e.lookNow(inc)
	}
	inc.rec.Status = s
	e.touch(inc)
}

// touch has the incident revised at the end of the tick.
func (e *Engine) touch(inc *incident) {
	if !inc.dirty {
		inc.dirty = true
		e.dirty = append(e.dirty, inc)
	}
}

func (e *Engine) note(inc *incident, kind EntryKind, by, format string, args ...any) {
	inc.entries = append(inc.entries, Entry{Kind: kind, By: by, Text: fmt.Sprintf(format, args...)})
	e.touch(inc)
}

const self = "tocsin"

// revise makes the next revision of a touched incident, or says that nothing
// has changed after all.
func (e *Engine) revise(inc *incident) (Incident, bool) {
	old := inc.rec
	rec := &inc.rec
	first := old.Revision == 0
	if rec.Status.Active() || rec.Status == Resolved {
		e.aggregate(inc)
		if first || inc.look {
			e.examine(inc)
		}
	}
	inc.look = false
	entries := e.alertEntries(inc)
	entries = append(entries, inc.entries...)
	if !first {
		if rec.Severity != old.Severity {
			entries = append(entries, Entry{EntrySeverity, self, fmt.Sprintf("Severity %s → %s", old.Severity, rec.Severity)})
		}
		if rec.Priority != old.Priority {
			entries = append(entries, Entry{EntryPriority, self, fmt.Sprintf("Priority %s → %s", old.Priority, rec.Priority)})
		}
		if len(rec.Causes) > 0 && (len(old.Causes) == 0 || rec.Causes[0].Kind != old.Causes[0].Kind || rec.Causes[0].ID != old.Causes[0].ID) {
			entries = append(entries, Entry{EntryCause, self, "Likely cause is now " + rec.Causes[0].Name + ": " + rec.Causes[0].Reason})
		}
	}
	rec.Entries = entries
	changed := len(entries) > 0
	if !changed {
		rec.Entries = old.Entries
		changed = !reflect.DeepEqual(*rec, old)
		rec.Entries = []Entry{}
	}
	if changed {
		rec.Revision++
		rec.At = timeOf(e.now)
	} else {
		*rec = old
	}
	inc.entries, inc.joined, inc.back, inc.ended, inc.dirty = nil, 0, 0, 0, false
	if rec.Status == Closed && !inc.released && !inc.recalled {
		e.release(inc)
	}
	return inc.rec, changed
}

// aggregate computes what an incident's record says of its alerts.
func (e *Engine) aggregate(inc *incident) {
	rec := &inc.rec
	rec.Alerts = AlertCounts{Firing: inc.firing, Total: len(inc.members), CIs: len(inc.cis)}
	if len(inc.members) == 0 {
		return // what it was remains readable after its alerts have left
	}
	rec.Severity = inc.worst()
	if from := (rankedFrom{inc.version, rec.Severity}); inc.ranked != from {
		inc.ranked = from
		e.rank(inc)
	}
	rec.Impact, rec.Urgency, rec.Priority = e.priority(inc)
}

// rank computes what takes long and depends on few things, see [rankedFrom]. Most
// revisions tell of alerts that were resolved, which changes none of them.
func (e *Engine) rank(inc *incident) {
	rec := &inc.rec
	rec.Sources = sortedKeys(inc.sources)
	if on := timeOf(inc.first().began); rec.StartedAt.IsZero() || on.Before(rec.StartedAt) {
		rec.StartedAt = on
	}
	rec.Labels = e.commonLabels(inc)
	rec.Causes = e.rankCauses(inc)
	rec.Blast = e.blastRadius(inc)
	rec.Title = e.title(inc)
}

// unplace takes an incident out of where one of its alerts put it.
func (e *Engine) unplace(inc *incident, a *alert) {
	if p := inc.cis[a.ci]; p != nil {
		delete(inc.cis, a.ci)
		e.places.remove(e.estate, p)
	}
	v := e.view(a)
	unplace := func(subject uint64) {
		if p := e.places.of(placeKey{ci: unbound, subject: subject}, inc); p != nil {
			e.places.remove(e.estate, p)
		}
	}
	for _, s := range v.subjects {
		unplace(s)
	}
	for _, l := range v.ruling.links {
		unplace(l.hash)
	}
}

// release frees what a closed or merged incident holds beside its record.
func (e *Engine) release(inc *incident) {
	for _, a := range inc.members {
		e.unplace(inc, a)
		if a.incident == inc {
			a.incident = nil
			a.begin()
			e.forgetAlertLater(a)
		}
	}
	*inc = incident{rec: inc.rec, released: true, had: inc.had, entries: inc.entries, dirty: inc.dirty}
	e.timers.push(timer{due: e.forgetAt(&inc.rec), kind: timerForgetIncident, inc: inc})
}

// forgetAt is when an ended incident no longer matters: after the horizon, and
// not on the day it was opened, so that no other incident is given its ID.
func (e *Engine) forgetAt(rec *Incident) int64 {
	day := rec.OpenedAt.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	return max(micros(rec.ClosedAt)+e.horizon(), micros(day))
}

// alertEntries tells of a tick's alerts in one line.
func (e *Engine) alertEntries(inc *incident) []Entry {
	var parts []string
	for _, p := range []struct {
		n    int
		verb string
	}{{inc.joined, "joined"}, {inc.back, "fired again"}, {inc.ended, "resolved"}} {
		if p.n > 0 {
			parts = append(parts, plural(p.n, "alert")+" "+p.verb)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	text := strings.Join(parts, ", ")
	return []Entry{{EntryAlerts, self, fmt.Sprintf("%s; %d of %d firing", text, inc.firing, len(inc.members))}}
}

// worst is the worst severity of the firing alerts, or of all if none fires.
func (inc *incident) worst() ingest.Severity {
	counts := &inc.firingBy
	if inc.firing == 0 {
		counts = &inc.severities
	}
	for s := ingest.Critical; s > ingest.Unknown; s-- {
		if counts[s] > 0 {
			return s
		}
	}
	return ingest.Unknown
}

func (e *Engine) commonLabels(inc *incident) ingest.Labels {
	if inc.commonStale {
		inc.commonStale, inc.common = false, nil
		for i, m := range inc.members {
			if i == 0 {
				inc.common = e.labelsOf(m)
				continue
			}
			labels := e.view(m).labels
			inc.common = slices.DeleteFunc(inc.common, func(l ingest.Label) bool { return labels.Get(l.Name) != l.Value })
		}
	}
	return slices.Clone(inc.common)
}

// title names the likely cause and how many alerts there are.
func (e *Engine) title(inc *incident) string {
	first := inc.first()
	name, about := e.nameOf(first), ""
	if first.ci != unbound {
		about = " on " + e.display(first.ci)
	} else if b := &e.view(first).binding; len(b.Tried) > 0 {
		about = " on " + b.Tried[0]
	}
	if len(inc.rec.Causes) > 0 && inc.rec.Causes[0].Kind == "ci" {
		if ci, ok := e.estate.Index(inc.rec.Causes[0].ID); ok {
			if p := inc.cis[ci]; p != nil {
				own := p.members[0]
				for _, m := range p.members {
					if earlier(m, own) {
						own = m
					}
				}
				name, about = e.nameOf(own), " on "+e.display(ci)
			} else {
				name, about = e.display(ci), ""
			}
		}
	}
	if n := len(inc.members); n > 1 {
		return clip(name, 120) + clip(about, 120) + " (" + strconv.Itoa(n) + " alerts)"
	}
	return clip(name, 120) + clip(about, 120)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
