package correlate

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

const (
	// similarEnough is the similarity, in millionths, from which on an incident
	// is given a signature that is known.
	similarEnough = 650_000
	million       = 1_000_000
	// maxCompared bounds the signatures that an incident is compared with. Its
	// rarest tokens lead to them.
	maxCompared = 512
	// maxTokenAlerts bounds the alerts of an incident that are looked at, the
	// earliest first.
	maxTokenAlerts = 1024
)

// tokensOf are the tokens of an incident's alerts, sorted; of more than
// tokensMost, the weightiest.
func (e *Engine) tokensOf(inc *incident) []token {
	members := inc.members
	if len(members) > maxTokenAlerts {
		members = slices.Clone(members)
		slices.SortFunc(members, func(a, b *alert) int { return cmp.Or(cmp.Compare(a.began, b.began), cmp.Compare(a.fp, b.fp)) })
		members = members[:maxTokenAlerts]
	}
	seen := make(map[pair]bool, min(len(members), tokensMost))
	tokens := make([]token, 0, min(len(members), tokensMost))
	for _, a := range members {
		switch p := (pair{a.ci, a.name}); {
		case a.ci == unbound:
			tokens = append(tokens, token{e.subjectName(a), e.alertName(a)})
		case !seen[p]:
			seen[p] = true
			tokens = append(tokens, token{e.placeName(a.ci), e.alertName(a)})
		}
	}
	slices.SortFunc(tokens, token.compare)
	tokens = slices.Compact(tokens)
	if len(tokens) > tokensMost {
		crowd := crowdOf(tokens)
		slices.SortFunc(tokens, func(t, u token) int {
			return cmp.Or(cmp.Compare(e.signatures.weight(u, crowd[u.alert]), e.signatures.weight(t, crowd[t.alert])), t.compare(u))
		})
		tokens = tokens[:tokensMost]
		slices.SortFunc(tokens, token.compare)
	}
	return tokens
}

func (e *Engine) alertName(a *alert) string {
	e.other = e.packer.unpack(e.other[:0], a.labels)
	return e.other.Get("alertname")
}

// crowdOf counts, in thousandths, at how many places each alert is seen.
func crowdOf(tokens []token) map[string]int64 {
	crowd := map[string]int64{}
	for _, t := range tokens {
		crowd[t.alert] += milli
	}
	return crowd
}

// rarity weighs a token by how few of the incidents learned from have it, in
// thousandths: 1 + ln((incidents + 1)/(incidents with it + 1)).
func (s *signatures) rarity(t token) int64 {
	seen := int64(0)
	if u := s.usages[t]; u != nil {
		seen = u.seen
	}
	return milli + int64(math.Round(milli*math.Log(float64(s.learned+1)/float64(seen+1))))
}

// weight is the rarity of a token, less for one of a crowd: one alert at eight
// places is one effect and not eight.
func (s *signatures) weight(t token, crowd int64) int64 {
	return int64(math.Round(float64(s.rarity(t)) / math.Sqrt(float64(max(crowd, milli))/milli)))
}

// likeness is a token's part in a comparison.
type likeness struct {
	token
	weight int64
	// usual is in which share of the signature's incidents it was seen, here
	// whether it is in the one compared; thousandths.
	usual int64
	seen  int64 // in how many of them
	here  bool
}

// compare lays an incident's tokens and a signature side by side.
func (s *signatures) compare(tokens []token, g *Signature) (all []likeness, similarity int64) {
	usual := func(t *SignatureToken) int64 { return max(t.Seen*milli/g.Incidents, 1) }
	known := map[string]int64{}
	for i := range g.Tokens {
		known[g.Tokens[i].Alert] += usual(&g.Tokens[i])
	}
	here := crowdOf(tokens)
	alike, sum := int64(0), int64(0)
	for i, j := 0, 0; i < len(tokens) || j < len(g.Tokens); {
		var l likeness
		var order int
		switch {
		case j == len(g.Tokens):
			order = -1
		case i == len(tokens):
			order = 1
		default:
			order = tokens[i].compare(g.Tokens[j].token())
		}
		if order <= 0 {
			l.token, l.here = tokens[i], true
			i++
		}
		if order >= 0 {
			t := &g.Tokens[j]
			l.token, l.usual, l.seen = t.token(), usual(t), t.Seen
			j++
		}
		l.weight = s.weight(l.token, max(here[l.alert], known[l.alert]))
		if l.here {
			alike += l.weight * l.usual
		}
		if l.usual == 0 { // what is new counts in full
			sum += l.weight * milli
		} else {
			sum += l.weight * l.usual
		}
		all = append(all, l)
	}
	if sum == 0 {
		return all, 0
	}
	return all, alike * million / sum
}

// nearest finds the signature that tokens are most similar to, of equals the
// older; nil when none is similar enough.
func (s *signatures) nearest(tokens []token) *Signature {
	var uses []*usage
	for _, t := range tokens {
		if u := s.usages[t]; u != nil {
			uses = append(uses, u)
		}
	}
	if len(uses) == 0 {
		return nil
	}
	slices.SortStableFunc(uses, func(a, b *usage) int { return cmp.Compare(len(a.in), len(b.in)) })
	compared := map[*Signature]bool{}
	var best *Signature
	most := int64(similarEnough)
	for _, u := range uses {
		for _, g := range u.in {
			if compared[g] {
				continue
			}
			if len(compared) == maxCompared {
				return best
			}
			compared[g] = true
			if _, v := s.compare(tokens, g); v > most || v == most && (best == nil || g.before(best) < 0) {
				best, most = g, v
			}
		}
	}
	return best
}

// found makes the signature for tokens that are similar to none. It is not kept
// yet.
func (s *signatures) found(tokens []token) *Signature {
	rarest := tokens[0]
	for _, t := range tokens {
		if s.rarity(t) > s.rarity(rarest) {
			rarest = t
		}
	}
	texts := make([][2]string, len(tokens))
	for i, t := range tokens {
		texts[i] = [2]string{t.place, t.alert}
	}
	body, err := json.Marshal(texts)
	if err != nil { // it consists of texts
		panic(err)
	}
	readable := strings.TrimSpace(clip(rarest.place, 120) + " " + clip(rarest.alert, 80))
	for draw := 0; ; draw++ {
		// A signature that has changed since these tokens founded it holds
		// the name.
		if draw > 0 {
			body = append(body, '#')
		}
		sum := sha256.Sum256(body)
		name := fmt.Sprintf("%s %x", readable, sum[:5])
		if s.byName[name] == nil {
			return &Signature{Name: name}
		}
	}
}

// signatureOf finds the signature for tokens, of which there must be one.
func (s *signatures) signatureOf(tokens []token) *Signature {
	if g := s.nearest(tokens); g != nil {
		return g
	}
	return s.found(tokens)
}
