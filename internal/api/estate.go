package api

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

func (s *Server) estateRoutes() []route {
	hops := []string{"hops", "limit"}
	return []route{
		{method: "GET", path: "/cis", handle: s.listCIs, query: []string{"class", "q", "owner", "environment", "criticality", "limit", "cursor"}},
		{method: "GET", path: "/cis/{id}", handle: s.getCI},
		{method: "PUT", path: "/cis/{id}", handle: s.putCI},
		{method: "DELETE", path: "/cis/{id}", handle: s.retireCI},
		{method: "GET", path: "/cis/{id}/upstream", handle: s.reach((*cmdb.Snapshot).Upstream), query: hops},
		{method: "GET", path: "/cis/{id}/downstream", handle: s.reach((*cmdb.Snapshot).Downstream), query: hops},
		{method: "GET", path: "/cis/{id}/impact", handle: s.ciImpact, query: hops},
		{method: "GET", path: "/cis/{id}/alerts", handle: s.ciAlerts, query: []string{"status", "from", "to", "limit", "cursor"}},
		{method: "GET", path: "/cis/{id}/incidents", handle: s.ciIncidents, query: []string{"status", "from", "to", "limit", "cursor"}},
		{method: "GET", path: "/path", handle: s.path, query: []string{"from", "to"}},
		{method: "POST", path: "/impact", handle: s.impact, query: hops},
		{method: "PUT", path: "/relations", handle: s.putRelation},
		{method: "DELETE", path: "/relations", handle: s.retireRelation, query: []string{"from", "to", "type"}},
		{method: "POST", path: "/cmdb/import", handle: s.importEstate, query: []string{"source", "format", "name", "dry_run"}, body: importBody},
	}
}

func (s *Server) listCIs(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	page := q.page()
	keep := ciFilter(q)
	after, err := base64.RawURLEncoding.DecodeString(page.Cursor)
	if err != nil {
		q.bad(invalid("cursor", "%q is not one that this list gave", page.Cursor))
	}
	if q.err != nil {
		return q.err
	}
	limit := page.Limit
	if limit == 0 {
		limit = 100
	}
	estate := s.opt.Estate.Estate()
	first := 0
	if len(after) > 0 {
		first = sort.Search(estate.Len(), func(i int) bool { return estate.At(int32(i)).ID > string(after) })
	}
	var items []cmdb.CI
	next := ""
	for i := first; i < estate.Len(); i++ {
		c := estate.At(int32(i))
		if !keep(c) {
			continue
		}
		if len(items) == limit {
			next = base64.RawURLEncoding.EncodeToString([]byte(items[limit-1].ID))
			break
		}
		items = append(items, *c)
	}
	s.write(w, r, http.StatusOK, list(items, next))
	return nil
}

// ciFilter selects by the parameters of the list; all of them must hold.
func ciFilter(q *query) func(*cmdb.CI) bool {
	text := func(s string) (string, error) { return s, nil }
	class, owner, environment := many(q, "class", text), many(q, "owner", text), many(q, "environment", text)
	criticality := many(q, "criticality", parseOne("criticality", cmdb.CriticalityCritical, cmdb.CriticalityHigh,
		cmdb.CriticalityMedium, cmdb.CriticalityLow))
	search := strings.ToLower(q.text("q"))
	in := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	return func(c *cmdb.CI) bool {
		return in(class, c.Class) && in(owner, c.Owner) && in(environment, c.Environment) &&
			(len(criticality) == 0 || slices.Contains(criticality, c.Criticality)) &&
			(search == "" || mentions(c, search))
	}
}

// mentions looks for a lower-case text in the ID, the name and the keys.
func mentions(c *cmdb.CI, search string) bool {
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), search) }
	if has(c.ID) || has(c.Name) {
		return true
	}
	for _, values := range c.Keys {
		if slices.ContainsFunc(values, has) {
			return true
		}
	}
	return false
}

// CI is a configuration item with its direct relations, at most a hundred in
// each direction.
type CI struct {
	cmdb.CI
	Needs         []cmdb.Relation `json:"needs"`
	NeedsCount    int             `json:"needs_count"`
	NeededBy      []cmdb.Relation `json:"needed_by"`
	NeededByCount int             `json:"needed_by_count"`
}

const shownRelations = 100

func (s *Server) getCI(w http.ResponseWriter, r *http.Request) error {
	estate := s.opt.Estate.Estate()
	c, err := findCI(estate, r.PathValue("id"))
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(c.Revision))
	s.write(w, r, http.StatusOK, viewCI(estate, c))
	return nil
}

func findCI(estate *cmdb.Snapshot, id string) (*cmdb.CI, error) {
	c := estate.Get(id)
	if c == nil {
		return nil, fmt.Errorf("ci %q: %w", id, cmdb.ErrUnknownCI)
	}
	return c, nil
}

