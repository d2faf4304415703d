package correlate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/ingest"
)

// Rule is something that operators know and no evidence shows. In YAML:
//
//   - name: tenants
//     match: ['team="cloud"']        # which alerts; all of them when left out
//     must_not_link: {by: [tenant]}  # two values, two incidents
//
// One rule may say several things. Alerts are matched by Alertmanager's
// matchers on their labels, and on what the estate says of their CI, under the
// names ci.id, ci.class, ci.owner and ci.environment.
type Rule struct {
	// Name is what evidence and replays call it.
	Name  string   `yaml:"name"`
	Match []string `yaml:"match"`
	// MustLink puts alerts that agree into one incident, whatever they score.
	MustLink *MustLink `yaml:"must_link"`
	// MustNotLink keeps alerts that disagree in different incidents, whatever
	// they score. Where both apply, it wins.
	MustNotLink *MustNotLink `yaml:"must_not_link"`
	// Break is what correlation does not reach across.
	Break *Break `yaml:"break"`
	// MinAlerts is how many different alerts must fire at once, and Delay how
	// long the first of them, before an incident of such alerts is opened and
	// anybody is told. One alert without such a rule opens it at once.
	MinAlerts int      `yaml:"min_alerts"`
	Delay     Duration `yaml:"delay"`
	// NeverNoise keeps such alerts from being taken for chronic or periodic.
	NeverNoise bool `yaml:"never_noise"`
}

// MustLink says what alerts have to agree on to be put together.
type MustLink struct {
	// By are labels whose values must be equal, and not empty.
	By []string `yaml:"by"`
}

// MustNotLink says what keeps alerts apart: one of its two.
type MustNotLink struct {
	// By are labels: alerts with different values of them, none empty, are
	// kept apart.
	By []string `yaml:"by"`
	// From are matchers: the alerts of the rule are kept apart from these.
	From []string `yaml:"from"`
}

// Break says where correlation ends. Relations and Through are about the
// estate and apply to all alerts, so a rule with them has no Match.
type Break struct {
	// Relations are types of relations that no path leads along.
	Relations []string `yaml:"relations"`
	// Through are classes of CIs that no path leads through.
	Through []string `yaml:"through"`
	// After is how long after its beginning an incident takes such alerts in.
	After Duration `yaml:"after"`
	// Alerts is how many alerts an incident may have to take such alerts in.
	Alerts int `yaml:"alerts"`
}

// rules are a configuration's rules made ready.
type rules struct {
	all []rule
	// relations and through join those of all rules.
	relations, through map[string]bool
}

type rule struct {
	*Rule
	match, from labels.Matchers
}

// What matchers may ask of an alert's CI.
const (
	labelCIID          = "ci.id"
	labelCIClass       = "ci.class"
	labelCIOwner       = "ci.owner"
	labelCIEnvironment = "ci.environment"
)

func compileRules(list []Rule) (rules, error) {
	rs := rules{relations: map[string]bool{}, through: map[string]bool{}}
	var errs []error
	names := map[string]bool{}
	for i := range list {
		r := rule{Rule: &list[i]}
		at := fmt.Sprintf("rules[%d]", i)
		bad := func(key, format string, args ...any) {
			errs = append(errs, fmt.Errorf("%s.%s: %s", at, key, fmt.Sprintf(format, args...)))
		}
		switch {
		case r.Name == "":
			bad("name", "is empty; evidence and replays call the rule by it")
		case names[r.Name]:
			bad("name", "%q is the name of another rule too; give each its own", r.Name)
		}
		names[r.Name] = true
		r.match = matchersOf(r.Match, "match", bad)
		r.check(bad)
		if m := r.MustNotLink; m != nil {
			r.from = matchersOf(m.From, "must_not_link.from", bad)
		}
		if b := r.Break; b != nil {
			for _, t := range b.Relations {
				rs.relations[t] = true
			}
			for _, c := range b.Through {
				rs.through[c] = true
			}
		}
		rs.all = append(rs.all, r)
	}
	return rs, errors.Join(errs...)
}

func matchersOf(texts []string, key string, bad func(key, format string, args ...any)) labels.Matchers {
	var out labels.Matchers
	for i, text := range texts {
		// The CI's properties have dots in their names, which the syntax
		// allows in quotes only.
		name, rest, dotted := strings.Cut(text, "ci.")
		if dotted && name == "" {
			text = "ci_" + rest
		}
		m, err := labels.ParseMatcher(text)
		if err != nil {
			bad(fmt.Sprintf("%s[%d]", key, i), `%q: want a matcher such as team="cloud" or severity=~"warning|info": %v`, texts[i], err)
			continue
		}
		if dotted && name == "" {
			m.Name = "ci." + strings.TrimPrefix(m.Name, "ci_")
			if !slices.Contains([]string{labelCIID, labelCIClass, labelCIOwner, labelCIEnvironment}, m.Name) {
				bad(fmt.Sprintf("%s[%d]", key, i), "%q: a CI has %s, %s, %s and %s", texts[i], labelCIID, labelCIClass, labelCIOwner, labelCIEnvironment)
				continue
			}
		}
		out = append(out, m)
	}
	return out
}

