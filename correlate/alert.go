package correlate

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"tocsin/cmdb"
	"tocsin/ingest"
)

// micros and timeOf keep times as microseconds since 1970, which is what
// stores keep: an engine that kept more would decide otherwise after a
// restart. The zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// unbound is the index of no CI.
const unbound int32 = -1

// alert is the engine's own, compact form of [ingest.Alert]: hundreds of
// thousands of them are in memory, so what can be computed again is not kept.
type alert struct {
	fp                                                      ingest.Fingerprint
	startsAt, endsAt, expiresAt, firstSeen, lastSeen, count int64
	revision, eventSeq                                      int64
	// began is the onset that counts in its incident: when it fires again
	// there, that is no news and changes nothing.
	began int64
	// decided is when its status last changed here, as opposed to endsAt,
	// which is the source's word.
	decided int64
	// annotations and template are hashes: of all annotations, and of the
	// summary with its numbers masked. name is the hash of the alert's name.
	annotations    uint64
	template, name uint32
	labels         packedLabels
	origin         *origin
	flaps          *flaps // nil until it changed its status twice
	incident       *incident
	ci             int32
	severity       ingest.Severity
	suppression    suppression
	endedBy        endedBy
	firing         bool
	// sighted says that it was re-sent in this tick, dirty that it has to be
	// revised in this tick.
	sighted, dirty bool
	// placed says that people put it where it is.
	placed bool
}

// origin is who says it and in which words; the same few for all alerts.
type origin struct{ source, severity string }

func (e *Engine) originOf(source, severity string) *origin {
	o := origin{source, severity}
	p := e.origins[o]
	if p == nil {
		// The texts may be parts of a large message: copies let go of it.
		o = origin{strings.Clone(source), strings.Clone(severity)}
		p = &o
		e.origins[o] = p
	}
	return p
}

// flaps are the recent changes of status of an alert that has any.
type flaps struct {
	recent   []time.Time
	flapping bool
}

func (a *alert) flapping() bool { return a.flaps != nil && a.flaps.flapping }

// begin sets began for an alert that begins to fire anew. It may say that it
// started after we received it, if clocks differ.
func (a *alert) begin() { a.began = a.onset() }

// onset is when its current firing began.
func (a *alert) onset() int64 { return min(a.startsAt, a.firstSeen) }

// again says that its current firing is not its first in its incident.
func (a *alert) again() bool { return a.incident != nil && a.began != a.onset() }

func (a *alert) episode() ingest.Episode {
	ep := ingest.Episode{
		Status: ingest.Resolved, StartsAt: timeOf(a.startsAt), EndsAt: timeOf(a.endsAt),
		BySource: a.endedBy == endedBySource, EndedSeen: timeOf(a.decided),
	}
	if a.firing {
		ep.Status = ingest.Firing
	}
	return ep
}

// endedBy is who ended an episode.
type endedBy uint8

const (
	notEnded endedBy = iota
	endedBySource
	endedByTimeout
)

var endedByNames = [...]string{"", "source", "timeout"}

// suppression is why a firing alert is in no incident.
type suppression uint8

const (
	notSuppressed suppression = iota
	suppressedFlapping
	suppressedWatchdog
	suppressedOperator
	suppressedChronic
	suppressedPeriodic
	suppressedGrouping
)

var suppressionNames = [...]string{"", "flapping", "watchdog", "operator", "chronic", "periodic", "grouping"}

func (s suppression) String() string { return suppressionNames[s] }

// packedLabels is a label set in one string: for each label the number of its
// name and that of its value, both uvarint. A text without a number has 0,
// its length and itself in place of the number.
type packedLabels string

// packer numbers texts that recur: names, and values of names that have few.
// What has no number yet when the tables are full is written out, so that a
// sender with ever new names cannot fill the memory for good.
type packer struct {
	names  table
	values []table // by the number of the name, less one
	buf    []byte
}

type table struct {
	numbers map[string]uint64
	texts   []string
}

const (
	maxNames = 1 << 12
	// maxValues is how many values of one name get a number. A name with more
	// is one whose values are mostly unique, such as a pod's.
	maxValues = 64
)

func (t *table) number(text string, most int) uint64 {
	n, ok := t.numbers[text]
	if !ok && len(t.texts) < most {
		if t.numbers == nil {
			t.numbers = map[string]uint64{}
		}
		text = strings.Clone(text) // it may be part of a large message
		t.texts = append(t.texts, text)
		n = uint64(len(t.texts))
		t.numbers[text] = n
	}
	return n
}

func (p *packer) put(n uint64, text string) {
	p.buf = binary.AppendUvarint(p.buf, n)
	if n == 0 {
		p.buf = binary.AppendUvarint(p.buf, uint64(len(text)))
		p.buf = append(p.buf, text...)
	}
}

func (p *packer) pack(ls ingest.Labels) packedLabels {
	p.buf = p.buf[:0]
	for _, l := range ls {
		name := p.names.number(l.Name, maxNames)
		p.put(name, l.Name)
		value := uint64(0)
		if name > 0 {
			if int(name) > len(p.values) {
				p.values = append(p.values, table{})
			}
			value = p.values[name-1].number(l.Value, maxValues)
		}
		p.put(value, l.Value)
	}
	return packedLabels(p.buf)
}

