package learn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
	"tocsin/internal/replay"
)

func hosts(n int) (cis []cmdb.CI) {
	for i := range n {
		cis = append(cis, cmdb.CI{ID: fmt.Sprint("h", i), Class: "server", Owner: "ops"})
	}
	return cis
}

// tenants is a history in which two tenants' alerts on one host are put
// together again and again, and people take them apart. Every third time it is
// one tenant's, and people leave it.
func tenants(t *testing.T, occasions int) *history {
	h := begin(t, hosts(7))
	for k := range occasions {
		host := fmt.Sprint("h", k%7)
		var all [][]string
		add := func(name, tenant string) []string {
			all = append(all, []string{"alertname", name, "ci", host, "tenant", tenant, "pod", fmt.Sprint(name, tenant, k)})
			return all[len(all)-1]
		}
		_, inc := h.fire(add("Slow", "red")...)
		h.fire(add("Errors", "red")...)
		other := "blue"
		if k%3 == 2 {
			other = "red"
		}
		a, _ := h.fire(add("Down", other)...)
		b, _ := h.fire(add("Full", other)...)
		h.pass(time.Minute)
		if other == "blue" {
			h.do(correlate.Command{Kind: correlate.CmdSplit, Incident: inc, Alerts: []ingest.Fingerprint{a, b}})
		} else {
			h.do(correlate.Command{Kind: correlate.CmdAcknowledge, Incident: inc})
		}
		h.pass(10 * time.Minute)
		for _, labels := range all {
			h.resolve(labels...)
		}
		h.pass(5 * time.Hour)
	}
	return h
}

func TestSplitsBecomeARule(t *testing.T) {
	h := tenants(t, 30)
	rep := h.learn()
	best := rep.Best()
	if best == nil || best.Change != "rules: must_not_link by tenant" {
		t.Fatalf("best is %+v, want must_not_link by tenant\n%s", best, told(rep))
	}
	if x := best.HeldOut; x.Better != 6 && x.Better != 7 || x.Worse != 0 || x.Broken != 0 || x.Mended != 4*x.Better || best.P > 0.02 {
		t.Errorf("held out %+v, p %g; want every later split mended and nothing broken", x, best.P)
	}
	e := rep.Evidence
	if e.Edits != 20 || e.Apart != 80 || e.Together != 0 || e.LeftCases != 10 || fmt.Sprint(e.People) != "[ann bob]" {
		t.Errorf("evidence is %+v", e)
	}
	// A pod is different for each alert, and a name for each alert of an incident.
	for _, p := range rep.Proposals {
		if p.Kind == "rule" && p.Change != best.Change {
			t.Errorf("proposes %s", p.Change)
		}
	}

	// What is written does what was promised.
	cfg := best.Config()
	text, err := Fragment(&cfg, "learned")
	if err != nil {
		t.Fatal(err)
	}
	got := struct{ Correlation correlate.Config }{correlate.DefaultConfig()}
	if err := yaml.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	opt := h.options()
	opt.Replay.WithoutCommands = true
	right := func(cfg correlate.Config) float64 {
		opt.Replay.Config = cfg
		src := &replay.Recorded{Recording: h}
		res, err := replay.Run(t.Context(), src, opt.Replay)
		if err != nil {
			t.Fatal(err)
		}
		labels, err := src.Labels(t.Context(), rep.Evidence.First)
		if err != nil {
			t.Fatal(err)
		}
		return res.Outcome.Agree(labels).Share
	}
	if was, is := right(correlate.DefaultConfig()), right(got.Correlation); was != 0 || is != 1 {
		t.Errorf("people are agreed with by %.2f without the rule and %.2f with it, want 0 and 1; the rule is\n%s", was, is, text)
	}

	// The same again, to the byte.
	if a, b := inJSON(t, rep), inJSON(t, h.learn()); a != b {
		t.Errorf("learned otherwise the second time: %s", cmp.Diff(a, b))
	}
}

func inJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// told is a report in short, for what a failed test says.
func told(r *Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v %s\n", r.Evidence, r.TooFew)
	for _, p := range r.Proposals {
		fmt.Fprintf(&b, "%2d %-17s training %+v held out %+v p %.3f %s\n", p.N, p.Verdict, p.Training, p.HeldOut, p.P, p.Change)
	}
	return b.String()
}

// A history in which people merge what the threshold keeps apart: neighbours by
// a lateral link, minutes apart, that score just below it.
func merges(t *testing.T, occasions int, gap time.Duration) *history {
	cis := hosts(14)
	var relations []cmdb.Relation
	for i := range 7 {
		relations = append(relations, cmdb.Relation{From: fmt.Sprint("h", 2*i), To: fmt.Sprint("h", 2*i+1), Type: "connects_to"})
	}
	h := begin(t, cis, relations...)
	for k := range occasions {
		one := []string{"alertname", fmt.Sprint("LinkDown", k), "ci", fmt.Sprint("h", k%7*2)}
		two := []string{"alertname", fmt.Sprint("Flood", k), "ci", fmt.Sprint("h", k%7*2+1)}
		far := []string{"alertname", fmt.Sprint("Disk", k), "ci", fmt.Sprint("h", (k+1)%7*2)}
		_, a := h.fire(one...)
		h.pass(gap)
		_, b := h.fire(two...)
		_, c := h.fire(far...)
		if a == b || c == a {
			t.Fatalf("occasion %d: %s, %s and %s, want three incidents", k, a, b, c)
		}
		h.do(correlate.Command{Kind: correlate.CmdMerge, Incident: a, Incidents: []string{b}})
		h.do(correlate.Command{Kind: correlate.CmdAcknowledge, Incident: c})
		h.pass(time.Hour)
		h.resolve(one...)
		h.resolve(two...)
		h.resolve(far...)
		h.pass(5 * time.Hour)
	}
	return h
}

func TestMergesLowerTheThreshold(t *testing.T) {
	h := merges(t, 30, 6*time.Minute+10*time.Second)
	rep := h.learn()
	if rep.Best() == nil {
		t.Fatal(told(rep))
	}
	found := false
	for _, p := range rep.Proposals {
		found = found || p.Verdict == VerdictWorth && p.Change == "threshold: 100 → 80"
	}
	if !found {
		t.Errorf("a lower threshold is not worth considering:\n%s", told(rep))
	}
}

// TestRandomEdits has people who merge and split at random: there is nothing to
// learn, and mostly nothing is learned.
func TestRandomEdits(t *testing.T) {
	learned := 0
	const seeds = 4
	for seed := range uint64(seeds) {
		rep := random(t, seed).learn()
		if rep.Evidence.Edits < 18 || rep.TooFew != "" {
			t.Fatalf("seed %d: too little to learn from: %s", seed, told(rep))
		}
		if rep.Best() != nil {
			learned++
			t.Logf("seed %d: %s", seed, told(rep))
		}
	}
	if learned > 1 {
		t.Errorf("%d of %d times something was learned from chance", learned, seeds)
	}
}

