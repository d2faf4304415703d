package api

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tocsin/correlate"
	"tocsin/ingest"
)

func (s *Server) incidentRoutes() []route {
	return []route{
		{method: "GET", path: "/incidents", handle: s.listIncidents, query: []string{"status", "severity", "priority", "ci",
			"service", "assignee", "match", "q", "from", "to", "limit", "cursor"}},
		{method: "GET", path: "/incidents/{id}", handle: s.getIncident, query: []string{"redirect"}},
		{method: "GET", path: "/incidents/{id}/alerts", handle: s.incidentAlerts, query: []string{"status", "limit", "cursor"}},
		{method: "GET", path: "/incidents/{id}/timeline", handle: s.timeline, query: []string{"limit", "cursor"}},
		{method: "GET", path: "/incidents/{id}/evidence", handle: s.incidentEvidence, query: []string{"limit", "cursor"}},
		{method: "GET", path: "/incidents/{id}/links", handle: s.incidentLinks},
		{method: "POST", path: "/incidents/{id}/commands", handle: s.command},
	}
}

func (s *Server) listIncidents(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	iq := correlate.IncidentQuery{
		Page:     q.page(),
		Status:   many(q, "status", correlate.ParseStatus),
		Severity: many(q, "severity", ingest.ParseSeverity),
		Priority: many(q, "priority", parsePriority),
		CI:       q.text("ci"),
		Service:  q.text("service"),
		Assignee: q.text("assignee"),
		Match:    q.matchers(),
		Text:     q.text("q"),
	}
	iq.From, iq.To = q.span()
	if q.err != nil {
		return q.err
	}
	items, next, err := s.opt.Reader.Incidents(r.Context(), iq)
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	s.write(w, r, http.StatusOK, list(complete(items), next))
	return nil
}

// complete writes [] for lists that hold nothing, where JSON would have null
// and every caller a case more. It returns copies.
func complete(items []correlate.Incident) []correlate.Incident {
	items = slices.Clone(items)
	for i := range items {
		inc := &items[i]
		inc.Sources, inc.Causes, inc.Entries = orEmpty(inc.Sources), slices.Clone(orEmpty(inc.Causes)), orEmpty(inc.Entries)
		inc.Blast.Services = orEmpty(inc.Blast.Services)
		for j := range inc.Causes {
			inc.Causes[j].Parts = orEmpty(inc.Causes[j].Parts)
		}
	}
	return items
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// writeIncident writes one incident.
func (s *Server) writeIncident(w http.ResponseWriter, r *http.Request, status int, inc correlate.Incident) {
	s.write(w, r, status, complete([]correlate.Incident{inc})[0])
}

func (s *Server) getIncident(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	follow := q.text("redirect") == "" || q.bool("redirect")
	if q.err != nil {
		return q.err
	}
	inc, err := s.incident(r)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(inc.Revision))
	w.Header().Set("Cache-Control", "no-cache")
	if inc.Status == correlate.Merged && inc.MergedInto != "" && follow {
		// Relative, so that it also holds behind a proxy that adds a prefix.
		w.Header().Set("Location", "./"+url.PathEscape(inc.MergedInto))
		w.Header().Del("ETag")
		s.writeIncident(w, r, http.StatusTemporaryRedirect, inc)
		return nil
	}
	if matchesETag(r.Header.Get("If-None-Match"), inc.Revision) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	s.writeIncident(w, r, http.StatusOK, inc)
	return nil
}

// incident reads the one in the path; the store's error names it.
func (s *Server) incident(r *http.Request) (correlate.Incident, error) {
	return s.opt.Reader.Incident(r.Context(), r.PathValue("id"))
}

// matchesETag reads the value of If-None-Match or If-Match.
func matchesETag(header string, revision int64) bool {
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == "*" || tag == etag(revision) {
			return true
		}
	}
	return false
}

func (s *Server) incidentAlerts(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	aq := correlate.AlertQuery{Page: q.page(), Status: one(q, "status", ingest.ParseStatus), Incident: r.PathValue("id")}
	if q.err != nil {
		return q.err
	}
	if _, err := s.incident(r); err != nil {
		return err
	}
	items, next, err := s.opt.Reader.Alerts(r.Context(), aq)
	if err != nil {
		return fmt.Errorf("list the alerts of incident %s: %w", aq.Incident, err)
	}
	s.write(w, r, http.StatusOK, list(items, next))
	return nil
}

func (s *Server) timeline(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	p := q.page()
	if q.err != nil {
		return q.err
	}
	if _, err := s.incident(r); err != nil {
		return err
	}
	items, next, err := s.opt.Reader.Timeline(r.Context(), r.PathValue("id"), p)
	if err != nil {
		return fmt.Errorf("timeline of incident %s: %w", r.PathValue("id"), err)
	}
	s.write(w, r, http.StatusOK, list(complete(items), next))
	return nil
}