// unpack appends the labels to dst, whose strings share the packed memory.
func (p *packer) unpack(dst ingest.Labels, packed packedLabels) ingest.Labels {
	s := string(packed)
	number := func() uint64 {
		var v uint64
		for shift := 0; ; shift += 7 {
			b := s[0]
			s = s[1:]
			v |= uint64(b&0x7f) << shift
			if b < 0x80 {
				return v
			}
		}
	}
	text := func() string {
		n := number()
		v := s[:n]
		s = s[n:]
		return v
	}
	for s != "" {
		var l ingest.Label
		name := number()
		if name == 0 {
			l.Name = text()
		} else {
			l.Name = p.names.texts[name-1]
		}
		if value := number(); value == 0 {
			l.Value = text()
		} else {
			l.Value = p.values[name-1].texts[value-1]
		}
		dst = append(dst, l)
	}
	return dst
}

// hash is 64-bit FNV-1a over texts, each followed by 0xff.
func hash(texts ...string) uint64 {
	h := uint64(14695981039346656037)
	for _, s := range texts {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	return h
}

func hashLabels(ls ingest.Labels) uint64 {
	if len(ls) == 0 {
		return 0
	}
	return uint64(ingest.FingerprintOf(ls))
}

// templateOf hashes a text with its variable parts masked: every word that
// holds a digit. "disk sda1 at 91 %" and "disk sdb2 at 94 %" have one template.
func templateOf(text string) uint32 {
	h := uint64(14695981039346656037)
	start, digit := 0, false
	flush := func(end int) {
		if digit {
			h = (h ^ '#') * 1099511628211
		} else {
			for i := start; i < end; i++ {
				h = (h ^ uint64(text[i])) * 1099511628211
			}
		}
		digit = false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\n':
			flush(i)
			start = i
		case c >= '0' && c <= '9':
			digit = true
		}
	}
	flush(len(text))
	return short(h)
}

// view is what can be read from an alert's labels with the estate of now.
// Nothing in it may be changed.
type view struct {
	packed  packedLabels
	labels  ingest.Labels
	binding cmdb.Binding
	pairs   []uint32 // the labels as they are counted
	// subjects are the hashed names that stand for what an alert is about
	// where no CI does, the most telling first: alerts with one subject are
	// about one thing. The subject of a bound alert is how it was bound.
	subjects []uint64
	ruling   ruling
}

// views keeps the views of the alerts looked at lately: one event looks at its
// alert a dozen times, and once more at the end of the tick.
type views [1024]view

// view reads an alert's labels. The result is good until another alert is
// looked at.
func (e *Engine) view(a *alert) *view {
	v := &e.views[uint64(a.fp)%uint64(len(e.views))]
	if v.packed == a.labels && a.labels != "" {
		return v
	}
	v.packed, v.labels = a.labels, e.packer.unpack(v.labels[:0], a.labels)
	v.binding = e.binder.Bind(v.labels.Get)
	v.pairs = v.pairs[:0]
	for i := range v.labels {
		v.pairs = append(v.pairs, pairOf(&v.labels[i]))
	}
	v.ruling = ruling{minAlerts: 1}
	if len(e.rulings.all) > 0 {
		v.ruling = e.rulings.of(e.getOf(v.labels, v.binding.Index))
	}
	v.subjects = v.subjects[:0]
	if v.binding.Index != unbound {
		v.subjects = append(v.subjects, hash(v.binding.By))
		return v
	}
	for _, t := range v.binding.Tried {
		v.subjects = append(v.subjects, hash(t))
	}
	return v
}

// labelsOf returns labels that may be kept.
func (e *Engine) labelsOf(a *alert) ingest.Labels { return e.packer.unpack(nil, a.labels) }

// record makes the stored form of an alert. Its labels are in the event that
// it names.
func (e *Engine) record(a *alert) ingest.Alert {
	b := &e.view(a).binding
	r := ingest.Alert{
		Fingerprint: a.fp, PrometheusFingerprint: ingest.FingerprintOf(e.view(a).labels), StartsAt: timeOf(a.startsAt),
		Revision: a.revision, At: timeOf(e.now), Status: ingest.Resolved, EndsAt: timeOf(a.endsAt),
		ExpiresAt: timeOf(a.expiresAt), DecidedAt: timeOf(a.decided), EndedBy: endedByNames[a.endedBy], Source: a.origin.source, Severity: a.severity,
		SourceSeverity: a.origin.severity, FirstSeen: timeOf(a.firstSeen), LastSeen: timeOf(a.lastSeen),
		Count: a.count, EventSeq: a.eventSeq, CI: b.CI, BoundBy: b.By, Ambiguous: b.Ambiguous,
		Suppression: a.suppression.String(), Flapping: a.flapping(),
	}
	if b.Index == unbound {
		r.Tried = b.Tried
	}
	if a.flaps != nil {
		r.Transitions = slices.Clone(a.flaps.recent)
	}
	if a.firing {
		r.Status = ingest.Firing
	}
	if a.incident != nil {
		r.Incident = a.incident.rec.ID
	}
	return r
}
