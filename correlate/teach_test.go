package correlate

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Closed incidents teach which alerts come with everything, and from where.
func TestTeachNames(t *testing.T) {
	estate := estateOf(t, "front needs cart", "front needs pay", "front needs mail")
	b := newBench(t, estate)
	b.tick()
	errors := short(hash("Errors"))
	front, _ := estate.Index("front")
	cold := b.e.background(front, errors)
	if l := b.e.lifts(errors); l != [allPositions]float64{1, 1, 1, 1, 1, 1} {
		t.Errorf("a name that nothing is known of has lifts %v", l)
	}
	for i := range 12 {
		alerts := []string{"Down " + []string{"cart", "pay", "mail"}[i%3], "Errors front"}
		b.story(alerts...)
		b.over(alerts...)
	}
	if s := b.e.sites["front"]; s.Near != 12 || s.count(errors) != 12 || len(s.Pairs) != 1 {
		t.Errorf("of the front end is known %+v, want 12 incidents with errors", s)
	}
	if got := b.e.background(front, errors); got < 3*cold {
		t.Errorf("errors of the front end came with 12 of 12 incidents; their background is %.3f, was %.3f", got, cold)
	}
	if l := b.e.lifts(errors); l[upstream] <= 1 || l[here] >= 1 || l[upstream] > liftMost {
		t.Errorf("errors came from above 12 times; lifts %v", l)
	}
	if l := b.e.lifts(short(hash("Down"))); l[here] <= 1 || l[upstream] >= 1 {
		t.Errorf("down was seen on what failed 12 times; lifts %v", l)
	}
	// What was learned is in the ranking, and said.
	inc := b.story("Errors front", "Slow cart")
	c := causeOf(t, inc, "cart")
	if inc.Causes[0].ID != "cart" || !strings.Contains(c.part("explains").Detail, "Errors mostly comes from what a CI needs") {
		t.Errorf("causes %+v, want cart first with where errors come from", inc.Causes)
	}
	sum := [positions]int64{}
	for _, s := range b.e.symptoms {
		for pos, w := range s.Where {
			sum[pos] += w
		}
	}
	if sum != b.e.where {
		t.Errorf("the symptoms know %v together, the engine %v", sum, b.e.where)
	}
}

func TestTeachNothingFromOneAlert(t *testing.T) {
	b := newBench(t, estateOf(t, "a needs b"))
	b.story("Down a")
	b.over("Down a")
	if len(b.e.sites)+len(b.e.symptoms) != 0 || b.e.generation != 0 {
		t.Errorf("one alert taught %d CIs and %d names", len(b.e.sites), len(b.e.symptoms))
	}
}

// Numbers are halved when they grow large, so that the recent past counts more.
func TestTaughtNumbersAreBounded(t *testing.T) {
	b := newBench(t, estateOf(t, "a needs b"))
	for range 1200 {
		b.story("Down b", "Errors a")
		b.over("Down b", "Errors a")
	}
	a, errors := b.e.sites["a"], b.e.symptoms[short(hash("Errors"))]
	if a.Near >= nearMost || a.Near < nearMost/2 || a.count(errors.key()) > a.Near {
		t.Errorf("after 1200 incidents of a is known %+v", a)
	}
	if errors.Hit >= hitMost || errors.Hit > errors.Exposed {
		t.Errorf("after 1200 incidents of errors is known %+v", errors)
	}
	for pos, w := range b.e.where {
		if w < 0 || w > 2*1000*hitMost {
			t.Errorf("of position %d %d is known", pos, w)
		}
	}
}

