package simulate

import "fmt"

// networks fills the estate with sites: two cores, pairs of aggregation
// switches, access switches, and what hangs on those. Sites are connected to
// the one before and to an earlier one.
func (b *builder) networks() {
	var cores [][]int32
	for i, end := range b.parts(70) {
		cores = append(cores, b.networkSite(i, end, cores))
	}
}

func (b *builder) networkSite(i, end int, others [][]int32) []int32 {
	name, size := place(i), end-len(b.items)
	it := func(c class, id string) item {
		return item{id: name + "-" + id, class: c, site: none, group: none, space: none}
	}
	home := b.add(item{id: name, class: site, site: none, group: none, space: none})
	in := func(c class, id string) int32 {
		x := it(c, id)
		x.site = home
		return b.add(x)
	}
	feed := in(powerFeed, "feed-a")
	stand := in(rack, "rack-1")
	b.relate(stand, poweredBy, feed)
	b.relate(stand, locatedIn, home)
	racks := []int32{stand}
	if size > 40 {
		feedB := in(powerFeed, "feed-b")
		for j := range size / 30 {
			r := in(rack, fmt.Sprintf("rack-%d", j+2))
			b.relate(r, poweredBy, []int32{feedB, feed}[j%2])
			b.relate(r, locatedIn, home)
			if r != none {
				racks = append(racks, r)
			}
		}
	}
	device := func(c class, id string, up ...int32) int32 {
		d := in(c, id)
		b.relate(d, mountedIn, b.one(racks))
		for _, u := range up {
			b.relate(d, connectsTo, u)
		}
		return d
	}
	core := []int32{device(router, "core-1")}
	if size > 20 {
		core = append(core, device(router, "core-2", core[0]))
	}
	b.connect(core, others)
	firewalls := []int32{}
	if size > 50 {
		firewalls = append(firewalls, device(firewall, "fw-1", core...))
	}
	var aggregation []int32
	for j := range max(size/35, 1) * 2 {
		if size <= 20 && j > 0 {
			break
		}
		aggregation = append(aggregation, device(switchDevice, fmt.Sprintf("agg-%d", j+1), core...))
	}
	if size > 50 {
		// Few things in a network need others in the sense of services: names
		// and logins, and what customers bought.
		s := b.add(item{id: name + "-vpn", app: "vpn", class: service, site: home, group: none, space: none})
		b.relate(s, dependsOn, core[0])
		for _, f := range firewalls {
			b.relate(s, dependsOn, f)
		}
	}
	for j := 0; len(b.items) < end; j++ {
		pair := j % ((len(aggregation) + 1) / 2) * 2
		access := device(switchDevice, fmt.Sprintf("acc-%02d", j+1), aggregation[pair:min(pair+2, len(aggregation))]...)
		for k := range b.span(0, 6) {
			if len(b.items) >= end {
				break
			}
			b.relate(in(accessPoint, fmt.Sprintf("ap-%02d-%d", j+1, k+1)), connectsTo, access)
		}
	}
	return core
}

// connect links the cores of a site to those of the site before it and of one
// that is drawn, so that the sites make a ring with chords.
func (b *builder) connect(core []int32, others [][]int32) {
	if len(others) == 0 {
		return
	}
	last := others[len(others)-1]
	b.relate(core[0], connectsTo, last[len(last)-1])
	if len(others) > 1 {
		far := others[b.IntN(len(others)-1)]
		b.relate(core[len(core)-1], connectsTo, far[0])
	}
}
