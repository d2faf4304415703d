package simulate

import (
	"fmt"
	"iter"

	"tocsin/cmdb"
)

// item is what is kept of a CI.
type item struct {
	id    string
	app   string // what runs there, such as "cart"; "" for hardware
	class class
	env   uint8
	site  int32 // the CIs it lies in; -1 for none
	group int32 // cluster
	space int32 // namespace
}

// environments that CIs are in, by item.env.
var environments = [...]string{"production", "staging", "test"}

type relation struct {
	from, to int32
	typ      relationType
}

// estate is the CIs and relations of a world. CIs are numbered in the order in
// which they were added.
type estate struct {
	items     []item
	relations []relation
	byClass   [classes][]int32

	// The relations of a CI are links[at[ci]:at[ci+1]], in both directions.
	links []link
	at    []uint32

	// hub is the centre of the storm, -1 without one; its leaves follow it.
	hub int32
}

// link is a relation seen from one of its ends.
type link struct {
	ci     int32 // the other end
	typ    relationType
	needed bool // the other end needs this one
}

// index builds the links and the lists by class.
func (e *estate) index() {
	for i := range e.items {
		c := e.items[i].class
		e.byClass[c] = append(e.byClass[c], int32(i))
	}
	e.at = make([]uint32, len(e.items)+1)
	for _, r := range e.relations {
		e.at[r.from+1]++
		e.at[r.to+1]++
	}
	for i := range e.items {
		e.at[i+1] += e.at[i]
	}
	next := append([]uint32(nil), e.at...)
	e.links = make([]link, 2*len(e.relations))
	for _, r := range e.relations {
		e.links[next[r.from]] = link{r.to, r.typ, false}
		next[r.from]++
		e.links[next[r.to]] = link{r.from, r.typ, true}
		next[r.to]++
	}
}

func (e *estate) linksOf(ci int32) []link { return e.links[e.at[ci]:e.at[ci+1]] }

// crowd is the number of neighbours from which two of them are not near each
// other for having that one in common.
const crowd = 40

// ball lists the CIs within some relations of one, in either direction, itself
// first. It does not go through crowded CIs.
func (e *estate) ball(ci int32, hops int) []int32 {
	out := []int32{ci}
	seen := map[int32]bool{ci: true}
	for level := out; hops > 0 && len(level) > 0; hops-- {
		from := len(out)
		for _, i := range level {
			ls := e.linksOf(i)
			if len(ls) > crowd && i != ci {
				continue
			}
			for _, l := range ls {
				if !seen[l.ci] {
					seen[l.ci] = true
					out = append(out, l.ci)
				}
			}
		}
		level = out[from:]
	}
	return out
}

func (e *estate) name(ci int32) string {
	if ci < 0 {
		return ""
	}
	return e.items[ci].id
}

// hosts have an address and a name in the network.
var hosts = setOf(node, server, virtualMachine, router, switchDevice, accessPoint, firewall)

func (e *estate) address(ci int32) string {
	n := ci + 1
	return fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)
}

// attributes gives those of a CI one by one, in a fixed order.
func (e *estate) attributes(ci int32, attribute func(key, value string)) {
	it := &e.items[ci]
	attribute("env", environments[it.env])
	for _, a := range [...]struct{ key, value string }{
		{"app", it.app}, {"site", e.name(it.site)}, {"cluster", e.name(it.group)}, {"namespace", e.name(it.space)},
	} {
		if a.value != "" {
			attribute(a.key, a.value)
		}
	}
	if hosts.has(it.class) {
		attribute("hostname", it.id)
		attribute("ip", e.address(ci))
	}
}

// CIs yields the CIs of the estate, in the order of their numbers.
func (w *World) CIs() iter.Seq[cmdb.CI] {
	return func(yield func(cmdb.CI) bool) {
		for i := range w.estate.items {
			it := &w.estate.items[i]
			c := cmdb.CI{ID: it.id, Class: it.class.String(), Environment: environments[it.env], Attributes: make(map[string]string, 7)}
			w.estate.attributes(int32(i), func(k, v string) { c.Attributes[k] = v })
			if hosts.has(it.class) {
				c.Keys = map[string][]string{"hostname": {c.Attributes["hostname"]}, "ip": {c.Attributes["ip"]}}
			}
			if !yield(c) {
				return
			}
		}
	}
}

// Relations yields the relations of the estate; no two are the same.
func (w *World) Relations() iter.Seq[cmdb.Relation] {
	return func(yield func(cmdb.Relation) bool) {
		for _, r := range w.estate.relations {
			if !yield(cmdb.Relation{From: w.estate.items[r.from].id, To: w.estate.items[r.to].id, Type: r.typ.String()}) {
				return
			}
		}
	}
}
