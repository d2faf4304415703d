package cmdb

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
	for i, c := range s.All() {
		for _, kind := range eitherKeys(c.Keys, nil) {
			if kind == KeyName {
				continue
			}
			for _, v := range c.Keys[kind] {
				if most > 0 && len(out) == most {
					return out
				}
				var with []string
				first := true
				x.find(s, newQuery(v), x.kind(kind), true, func(j int32) bool {
					if len(with) == 0 && j != i {
						first = false // reported with an earlier CI
						return false
					}
					with = append(with, s.cis[j].ID)
					return len(with) < maxAmbiguous
				})
				if first && len(with) > 1 {
					out = append(out, SharedKey{kind, v, with})
				}
			}
		}
	}
	return out
}
