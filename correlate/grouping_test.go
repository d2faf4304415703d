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

// An alert that is said to be in two groups, one after the other, stays known to
// the first, whether it had ended in between or not.
func TestFixedGroupingKeepsWhatAnIncidentHad(t *testing.T) {
	b := newBench(t, estateOf(t, "api needs db"))
	group := "x"
	b.e.FixGrouping(func(ingest.Fingerprint, time.Time) (string, bool) { return group, group != "" })
	again := func(ends bool) *Incident {
		if ends {
			b.end("Down", "db")
		}
		b.now = b.now.Add(3 * time.Minute)
		return b.incidentOf(b.fire("Down", "db"))
	}
	x := b.incidentOf(b.fire("Down", "db"))
	group = "y"
	y := again(false)
	group = "z"
	z := again(true)
	if y == nil || y == x || z == nil || z == x || z == y {
		t.Fatalf("groups x, y and z are in %v, %v and %v", x, y, z)
	}
	group = ""
	if got := again(false); got != z {
		t.Errorf("sent again without a group it is in %v", got)
	}
	for _, inc := range []*Incident{x, y} {
		if inc.Alerts.Total != 1 || inc.Alerts.Firing != 0 || len(inc.Causes) == 0 || inc.Causes[0].ID != "db" {
			t.Errorf("%s is left with %+v and the causes %+v", inc.ID, inc.Alerts, inc.Causes)
		}
	}
	b.end("Down", "db")
	b.after(2 * time.Hour)
	for _, inc := range []*Incident{x, y, z} {
		if inc.Status != Closed || inc.Alerts.Total != 1 {
			t.Errorf("in the end %s is %s with %+v", inc.ID, inc.Status, inc.Alerts)
		}
	}
}
