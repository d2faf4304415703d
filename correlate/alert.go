package correlate

import (
	"encoding/binary"
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
	fp, prom                                                ingest.Fingerprint
	startsAt, endsAt, expiresAt, firstSeen, lastSeen, count int64
	revision, eventSeq                                      int64
	// decided is when its status last changed here, as opposed to endsAt,
	// which is the source's word.
	decided int64
	// annotations and template are hashes: of all annotations, and of the
	// summary with its numbers masked. name is the hash of the alert's name.
	annotations, template, name uint64
	labels                      packedLabels
	source, sourceSeverity      string
	transitions                 []time.Time
	incident                    *incident
	suppression                 string
	endedBy                     string
	ci                          int32
	severity                    ingest.Severity
	firing, flapping            bool
	// sighted says that it was re-sent in this tick, dirty that it has to be
	// revised in this tick.
	sighted, dirty bool
}

// onset is when it began as far as coincidence goes: an alert may say that it
// started after we received it, if clocks differ.
func (a *alert) onset() int64 { return min(a.startsAt, a.firstSeen) }

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

const (
	endedBySource  = "source"
	endedByTimeout = "timeout"

	suppressedFlapping = "flapping"
	suppressedWatchdog = "watchdog"
	suppressedOperator = "operator"
)

// packedLabels is a label set in one string: for each label the number of its
// name (uvarint), the length of its value (uvarint) and the value. Values are
// mostly unique to the alert, names are the same few everywhere.
type packedLabels string

// packer numbers label names. Names beyond maxNames are written out, so that a
// sender with ever new names cannot fill the memory for good.
type packer struct {
	numbers map[string]uint64
	names   []string
	buf     []byte
}

const maxNames = 1 << 14

func (p *packer) pack(ls ingest.Labels) packedLabels {
	p.buf = p.buf[:0]
	for _, l := range ls {
		n, ok := p.numbers[l.Name]
		if !ok && len(p.names) < maxNames {
			if p.numbers == nil {
				p.numbers = map[string]uint64{}
			}
			p.names = append(p.names, l.Name)
			n, ok = uint64(len(p.names)), true
			p.numbers[l.Name] = n
		}
		if !ok {
			p.buf = binary.AppendUvarint(p.buf, 0)
			p.buf = binary.AppendUvarint(p.buf, uint64(len(l.Name)))
			p.buf = append(p.buf, l.Name...)
		} else {
			p.buf = binary.AppendUvarint(p.buf, n)
		}
		p.buf = binary.AppendUvarint(p.buf, uint64(len(l.Value)))
		p.buf = append(p.buf, l.Value...)
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
		if n := number(); n == 0 {
			l.Name = text()
		} else {
			l.Name = p.names[n-1]
		}
		l.Value = text()
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
func templateOf(text string) uint64 {
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
	return h
}

// view is what can be read from an alert's labels with the estate of now.
// Nothing in it may be changed.
type view struct {
	packed  packedLabels
	labels  ingest.Labels
	binding cmdb.Binding
	// subjects are the hashed names that stand for what an alert is about
	// where no CI does, the most telling first: alerts with one subject are
	// about one thing. The subject of a bound alert is how it was bound.
	subjects []uint64
}

// views keeps the views of the alerts looked at lately: one event looks at its
// alert a dozen times.
type views [256]view

// view reads an alert's labels. The result is good until another alert is
// looked at.
func (e *Engine) view(a *alert) *view {
	v := &e.views[uint64(a.fp)%uint64(len(e.views))]
	if v.packed == a.labels && a.labels != "" {
		return v
	}
	v.packed, v.labels = a.labels, e.packer.unpack(v.labels[:0], a.labels)
	v.binding = e.binder.Bind(v.labels.Get)
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

// record makes the stored form of an alert.
func (e *Engine) record(a *alert) ingest.Alert {
	labels := e.labelsOf(a)
	b := &e.view(a).binding
	r := ingest.Alert{
		Fingerprint: a.fp, PrometheusFingerprint: a.prom, StartsAt: timeOf(a.startsAt),
		Revision: a.revision, At: timeOf(e.now), Status: ingest.Resolved, EndsAt: timeOf(a.endsAt),
		ExpiresAt: timeOf(a.expiresAt), DecidedAt: timeOf(a.decided), EndedBy: a.endedBy, Source: a.source, Severity: a.severity,
		SourceSeverity: a.sourceSeverity, FirstSeen: timeOf(a.firstSeen), LastSeen: timeOf(a.lastSeen),
		Count: a.count, EventSeq: a.eventSeq, CI: b.CI, BoundBy: b.By, Ambiguous: b.Ambiguous,
		Suppression: a.suppression, Flapping: a.flapping, Labels: labels,
	}
	if b.Index == unbound {
		r.Tried = b.Tried
	}
	if len(a.transitions) > 0 {
		r.Transitions = append([]time.Time(nil), a.transitions...)
	}
	if a.firing {
		r.Status = ingest.Firing
	}
	if a.incident != nil {
		r.Incident = a.incident.rec.ID
	}
	return r
}
