package learn

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/ingest"
	"tocsin/internal/quality"
	"tocsin/internal/replay"
)

// inWords tells the cases: of each the edits, and of each sort of pairs how
// many there are.
func inWords(e *Evidence) string {
	var out []string
	for i := range e.Cases {
		c := &e.Cases[i]
		n := map[string]int{}
		for _, p := range c.pairs {
			word := "left "
			if p.edit != unsaid {
				word = "said "
			}
			if p.together {
				word += "together"
			} else {
				word += "apart"
			}
			n[word]++
		}
		out = append(out, fmt.Sprint(len(c.Edits), " edits ", n))
	}
	return strings.Join(out, "; ")
}

func TestFromPeople(t *testing.T) {
	h := begin(t, hosts(6))
	evidence := func() *Evidence {
		t.Helper()
		opt := h.options()
		e, err := opt.Evidence(nil)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	check := func(what, want string) {
		t.Helper()
		if got := inWords(evidence()); got != want {
			t.Errorf("%s:\n got %s\nwant %s", what, got, want)
		}
	}
	fire := func(name, ci string) (ingest.Fingerprint, string) { return h.fire("alertname", name, "ci", ci) }
	_, a := fire("Down", "h0")
	fire("Slow", "h0")
	full, _ := fire("Full", "h0")
	_, b := fire("Down", "h1")
	_, c := fire("Down", "h2")
	fire("Down", "h3") // which nobody looks at
	check("nobody did anything", "")
	h.do(correlate.Command{Kind: correlate.CmdAcknowledge, Incident: a})
	check("one is handled", "0 edits map[left together:3]")
	h.do(correlate.Command{Kind: correlate.CmdComment, Incident: c, Comment: "no"})
	check("two are", "0 edits map[left together:3]; 0 edits map[left apart:3]")
	h.do(correlate.Command{Kind: correlate.CmdMerge, Incident: a, Incidents: []string{b}})
	// What was handled first and then corrected is of when it was corrected.
	check("and one is merged with another", "0 edits map[]; 1 edits map[left apart:4 left together:3 said together:3]")
	h.do(correlate.Command{Kind: correlate.CmdSplit, Incident: a, Alerts: []ingest.Fingerprint{full}})
	// A split takes back the merge that it contradicts; what of it stands was left.
	check("and split", "0 edits map[]; 1 edits map[left apart:4 left together:3 said apart:3]")
	h.do(correlate.Command{Kind: correlate.CmdLink, Link: &correlate.Link{From: "incident:" + a, To: "ci:h1", Kind: "caused_by"}})
	if e := evidence(); len(e.Causes) != 1 || e.Causes[0].ID != "h1" || strings.Join(e.people(), " ") != "ann" {
		t.Errorf("causes %+v, edits by %q, want h1, and ann", e.Causes, e.people())
	}
}

// Incidents that people handled one by one and the engine merged later were
// left together.
func TestMergedByTheEngine(t *testing.T) {
	look := func(n int) replay.Look {
		return replay.Look{At: time.Unix(int64(n), 0), By: "ann", Kind: correlate.CmdAcknowledge, Episodes: []replay.Episode{{Fingerprint: ingest.Fingerprint(n), StartsAt: 1}}}
	}
	o := replay.NewOutcome()
	for n, id := range []string{"A", "B"} {
		o.AddAttachment(&correlate.Attachment{Fingerprint: ingest.Fingerprint(n + 1), StartsAt: time.UnixMicro(1), Incident: id})
		inc := correlate.Incident{ID: id}
		if id == "B" {
			inc.MergedInto = "A"
		}
		o.AddIncident(&inc)
	}
	e := FromPeople(&replay.Feedback{Looks: []replay.Look{look(1), look(2)}}, o)
	if got, want := inWords(e), "0 edits map[left together:1]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCausesAreRanked(t *testing.T) {
	ep := func(n int) replay.Episode { return replay.Episode{Fingerprint: ingest.Fingerprint(n), StartsAt: 1} }
	o := replay.NewOutcome()
	for n := range 3 {
		o.AddAttachment(&correlate.Attachment{Fingerprint: ingest.Fingerprint(n), StartsAt: time.UnixMicro(1), Incident: "A"})
	}
	o.AddIncident(&correlate.Incident{ID: "A", Causes: []correlate.Cause{{Kind: "ci", ID: "a"}, {Kind: "ci", ID: "b"}, {Kind: "change", ID: "c"}, {Kind: "ci", ID: "d"}}})
	f := func(kind, id string, first, three int, of ...replay.Episode) {
		t.Helper()
		e := newEvidence()
		e.Causes = []replay.NamedCause{{Kind: kind, ID: id, Episodes: of}}
		if a, b := e.causes(o); a != first || b != three {
			t.Errorf("%s %s: %d first and %d among three, want %d and %d", kind, id, a, b, first, three)
		}
	}
	f("ci", "a", 1, 1, ep(0), ep(9))
	f("ci", "b", 0, 1, ep(0))
	f("change", "c", 0, 1, ep(1))
	f("ci", "c", 0, 0, ep(1))
	f("ci", "d", 0, 0, ep(1))
	f("ci", "a", 0, 0, ep(9))
}

// labelled is a labelled set in which two tenants fail on each host at once.
func labelled(t *testing.T, incidents int) (Options, []quality.Truth) {
	t.Helper()
	var alerts strings.Builder
	var truth []quality.Truth
	for k := range incidents {
		for i := range 4 {
			id, tenant := fmt.Sprintf("A%d-%d", k, i), []string{"red", "blue"}[i%2]
			fmt.Fprintf(&alerts, `{"time": %d, "end_time": %d, "id": %q, "ci": "h%d", "name": "N%s", "labels": {"tenant": %q}}`+"\n",
				1_750_000_000+k*20_000+i, 1_750_000_600+k*20_000, id, k%7, id, tenant)
			truth = append(truth, quality.Truth{AlertID: id, IncidentID: fmt.Sprint("I", k, tenant)})
		}
		// And something else, elsewhere.
		id := fmt.Sprint("N", k)
		fmt.Fprintf(&alerts, `{"time": %d, "end_time": %d, "id": %q, "ci": "h%d", "name": "Noise"}`+"\n", 1_750_000_002+k*20_000, 1_750_000_900+k*20_000, id, (k+3)%7)
		truth = append(truth, quality.Truth{AlertID: id})
	}
	return Options{
		Open: func() (replay.Source, func(), error) {
			return &replay.Neutral{Alerts: strings.NewReader(alerts.String()), AlertsName: "alerts", Timeout: time.Minute}, func() {}, nil
		},
		Replay:   replay.Options{Config: correlate.DefaultConfig()},
		Evidence: func(res *replay.Result) (*Evidence, error) { return FromTruth(truth, res) },
		What:     "true incident",
	}, truth
}

func TestFromTruth(t *testing.T) {
	opt, truth := labelled(t, 18)
	rep, err := Run(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if best := rep.Best(); best == nil || best.Change != "rules: must_not_link by tenant" || best.HeldOut.Worse != 0 {
		t.Errorf("want must_not_link by tenant:\n%s", told(rep))
	}
	// Two alerts of each tenant together, of different ones apart, and the
	// noise from both.
	if e := rep.Evidence; e.Edits != 36 || e.Together != 36 || e.Apart != 18*(4+4) || e.Left != 0 || e.Dropped != 0 || len(e.People) != 0 {
		t.Errorf("evidence is %+v", e)
	}

	opt.Evidence = func(res *replay.Result) (*Evidence, error) {
		return FromTruth([]quality.Truth{{AlertID: "Z", IncidentID: "I"}}, res)
	}
	if _, err := Run(t.Context(), opt); err == nil || !strings.Contains(err.Error(), `none of the 90 predicted alerts is among the 1 of the truth`) {
		t.Errorf("a truth of another set: %v", err)
	}
	// Half a truth is one all the same.
	opt.Evidence = func(res *replay.Result) (*Evidence, error) {
		return FromTruth(append(truth[:20:20], quality.Truth{AlertID: "Z", IncidentID: "I"}), res)
	}
	if rep, err := Run(t.Context(), opt); err != nil || rep.Evidence.Edits != 8 {
		t.Errorf("half a truth: %v", err)
	}
}
