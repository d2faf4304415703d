package cmdb

import (
	"cmp"
	"iter"
	"slices"
	"time"
	"unicode/utf8"
)

// New makes a snapshot of the latest revisions of CIs and relations. Retired
// ones are left out, and so is a relation with a retired end. It keeps cis,
// which must not be modified afterwards; relations may be.
//
// It is strict: IDs and relations given twice, relations with an unknown end or
// from a CI to itself and values out of range are mistakes. The error joins all
// of them, each a *[Mistake]. Cycles are none, see [Snapshot.Cycles]. No CIs at
// all make a valid, empty snapshot.
func New(cis []CI, relations []Relation) (*Snapshot, error) {
	return NewAt(cis, relations, Positions{})
}

// NewAt is [New] with mistakes that tell positions in the caller's terms.
func NewAt(cis []CI, relations []Relation, pos Positions) (*Snapshot, error) {
	return NewFrom(cis, len(relations), slices.Values(relations), pos)
}

// NewFrom is [NewAt] for a caller that holds about n relations in a form of its
// own: as structs, three million of them take 400 MiB.
func NewFrom(cis []CI, n int, relations iter.Seq[Relation], pos Positions) (*Snapshot, error) {
	var m Mistakes
	b := builder{snap: &Snapshot{}}
	b.takeCIs(cis, pos, &m)
	b.rels = make([]rel, 0, n)
	for r := range relations {
		b.snap.revision = max(b.snap.revision, r.Revision)
		b.takeRelation(&r, func() string { return pos.relation(int(b.seen)) }, &m)
	}
	b.build(func(i int32) string { return pos.relation(int(i)) }, &m)
	if err := m.Err(); err != nil {
		return nil, err
	}
	return b.snap, nil
}

// rel is a relation while a snapshot is built: numbers for names.
type rel struct {
	from, to int32
	typ      int32 // in builder.types
	group    int32 // in builder.groups, -1 none
	need     int32
	writer   uint32
	at       int32 // position in the caller's list; -1: from an older snapshot
}

type writer struct {
	source   string
	revision int64
	at       time.Time
}

type builder struct {
	snap    *Snapshot
	rels    []rel
	types   table[string]
	groups  table[string]
	writers table[writer]
	// retired CIs are known, but relations with them are left out.
	retired map[string]bool
	seen    int32 // relations taken so far
	// lastFrom is the From of the last relation, and its index.
	lastFrom  string
	lastIndex int32
	lastOK    bool
	// groupAt is the last group made under each name, by number of the name.
	groupAt []GroupID
}

// table numbers values in the order of their first appearance.
type table[T comparable] struct {
	list []T
	at   map[T]int32
}

func (t *table[T]) id(v T) int32 {
	if n := len(t.list); n > 0 && t.list[n-1] == v { // runs are common
		return int32(n - 1)
	}
	i, ok := t.at[v]
	if !ok {
		if t.at == nil {
			t.at = map[T]int32{}
		}
		i = int32(len(t.list))
		t.at[v] = i
		t.list = append(t.list, v)
	}
	return i
}

func (b *builder) takeCIs(cis []CI, pos Positions, m *Mistakes) {
	live := make([]*CI, 0, len(cis))
	for i := range cis {
		c := &cis[i]
		b.snap.revision = max(b.snap.revision, c.Revision)
		if !checkCI(c, func() string { return pos.ci(i) }, m) {
			continue
		}
		if c.State == StateRetired {
			b.retire(c.ID)
			continue
		}
		live = append(live, c)
	}
	if !slices.IsSortedFunc(live, byID) {
		slices.SortFunc(live, byID)
	}
	for i := 1; i < len(live); i++ {
		if live[i].ID == live[i-1].ID {
			reportDuplicates(cis, pos, m)
			live = slices.CompactFunc(live, func(a, b *CI) bool { return a.ID == b.ID })
			break
		}
	}
	if len(b.retired) > 0 {
		for _, c := range live {
			if b.retired[c.ID] {
				m.Add(MistakeDuplicateCI, "cis", "id %q is given both live and retired; give its latest revision only", c.ID)
			}
		}
	}
	b.setCIs(live)
}

func (b *builder) retire(id string) {
	if b.retired == nil {
		b.retired = map[string]bool{}
	}
	b.retired[id] = true
}

func (b *builder) setCIs(live []*CI) {
	b.snap.cis = live
	b.snap.ids = newIDIndex(live)
}

