package simulate

import "fmt"

// dataCentres fills the estate with data centres: power, racks, a network,
// servers, virtual machines on them, clusters on those, and the systems of
// applications. Their cores make a ring with chords.
func (b *builder) dataCentres() {
	var cores [][]int32
	for i, end := range b.parts(2000) {
		cores = append(cores, b.dataCentre(i, end, cores))
	}
}

func (b *builder) dataCentre(i, end int, others [][]int32) []int32 {
	name, size := place(i), end-len(b.items)
	env := uint8(0)
	if i%5 == 4 {
		env = 1
	}
	home := b.add(item{id: name, class: site, env: env, site: none, group: none, space: none})
	in := func(c class, format string, args ...any) int32 {
		return b.add(item{id: name + "-" + fmt.Sprintf(format, args...), class: c, env: env, site: home, group: none, space: none})
	}
	core := []int32{in(router, "core-1")}
	if size > 200 {
		core = append(core, in(router, "core-2"))
		b.relate(core[1], connectsTo, core[0])
	}
	b.connect(core, others)

	const perRack, perServer = 10, 3
	var machines []int32
	for r := range max(size/150, 1) {
		feed := in(powerFeed, "feed-%02d", r+1)
		stand := in(rack, "rack-%02d", r+1)
		b.relate(stand, poweredBy, feed)
		b.relate(stand, locatedIn, home)
		top := in(switchDevice, "tor-%02d", r+1)
		b.relate(top, mountedIn, stand)
		for _, c := range core {
			b.relate(top, connectsTo, c)
		}
		for s := range min(perRack, max(size/20, 1)) {
			host := in(server, "srv-%02d-%02d", r+1, s+1)
			b.relate(host, mountedIn, stand)
			b.relate(host, connectsTo, top)
			for v := range min(perServer, max(size/40, 1)) {
				vm := in(virtualMachine, "vm-%02d-%02d-%d", r+1, s+1, v+1)
				b.relate(vm, runsOn, host)
				if vm != none {
					machines = append(machines, vm)
				}
			}
		}
	}
	// Every other machine is a node of the cluster, the rest run databases and
	// whatever never moved into it.
	k := &kube{b: b, env: env, site: home, name: name, replicas: 2}
	k.self = b.add(item{id: name + "/cluster", class: cluster, env: env, site: home, group: none, space: none})
	for j, vm := range machines {
		if j%2 == 1 && len(machines) > 3 {
			k.hosts = append(k.hosts, vm)
			continue
		}
		b.relate(k.node(fmt.Sprintf("node-%03d", j+1)), runsOn, vm)
	}
	k.fill(end)
	return core
}
