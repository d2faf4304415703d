package file

import (
	"hash/maphash"
	"iter"
	"maps"
	"math/bits"
	"slices"

	"tocsin/cmdb"
)

// chunks is a list that grows without copying: a slice that doubles would hold
// a million CIs twice at the moment of growth.
type chunks[T any] struct {
	full [][]T
	last []T
	n    int
}

const chunkLen = 4096

func (c *chunks[T]) add(v T) {
	if len(c.last) == cap(c.last) {
		if c.last != nil {
			c.full = append(c.full, c.last)
			c.last = make([]T, 0, chunkLen)
		} else {
			c.last = make([]T, 0, 16)
		}
	}
	c.last = append(c.last, v)
	c.n++
}

func (c *chunks[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, chunk := range append(c.full[:len(c.full):len(c.full)], c.last) {
			for _, v := range chunk {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// flatten makes one slice and empties the list.
func (c *chunks[T]) flatten() []T {
	if c.n == 0 {
		return nil
	}
	out := make([]T, 0, c.n)
	for i, f := range c.full {
		out = append(out, f...)
		c.full[i] = nil
	}
	out = append(out, c.last...)
	*c = chunks[T]{}
	return out
}

// compactRelation is a relation while files are read: numbers for texts.
type compactRelation struct{ from, to, typ, group, need int32 }

// relations are relations in a sixth of the memory.
type relations struct {
	list  chunks[compactRelation]
	texts []string // those of the interner
}

func (r *relations) add(x cmdb.Relation, n *interner) {
	r.list.add(compactRelation{n.number(x.From), n.number(x.To), n.number(x.Type), n.number(x.Group), int32(x.Need)})
}

func (r *relations) all() iter.Seq[cmdb.Relation] {
	return func(yield func(cmdb.Relation) bool) {
		for c := range r.list.all() {
			if !yield(cmdb.Relation{From: r.texts[c.from], To: r.texts[c.to], Type: r.texts[c.typ],
				Group: r.texts[c.group], Need: int(c.need)}) {
				return
			}
		}
	}
}

func (r *relations) flatten() []cmdb.Relation {
	if r.list.n == 0 {
		return nil
	}
	return slices.AppendSeq(make([]cmdb.Relation, 0, r.list.n), r.all())
}

// pool lends slices and gets all of them back at once.
type pool[T any] struct {
	all  [][]T
	used int
}

func (p *pool[T]) reset() { p.used = 0 }

// take sets *s to an empty slice and returns the place to put it back to.
func (p *pool[T]) take(s *[]T) int {
	if p.used == len(p.all) {
		p.all = append(p.all, nil)
	}
	*s = p.all[p.used][:0]
	p.used++
	return p.used - 1
}

// put keeps the slice, which may have grown. The borrower goes on using it
// until reset.
func (p *pool[T]) put(at int, s []T) {
	if cap(s) <= chunkLen { // one huge value is not kept
		p.all[at] = s
	}
}

// sharer lets CIs with equal attributes share one map. Like things come one
// after the other in most exports, so a small cache finds most of them.
type sharer struct {
	cache [1024]map[string]string
	hash  maphash.Seed
}

func (s *sharer) share(m map[string]string) map[string]string {
	var h uint64
	for k, v := range m { // a sum, because the order of a map is random
		h += maphash.String(s.hash, k) ^ bits.RotateLeft64(maphash.String(s.hash, v), 1)
	}
	at := &s.cache[h%uint64(len(s.cache))]
	if !maps.Equal(*at, m) {
		*at = m
	}
	return *at
}

// interner keeps one copy of equal texts. An estate repeats itself: each
// relation repeats two IDs, each CI its class, owner and attribute names.
type interner struct {
	ids    map[string]int32 // of the fields of CIs and relations; in texts
	texts  []string
	values map[string]string // of keys and attributes, which may all differ
}

// maxValues bounds interner.values, where most texts may be unique.
const maxValues = 1 << 16

func newInterner() interner {
	return interner{ids: map[string]int32{}, values: map[string]string{}}
}

func (n *interner) id(b []byte) string {
	if i, ok := n.ids[string(b)]; ok {
		return n.texts[i]
	}
	s := string(b)
	n.number(s)
	return s
}

// number is the place of a text in texts.
func (n *interner) number(s string) int32 {
	i, ok := n.ids[s]
	if !ok {
		i = int32(len(n.texts))
		n.ids[s] = i
		n.texts = append(n.texts, s)
	}
	return i
}

func (n *interner) value(b []byte) string {
	if s, ok := n.values[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(n.values) < maxValues {
		n.values[s] = s
	}
	return s
}
