package learn

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tocsin/internal/replay"
)

// Options say what to learn from. All but Progress are mandatory.
type Options struct {
	// Open opens the history, once for each replay; several are open at once.
	Open func() (src replay.Source, done func(), err error)
	// Replay is how to replay it with the present configuration. What operators
	// did is left out whatever it says, else it would be replayed into the
	// result.
	Replay replay.Options
	// Evidence makes the evidence, given a replay with the present
	// configuration.
	Evidence func(*replay.Result) (*Evidence, error)
	// What an edit is called, such as edit.
	What string
	// Progress is called after each replay, from the goroutine that called Run;
	// of total it is known only later that it is less.
	Progress func(done, total int)
}

const (
	// maxReplays bounds how often the history is replayed.
	maxReplays = 40
	// parallel is how many replays run at a time.
	parallel = 2
)

// Run tries proposals on a history. The error is one of reading it.
func Run(ctx context.Context, opt Options) (*Report, error) {
	s := &study{Options: opt}
	s.Replay.WithoutCommands = true
	if s.Progress == nil {
		s.Progress = func(int, int) {}
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if s.rep.TooFew = s.halves.tooFew(opt.What); s.rep.TooFew != "" {
		return s.rep, nil
	}
	bold, mild := numbers(&s.Replay.Config)
	more := s.evidence.ruleProposals(s.halves.training, s.before, s.facts, &s.Replay.Config, opt.What)
	s.total = min(maxReplays, 1+len(bold)+len(more)+len(mild))
	tried := slices.Concat(bold, more)
	if err := s.try(ctx, tried); err != nil {
		return nil, err
	}
	// The milder of what helped first, as far as replays go.
	slices.SortStableFunc(mild, func(a, b Proposal) int { return compareTraining(&tried[a.parent], &tried[b.parent]) })
	mild = mild[:min(len(mild), maxReplays-1-len(tried))]
	if err := s.try(ctx, mild); err != nil {
		return nil, err
	}
	s.rep.conclude(slices.Concat(tried, mild))
	return s.rep, nil
}

// study is a run under way.
type study struct {
	Options
	baseline    *replay.Outcome
	before      []int32
	facts       facts
	evidence    *Evidence
	halves      halves
	rep         *Report
	done, total int
}

// begin replays the history as it is configured.
func (s *study) begin(ctx context.Context) error {
	src, done, err := s.Open()
	if err != nil {
		return err
	}
	defer done()
	w := &watched{Source: src, opt: &s.Replay}
	res, err := replay.Run(ctx, w, s.Replay)
	if err != nil {
		return err
	}
	s.baseline, s.facts = res.Outcome, w.facts
	if s.evidence, err = s.Evidence(res); err != nil {
		return err
	}
	s.before = s.evidence.places(s.baseline)
	s.halves = s.evidence.split()
	s.rep = s.evidence.report(&s.halves, s.before)
	s.rep.What, s.rep.Input, s.rep.Present = s.What, res.Input, s.baseline.Totals()
	s.rep.Evidence.CausesFirst, s.rep.Evidence.CausesThree = s.evidence.causes(s.baseline)
	s.done = 1
	return nil
}

// try replays the history for each of some proposals and notes the effects.
func (s *study) try(ctx context.Context, list []Proposal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := make(chan *Proposal)
	results := make(chan error)
	for range parallel {
		go func() {
			for p := range next {
				results <- s.one(ctx, p)
			}
		}()
	}
	go func() {
		defer close(next)
		for i := range list {
			next <- &list[i]
		}
	}()
	var failed error
	for range list {
		err := <-results
		if err != nil && failed == nil {
			failed = err
			cancel() // the others end soon, and are waited for
		}
		s.done++
		s.Progress(s.done, s.total)
	}
	return failed
}

// one tries one proposal.
func (s *study) one(ctx context.Context, p *Proposal) error {
	src, done, err := s.Open()
	if err != nil {
		return err
	}
	defer done()
	opt := s.Replay
	opt.Config = p.config
	res, err := replay.Run(ctx, src, opt)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // somebody gave up, whatever was being tried
	case err != nil:
		return fmt.Errorf("replay with %s: %w", p.Change, err)
	}
	after := s.evidence.places(res.Outcome)
	p.Training = s.evidence.effect(s.halves.training, s.before, after)
	p.HeldOut = s.evidence.effect(s.halves.heldOut, s.before, after)
	p.CausesFirst, _ = s.evidence.causes(res.Outcome)
	d := replay.Compare(s.baseline, res.Outcome)
	p.Incidents, p.Paged = d.After.Incidents, d.After.Paged
	p.Gained, p.Lost, p.Merged, p.Split = d.Gained, d.Lost, d.Merged, d.Split
	p.judge()
	return nil
}

// compareTraining puts first what did most good in training, and of equals what
// changes least.
func compareTraining(a, b *Proposal) int {
	x, y := &a.Training, &b.Training
	return cmp.Or(cmp.Compare(y.Better-y.Worse, x.Better-x.Worse), cmp.Compare(y.Mended-y.Broken, x.Mended-x.Broken),
		cmp.Compare(a.disturbs(), b.disturbs()), cmp.Compare(rankOfMild(a), rankOfMild(b)))
}

func rankOfMild(p *Proposal) int {
	if p.mild {
		return 0
	}
	return 1
}

// disturbs is how many incidents are otherwise.
func (p *Proposal) disturbs() int { return p.Gained + p.Lost + p.Merged + p.Split }
