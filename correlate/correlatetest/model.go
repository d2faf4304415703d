package correlatetest

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// model is what a store has to be, as plainly as possible.
type model struct {
	at          time.Time
	seq, rev    int64
	ticks       map[time.Time]bool
	events      map[int64]ingest.Event
	alerts      map[int64]ingest.Alert
	attachments map[int64]correlate.Attachment
	incidents   map[string]map[int64]correlate.Incident
	links       map[int64]correlate.Link
	memories    map[memoryKey]correlate.Memory
	lessons     map[int64]correlate.Lesson
	counts      map[string]correlate.Counts
	// sighted are the re-sends since the newest revision of an alert.
	sighted   map[ingest.Fingerprint]sighted
	cis       map[string]cmdb.CI
	relations map[[3]string]cmdb.Relation
}

// memoryKey is what one memory replaces another by.
type memoryKey struct{ kind, key string }

type sighted struct {
	revision int64
	ingest.Sighting
}

func newModel() *model {
	return &model{
		ticks: map[time.Time]bool{}, events: map[int64]ingest.Event{}, alerts: map[int64]ingest.Alert{},
		attachments: map[int64]correlate.Attachment{}, incidents: map[string]map[int64]correlate.Incident{},
		links: map[int64]correlate.Link{}, memories: map[memoryKey]correlate.Memory{}, lessons: map[int64]correlate.Lesson{}, counts: map[string]correlate.Counts{},
		sighted: map[ingest.Fingerprint]sighted{}, cis: map[string]cmdb.CI{}, relations: map[[3]string]cmdb.Relation{},
	}
}

// keep adds what is not yet there.
func keep[K comparable, V any](m map[K]V, k K, v V) {
	if _, ok := m[k]; !ok {
		m[k] = v
	}
}

func (m *model) append(b *correlate.Batch) {
	for _, e := range b.Events {
		keep(m.events, e.Seq, e)
		m.seq = max(m.seq, e.Seq)
	}
	for _, a := range b.Alerts {
		keep(m.alerts, a.Revision, a)
		m.rev = max(m.rev, a.Revision)
	}
	for _, a := range b.Attachments {
		keep(m.attachments, a.Revision, a)
		m.rev = max(m.rev, a.Revision)
	}
	for _, l := range b.Links {
		keep(m.links, l.Revision, l)
		m.rev = max(m.rev, l.Revision)
	}
	for _, x := range b.Memories {
		if k := (memoryKey{x.Kind, x.Key}); x.Revision > m.memories[k].Revision {
			m.memories[k] = x
		}
		m.rev = max(m.rev, x.Revision)
	}
	for _, l := range b.Lessons {
		keep(m.lessons, l.Revision, l)
		m.rev = max(m.rev, l.Revision)
	}
	for _, inc := range b.Incidents {
		if m.incidents[inc.ID] == nil {
			m.incidents[inc.ID] = map[int64]correlate.Incident{}
		}
		keep(m.incidents[inc.ID], inc.Revision, inc)
	}
	for _, c := range b.CIs {
		if c.Revision >= m.cis[c.ID].Revision {
			m.cis[c.ID] = c
		}
	}
	for _, r := range b.Relations {
		k := [3]string{r.From, r.To, r.Type}
		if r.Revision >= m.relations[k].Revision {
			m.relations[k] = r
		}
	}
	if b.At.After(m.at) {
		m.at = b.At
	}
	if m.ticks[b.At] {
		return
	}
	m.ticks[b.At] = true
	for source, c := range b.Counts {
		o := m.counts[source]
		m.counts[source] = correlate.Counts{Stored: o.Stored + c.Stored, Deduplicated: o.Deduplicated + c.Deduplicated, Rejected: o.Rejected + c.Rejected}
	}
	for _, s := range b.Sightings {
		m.sighted[s.Fingerprint] = sighted{m.newestAlert(s.Fingerprint).Revision, s}
	}
}

func (m *model) newestAlert(fp ingest.Fingerprint) (newest ingest.Alert) {
	for _, a := range m.alerts {
		if a.Fingerprint == fp && a.Revision > newest.Revision {
			newest = a
		}
	}
	return newest
}

// newestAlerts lists them as a store shows them, latest revised first.
func (m *model) newestAlerts() []ingest.Alert {
	newest := map[ingest.Fingerprint]ingest.Alert{}
	for _, a := range m.alerts {
		if a.Revision > newest[a.Fingerprint].Revision {
			newest[a.Fingerprint] = a
		}
	}
	out := slices.Collect(maps.Values(newest))
	for i := range out {
		a := &out[i]
		e := m.events[a.EventSeq]
		a.Labels, a.Annotations, a.GeneratorURL = e.Labels, e.Annotations, e.GeneratorURL
		if s, ok := m.sighted[a.Fingerprint]; ok && s.revision == a.Revision {
			a.LastSeen, a.ExpiresAt, a.Count = s.LastSeen, s.ExpiresAt, s.Count
		}
	}
	slices.SortFunc(out, func(a, b ingest.Alert) int { return cmp.Compare(b.Revision, a.Revision) })
	return out
}

