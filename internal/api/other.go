package api

import (
	_ "embed"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/correlate"
)

//go:embed openapi.yaml
var openAPI []byte

func (s *Server) otherRoutes() []route {
	return []route{
		{method: "GET", path: "/links", handle: s.listLinks, query: []string{"ref"}},
		{method: "POST", path: "/links", handle: s.link},
		{method: "DELETE", path: "/links", handle: s.unlink, query: []string{"from", "to", "kind"}},
		{method: "GET", path: "/deliveries", handle: s.deliveries, query: []string{"state", "limit", "cursor"}},
		{method: "GET", path: "/accounting", handle: s.accounting},
		{method: "GET", path: "/status", handle: s.status},
		{method: "GET", path: "/openapi.yaml", handle: s.openapi},
	}
}

func (s *Server) listLinks(w http.ResponseWriter, r *http.Request) error {
	ref := s.query(r).text("ref")
	if err := correlate.ValidateRef(ref); err != nil {
		return invalid("ref", "%v", err)
	}
	links, err := s.opt.Reader.Links(r.Context(), ref)
	if err != nil {
		return fmt.Errorf("links of %s: %w", ref, err)
	}
	s.write(w, r, http.StatusOK, list(links, ""))
	return nil
}

// LinkRequest is the body that makes a link.
type LinkRequest struct {
	From string `json:"from"`
	To   string `json:"to"`
	Kind string `json:"kind"`
	By   string `json:"by,omitempty"`
}

func (s *Server) link(w http.ResponseWriter, r *http.Request) error {
	var body LinkRequest
	if err := readBody(r, &body); err != nil {
		return err
	}
	l := correlate.Link{From: body.From, To: body.To, Kind: body.Kind}
	return s.doLink(w, r, correlate.Command{Kind: correlate.CmdLink, Link: &l, By: body.By})
}

func (s *Server) unlink(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	l := correlate.Link{From: q.text("from"), To: q.text("to"), Kind: q.text("kind")}
	return s.doLink(w, r, correlate.Command{Kind: correlate.CmdUnlink, Link: &l})
}

// doLink answers with the links that the record From has afterwards.
func (s *Server) doLink(w http.ResponseWriter, r *http.Request, cmd correlate.Command) error {
	if _, err := s.do(r, cmd); err != nil {
		return err
	}
	links, err := s.opt.Reader.Links(r.Context(), cmd.Link.From)
	if err != nil {
		return fmt.Errorf("links of %s: %w", cmd.Link.From, err)
	}
	s.write(w, r, http.StatusOK, list(links, ""))
	return nil
}

func (s *Server) deliveries(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	state := one(q, "state", parseOne("state", "pending", "delivered", "failed"))
	page := q.page()
	if q.err != nil {
		return q.err
	}
	if s.opt.Outbox == nil {
		s.write(w, r, http.StatusOK, list[correlate.Delivery](nil, ""))
		return nil
	}
	items, next, err := s.opt.Outbox.Deliveries(r.Context(), state, page)
	if err != nil {
		return fmt.Errorf("list deliveries: %w", err)
	}
	s.write(w, r, http.StatusOK, list(items, next))
	return nil
}

// Accounting says what became of everything that was received.
type Accounting struct {
	Items []SourceCounts `json:"items"`
	Total SourceCounts   `json:"total"`
}

// SourceCounts are the counts of one source, or, in the total, of all.
type SourceCounts struct {
	Source string `json:"source,omitempty"`
	// Received is the sum of the others.
	Received int64 `json:"received"`
	correlate.Counts
}

func (c *SourceCounts) add(n correlate.Counts) {
	c.Stored += n.Stored
	c.Deduplicated += n.Deduplicated
	c.Rejected += n.Rejected
	c.Received += n.Stored + n.Deduplicated + n.Rejected
}

func (s *Server) account(r *http.Request) (Accounting, error) {
	counts, err := s.opt.Reader.Accounting(r.Context())
	if err != nil {
		return Accounting{}, fmt.Errorf("accounting: %w", err)
	}
	out := Accounting{Items: []SourceCounts{}}
	for source, n := range counts {
		c := SourceCounts{Source: source}
		c.add(n)
		out.Items = append(out.Items, c)
		out.Total.add(n)
	}
	slices.SortFunc(out.Items, func(a, b SourceCounts) int { return strings.Compare(a.Source, b.Source) })
	return out, nil
}

func (s *Server) accounting(w http.ResponseWriter, r *http.Request) error {
	out, err := s.account(r)
	if err != nil {
		return err
	}
	s.write(w, r, http.StatusOK, out)
	return nil
}

// Status says what is running and how much it holds.
type Status struct {
	Version   string       `json:"version"`
	StartedAt time.Time    `json:"started_at"`
	Uptime    float64      `json:"uptime_seconds"`
	Store     string       `json:"store"`
	Events    SourceCounts `json:"events"`
	CIs       int          `json:"cis"`
	Relations int          `json:"relations"`
	// Counts are whatever else the server counts, by name.
	Counts map[string]int64 `json:"counts"`
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	acc, err := s.account(r)
	if err != nil {
		return err
	}
	estate := s.opt.Estate.Estate()
	st := Status{Version: s.opt.Version, StartedAt: s.started, Uptime: s.opt.Now().Sub(s.started).Seconds(),
		Store: s.opt.Store, Events: acc.Total, CIs: estate.Len(), Relations: estate.Relations(), Counts: map[string]int64{}}
	if s.opt.Counts != nil {
		if st.Counts, err = s.opt.Counts(r.Context()); err != nil {
			return fmt.Errorf("count for the status: %w", err)
		}
	}
	s.write(w, r, http.StatusOK, st)
	return nil
}

func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI) // failing means that the caller went away
	return nil
}
