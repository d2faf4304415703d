package cmdb

import "slices"

// Apply makes a new snapshot with new revisions of CIs and relations; the
// receiver stays as it is. A retired CI takes its relations along, and retiring
// what is not there changes nothing. A revision lower than the one at hand is
// left out as stale, unless it is 0, which is not a revision. Of two revisions
// of one thing in the change the higher wins, or the later of equals.
//
// The change must leave the estate valid: the error joins the same mistakes as
// that of [New], with positions in the change.
func (s *Snapshot) Apply(c Change) (*Snapshot, error) {
	var m Mistakes
	b := builder{snap: &Snapshot{revision: s.Revision()}}
	was := b.mergeCIs(s, c.CIs, &m)
	if len(c.Relations) == 0 && was == nil {
		if err := m.Err(); err != nil {
			return nil, err
		}
		return b.snap.share(s), nil
	}
	if was == nil {
		was = identity(s.Len())
	}
	// New leaves out relations with retired ends; a change that adds one is wrong.
	b.retired = nil
	b.mergeRelations(s, was, c.Relations, &m)
	b.build(func(i int32) string {
		if i < 0 {
			return "estate"
		}
		return Positions{}.relation(int(i))
	}, &m)
	if err := m.Err(); err != nil {
		return nil, err
	}
	return b.snap, nil
}

// share takes the relations of an estate whose CIs have the same IDs. Changes
// of attributes are the most frequent, and this keeps them cheap.
func (s *Snapshot) share(old *Snapshot) *Snapshot {
	if old == nil {
		old = &Snapshot{needsAt: []uint32{0}, neededByAt: []uint32{0}}
	}
	n := *old
	n.cis, n.revision = s.cis, s.revision
	return &n
}

func identity(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

// mergeCIs sets the CIs of the new snapshot and returns the new index of each
// old CI, -1 when it was retired; nil when all indexes stay as they are.
func (b *builder) mergeCIs(s *Snapshot, cis []CI, m *Mistakes) []int32 {
	revs := make([]CI, 0, len(cis)) // copies: the change belongs to the caller
	at := make(map[string]int, len(cis))
	for i := range cis {
		c := &cis[i]
		b.snap.revision = max(b.snap.revision, c.Revision)
		if !checkCI(c, func() string { return Positions{}.ci(i) }, m) {
			continue
		}
		if old := s.Get(c.ID); old != nil && stale(c.Revision, old.Revision) {
			continue
		}
		if k, ok := at[c.ID]; ok {
			if c.Revision >= revs[k].Revision {
				revs[k] = *c
			}
			continue
		}
		at[c.ID] = len(revs)
		revs = append(revs, *c)
	}
	added := make([]*CI, 0, len(revs))
	same := true
	for i := range revs {
		_, known := s.Index(revs[i].ID)
		if revs[i].State == StateRetired {
			b.retire(revs[i].ID)
			same = same && !known
			continue
		}
		same = same && known
		added = append(added, &revs[i])
	}
	slices.SortFunc(added, byID)
	if same {
		b.snap.cis = make([]*CI, s.Len())
		for i, c := range s.All() {
			b.snap.cis[i] = c
		}
		for _, c := range added {
			i, _ := s.Index(c.ID)
			b.snap.cis[i] = c
		}
		if s != nil {
			b.snap.ids = s.ids
		}
		return nil
	}
	return b.interleave(s, added)
}

func stale(revision, at int64) bool { return revision != 0 && revision < at }

// interleave merges the old CIs with new ones, both in the order of IDs.
func (b *builder) interleave(s *Snapshot, added []*CI) []int32 {
	was := make([]int32, s.Len())
	live := make([]*CI, 0, s.Len()+len(added))
	for i, c := range s.All() {
		for len(added) > 0 && added[0].ID < c.ID {
			live, added = append(live, added[0]), added[1:]
		}
		switch {
		case len(added) > 0 && added[0].ID == c.ID:
			c, added = added[0], added[1:]
		case b.retired[c.ID]:
			was[i] = -1
			continue
		}
		was[i] = int32(len(live))
		live = append(live, c)
	}
	b.setCIs(append(live, added...))
	return was
}

// relationID is the identity of a relation.
type relationID struct{ from, to, typ string }

// mergeRelations takes over the old relations but for those that the change has
// a newer revision of, and adds the change's.
func (b *builder) mergeRelations(s *Snapshot, was []int32, rels []Relation, m *Mistakes) {
	latest := make(map[relationID]int, len(rels))
	replaced := newBitset(s.Relations())
	for i := range rels {
		r := &rels[i]
		b.snap.revision = max(b.snap.revision, r.Revision)
		id := relationID{r.From, r.To, r.Type}
		if k, ok := latest[id]; !ok || r.Revision >= rels[k].Revision {
			latest[id] = i
		}
	}
	b.rels = make([]rel, 0, s.Relations()+len(rels))
	fresh := make([]bool, len(rels))
	for i := range rels {
		r := &rels[i]
		if latest[relationID{r.From, r.To, r.Type}] != i {
			continue
		}
		f, ok1 := s.Index(r.From)
		t, ok2 := s.Index(r.To)
		if ok1 && ok2 {
			if k, ok := s.findEdge(f, t, r.Type); ok {
				if stale(r.Revision, s.writers[s.meta[k].writer].revision) {
					continue
				}
				replaced.set(int32(k))
			}
		}
		fresh[i] = true
	}
	b.keep(s, was, replaced)
	for i := range rels {
		if !fresh[i] {
			b.seen++
			continue
		}
		b.takeRelation(&rels[i], func() string { return Positions{}.relation(i) }, m)
	}
}

// keep takes over old relations whose ends are still there. Names are numbered
// anew as they are met, so those no longer used fall away.
func (b *builder) keep(s *Snapshot, was []int32, replaced bitset) {
	if s.Relations() == 0 {
		return
	}
	types := slices.Repeat([]int32{-1}, len(s.types))
	writers := slices.Repeat([]int32{-1}, len(s.writers))
	for i, from := range was {
		if from < 0 {
			continue
		}
		for k := s.needsAt[i]; k < s.needsAt[i+1]; k++ {
			e, meta := s.needs[k], s.meta[k]
			to := was[e.CI]
			if to < 0 || replaced.has(int32(k)) {
				continue
			}
			if types[e.Type] < 0 {
				types[e.Type] = b.types.id(s.types[e.Type])
			}
			if writers[meta.writer] < 0 {
				writers[meta.writer] = b.writers.id(s.writers[meta.writer])
			}
			r := rel{from: from, to: to, typ: types[e.Type], group: -1, need: meta.need,
				writer: uint32(writers[meta.writer]), at: -1}
			if e.Group != NoGroup {
				r.group = b.groups.id(s.groups[e.Group].Name)
			}
			b.rels = append(b.rels, r)
		}
	}
}
