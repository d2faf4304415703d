package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"tocsin/correlate"
	"tocsin/ingest"
)

func (s *Server) alertRoutes() []route {
	return []route{
		{method: "GET", path: "/alerts", handle: s.listAlerts, query: []string{"status", "severity", "source", "ci", "incident",
			"fingerprint", "suppressed", "unbound", "ambiguous", "match", "from", "to", "limit", "cursor"}},
		{method: "GET", path: "/alerts/{fingerprint}", handle: s.getAlert},
		{method: "GET", path: "/alerts/{fingerprint}/events", handle: s.alertEvents, query: []string{"at", "from", "to", "limit", "cursor"}},
		{method: "GET", path: "/alerts/{fingerprint}/evidence", handle: s.alertEvidence, query: []string{"incident", "limit", "cursor"}},
		{method: "GET", path: "/events", handle: s.listEvents, query: []string{"kind", "source", "fingerprint", "match", "from", "to", "limit", "cursor"}},
		{method: "GET", path: "/changes", handle: s.listChanges, query: []string{"source", "match", "from", "to", "limit", "cursor"}},
		{method: "GET", path: "/unbound", handle: s.unbound},
		{method: "GET", path: "/noise", handle: s.noise},
		{method: "GET", path: "/explain", handle: s.explain, query: []string{"alert", "incident"}},
	}
}

func (s *Server) listAlerts(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	aq := correlate.AlertQuery{
		Page:        q.page(),
		Status:      one(q, "status", ingest.ParseStatus),
		Severity:    many(q, "severity", ingest.ParseSeverity),
		Fingerprint: many(q, "fingerprint", ingest.ParseFingerprint),
		Source:      q.text("source"),
		CI:          q.text("ci"),
		Incident:    q.text("incident"),
		Suppressed:  q.bool("suppressed"),
		Unbound:     q.bool("unbound"),
		Ambiguous:   q.bool("ambiguous"),
		Match:       q.matchers(),
	}
	aq.From, aq.To = q.span()
	if q.err != nil {
		return q.err
	}
	items, next, err := s.opt.Reader.Alerts(r.Context(), aq)
	if err != nil {
		return fmt.Errorf("list alerts: %w", err)
	}
	s.write(w, r, http.StatusOK, list(items, next))
	return nil
}

func (s *Server) alert(r *http.Request) (ingest.Alert, error) {
	fp, err := ingest.ParseFingerprint(r.PathValue("fingerprint"))
	if err != nil {
		return ingest.Alert{}, invalid("fingerprint", "%v", err)
	}
	return s.opt.Reader.Alert(r.Context(), fp) // its error names the alert
}

func (s *Server) getAlert(w http.ResponseWriter, r *http.Request) error {
	a, err := s.alert(r)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(a.Revision))
	s.write(w, r, http.StatusOK, a)
	return nil
}

// alertEvents answers what an alert said: all of it, in a span, or, with at,
// the one event that was the newest at that time.
func (s *Server) alertEvents(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	eq := correlate.EventQuery{Page: q.page()}
	eq.From, eq.To = q.span()
	at := q.time("at")
	if !at.IsZero() {
		if !eq.From.IsZero() || !eq.To.IsZero() || q.text("cursor") != "" {
			q.bad(invalid("at", "goes without from, to and cursor"))
		}
		eq.Kind, eq.Limit, eq.To = ingest.KindAlert, 1, at.Add(time.Nanosecond)
	}
	if q.err != nil {
		return q.err
	}
	a, err := s.alert(r)
	if err != nil {
		return err
	}
	eq.Fingerprint = a.Fingerprint
	return s.writeEvents(w, r, eq, at.IsZero())
}

func (s *Server) alertEvidence(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	aq := correlate.AttachmentQuery{Page: q.page(), Incident: q.text("incident")}
	if q.err != nil {
		return q.err
	}
	a, err := s.alert(r)
	if err != nil {
		return err
	}
	aq.Fingerprint = a.Fingerprint
	items, next, err := s.opt.Reader.Attachments(r.Context(), aq)
	if err != nil {
		return fmt.Errorf("evidence of alert %s: %w", a.Fingerprint, err)
	}
	s.write(w, r, http.StatusOK, list(items, next))
	return nil
}

func (s *Server) listEvents(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	return s.events(w, r, q, one(q, "kind", parseOne("kind", ingest.KindAlert, ingest.KindAcknowledge,
		ingest.KindChange, ingest.KindCommand, ingest.KindOutage)))
}

func (s *Server) listChanges(w http.ResponseWriter, r *http.Request) error {
	return s.events(w, r, s.query(r), ingest.KindChange)
}

func (s *Server) events(w http.ResponseWriter, r *http.Request, q *query, kind ingest.Kind) error {
	eq := correlate.EventQuery{Page: q.page(), Kind: kind, Source: q.text("source"),
		Fingerprint: q.fingerprint("fingerprint"), Match: q.matchers()}
	eq.From, eq.To = q.span()
	if q.err != nil {
		return q.err
	}
	return s.writeEvents(w, r, eq, true)
}

func (s *Server) writeEvents(w http.ResponseWriter, r *http.Request, eq correlate.EventQuery, more bool) error {
	items, next, err := s.opt.Reader.Events(r.Context(), eq)
	if err != nil {
		return fmt.Errorf("list events: %w", err)
	}
	if !more {
		next = ""
	}
	for i := range items {
		items[i].Raw = printable(items[i].Raw)
	}
	s.write(w, r, http.StatusOK, list(items, next))
	return nil
}

// printable keeps a payload that is not JSON from breaking the list it is in:
// it becomes a JSON string of what was sent.
func printable(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 || json.Valid(raw) && utf8.Valid(raw) {
		return raw
	}
	b, err := json.Marshal(string(raw)) // replaces invalid UTF-8
	if err != nil {
		return nil
	}
	return b
}

func (s *Server) explain(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	fp, incident := q.fingerprint("alert"), q.text("incident")
	switch {
	case q.err != nil:
		return q.err
	case q.text("alert") == "":
		return invalid("alert", "is missing; give the fingerprint of an alert")
	case incident == "":
		return invalid("incident", "is missing; give the ID of an incident")
	}
	x, err := s.opt.Explainer.Explain(r.Context(), fp, incident)
	if err != nil {
		return err // it names what is not known
	}
	s.write(w, r, http.StatusOK, x)
	return nil
}
