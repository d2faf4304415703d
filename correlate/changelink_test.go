package correlate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"tocsin/ingest"
)

// change makes a change on a CI.
func (b *bench) change(id, ci, what string) {
	ev := &ingest.Event{Kind: ingest.KindChange, Source: "test", Labels: ingest.LabelsOf("ci", ci, "change_id", id, "change_kind", what),
		Annotations: ingest.LabelsOf("summary", what+" of "+ci), StartsAt: b.now}
	b.e.ObserveEvent(ev)
	b.tick()
}

// quiet lets days go by in which an incident a day, at no regular times, comes
// of nothing and things are changed without harm, so that something is known.
func (b *bench) quiet(days int) {
	for i := range days {
		for _, ci := range []string{"eu/shop/mail", "us/shop/mail", "eu/shop/web"} {
			b.change(fmt.Sprint("quiet", i, ci), ci, "deploy")
		}
		b.after(12 * time.Hour)
		b.fault("Odd on us/shop/mail")
		b.after(time.Duration(5+7*(i%3)) * time.Hour)
	}
}

func (b *bench) checkChanges(id string, want ...string) *Incident {
	b.t.Helper()
	inc := b.incident(id)
	var got []string
	for _, c := range inc.Changes {
		linked := "possible"
		if c.Linked {
			linked = "linked"
		}
		got = append(got, c.ID+" "+linked)
	}
	if d := gocmp.Diff(want, got); d != "" {
		b.t.Errorf("changes of %s (-want +got):\n%s\n%+v", id, d, inc.Changes)
	}
	return inc
}

func TestIncidentIsLinkedToItsChange(t *testing.T) {
	b := newBench(t, twins(t))
	b.quiet(8)
	b.change("CHG-far", "us/shop/db", "deploy") // the other environment
	b.change("CHG-1", "eu/shop/db", "deploy")
	b.now = b.now.Add(5 * time.Minute)
	id := b.incidentOf(b.fire("Full", "eu/shop/db")).ID
	// It is shown from the beginning, and stays.
	b.checkChanges(id, "CHG-1 linked")
	b.now = b.now.Add(30 * time.Second)
	b.fire("Slow", "eu/shop/cart")
	b.after(30 * time.Minute)
	inc := b.checkChanges(id, "CHG-1 linked")
	c := inc.Changes[0]
	if c.CI != "eu/shop/db" || c.Name != "deploy of eu/shop/db" || !c.At.Equal(inc.OpenedAt.Add(-5*time.Minute)) {
		t.Errorf("the change is %+v", c)
	}
	if want := "changed 5m0s before the first alert; none of 26 such changes caused an incident; explains the alerts"; c.Reason != want {
		t.Errorf("reason %q, want %q", c.Reason, want)
	}
	// The parts are the odds: what is left to none and to other changes is small.
	sum := 0
	for _, p := range c.Parts {
		sum += p.Points
	}
	if c.Score < 500 || sum < 0 {
		t.Errorf("score %d, parts %+v", c.Score, c.Parts)
	}
	// It is the one thing that the timeline tells of it, once.
	told := 0
	for _, o := range b.outs {
		for _, rev := range o.Incidents {
			for _, e := range rev.Entries {
				if rev.ID == id && e.Kind == EntryChange && strings.HasPrefix(e.Text, "Linked to change CHG-1, deploy of eu/shop/db, on eu/shop/db: changed 5m0s before") {
					told++
				}
			}
		}
	}
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
}

// A change on what cannot have caused the alerts, or too long ago, or well
// after them, is no suspect.
func TestNoLinkToWhatCannotBe(t *testing.T) {
	for name, when := range map[string]func(b *bench){
		"other CI":   func(b *bench) { b.change("C", "us/shop/db", "deploy"); b.after(5 * time.Minute) },
		"too long":   func(b *bench) { b.change("C", "eu/shop/db", "deploy"); b.after(61 * time.Minute) },
		"unknown CI": func(b *bench) { b.change("C", "nowhere", "deploy"); b.after(5 * time.Minute) },
		"no evidence": func(b *bench) {
			b.change("C", "eu/shop/db", "deploy")
			b.e.weight[evChange] = 0
			b.after(5 * time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, twins(t))
			b.quiet(3)
			when(b)
			id := b.incidentOf(b.fire("Full", "eu/shop/db")).ID
			b.after(20 * time.Minute)
			b.checkChanges(id)
		})
	}
}

// Clocks differ: a change up to a minute after the first alert may have been
// before it, but is less likely than one before.
func TestChangeJustAfter(t *testing.T) {
	b := newBench(t, twins(t))
	b.quiet(2)
	id := b.incidentOf(b.fire("Full", "eu/shop/db")).ID
	b.now = b.now.Add(50 * time.Second)
	b.change("after", "eu/shop/db", "deploy")
	list, _, _ := b.e.accuse(b.e.incidents[id], nil)
	if len(list) != 1 || list[0].lag != -50 {
		t.Fatalf("accused: %+v", list)
	}
	b.now = b.now.Add(11 * time.Second)
	b.change("late", "eu/shop/db", "deploy")
	if list, _, _ = b.e.accuse(b.e.incidents[id], nil); len(list) != 1 {
		t.Errorf("a change 61 seconds after is accused too: %+v", list)
	}
}

