package file

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/cmdb"
)

// maxWarnings bounds the warnings of each kind.
const maxWarnings = 100

// Check builds the snapshot and says what is worth a look in it: at most a
// hundred warnings of each kind. The error is that of [Estate.Snapshot].
func (e *Estate) Check() ([]Warning, error) {
	s, err := e.Snapshot()
	if err != nil {
		return nil, err
	}
	w := slices.Concat(e.cycles(s), e.groups(s), e.sharedKeys(s))
	return w, nil
}

func (e *Estate) cycles(s *cmdb.Snapshot) []Warning {
	cycles := s.Cycles(maxWarnings)
	if len(cycles) == 0 {
		return nil
	}
	// Positions are by place in the files, cycles by ID.
	at := make(map[[2]string]int, len(cycles))
	for _, c := range cycles {
		at[[2]string{c[0], c[1]}] = -1
	}
	for i := range e.Relations {
		if k, ok := at[[2]string{e.Relations[i].From, e.Relations[i].To}]; ok && k < 0 {
			at[[2]string{e.Relations[i].From, e.Relations[i].To}] = i
		}
	}
	out := make([]Warning, 0, len(cycles))
	for _, c := range cycles {
		out = append(out, Warning{WarningCycle, e.Positions.Relation(at[[2]string{c[0], c[1]}]),
			fmt.Sprintf("%s need each other in a circle; a failure of one counts as a failure of all", circleText(c))})
	}
	return out
}

// circleText spells out a circle, the middle of a long one left out.
func circleText(c []string) string {
	const most = 10
	if len(c) > most {
		return fmt.Sprintf("%s → … (%d more) → %s", strings.Join(c[:most-1], " → "), len(c)-most+1, c[0])
	}
	return strings.Join(c, " → ") + " → " + c[0]
}

func (e *Estate) groups(s *cmdb.Snapshot) []Warning {
	var out []Warning
	type key struct{ from, group string }
	var seen map[key]bool
	for i := range e.Relations {
		r := &e.Relations[i]
		if r.Need == 0 || len(out) == maxWarnings || seen[key{r.From, r.Group}] {
			continue
		}
		from, _ := s.Index(r.From)
		for _, edge := range s.Needs(from) {
			if edge.Group == cmdb.NoGroup {
				continue
			}
			if g := s.Group(edge.Group); g.Name == r.Group && int(g.Size) < r.Need {
				if seen == nil {
					seen = map[key]bool{}
				}
				seen[key{r.From, r.Group}] = true
				out = append(out, Warning{WarningGroup, e.Positions.Relation(i), fmt.Sprintf(
					"need %d of group %q of %q, which has only %d: all of them count", r.Need, r.Group, r.From, g.Size)})
				break
			}
		}
	}
	return out
}

func (e *Estate) sharedKeys(s *cmdb.Snapshot) []Warning {
	shared := s.SharedKeys(maxWarnings)
	if len(shared) == 0 {
		return nil
	}
	at := make(map[string]int, len(shared))
	for _, k := range shared {
		at[k.CIs[1]] = 0
	}
	for i := range e.CIs {
		if _, ok := at[e.CIs[i].ID]; ok {
			at[e.CIs[i].ID] = i
		}
	}
	out := make([]Warning, 0, len(shared))
	for _, k := range shared {
		out = append(out, Warning{WarningSharedKey, e.Positions.CI(at[k.CIs[1]]), fmt.Sprintf(
			"%s %q is a key of %s; alerts that name it cannot be bound by it", k.Kind, k.Value, strings.Join(k.CIs, ", "))})
	}
	return out
}
