package cmdb

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestApply(t *testing.T) {
	s := mustNew(t, []CI{{ID: "a", Revision: 5, Owner: "x"}, {ID: "b", Revision: 5}, {ID: "c"}},
		Relation{From: "a", To: "b", Type: "t", Revision: 5}, Relation{From: "b", To: "c", Type: "t"})
	f := func(c Change, cis []string, rels ...string) *Snapshot {
		t.Helper()
		n, err := s.Apply(c)
		if err != nil {
			t.Fatalf("Apply: %v", err)
		}
		var gotCIs, gotRels []string
		for _, c := range n.All() {
			gotCIs = append(gotCIs, c.ID)
		}
		for r := range n.AllRelations() {
			gotRels = append(gotRels, r.From+r.To+r.Type+r.Group)
		}
		if d := cmp.Diff([][]string{cis, rels}, [][]string{gotCIs, gotRels}); d != "" {
			t.Errorf("after %+v (-want +got):\n%s", c, d)
		}
		return n
	}
	all := []string{"a", "b", "c"}
	f(Change{}, all, "abt", "bct")
	f(Change{CIs: []CI{{ID: "b", State: StateRetired, Revision: 6}}}, []string{"a", "c"})
	f(Change{CIs: []CI{{ID: "nope", State: StateRetired}}, Relations: []Relation{{From: "x", To: "y", Type: "t", State: StateRetired}}}, all, "abt", "bct")
	f(Change{CIs: []CI{{ID: "aa"}}, Relations: []Relation{{From: "aa", To: "c", Type: "t"}}}, []string{"a", "aa", "b", "c"}, "abt", "aact", "bct")
	f(Change{Relations: []Relation{{From: "a", To: "b", Type: "t", State: StateRetired, Revision: 6}}}, all, "bct")
	f(Change{Relations: []Relation{{From: "a", To: "b", Type: "t", State: StateRetired, Revision: 4}}}, all, "abt", "bct") // stale
	f(Change{Relations: []Relation{{From: "a", To: "b", Type: "t", Revision: 5}, {From: "a", To: "b", Type: "t", Revision: 5}}}, all, "abt", "bct")
	f(Change{Relations: []Relation{{From: "a", To: "b", Type: "t", Group: "g", Revision: 7}, {From: "a", To: "b", Type: "t", Group: "h", Revision: 6}}},
		all, "abtg", "bct")

	n := f(Change{CIs: []CI{{ID: "a", Revision: 4, Owner: "stale"}, {ID: "c", Revision: 9, Owner: "y"}, {ID: "c", Revision: 8, Owner: "z"}}}, all, "abt", "bct")
	if n.Get("a").Owner != "x" || n.Get("c").Owner != "y" || n.Revision() != 9 {
		t.Errorf("owners %q %q, revision %d; want x y 9", n.Get("a").Owner, n.Get("c").Owner, n.Revision())
	}
	if s.Get("c").Owner != "" || s.Revision() != 5 {
		t.Error("Apply changed the estate that it was called on")
	}
}

func TestApplyRefuses(t *testing.T) {
	s := mustNew(t, []CI{{ID: "a"}, {ID: "b"}, {ID: "c"}}, Relation{From: "a", To: "b", Type: "t", Group: "g", Need: 1})
	f := func(c Change, want ...string) {
		t.Helper()
		n, err := s.Apply(c)
		var got []string
		for _, m := range MistakesOf(err) {
			got = append(got, m.Error())
		}
		if d := cmp.Diff(want, got); d != "" || n != nil {
			t.Errorf("snapshot %v (-want +got):\n%s", n, d)
		}
	}
	f(Change{CIs: []CI{{}}}, "cis[0]: id is empty; give each CI an ID of its own")
	f(Change{Relations: []Relation{{From: "a", To: "x", Type: "t"}}}, `relations[0]: to "x" is no CI of this estate; add the CI or mend the ID`)
	f(Change{CIs: []CI{{ID: "b", State: StateRetired}}, Relations: []Relation{{From: "a", To: "b", Type: "u"}}},
		`relations[0]: to "b" is no CI of this estate; add the CI or mend the ID`)
	f(Change{Relations: []Relation{{From: "a", To: "c", Type: "t", Group: "g", Need: 2}}},
		`relations[0]: need 2 of group "g" of "a": another relation of the group says 1`)
}

