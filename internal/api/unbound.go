package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tocsin/correlate"
	"tocsin/ingest"
)

// Unbound groups the firing alerts that are about no CI by what was tried, so
// that one mended rule or one missing CI shows as one line.
type Unbound struct {
	Items []UnboundGroup `json:"items"`
	// Alerts is how many were looked at.
	Alerts int `json:"alerts"`
	// Truncated says that there are more than were looked at.
	Truncated bool `json:"truncated,omitempty"`
}

// UnboundGroup are the alerts for which the same rules failed.
type UnboundGroup struct {
	// Tried are the rules that found nothing, without the values.
	Tried []string `json:"tried,omitempty"`
	// Ambiguous are the CIs that matched equally well.
	Ambiguous []string `json:"ambiguous,omitempty"`
	Count     int      `json:"count"`
	// Keys are some of the values that no CI has, at most five.
	Keys    []string     `json:"keys,omitempty"`
	Example ingest.Alert `json:"example"`
}

// maxUnbound bounds the work: beyond it the picture does not change any more.
const maxUnbound = 20_000

func (s *Server) unbound(w http.ResponseWriter, r *http.Request) error {
	var out Unbound
	groups := map[string]*UnboundGroup{}
	q := correlate.AlertQuery{Page: correlate.Page{Limit: maxLimit}, Status: ingest.Firing, Unbound: true}
	for {
		items, next, err := s.opt.Reader.Alerts(r.Context(), q)
		if err != nil {
			return fmt.Errorf("list unbound alerts: %w", err)
		}
		for i := range items {
			addUnbound(groups, &items[i])
		}
		out.Alerts += len(items)
		if next == "" {
			break
		}
		if out.Alerts >= maxUnbound {
			out.Truncated = true
			break
		}
		q.Cursor = next
	}
	out.Items = make([]UnboundGroup, 0, len(groups))
	for _, g := range groups {
		out.Items = append(out.Items, *g)
	}
	slices.SortFunc(out.Items, func(a, b UnboundGroup) int {
		return cmp.Or(b.Count-a.Count, slices.Compare(a.Ambiguous, b.Ambiguous), slices.Compare(a.Tried, b.Tried))
	})
	s.write(w, r, http.StatusOK, out)
	return nil
}

func addUnbound(groups map[string]*UnboundGroup, a *ingest.Alert) {
	var rules []string
	for _, t := range a.Tried {
		rule, _, _ := strings.Cut(t, "=")
		rules = append(rules, rule)
	}
	key := strings.Join(rules, "\x00")
	if len(a.Ambiguous) > 0 {
		key = "ambiguous\x00" + strings.Join(a.Ambiguous, "\x00")
	}
	g := groups[key]
	if g == nil {
		g = &UnboundGroup{Tried: rules, Ambiguous: a.Ambiguous, Example: *a}
		groups[key] = g
	}
	g.Count++
	for _, t := range a.Tried {
		if len(g.Keys) < 5 && !slices.Contains(g.Keys, t) {
			g.Keys = append(g.Keys, t)
		}
	}
}
