package correlate

import (
	"strings"
	"testing"
	"time"

	"tocsin/cmdb"
	"tocsin/ingest"
)

// switches are two switches side by side, each with three machines; with a
// shared router, one failure would explain both.
func switches(t *testing.T, shared bool) *cmdb.Snapshot {
	t.Helper()
	var cis []cmdb.CI
	for _, id := range []string{"s1", "s2", "a1", "a2", "a3", "b1", "b2", "b3", "router"} {
		cis = append(cis, cmdb.CI{ID: id, Class: "server"})
	}
	rels := []cmdb.Relation{{From: "s1", To: "s2", Type: "connects_to"}}
	for _, id := range []string{"a1", "a2", "a3"} {
		rels = append(rels, cmdb.Relation{From: id, To: "s1", Type: "depends_on"})
	}
	for _, id := range []string{"b1", "b2", "b3"} {
		rels = append(rels, cmdb.Relation{From: id, To: "s2", Type: "depends_on"})
	}
	if shared {
		rels = append(rels, cmdb.Relation{From: "s1", To: "router", Type: "depends_on"}, cmdb.Relation{From: "s2", To: "router", Type: "depends_on"})
	}
	s, err := cmdb.New(cis, rels)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func strike(b *bench) (one, two []ingest.Fingerprint) {
	one, two = append(one, b.fire("Down", "s1")), append(two, b.fire("Down", "s2"))
	b.now = b.now.Add(10 * time.Second)
	for _, ci := range []string{"a1", "a2", "a3"} {
		one = append(one, b.fire("Unreachable", ci))
	}
	for _, ci := range []string{"b1", "b2", "b3"} {
		two = append(two, b.fire("Unreachable", ci))
	}
	return one, two
}

// Two faults that strike neighbours at the same minute become two incidents,
// once it is known what else began.
func TestTwoFaultsSideBySideAreDivided(t *testing.T) {
	b := newBench(t, switches(t, false))
	one, two := strike(b)
	b.together(true, append(one, two...)...)
	id := b.incidentOf(one[0]).ID
	b.after(11 * time.Minute)
	b.together(true, one...)
	b.together(true, two...)
	b.together(false, one[0], two[0])
	fresh := b.incidentOf(two[0])
	if b.incidentOf(one[0]).ID != id || fresh.SplitFrom != id || fresh.Status != Open {
		t.Errorf("the first alert is in %s, want %s; the others in %s, split from %q, %s", b.incidentOf(one[0]).ID, id, fresh.ID, fresh.SplitFrom, fresh.Status)
	}
	if fresh.Causes[0].ID != "s2" || b.incidentOf(one[0]).Causes[0].ID != "s1" {
		t.Errorf("causes %s and %s, want s1 and s2", b.incidentOf(one[0]).Causes[0].ID, fresh.Causes[0].ID)
	}
	var why string
	for _, o := range b.outs {
		for _, at := range o.Attachments {
			if at.Incident == fresh.ID && at.Fingerprint == two[0] {
				why = at.Evidence.Sentence
			}
		}
	}
	if !strings.Contains(why, "only lateral links tie them to "+id) {
		t.Errorf("evidence %q, want the reason", why)
	}
	b.fire("Slow", "a1")
	b.fire("Slow", "b1")
	b.together(false, one[0], two[0]) // nor do they grow together again
}

func TestOneFaultIsNotDivided(t *testing.T) {
	b := newBench(t, switches(t, true)) // a router that both need may be the cause of all
	one, two := strike(b)
	b.after(11 * time.Minute)
	b.together(true, append(one, two...)...)

	b = newBench(t, switches(t, false)) // a link seen from both ends
	one, two = []ingest.Fingerprint{b.fire("LinkDown", "s1")}, []ingest.Fingerprint{b.fire("LinkDown", "s2")}
	b.after(11 * time.Minute)
	b.together(true, one[0], two[0])

	b = newBench(t, switches(t, false)) // people said that it belongs here
	one, two = strike(b)
	if _, err := b.do(Command{Kind: CmdSplit, Incident: b.incidentOf(one[0]).ID, Alerts: two[:1]}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.do(Command{Kind: CmdMerge, Incident: b.incidentOf(one[0]).ID, Incidents: []string{b.incidentOf(two[0]).ID}}); err != nil {
		t.Fatal(err)
	}
	b.after(11 * time.Minute)
	b.together(true, append(one, two...)...)
}