// reportDuplicates is kept off the usual way, which needs no second table.
func reportDuplicates(cis []CI, pos Positions, m *Mistakes) {
	first := make(map[string]int, len(cis))
	for i := range cis {
		if cis[i].State == StateRetired {
			continue
		}
		if f, ok := first[cis[i].ID]; ok {
			m.Add(MistakeDuplicateCI, pos.ci(i), "id %q is already used at %s; IDs are unique in the estate", cis[i].ID, pos.ci(f))
			continue
		}
		first[cis[i].ID] = i
	}
}

func checkCI(c *CI, pos func() string, m *Mistakes) bool {
	before := m.Len()
	switch {
	case c.ID == "":
		m.Add(MistakeValue, pos(), "id is empty; give each CI an ID of its own")
	case !utf8.ValidString(c.ID):
		m.Add(MistakeValue, pos(), "id %q is not valid UTF-8", c.ID)
	}
	if !c.Criticality.Valid() {
		m.Add(MistakeValue, pos(), "criticality %q of %s: want one of %v", c.Criticality, c.ID, criticalities)
	}
	for kind, values := range c.Keys {
		if len(values) > MaxKeyValues {
			m.Add(MistakeValue, pos(), "key %q of %s has %d values; at most %d are possible", kind, c.ID, len(values), MaxKeyValues)
		}
	}
	checkState(c.State, pos, m)
	return m.Len() == before
}

func checkState(state string, pos func() string, m *Mistakes) {
	if state != "" && state != StateLive && state != StateRetired {
		m.Add(MistakeValue, pos(), "state %q: want %s or %s", state, StateLive, StateRetired)
	}
}

// takeRelation adds a live relation between live CIs; its position is the
// number of relations seen so far.
func (b *builder) takeRelation(r *Relation, pos func() string, m *Mistakes) {
	before := m.Len()
	if r.From == r.To {
		m.Add(MistakeSelfRelation, pos(), "%q needs itself; take the relation out", r.From)
	}
	if r.Type == "" {
		m.Add(MistakeValue, pos(), "type of the relation from %q to %q is empty; depends_on is the plain one", r.From, r.To)
	}
	switch {
	case r.Need < 0 || r.Need > 1<<30:
		m.Add(MistakeGroup, pos(), "need %d of the relation from %q to %q: want 0 (all of the group) or how many of it must fail", r.Need, r.From, r.To)
	case r.Need > 0 && r.Group == "":
		m.Add(MistakeGroup, pos(), "need %d of the relation from %q to %q has no group; name the group", r.Need, r.From, r.To)
	}
	checkState(r.State, pos, m)
	// Relations mostly come in runs from one CI.
	if !b.lastOK || r.From != b.lastFrom {
		b.lastFrom = r.From
		b.lastIndex, b.lastOK = b.snap.Index(r.From)
	}
	from, okFrom := b.lastIndex, b.lastOK
	to, okTo := b.snap.Index(r.To)
	if r.State != StateRetired {
		if !okFrom && !b.retired[r.From] {
			m.Add(MistakeUnknownEnd, pos(), "from %q is no CI of this estate; add the CI or mend the ID", r.From)
		}
		if !okTo && !b.retired[r.To] {
			m.Add(MistakeUnknownEnd, pos(), "to %q is no CI of this estate; add the CI or mend the ID", r.To)
		}
	}
	if m.Len() != before || r.State == StateRetired || !okFrom || !okTo {
		b.seen++
		return
	}
	x := rel{from: from, to: to, typ: b.types.id(r.Type), group: -1, need: int32(r.Need),
		writer: uint32(b.writers.id(writer{r.Source, r.Revision, r.At})), at: b.seen}
	if r.Group != "" {
		x.group = b.groups.id(r.Group)
	}
	b.seen++
	b.rels = append(b.rels, x)
}

