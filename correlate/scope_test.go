package correlate

import (
	"testing"
	"time"

	"tocsin/cmdb"
	"tocsin/ingest"
)

func TestPlaceNameIsFreeOfTheEnvironment(t *testing.T) {
	for _, c := range []struct {
		ci   cmdb.CI
		want string
	}{
		{cmdb.CI{ID: "eu/shop/cart/service", Class: "service", Attributes: map[string]string{"env": "eu"}}, "service */shop/cart/service"},
		{cmdb.CI{ID: "cart.prod.example", Class: "service", Environment: "Prod"}, "service cart.*.example"},
		// A value of several components is replaced whole, and before one that
		// is a part of it.
		{cmdb.CI{ID: "db-eu-west-1a-7", Class: "vm", Attributes: map[string]string{"az": "eu-west-1a", "region": "eu-west"}}, "vm db-*-7"},
		// Only whole components, and no numbers: zone 1 says nothing of web-1.
		{cmdb.CI{ID: "europe-web-1", Class: "vm", Attributes: map[string]string{"env": "eu", "zone": "1"}}, "vm europe-web-1"},
		{cmdb.CI{ID: "eu/cart", Class: "service", Attributes: map[string]string{"team": "eu"}}, "service eu/cart"},
		{cmdb.CI{ID: "cart", Class: "service"}, "service cart"},
	} {
		s, err := cmdb.New([]cmdb.CI{c.ci}, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, s)
		b.tick()
		if got := b.e.placeName(0); got != c.want {
			t.Errorf("%s: place %q, want %q", c.ci.ID, got, c.want)
		}
	}
}

// A pod has the place of what it is a copy of: the next one has another name.
func TestPodsHaveThePlaceOfTheirWorkload(t *testing.T) {
	s, err := cmdb.New([]cmdb.CI{{ID: "cart", Class: "service"}, {ID: "cart-7d4b9c-x2k9p", Class: "pod"}, {ID: "cart-5f6c8d-q8v4z", Class: "pod"}, {ID: "lone", Class: "pod"}},
		[]cmdb.Relation{{From: "cart", To: "cart-7d4b9c-x2k9p", Type: "served_by"}, {From: "cart", To: "cart-5f6c8d-q8v4z", Type: "served_by"}})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, s)
	b.tick()
	for id, want := range map[string]string{"cart": "service cart", "cart-7d4b9c-x2k9p": "pod cart", "cart-5f6c8d-q8v4z": "pod cart", "lone": "pod lone"} {
		if got := b.e.placeName(mustIndex(t, b, id)); got != want {
			t.Errorf("%s: place %q, want %q", id, got, want)
		}
	}
}

// An alert that no CI was found for is about what was looked up, whatever
// number that has.
func TestUnboundAlertsHaveASubject(t *testing.T) {
	b := newBench(t, nil)
	fire := func(host string) string {
		ev := event("Down", "", b.now, ingest.Firing)
		ev.Labels = ingest.LabelsOf("alertname", "Down", "host", host)
		ev.Fingerprint = ingest.FingerprintOf(ev.Labels)
		b.e.ObserveEvent(ev)
		b.tick()
		return b.incidentOf(ev.Fingerprint).ID
	}
	one := fire("db-17.eu")
	b.after(20 * time.Minute)
	two := fire("db-4.eu")
	b.after(20 * time.Minute)
	if one == two {
		t.Fatal("two hosts are one incident")
	}
	if x, y := b.incident(one).Signature, b.incident(two).Signature; x == "" || x != y {
		t.Errorf("signatures %q and %q, want the same", x, y)
	}
}
