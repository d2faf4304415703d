package cmdb

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Binder finds the CI that an alert is about. It is immutable and safe for any
// number of goroutines.
//
// Rules are tried in their order and the first that finds a CI wins. Within a
// rule its keys are tried in their order. IDs are compared exactly; names and
// host-like keys (fqdn, host, hostname, dns, node, ip, mac) match exactly if
// any does, else in any case; other keys match exactly. IPv6 addresses match in
// any spelling.
type Binder struct {
	snap  *Snapshot
	keys  *keyIndex
	rules []rule
	// kinds[r][k] is where Keys[k] of rule r looks.
	kinds [][]int32
}

// Binding is which CI an alert is about, and how that was found.
type Binding struct {
	// CI is the ID of the CI; "" when unbound.
	CI string
	// Index is the CI's in the snapshot; -1 when unbound.
	Index int32
	// By is the rule and the value that found the CI, or that found several:
	// "host=web-1".
	By string
	// Ambiguous are the IDs of the CIs that By matches when there is more than
	// one, sorted, at most ten; the alert is then unbound.
	Ambiguous []string
	// Tried is what was looked up in vain, in order, for an alert that no rule
	// finds; nil when bound or ambiguous.
	Tried []string
}

// maxAmbiguous bounds the candidates listed in a Binding.
const maxAmbiguous = 10

// NewBinder makes a binder for one snapshot; nil rules are [DefaultRules]. The
// error joins what is wrong with the rules.
func NewBinder(rules []Rule, s *Snapshot) (*Binder, error) {
	if rules == nil {
		rules = DefaultRules()
	}
	b := &Binder{snap: s}
	var errs []error
	for i, r := range rules {
		c, err := r.compile()
		if err != nil {
			errs = append(errs, fmt.Errorf("binding rule %d (%s): %w", i+1, strings.TrimSuffix(c.by, "="), err))
		}
		b.rules = append(b.rules, c)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	b.keys = newKeyIndex(s)
	b.kinds = make([][]int32, len(b.rules))
	for i, r := range b.rules {
		for _, k := range r.Keys {
			b.kinds[i] = append(b.kinds[i], b.keys.kind(k))
		}
	}
	return b, nil
}

// Snapshot is the estate that the binder looks into.
func (b *Binder) Snapshot() *Snapshot { return b.snap }

// Bind finds the CI of an alert by its labels; get returns "" for an absent
// label.
func (b *Binder) Bind(get func(label string) string) Binding {
	for i := range b.rules {
		r := &b.rules[i]
		v := r.value(get)
		if v == "" {
			continue
		}
		first, several := b.lookup(i, v)
		switch {
		case several != nil:
			return Binding{Index: -1, By: r.by + v, Ambiguous: several}
		case first >= 0:
			return Binding{CI: b.snap.cis[first].ID, Index: first, By: r.by + v}
		}
	}
	return Binding{Index: -1, Tried: b.tried(get)}
}

// tried repeats what Bind looked up: a list made on the way would cost the
// bound alerts, which are the many, an allocation.
func (b *Binder) tried(get func(string) string) []string {
	var out []string
	for i := range b.rules {
		if v := b.rules[i].value(get); v != "" {
			if t := b.rules[i].by + v; !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

// lookup finds a value by the keys of a rule: one CI, or -1, or several.
func (b *Binder) lookup(rule int, v string) (int32, []string) {
	r := &b.rules[rule]
	q := newQuery(v)
	for k, key := range r.Keys {
		if key == KeyID {
			if i, ok := b.snap.Index(v); ok && r.takes(b.snap.cis[i]) {
				return i, nil
			}
			continue
		}
		for _, fold := range [2]bool{false, true} {
			first, n := int32(-1), 0
			b.keys.find(b.snap, q, b.kinds[rule][k], fold, func(i int32) bool {
				if r.takes(b.snap.cis[i]) {
					if n == 0 {
						first = i
					}
					n++
				}
				return n < 2
			})
			switch n {
			case 0:
			case 1:
				return first, nil
			default:
				return -1, b.candidates(q, r, b.kinds[rule][k], fold)
			}
		}
	}
	return -1, nil
}

func (b *Binder) candidates(q query, r *rule, kind int32, fold bool) []string {
	var ids []string
	b.keys.find(b.snap, q, kind, fold, func(i int32) bool {
		if r.takes(b.snap.cis[i]) {
			ids = append(ids, b.snap.cis[i].ID)
		}
		return len(ids) < maxAmbiguous
	})
	return ids // ascending by index, which is the order of IDs
}

func (r *rule) takes(c *CI) bool {
	return len(r.Classes) == 0 || slices.Contains(r.Classes, c.Class)
}
