package demo

import (
	"fmt"

	"tocsin/cmdb"
)

// The sizes of rack A17.
const (
	servers      = 36
	vmsPerServer = 2
	shops        = 12
)

// The names that the story and its tests are about.
const (
	Feed = "feed-a17"
	Disk = "vol-orders-data"
)

func server(i int) string { return fmt.Sprintf("srv-a17-%02d", i+1) }
func vm(i int) string     { return fmt.Sprintf("vm-a17-%03d", i+1) }
func shop(i int) string {
	return [shops]string{"basket", "prices", "images", "reviews", "coupons", "wishlist", "geo", "mailer", "fraud", "tax", "stock", "ledger"}[i]
}

// Estate is the sample estate: rack A17 with its feed, servers, virtual
// machines and the services that run on them, and the order system with its
// database elsewhere.
func Estate() ([]cmdb.CI, []cmdb.Relation) {
	var cis []cmdb.CI
	var relations []cmdb.Relation
	add := func(id, class, name, environment string, criticality cmdb.Criticality) {
		cis = append(cis, cmdb.CI{ID: id, Class: class, Name: name, Environment: environment, Criticality: criticality})
	}
	needs := func(from, to, kind string) {
		relations = append(relations, cmdb.Relation{From: from, To: to, Type: kind})
	}

	add("hall-1", "site", "Hall 1", "production", "")
	add(Feed, "power_feed", "Power feed A17", "production", cmdb.CriticalityHigh)
	add("rack-a17", "rack", "Rack A17", "production", "")
	add("tor-a17", "switch", "Top-of-rack switch A17", "production", "")
	needs("rack-a17", Feed, "powered_by")
	needs("tor-a17", "rack-a17", "mounted_in")
	for i := range servers {
		add(server(i), "server", "", "production", "")
		needs(server(i), Feed, "powered_by")
		needs(server(i), "tor-a17", "connects_to")
	}
	for i := range servers * vmsPerServer {
		add(vm(i), "virtual_machine", "", "production", "")
		needs(vm(i), server(i/vmsPerServer), "runs_on")
	}
	for i := range shops {
		criticality := cmdb.CriticalityMedium
		if i < 2 {
			criticality = cmdb.CriticalityCritical
		}
		add(shop(i), cmdb.ClassService, "", "production", criticality)
		for j := range 6 {
			needs(shop(i), vm(i*6+j), "runs_on")
		}
	}

	add("hall-2", "site", "Hall 2", "production", "")
	add("esx-b03-07", "server", "", "production", "")
	add(Disk, "volume", "Orders data volume", "production", "")
	add("orders-db", "database", "Orders database", "production", cmdb.CriticalityHigh)
	add("orders-api", cmdb.ClassService, "Orders API", "production", cmdb.CriticalityHigh)
	add("portal", cmdb.ClassService, "Customer portal", "production", cmdb.CriticalityCritical)
	needs("orders-db", Disk, "stored_on")
	needs("orders-db", "esx-b03-07", "runs_on")
	needs("orders-api", "orders-db", "depends_on")
	needs("portal", "orders-api", "depends_on")

	add("backup-01", "server", "", "production", "")
	add("mail-gw", "server", "", "production", "")
	add("printer-3f", "printer", "", "office", cmdb.CriticalityLow)
	add("lab-07", "server", "", "lab", cmdb.CriticalityLow)
	return cis, relations
}
