package quality

import (
	"strings"
	"testing"

	"tocsin/cmdb"
)

func TestServices(t *testing.T) {
	class := map[string]string{"shop": "service", "cart": "service", "db": "service"}
	// What needs what, and how.
	const relations = `
		shop served_by shop-d
		shop-d owns shop-p
		shop-p runs_on node
		shop depends_on cart
		cart runs_in cart-p
		cart served_by proxy
		shop served_by proxy
		proxy owns proxy-p
		cart owns db
		db served_by db-d
		cart-p configured_by config
		sidecar part_of shop-p
		far owns near
		shop-p owns far
		cart-p owns near`
	var cis []cmdb.CI
	var rs []cmdb.Relation
	seen := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSpace(relations), "\n") {
		w := strings.Fields(line)
		rs = append(rs, cmdb.Relation{From: w[0], To: w[2], Type: w[1]})
		for _, id := range []string{w[0], w[2]} {
			if c := class[id]; !seen[id] {
				seen[id] = true
				if c == "" {
					c = "thing"
				}
				cis = append(cis, cmdb.CI{ID: id, Class: c})
			}
		}
	}
	snap, err := cmdb.New(cis, rs)
	if err != nil {
		t.Fatal(err)
	}
	service := Services(snap)
	for ci, want := range map[string]string{
		"shop": "shop", "shop-d": "shop", "shop-p": "shop", "sidecar": "shop",
		"cart": "cart", "cart-p": "cart",
		"db": "db", "db-d": "db", // a service owned by another is its own
		"node": "node", "config": "config", "unknown": "unknown",
		"proxy": "proxy", "proxy-p": "proxy-p", // as near to both
		"far": "shop", "near": "cart", // nearer to one
	} {
		if got := service(ci); got != want {
			t.Errorf("%s is of %s, want %s", ci, got, want)
		}
	}
	if got := Services(nil)("x"); got != "x" {
		t.Errorf("without an estate: %s", got)
	}
}

func TestPathService(t *testing.T) {
	for ci, want := range map[string]string{
		"eu/shop/cart/pod": "eu/shop/cart", "eu/shop/cart/deployment": "eu/shop/cart",
		"eu/shop/namespace": "eu/shop/namespace", "eu/node-1": "eu/node-1", "": "",
		"app/pod/2022-08-22/cart-1": "app/pod/2022-08-22/cart-1", "eu//cart/pod": "eu//cart/pod", "a/b/c/d/pod": "a/b/c/d/pod",
	} {
		if got := PathService(ci); got != want {
			t.Errorf("%q is of %q, want %q", ci, got, want)
		}
	}
}
