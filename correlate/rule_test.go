package correlate

import (
	"strings"
	"testing"
	"time"

	"tocsin/ingest"
)

func ruled(t *testing.T, relations []string, rules ...Rule) *bench {
	t.Helper()
	return benchWith(t, estateOf(t, relations...), func(c *Config) { c.Rules = rules })
}

// fireWith fires an alert with further labels.
func (b *bench) fireWith(name, ci string, more ...string) ingest.Fingerprint {
	ev := event(name, ci, b.now, ingest.Firing)
	for i := 0; i < len(more); i += 2 {
		ev.Labels = ev.Labels.Set(more[i], more[i+1])
	}
	ev.Fingerprint = ingest.FingerprintOf(ev.Labels)
	b.e.ObserveEvent(ev)
	b.tick()
	return ev.Fingerprint
}

func (b *bench) together(want bool, fps ...ingest.Fingerprint) {
	b.t.Helper()
	for _, fp := range fps {
		if b.incidentOf(fp) == nil {
			b.t.Fatalf("alert %s is in no incident", fp)
		}
	}
	for _, fp := range fps[1:] {
		if got := b.incidentOf(fp) == b.incidentOf(fps[0]); got != want {
			b.t.Errorf("in one incident: %v, want %v", got, want)
		}
	}
}

func TestRuleMustLink(t *testing.T) {
	rule := Rule{Name: "batch", Match: []string{`alertname=~"Batch.*"`}, MustLink: &MustLink{By: []string{"run"}}}
	far := []string{"a needs b", "x needs y", "p needs q"}
	b := ruled(t, far, rule)
	one, two := b.fireWith("BatchFailed", "a", "run", "7"), b.fireWith("BatchSlow", "x", "run", "7")
	other, none := b.fireWith("BatchSlow", "p", "run", "8"), b.fireWith("BatchSlow", "y")
	b.together(true, one, two)
	b.together(false, one, other)
	b.together(true, two, none) // on the CI that x needs, by evidence
	last := b.outs[1].Attachments[0]
	if want := "Joined because rule batch says that they belong together"; !strings.Contains(last.Evidence.Sentence, want) {
		t.Errorf("evidence %q, want it to say %q", last.Evidence.Sentence, want)
	}

	// An alert that rules put into two incidents merges them.
	b = ruled(t, far, rule, Rule{Name: "host", MustLink: &MustLink{By: []string{"host"}}})
	one, two = b.fireWith("BatchFailed", "a", "run", "7"), b.fireWith("Down", "x", "host", "h1")
	b.together(false, one, two)
	three := b.fireWith("BatchSlow", "p", "run", "7", "host", "h1")
	b.together(true, one, two, three)
}

func TestRuleMustNotLink(t *testing.T) {
	near := []string{"a needs b"}
	b := ruled(t, near)
	b.together(true, b.fireWith("Down", "a", "tenant", "red"), b.fireWith("Down", "b", "tenant", "blue"))

	b = ruled(t, near, Rule{Name: "tenants", MustNotLink: &MustNotLink{By: []string{"tenant"}}})
	red, blue := b.fireWith("Down", "a", "tenant", "red"), b.fireWith("Down", "b", "tenant", "blue")
	b.together(false, red, blue)
	ev := b.outs[1].Attachments[0].Evidence
	if !strings.Contains(ev.Sentence, "rule tenants keeps it out") || len(ev.RunnersUp) != 1 || ev.RunnersUp[0].Reason != "kept apart by rule tenants" {
		t.Errorf("evidence %+v, want the rule named", ev)
	}
	b.together(true, red, b.fireWith("Slow", "b", "tenant", "red"))
	b.together(true, blue, b.fireWith("Slow", "a", "tenant", "blue"))
	x, err := b.e.WhyNot(red, b.incidentOf(blue).ID)
	if err != nil || !strings.Contains(x.Evidence.Sentence, "rule tenants keeps them apart") {
		t.Errorf("why not: %q, %v; want the rule named", x.Evidence.Sentence, err)
	}

	b = ruled(t, near, Rule{Name: "probes", Match: []string{`alertname="ProbeFailed"`}, MustNotLink: &MustNotLink{From: []string{`alertname!="ProbeFailed"`}}})
	b.together(false, b.fire("Down", "a"), b.fire("ProbeFailed", "b"))
	b.together(true, b.fire("Slow", "a"), b.fire("Down", "a"))

	// It wins over a rule that links.
	b = ruled(t, near, Rule{Name: "all", MustLink: &MustLink{By: []string{"severity"}}}, Rule{Name: "tenants", MustNotLink: &MustNotLink{By: []string{"tenant"}}})
	b.together(false, b.fireWith("Down", "a", "tenant", "red"), b.fireWith("Down", "b", "tenant", "blue"))
}

