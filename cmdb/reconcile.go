package cmdb

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Diff says what a [Change] made by [Reconcile] does. Lists are in the order of
// the import, those of retired things in the order of the estate.
type Diff struct {
	CIs       CIDiff       `json:"cis"`
	Relations RelationDiff `json:"relations"`
}

// CIDiff is what changes among the CIs.
type CIDiff struct {
	New       []string   `json:"new,omitempty"`
	Changed   []CIChange `json:"changed,omitempty"`
	Retired   []string   `json:"retired,omitempty"`
	Unchanged int        `json:"unchanged"`
}

// CIChange is a CI whose content changes.
type CIChange struct {
	ID string `json:"id"`
	// Fields are what differs: "class", "keys.fqdn", "attributes.rack"…
	Fields []string `json:"fields"`
	// TakenFrom is the other source that wrote the CI before; empty when it
	// was this one.
	TakenFrom string `json:"taken_from,omitempty"`
}

// RelationDiff is what changes among the relations.
type RelationDiff struct {
	New       []RelationRef `json:"new,omitempty"`
	Changed   []RelationRef `json:"changed,omitempty"`
	Retired   []RelationRef `json:"retired,omitempty"`
	Unchanged int           `json:"unchanged"`
}

// RelationRef is the identity of a relation.
type RelationRef struct {
	From string `json:"from"`
	To   string `json:"to"`
	Type string `json:"type"`
	// TakenFrom is the other source that wrote it before, or, when retired
	// together with one of its ends, that still wrote it.
	TakenFrom string `json:"taken_from,omitempty"`
}

// Empty says that nothing changes.
func (d *Diff) Empty() bool {
	return len(d.CIs.New)+len(d.CIs.Changed)+len(d.CIs.Retired)+
		len(d.Relations.New)+len(d.Relations.Changed)+len(d.Relations.Retired) == 0
}

// String sums the diff up in a line.
func (d *Diff) String() string {
	c, r := &d.CIs, &d.Relations
	return fmt.Sprintf("CIs: %d new, %d changed, %d retired, %d unchanged; relations: %d new, %d changed, %d retired, %d unchanged",
		len(c.New), len(c.Changed), len(c.Retired), c.Unchanged, len(r.New), len(r.Changed), len(r.Retired), r.Unchanged)
}

// Reconcile computes what a full import from one source changes: what is new,
// what is different, and what the source had written and no longer has, which
// is retired together with every relation that ends there. What is as it was
// makes no revision. All revisions get the number current.Revision()+1, the
// source and the time.
//
// What another source wrote is not retired. If this import says something else
// about it, the import wins as a whole, the CI or relation passes to this
// source, and the diff tells from whom; if it says the same, nothing changes.
// Of things listed twice the last counts. Whether the result is valid, Apply
// decides: an import may name CIs that another source brings.
func Reconcile(current *Snapshot, source string, cis []CI, relations []Relation, at time.Time) (Change, Diff) {
	r := reconciliation{current: current, source: source, at: at, revision: current.Revision() + 1}
	r.takeCIs(cis)
	r.takeRelations(relations)
	return r.change, r.diff
}

type reconciliation struct {
	current  *Snapshot
	source   string
	at       time.Time
	revision int64
	change   Change
	diff     Diff
	retired  map[string]bool
}

func (r *reconciliation) takeCIs(cis []CI) {
	last := make(map[string]int, len(cis))
	for i := range cis {
		last[cis[i].ID] = i
	}
	for i := range cis {
		if last[cis[i].ID] != i || cis[i].State == StateRetired {
			continue
		}
		c := cis[i]
		c.State, c.Source, c.Revision, c.At = "", r.source, r.revision, r.at
		old := r.current.Get(c.ID)
		if old == nil {
			r.diff.CIs.New = append(r.diff.CIs.New, c.ID)
			r.change.CIs = append(r.change.CIs, c)
			continue
		}
		fields := differingFields(old, &c)
		if len(fields) == 0 {
			r.diff.CIs.Unchanged++
			continue
		}
		ch := CIChange{ID: c.ID, Fields: fields}
		if old.Source != r.source {
			ch.TakenFrom = old.Source
		}
		r.diff.CIs.Changed = append(r.diff.CIs.Changed, ch)
		r.change.CIs = append(r.change.CIs, c)
	}
	r.retired = map[string]bool{}
	for _, c := range r.current.All() {
		listed, ok := last[c.ID]
		gone := !ok && c.Source == r.source || ok && cis[listed].State == StateRetired
		if gone {
			r.retired[c.ID] = true
			r.diff.CIs.Retired = append(r.diff.CIs.Retired, c.ID)
			x := *c
			x.State, x.Source, x.Revision, x.At = StateRetired, r.source, r.revision, r.at
			r.change.CIs = append(r.change.CIs, x)
		}
	}
}

func (r *reconciliation) takeRelations(relations []Relation) {
	last := make(map[relationID]int, len(relations))
	for i := range relations {
		x := &relations[i]
		last[relationID{x.From, x.To, x.Type}] = i
	}
	d := &r.diff.Relations
	for i, x := range relations {
		if last[relationID{x.From, x.To, x.Type}] != i || x.State == StateRetired {
			continue
		}
		x.State, x.Source, x.Revision, x.At = "", r.source, r.revision, r.at
		ref := RelationRef{From: x.From, To: x.To, Type: x.Type}
		old, ok := r.current.Relation(x.From, x.To, x.Type)
		switch {
		case !ok:
			d.New = append(d.New, ref)
		case old.Group == x.Group && old.Need == x.Need:
			d.Unchanged++
			continue
		default:
			if old.Source != r.source {
				ref.TakenFrom = old.Source
			}
			d.Changed = append(d.Changed, ref)
		}
		r.change.Relations = append(r.change.Relations, x)
	}
	for x := range r.current.AllRelations() {
		i, listed := last[relationID{x.From, x.To, x.Type}]
		ended := listed && relations[i].State == StateRetired || r.retired[x.From] || r.retired[x.To]
		if listed && relations[i].State != StateRetired || x.Source != r.source && !ended {
			// A listed relation to a retired CI is left for Apply to refuse.
			continue
		}
		ref := RelationRef{From: x.From, To: x.To, Type: x.Type}
		if x.Source != r.source {
			ref.TakenFrom = x.Source
		}
		d.Retired = append(d.Retired, ref)
		x.State, x.Source, x.Revision, x.At = StateRetired, r.source, r.revision, r.at
		r.change.Relations = append(r.change.Relations, x)
	}
}

// differingFields names the fields of content that differ, in a fixed order.
func differingFields(a, b *CI) []string {
	var out []string
	add := func(name string, differs bool) {
		if differs {
			out = append(out, name)
		}
	}
	add("class", a.Class != b.Class)
	add("name", a.Name != b.Name)
	add("owner", a.Owner != b.Owner)
	add("environment", a.Environment != b.Environment)
	add("criticality", a.Criticality != b.Criticality)
	if !maps.EqualFunc(a.Keys, b.Keys, slices.Equal) {
		for _, k := range eitherKeys(a.Keys, b.Keys) {
			add("keys."+k, !slices.Equal(a.Keys[k], b.Keys[k]))
		}
	}
	if !maps.Equal(a.Attributes, b.Attributes) {
		for _, k := range eitherKeys(a.Attributes, b.Attributes) {
			add("attributes."+k, a.Attributes[k] != b.Attributes[k])
		}
	}
	return out
}

func eitherKeys[V any](a, b map[string]V) []string {
	ks := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(ks)
	return slices.Compact(ks)
}
