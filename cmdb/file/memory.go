package file

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

// interner keeps one copy of equal texts. An estate repeats itself: each
// relation repeats two IDs, each CI its class, owner and attribute names.
type interner struct {
	ids    map[string]string // of the fields of CIs and relations
	values map[string]string // of keys and attributes, which may all differ
}

// maxValues bounds interner.values, where most texts may be unique.
const maxValues = 1 << 16

func newInterner() interner {
	return interner{ids: map[string]string{}, values: map[string]string{}}
}

func (n *interner) id(b []byte) string {
	if s, ok := n.ids[string(b)]; ok {
		return s
	}
	s := string(b)
	n.ids[s] = s
	return s
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
