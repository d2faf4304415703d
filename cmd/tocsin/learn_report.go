package main

import (
	"fmt"
	"strconv"
	"strings"

	"tocsin/internal/learn"
)

// shownProposals is how many of the proposals that gain nothing are shown.
const shownProposals = 5

func (p *printer) learned(r *learn.Report) {
	e := &r.Evidence
	p.replayInput(&r.Input)
	p.row("learned from", fmt.Sprintf("%s%s", count(e.Edits, r.What), by(e.People)))
	p.row(" ", fmt.Sprintf("%s of alerts that they put together, %d that they kept apart", count(e.Together, "pair"), e.Apart))
	if e.Left > 0 {
		p.row(" ", fmt.Sprintf("%s that people saw and left as they were, %s without an edit among them", count(e.Left, "pair"), count(e.LeftCases, "case")))
	}
	if e.Dropped > 0 {
		p.row(" ", fmt.Sprintf("these are a sample; there are %d more", e.Dropped))
	}
	half := func(name string, h *learn.Half) {
		p.row(name, fmt.Sprintf("%s in %s; of %s, %d are right as it is configured now", count(h.Edits, r.What), count(h.Cases, "case"), count(h.Pairs, "pair"), h.Right))
	}
	half("training", &e.Training)
	half("held out", &e.HeldOut)
	if e.Causes > 0 {
		p.row("causes", fmt.Sprintf("people named %d; %d of them are ranked first, %d among the first three", e.Causes, e.CausesFirst, e.CausesThree))
	}
	fmt.Fprintln(p)
	if r.TooFew != "" {
		fmt.Fprintf(p, "nothing is proposed: %s\n", r.TooFew)
		return
	}
	p.proposals(r)
}

func (p *printer) proposals(r *learn.Report) {
	e := &r.Evidence
	p.row(" ", " ", "TRAINING", " ", "HELD OUT", " ", " ", " ", " ", "ALL OF IT", " ", "")
	p.row("N", "VERDICT", "MENDED", "BROKEN", "MENDED", "BROKEN", "BETTER", "WORSE", "P", "INCIDENTS", "PAGED", "PROPOSAL")
	for i := range r.Proposals[:min(len(r.Proposals), r.Judged+shownProposals)] {
		x := &r.Proposals[i]
		p.row(x.N, x.Verdict, x.Training.Mended, x.Training.Broken, x.HeldOut.Mended, x.HeldOut.Broken, x.HeldOut.Better, x.HeldOut.Worse, probability(x.P),
			more(x.Incidents-r.Present.Incidents), more(x.Paged-r.Present.Paged), x.Change+": "+x.Words+changes(x, e.CausesFirst))
	}
	fmt.Fprintln(p)
	if rest := len(r.Proposals) - r.Judged - shownProposals; rest > 0 {
		fmt.Fprintf(p, "%d more gain nothing in training and are not shown.\n", rest)
	}
	fmt.Fprintf(p, "%s tried; %s in training, which the held-out cases judged. Of as many without any effect, chance would take %s to a p of 0.05.\n",
		were(r.Tried, "proposal"), count(r.Judged, "gain"), strconv.FormatFloat(float64(r.Judged)/20, 'f', 2, 64))
	if r.Best() == nil {
		fmt.Fprintln(p, "None is worth considering.")
	} else {
		fmt.Fprintln(p, "Nothing was applied. Write one with --write FILE, look at it, and replay with it.")
	}
}

func were(n int, one string) string {
	if n == 1 {
		return count(n, one) + " was"
	}
	return count(n, one) + " were"
}

// changes tells what a proposal does to all incidents, and to the causes that
// people named, of which so many are ranked first now.
func changes(x *learn.Proposal, causesFirst int) string {
	var parts []string
	for _, c := range []struct {
		n    int
		what string
	}{{x.Gained, "gained"}, {x.Lost, "lost"}, {x.Merged, "merged"}, {x.Split, "split"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if n := x.CausesFirst - causesFirst; n != 0 {
		parts = append(parts, more(n)+" named causes first")
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// more is a number with its sign.
func more(n int) string {
	if n > 0 {
		return "+" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// probability shows small ones too.
func probability(p float64) string {
	if p < 0.001 {
		return strconv.FormatFloat(p, 'e', 0, 64)
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}

// by names people, when there are any.
func by(people []string) string {
	const most = 5
	switch n := len(people); {
	case n == 0:
		return ""
	case n > most:
		return fmt.Sprintf(" by %s and %d more", strings.Join(people[:most], ", "), n-most)
	default:
		return " by " + strings.Join(people, ", ")
	}
}