func TestRuleBreak(t *testing.T) {
	chain := []string{"a needs b", "b needs c"}
	b := ruled(t, chain)
	b.together(true, b.fire("Down", "a"), b.fire("Down", "c"))
	b = ruled(t, chain, Rule{Name: "no", Break: &Break{Relations: []string{"depends_on"}}})
	b.together(false, b.fire("Down", "a"), b.fire("Down", "c"))
	b = ruled(t, chain, Rule{Name: "no", Break: &Break{Through: []string{b.e.estate.At(0).Class}}})
	b.together(false, b.fire("Down", "a"), b.fire("Down", "c"))
	b = ruled(t, chain, Rule{Name: "no", Break: &Break{Through: []string{b.e.estate.At(0).Class}}})
	b.together(true, b.fire("Slow", "a"), b.fire("Slow", "b")) // to it, not through it

	b = ruled(t, chain, Rule{Name: "fresh", Match: []string{`alertname="Slow"`}, Break: &Break{After: Duration(3 * time.Minute)}})
	down := b.fire("Down", "a")
	b.now = b.now.Add(2 * time.Minute)
	b.together(true, down, b.fire("Slow", "a"))
	b.now = b.now.Add(2 * time.Minute)
	b.together(false, down, b.fire("Slow", "b"))
	b.together(true, down, b.fire("Full", "a"))

	b = ruled(t, chain, Rule{Name: "small", Break: &Break{Alerts: 2}})
	one, two, three := b.fire("Down", "a"), b.fire("Down", "b"), b.fire("Down", "c")
	b.together(true, one, two)
	b.together(false, one, three)
}

// CASES 1: a threshold counts different alerts that fire; the resolved open
// nothing.
func TestRuleMinAlerts(t *testing.T) {
	b := ruled(t, []string{"a needs b", "b needs c"}, Rule{Name: "three", Match: []string{`severity="major"`}, MinAlerts: 3})
	one := b.fire("Down", "a")
	id := b.incidentOf(one).ID
	b.fire("Down", "a") // again, the same alert
	b.end("Down", "c")  // resolved when first heard of
	b.fire("Slow", "a")
	if inc := b.incident(id); inc.Status != Pending || inc.Alerts.Firing != 2 || len(b.notices(id)) != 0 {
		t.Fatalf("two of three: %s with %d firing, told %v; want pending, nobody told", inc.Status, inc.Alerts.Firing, b.notices(id))
	}
	b.end("Slow", "a")
	b.fire("Full", "b")
	if inc := b.incident(id); inc.Status != Pending {
		t.Fatalf("three, of which one is resolved: %s, want pending", inc.Status)
	}
	b.now = b.now.Add(3 * time.Minute)
	b.fire("Down", "c")
	if inc := b.incident(id); inc.Status != Open || len(b.notices(id)) != 1 || b.notices(id)[0] != NoticeOpened {
		t.Fatalf("three firing: %s, told %v; want open, told once", inc.Status, b.notices(id))
	}

	// One that no rule makes wait opens it at once.
	b = ruled(t, []string{"a needs b"}, Rule{Name: "three", Match: []string{`alertname="Slow"`}, MinAlerts: 3})
	id = b.incidentOf(b.fire("Slow", "a")).ID
	if s := b.incident(id).Status; s != Pending {
		t.Fatalf("one of three: %s", s)
	}
	b.fire("Down", "a")
	if s := b.incident(id).Status; s != Open {
		t.Errorf("with an alert that does not wait: %s, want open", s)
	}

	// One that ends while it waits was never news.
	b = ruled(t, []string{"a needs b"}, Rule{Name: "three", MinAlerts: 3})
	id = b.incidentOf(b.fire("Slow", "a")).ID
	b.end("Slow", "a")
	b.after(6 * time.Minute)
	if inc := b.incident(id); inc.Status != Closed || !inc.Untold || len(b.notices(id)) != 0 {
		t.Errorf("ended while pending: %s, untold %v, told %v; want closed, nobody told", inc.Status, inc.Untold, b.notices(id))
	}
}

