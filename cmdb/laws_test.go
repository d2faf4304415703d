package cmdb

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// drawEstate draws CIs and valid relations between them, in any order.
func drawEstate(t *rapid.T, grouped bool) ([]CI, []Relation) {
	n := rapid.IntRange(1, 12).Draw(t, "cis")
	cis := make([]CI, 0, n)
	for i := range n {
		c := CI{ID: fmt.Sprintf("ci-%02d", i), Class: rapid.SampledFrom([]string{"server", "service", "pod"}).Draw(t, "class"),
			Criticality: rapid.SampledFrom([]Criticality{"", CriticalityCritical, CriticalityLow}).Draw(t, "criticality")}
		if rapid.Bool().Draw(t, "keyed") {
			c.Keys = map[string][]string{"fqdn": {fmt.Sprintf("h%d.example", rapid.IntRange(0, 5).Draw(t, "host"))}}
		}
		cis = append(cis, c)
	}
	var rels []Relation
	seen := map[relationID]bool{}
	for range rapid.IntRange(0, 3*n).Draw(t, "relations") {
		r := Relation{From: rapid.SampledFrom(cis).Draw(t, "from").ID, To: rapid.SampledFrom(cis).Draw(t, "to").ID,
			Type: rapid.SampledFrom([]string{"depends_on", "runs_on"}).Draw(t, "type")}
		if id := (relationID{r.From, r.To, r.Type}); r.From == r.To || seen[id] {
			continue
		} else {
			seen[id] = true
		}
		if grouped && rapid.Bool().Draw(t, "grouped") {
			r.Group = rapid.SampledFrom([]string{"g", "h"}).Draw(t, "group")
			r.Need = map[string]int{"g": 0, "h": 2}[r.Group]
		}
		rels = append(rels, r)
	}
	return rapid.Permutation(cis).Draw(t, "cis order"), rels
}

func newEstate(t *rapid.T, cis []CI, rels []Relation) *Snapshot {
	s, err := New(cis, rels)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return s
}

func drawSnapshot(t *rapid.T, grouped bool) *Snapshot {
	cis, rels := drawEstate(t, grouped)
	return newEstate(t, cis, rels)
}

func ids(rs []Reached) []string {
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = r.ID
	}
	return out
}

func TestLawUpstreamMirrorsDownstream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSnapshot(t, true)
		hops := rapid.IntRange(0, 3).Draw(t, "hops")
		for _, a := range s.All() {
			up, _, err := s.Upstream(a.ID, Limit{Hops: hops})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range up {
				down, _, _ := s.Downstream(r.ID, Limit{Hops: hops})
				k := slices.IndexFunc(down, func(d Reached) bool { return d.ID == a.ID })
				if k < 0 || down[k].Hops != r.Hops {
					t.Fatalf("%s is %d hops upstream of %s, but downstream says %v", r.ID, r.Hops, a.ID, down)
				}
			}
			if !slices.IsSortedFunc(up, func(a, b Reached) int {
				if a.Hops != b.Hops {
					return a.Hops - b.Hops
				}
				return int(a.Index - b.Index)
			}) {
				t.Fatalf("upstream of %s is not in order: %v", a.ID, up)
			}
		}
	})
}

func TestLawImpactWithinDownstream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grouped := rapid.Bool().Draw(t, "with groups")
		cis, rels := drawEstate(t, grouped)
		s := newEstate(t, cis, rels)
		failed := cis[rapid.IntRange(0, len(cis)-1).Draw(t, "failed")].ID
		imp, err := s.Impact([]string{failed}, Limit{})
		if err != nil {
			t.Fatal(err)
		}
		down, _, _ := s.Downstream(failed, Limit{})
		if grouped {
			for _, id := range ids(imp.Hit) {
				if !slices.Contains(ids(down), id) {
					t.Fatalf("%s is hit by %s but not downstream of it", id, failed)
				}
			}
		} else if d := cmp.Diff(down, imp.Hit); d != "" {
			t.Fatalf("without groups impact is the downstream closure (-down +impact):\n%s", d)
		}
		checkImpact(t, s, failed, imp)
	})
}

// checkImpact compares with the definition: the least set that holds the failed
// CI and every CI whose needs it breaks.
func checkImpact(t *rapid.T, s *Snapshot, failed string, imp Impact) {
	down := map[string]bool{failed: true}
	for grown := true; grown; {
		grown = false
		for i, c := range s.All() {
			if down[c.ID] {
				continue
			}
			broken := map[GroupID]map[string]bool{}
			for _, e := range s.Needs(i) {
				to := s.At(e.CI).ID
				if !down[to] {
					continue
				}
				if broken[e.Group] == nil {
					broken[e.Group] = map[string]bool{}
				}
				broken[e.Group][to] = true
			}
			for g, targets := range broken {
				if g == NoGroup || len(targets) >= int(s.Group(g).Need) {
					down[c.ID], grown = true, true
				}
			}
		}
	}
	services := 0
	for id := range down {
		if s.Get(id).Class == ClassService {
			services++
		}
	}
	if len(down) != len(imp.Hit)+1 || services != imp.ServiceCount {
		t.Fatalf("impact of %s: %v and %d services, want %v and %d", failed, ids(imp.Hit), imp.ServiceCount, down, services)
	}
	for _, id := range ids(imp.Hit) {
		if !down[id] {
			t.Fatalf("%s is hit although its needs hold", id)
		}
	}
}

func TestLawOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cis, rels := drawEstate(t, true)
		a := newEstate(t, slices.Clone(cis), rels)
		b := newEstate(t, rapid.Permutation(cis).Draw(t, "cis again"), rapid.Permutation(rels).Draw(t, "relations again"))
		checkSame(t, a, b)
		ba, err := NewBinder(nil, a)
		if err != nil {
			t.Fatal(err)
		}
		bb, _ := NewBinder(nil, b)
		for h := range 6 {
			get := func(l string) string {
				if l == "instance" {
					return fmt.Sprintf("H%d.example:80", h)
				}
				return ""
			}
			if d := cmp.Diff(ba.Bind(get), bb.Bind(get)); d != "" {
				t.Fatalf("the order of CIs changes the binding:\n%s", d)
			}
		}
	})
}

func checkSame(t *rapid.T, want, got *Snapshot) {
	t.Helper()
	opts := []cmp.Option{cmp.AllowUnexported(Snapshot{}, idIndex{}, relationMeta{}, writer{}), cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(Snapshot{}, "writers", "meta", "groups"), cmpopts.IgnoreFields(Edge{}, "Group")}
	if d := cmp.Diff(want, got, opts...); d != "" {
		t.Fatalf("snapshots differ (-want +got):\n%s", d)
	}
	if d := cmp.Diff(slices.Collect(want.AllRelations()), slices.Collect(got.AllRelations())); d != "" {
		t.Fatalf("relations differ (-want +got):\n%s", d)
	}
	for k := range want.needs {
		a, b := want.needs[k].Group, got.needs[k].Group
		if (a == NoGroup) != (b == NoGroup) || a != NoGroup && want.Group(a) != got.Group(b) {
			t.Fatalf("groups of relation %d differ", k)
		}
	}
}

func TestLawReconcile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSnapshot(t, false)
		at := time.Unix(1e9, 0)
		for step := range rapid.IntRange(1, 4).Draw(t, "imports") {
			source := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "source")
			cis, rels := drawEstate(t, rapid.Bool().Draw(t, "grouped"))
			change, diff := Reconcile(s, source, cis, rels, at)
			next, err := s.Apply(change)
			if err != nil {
				// Groups of the two sources may contradict each other, and a
				// relation of the other source may stay: both are refused whole.
				if !slices.ContainsFunc(MistakesOf(err), func(m *Mistake) bool { return m.Kind == MistakeGroup }) {
					t.Fatalf("import %d: %v", step, err)
				}
				continue
			}
			again, diff2 := Reconcile(next, source, cis, rels, at.Add(time.Hour))
			if !diff2.Empty() || len(again.CIs)+len(again.Relations) > 0 {
				t.Fatalf("the second import changes %s after %s: %+v", diff2.String(), diff.String(), again)
			}
			checkRebuild(t, next)
			s = next
		}
	})
}

// checkRebuild makes the snapshot anew from what a store would hold.
func checkRebuild(t *rapid.T, s *Snapshot) {
	var cis []CI
	for _, c := range s.All() {
		cis = append(cis, *c)
	}
	cis = append(cis, CI{ID: "retired", State: StateRetired, Revision: s.Revision()})
	checkSame(t, newEstate(t, cis, slices.Collect(s.AllRelations())), s)
}

func TestLawPathIsShortest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSnapshot(t, false)
		for i, from := range s.All() {
			dist := map[int32]int{i: 0}
			for level := []int32{i}; len(level) > 0; {
				var next []int32
				for _, v := range level {
					for _, e := range slices.Concat(s.Needs(v), s.NeededBy(v)) {
						if _, ok := dist[e.CI]; !ok {
							dist[e.CI] = dist[v] + 1
							next = append(next, e.CI)
						}
					}
				}
				level = next
			}
			for j, to := range s.All() {
				steps, err := s.Path(from.ID, to.ID)
				if want, ok := dist[j]; ok != (err == nil) || len(steps) != want {
					t.Fatalf("path %s–%s: %v %v, want %d steps", from.ID, to.ID, steps, err, want)
				}
				at := from.ID
				for _, st := range steps {
					a, b := st.From, st.To
					if st.Direction == StepNeededBy {
						a, b = b, a
					}
					if _, ok := s.Relation(a, b, st.Type); !ok || st.From != at {
						t.Fatalf("path %s–%s: step %+v does not exist or does not follow", from.ID, to.ID, st)
					}
					at = st.To
				}
			}
		}
	})
}

func TestLawCycles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSnapshot(t, false)
		inCycle := map[string]bool{} // by definition: upstream of itself
		for i, c := range s.All() {
			for _, e := range s.Needs(i) {
				up, _, _ := s.Upstream(s.At(e.CI).ID, Limit{})
				inCycle[c.ID] = inCycle[c.ID] || slices.Contains(ids(up), c.ID)
			}
		}
		cycles := s.Cycles(0)
		covered := map[string]bool{}
		for _, cy := range cycles {
			for k, id := range cy {
				next := cy[(k+1)%len(cy)]
				_, a := s.Relation(id, next, "depends_on")
				_, b := s.Relation(id, next, "runs_on")
				if !a && !b {
					t.Fatalf("cycle %v: %s does not need %s", cy, id, next)
				}
			}
			covered[cy[0]] = true
			up, _, _ := s.Upstream(cy[0], Limit{})
			for _, u := range ids(up) {
				if back, _, _ := s.Upstream(u, Limit{}); slices.Contains(ids(back), cy[0]) {
					covered[u] = true
				}
			}
		}
		for _, c := range s.All() {
			if inCycle[c.ID] != covered[c.ID] {
				t.Fatalf("%s: in a cycle %v, covered %v by %v", c.ID, inCycle[c.ID], covered[c.ID], cycles)
			}
		}
	})
}