func TestConfirmedCause(t *testing.T) {
	estate := estateOf(t, "a needs db", "b needs db", "a needs flags", "b needs flags", "far needs away")
	b := newBench(t, estate)
	alerts := []string{"Errors a", "Errors b"}
	inc := b.story(alerts...)
	if inc.Causes[0].ID == "flags" {
		t.Fatalf("causes %+v, want another one first", inc.Causes)
	}
	link := func(kind CommandKind, id, ci string) error {
		_, err := b.do(Command{Kind: kind, Link: &Link{From: "incident:" + id, To: "ci:" + ci, Kind: CausedBy}})
		return err
	}
	if err := link(CmdLink, inc.ID, "flags"); err != nil {
		t.Fatal(err)
	}
	if c := inc.Causes[0]; c.ID != "flags" || c.Score != 1000 || c.part("operator").Points == 0 || !slices.Equal(inc.ConfirmedCauses, []string{"flags"}) {
		t.Errorf("after people's word the causes are %+v", inc.Causes)
	}
	first := inc.ID
	b.over(alerts...)

	// The same alerts again: the same cause is likelier now.
	inc = b.story(alerts...)
	c := inc.Causes[0]
	if p := c.part("confirmed"); c.ID != "flags" || p.Points != pointsConfirmed || !strings.Contains(p.Detail, first) || !strings.Contains(c.Reason, "caused "+first) {
		t.Errorf("when it came again the causes are %+v", inc.Causes)
	}
	b.over(alerts...)
	// Other alerts of the same CIs are another matter.
	inc = b.story("Down a", "Slow a", "Errors b")
	if p := causeOf(t, inc, "flags").part("confirmed"); p.Points != 0 {
		t.Errorf("what looked otherwise gives %+v", p)
	}
	b.over("Down a", "Slow a", "Errors b")

	// A wrong word can be taken back, and learned from after the end.
	if err := link(CmdUnlink, first, "flags"); err == nil || !strings.Contains(err.Error(), ErrForgotten.Error()) {
		t.Fatalf("the engine has let go of %s and answers %v, want to be given it back", first, err)
	}
	h := newHistory()
	for _, o := range b.outs {
		h.add(o)
	}
	recall := func(id string) {
		s := State{Incidents: []Incident{h.incidents[id]}}
		for _, at := range h.attachments {
			if at.Incident == id {
				a := h.alerts[at.Fingerprint]
				a.Labels = h.events[a.EventSeq].Labels
				s.Attachments, s.Alerts = append(s.Attachments, at), append(s.Alerts, a)
			}
		}
		b.e.Recall(s)
	}
	recall(first)
	if err := link(CmdUnlink, first, "flags"); err != nil {
		t.Fatal(err)
	}
	if err := link(CmdLink, first, "db"); err != nil {
		t.Fatal(err)
	}
	if rec := b.incident(first); rec.Causes[0].ID != "db" || rec.Status != Closed {
		t.Errorf("corrected after its end, it is %s with the causes %+v", rec.Status, rec.Causes)
	}
	b.after(2 * time.Hour)
	inc = b.story(alerts...)
	if c := inc.Causes[0]; c.ID != "db" || c.part("confirmed").Points == 0 || causeOf(t, inc, "flags").part("confirmed").Points != 0 {
		t.Errorf("after the correction the causes are %+v", inc.Causes)
	}
	// What is far away may be named too.
	if err := link(CmdLink, inc.ID, "away"); err != nil || inc.Causes[0].ID != "away" {
		t.Errorf("%v: causes %+v, want what people said", err, inc.Causes)
	}
	if err := link(CmdLink, inc.ID, "not in the estate"); err != nil {
		t.Errorf("an unknown CI is refused: %v", err)
	}
}

func TestAlikeness(t *testing.T) {
	f := func(a, b []uint32, want float64) {
		t.Helper()
		if got := alikeness(a, b); got != want {
			t.Errorf("%v and %v are alike by %v, want %v", a, b, got, want)
		}
	}
	f(nil, nil, 0)
	f([]uint32{1, 2}, nil, 0)
	f([]uint32{1, 2}, []uint32{1, 2}, 1)
	f([]uint32{1, 2, 3}, []uint32{2, 3, 4}, 0.5)
	f([]uint32{4}, []uint32{1, 2, 3}, 0)
	many := make([]uint32, signatureMost)
	for i := range many {
		many[i] = uint32(i)
	}
	f(many, many, 1)
	f(many, many[:16], 0.25)
}

func TestCountedChanges(t *testing.T) {
	b := newBench(t, estateOf(t, "a needs b"))
	for range 100 {
		b.changeOf("a", "deploy")
		b.now = b.now.Add(24 * time.Hour)
	}
	r := b.e.changeRates["a"]
	if days := b.now.Sub(r.Since).Hours() / 24; float64(r.Count) < 0.9*days || float64(r.Count) > 1.2*days+1 || days > 32 {
		t.Errorf("of one change a day is known %d in %.0f days", r.Count, days)
	}
	if ch := b.e.changes[ciIndex(t, b, "a")]; len(ch) > 1 {
		t.Errorf("%d changes are kept", len(ch))
	}
}

