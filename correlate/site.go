package correlate

import "slices"

// Site is what past incidents taught about one CI that has alerted in any.
type Site struct {
	CI string `json:"ci"`
	// Near counts the incidents that the CI was a culprit of, Pairs those in
	// which it had each alert itself. They are halved when they grow large.
	Near  int64       `json:"near"`
	Pairs []NameCount `json:"pairs,omitempty"`
	// Confirmed are the last incidents that people said it caused.
	Confirmed []Confirmation `json:"confirmed,omitempty"`
}

// NameCount counts incidents by alert name.
type NameCount struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
	name  uint32
}

const (
	// sitesMost bounds how many CIs are learned, and sitePairsMost how many
	// names on each: names beyond that hold something unique.
	sitesMost     = 1 << 17
	sitePairsMost = 32
	nearMost      = 256 // from here on numbers are halved
)

const siteKind = "site"

func (s *Site) memory() (kind, key string) { return siteKind, s.CI }

// count is in how many incidents the CI had an alert of a name.
func (s *Site) count(name uint32) int64 {
	for i := range s.Pairs {
		if s.Pairs[i].name == name {
			return s.Pairs[i].Count
		}
	}
	return 0
}

// add counts an incident in which the CI had an alert of a name. It says
// whether that is the first.
func (s *Site) add(name uint32, text string) (first bool) {
	for i := range s.Pairs {
		if s.Pairs[i].name == name {
			s.Pairs[i].Count++
			return false
		}
	}
	if len(s.Pairs) == sitePairsMost {
		return false
	}
	s.Pairs = append(s.Pairs, NameCount{text, 1, name})
	return true
}

// halve also drops names that have not come for long.
func (s *Site) halve() {
	s.Near /= 2
	for i := range s.Pairs {
		s.Pairs[i].Count /= 2
	}
	s.Pairs = slices.DeleteFunc(s.Pairs, func(p NameCount) bool { return p.Count == 0 })
}

// site finds what is known of a CI, or begins to learn it; nil when there are
// too many.
func (e *Engine) site(ci string) *Site {
	s := e.sites[ci]
	if s == nil && len(e.sites) < sitesMost {
		s = &Site{CI: ci}
		e.sites[ci] = s
	}
	return s
}

// restoreSite takes a stored site in.
func (e *Engine) restoreSite(s *Site) {
	for i := range s.Pairs {
		s.Pairs[i].name = short(hash(s.Pairs[i].Name))
	}
	e.sites[s.CI] = s
	if len(s.Confirmed) > 0 {
		e.confirmed[s.CI] = s
	}
}