func TestRuleDelay(t *testing.T) {
	b := ruled(t, []string{"a needs b"}, Rule{Name: "late", Match: []string{`ci.id="a"`}, Delay: Duration(4 * time.Minute)})
	id := b.incidentOf(b.fire("Down", "a")).ID
	b.after(3 * time.Minute)
	if s := b.incident(id).Status; s != Pending {
		t.Fatalf("after three minutes of four: %s", s)
	}
	b.after(2 * time.Minute)
	if inc := b.incident(id); inc.Status != Open || !inc.At.Equal(t0.Add(4*time.Minute)) {
		t.Errorf("after the delay: %s at %s, want open since exactly then", inc.Status, inc.At)
	}
	if s := b.incidentOf(b.fire("Slow", "b")).Status; s != Open {
		t.Errorf("on a CI of which the rule says nothing: %s", s)
	}
}

func TestRuleNeverNoise(t *testing.T) {
	play := func(rules ...Rule) string {
		b := ruled(t, []string{"a needs b"}, rules...)
		var fp ingest.Fingerprint
		for range 8 {
			fp = b.fire("Down", "a")
			b.after(12 * time.Minute)
			b.end("Down", "a")
			b.after(2 * time.Hour)
		}
		b.fire("Down", "a")
		return b.e.alerts[fp].suppression.String()
	}
	if got := play(); got != "periodic" {
		t.Errorf("an alert each two hours, alone: suppressed by %q, want periodic", got)
	}
	if got := play(Rule{Name: "page", NeverNoise: true}); got != "" {
		t.Errorf("the same with a rule that it is never noise: suppressed by %q", got)
	}
}

func TestRuleMistakes(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Rules = []Rule{
		{Match: []string{`a=`, `team`}, MinAlerts: 2},
		{Name: "x"},
		{Name: "x", MustLink: &MustLink{}, Delay: -1},
		{Name: "y", MustNotLink: &MustNotLink{By: []string{"a"}, From: []string{`b="c"`}}},
		{Name: "z", Match: []string{`a="b"`}, Break: &Break{Relations: []string{"t"}}},
		{Name: "w", Break: &Break{}, Match: []string{`ci.size="b"`}},
	}
	err := cfg.Validate()
	for _, want := range []string{
		`rules[0].name: is empty`, `rules[0].match[1]: "team": want a matcher`, `rules[1].name: "x" says nothing`,
		`rules[2].name: "x" is the name of another rule too`, `rules[2].must_link.by`, `rules[2].delay: -1ns`,
		`rules[3].must_not_link: want either by`, `rules[4].break: relations and through are about the estate`,
		`rules[5].break: says nothing`, `rules[5].match[0]: "ci.size=\"b\"": a CI has ci.id`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("mistakes %v\nwant among them %q", err, want)
		}
	}
}