func ciIndex(t testing.TB, b *bench, id string) int32 {
	t.Helper()
	i, ok := b.e.estate.Index(id)
	if !ok {
		t.Fatalf("no CI %s", id)
	}
	return i
}

// People's word is learned from as such.
func TestTeachWhatPeopleSaid(t *testing.T) {
	b := newBench(t, estateOf(t, "a needs x", "b needs x", "a needs y", "b needs y"))
	inc := b.story("Errors a", "Errors b")
	if _, err := b.do(Command{Kind: CmdLink, Link: &Link{From: "incident:" + inc.ID, To: "ci:a", Kind: CausedBy}}); err != nil {
		t.Fatal(err)
	}
	b.over("Errors a", "Errors b")
	where := b.e.symptoms[short(hash("Errors"))].Where
	if where != [positions]int64{here: 1000, elsewhere: 1000} {
		t.Errorf("errors on a and b, of which a was the cause, taught %v", where)
	}
}

func TestWorkloads(t *testing.T) {
	b := newBench(t, estateOf(t, "web served_by deploy", "deploy owns pod", "pod runs_on node", "shop needs web", "mail needs pod", "ns1 owns x"))
	f := func(ci string, workload, needers []string) {
		t.Helper()
		names := func(cis []int32) (ids []string) {
			for _, i := range cis {
				ids = append(ids, b.e.estate.At(i).ID)
			}
			return ids
		}
		i := ciIndex(t, b, ci)
		if got := names(b.e.estate.workload(i)); !slices.Equal(got, workload) {
			t.Errorf("%s is of the workload %v, want %v", ci, got, workload)
		}
		var got []string
		for _, w := range b.e.estate.neededBy(i) {
			got = append(got, names(w[:1])...)
		}
		slices.Sort(got)
		if !slices.Equal(got, needers) {
			t.Errorf("%s is needed by %v, want %v", ci, got, needers)
		}
	}
	b.tick()
	whole := []string{"deploy", "pod", "web"}
	f("web", whole, []string{"shop"})
	f("pod", whole, []string{"mail", "shop"})
	f("node", []string{"node"}, []string{"deploy"})
	f("shop", []string{"shop"}, nil)
}

// A CI's failure is seen on what needs it, and less so on what it needs; never
// down and up again.
func TestCulprits(t *testing.T) {
	b := newBench(t, estateOf(t, "front needs api", "api needs db", "other needs db", "api served_by pod", "pod runs_on node",
		"node connects_to switch", "peer connects_to switch", "peer needs clock"))
	b.tick()
	f := func(ci string, want map[string]position) {
		t.Helper()
		found := b.e.estate.culprits(ciIndex(t, b, ci))
		got := map[string]position{}
		last, up := 1.0, 0.0
		for _, c := range found.list {
			got[b.e.estate.At(c.ci).ID] = c.where
			if c.p > last {
				t.Errorf("the culprits of %s are not in order: %+v", ci, found.list)
			}
			if last = c.p; c.where == upstream {
				up += c.p
			}
		}
		if up != found.upstream {
			t.Errorf("%s has %v upstream, want the sum %v", ci, found.upstream, up)
		}
		for id, where := range want {
			if got[id] != where {
				t.Errorf("seen from %s, %s is at %d, want %d", ci, id, got[id], where)
			}
		}
		if len(got) != len(want) {
			t.Errorf("the culprits of %s are %v, want %v", ci, got, want)
		}
	}
	f("front", map[string]position{"front": here, "api": upstream, "db": upstream, "pod": upstream, "node": upstream, "switch": upstream})
	f("pod", map[string]position{"pod": here, "api": here, "db": upstream, "node": upstream, "front": downstream, "switch": upstream})
	f("switch", map[string]position{"switch": here, "node": besideAgainst, "peer": besideAgainst, "pod": downstream, "api": downstream})
	f("peer", map[string]position{"peer": here, "clock": upstream, "switch": besideAlong})
	f("db", map[string]position{"db": here, "api": downstream, "other": downstream, "pod": downstream, "front": downstream})
	f("other", map[string]position{"other": here, "db": upstream})
}