// newestIncidents lists them latest opened first.
func (m *model) newestIncidents() []correlate.Incident {
	var out []correlate.Incident
	for _, revs := range m.incidents {
		out = append(out, revs[slices.Max(slices.Collect(maps.Keys(revs)))])
	}
	slices.SortFunc(out, func(a, b correlate.Incident) int {
		return cmp.Or(b.OpenedAt.Compare(a.OpenedAt), cmp.Compare(b.ID, a.ID))
	})
	return out
}

// newestAttachments lists those of each incident and alert by number.
func (m *model) newestAttachments() []correlate.Attachment {
	type pair struct {
		incident string
		fp       ingest.Fingerprint
	}
	newest := map[pair]correlate.Attachment{}
	for _, a := range m.attachments {
		if p := (pair{a.Incident, a.Fingerprint}); a.Revision > newest[p].Revision {
			newest[p] = a
		}
	}
	return slices.SortedFunc(maps.Values(newest), func(a, b correlate.Attachment) int { return cmp.Compare(a.Revision, b.Revision) })
}

// newestEvents lists events newest first.
func (m *model) newestEvents() []ingest.Event {
	return slices.SortedFunc(maps.Values(m.events), func(a, b ingest.Event) int { return cmp.Compare(b.Seq, a.Seq) })
}

func (m *model) linksOf(ref string) []correlate.Link {
	type ends struct{ from, to, kind string }
	newest := map[ends]correlate.Link{}
	for _, l := range m.links {
		if e := (ends{l.From, l.To, l.Kind}); l.Revision > newest[e].Revision {
			newest[e] = l
		}
	}
	var out []correlate.Link
	for _, l := range newest {
		if !l.Removed && (l.From == ref || l.To == ref) {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b correlate.Link) int { return cmp.Compare(a.Revision, b.Revision) })
	return out
}

// state is what [correlate.State] says that a store restores.
func (m *model) state(horizon time.Duration) correlate.State {
	st := correlate.State{At: m.at, EventSeq: m.seq, Revision: m.rev}
	cut := m.at.Add(-horizon)
	day := func(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
	held := map[string]bool{}
	for _, inc := range m.newestIncidents() {
		ended := inc.Status == correlate.Closed || inc.Status == correlate.Merged
		if !ended || inc.ClosedAt.After(cut) || day(inc.OpenedAt).Equal(day(m.at)) {
			st.Incidents = append(st.Incidents, inc)
			held[inc.ID] = true
		}
	}
	slices.SortFunc(st.Incidents, func(a, b correlate.Incident) int { return cmp.Compare(a.ID, b.ID) })
	named := map[ingest.Fingerprint]bool{}
	for _, a := range m.newestAttachments() {
		if held[a.Incident] && !a.Detached {
			st.Attachments = append(st.Attachments, a)
			named[a.Fingerprint] = true
		}
	}
	for _, a := range m.newestAlerts() {
		if a.Status == ingest.Firing || a.DecidedAt.After(cut) || named[a.Fingerprint] {
			st.Alerts = append(st.Alerts, a)
		}
	}
	slices.Reverse(st.Alerts)
	for _, e := range slices.Backward(m.newestEvents()) {
		switch {
		case !e.ReceivedAt.After(cut):
		case e.Kind == ingest.KindChange:
			st.Changes = append(st.Changes, e)
		case e.Kind == ingest.KindCommand:
			st.Commands = append(st.Commands, e)
		}
	}
	st.Memories = sortedMemories(slices.Collect(maps.Values(m.memories)))
	for _, rev := range slices.Sorted(maps.Keys(m.lessons)) {
		if l := m.lessons[rev]; l.At.After(m.at.Add(-correlate.History)) {
			st.Lessons = append(st.Lessons, l)
		}
	}
	return st
}

// sortedMemories puts memories, which come in any order, into one.
func sortedMemories(all []correlate.Memory) []correlate.Memory {
	slices.SortFunc(all, func(a, b correlate.Memory) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key)) })
	return all
}

// estate is the newest of the estate without what is retired.
func (m *model) estate() (cis []cmdb.CI, relations []cmdb.Relation) {
	for _, id := range slices.Sorted(maps.Keys(m.cis)) {
		if c := m.cis[id]; c.State != cmdb.StateRetired {
			cis = append(cis, c)
		}
	}
	live := func(id string) bool { c, ok := m.cis[id]; return ok && c.State != cmdb.StateRetired }
	for _, r := range m.relations {
		if r.State != cmdb.StateRetired && live(r.From) && live(r.To) {
			relations = append(relations, r)
		}
	}
	slices.SortFunc(relations, func(a, b cmdb.Relation) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Type, b.Type))
	})
	return cis, relations
}
