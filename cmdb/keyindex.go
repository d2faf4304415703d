package cmdb

import (
	"maps"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"github.com/cespare/xxhash/v2"
)

// keyIndex finds CIs by name and key. As with [idIndex], the values stay in the
// CIs: an entry is 12 bytes and is compared with the CI that it points to.
// Entries with one hash are neighbours; hashes are of the folded value, so one
// index answers both exact and case-insensitive questions.
type keyIndex struct {
	entries []keyEntry
	at      []uint32 // where the entries of a bucket begin
	shift   uint
	kinds   table[string]
}

type keyEntry struct {
	hash uint32
	ci   int32
	kind int32 // in kinds; kindName for the name
}

const (
	kindName int32 = 0
	kindAny  int32 = -1
	kindNone int32 = -2 // a kind that no CI has
)

func newKeyIndex(s *Snapshot) *keyIndex {
	x := &keyIndex{}
	x.kinds.id(KeyName)
	var all []keyEntry
	var kinds []string
	for i, c := range s.All() {
		if c.Name != "" && c.Name != c.ID {
			all = append(all, keyEntry{foldHash(c.Name), i, kindName})
		}
		kinds = slices.AppendSeq(kinds[:0], maps.Keys(c.Keys))
		slices.Sort(kinds)
		for _, k := range kinds {
			// A kind called "name" counts as any other kind, not as the name.
			id := x.kinds.id("key." + k)
			for _, v := range c.Keys[k] {
				if v != "" {
					all = append(all, keyEntry{foldHash(canonicalIP(v)), i, id})
				}
			}
		}
	}
	x.arrange(all)
	return x
}

// arrange sorts the entries into buckets, keeping their order within each.
func (x *keyIndex) arrange(all []keyEntry) {
	b := bits.Len(uint(len(all) / 2))
	x.shift = uint(32 - b)
	x.at = make([]uint32, 1<<b+1)
	for _, e := range all {
		x.at[x.bucket(e.hash)+1]++
	}
	for i := 1; i < len(x.at); i++ {
		x.at[i] += x.at[i-1]
	}
	next := slices.Clone(x.at)
	x.entries = make([]keyEntry, len(all))
	for _, e := range all {
		k := x.bucket(e.hash)
		x.entries[next[k]] = e
		next[k]++
	}
}

func (x *keyIndex) bucket(h uint32) uint64 { return uint64(h) >> x.shift }

func (x *keyIndex) kind(key string) int32 {
	switch key {
	case KeyName:
		return kindName
	case KeyAny:
		return kindAny
	}
	if k, ok := x.kinds.at["key."+key]; ok {
		return k
	}
	return kindNone
}

// query is a value with what can be computed of it once.
type query struct {
	value string
	hash  uint32
	ip    string // canonical text when value is an IP address
}

func newQuery(v string) query {
	ip := canonicalIP(v)
	return query{v, foldHash(ip), ip}
}

// find calls yield for each CI, in ascending order, that has the value under
// the kind, until it returns false. fold matches letters of any case for kinds
// of which case says nothing.
func (x *keyIndex) find(s *Snapshot, q query, kind int32, fold bool, yield func(int32) bool) {
	if len(x.entries) == 0 {
		return
	}
	b := x.bucket(q.hash)
	last := int32(-1)
	for _, e := range x.entries[x.at[b]:x.at[b+1]] {
		asked := e.kind == kind || kind == kindAny && e.kind != kindName
		if asked && e.hash == q.hash && e.ci != last && x.matches(s.cis[e.ci], e.kind, q, fold) {
			last = e.ci
			if !yield(e.ci) {
				return
			}
		}
	}
}

func (x *keyIndex) matches(c *CI, kind int32, q query, fold bool) bool {
	if kind == kindName {
		return c.Name == q.value || fold && strings.EqualFold(c.Name, q.value)
	}
	name := x.kinds.list[kind][len("key."):]
	fold = fold && hostLike(name)
	for _, v := range c.Keys[name] {
		if v == q.value || fold && strings.EqualFold(v, q.value) || len(v) > 1 && canonicalIP(v) == q.ip {
			return true
		}
	}
	return false
}

// hostLike says whether values of a kind are the same whatever their case.
func hostLike(kind string) bool {
	switch kind {
	case "fqdn", "host", "hostname", "dns", "node", "mac", "ip", "ipv4", "ipv6":
		return true
	}
	return false
}

// canonicalIP spells an IPv6 address in its one canonical way and leaves
// everything else as it is.
func canonicalIP(v string) string {
	if strings.IndexByte(v, ':') < 0 || len(v) > 64 {
		return v
	}
	a, err := netip.ParseAddr(v)
	if err != nil {
		return v
	}
	return a.Unmap().String()
}

func isIP(v string) bool {
	_, err := netip.ParseAddr(v)
	return err == nil
}

// foldHash hashes a value so that spellings in any case have one hash.
func foldHash(v string) uint32 {
	var buf [128]byte
	if len(v) <= len(buf) {
		for i := range len(v) {
			c := v[i]
			if c >= 0x80 {
				return uint32(xxhash.Sum64String(foldUnicode(v)) >> 32)
			}
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			buf[i] = c
		}
		return uint32(xxhash.Sum64(buf[:len(v)]) >> 32)
	}
	return uint32(xxhash.Sum64String(foldUnicode(v)) >> 32)
}

// foldUnicode maps all texts that strings.EqualFold holds equal to one.
func foldUnicode(v string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		if 'A' <= least && least <= 'Z' {
			least += 'a' - 'A'
		}
		return least
	}, v)
}
