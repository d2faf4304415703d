package cmdb

import (
	"iter"
	"slices"
	"strings"
)

// Snapshot is an immutable estate. It is safe for any number of goroutines. A
// nil *Snapshot is an empty estate in every method.
//
// CIs have a dense index, 0 to Len()-1 in the order of their IDs, so the same
// estate always has the same indexes; an index means nothing in another
// snapshot. Relations are kept as two compact arrays, one by each end,
// because a relation as the struct [Relation] is ten times as large.
type Snapshot struct {
	cis []*CI
	ids idIndex

	// needs is ordered by from, to and type; needsAt[i] is where CI i's begin.
	// meta runs parallel to it.
	needs   []Edge
	needsAt []uint32
	meta    []relationMeta
	// neededBy is ordered by to, from and type.
	neededBy   []Edge
	neededByAt []uint32

	types  []string // sorted
	groups []Group
	// writers are the different sources, revisions and times of the relations:
	// few, because one import writes many.
	writers []writer

	revision int64
}

// TypeID stands for the type of a relation within one snapshot. TypeIDs are in
// the order of the names.
type TypeID int32

// GroupID stands for a redundancy group of one CI within one snapshot.
type GroupID int32

// NoGroup is the group of a relation that has none.
const NoGroup GroupID = -1

// Edge is a relation seen from one of its ends; CI is the other end.
type Edge struct {
	CI    int32
	Type  TypeID
	Group GroupID
}

// Group is a redundancy group: CI is hit when Need of Size targets fail.
type Group struct {
	Name string
	CI   int32
	// Need is at least 1 and at most Size: when targets have been retired
	// until fewer than the declared need are left, all of those left count.
	Need int32
	// Size is the number of different targets.
	Size int32
}

type relationMeta struct {
	writer uint32
	need   int32 // as declared
}

// Len is the number of CIs.
func (s *Snapshot) Len() int {
	if s == nil {
		return 0
	}
	return len(s.cis)
}

// Relations is the number of relations.
func (s *Snapshot) Relations() int {
	if s == nil {
		return 0
	}
	return len(s.needs)
}

// Revision is the highest revision that went into the estate, those of retired
// CIs and relations included. The next change is Revision()+1.
func (s *Snapshot) Revision() int64 {
	if s == nil {
		return 0
	}
	return s.revision
}

// Index finds a CI by its exact ID.
func (s *Snapshot) Index(id string) (int32, bool) {
	if s == nil {
		return 0, false
	}
	return s.ids.find(id, s.cis)
}

// At is the CI with index i, which must be in 0 to Len()-1. It belongs to the
// snapshot and must never be modified.
func (s *Snapshot) At(i int32) *CI { return s.cis[i] }

// Get finds a CI by its exact ID; nil when there is none. It must never be
// modified.
func (s *Snapshot) Get(id string) *CI {
	if i, ok := s.Index(id); ok {
		return s.cis[i]
	}
	return nil
}

// Needs are the relations from CI i to what it needs (upstream), ordered by the
// other end and type. The slice must not be modified.
func (s *Snapshot) Needs(i int32) []Edge {
	if s == nil {
		return nil
	}
	a, b := s.needsAt[i], s.needsAt[i+1]
	return s.needs[a:b:b]
}

// NeededBy are the relations from what needs CI i (downstream), ordered by the
// other end and type. The slice must not be modified.
func (s *Snapshot) NeededBy(i int32) []Edge {
	if s == nil {
		return nil
	}
	a, b := s.neededByAt[i], s.neededByAt[i+1]
	return s.neededBy[a:b:b]
}

// TypeName is the name of a relation type of this snapshot.
func (s *Snapshot) TypeName(t TypeID) string { return s.types[t] }

// Types are the names of all relation types, by [TypeID]; do not modify.
func (s *Snapshot) Types() []string {
	if s == nil {
		return nil
	}
	return s.types
}

// Group is the redundancy group with an ID other than [NoGroup].
func (s *Snapshot) Group(g GroupID) Group { return s.groups[g] }

// All yields every CI with its index, in the order of IDs.
func (s *Snapshot) All() iter.Seq2[int32, *CI] {
	return func(yield func(int32, *CI) bool) {
		if s == nil {
			return
		}
		for i, c := range s.cis {
			if !yield(int32(i), c) {
				return
			}
		}
	}
}

// AllRelations yields every relation, ordered by from, to and type.
func (s *Snapshot) AllRelations() iter.Seq[Relation] {
	return func(yield func(Relation) bool) {
		for i := range int32(s.Len()) {
			for k := s.needsAt[i]; k < s.needsAt[i+1]; k++ {
				if !yield(s.relation(i, k)) {
					return
				}
			}
		}
	}
}

// relation spells out the edge needs[k] of CI from.
func (s *Snapshot) relation(from int32, k uint32) Relation {
	e, m := s.needs[k], s.meta[k]
	w := s.writers[m.writer]
	r := Relation{
		From: s.cis[from].ID, To: s.cis[e.CI].ID, Type: s.types[e.Type], Need: int(m.need),
		Source: w.source, Revision: w.revision, At: w.at,
	}
	if e.Group != NoGroup {
		r.Group = s.groups[e.Group].Name
	}
	return r
}

// findEdge finds the position in needs of a relation.
func (s *Snapshot) findEdge(from, to int32, typ string) (uint32, bool) {
	t, ok := slices.BinarySearch(s.types, typ)
	if !ok {
		return 0, false
	}
	es := s.Needs(from)
	k, ok := slices.BinarySearchFunc(es, Edge{CI: to, Type: TypeID(t)}, func(a, b Edge) int {
		if a.CI != b.CI {
			return int(a.CI) - int(b.CI)
		}
		return int(a.Type) - int(b.Type)
	})
	return s.needsAt[from] + uint32(k), ok
}

// Relation finds a relation by its identity.
func (s *Snapshot) Relation(from, to, typ string) (Relation, bool) {
	f, ok1 := s.Index(from)
	t, ok2 := s.Index(to)
	if !ok1 || !ok2 {
		return Relation{}, false
	}
	k, ok := s.findEdge(f, t, typ)
	if !ok {
		return Relation{}, false
	}
	return s.relation(f, k), true
}

func byID(a, b *CI) int { return strings.Compare(a.ID, b.ID) }
