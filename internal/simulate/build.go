package simulate

import (
	"fmt"
)

// builder adds CIs until the estate is full. What a CI needs is mostly added
// before it, so an estate that ends in the middle of a site lacks dependants.
type builder struct {
	*estate
	source

	size     int
	progress func(done int)
}

// none is in the place of a CI that found no room, or that there is none of.
const none int32 = -1

func (b *builder) full() bool { return len(b.items) >= b.size }

// add adds a CI, or returns none when the estate is full.
func (b *builder) add(it item) int32 {
	if b.full() {
		return none
	}
	b.items = append(b.items, it)
	if len(b.items)%50_000 == 0 {
		b.progress(len(b.items))
	}
	return int32(len(b.items) - 1)
}

// relate adds a relation; from needs to. One with an end that found no room is
// left out.
func (b *builder) relate(from int32, typ relationType, to int32) {
	if from != none && to != none {
		b.relations = append(b.relations, relation{from, to, typ})
	}
}

// some draws up to n different CIs.
func (b *builder) some(of []int32, n int) []int32 {
	if n >= len(of) {
		return of
	}
	out := make([]int32, 0, n)
	for k := len(of) - n; k < len(of); k++ { // Floyd's algorithm
		x := of[b.IntN(k+1)]
		for _, o := range out {
			if o == x {
				x = of[k]
				break
			}
		}
		out = append(out, x)
	}
	return out
}

// one draws a CI, none of nothing.
func (b *builder) one(of []int32) int32 {
	if len(of) == 0 {
		return none
	}
	return of[b.IntN(len(of))]
}

// build makes the estate that the options ask for.
func build(o Options) *estate {
	e := &estate{hub: none, items: make([]item, 0, o.CIs), relations: make([]relation, 0, 2*o.CIs)}
	b := &builder{estate: e, source: newSource(o.Seed, "estate", 0), size: o.CIs}
	b.progress = func(done int) { o.Progress("CIs", done, o.CIs) }
	if o.Storm > 0 {
		b.storm()
	}
	switch o.Profile {
	case ProfileApplication:
		b.applications(true)
	case ProfileKubernetes:
		b.applications(false)
	case ProfileNetwork:
		b.networks()
	case ProfileMixed:
		b.dataCentres()
	}
	e.index()
	b.progress(len(e.items))
	return e
}

// storm adds a directory that ten thousand servers need to work.
func (b *builder) storm() {
	b.hub = b.add(item{id: "directory", class: service, app: "directory", site: none, group: none, space: none})
	for i := range StormLeaves {
		b.relate(b.add(item{id: fmt.Sprintf("client-%05d", i+1), class: server, site: none, group: none, space: none}), dependsOn, b.hub)
	}
}

// parts cuts the room that is left into equal parts of about a size, and
// returns how many CIs there are at the end of each.
func (b *builder) parts(about int) []int {
	begin := len(b.items)
	room := b.size - begin
	n := max((room+about/2)/about, 1)
	ends := make([]int, n)
	for i := range ends {
		ends[i] = begin + room*(i+1)/n
	}
	return ends
}

// room says whether so many CIs that belong together find room.
func (b *builder) room(n int) bool { return len(b.items)+n <= b.size }

// places are where data centres and sites are, in the order of their use.
var places = [...]string{
	"fra", "ams", "lhr", "iad", "sin", "dub", "par", "mad", "sto", "waw", "nrt", "syd", "gru", "ord", "sjc", "atl", "mil", "vie", "hel", "zrh",
}

// place names the i-th place: fra1, ams1, …, fra2, …
func place(i int) string { return fmt.Sprintf("%s%d", places[i%len(places)], i/len(places)+1) }