func (s *Server) incidentEvidence(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	aq := correlate.AttachmentQuery{Page: q.page(), Incident: r.PathValue("id")}
	if q.err != nil {
		return q.err
	}
	if _, err := s.incident(r); err != nil {
		return err
	}
	items, next, err := s.opt.Reader.Attachments(r.Context(), aq)
	if err != nil {
		return fmt.Errorf("evidence of incident %s: %w", aq.Incident, err)
	}
	s.write(w, r, http.StatusOK, list(items, next))
	return nil
}

func (s *Server) incidentLinks(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.incident(r); err != nil {
		return err
	}
	links, err := s.opt.Reader.Links(r.Context(), "incident:"+r.PathValue("id"))
	if err != nil {
		return fmt.Errorf("links of incident %s: %w", r.PathValue("id"), err)
	}
	s.write(w, r, http.StatusOK, list(links, ""))
	return nil
}

func (s *Server) command(w http.ResponseWriter, r *http.Request) error {
	var cmd correlate.Command
	if err := readBody(r, &cmd); err != nil {
		return err
	}
	id := r.PathValue("id")
	if cmd.Incident != "" && cmd.Incident != id {
		return invalid("incident", "%q is not the incident in the path, %q", cmd.Incident, id)
	}
	cmd.Incident = id
	if err := s.ifMatch(r, &cmd); err != nil {
		return err
	}
	inc, err := s.do(r, cmd)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(inc.Revision))
	s.writeIncident(w, r, http.StatusOK, inc)
	return nil
}

// ifMatch takes the revision that the operator saw from the header If-Match.
func (s *Server) ifMatch(r *http.Request, cmd *correlate.Command) error {
	header := strings.TrimSpace(r.Header.Get("If-Match"))
	if header == "" || header == "*" {
		return nil
	}
	text, err := strconv.Unquote(header)
	if err != nil {
		text = header
	}
	revision, err := strconv.ParseInt(text, 10, 64)
	if err != nil || revision < 1 {
		return invalid("If-Match", "%s: want one revision as the ETag gives it, such as \"7\", or *", header)
	}
	if cmd.Revision != 0 && cmd.Revision != revision {
		return invalid("revision", "%d is not that of the header If-Match, %d", cmd.Revision, revision)
	}
	cmd.Revision = revision
	return nil
}

// do completes and carries out a command.
func (s *Server) do(r *http.Request, cmd correlate.Command) (correlate.Incident, error) {
	switch key := r.Header.Get("Idempotency-Key"); {
	case len(key) > 200:
		return correlate.Incident{}, invalid("Idempotency-Key", "has %d bytes, at most 200 are possible", len(key))
	case key != "" && cmd.ID != "" && key != cmd.ID:
		return correlate.Incident{}, invalid("id", "%q is not that of the header Idempotency-Key, %q", cmd.ID, key)
	case key != "":
		cmd.ID = key
	case cmd.ID == "":
		cmd.ID = rand.Text()
	}
	cmd.By = operator(r, cmd.By)
	if err := cmd.Validate(); err != nil {
		return correlate.Incident{}, commandMistakes(err)
	}
	inc, err := s.opt.Commander.Do(r.Context(), cmd)
	if errors.Is(err, correlate.ErrConflict) {
		_, body := statusOf(err)
		// The command was refused whatever the reading says; without it the
		// answer only lacks the number.
		body.Revision = s.newest(r, cmd.Incident)
		return inc, &body
	}
	if err != nil {
		return inc, fmt.Errorf("%s: %w", cmd.Kind, err)
	}
	return inc, nil
}

// newest is the revision of what an ID means now: a command to a merged
// incident goes to the one it was merged into. 0 when it cannot be read.
func (s *Server) newest(r *http.Request, id string) int64 {
	for range 100 { // merges make no circle; this is for a store that does
		inc, err := s.opt.Reader.Incident(r.Context(), id)
		switch {
		case err != nil:
			return 0
		case inc.Status != correlate.Merged || inc.MergedInto == "":
			return inc.Revision
		}
		id = inc.MergedInto
	}
	return 0
}

// commandMistakes names the field of the first mistake and lists them all.
func commandMistakes(err error) error {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	details := make([]string, len(all))
	for i, e := range all {
		details[i] = strings.TrimPrefix(e.Error(), correlate.ErrInvalid.Error()+": ")
	}
	slices.Sort(details)
	e := &Error{Code: CodeInvalid, Message: details[0]}
	if field, rest, ok := strings.Cut(details[0], ": "); ok {
		e.Field, e.Message = field, rest
	}
	if len(details) > 1 {
		e.Details = details
	}
	return e
}
