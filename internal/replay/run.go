package replay

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// Options say how to replay.
type Options struct {
	Config correlate.Config
	// Rules say how alerts are bound to CIs; nil means the default rules.
	Rules []cmdb.Rule
	// Estate is the estate to begin with; nil is the empty one. With KeepEstate
	// it stays, whatever the source tells.
	Estate     *cmdb.Snapshot
	KeepEstate bool
	// Since is from when on incidents and alerts count in the outcome; what
	// happened before only teaches the engine.
	Since time.Time
	// Folded says that the source does not tell of re-sends, so that a watchdog
	// is not silent for want of them.
	Folded bool
	// Settle is how much time passes after the last input, so that the engine
	// comes to its conclusions on what happened last. Nothing that begins then
	// counts.
	Settle time.Duration
	// WithoutCommands leaves out what operators did.
	WithoutCommands bool
	// HideSeverity makes all severities unknown and takes away the labels
	// SeverityLabels, in which they may be told too.
	HideSeverity   bool
	SeverityLabels []string
	// Grouping fixes which alerts are in one incident, by the IDs that the
	// source gives them; empty for one that is left out. nil lets the engine
	// decide.
	Grouping map[string]string
	// Progress is called now and then; nil is fine.
	Progress func(Progress)
}

// Progress says how far a replay is.
type Progress struct {
	Events int64
	// At is the time in the replay.
	At time.Time
}

// Result is what came of a replay.
type Result struct {
	Outcome *Outcome
	Input   Counts
	// rows are the alerts that have a name, in the order in which they came.
	rows    []row
	grouped bool
}

type row struct {
	id      string
	episode int32
}

// maxTick bounds what one tick takes in when very much happened at one time.
const maxTick = 1 << 16

// batchSize is how many inputs go from the source to the engine at once.
const batchSize = 512

// Run replays a source. The error is that of the source, of the configuration
// or of ctx.
func Run(ctx context.Context, src Source, opt Options) (*Result, error) {
	if opt.Folded {
		opt.Config.Watchdogs = slices.Clone(opt.Config.Watchdogs)
		for i := range opt.Config.Watchdogs {
			opt.Config.Watchdogs[i].Timeout = 0
		}
	}
	engine, err := correlate.New(opt.Config, opt.Rules)
	if err != nil {
		return nil, err
	}
	r := &runner{
		ctx: ctx, opt: &opt, engine: engine, res: &Result{Outcome: NewOutcome()},
		current: map[ingest.Fingerprint]time.Time{}, changeIDs: map[string]string{}, commands: map[string]*correlate.Command{},
	}
	r.source, _ = src.(Recaller)
	r.res.Outcome.Since = opt.Since
	if err := r.setEstate(opt.Estate); err != nil {
		return nil, err
	}
	if opt.Grouping != nil {
		r.fixGrouping()
	}

	reading, stop := context.WithCancel(ctx)
	defer stop()
	batches := make(chan []Input, 4)
	failed := make(chan error, 1)
	go func() {
		defer close(batches)
		failed <- readInto(reading, src, batches)
	}()
	for batch := range batches {
		for i := range batch {
			r.take(&batch[i])
		}
		if r.err != nil {
			stop()
		}
		if opt.Progress != nil {
			opt.Progress(Progress{Events: r.res.Input.Events, At: r.now})
		}
	}
	r.tick()
	if err := <-failed; r.err != nil {
		return nil, r.err
	} else if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.settle()
	r.nameChanges()
	return r.res, nil
}

// readInto hands inputs over in batches: one by one the handing over would
// cost more than the reading.
func readInto(ctx context.Context, src Source, to chan<- []Input) error {
	batch := make([]Input, 0, batchSize)
	send := func() bool {
		select {
		case to <- batch:
			batch = make([]Input, 0, batchSize)
			return true
		case <-ctx.Done():
			return false
		}
	}
	err := src.Read(ctx, func(in Input) bool {
		batch = append(batch, in)
		return len(batch) < batchSize || send()
	})
	if len(batch) > 0 {
		send()
	}
	return err
}

// runner is a replay under way.
type runner struct {
	ctx    context.Context // of the one call of Run
	source Recaller        // nil when the source is none
	err    error           // what ends the replay
	opt    *Options
	engine *correlate.Engine
	res    *Result
	binder *cmdb.Binder
	now    time.Time
	// What waits for the tick.
	commands map[string]*correlate.Command
	waiting  int
	named    []named
	changes  []named
	fixed    map[Episode]string
	// changeIDs are what the source calls changes, by what the engine does.
	changeIDs map[string]string
	// current are the newest episodes of alerts, by which a firing that began
	// none finds the one it is part of.
	current map[ingest.Fingerprint]time.Time
}

// named is an event that the source has a name for.
type named struct {
	id string
	ev *ingest.Event
}

func (r *runner) setEstate(s *cmdb.Snapshot) (err error) {
	if r.binder, err = cmdb.NewBinder(r.opt.Rules, s); err != nil {
		return fmt.Errorf("binding rules: %w", err)
	}
	r.engine.ObserveEstate(s)
	return nil
}

func (r *runner) fixGrouping() {
	r.fixed, r.res.grouped = map[Episode]string{}, true
	r.engine.FixGrouping(func(fp ingest.Fingerprint, startsAt time.Time) (string, bool) {
		group, ok := r.fixed[EpisodeOf(fp, startsAt)]
		return group, ok
	})
}

