package cmdb

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestImpactRedundancy(t *testing.T) {
	// app needs 2 of {a, b, c} to fail, or both of {d, e}, or the db; shop
	// needs app; a needs the rack, and so does b.
	s := mustNew(t, []CI{
		{ID: "a"}, {ID: "app", Class: ClassService}, {ID: "b"}, {ID: "c"}, {ID: "d"}, {ID: "db"}, {ID: "e"}, {ID: "rack"},
		{ID: "shop", Class: ClassService, Criticality: CriticalityCritical},
	},
		Relation{From: "app", To: "a", Type: "t", Group: "g", Need: 2},
		Relation{From: "app", To: "a", Type: "again", Group: "g"},
		Relation{From: "app", To: "b", Type: "t", Group: "g"},
		Relation{From: "app", To: "c", Type: "t", Group: "g", Need: 2},
		Relation{From: "app", To: "d", Type: "t", Group: "pair"},
		Relation{From: "app", To: "e", Type: "t", Group: "pair"},
		Relation{From: "app", To: "db", Type: "t"},
		Relation{From: "shop", To: "app", Type: "t"},
		Relation{From: "a", To: "rack", Type: "in"},
		Relation{From: "b", To: "rack", Type: "in"},
	)
	f := func(failed []string, hit ...string) {
		t.Helper()
		got, err := s.Impact(failed, Limit{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(hit, ids(got.Hit), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("failed %v (-want +got):\n%s", failed, d)
		}
	}
	f(nil)
	f([]string{"a"}) // one target twice is still one
	f([]string{"a", "a"})
	f([]string{"a", "d"}) // of different groups
	f([]string{"a", "c"}, "app", "shop")
	f([]string{"rack"}, "a", "b", "app", "shop") // hit targets count as failed ones do
	f([]string{"d", "e"}, "app", "shop")
	f([]string{"db"}, "app", "shop")
	f([]string{"app", "db"}, "shop")

	got, err := s.Impact([]string{"rack"}, Limit{Services: 1})
	want := Impact{
		Hit: []Reached{{"a", 0, 1, "rack", "in"}, {"b", 2, 1, "rack", "in"}, {"app", 1, 2, "b", "t"}, {"shop", 8, 3, "app", "t"}},
		// shop is critical, app counts as medium
		Services: []string{"shop"}, ServiceCount: 2,
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	if _, err := s.Impact([]string{"a", "nope", "nada"}, Limit{}); !errors.Is(err, ErrUnknownCI) ||
		err.Error() != "ci \"nope\": no such CI in the estate\nci \"nada\": no such CI in the estate" {
		t.Errorf("error %v, want both IDs named", err)
	}
}

func TestRetiredTargetsLowerTheNeed(t *testing.T) {
	s := mustNew(t, []CI{{ID: "app"}, {ID: "a"}, {ID: "b"}, {ID: "c"}},
		Relation{From: "app", To: "a", Type: "t", Group: "g", Need: 2},
		Relation{From: "app", To: "b", Type: "t", Group: "g", Need: 2},
		Relation{From: "app", To: "c", Type: "t", Group: "g", Need: 2})
	next, err := s.Apply(Change{CIs: []CI{{ID: "b", State: StateRetired}, {ID: "c", State: StateRetired}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := next.Impact([]string{"a"}, Limit{})
	if err != nil || len(got.Hit) != 1 {
		t.Errorf("impact of the last target %+v %v, want app hit", got, err)
	}
}

func TestWalkBudgets(t *testing.T) {
	cis := []CI{{ID: "hub"}}
	var rels []Relation
	for i := range 5 {
		id := fmt.Sprintf("n%d", i)
		cis = append(cis, CI{ID: id}, CI{ID: id + "x"})
		rels = append(rels, Relation{From: id, To: "hub", Type: "t"}, Relation{From: id + "x", To: id, Type: "t"})
	}
	s := mustNew(t, cis, rels...)
	f := func(l Limit, truncated bool, want ...string) {
		t.Helper()
		got, tr, err := s.Downstream("hub", l)
		if d := cmp.Diff(want, ids(got)); d != "" || err != nil || tr != truncated {
			t.Errorf("%+v: truncated %v, %v (-want +got):\n%s", l, tr, err, d)
		}
	}
	f(Limit{}, false, "n0", "n1", "n2", "n3", "n4", "n0x", "n1x", "n2x", "n3x", "n4x")
	f(Limit{Hops: 1}, false, "n0", "n1", "n2", "n3", "n4")
	f(Limit{CIs: 10}, false, "n0", "n1", "n2", "n3", "n4", "n0x", "n1x", "n2x", "n3x", "n4x")
	f(Limit{CIs: 7}, true, "n0", "n1", "n2", "n3", "n4", "n0x", "n1x")
	f(Limit{CIs: 3}, true, "n0", "n1", "n2")
	f(Limit{Edges: 2}, true, "n0", "n1")
	f(Limit{Edges: 6}, true, "n0", "n1", "n2", "n3", "n4", "n0x")
	if _, _, err := s.Upstream("nope", Limit{}); !errors.Is(err, ErrUnknownCI) {
		t.Errorf("error %v, want ErrUnknownCI", err)
	}
}

func TestPath(t *testing.T) {
	s := mustNew(t, []CI{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "alone"}},
		Relation{From: "a", To: "b", Type: "runs_on"}, Relation{From: "c", To: "b", Type: "runs_on"})
	got, err := s.Path("a", "c")
	want := []Step{{"a", "b", "runs_on", StepNeeds}, {"b", "c", "runs_on", StepNeededBy}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	if _, err := s.Path("a", "alone"); !errors.Is(err, ErrNoPath) {
		t.Errorf("error %v, want ErrNoPath", err)
	}
	if _, err := s.Path("x", "y"); !errors.Is(err, ErrUnknownCI) {
		t.Errorf("error %v, want ErrUnknownCI", err)
	}
}

func TestCyclesInALongChain(t *testing.T) {
	// Recursion would need a stack as deep as the chain is long.
	const n = 300_000
	cis := make([]CI, n)
	rels := make([]Relation, 0, n)
	for i := range cis {
		cis[i].ID = fmt.Sprintf("%06d", i)
		if i > 0 {
			rels = append(rels, Relation{From: cis[i-1].ID, To: cis[i].ID, Type: "t"})
		}
	}
	if got := mustNew(t, cis, rels...).Cycles(0); got != nil {
		t.Errorf("cycles %v in a chain", got)
	}
	rels = append(rels, Relation{From: cis[n-1].ID, To: cis[n-3].ID, Type: "t"}, Relation{From: cis[5].ID, To: cis[4].ID, Type: "t"})
	s := mustNew(t, cis, rels...)
	if d := cmp.Diff([][]string{{"000004", "000005"}, {"299997", "299998", "299999"}}, s.Cycles(0)); d != "" {
		t.Errorf("cycles (-want +got):\n%s", d)
	}
	if got := s.Cycles(1); len(got) != 1 {
		t.Errorf("Cycles(1) = %v", got)
	}
}
