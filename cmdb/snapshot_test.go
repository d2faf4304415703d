package cmdb

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewOrdersAndIndexes(t *testing.T) {
	rels := []Relation{
		{From: "c", To: "a", Type: "runs_on", Group: "pair", Need: 1},
		{From: "c", To: "b", Type: "depends_on", Group: "pair", Source: "x", Revision: 7},
		{From: "b", To: "a", Type: "depends_on"},
		{From: "b", To: "gone", Type: "depends_on"},
		{From: "c", To: "a", Type: "gone", State: StateRetired, Revision: 12},
	}
	s := mustNew(t, []CI{{ID: "c"}, {ID: "a"}, {ID: "gone", State: StateRetired, Revision: 9}, {ID: "b"}}, rels...)
	if s.Len() != 3 || s.Relations() != 3 || s.Revision() != 12 {
		t.Fatalf("Len %d, Relations %d, Revision %d; want 3, 3, 12", s.Len(), s.Relations(), s.Revision())
	}
	for i, c := range s.All() {
		if got, ok := s.Index(c.ID); !ok || got != i || s.At(i) != c || c.ID != []string{"a", "b", "c"}[i] {
			t.Errorf("Index(%q) = %d %v, want %d", c.ID, got, ok, i)
		}
	}
	if d := cmp.Diff([]Relation{rels[2], rels[0], rels[1]}, slices.Collect(s.AllRelations())); d != "" {
		t.Errorf("AllRelations (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]Edge{{CI: 0, Type: 1, Group: 0}, {CI: 1, Type: 0, Group: 0}}, s.Needs(2)); d != "" {
		t.Errorf("Needs(c) (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]Edge{{CI: 1, Type: 0, Group: -1}, {CI: 2, Type: 1, Group: 0}}, s.NeededBy(0)); d != "" {
		t.Errorf("NeededBy(a) (-want +got):\n%s", d)
	}
	if d := cmp.Diff(Group{Name: "pair", CI: 2, Need: 1, Size: 2}, s.Group(0)); d != "" {
		t.Errorf("Group (-want +got):\n%s", d)
	}
	if r, ok := s.Relation("c", "b", "depends_on"); !ok || r.Revision != 7 {
		t.Errorf("Relation = %+v %v, want revision 7", r, ok)
	}
	if _, ok := s.Relation("c", "b", "runs_on"); ok {
		t.Error("Relation found a type that is not there")
	}
}

func TestNewRefuses(t *testing.T) {
	_, err := New([]CI{{ID: "a"}, {ID: ""}, {ID: "a"}, {ID: "b", Criticality: "huge"}, {ID: "c", State: "odd"}, {ID: "d"}}, []Relation{
		{From: "a", To: "x", Type: "t"},
		{From: "a", To: "a", Type: "t"},
		{From: "a", To: "d", Type: "t"},
		{From: "a", To: "d", Type: "t"},
		{From: "a", To: "d", Type: ""},
		{From: "d", To: "a", Type: "t", Need: 2},
		{From: "d", To: "a", Type: "u", Need: -2, Group: "g"},
		{From: "d", To: "a", Type: "v", Need: 2, Group: "g"},
		{From: "d", To: "a", Type: "w", Need: 3, Group: "g"},
	})
	var got []string
	for _, m := range MistakesOf(err) {
		got = append(got, m.Position+" "+string(m.Kind))
	}
	want := []string{"cis[1] value", "cis[3] value", "cis[4] value", "cis[2] duplicate_ci", "relations[0] unknown_end",
		"relations[1] self_relation", "relations[4] value", "relations[5] group", "relations[6] group",
		"relations[3] duplicate_relation", "relations[8] group"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("mistakes (-want +got):\n%s\n%v", d, err)
	}
}

func TestNilSnapshotIsEmpty(t *testing.T) {
	empty := mustNew(t, nil)
	for _, s := range []*Snapshot{nil, empty} {
		if _, ok := s.Index("a"); ok || s.Len() != 0 || s.Relations() != 0 || s.Get("a") != nil || s.Revision() != 0 || s.Types() != nil {
			t.Errorf("%v is not empty", s)
		}
		for range s.All() {
			t.Error("All yielded")
		}
		for range s.AllRelations() {
			t.Error("AllRelations yielded")
		}
	}
}
