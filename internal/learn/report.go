package learn

import (
	"cmp"
	"slices"
	"time"

	"tocsin/internal/replay"
)

// Report is what was learned.
type Report struct {
	// Input is what was replayed, Present the outcome with the present
	// configuration and without what operators did.
	Input   replay.Counts `json:"input"`
	Present replay.Totals `json:"present"`
	// What an edit is called.
	What     string  `json:"edits_are"`
	Evidence Summary `json:"evidence"`
	// TooFew says why nothing is proposed when there is too little to learn
	// from.
	TooFew string `json:"too_few,omitempty"`
	// Tried is how many proposals were, Judged how many of them gained in
	// training. All are in Proposals: what is worth considering first, and then
	// by what it did in training.
	Tried     int        `json:"tried"`
	Judged    int        `json:"judged"`
	Proposals []Proposal `json:"proposals"`
}

// Summary is the evidence in numbers.
type Summary struct {
	// Edits are the corrections, People who made them.
	Edits  int      `json:"edits"`
	People []string `json:"people,omitempty"`
	// First and Last are when.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Together and Apart are the pairs of alerts that the edits speak of.
	Together int `json:"together"`
	Apart    int `json:"apart"`
	// LeftCases are the cases without an edit, Left the pairs in all cases that
	// were seen and left as they were.
	LeftCases int `json:"left_cases"`
	Left      int `json:"left"`
	// Dropped is how many more pairs there are, too many to look at.
	Dropped  int  `json:"dropped"`
	Training Half `json:"training"`
	HeldOut  Half `json:"held_out"`
	// Causes are those that people named; CausesFirst and CausesThree those of
	// them that the present configuration ranks first, and among the first three.
	Causes      int `json:"causes"`
	CausesFirst int `json:"causes_first"`
	CausesThree int `json:"causes_first_three"`
}

// Half is one of the two parts of the evidence.
type Half struct {
	Cases int `json:"cases"`
	Edits int `json:"edits"`
	Pairs int `json:"pairs"`
	// Right are the pairs that are right with the present configuration.
	Right int `json:"right"`
}

// report begins a report with what the evidence is.
func (e *Evidence) report(h *halves, before []int32) *Report {
	s := Summary{People: e.people(), Dropped: e.Dropped, Causes: len(e.Causes)}
	for i := range e.Cases {
		c := &e.Cases[i]
		s.Edits += len(c.Edits)
		if len(c.Edits) == 0 {
			s.LeftCases++
		} else {
			s.First, s.Last = earlier(s.First, c.At), c.At
		}
		for _, p := range c.pairs {
			switch {
			case p.edit == unsaid:
				s.Left++
			case p.together:
				s.Together++
			default:
				s.Apart++
			}
		}
	}
	half := func(cases []int, edits int) (out Half) {
		out.Cases, out.Edits = len(cases), edits
		for _, i := range cases {
			for _, p := range e.Cases[i].pairs {
				out.Pairs++
				if p.right(before) {
					out.Right++
				}
			}
		}
		return out
	}
	s.Training, s.HeldOut = half(h.training, h.edits[0]), half(h.heldOut, h.edits[1])
	return &Report{Evidence: s, Proposals: []Proposal{}}
}

// conclude ranks the proposals.
func (r *Report) conclude(list []Proposal) {
	rank := map[Verdict]int{VerdictWorth: 0, VerdictChance: 1, VerdictUnseen: 2, VerdictFails: 3, VerdictNoGain: 4}
	slices.SortStableFunc(list, func(a, b Proposal) int {
		return cmp.Or(cmp.Compare(rank[a.Verdict], rank[b.Verdict]), compareTraining(&a, &b))
	})
	for i := range list {
		list[i].N = i + 1
		if list[i].Verdict != VerdictNoGain {
			r.Judged++
		}
	}
	r.Tried, r.Proposals = len(list), list
}

// Best is the proposal to look at first; nil when none is worth considering.
func (r *Report) Best() *Proposal {
	if len(r.Proposals) == 0 || r.Proposals[0].Verdict != VerdictWorth {
		return nil
	}
	return &r.Proposals[0]
}
