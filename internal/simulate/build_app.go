package simulate

import (
	"fmt"
	"slices"
)

// systems are what namespaces are about, and apps what their services do.
var (
	systems = [...]string{"shop", "payments", "logistics", "accounts", "media", "search", "reporting", "identity", "booking", "pricing", "support", "fleet"}
	apps    = [...][]string{
		tierPlatform: {"config", "session", "events", "files", "mailer", "audit", "flags", "tokens"},
		tierDomain: {"orders", "catalog", "stock", "customers", "invoices", "ratings", "quotes", "shipping", "coupons", "tax", "ledger", "fraud",
			"offers", "geo", "images", "pricing"},
		tierFront: {"checkout", "cart", "profile", "browse", "recommend", "notify", "import", "export"},
		tierEdge:  {"web", "mobile-api", "partner-api", "admin"},
	}
)

// The tiers of a system; each needs those before it.
const (
	tierPlatform = iota
	tierDomain
	tierFront
	tierEdge
)

// kube is one cluster while it is built.
type kube struct {
	b     *builder
	env   uint8
	site  int32
	name  string
	self  int32
	nodes []int32
	// shared are services that those of other namespaces need, too.
	shared []int32
	// hosts run databases; without them pods do.
	hosts []int32
	// replicas is the mean number of pods of a deployment.
	replicas float64
}

func (k *kube) item(c class, id, app string, space int32) item {
	return item{id: k.name + "/" + id, app: app, class: c, env: k.env, site: k.site, group: k.self, space: space}
}

// applications fills the estate with clusters, on hardware or without.
func (b *builder) applications(hardware bool) {
	ends := b.parts(1200)
	for i, end := range ends {
		size := end - len(b.items)
		k := &kube{b: b, env: uint8(min(i%4, 2)), site: none, name: place(i), replicas: 2}
		if !hardware {
			k.name, k.replicas = "k8s-"+place(i), 3
		}
		if len(ends) == 1 {
			k.env = 0
		}
		k.self = b.add(item{id: k.name, class: cluster, env: k.env, site: none, group: none, space: none})
		count := max(size/45, 1)
		if hardware {
			k.metal(count)
		} else {
			for j := range count {
				k.node(fmt.Sprintf("node-%02d", j+1))
			}
		}
		k.fill(end)
	}
}

// metal adds nodes that stand in racks with power.
func (k *kube) metal(nodes int) {
	const perRack = 8
	stand := none
	for j := range nodes {
		if j%perRack == 0 && k.b.room(3) {
			feed := k.b.add(k.item(powerFeed, fmt.Sprintf("feed-%02d", j/perRack+1), "", none))
			stand = k.b.add(k.item(rack, fmt.Sprintf("rack-%02d", j/perRack+1), "", none))
			k.b.relate(stand, poweredBy, feed)
		}
		k.b.relate(k.node(fmt.Sprintf("node-%02d", j+1)), mountedIn, stand)
	}
	k.hosts = k.nodes
}

func (k *kube) node(id string) int32 {
	it := k.item(node, id, "", none)
	it.id = k.name + "-" + id // as hosts are called
	n := k.b.add(it)
	k.b.relate(n, memberOf, k.self)
	if n != none {
		k.nodes = append(k.nodes, n)
	}
	return n
}

// fill adds namespaces with services until the estate has so many CIs.
func (k *kube) fill(end int) {
	for i := 0; len(k.b.items) < end; i++ {
		name := systems[i%len(systems)]
		if i >= len(systems) {
			name = fmt.Sprintf("%s-%d", name, i/len(systems)+1)
		}
		k.namespace(name, end)
	}
}

// namespace adds one system: stores first, then tier after tier.
func (k *kube) namespace(name string, end int) {
	b := k.b
	space := b.add(k.item(namespace, name, name, none))
	b.relate(space, memberOf, k.self)
	room := end - len(b.items)
	// A service comes with a deployment, its pods, and a share of the stores.
	services := min(max(int(float64(min(room, 120))/(k.replicas+2.8)), 1), b.span(14, 26))
	stores := k.stores(name, space, max(services/6, 1))
	settings := none
	if services > 4 && b.room(3) {
		settings = b.add(k.item(configMap, name+"/settings", name, space))
	}
	below := [][]int32{stores}
	left := services
	for tier, share := range []float64{0.2, 0.5, 0.6, 1} {
		n := left
		if tier < tierEdge {
			n = max(b.round(share*float64(left)), min(left, 1))
		}
		left -= n
		var here []int32
		for i := range n {
			if len(b.items) >= end {
				break
			}
			app := apps[tier][i%len(apps[tier])]
			if i >= len(apps[tier]) {
				app = fmt.Sprintf("%s-%d", app, i/len(apps[tier])+1)
			}
			if s := k.service(name, app, space, settings); s != none {
				k.needs(s, below, tier)
				here = append(here, s)
			}
		}
		if len(here) > 0 {
			below = append(below, here)
		}
		if tier == tierPlatform {
			k.shared = append(k.shared, here...)
		}
	}
}

// needs gives a service what it depends on: mostly the tier below, sometimes
// deeper, and sometimes a platform service of another namespace.
func (k *kube) needs(s int32, below [][]int32, tier int) {
	b := k.b
	var on []int32
	take := func(of []int32, n int) {
		for _, x := range b.some(of, n) {
			if x != s && !slices.Contains(on, x) {
				on = append(on, x)
			}
		}
	}
	take(below[len(below)-1], b.span(1, 3))
	if len(below) > 1 && b.Float64() < 0.5 {
		take(below[b.IntN(len(below)-1)], 1)
	}
	if tier > tierPlatform && b.Float64() < 0.12 {
		take(k.shared, 1)
	}
	for _, x := range on {
		b.relate(s, dependsOn, x)
	}
}

// service adds a service with its deployment and pods.
func (k *kube) service(system, app string, space, settings int32) int32 {
	b := k.b
	id := system + "/" + app
	d := b.add(k.item(deployment, id+"/deployment", app, space))
	s := b.add(k.item(service, id, app, space))
	b.relate(s, servedBy, d)
	b.relate(d, inNamespace, space)
	if app == apps[tierPlatform][0] || b.Float64() < 0.3 {
		b.relate(d, configuredBy, settings)
	}
	for i := range 1 + b.round(b.Float64()*2*(k.replicas-1)) {
		p := b.add(k.item(pod, fmt.Sprintf("%s/pod-%d", id, i+1), app, space))
		b.relate(d, owns, p)
		b.relate(p, runsOn, b.one(k.nodes))
	}
	return s
}

// stores adds databases, caches and queues.
func (k *kube) stores(system string, space int32, n int) (out []int32) {
	b := k.b
	for i := range n {
		if !b.room(3) {
			break
		}
		c := []class{database, cache, queue, database}[i%4]
		app := fmt.Sprintf("%s-%s-%d", system, []string{"db", "cache", "queue", "db"}[i%4], i/4+1)
		if i%4 == 3 {
			app += "b"
		}
		s := b.add(k.item(c, system+"/"+app, app, space))
		if c == database {
			b.relate(s, storedOn, b.add(k.item(volume, system+"/"+app+"/volume", app, space)))
		}
		if len(k.hosts) > 0 {
			b.relate(s, runsOn, b.one(k.hosts))
		} else {
			p := b.add(k.item(pod, system+"/"+app+"/pod-0", app, space))
			b.relate(s, runsOn, p)
			b.relate(p, runsOn, b.one(k.nodes))
		}
		if s != none {
			out = append(out, s)
		}
	}
	return out
}