// build orders the relations into the snapshot's arrays. pos spells out rel.at.
func (b *builder) build(pos func(int32) string, m *Mistakes) {
	s := b.snap
	b.sortTypes()
	n := len(s.cis)
	s.needsAt = make([]uint32, n+1)
	for i := range b.rels {
		s.needsAt[b.rels[i].from+1]++
	}
	for i := range n {
		s.needsAt[i+1] += s.needsAt[i]
	}
	ordered := make([]int32, len(b.rels)) // positions in b.rels
	next := slices.Clone(s.needsAt[:n])
	for i := range b.rels {
		from := b.rels[i].from
		ordered[next[from]] = int32(i)
		next[from]++
	}
	for i := range n {
		slices.SortFunc(ordered[s.needsAt[i]:s.needsAt[i+1]], func(i, j int32) int {
			x, y := &b.rels[i], &b.rels[j]
			return cmp.Or(cmp.Compare(x.to, y.to), cmp.Compare(x.typ, y.typ), cmp.Compare(x.at, y.at))
		})
	}
	for i := 1; i < len(ordered); i++ {
		if x, y := &b.rels[ordered[i-1]], &b.rels[ordered[i]]; x.from == y.from && x.to == y.to && x.typ == y.typ {
			m.Add(MistakeDuplicateRelation, pos(y.at), "relation %s from %q to %q is already given at %s",
				s.types[y.typ], s.cis[y.from].ID, s.cis[y.to].ID, pos(x.at))
		}
	}
	s.needs = make([]Edge, len(ordered))
	s.meta = make([]relationMeta, len(ordered))
	b.groupAt = slices.Repeat([]GroupID{NoGroup}, len(b.groups.list))
	for i := range n {
		b.fill(ordered, s.needsAt[i], s.needsAt[i+1], pos, m)
	}
	s.writers = b.writers.list
	b.rels = nil
	b.invert()
}

// sortTypes gives types numbers in the order of their names.
func (b *builder) sortTypes() {
	b.snap.types = slices.Clone(b.types.list)
	slices.Sort(b.snap.types)
	rank := make([]int32, len(b.types.list))
	for i, t := range b.types.list {
		r, _ := slices.BinarySearch(b.snap.types, t)
		rank[i] = int32(r)
	}
	for i := range b.rels {
		b.rels[i].typ = rank[b.rels[i].typ]
	}
}

// fill writes the edges of one CI, ordered[lo:hi], and its groups.
func (b *builder) fill(ordered []int32, lo, hi uint32, pos func(int32) string, m *Mistakes) {
	s := b.snap
	first := len(s.groups)
	for k := lo; k < hi; k++ {
		r := &b.rels[ordered[k]]
		e := Edge{CI: r.to, Type: TypeID(r.typ), Group: NoGroup}
		if r.group >= 0 {
			if int(b.groupAt[r.group]) < first {
				b.groupAt[r.group] = GroupID(len(s.groups))
				s.groups = append(s.groups, Group{Name: b.groups.list[r.group], CI: r.from})
			}
			e.Group = b.groupAt[r.group]
			gr := &s.groups[e.Group]
			if !targetCounted(s.needs[lo:k], e) {
				gr.Size++
			}
			if r.need > 0 && gr.Need > 0 && gr.Need != r.need {
				m.Add(MistakeGroup, pos(r.at), "need %d of group %q of %q: another relation of the group says %d",
					r.need, gr.Name, s.cis[r.from].ID, gr.Need)
			}
			gr.Need = max(gr.Need, r.need)
		}
		s.needs[k] = e
		s.meta[k] = relationMeta{writer: r.writer, need: r.need}
	}
	for g := first; g < len(s.groups); g++ {
		if gr := &s.groups[g]; gr.Need == 0 || gr.Need > gr.Size {
			gr.Need = gr.Size
		}
	}
}

// targetCounted says whether the end of earlier, which is ordered by CI, holds
// another relation with the same target and group.
func targetCounted(earlier []Edge, e Edge) bool {
	for k := len(earlier) - 1; k >= 0 && earlier[k].CI == e.CI; k-- {
		if earlier[k].Group == e.Group {
			return true
		}
	}
	return false
}

// invert makes neededBy from needs; walking by from leaves it ordered by from.
func (b *builder) invert() {
	s := b.snap
	n := len(s.cis)
	s.neededByAt = make([]uint32, n+1)
	for _, e := range s.needs {
		s.neededByAt[e.CI+1]++
	}
	for i := range n {
		s.neededByAt[i+1] += s.neededByAt[i]
	}
	s.neededBy = make([]Edge, len(s.needs))
	next := slices.Clone(s.neededByAt[:n])
	for i := range int32(n) {
		for _, e := range s.Needs(i) {
			s.neededBy[next[e.CI]] = Edge{CI: i, Type: e.Type, Group: e.Group}
			next[e.CI]++
		}
	}
}
