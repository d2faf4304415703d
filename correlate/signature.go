package correlate

import (
	"cmp"
	"slices"
	"time"
)

// Signature is what the incidents of one problem have in common: which alerts
// are seen on what, wherever that stands. An incident is given the signature
// that it is most similar to, or founds one.
type Signature struct {
	// Name is readable and never changes: the rarest token of the incident that
	// founded it, and a hash of all of them.
	Name string `json:"name"`
	// Founded and Last are when the first and the newest incident were given it.
	Founded time.Time `json:"founded"`
	Last    time.Time `json:"last"`
	// Incidents is how many were given it and count in Tokens.
	Incidents int64 `json:"incidents"`
	// Tokens are what was seen in them, by place and alert; at most 64.
	Tokens []SignatureToken `json:"tokens,omitempty"`
	// Past are its newest occurrences, at most twenty.
	Past []Occurrence `json:"past,omitempty"`
}

// SignatureToken is an alert at a place.
type SignatureToken struct {
	// Place is a CI's class and its ID without what names its environment; for
	// an alert without a CI, what it is about.
	Place string `json:"place"`
	Alert string `json:"alert"`
	// Seen is in how many of the signature's incidents it was seen.
	Seen int64 `json:"seen"`
}

// Occurrence is one incident of a signature, and which places had been changed
// before it.
type Occurrence struct {
	Incident string         `json:"incident"`
	Changed  []PlaceChanged `json:"changed,omitempty"`
}

// PlaceChanged is a place at which there was a change when an incident began.
type PlaceChanged struct {
	Place string `json:"place"`
	// Points are 1000·ln of how much more often there is one that long before
	// an incident that it caused than by chance.
	Points int64 `json:"points"`
}

const (
	signatureKind = "signature"
	// signaturesMost bounds how many are kept; of more, the one is forgotten
	// that was given longest ago.
	signaturesMost = 20_000
	// tokensMost bounds the tokens of a signature and of an incident.
	tokensMost = 64
	// pastMost bounds the occurrences kept of a signature, placesMost the
	// places of each.
	pastMost   = 20
	placesMost = 16

	// The bounds of what one occurrence says of a change, in thousandths of a
	// logarithm: ln .2 when its place was not changed then.
	placeUnchanged   = -1609
	placeChangedMost = 2000
)

func (g *Signature) memory() (kind, key string) { return signatureKind, g.Name }

// token is an alert at a place, as compared.
type token struct{ place, alert string }

func (t token) compare(u token) int {
	return cmp.Or(cmp.Compare(t.place, u.place), cmp.Compare(t.alert, u.alert))
}

func (t *SignatureToken) token() token { return token{t.Place, t.Alert} }

// usage is in which signatures a token is, in the order of their founding, and
// in how many of their incidents.
type usage struct {
	token token
	seen  int64
	in    []*Signature
}

// signatures are all that are known. Whatever it sums up follows from them.
type signatures struct {
	byName map[string]*Signature
	usages map[token]*usage
	// learned is how many incidents count in them.
	learned int64
}

func newSignatures() signatures {
	return signatures{byName: map[string]*Signature{}, usages: map[token]*usage{}}
}

// before orders signatures by founding.
func (g *Signature) before(h *Signature) int {
	return cmp.Or(g.Founded.Compare(h.Founded), cmp.Compare(g.Name, h.Name))
}

// insert adds one that is new or was stored; when there are too many, another
// one is forgotten.
func (s *signatures) insert(g *Signature) {
	if len(s.byName) >= signaturesMost {
		oldest := g
		for _, h := range s.byName {
			if oldest == g || cmp.Or(h.Last.Compare(oldest.Last), cmp.Compare(h.Name, oldest.Name)) < 0 {
				oldest = h
			}
		}
		s.forget(oldest)
	}
	s.byName[g.Name] = g
	s.learned += g.Incidents
	for i := range g.Tokens {
		t := &g.Tokens[i]
		u := s.use(t.token(), g)
		u.seen += t.Seen
		t.Place, t.Alert = u.token.place, u.token.alert // one text for all
	}
}

func (s *signatures) forget(g *Signature) {
	delete(s.byName, g.Name)
	s.learned -= g.Incidents
	for i := range g.Tokens {
		s.drop(&g.Tokens[i], g)
	}
}

// use enters a signature for a token.
func (s *signatures) use(t token, g *Signature) *usage {
	u := s.usages[t]
	if u == nil {
		u = &usage{token: t}
		s.usages[t] = u
	}
	i, _ := slices.BinarySearchFunc(u.in, g, (*Signature).before)
	u.in = slices.Insert(u.in, i, g)
	return u
}

func (s *signatures) drop(t *SignatureToken, g *Signature) {
	u := s.usages[t.token()]
	u.seen -= t.Seen
	if i, ok := slices.BinarySearchFunc(u.in, g, (*Signature).before); ok {
		u.in = slices.Delete(u.in, i, i+1)
	}
	if len(u.in) == 0 {
		delete(s.usages, u.token)
	}
}

// learn counts an incident's tokens, which are sorted, into a signature.
func (s *signatures) learn(g *Signature, tokens []token) {
	g.Incidents++
	s.learned++
	for _, t := range tokens {
		i, ok := slices.BinarySearchFunc(g.Tokens, t, func(x SignatureToken, t token) int { return x.token().compare(t) })
		if !ok {
			u := s.use(t, g)
			g.Tokens = slices.Insert(g.Tokens, i, SignatureToken{Place: u.token.place, Alert: u.token.alert})
		}
		g.Tokens[i].Seen++
		s.usages[t].seen++
	}
	for len(g.Tokens) > tokensMost {
		least := 0
		for i := range g.Tokens {
			a, b := &g.Tokens[i], &g.Tokens[least]
			if cmp.Or(cmp.Compare(a.Seen, b.Seen), cmp.Compare(s.rarity(a.token()), s.rarity(b.token()))) < 0 {
				least = i
			}
		}
		s.drop(&g.Tokens[least], g)
		g.Tokens = slices.Delete(g.Tokens, least, least+1)
	}
}

// addPlace adds what a place says, or raises it: of several changes at one
// place the one that was best placed counts. Only the most telling places are
// kept, and none that says no more than one that was not changed.
func addPlace(list []PlaceChanged, place string, points int64) []PlaceChanged {
	if points <= placeUnchanged {
		return list
	}
	if i := slices.IndexFunc(list, func(p PlaceChanged) bool { return p.Place == place }); i >= 0 {
		points = max(points, list[i].Points)
		list = slices.Delete(list, i, i+1)
	}
	p := PlaceChanged{place, points}
	i, _ := slices.BinarySearchFunc(list, p, func(a, b PlaceChanged) int {
		return cmp.Or(cmp.Compare(b.Points, a.Points), cmp.Compare(a.Place, b.Place))
	})
	list = slices.Insert(list, i, p)
	return list[:min(len(list), placesMost)]
}

func (g *Signature) add(o Occurrence) {
	g.Past = append(g.Past, o)
	g.Past = g.Past[max(len(g.Past)-pastMost, 0):]
}