func random(t *testing.T, seed uint64) *history {
	r := rand.New(rand.NewPCG(seed, 0))
	cis := hosts(20)
	var relations []cmdb.Relation
	for i := 1; i < 20; i++ {
		relations = append(relations, cmdb.Relation{From: fmt.Sprint("h", i), To: fmt.Sprint("h", r.IntN(i)), Type: []string{"depends_on", "connects_to"}[r.IntN(2)]})
	}
	h := begin(t, cis, relations...)
	for range 24 {
		var all [][]string
		members := map[string][]ingest.Fingerprint{}
		var ids []string
		for range 8 {
			labels := []string{"alertname", fmt.Sprint("A", r.IntN(9)), "ci", fmt.Sprint("h", r.IntN(20)), "tenant", fmt.Sprint("t", r.IntN(3))}
			fp, inc := h.fire(labels...)
			h.pass(time.Duration(r.IntN(90)) * time.Second)
			if inc == "" {
				continue
			}
			all = append(all, labels)
			if members[inc] == nil {
				ids = append(ids, inc)
			}
			members[inc] = append(members[inc], fp)
		}
		for _, id := range ids { // they look at all of them
			h.do(correlate.Command{Kind: correlate.CmdComment, Incident: id, Comment: "seen"})
		}
		if id := ids[r.IntN(len(ids))]; len(members[id]) > 1 {
			n := 1 + r.IntN(len(members[id])-1)
			h.try(correlate.Command{Kind: correlate.CmdSplit, Incident: id, Alerts: members[id][:n]})
		} else if len(ids) > 1 {
			k := r.IntN(len(ids) - 1)
			h.try(correlate.Command{Kind: correlate.CmdMerge, Incident: ids[k], Incidents: []string{ids[k+1]}})
		}
		for _, labels := range all {
			h.resolve(labels...)
		}
		h.pass(3 * time.Hour)
	}
	return h
}

// Alerts of one rollout on hosts that have nothing to do with each other are
// merged by people, and those of another one at the same time are not.
func TestMergesBecomeARule(t *testing.T) {
	h := begin(t, hosts(9))
	for k := range 24 {
		var all [][]string
		fire := func(name string, host int, rollout string) string {
			all = append(all, []string{"alertname", name, "ci", fmt.Sprint("h", host), "rollout", rollout, "job", "deploy"})
			_, inc := h.fire(all[len(all)-1]...)
			return inc
		}
		mine, other := fmt.Sprint("r", 2*k), fmt.Sprint("r", 2*k+1)
		a, b := fire("Failed", k%9, mine), fire("Failed", (k+1)%9, mine)
		c := fire("Failed", (k+2)%9, other)
		fire("Slow", k%9, mine)
		h.do(correlate.Command{Kind: correlate.CmdMerge, Incident: a, Incidents: []string{b}})
		h.do(correlate.Command{Kind: correlate.CmdAcknowledge, Incident: c})
		h.pass(time.Hour)
		for _, labels := range all {
			h.resolve(labels...)
		}
		h.pass(6 * time.Hour)
	}
	rep := h.learn()
	if best := rep.Best(); best == nil || best.Change != "rules: must_link by rollout" || best.HeldOut.Better != 8 || best.HeldOut.Broken != 0 {
		t.Errorf("want must_link by rollout:\n%s", told(rep))
	}
	for _, p := range rep.Proposals {
		if p.Change == "rules: must_link by job" {
			t.Error("proposes to put together all that has a label that everything has")
		}
	}
}

func TestTooFewEdits(t *testing.T) {
	rep := tenants(t, 4).learn()
	if want := "2 edits to learn from and 1 later to judge by: want at least 3 of each"; rep.TooFew != want || len(rep.Proposals) != 0 {
		t.Errorf("got %q and %d proposals, want %q and none", rep.TooFew, len(rep.Proposals), want)
	}
	h := begin(t, hosts(1))
	h.fire("alertname", "Down", "ci", "h0")
	if rep := h.learn(); rep.TooFew == "" || rep.Best() != nil {
		t.Errorf("learned from nothing: %s", told(rep))
	}
}

// A history that cannot be read is an error, whenever that comes out.
func TestBrokenHistory(t *testing.T) {
	h := tenants(t, 18)
	broken := errors.New("disk on fire")
	for _, after := range []int{0, 1, 7} {
		opt := h.options()
		open := opt.Open
		n := make(chan int, 1)
		n <- 0
		opt.Open = func() (replay.Source, func(), error) {
			k := <-n
			n <- k + 1
			if k >= after {
				return nil, nil, broken
			}
			return open()
		}
		if _, err := Run(t.Context(), opt); !errors.Is(err, broken) {
			t.Errorf("unreadable after %d replays: %v", after, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	opt := h.options()
	opt.Progress = func(done, _ int) {
		if done == 3 {
			cancel()
		}
	}
	if _, err := Run(ctx, opt); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}