func (r *runner) take(in *Input) {
	c := &r.res.Input
	if in.Unreadable != nil {
		c.unreadable(in.Unreadable)
		return
	}
	at := in.At.UTC().Truncate(time.Microsecond)
	switch {
	case at.Before(r.now):
		c.late(in, r.now.Sub(at))
	case at.After(r.now) || r.waiting >= maxTick:
		r.tick()
		r.now = at
	}
	c.span(at)
	switch {
	case in.Event != nil:
		r.takeEvent(in)
	case in.Command != nil:
		if r.opt.WithoutCommands {
			c.CommandsLeftOut++
			return
		}
		c.Commands++
		r.commands[in.Command.ID] = in.Command
		r.engine.ObserveCommand(in.Command)
	case in.Estate != nil:
		if r.opt.KeepEstate {
			return
		}
		// The rules were good for another estate and are for this.
		_ = r.setEstate(in.Estate)
	case !in.Outage.IsZero():
		r.engine.ObserveOutage(in.Outage)
	default: // time passes
	}
	r.waiting++
}

func (r *runner) takeEvent(in *Input) {
	c, ev := &r.res.Input, in.Event
	switch {
	case in.Expiry:
	case ev.Kind == ingest.KindAlert:
		c.Events++
		if in.ID != "" && ev.Status == ingest.Firing {
			r.named = append(r.named, named{in.ID, ev})
			if group, ok := r.opt.Grouping[in.ID]; ok {
				r.fixed[EpisodeOf(ev.Fingerprint, ev.StartsAt)] = group
			}
		}
	case ev.Kind == ingest.KindChange:
		c.Events++
		c.Changes++
		if b := r.binder.Bind(ev.Labels.Get); b.CI == "" {
			c.UnboundChanges.add(1, b.Tried)
		}
		if in.ID != "" {
			r.changes = append(r.changes, named{in.ID, ev})
		}
	default:
		c.Events++
	}
	if r.opt.HideSeverity {
		hideSeverity(ev, r.opt.SeverityLabels)
	}
	r.engine.ObserveEvent(ev)
}

// tick has the engine decide on what happened until now.
func (r *runner) tick() {
	if r.waiting == 0 || r.err != nil {
		return
	}
	r.waiting = 0
	out := r.engine.Tick(r.now)
	r.keep(out)
	r.err = r.recall(out.Replies)
	for _, n := range r.named {
		r.res.rows = append(r.res.rows, row{n.id, r.folded(n.ev)})
	}
	for _, n := range r.changes {
		r.changeIDs[strconv.FormatInt(n.ev.Seq, 10)] = n.id
	}
	clear(r.named)
	clear(r.changes)
	r.named, r.changes = r.named[:0], r.changes[:0]
	clear(r.commands)
}

// keep notes what the engine decided.
func (r *runner) keep(out *correlate.Output) {
	o, c := r.res.Outcome, &r.res.Input
	for i := range out.Alerts {
		a := &out.Alerts[i]
		if len(r.named) > 0 || len(r.res.rows) > 0 {
			r.current[a.Fingerprint] = a.StartsAt
		}
		n := len(o.episodes)
		o.AddAlert(a)
		if len(o.episodes) > n && a.CI == "" && len(a.Ambiguous) == 0 {
			c.Unbound.add(1, a.Tried)
		}
	}
	for i := range out.Attachments {
		a := &out.Attachments[i]
		o.AddAttachment(a)
		if group := r.fixed[EpisodeOf(a.Fingerprint, a.StartsAt)]; group != "" {
			o.incidents[o.incident(a.Incident)].group = group
		}
	}
	for i := range out.Incidents {
		o.AddIncident(&out.Incidents[i])
	}
}

// settle lets time pass after the end. Sources fall silent then, which tells
// nothing: what begins counts only if it is of alerts that there were.
func (r *runner) settle() {
	if r.opt.Settle <= 0 || r.now.IsZero() {
		return
	}
	out := r.engine.Tick(r.now.Add(r.opt.Settle))
	divided := map[string]bool{}
	for i := range out.Attachments {
		if a := &out.Attachments[i]; !a.StartsAt.After(r.now) {
			r.res.Outcome.AddAttachment(a)
			divided[a.Incident] = true
		}
	}
	for i := range out.Incidents {
		if inc := &out.Incidents[i]; !inc.OpenedAt.After(r.now) || divided[inc.ID] {
			r.res.Outcome.AddIncident(inc)
		}
	}
}

// folded is the episode that a firing became part of: its own, or the one that
// was going on already.
func (r *runner) folded(ev *ingest.Event) int32 {
	o := r.res.Outcome
	own := EpisodeOf(ev.Fingerprint, ev.StartsAt)
	if i, ok := o.known[own]; ok {
		return i
	}
	if at, ok := r.current[ev.Fingerprint]; ok {
		own = EpisodeOf(ev.Fingerprint, at)
	}
	return o.episode(own)
}

// nameChanges puts what the source calls changes in the place of the numbers
// that the engine gave them.
func (r *runner) nameChanges() {
	incidents := r.res.Outcome.incidents
	for i := range incidents {
		for k := range incidents[i].Causes {
			if c := &incidents[i].Causes[k]; c.Kind == kindChange {
				c.ID = cmp.Or(r.changeIDs[c.ID], c.ID)
			}
		}
		c := &incidents[i].Change
		c.ID = cmp.Or(r.changeIDs[c.ID], c.ID)
	}
}

// hideSeverity takes away all that tells how bad an event is.
func hideSeverity(ev *ingest.Event, labels []string) {
	ev.Severity, ev.SourceSeverity = ingest.Unknown, ""
	ev.Labels = ev.Labels.Without(labels)
}
