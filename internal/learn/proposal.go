package learn

import (
	"fmt"

	"tocsin/correlate"
)

// Proposal is one change to the configuration, and what it would have done.
type Proposal struct {
	// N is what it is called in this report, from 1 on: the best first.
	N int `json:"n"`
	// Kind is rule, threshold, merge_threshold, noise or weight.
	Kind string `json:"kind"`
	// Change is what changes where, Words the same for people.
	Change string `json:"change"`
	Words  string `json:"words"`
	// Verdict is what to make of it.
	Verdict Verdict `json:"verdict"`
	// Training chose it, HeldOut judged it.
	Training Effect `json:"training"`
	HeldOut  Effect `json:"held_out"`
	// P is that of [SignTest] over the held-out cases.
	P float64 `json:"p"`
	// CausesFirst is how many of the causes that people named are ranked first.
	CausesFirst int `json:"causes_first"`
	// What else it does, to all incidents of the history.
	Incidents int `json:"incidents"`
	Paged     int `json:"paged"`
	Gained    int `json:"gained"`
	Lost      int `json:"lost"`
	Merged    int `json:"merged"`
	Split     int `json:"split"`

	config correlate.Config
	// parent is the bolder change of which this is the milder one, if mild.
	parent int
	mild   bool
}

// Config is the configuration with the change made.
func (p *Proposal) Config() correlate.Config { return p.config }

// Effect is what a change does to the pairs of some cases.
type Effect struct {
	// Mended are the pairs that are right now and were not, Broken those that
	// were right.
	Mended int `json:"mended"`
	Broken int `json:"broken"`
	// Better are the cases with more pairs mended than broken, Worse those with
	// fewer.
	Better int `json:"better"`
	Worse  int `json:"worse"`
}

// gains says that more was mended than broken, by pairs and by cases.
func (e *Effect) gains() bool { return e.Mended > e.Broken && e.Better > e.Worse }

// Verdict is what to make of a proposal.
type Verdict string

// The verdicts.
const (
	// VerdictWorth: it mends more than it breaks in training and after, and
	// the held-out cases are more than chance.
	VerdictWorth Verdict = "worth considering"
	// VerdictChance: so it does, but few held-out cases show it.
	VerdictChance Verdict = "may be chance"
	// VerdictUnseen: it gained in training, and no later case shows anything.
	VerdictUnseen Verdict = "not seen later"
	// VerdictFails: what it gained in training it does not gain after.
	VerdictFails Verdict = "fails later"
	// VerdictNoGain: it does not gain in training either.
	VerdictNoGain Verdict = "no gain"
)

// maxP is how likely chance may be to do as well for a proposal to be worth
// considering.
const maxP = 0.05

func (p *Proposal) judge() {
	p.P = SignTest(p.HeldOut.Better, p.HeldOut.Worse)
	switch {
	case !p.Training.gains():
		p.Verdict = VerdictNoGain
	case p.HeldOut == Effect{}:
		p.Verdict = VerdictUnseen
	case !p.HeldOut.gains():
		p.Verdict = VerdictFails
	case p.P > maxP:
		p.Verdict = VerdictChance
	default:
		p.Verdict = VerdictWorth
	}
}

// numbers are the proposals that change a number of the configuration: first
// the bold ones, of which each kind has all that are possible, then milder ones
// with the bold one that they are the milder of.
func numbers(cfg *correlate.Config) (bold, mild []Proposal) {
	add := func(kind, key, words string, now, to, parent int, set func(*correlate.Config, int)) int {
		p := Proposal{Kind: kind, Change: fmt.Sprintf("%s: %d → %d", key, now, to), Words: words, config: *cfg, parent: parent}
		set(&p.config, to)
		if now == to || p.config.Validate() != nil {
			return -1
		}
		if parent >= 0 {
			p.mild = true
			mild = append(mild, p)
			return -1
		}
		bold = append(bold, p)
		return len(bold) - 1
	}
	// steps adds a bold change and the milder one in the same direction. The
	// milder one is tried by itself when the bold one is impossible.
	steps := func(kind, key, words string, now, far, near int, set func(*correlate.Config, int)) {
		parent := add(kind, key, words, now, far, -1, set)
		add(kind, key, words, now, near, parent, set)
	}
	threshold := func(c *correlate.Config, v int) { c.Threshold = v }
	steps("threshold", "threshold", "have alerts join incidents more easily", cfg.Threshold, cfg.Threshold-20, cfg.Threshold-10, threshold)
	steps("threshold", "threshold", "have alerts join incidents less easily", cfg.Threshold, cfg.Threshold+20, cfg.Threshold+10, threshold)
	merge := func(c *correlate.Config, v int) { c.MergeThreshold = v }
	steps("merge_threshold", "merge_threshold", "merge incidents more easily", cfg.MergeThreshold, cfg.MergeThreshold-40, cfg.MergeThreshold-20, merge)
	steps("merge_threshold", "merge_threshold", "merge incidents less easily", cfg.MergeThreshold, cfg.MergeThreshold+60, cfg.MergeThreshold+30, merge)

	noise := func(key, what string, now, usual int, set func(*correlate.Config, int)) {
		if now == 0 {
			add("noise", key, "take alerts for noise that are "+what, now, usual, -1, set)
			return
		}
		parent := add("noise", key, "take no alert for noise because it is "+what, now, 0, -1, set)
		add("noise", key, "take alerts for noise later that are "+what, now, 2*now, parent, set)
	}
	usual := correlate.DefaultConfig().Noise
	noise("noise.chronic", "chronic", cfg.Noise.Chronic, usual.Chronic, func(c *correlate.Config, v int) { c.Noise.Chronic = v })
	noise("noise.periodic", "periodic", cfg.Noise.Periodic, usual.Periodic, func(c *correlate.Config, v int) { c.Noise.Periodic = v })

	for _, k := range kinds {
		now := *k.weight(&cfg.Weights)
		set := func(c *correlate.Config, v int) { *k.weight(&c.Weights) = v }
		one := func(to, parent int) int {
			return add("weight", "weights."+k.name, weightWords(k.name, now, to), now, to, parent, set)
		}
		one(50, one(0, -1))
		one(150, one(200, -1))
	}
	return bold, mild
}

func weightWords(kind string, now, to int) string {
	switch {
	case to == 0:
		return "leave evidence of " + kind + " out"
	case to > now:
		return "count evidence of " + kind + " more"
	default:
		return "count evidence of " + kind + " less"
	}
}

// kinds are the kinds of evidence and where their weights are.
var kinds = []struct {
	name   string
	weight func(*correlate.Weights) *int
}{
	{"topology", func(w *correlate.Weights) *int { return &w.Topology }},
	{"time", func(w *correlate.Weights) *int { return &w.Time }},
	{"surprise", func(w *correlate.Weights) *int { return &w.Surprise }},
	{"company", func(w *correlate.Weights) *int { return &w.Company }},
	{"delay", func(w *correlate.Weights) *int { return &w.Delay }},
	{"labels", func(w *correlate.Weights) *int { return &w.Labels }},
	{"text", func(w *correlate.Weights) *int { return &w.Text }},
	{"change", func(w *correlate.Weights) *int { return &w.Change }},
}
