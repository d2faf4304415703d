package sqlite

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"tocsin/correlate"
	"tocsin/ingest"
)

// The three bodies that every new alert brings are written by hand: encoding
// them by reflection took a quarter of the time of a batch. They are read as
// all others are, so a field that has its zero value is left out.

// object appends members of JSON objects. Names are given quoted, with the
// colon.
type object []byte

func (o *object) name(name string) {
	b := *o
	if b[len(b)-1] != '{' { // no value ends with it
		b = append(b, ',')
	}
	*o = append(b, name...)
}

// quote appends a string. The error says that invalid UTF-8 was replaced, see
// [encoding].
func (o *object) quote(s string) { *o, _ = jsontext.AppendQuote(*o, s) }

func (o *object) text(name, s string) {
	if s != "" {
		o.name(name)
		o.quote(s)
	}
}

func (o *object) int(name string, n int64) {
	if n != 0 {
		o.name(name)
		*o = strconv.AppendInt(*o, n, 10)
	}
}

func (o *object) time(name string, t time.Time) { o.int(name, micros(t)) }

func (o *object) bool(name string, v bool) {
	if v {
		o.name(name)
		*o = append(*o, "true"...)
	}
}

func (o *object) fingerprint(name string, fp ingest.Fingerprint) {
	if fp != 0 {
		o.name(name)
		b := append(*o, '"')
		b = hex.AppendEncode(b, binary.BigEndian.AppendUint64(nil, uint64(fp)))
		*o = append(b, '"')
	}
}

func (o *object) severity(s ingest.Severity) error {
	if s == ingest.Unknown {
		return nil
	}
	word, err := s.MarshalText()
	o.text(`"severity":`, string(word))
	return err
}

func (o *object) labels(name string, ls ingest.Labels) {
	o.name(name)
	*o = append(*o, '{')
	for i := range ls {
		if i > 0 {
			*o = append(*o, ',')
		}
		o.quote(ls[i].Name)
		*o = append(*o, ':')
		o.quote(ls[i].Value)
	}
	*o = append(*o, '}')
}

// list appends an array unless it is empty.
func list[T any](o *object, name string, items []T, item func(*T)) {
	for i := range items {
		if i == 0 {
			o.name(name)
			*o = append(*o, '[')
		} else {
			*o = append(*o, ',')
		}
		item(&items[i])
		if i == len(items)-1 {
			*o = append(*o, ']')
		}
	}
}

func (o *object) texts(name string, items []string) {
	list(o, name, items, func(s *string) { o.quote(*s) })
}

func (o *object) open()  { *o = append(*o, '{') }
func (o *object) close() { *o = append(*o, '}') }

// event encodes all but Raw.
func (b *bodies) event(e *ingest.Event) ([]byte, error) {
	o := object(b.buf)
	o.open()
	o.int(`"seq":`, e.Seq)
	o.text(`"kind":`, string(e.Kind))
	o.text(`"source":`, e.Source)
	o.time(`"received_at":`, e.ReceivedAt)
	o.text(`"status":`, string(e.Status))
	o.fingerprint(`"fingerprint":`, e.Fingerprint)
	o.fingerprint(`"prometheus_fingerprint":`, e.PrometheusFingerprint)
	o.labels(`"labels":`, e.Labels)
	if len(e.Annotations) > 0 {
		o.labels(`"annotations":`, e.Annotations)
	}
	o.time(`"starts_at":`, e.StartsAt)
	o.time(`"ends_at":`, e.EndsAt)
	o.int(`"timeout_ns":`, int64(e.Timeout))
	err := o.severity(e.Severity)
	o.text(`"source_severity":`, e.SourceSeverity)
	o.text(`"generator_url":`, e.GeneratorURL)
	o.text(`"actor":`, e.Actor)
	o.close()
	return b.added(o), err
}

// alert encodes all but what is in the event: Labels, Annotations and
// GeneratorURL.
func (b *bodies) alert(a *ingest.Alert) ([]byte, error) {
	o := object(b.buf)
	o.open()
	o.fingerprint(`"fingerprint":`, a.Fingerprint)
	o.fingerprint(`"prometheus_fingerprint":`, a.PrometheusFingerprint)
	o.time(`"starts_at":`, a.StartsAt)
	o.int(`"revision":`, a.Revision)
	o.time(`"at":`, a.At)
	o.text(`"status":`, string(a.Status))
	o.time(`"ends_at":`, a.EndsAt)
	o.time(`"expires_at":`, a.ExpiresAt)
	o.time(`"decided_at":`, a.DecidedAt)
	o.text(`"ended_by":`, a.EndedBy)
	o.text(`"source":`, a.Source)
	err := o.severity(a.Severity)
	o.text(`"source_severity":`, a.SourceSeverity)
	o.time(`"first_seen":`, a.FirstSeen)
	o.time(`"last_seen":`, a.LastSeen)
	o.int(`"count":`, a.Count)
	o.int(`"event_seq":`, a.EventSeq)
	o.text(`"ci":`, a.CI)
	o.text(`"bound_by":`, a.BoundBy)
	o.texts(`"ambiguous":`, a.Ambiguous)
	o.texts(`"tried":`, a.Tried)
	o.text(`"incident":`, a.Incident)
	o.text(`"suppression":`, a.Suppression)
	o.bool(`"flapping":`, a.Flapping)
	list(&o, `"transitions":`, a.Transitions, func(t *time.Time) { o = strconv.AppendInt(o, micros(*t), 10) })
	o.close()
	return b.added(o), err
}

func (b *bodies) attachment(a *correlate.Attachment) []byte {
	o := object(b.buf)
	o.open()
	o.int(`"revision":`, a.Revision)
	o.time(`"at":`, a.At)
	o.text(`"incident":`, a.Incident)
	o.fingerprint(`"fingerprint":`, a.Fingerprint)
	o.time(`"starts_at":`, a.StartsAt)
	o.time(`"began":`, a.Began)
	o.text(`"ci":`, a.CI)
	o.bool(`"detached":`, a.Detached)
	o.text(`"by":`, a.By)
	o.name(`"evidence":`)
	o.evidence(&a.Evidence)
	o.close()
	return b.added(o)
}

func (o *object) evidence(e *correlate.Evidence) {
	o.open()
	o.text(`"sentence":`, e.Sentence)
	o.int(`"score":`, int64(e.Score))
	o.int(`"threshold":`, int64(e.Threshold))
	list(o, `"parts":`, e.Parts, func(p *correlate.Part) {
		o.open()
		o.text(`"kind":`, p.Kind)
		o.int(`"points":`, int64(p.Points))
		o.text(`"detail":`, p.Detail)
		o.close()
	})
	o.fingerprint(`"nearest":`, e.Nearest)
	o.texts(`"path":`, e.Path)
	o.int(`"gap_ns":`, int64(e.Gap))
	list(o, `"runners_up":`, e.RunnersUp, func(r *correlate.RunnerUp) {
		o.open()
		o.text(`"incident":`, r.Incident)
		o.int(`"score":`, int64(r.Score))
		o.text(`"reason":`, r.Reason)
		o.close()
	})
	o.text(`"model":`, e.Model)
	o.text(`"config":`, e.Config)
	o.close()
}
