package simulate

import (
	"bufio"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// writer writes JSON a line at a time.
type writer struct {
	to       *bufio.Writer
	buf      []byte
	done     int
	total    int
	progress func(done, total int)
	err      error
}

func (w *World) writer(to io.Writer, step string, total int) *writer {
	return &writer{to: bufio.NewWriterSize(to, 256<<10), total: total,
		progress: func(done, total int) { w.opts.Progress(step, done, total) }}
}

// raw appends JSON as it is.
func (w *writer) raw(s string) *writer {
	w.buf = append(w.buf, s...)
	return w
}

// text appends a string. What is invalid in one is replaced, so the error
// that goes with it is of no use.
func (w *writer) text(s string) *writer {
	w.buf, _ = jsontext.AppendQuote(w.buf, s)
	return w
}

func (w *writer) number(n int64) *writer {
	w.buf = strconv.AppendInt(w.buf, n, 10)
	return w
}

// textOrNull appends a string, null for an empty one.
func (w *writer) textOrNull(s string) *writer {
	if s == "" {
		return w.raw("null")
	}
	return w.text(s)
}

// end ends a line; it is false when writing is of no use any more.
func (w *writer) end() bool {
	w.buf = append(w.buf, '\n')
	if w.err == nil {
		_, w.err = w.to.Write(w.buf)
	}
	w.buf = w.buf[:0]
	if w.done++; w.done%10_000 == 0 {
		w.progress(min(w.done, w.total), w.total)
	}
	return w.err == nil
}

func (w *writer) flush() error {
	if w.err != nil {
		return w.err
	}
	w.progress(w.total, w.total)
	return w.to.Flush()
}

// WriteTopology writes {"cis":[{"id","type","attributes"}],"edges":[{"from",
// "to","type"}]}, one CI or relation a line.
func (w *World) WriteTopology(to io.Writer) error {
	out := w.writer(to, "topology", len(w.estate.items)+len(w.estate.relations))
	out.raw(`{"cis":[`).end()
	comma := ""
	for i := range w.estate.items {
		it := &w.estate.items[i]
		out.raw(comma).raw(`{"id":`).text(it.id).raw(`,"type":`).text(it.class.String()).raw(`,"attributes":{`)
		first := true
		w.estate.attributes(int32(i), func(key, value string) {
			if !first {
				out.raw(",")
			}
			first = false
			out.text(key).raw(":").text(value)
		})
		if !out.raw("}}").end() {
			return out.err
		}
		comma = ","
	}
	out.raw(`],"edges":[`).end()
	comma = ""
	for _, r := range w.estate.relations {
		out.raw(comma).raw(`{"from":`).text(w.estate.items[r.from].id).raw(`,"to":`).text(w.estate.items[r.to].id).raw(`,"type":`).text(r.typ.String())
		if !out.raw("}").end() {
			return out.err
		}
		comma = ","
	}
	out.raw("]}").end()
	return out.flush()
}

// WriteAlerts writes the alerts by time, one a line.
func (w *World) WriteAlerts(to io.Writer) error {
	out := w.writer(to, "alerts", len(w.episodes))
	var text []byte
	for i := range w.episodes {
		e := &w.episodes[i]
		id, name := w.estate.items[e.ci].id, w.lib.alarms[e.alarm].name
		out.raw(`{"time":`).number(w.begin + int64(e.start)).raw(`,"end_time":`).number(w.begin + int64(e.end))
		out.raw(`,"id":`).text(alertID(i)).raw(`,"ci":`).text(id).raw(`,"severity":`).number(int64(e.severity)).raw(`,"name":`).text(name)
		text = w.appendText(text[:0], e)
		out.raw(`,"text":`).text(string(text)).raw(`,"fingerprint":`).text(id + "|" + name).raw(`,"labels":{`)
		first := true
		w.labels(e, func(key, value string) {
			if !first {
				out.raw(",")
			}
			first = false
			out.text(key).raw(":").text(value)
		})
		if !out.raw("}}").end() {
			return out.err
		}
	}
	return out.flush()
}

// WriteTruth writes the truth about each alert, in the order of the alerts;
// the incident of noise is null.
func (w *World) WriteTruth(to io.Writer) error {
	out := w.writer(to, "truth", len(w.episodes))
	for t := range w.Truth() {
		out.raw(`{"alert_id":`).text(t.AlertID).raw(`,"incident_id":`).textOrNull(t.IncidentID)
		if !out.raw(`,"root":`).raw(strconv.FormatBool(t.Root)).raw(`,"ci":`).text(t.CI).raw("}").end() {
			return out.err
		}
	}
	return out.flush()
}

// WriteIncidents writes the incidents by their start; the problem of one that
// does not recur is null.
func (w *World) WriteIncidents(to io.Writer) error {
	out := w.writer(to, "incidents", len(w.incidents))
	for in := range w.Incidents() {
		out.raw(`{"incident_id":`).text(in.ID).raw(`,"start":`).number(in.Start).raw(`,"problem_id":`).textOrNull(in.ProblemID).raw(`,"root_cis":[`)
		for i, r := range in.RootCIs {
			if i > 0 {
				out.raw(",")
			}
			out.text(r)
		}
		if !out.raw(`],"alerts":`).number(int64(in.Alerts)).raw(`,"kind":`).text(in.Kind).raw("}").end() {
			return out.err
		}
	}
	return out.flush()
}

// WriteChanges writes the changes by time.
func (w *World) WriteChanges(to io.Writer) error {
	out := w.writer(to, "changes", len(w.changes))
	for c := range w.Changes() {
		out.raw(`{"id":`).text(c.ID).raw(`,"time":`).number(c.Time).raw(`,"ci":`).text(c.CI)
		if !out.raw(`,"kind":`).text(c.Kind).raw("}").end() {
			return out.err
		}
	}
	return out.flush()
}

// WriteChangeTruth writes which changes caused which incidents.
func (w *World) WriteChangeTruth(to io.Writer) error {
	out := w.writer(to, "change truth", 0)
	for t := range w.ChangeTruth() {
		if !out.raw(`{"change_id":`).text(t.ChangeID).raw(`,"incident_id":`).text(t.IncidentID).raw("}").end() {
			return out.err
		}
	}
	return out.flush()
}
