package correlate

import (
	"cmp"
	"slices"
	"strings"

	"tocsin/cmdb"
)

// DefaultScopeAttributes are attributes of CIs that say where one stands and
// not what it is.
var DefaultScopeAttributes = []string{"env", "environment", "stage", "cluster", "region", "zone", "az", "site",
	"datacenter", "dc", "location", "tenant"}

// separators stand between the components of a CI's ID.
const separators = "/.-_:"

// placeName says what a CI is, wherever it stands: its class and its ID without
// what names its environment. The carts of two regions, eu/shop/cart and
// us/shop/cart, have one place name, "service */shop/cart", because a fault of
// the one is the same again in the other.
func (e *Engine) placeName(ci int32) string {
	if name, ok := e.placeNames.get(ci); ok {
		return name
	}
	item := e.estate.At(ci)
	of := item
	if slices.Contains(ephemeral, item.Class) {
		// The next pod of a deployment has another name and the same place.
		for _, other := range e.estate.workload(ci) {
			if w := e.estate.At(other); !slices.Contains(ephemeral, w.Class) {
				of = w
				break
			}
		}
	}
	return e.placeNames.put(ci, item.Class+" "+withoutScope(of.ID, e.scopesOf(of)), 1)
}

// ephemeral are the classes of CIs that come and go while what they are a
// copy of stays.
var ephemeral = []string{"pod", "container", "replicaset", "task", "process"}

// scopesOf are the values of a CI's scope attributes in lower case, longest
// first. One without a letter is left out: the 1 of zone 1 is in every name.
func (e *Engine) scopesOf(item *cmdb.CI) []string {
	var values []string
	add := func(v string) {
		if v = strings.ToLower(v); strings.ContainsFunc(v, isLetter) {
			values = append(values, v)
		}
	}
	add(item.Environment)
	for name, v := range item.Attributes {
		if slices.ContainsFunc(e.cfg.ScopeAttributes, func(s string) bool { return strings.EqualFold(s, name) }) {
			add(v)
		}
	}
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	return slices.Compact(values)
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r > 0x7f }

// withoutScope puts * in the place of each of the values that begins and ends
// with a component of id.
func withoutScope(id string, values []string) string {
	if len(values) == 0 {
		return id
	}
	var out strings.Builder
	for at := 0; at < len(id); {
		if at > 0 && !isSeparator(id[at-1]) {
			out.WriteByte(id[at])
			at++
			continue
		}
		n := scopeAt(id[at:], values)
		if n == 0 {
			out.WriteByte(id[at])
			at++
			continue
		}
		out.WriteByte('*')
		at += n
	}
	return out.String()
}

func isSeparator(b byte) bool { return strings.IndexByte(separators, b) >= 0 }

// scopeAt is the length of the value that rest begins with, 0 for none.
func scopeAt(rest string, values []string) int {
	for _, v := range values {
		n := len(v)
		if n <= len(rest) && strings.EqualFold(rest[:n], v) && (n == len(rest) || isSeparator(rest[n])) {
			return n
		}
	}
	return 0
}

// subjectName says what an alert without a CI is about: what was looked up in
// vain, with numbers masked, so that two members of a group are one thing.
func (e *Engine) subjectName(a *alert) string {
	b := &e.view(a).binding
	switch {
	case len(b.Tried) > 0:
		return masked(b.Tried[0])
	case b.By != "": // several CIs matched
		return masked(b.By)
	default:
		return ""
	}
}

// masked puts # in the place of every number.
func masked(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		switch digit := s[i] >= '0' && s[i] <= '9'; {
		case !digit:
			out = append(out, s[i])
		case i == 0 || s[i-1] < '0' || s[i-1] > '9':
			out = append(out, '#')
		}
	}
	return string(out)
}