func viewCI(estate *cmdb.Snapshot, c *cmdb.CI) CI {
	i, _ := estate.Index(c.ID)
	needs, neededBy := estate.Needs(i), estate.NeededBy(i)
	v := CI{CI: *c, NeedsCount: len(needs), NeededByCount: len(neededBy), Needs: []cmdb.Relation{}, NeededBy: []cmdb.Relation{}}
	for _, e := range needs[:min(len(needs), shownRelations)] {
		if rel, ok := estate.Relation(c.ID, estate.At(e.CI).ID, estate.TypeName(e.Type)); ok {
			v.Needs = append(v.Needs, rel)
		}
	}
	for _, e := range neededBy[:min(len(neededBy), shownRelations)] {
		if rel, ok := estate.Relation(estate.At(e.CI).ID, c.ID, estate.TypeName(e.Type)); ok {
			v.NeededBy = append(v.NeededBy, rel)
		}
	}
	return v
}

// Reached is a CI found along relations.
type Reached struct {
	cmdb.Reached
	Name  string `json:"name"`
	Class string `json:"class"`
}

// Reach is what a CI needs, or what needs it.
type Reach struct {
	Items []Reached `json:"items"`
	// Truncated says that there is more than the limit.
	Truncated bool `json:"truncated"`
}

func named(estate *cmdb.Snapshot, found []cmdb.Reached) []Reached {
	out := make([]Reached, len(found))
	for i, f := range found {
		c := estate.At(f.Index)
		out[i] = Reached{Reached: f, Name: c.DisplayName(), Class: c.Class}
	}
	return out
}

// limits reads how far a search goes.
func (q *query) limits() cmdb.Limit {
	l := cmdb.Limit{CIs: maxLimit}
	for name, to := range map[string]*int{"hops": &l.Hops, "limit": &l.CIs} {
		v := q.values.Get(name)
		if v == "" {
			continue
		}
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > cmdb.DefaultLimitCIs {
			q.bad(invalid(name, "%q: want a number from 1 to %d", v, cmdb.DefaultLimitCIs))
		}
		*to = n
	}
	return l
}

func (s *Server) reach(search func(*cmdb.Snapshot, string, cmdb.Limit) ([]cmdb.Reached, bool, error)) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		q := s.query(r)
		limit := q.limits()
		if q.err != nil {
			return q.err
		}
		estate := s.opt.Estate.Estate()
		found, truncated, err := search(estate, r.PathValue("id"), limit)
		if err != nil {
			return err
		}
		s.write(w, r, http.StatusOK, Reach{named(estate, found), truncated})
		return nil
	}
}

// ImpactRequest asks who is hit when all of these fail at once.
type ImpactRequest struct {
	Failed []string `json:"failed"`
}

// Impact is who is hit.
type Impact struct {
	Hit []Reached `json:"hit"`
	// Services are the most critical first, at most fifty; ServiceCount
	// counts them all.
	Services     []string `json:"services"`
	ServiceCount int      `json:"service_count"`
	Truncated    bool     `json:"truncated"`
}

func (s *Server) ciImpact(w http.ResponseWriter, r *http.Request) error {
	return s.writeImpact(w, r, []string{r.PathValue("id")})
}

func (s *Server) impact(w http.ResponseWriter, r *http.Request) error {
	var body ImpactRequest
	if err := readBody(r, &body); err != nil {
		return err
	}
	if len(body.Failed) == 0 {
		return invalid("failed", "is empty; name at least one CI")
	}
	return s.writeImpact(w, r, body.Failed)
}

func (s *Server) writeImpact(w http.ResponseWriter, r *http.Request, failed []string) error {
	q := s.query(r)
	limit := q.limits()
	if q.err != nil {
		return q.err
	}
	estate := s.opt.Estate.Estate()
	hit, err := estate.Impact(failed, limit)
	if err != nil {
		return err
	}
	s.write(w, r, http.StatusOK, Impact{named(estate, hit.Hit), orEmpty(hit.Services), hit.ServiceCount, hit.Truncated})
	return nil
}

// ciAlerts does not ask whether the CI still exists: what a retired one said is history.
func (s *Server) ciAlerts(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	aq := correlate.AlertQuery{Page: q.page(), CI: r.PathValue("id"), Status: one(q, "status", ingest.ParseStatus)}
	aq.From, aq.To = q.span()
	if q.err != nil {
		return q.err
	}
	items, next, err := s.opt.Reader.Alerts(r.Context(), aq)
	if err != nil {
		return fmt.Errorf("list the alerts of ci %q: %w", aq.CI, err)
	}
	s.write(w, r, http.StatusOK, list(items, next))
	return nil
}

func (s *Server) ciIncidents(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	iq := correlate.IncidentQuery{Page: q.page(), CI: r.PathValue("id"), Status: many(q, "status", correlate.ParseStatus)}
	iq.From, iq.To = q.span()
	if q.err != nil {
		return q.err
	}
	items, next, err := s.opt.Reader.Incidents(r.Context(), iq)
	if err != nil {
		return fmt.Errorf("list the incidents of ci %q: %w", iq.CI, err)
	}
	s.write(w, r, http.StatusOK, list(complete(items), next))
	return nil
}

// Path leads from one CI to another.
type Path struct {
	Steps []cmdb.Step `json:"steps"`
}

func (s *Server) path(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	for _, name := range []string{"from", "to"} {
		if q.text(name) == "" {
			return invalid(name, "is missing; give the ID of a CI")
		}
	}
	steps, err := s.opt.Estate.Estate().Path(q.text("from"), q.text("to"))
	if err != nil {
		return err
	}
	s.write(w, r, http.StatusOK, Path{orEmpty(steps)})
	return nil
}
