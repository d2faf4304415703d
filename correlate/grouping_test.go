package correlate

import (
	"testing"
	"time"

	"tocsin/ingest"
)

func TestFixedGroupingIsFollowed(t *testing.T) {
	b := newBench(t, estateOf(t, "api needs db", "far needs away"))
	group := map[ingest.Fingerprint]string{}
	for name, g := range map[[2]string]string{{"Down", "db"}: "x", {"Errors", "far"}: "x", {"Errors", "api"}: "y", {"Noise", "db"}: ""} {
		group[event(name[0], name[1], t0, ingest.Firing).Fingerprint] = g
	}
	b.e.FixGrouping(func(fp ingest.Fingerprint, startsAt time.Time) (string, bool) {
		if startsAt.Before(t0) {
			t.Errorf("asked for an alert from %s", startsAt)
		}
		g, ok := group[fp]
		return g, ok
	})
	db := b.fire("Down", "db")
	b.now = b.now.Add(3 * time.Hour)
	api, far := b.fire("Errors", "api"), b.fire("Errors", "far")
	x := b.incidentOf(db)
	if x == nil || b.incidentOf(far) != x {
		t.Fatalf("two alerts of one group, hours and CIs apart, are in %v and %v", x, b.incidentOf(far))
	}
	if y := b.incidentOf(api); y == nil || y == x {
		t.Errorf("an alert of another group, next to the first, is in %v", y)
	}
	for _, fp := range []ingest.Fingerprint{b.fire("Noise", "db"), b.fire("Unheard", "db")} {
		if a := b.e.alerts[fp]; a.incident != nil || a.suppression != suppressedGrouping {
			t.Errorf("an alert without a group is in %v, suppressed as %q", a.incident, a.suppression)
		}
	}

	// The group goes on although the incident had resolved, and an alert that
	// fires again follows its group.
	b.end("Down", "db")
	b.end("Errors", "far")
	b.after(6 * time.Minute)
	if x.Status != Resolved {
		t.Fatalf("after the end of its alerts the incident is %s", x.Status)
	}
	group[api] = "x"
	b.end("Errors", "api")
	b.now = b.now.Add(time.Minute)
	b.fire("Errors", "api")
	if x.Status != Open || b.incidentOf(api) != x {
		t.Errorf("fired again as one of the group: the incident is %s, the alert in %v", x.Status, b.incidentOf(api))
	}
	b.end("Errors", "api")
	b.after(time.Hour)
	if x.Status != Closed {
		t.Fatalf("an hour later the incident is %s", x.Status)
	}
	if b.fire("Down", "db"); b.incidentOf(db) == nil || b.incidentOf(db) == x {
		t.Errorf("after its end, the group goes on in %v, want another incident", b.incidentOf(db))
	}
}