// What the same problem came of before decides between two changes that look
// alike.
func TestRecurrenceTells(t *testing.T) {
	b := newBench(t, twins(t))
	b.quiet(2)
	incident := func() *Incident {
		b.now = b.now.Add(8 * time.Minute)
		return b.fault("Slow on eu/shop/cart", "Errors on eu/shop/web")
	}
	for range 3 {
		b.change("db", "eu/shop/db", "deploy")
		incident()
		b.after(24 * time.Hour)
	}
	b.change("db", "eu/shop/db", "deploy")
	b.change("cart", "eu/shop/cart", "deploy")
	inc := incident()
	if len(inc.Changes) == 0 || inc.Changes[0].ID != "db" || !inc.Changes[0].Linked {
		t.Fatalf("changes %+v, want that of db first", inc.Changes)
	}
	if want := "in 3 of 3 earlier occurrences the same place had been changed"; !strings.Contains(inc.Changes[0].Reason, want) {
		t.Errorf("reason %q, want it to say %q", inc.Changes[0].Reason, want)
	}
}

// The share of changes that cause incidents is learned, from all and by class.
func TestHarmIsLearned(t *testing.T) {
	b := newBench(t, twins(t))
	b.change("a", "eu/shop/db", "deploy")
	ch := b.e.changes[mustIndex(t, b, "eu/shop/db")][0]
	for range 39 {
		b.change("b", "eu/shop/cart", "deploy")
	}
	b.e.blame(ch, 2000)
	// Of 40 changes two: (2 + 50·.05)/(40 + 50) = .05 of all, and of the class
	// (2 + 20·.05)/(40 + 20) = .05.
	if got := b.e.harm(ch); got < 0.0499 || got > 0.0501 {
		t.Errorf("harm %.4f, want .05", got)
	}
	if got, want := b.e.harmText(ch), "1 of 20 such changes causes an incident"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	// One change of this CI in no time, and one more that is taken for usual in
	// the first day.
	if got := b.e.changeRate(ch, micros(b.now)) * ratePrior.Seconds(); got < 1.99 || got > 2.01 {
		t.Errorf("%.2f changes a day, want 2", got)
	}
}

func mustIndex(t *testing.T, b *bench, id string) int32 {
	t.Helper()
	i, ok := b.e.estate.Index(id)
	if !ok {
		t.Fatalf("no CI %s", id)
	}
	return i
}

func TestChangesHaveTheirOwnNames(t *testing.T) {
	for _, c := range []struct {
		ev       ingest.Event
		id, kind string
	}{
		{ingest.Event{Labels: ingest.LabelsOf("change_id", "CHG7", "change_kind", "restart", "alertname", "x")}, "CHG7", "restart"},
		{ingest.Event{Annotations: ingest.LabelsOf("change_id", "CHG8", "change_kind", "restart")}, "CHG8", "restart"},
		{ingest.Event{Labels: ingest.LabelsOf("alertname", "dev.cdevents.service.deployed"), Annotations: ingest.LabelsOf("ce_id", "42")}, "42", "dev.cdevents.service.deployed"},
		{ingest.Event{}, "", ""},
	} {
		if id, kind := nameChange(&c.ev); id != c.id || kind != c.kind {
			t.Errorf("%v %v: %q and %q, want %q and %q", c.ev.Labels, c.ev.Annotations, id, kind, c.id, c.kind)
		}
	}
	if got := (&change{seq: 12}).name(); got != "12" {
		t.Errorf("a change without an ID is called %q, want its number", got)
	}
}

// A change that explains both speaks for one incident of two alerts, the more
// the rarer changes are.
func TestSharedChange(t *testing.T) {
	b := newBench(t, twins(t))
	part := func() (points int) {
		b.t.Helper()
		b.now = b.now.Add(5 * time.Minute)
		one := b.fire("Slow", "eu/shop/cart")
		b.now = b.now.Add(time.Minute)
		two := b.fire("Errors", "eu/shop/web")
		if b.incidentOf(one) != b.incidentOf(two) {
			t.Fatal("the two are apart")
		}
		for _, o := range b.outs {
			for _, at := range o.Attachments {
				for _, p := range at.Evidence.Parts {
					if at.Fingerprint == two && p.Kind == "change" {
						points = p.Points
						if want := "eu/shop/db, changed 6m0s before, explains both (deploy of eu/shop/db)"; p.Detail != want {
							t.Errorf("detail %q, want %q", p.Detail, want)
						}
					}
				}
			}
		}
		return points
	}
	b.change("C", "eu/shop/db", "deploy")
	if got := part(); got != sharedMost {
		t.Errorf("a change that explains both is worth %d points, want %d", got, sharedMost)
	}
	// Where changes are common they say nothing.
	b = newBench(t, twins(t))
	for range 5 {
		b.change("C", "eu/shop/db", "deploy")
	}
	if got := part(); got != 0 {
		t.Errorf("one of five changes is worth %d points, want none", got)
	}
}