func (r *rule) check(bad func(key, format string, args ...any)) {
	says := false
	if m := r.MustLink; m != nil {
		says = true
		if len(m.By) == 0 || slices.Contains(m.By, "") {
			bad("must_link.by", "%q: name the labels that have to agree", m.By)
		}
	}
	if m := r.MustNotLink; m != nil {
		says = true
		if (len(m.By) == 0) == (len(m.From) == 0) || slices.Contains(m.By, "") {
			bad("must_not_link", "want either by, the labels that may not differ, or from, matchers of the other alerts")
		}
	}
	if b := r.Break; b != nil {
		says = true
		estate, alerts := len(b.Relations)+len(b.Through) > 0, b.After != 0 || b.Alerts != 0
		switch {
		case !estate && !alerts:
			bad("break", "says nothing; want relations, through, after or alerts")
		case estate && len(r.Match) > 0:
			bad("break", "relations and through are about the estate and apply to all alerts; take match out")
		}
		if b.After < 0 {
			bad("break.after", "%s: want more than 0", time.Duration(b.After))
		}
		if b.Alerts < 0 {
			bad("break.alerts", "%d: want at least 1", b.Alerts)
		}
	}
	switch {
	case r.MinAlerts < 0:
		bad("min_alerts", "%d: want at least 1", r.MinAlerts)
	case r.Delay < 0:
		bad("delay", "%s: want 0 or more", time.Duration(r.Delay))
	case !says && r.MinAlerts == 0 && r.Delay == 0 && !r.NeverNoise:
		bad("name", "%q says nothing; want must_link, must_not_link, break, min_alerts, delay or never_noise", r.Name)
	}
}

// ruling is what the rules say of one alert.
type ruling struct {
	// links are the hashes of what it must be linked by.
	links []linkKey
	// sides are where it stands in what is kept apart.
	sides []side
	// minAlerts and delay are those of the strictest rule that applies; 1 and
	// 0 when none does.
	minAlerts int
	delay     int64
	// breakAfter and breakAlerts are 0 when no rule breaks.
	breakAfter  int64
	breakAlerts int
	neverNoise  bool
}

type linkKey struct {
	hash uint64
	rule string
}

// side is one of two or more that a rule keeps apart.
type side struct {
	rule  int32
	value uint64
}

const (
	sideMatch uint64 = 1 // of the alerts that match
	sideFrom  uint64 = 2 // of those that they are kept apart from
)

// of computes the ruling on an alert from its labels and CI.
func (rs *rules) of(get func(name string) string) ruling {
	out := ruling{minAlerts: 1}
	for i := range rs.all {
		r := &rs.all[i]
		if m := r.MustNotLink; m != nil && len(m.From) > 0 && matches(r.from, get) {
			out.sides = append(out.sides, side{int32(i), sideFrom})
		}
		if !matches(r.match, get) {
			continue
		}
		if m := r.MustLink; m != nil {
			if h, ok := valuesOf(m.By, get); ok {
				out.links = append(out.links, linkKey{hash(r.Name, "must_link") ^ h, r.Name})
			}
		}
		if m := r.MustNotLink; m != nil {
			if len(m.From) > 0 {
				out.sides = append(out.sides, side{int32(i), sideMatch})
			} else if h, ok := valuesOf(m.By, get); ok {
				out.sides = append(out.sides, side{int32(i), h})
			}
		}
		if b := r.Break; b != nil {
			if b.After > 0 {
				out.breakAfter = leastOf(out.breakAfter, time.Duration(b.After).Microseconds())
			}
			if b.Alerts > 0 {
				out.breakAlerts = int(leastOf(int64(out.breakAlerts), int64(b.Alerts)))
			}
		}
		out.minAlerts = max(out.minAlerts, r.MinAlerts)
		out.delay = max(out.delay, time.Duration(r.Delay).Microseconds())
		out.neverNoise = out.neverNoise || r.NeverNoise
	}
	return out
}

// leastOf is the smaller of two numbers, of which 0 is none.
func leastOf(a, b int64) int64 {
	if a == 0 {
		return b
	}
	return min(a, b)
}

func matches(ms labels.Matchers, get func(string) string) bool {
	for _, m := range ms {
		if !m.Matches(get(m.Name)) {
			return false
		}
	}
	return true
}

// valuesOf hashes the values of labels; false when one is missing.
func valuesOf(names []string, get func(string) string) (uint64, bool) {
	values := make([]string, len(names))
	for i, n := range names {
		if values[i] = get(n); values[i] == "" {
			return 0, false
		}
	}
	return hash(values...), true
}

// getOf answers what matchers ask of an alert.
func (e *Engine) getOf(ls ingest.Labels, ci int32) func(string) string {
	return func(name string) string {
		if ci != unbound {
			switch c := e.estate.At(ci); name {
			case labelCIID:
				return c.ID
			case labelCIClass:
				return c.Class
			case labelCIOwner:
				return c.Owner
			case labelCIEnvironment:
				return c.Environment
			}
		}
		return ls.Get(name)
	}
}

// conflict says whether two sets of sides hold two of one rule.
func conflict(a, b map[side]int32) (rule int32, found bool) {
	rule = -1
	for s := range a {
		for t := range b {
			if s.rule == t.rule && s.value != t.value && (rule < 0 || s.rule < rule) {
				rule, found = s.rule, true
			}
		}
	}
	return rule, found
}

// keptApart names the rule that keeps an alert out of an incident, "" for none.
func (e *Engine) keptApart(a *alert, inc *incident) string {
	if len(e.rulings.all) == 0 {
		return ""
	}
	v := e.view(a).ruling
	if len(v.sides) > 0 && len(inc.sides) > 0 {
		mine := make(map[side]int32, len(v.sides))
		for _, s := range v.sides {
			mine[s] = 1
		}
		if r, ok := conflict(mine, inc.sides); ok {
			return e.rulings.all[r].Name
		}
	}
	if v.breakAlerts > 0 && len(inc.members) >= v.breakAlerts {
		return "break.alerts"
	}
	if v.breakAfter > 0 && len(inc.members) > 0 && a.began-inc.first().began > v.breakAfter {
		return "break.after"
	}
	return ""
}

// keepsApart says whether rules keep two incidents from being merged.
func (e *Engine) keepsApart(a, b *incident) bool {
	_, found := conflict(a.sides, b.sides)
	return found
}