func TestReconcile(t *testing.T) {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	s := mustNew(t, []CI{
		{ID: "gone", Source: "file", Revision: 3},
		{ID: "kept", Source: "cloud", Revision: 2},
		{ID: "same", Source: "file", Owner: "x", Keys: map[string][]string{"ip": {"1"}}},
		{ID: "taken", Source: "cloud", Owner: "x", Attributes: map[string]string{"a": "1", "b": "2"}},
	},
		Relation{From: "gone", To: "kept", Type: "t", Source: "cloud"},
		Relation{From: "same", To: "gone", Type: "t", Source: "cloud"},
		Relation{From: "same", To: "kept", Type: "t", Source: "file"},
		Relation{From: "taken", To: "same", Type: "t", Source: "file"},
		Relation{From: "taken", To: "kept", Type: "t", Source: "cloud"},
	)
	change, diff := Reconcile(s, "file", []CI{
		{ID: "same", Owner: "x", Keys: map[string][]string{"ip": {"1"}}},
		{ID: "taken", Owner: "y", Attributes: map[string]string{"b": "3", "c": "4"}},
		{ID: "new"},
	}, []Relation{
		{From: "taken", To: "same", Type: "t", Group: "g"},
		{From: "new", To: "kept", Type: "t"},
	}, at)
	want := Diff{
		CIs: CIDiff{New: []string{"new"}, Retired: []string{"gone"}, Unchanged: 1, Changed: []CIChange{
			{ID: "taken", Fields: []string{"owner", "attributes.a", "attributes.b", "attributes.c"}, TakenFrom: "cloud"}}},
		Relations: RelationDiff{New: []RelationRef{{From: "new", To: "kept", Type: "t"}}, Changed: []RelationRef{{From: "taken", To: "same", Type: "t"}},
			Retired: []RelationRef{{From: "gone", To: "kept", Type: "t", TakenFrom: "cloud"}, {From: "same", To: "gone", Type: "t", TakenFrom: "cloud"}, {From: "same", To: "kept", Type: "t"}}},
	}
	if d := cmp.Diff(want, diff); d != "" {
		t.Errorf("diff (-want +got):\n%s", d)
	}
	if got, want := diff.String(), "CIs: 1 new, 1 changed, 1 retired, 1 unchanged; relations: 1 new, 1 changed, 3 retired, 0 unchanged"; got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
	for _, c := range change.CIs {
		if c.Revision != 4 || c.Source != "file" || !c.At.Equal(at) || (c.State == StateRetired) != (c.ID == "gone") {
			t.Errorf("revision of %s: %+v", c.ID, c)
		}
	}
	n, err := s.Apply(change)
	if err != nil {
		t.Fatal(err)
	}
	// A store that restarts from the latest revisions must see the same.
	latest := slices.Concat(change.CIs, []CI{*s.Get("kept"), *s.Get("same")})
	again := mustNew(t, latest, slices.Concat(change.Relations, []Relation{{From: "taken", To: "kept", Type: "t", Source: "cloud"}})...)
	if d := cmp.Diff(slices.Collect(n.AllRelations()), slices.Collect(again.AllRelations())); d != "" || again.Len() != n.Len() {
		t.Errorf("after a restart (-live +restarted):\n%s", d)
	}
	// The other source states its view again, and takes the CI back.
	_, back := Reconcile(n, "cloud", []CI{{ID: "kept"}, {ID: "taken", Owner: "x"}}, nil, at)
	if len(back.CIs.Changed) != 1 || back.CIs.Changed[0].TakenFrom != "file" || len(back.CIs.Retired) != 0 {
		t.Errorf("the other source's import: %+v", back)
	}
}

func TestReconcileIntoNothing(t *testing.T) {
	change, diff := Reconcile(nil, "file", []CI{{ID: "a"}}, nil, time.Time{})
	var none *Snapshot
	s, err := none.Apply(change)
	if err != nil || s.Len() != 1 || s.Revision() != 1 || diff.Empty() {
		t.Errorf("Apply to nothing: %v, %d CIs, revision %d", err, s.Len(), s.Revision())
	}
	if s, err := none.Apply(Change{}); err != nil || s.Len() != 0 || len(slices.Collect(s.AllRelations())) != 0 {
		t.Errorf("an empty change of nothing: %v", err)
	}
}
