package learn

import (
	"cmp"
	"fmt"
	"slices"

	"tocsin/correlate"
	"tocsin/ingest"
)

// What a label must do to become a rule.
const (
	// nearlyAll is how much of what must hold has to.
	nearlyAll = 0.9
	// ruleEdits is how many edits the label must explain.
	ruleEdits = 3
	// rulePairs is how many pairs must speak for it that no edit is about.
	rulePairs = 10
	// maxRules is how many rules of one kind are tried.
	maxRules = 3
)

// candidate is a label by which alerts could be told apart or put together.
type candidate struct {
	name string
	// edits are those that it explains, of all of the kind; values how many
	// there are of it.
	edits, of, values int
}

// candidates finds labels for rules in the cases: with link for must_link, else
// for must_not_link. A label explains an edit when nearly all of its pairs that
// are wrong as it is configured now have it and differ in it, or for must_link
// agree; it must explain at least half of the edits that have such pairs. In
// nearly all cases the opposite must be so of the opposite pairs: what people
// left together agrees in it, so it is not a label that differs anyway.
func (e *Evidence) candidates(cases []int, before []int32, known facts, link bool) (out []candidate) {
	for _, name := range e.labelNames(cases, known) {
		c := candidate{name: name}
		value := func(a int32) string {
			if f := known[e.episodes[a].Fingerprint]; f != nil {
				return f.get(name)
			}
			return ""
		}
		var against, againstHeld, pairs int
		for _, i := range cases {
			edits, opposite := e.Cases[i].tally(value, before, link)
			for _, t := range edits {
				if t.pairs == 0 {
					continue
				}
				c.of++
				if float64(t.hold) >= nearlyAll*float64(t.pairs) {
					c.edits++
				}
			}
			if opposite.pairs > 0 {
				against++
				pairs += opposite.pairs
				if float64(opposite.hold) >= nearlyAll*float64(opposite.pairs) {
					againstHeld++
				}
			}
		}
		if c.edits < ruleEdits || 2*c.edits < c.of || pairs < rulePairs || float64(againstHeld) < nearlyAll*float64(against) {
			continue
		}
		var alerts int
		c.values, alerts = e.valuesOf(cases, known, name)
		if !link && 2*c.values > alerts {
			continue // nearly every alert has its own
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.edits, a.edits), cmp.Compare(a.values, b.values), cmp.Compare(a.name, b.name))
	})
	return out[:min(len(out), maxRules)]
}

type holds struct{ pairs, hold int }

// tally counts by edit the wrong pairs that a rule would be for and how many of
// them it would mend, and of the opposite pairs that have the label those that
// it would leave alone.
func (c *Case) tally(value func(int32) string, before []int32, link bool) (edits []holds, opposite holds) {
	edits = make([]holds, len(c.Edits))
	for _, p := range c.pairs {
		a, b := value(p.a), value(p.b)
		have, agree := a != "" && b != "", a == b
		switch {
		case p.together == link:
			if p.edit == unsaid || p.right(before) {
				continue
			}
			edits[p.edit].pairs++
			if have && agree == link {
				edits[p.edit].hold++
			}
		case have:
			opposite.pairs++
			if agree != link {
				opposite.hold++
			}
		}
	}
	return edits, opposite
}

// labelNames are those of all alerts in the cases, and what the estate says of
// their CIs.
func (e *Evidence) labelNames(cases []int, known facts) []string {
	names := map[string]bool{ciClass: true, ciOwner: true, ciEnvironment: true}
	for _, i := range cases {
		for _, a := range e.Cases[i].alerts {
			if f := known[e.episodes[a].Fingerprint]; f != nil {
				for _, l := range f.labels {
					names[l.Name] = true
				}
			}
		}
	}
	out := make([]string, 0, len(names))
	for n := range names {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// valuesOf counts the values of a label and the alerts that have one.
func (e *Evidence) valuesOf(cases []int, known facts, name string) (values, alerts int) {
	seen := map[string]bool{}
	counted := map[ingest.Fingerprint]bool{}
	for _, i := range cases {
		for _, a := range e.Cases[i].alerts {
			fp := e.episodes[a].Fingerprint
			f := known[fp]
			if f == nil || counted[fp] || f.get(name) == "" {
				continue
			}
			counted[fp] = true
			seen[f.get(name)] = true
		}
	}
	return len(seen), len(counted)
}

// ruleProposals are the rules that the training cases suggest and that the
// configuration does not have.
func (e *Evidence) ruleProposals(cases []int, before []int32, known facts, cfg *correlate.Config, what string) (out []Proposal) {
	for _, link := range []bool{false, true} {
		for _, c := range e.candidates(cases, before, known, link) {
			if hasRule(cfg, c.name, link) {
				continue
			}
			rule := correlate.Rule{}
			p := Proposal{Kind: "rule"}
			if link {
				rule.MustLink = &correlate.MustLink{By: []string{c.name}}
				rule.Name = "together-by-" + c.name
				p.Change = fmt.Sprintf("rules: must_link by %s", c.name)
				p.Words = fmt.Sprintf("put together what agrees in %s, as in %d of %d %ss that put together", c.name, c.edits, c.of, what)
			} else {
				rule.MustNotLink = &correlate.MustNotLink{By: []string{c.name}}
				rule.Name = "apart-by-" + c.name
				p.Change = fmt.Sprintf("rules: must_not_link by %s", c.name)
				p.Words = fmt.Sprintf("keep apart what differs in %s, as in %d of %d %ss that took apart", c.name, c.edits, c.of, what)
			}
			for n := 2; slices.ContainsFunc(cfg.Rules, func(r correlate.Rule) bool { return r.Name == rule.Name }); n++ {
				rule.Name = fmt.Sprintf("%s-%d", rule.Name, n)
			}
			p.config = *cfg
			p.config.Rules = append(slices.Clone(cfg.Rules), rule)
			out = append(out, p)
		}
	}
	return out
}

// hasRule says whether there is such a rule for all alerts already.
func hasRule(cfg *correlate.Config, name string, link bool) bool {
	return slices.ContainsFunc(cfg.Rules, func(r correlate.Rule) bool {
		switch {
		case len(r.Match) > 0:
			return false
		case link:
			return r.MustLink != nil && slices.Equal(r.MustLink.By, []string{name})
		default:
			return r.MustNotLink != nil && slices.Equal(r.MustNotLink.By, []string{name})
		}
	})
}
