package cmdb

import (
	"maps"
	"slices"
)

// SharedKey is a key that several CIs have.
type SharedKey struct {
	Kind  string
	Value string
	CIs   []string // at most ten, in the order of IDs
}

// SharedKeys lists keys that several CIs have, and by which a [Binder] can
// therefore not bind, in the order of the first CI that has them; no more than
// most of them, 0 means all. Names are left out, also those given
// as keys: many things are called alike.
func (s *Snapshot) SharedKeys(most int) []SharedKey {
	x := newKeyIndex(s)
	var out []SharedKey
	var kinds []string
	for i, c := range s.All() {
		kinds = slices.AppendSeq(kinds[:0], maps.Keys(c.Keys))
		slices.Sort(kinds)
		for _, kind := range kinds {
			if kind == KeyName {
				continue
			}
			for _, v := range c.Keys[kind] {
				if most > 0 && len(out) == most {
					return out
				}
				q, k := newQuery(v), x.kind(kind)
				first, n := int32(-1), 0
				x.find(s, q, k, true, func(j int32) bool {
					if n == 0 {
						first = j
					}
					n++
					return n < 2
				})
				if n > 1 && first == i { // else reported with an earlier CI
					with := make([]string, 0, maxAmbiguous)
					x.find(s, q, k, true, func(j int32) bool {
						with = append(with, s.cis[j].ID)
						return len(with) < maxAmbiguous
					})
					out = append(out, SharedKey{kind, v, with})
				}
			}
		}
	}
	return out
}
